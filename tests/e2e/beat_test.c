/* SPDX-License-Identifier: MIT */
/*
 * Schedulers: each fire is enqueued exactly once, whatever dies. With
 * BEAT_FIRES in the environment the tests go on for as many fires.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "e2e/beat_scene.h"
#include "e2e/look.h"
#include "redis_cluster.h"
#include "schedules/claim.h"
#include "schedules/health.h"
#include "schedules/history.h"
#include "sql_server.h"
#include "util/clock.h"
#include "util/err.h"

#define SCHEDULES 100
#define PERIOD_MS 1000

static long long
fires_wanted(void)
{
	const char *text = getenv("BEAT_FIRES");

	return text != NULL ? atoll(text) : 500;
}

static void
pause_ms(int ms)
{
	const struct timespec t = {.tv_sec = ms / 1000,
				   .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

START_TEST(schedulers_that_are_killed_lose_and_double_nothing)
{
	const long long wanted = fires_wanted();
	unsigned int seed = (unsigned int)now_ms(), kills = 0, victim;
	struct scene s;

	scene_open(&s, (enum scene_database)_i);
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	/* On a slow machine all fires may come between few kills. */
	for (; scene_enqueued(&s) < wanted || kills <= 5; kills++) {
		/* At any moment: that is the point. */
		pause_ms(rand_r(&seed) % 150);
		victim = (unsigned int)rand_r(&seed) % SCENE_BEATS;
		worker_kill(s.beats[victim]);
		worker_restart(s.beats[victim]);
	}
	ck_assert_int_ge(scene_verdict(&s), wanted);
	scene_close(&s);
}
END_TEST

/* --- takeover ------------------------------------------------------------ */

static void
fire_and_die(const struct schedule *s, struct schedule_verdict *v, void *arg)
{
	const struct schedule_fire fire = {
	    .fire_us = s->next_run_us,
	    .queue = "io",
	    .body = "{\"id\": \"s0:x\", \"name\": \"add\", \"args\": []}"};

	ck_assert_int_eq(schedule_fire_add(v, &fire), 0);
	v->next.next_run_us = 0;
	v->runs = 1;
}

START_TEST(what_a_dead_scheduler_has_claimed_is_sent_within_5_s)
{
	struct schedules_claim claim = {.limit = 1, .decide = fire_and_die};
	struct schedules_claimed claimed;
	struct err err = ERR_INIT;
	struct scene s;
	int64_t begin;

	scene_open(&s, (enum scene_database)_i);
	scene_start(&s, 1);
	/* Of two schedules the other one keeps nobody awake. */
	scene_schedule(&s, 1, 3000);
	claim.now_us = clock_wall_us() + 2000000;
	ck_assert_msg(schedules_claim(s.db, &claim, &claimed, &err) == 0, "%s",
		      err.msg);
	begin = now_ms();
	ck_assert_uint_eq(claimed.n, 1);
	schedules_fires_free(claimed.fires);
	WAIT_UNTIL_WITHIN(5000, scene_enqueued(&s) == 1);
	ck_assert_int_lt(now_ms() - begin, 5000);
	scene_close(&s);
}
END_TEST

/* --- what is away -------------------------------------------------------- */

START_TEST(a_broker_that_was_away_is_sent_each_fire_once)
{
	struct scene s;

	scene_open(&s, (enum scene_database)_i);
	s.command = "exec flowrra-beat --config flowrra.conf "
		    "-o broker.socket_timeout=1";
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	WAIT_UNTIL(scene_enqueued(&s) > SCHEDULES);
	redis_server_pause(world_redis(s.world));
	WAIT_UNTIL(worker_logged(s.beats[0], "retrying") &&
		   worker_logged(s.beats[1], "retrying") &&
		   worker_logged(s.beats[2], "retrying"));
	redis_server_continue(world_redis(s.world));
	WAIT_UNTIL(scene_enqueued(&s) > 5 * SCHEDULES);
	scene_verdict(&s);
	scene_close(&s);
}
END_TEST

