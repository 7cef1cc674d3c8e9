/* SPDX-License-Identifier: MIT */
/* A Redis that dies, is away, or refuses. */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <flowrra/client.h>

#include "e2e/look.h"
#include "soak/rows.h"

static const char *const durable[] = {"--appendonly", "yes", "--appendfsync",
				      "always", NULL};
static const struct scene_options on_durable = {.redis = durable};

/* --- it dies ------------------------------------------------------------- */

static void
redis_killed(struct scene *s)
{
	unsigned int i;
	int64_t begin;

	scene_start(s, &on_durable);
	load_start(s, &(struct load){.delays = true});
	for (i = 0; i < times(s, 6, 60); i++) {
		scene_sleep_between(s, 100, 600);
		redis_server_kill(scene_redis(s));
		s->tally->faults++;
		scene_sleep_between(s, 0, 1500);
		redis_server_restart(scene_redis(s));
		begin = now_ms();
		scene_await_start(s, begin);
	}
	scene_end(s);
}

const struct row row_redis_killed = {.name = "redis-killed",
				     .fault = "kill -9 Redis with AOF, restart",
				     .brokers = ON_REDIS,
				     .runs = {2, 10},
				     .limit_ms = 5000,
				     .run = redis_killed};

/* --- it is away, and the worker is killed then --------------------------- */

/* Tasks end while one of the servers is away; then their worker is killed. */
static void
killed_without(struct scene *s, struct redis_server *away, int64_t at_least_ms,
	       const struct load *load)
{
	pid_t executors[CHILDREN_MAX];
	unsigned int i;
	int64_t begin;

	load_start(s, load);
	for (i = 0; i < times(s, 3, 20); i++) {
		scene_sleep_between(s, 100, 400);
		redis_server_pause(away);
		scene_sleep_between(s, at_least_ms, 4500);
		scene_kill_worker(s, s->workers[0], executors);
		redis_server_continue(away);
		begin = now_ms();
		worker_restart(s->workers[0]);
		scene_await_start(s, begin);
	}
	scene_end(s);
}

static const struct scene_options two_servers = {
    .separate_backend = true,
    .config = "[broker]\nsocket_timeout = 500ms\n"
	      "[backend]\nsocket_timeout = 500ms\n"};

static void
broker_away(struct scene *s)
{
	scene_start(s, &two_servers);
	s->settle_us = 1500000;
	/* Tasks that were claimed before come to their end when settlements
	 * reach the server no more. */
	killed_without(s, world_redis(s->world), 3000,
		       &(struct load){.gap_ms = 400, .max_ms = 2000});
}

const struct row row_broker_away = {
    .name = "broker-away",
    .fault = "broker away, results stored, kill -9 flowrrad",
    .brokers = ON_REDIS,
    .runs = {1, 5},
    .limit_ms = 5000,
    .run = broker_away};

static void
backend_away(struct scene *s)
{
	scene_start(s, &two_servers);
	/* A timeout, a second of patience, the disk. */
	s->settle_us = 2500000;
	killed_without(s, world_backend(s->world), 50,
		       &(struct load){.batch = 20, .max_ms = 100});
}

const struct row row_backend_away = {
    .name = "backend-away",
    .fault = "backend away, results spooled, kill -9 flowrrad",
    .brokers = ON_REDIS,
    .runs = {1, 5},
    .limit_ms = 5000,
    .run = backend_away};

/* --- it is full ---------------------------------------------------------- */