/* Its master dies, and what no replica had of it is sent once more. */
START_TEST(a_node_that_fails_is_sent_each_fire_once)
{
	static const char key[] = "flowrra:queue:io";
	struct scene s;
	int old;

	scene_open_cluster(&s, SCENE_SQLITE);
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	WAIT_UNTIL(scene_enqueued(&s) > SCHEDULES);
	old = redis_cluster_await_owner(s.cluster, key, -1);
	redis_server_kill(redis_cluster_server(s.cluster, (size_t)old));
	redis_cluster_await_owner(s.cluster, key, old);
	redis_server_restart(redis_cluster_server(s.cluster, (size_t)old));
	redis_cluster_settle(s.cluster);
	WAIT_UNTIL(scene_enqueued(&s) > 5 * SCHEDULES);
	ck_assert_int_gt(scene_verdict(&s), 5 * SCHEDULES);
	scene_close(&s);
}
END_TEST

/* Of each schedule: fires of a stretch of time that became tasks, and those that
 * were too late. */
static void
count_past(struct scene *s, int64_t from_us, int64_t to_us, int64_t *ret_sent,
	   int64_t *ret_late)
{
	struct schedules_history *h;
	struct err err = ERR_INIT;
	char id[32];
	size_t j;
	int i;

	*ret_sent = *ret_late = 0;
	for (i = 0; i < s->n_schedules; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		ck_assert_msg(schedules_history(s->db, id, INT64_MAX, 1000, &h,
						&err) == 0,
			      "%s", err.msg);
		for (j = 0; j < h->n; j++)
			if (h->items[j].outcome != SCHEDULE_SENT)
				*ret_late += h->items[j].n;
			else if (h->items[j].fire_us >= from_us &&
				 h->items[j].fire_us <= to_us)
				(*ret_sent)++;
		schedules_history_free(h);
	}
}

#define GRACE_US INT64_C(1000000)
#define FULL_US INT64_C(6000000)

/* It answers, and takes nothing: what was due then is late, whether it was
 * claimed or not. */
START_TEST(a_broker_that_was_full_gets_nothing_that_is_past_its_grace)
{
	int64_t begin_us, end_us, sent, late;
	long long before;
	struct scene s;

	scene_open(&s, (enum scene_database)_i);
	s.grace_us = GRACE_US;
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	WAIT_UNTIL(scene_enqueued(&s) > SCHEDULES);
	redis_server_run(world_redis(s.world), "CONFIG SET maxmemory 1");
	begin_us = clock_wall_us();
	WAIT_UNTIL(worker_logged(s.beats[0], "cannot be enqueued") ||
		   worker_logged(s.beats[1], "cannot be enqueued") ||
		   worker_logged(s.beats[2], "cannot be enqueued"));
	WAIT_UNTIL(clock_wall_us() - begin_us > FULL_US);
	end_us = clock_wall_us();
	before = scene_enqueued(&s);
	redis_server_run(world_redis(s.world), "CONFIG SET maxmemory 0");
	WAIT_UNTIL(scene_enqueued(&s) > before + 3 * SCHEDULES);
	WAIT_UNTIL(worker_logged(s.beats[0], "enqueued again") ||
		   worker_logged(s.beats[1], "enqueued again") ||
		   worker_logged(s.beats[2], "enqueued again"));
	/* Some time for those that were being sent. */
	count_past(&s, begin_us, end_us - 3 * GRACE_US / 2, &sent, &late);
	ck_assert_int_eq(sent, 0);
	ck_assert_int_ge(late, SCHEDULES);
	scene_close(&s);
}
END_TEST

/* The broker loses what is queued, and the records say "pending" for ever. */
START_TEST(a_queue_that_was_lost_does_not_hold_up_those_that_must_not_overlap)
{
	struct scene s;
	int i;

	scene_open(&s, SCENE_SQLITE);
	s.overlap = SCHEDULE_OVERLAP_SKIP;
	scene_schedule(&s, 3, PERIOD_MS);
	scene_start(&s, 1);
	for (i = 0; i < 2; i++) {
		WAIT_UNTIL(scene_enqueued(&s) == 3);
		/* They wait: no second fire of the same becomes a task. */
		WAIT_UNTIL(scene_skipped(&s, SCHEDULE_OVERLAP) >= 3 * (i + 1));
		ck_assert_int_eq(scene_enqueued(&s), 3);
		redis_server_run(world_redis(s.world), "DEL flowrra:queue:io");
	}
	WAIT_UNTIL(scene_enqueued(&s) == 3);
	scene_close(&s);
}
END_TEST