static void
redis_full(struct scene *s)
{
	struct redis_server *r;
	struct run *refused;
	unsigned int i;
	int64_t begin;

	scene_start(s, NULL);
	r = scene_redis(s);
	for (i = 0; i < times(s, 3, 30); i++) {
		load_start(s, &(struct load){.batch = 30, .gap_ms = 10});
		scene_sleep_between(s, 300, 800);
		/* Less than it has already. */
		redis_server_run(r, "CONFIG SET maxmemory 1mb");
		s->tally->faults++;
		begin = now_ms();
		refused = run(s->world,
			      "exec flowrractl --config worker-0.conf submit "
			      "ledger '%s' 1 --queue io --force",
			      ledger_path(s->ledger));
		ck_assert_msg(refused->status == 69 || refused->status == 75,
			      "submission to a full server: status %d, %s",
			      refused->status, refused->err);
		ck_assert_msg(strstr(refused->err, "memory") != NULL ||
				  strstr(refused->err, "full") != NULL,
			      "%s", refused->err);
		scene_sleep_between(s, 100, 500);
		ck_assert_uint_gt(load_refused(s), 0);
		load_stop(s);
		/* The whole backlog goes through while it is full. */
		SCENE_WAIT_WITHIN(s, PATIENCE_MS, scene_left(s) == 0);
		scene_recovered(s, now_ms() - begin);
		redis_server_run(r, "CONFIG SET maxmemory 0");
	}
	scene_end(s);
}

const struct row row_full = {.name = "full",
			     .fault = "full Redis (noeviction)",
			     .brokers = ON_REDIS,
			     .runs = {1, 5},
			     .run = redis_full};

/* --- it refuses for a while ---------------------------------------------- */

/* Under load: makes it so, leaves it so, undoes it, and expects that tasks
 * begin again. */
static void
refuse_for_a_while(struct scene *s, const struct scene_options *o,
		   void (*begin)(struct scene *), void (*end)(struct scene *))
{
	unsigned int i;
	int64_t since;

	scene_start(s, o);
	load_start(s, &(struct load){.delays = true});
	for (i = 0; i < times(s, 4, 40); i++) {
		scene_sleep_between(s, 100, 500);
		begin(s);
		s->tally->faults++;
		scene_sleep_between(s, 100, 1200);
		end(s);
		since = now_ms();
		scene_await_start(s, since);
	}
	scene_end(s);
}

static void
make_replica(struct scene *s)
{
	/* Nobody listens there. */
	redis_server_run(scene_redis(s), "REPLICAOF 127.0.0.1 1");
}

static void
make_master(struct scene *s)
{
	redis_server_run(scene_redis(s), "REPLICAOF NO ONE");
}

static void
redis_readonly(struct scene *s)
{
	refuse_for_a_while(s, NULL, make_replica, make_master);
}

const struct row row_readonly = {.name = "readonly",
				 .fault = "READONLY replica, then master again",
				 .brokers = ON_REDIS,
				 .runs = {1, 5},
				 .limit_ms = 5000,
				 .run = redis_readonly};

/* A dataset that takes two seconds to load, 100 µs a key. */
static void
redis_loading(struct scene *s)
{
	static const char *const slow[] = {
	    "--appendonly",
	    "yes",
	    "--appendfsync",
	    "always",
	    "--key-load-delay",
	    "50",
	    "--aof-use-rdb-preamble",
	    "yes",
	    "--loading-process-events-interval-bytes",
	    "1024",
	    NULL};
	unsigned int i;
	int64_t begin;

	scene_start(s, &(struct scene_options){.redis = slow});
	redis_server_run(scene_redis(s), "EVAL %s 0",
			 "for i = 1, 20000 do redis.call('SET', 'filler:' .. "
			 "i, i) end");
	redis_server_run(scene_redis(s), "BGREWRITEAOF");
	load_start(s, NULL);
	for (i = 0; i < times(s, 2, 20); i++) {
		scene_sleep_between(s, 500, 1000);
		redis_server_kill(scene_redis(s));
		s->tally->faults++;
		redis_server_restart(scene_redis(s));
		begin = now_ms();
		scene_await_start(s, begin);
	}
	/* The harness, at least, was told so: the server did load. */
	ck_assert_ptr_nonnull(
	    strstr(redis_text(s->world, scene_redis(s), "INFO errorstats"),
		   "errorstat_LOADING"));
	scene_end(s);
}

const struct row row_loading = {.name = "loading",
				.fault = "Redis is LOADING",
				.brokers = ON_REDIS,
				.runs = {1, 5},
				.limit_ms = 5000,
				.run = redis_loading};

/* A directory stands where the snapshot should be. */
static const char *const snapshots[] = {"--dbfilename", "dump", NULL};

static const char *
snapshot(struct scene *s)
{
	return world_text(s->world, "%s/dump",
			  redis_server_dir(scene_redis(s)));
}