/* The address leads nowhere: it is said before anybody is asked. */
START_TEST(a_file_of_schedules_beside_a_distant_broker_is_warned_of)
{
	static const char what[] = "the broker is on another machine, but";
	struct scene s;

	scene_open(&s, SCENE_SQLITE);
	scene_start(&s, 1);
	ck_assert(!worker_logged(s.beats[0], what));
	s.beats[1] =
	    worker_spawn(s.world, "exec flowrra-beat --config flowrra.conf"
				  " -o broker.url=redis://192.0.2.1:6379/0");
	WAIT_UNTIL(worker_logged(s.beats[1], what));
	scene_close(&s);
}
END_TEST

/* For an administrator; no server is asked, and no password told. */
START_TEST(the_schema_is_printed_for_each_kind_of_server)
{
	static const struct {
		const char *url, *in_it;
	} kinds[] = {
	    {"postgresql://u@192.0.2.1/d", "\nCOMMIT;\n"},
	    {"mysql://u@192.0.2.1/d", "EXECUTE flowrra_change;\n"},
	};
	struct scene s;
	const struct run *r;
	size_t i;

	scene_open(&s, SCENE_SQLITE);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		r = run(s.world,
			"flowrra-beat -c flowrra.conf --print-schema"
			" -o scheduler.database_url=%s",
			kinds[i].url);
		ck_assert_int_eq(r->status, 0);
		ck_assert_str_eq(r->err, "");
		ck_assert_ptr_nonnull(strstr(
		    r->out, "CREATE TABLE IF NOT EXISTS flowrra_version"));
		ck_assert_msg(strstr(r->out, kinds[i].in_it) != NULL, "%s",
			      r->out);
	}
	r = run(s.world, "flowrra-beat -c flowrra.conf --print-schema");
	ck_assert_int_eq(r->status, 78);
	ck_assert_str_eq(r->out, "");
	scene_close(&s);
}
END_TEST

/* --- reloading ----------------------------------------------------------- */

START_TEST(a_reload_enables_what_was_disabled)
{
	struct scene s;

	scene_open(&s, SCENE_SQLITE);
	ck_run(run(s.world, "echo 'enabled = no' >>flowrra.conf"), 0, "");
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, 1);
	WAIT_UNTIL(worker_logged(s.beats[0], "enabled = no"));
	ck_assert_int_eq(scene_enqueued(&s), 0);
	ck_run(run(s.world, "sed -i '/^enabled/d' flowrra.conf"), 0, "");
	worker_signal(s.beats[0], SIGHUP);
	worker_notified(s.beats[0], "RELOADING=1");
	worker_notified(s.beats[0], "READY=1");
	WAIT_UNTIL(scene_enqueued(&s) > 0);
	ck_assert(!worker_logged(s.beats[0], "need a restart"));
	scene_close(&s);
}
END_TEST

START_TEST(a_database_that_was_away_loses_and_doubles_nothing)
{
	struct scene s;

	scene_open(&s, (enum scene_database)_i);
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	WAIT_UNTIL(scene_enqueued(&s) > SCHEDULES);
	sql_server_kill(s.server);
	WAIT_UNTIL(worker_logged(s.beats[0], "retrying"));
	sql_server_restart(s.server);
	schedules_disconnect(s.db); /* the test's own */
	WAIT_UNTIL(scene_enqueued(&s) > 5 * SCHEDULES);
	scene_verdict(&s);
	scene_close(&s);
}
END_TEST

/* All of them complain, with these words, and go on as if nothing had been. */
static void
await_complaint(struct scene *s, const char *words)
{
	int i;

	for (i = 0; i < SCENE_BEATS; i++)
		WAIT_UNTIL(worker_logged(s->beats[i], words) &&
			   worker_logged(s->beats[i], "retrying"));
}

static void
set_read_only(struct scene *s, enum scene_database kind, bool on)
{
	const char *sql = world_text(
	    s->world,
	    kind == SCENE_POSTGRESQL
		? "ALTER SYSTEM SET default_transaction_read_only = %d"
		: "SET GLOBAL read_only = %d",
	    on);

	sql_server_run(s->server, NULL, sql);
	if (kind == SCENE_POSTGRESQL)
		sql_server_run(s->server, NULL, "SELECT pg_reload_conf()");
}

START_TEST(a_server_that_was_read_only_loses_and_doubles_nothing)
{
	struct scene s;

	scene_open(&s, (enum scene_database)_i);
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	WAIT_UNTIL(scene_enqueued(&s) > SCHEDULES);
	set_read_only(&s, (enum scene_database)_i, true);
	await_complaint(&s, "the server is read-only");
	set_read_only(&s, (enum scene_database)_i, false);
	WAIT_UNTIL(scene_enqueued(&s) > 5 * SCHEDULES);
	scene_verdict(&s);
	scene_close(&s);
}
END_TEST

START_TEST(a_disk_that_was_full_loses_and_doubles_nothing)
{
	long long before;
	struct scene s;

	if (!scene_open_small(&s, (enum scene_database)_i, 16 * 1024))
		return;
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	WAIT_UNTIL(scene_enqueued(&s) > SCHEDULES);
	scene_fill_disk(&s);
	await_complaint(&s, _i == SCENE_SQLITE
				? "the disk is full"
				: "make room on the server's disk");
	scene_empty_disk(&s);
	before = scene_enqueued(&s);
	WAIT_UNTIL(scene_enqueued(&s) > before + 2 * SCHEDULES);
	scene_verdict(&s);
	scene_close(&s);
}
END_TEST

/* --- the clock ----------------------------------------------------------- */

static void
set_clock(struct scene *s, int fd, int64_t offset_s)
{
	const int64_t us = offset_s * 1000000;

	ck_assert_int_eq(pwrite(fd, &us, sizeof(us), 0), sizeof(us));
}

/* Schedulers whose clock is that of the file *ret_fd leads to. */
static void
open_with_clock(struct scene *s, enum scene_database kind, int *ret_fd)
{
	const char *dir, *path;

	scene_open(s, kind);
	dir = world_dir(s->world);
	path = world_text(s->world, "%s/clock.flowrra-beat", dir);
	*ret_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(*ret_fd, 0);
	set_clock(s, *ret_fd, 0);
	s->command =
	    world_text(s->world,
		       "SOAK_CLOCK=%s/clock LD_PRELOAD=%s exec "
		       "flowrra-beat --config flowrra.conf",
		       dir, world_built(s->world, "tests/soak/clock_shim.so"));
	scene_schedule(s, SCHEDULES / 10, PERIOD_MS);
	scene_start(s, SCENE_BEATS);
	WAIT_UNTIL(scene_enqueued(s) > SCHEDULES / 10);
}

START_TEST(a_clock_that_is_set_loses_and_doubles_nothing)
{
	long long before;
	struct scene s;
	int fd;

#ifdef __SANITIZE_ADDRESS__
	return; /* nothing may be loaded before it */
#endif
	open_with_clock(&s, SCENE_SQLITE, &fd);
	/* A minute ahead: all its fires come now, and only now. */
	set_clock(&s, fd, 60);
	WAIT_UNTIL(scene_enqueued(&s) > 60 * SCHEDULES / 10);
	before = scene_enqueued(&s);
	/* Back a little, and there again. */
	set_clock(&s, fd, 55);
	worker_kill(s.beats[0]);
	worker_restart(s.beats[0]);
	set_clock(&s, fd, 62);
	WAIT_UNTIL(scene_enqueued(&s) > before);
	scene_verdict(&s);
	close(fd);
	scene_close(&s);
}
END_TEST

/* Schedulers that say in their rows that their clock is wrong. */
static size_t
stopped_by_clock(struct scene *s)
{
	struct schedules_stats *stats;
	struct err err = ERR_INIT;
	size_t i, n = 0;

	ck_assert_msg(
	    schedules_stats(s->db, NULL, clock_wall_us(), &stats, &err) == 0,
	    "%s", err.msg);
	for (i = 0; i < stats->n_schedulers; i++)
		n += strcmp(stats->schedulers[i].state,
			    SCHEDULES_STATE_CLOCK) == 0 &&
		     stats->schedulers[i].clock_off_us != 0;
	schedules_stats_free(stats);
	return n;
}

/* Each way, by years; the schedulers of a real machine would use up the fires
 * of all that time. */
START_TEST(schedulers_whose_clocks_are_not_the_servers_claim_nothing)
{
	const int64_t years_s = INT64_C(3) * 365 * 86400;
	const int64_t off_s = _i % 2 == 0 ? years_s : -years_s;
	long long before;
	struct scene s;
	int fd;

#ifdef __SANITIZE_ADDRESS__
	return; /* nothing may be loaded before it */
#endif
	open_with_clock(&s, (enum scene_database)(_i / 2), &fd);
	set_clock(&s, fd, off_s);
	WAIT_UNTIL_WITHIN(30000, stopped_by_clock(&s) == SCENE_BEATS);
	ck_assert(worker_logged(s.beats[0], "claims nothing until they agree"));
	/* One that starts meanwhile claims nothing, either. */
	worker_kill(s.beats[0]);
	worker_restart(s.beats[0]);
	before = scene_enqueued(&s);
	ck_assert_int_lt(before, 40 * SCHEDULES);
	set_clock(&s, fd, 0);
	WAIT_UNTIL_WITHIN(30000, scene_enqueued(&s) > before);
	scene_verdict(&s);
	close(fd);
	scene_close(&s);
}
END_TEST