static void
save(struct scene *s, const char *status)
{
	struct redis_server *r = scene_redis(s);
	const char *said;

	freeReplyObject(redis_server_command(r, "BGSAVE"));
	do {
		scene_sleep(5);
		said = redis_text(s->world, r, "INFO persistence");
	} while (strstr(said, "rdb_bgsave_in_progress:1") != NULL);
	ck_assert_ptr_nonnull(strstr(
	    said, world_text(s->world, "rdb_last_bgsave_status:%s", status)));
}

static void
break_snapshots(struct scene *s)
{
	redis_server_run(scene_redis(s), "CONFIG SET save %s", "3600 1000000");
	unlink(snapshot(s));
	ck_assert_int_eq(mkdir(snapshot(s), 0700), 0);
	save(s, "err");
}

static void
mend_snapshots(struct scene *s)
{
	ck_assert_int_eq(rmdir(snapshot(s)), 0);
	save(s, "ok");
}

static void
redis_misconf(struct scene *s)
{
	refuse_for_a_while(s, &(struct scene_options){.redis = snapshots},
			   break_snapshots, mend_snapshots);
}

const struct row row_misconf = {.name = "misconf",
				.fault = "MISCONF (snapshots fail)",
				.brokers = ON_REDIS,
				.runs = {1, 5},
				.limit_ms = 5000,
				.run = redis_misconf};

/* --- small things, often ------------------------------------------------- */

static void
often(struct scene *s, const char *command)
{
	unsigned int i;

	scene_start(s, NULL);
	load_start(s, &(struct load){.delays = true});
	for (i = 0; i < times(s, 60, 600); i++) {
		scene_sleep_between(s, 1, 60);
		redis_server_run(scene_redis(s), command);
		s->tally->faults++;
	}
	scene_await_start(s, now_ms());
	scene_end(s);
}

static void
scripts_flushed(struct scene *s)
{
	often(s, "SCRIPT FLUSH");
}

const struct row row_script_flush = {.name = "script-flush",
				     .fault = "SCRIPT FLUSH",
				     .brokers = ON_REDIS,
				     .runs = {1, 5},
				     .limit_ms = 5000,
				     .run = scripts_flushed};

static void
clients_killed(struct scene *s)
{
	often(s, "CLIENT KILL TYPE normal SKIPME yes");
}

const struct row row_client_kill = {.name = "client-kill",
				    .fault = "CLIENT KILL",
				    .brokers = ON_REDIS,
				    .runs = {1, 5},
				    .limit_ms = 5000,
				    .run = clients_killed};

/* --- its password is changed --------------------------------------------- */

/* It cannot recover by itself: it says so, ends, and loses nothing. */
static void
password_changed(struct scene *s)
{
	pid_t executors[CHILDREN_MAX];
	struct redis_server *r;
	unsigned int i;
	int64_t begin;
	size_t n;

	scene_start(s, NULL);
	r = scene_redis(s);
	for (i = 0; i < times(s, 2, 20); i++) {
		load_start(s, NULL);
		scene_sleep_between(s, 100, 500);
		n = scene_freeze(s->workers[0], executors);
		redis_server_run(r, "CONFIG SET requirepass changed");
		redis_server_run(r, "CLIENT KILL TYPE normal SKIPME yes");
		begin = now_ms();
		worker_signal(s->workers[0], SIGCONT);
		ck_assert_int_ne(worker_end(s->workers[0]), 0);
		scene_blame(s, executors, n, CAUSE_WORKER_STOPPED);
		load_stop(s);
		scene_recovered(s, now_ms() - begin);
		ck_assert_msg(worker_logged(s->workers[0], "password"),
			      "it does not speak of the password");
		redis_server_run(r, "AUTH changed");
		redis_server_run(r, "CONFIG SET requirepass %s", "");
		worker_restart(s->workers[0]);
	}
	scene_end(s);
}

const struct row row_password = {.name = "password",
				 .fault = "password changed underneath",
				 .brokers = ON_REDIS,
				 .runs = {1, 5},
				 .limit_ms = 2500,
				 .run = password_changed};