/* What a machine makes whose clock is wrong fires in time all the same. */
START_TEST(a_command_whose_clock_is_not_the_servers_goes_by_the_servers)
{
	const int64_t years_s = INT64_C(3) * 365 * 86400;
	const int64_t off_s = _i % 2 == 0 ? years_s : -years_s;
	int64_t us = off_s * 1000000, now_us;
	struct schedules_list *list;
	struct err err = ERR_INIT;
	const char *text;
	struct scene s;
	size_t i;

#ifdef __SANITIZE_ADDRESS__
	return; /* nothing may be loaded before it */
#endif
	scene_open(&s, (enum scene_database)(_i / 2));
	world_write(s.world, "clock.flowrractl", &us, sizeof(us));
	text = world_text(s.world,
			  "export SOAK_CLOCK=%s/clock LD_PRELOAD=%s; "
			  "f='flowrractl -c flowrra.conf schedule'; "
			  "$f interval add 1h --id a --force 2>said && "
			  "$f cron add '0 * * * *' --id b --force --disabled "
			  "2>>said && $f enable b 2>>said && "
			  "$f edit a --rule 2h 2>>said && grep -c %s said",
			  world_dir(s.world),
			  world_built(s.world, "tests/soak/clock_shim.so"),
			  off_s > 0 ? "ahead" : "behind");
	ck_run(run(s.world, "%s", text), 0, "a\nb\n4\n");
	now_us = clock_wall_us();
	ck_assert_msg(schedules_list(s.db,
				     &(struct schedules_filter){.limit = 9},
				     &list, &err) == 0,
		      "%s", err.msg);
	ck_assert_uint_eq(list->n, 2);
	for (i = 0; i < list->n; i++) {
		ck_assert_int_gt(list->items[i].due_us, now_us);
		ck_assert_int_le(list->items[i].due_us,
				 now_us + INT64_C(7200000000));
	}
	schedules_list_free(list);
	scene_close(&s);
}
END_TEST

SUITE("beat")
{
	SUITE_TIMEOUT(1200);
	TEST_LOOP(schedulers_that_are_killed_lose_and_double_nothing, 0,
		  SCENE_DATABASES);
	TEST_LOOP(what_a_dead_scheduler_has_claimed_is_sent_within_5_s, 0,
		  SCENE_DATABASES);
	TEST(a_file_of_schedules_beside_a_distant_broker_is_warned_of);
	TEST(the_schema_is_printed_for_each_kind_of_server);
	TEST(a_reload_enables_what_was_disabled);
	TEST(
	    a_queue_that_was_lost_does_not_hold_up_those_that_must_not_overlap);
	TEST_LOOP(a_broker_that_was_full_gets_nothing_that_is_past_its_grace, 0,
		  SCENE_DATABASES);
	TEST_LOOP(a_broker_that_was_away_is_sent_each_fire_once, 0,
		  SCENE_DATABASES);
	TEST(a_node_that_fails_is_sent_each_fire_once);
	TEST_LOOP(a_database_that_was_away_loses_and_doubles_nothing,
		  SCENE_POSTGRESQL, SCENE_DATABASES);
	TEST_LOOP(a_server_that_was_read_only_loses_and_doubles_nothing,
		  SCENE_POSTGRESQL, SCENE_DATABASES);
	TEST_LOOP(a_disk_that_was_full_loses_and_doubles_nothing, SCENE_SQLITE,
		  SCENE_MARIADB);
	TEST(a_clock_that_is_set_loses_and_doubles_nothing);
	TEST_LOOP(a_command_whose_clock_is_not_the_servers_goes_by_the_servers,
		  2 * SCENE_POSTGRESQL, 2 * SCENE_DATABASES);
	TEST_LOOP(schedulers_whose_clocks_are_not_the_servers_claim_nothing,
		  2 * SCENE_POSTGRESQL, 2 * SCENE_DATABASES);
}
