/* SPDX-License-Identifier: MIT */
/*
 * The longest that Redis was busy with one command of each operation, by its own
 * slow log: in a queue of a million tasks, with tasks of 1 MiB, 10,000 priorities,
 * 1,000 queues, 1,000 workers. The least of three runs counts, since others may use
 * the machine; a takeover, for which a worker has to be missed, runs once.
 *
 * Ends with 1 if one took 10 ms.
 *
 * Usage: commands_bench [SCENE…]; COMMANDS_SCALE=10 is a tenth of all, in percent
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands_world.h"
#include "longest.h"
#include "redis_server.h"
#include "store/redis/scripts.h"
#include "util/clock.h"
#include "util/sha.h"

#define RUNS 3
#define COMMAND_MAX_MS 10.0
/* Two lives of a heartbeat, and time to move all. */
#define TAKEOVER_MS 60000

static struct world w;

/* --- operations ---------------------------------------------------------- */

/* Fewer tasks in a batch, if they are large. */
static size_t
batch_of(size_t n)
{
	return w.scene->size > 0 ? 20 : n;
}

static void
op_refill(void)
{
	commands_refill(w.server, w.scene);
}

static void
op_submit(void)
{
	world_submit(&w, &(struct world_batch){.n = 1});
}

static void
op_submit_batch(void)
{
	world_submit(&w, &(struct world_batch){.n = batch_of(5000)});
}

static void
op_submit_levels(void)
{
	world_submit(
	    &w, &(struct world_batch){.n = batch_of(5000),
				      .levels = (int32_t)w.scene->levels + 10});
}

static void
op_submit_limited(void)
{
	world_submit(
	    &w, &(struct world_batch){.n = batch_of(1000),
				      .levels = (int32_t)w.scene->levels + 10,
				      .limited = true});
}

static void
op_submit_delayed(void)
{
	world_submit(&w, &(struct world_batch){.n = batch_of(1000),
					       .delay_ms = 3600000});
}

static void
op_stop(void)
{
	world_stop(&w);
}

static void
op_start(void)
{
	world_start(&w);
}

static void
op_restart(void)
{
	world_stop(&w);
	world_start(&w);
}

static void
op_heartbeat(void)
{
	world_heartbeat(&w);
}

static void
op_register(void)
{
	world_register(&w);
}

static void
op_claim(void)
{
	world_claim(&w, w.scene->size > 0 ? 30 : 1000);
}

static void
op_ack(void)
{
	world_settle(&w, BROKER_ACK, batch_of(500));
}

static void
op_retry(void)
{
	world_settle(&w, BROKER_RETRY, 10);
}

static void
op_bury(void)
{
	world_settle(&w, BROKER_BURY, 10);
}

static void
op_set_aside(void)
{
	world_settle(&w, BROKER_SET_ASIDE, 10);
}

static void
op_make_due(void)
{
	commands_make_due(w.server, w.scene->size > 0 ? 50 : 2000);
}

static void
op_promote(void)
{
	world_wake(&w);
	world_until_none(&w, "ZCOUNT {flowrra:queue:io}:delayed 0 1000", 30000);
}

static void
op_put_back(void)
{
	world_stop(&w);
	commands_put_back(w.server, w.scene);
	world_start(&w);
}

static void
op_recall(void)
{
	char due[80];

	world_register(&w);
	world_until_none(&w, "ZCARD {flowrra:queue:io}:unknown", TAKEOVER_MS);
	snprintf(due, sizeof(due), "ZCOUNT {flowrra:queue:io}:delayed 0 %lld",
		 (long long)(clock_wall_us() / 1000));
	world_until_none(&w, due, TAKEOVER_MS);
}

/* One that has said nothing for long is dead. */
static void
op_miss(void)
{
	commands_refill(w.server, w.scene);
	redis_server_run(w.server, "ZADD flowrra:workers 1000 %s",
			 COMMANDS_DEAD);
}

static void
op_takeover(void)
{
	world_until_none(&w,
			 "EXISTS {flowrra:queue:io}:inflight:host:dead#1 "
			 "{flowrra:queue:io}:inflight:host:dead#16",
			 TAKEOVER_MS);
	world_claim(&w, 0);
}

static void
op_leave_strays(void)
{
	world_stop(&w);
	world_start(&w);
	world_heartbeat(&w);
}

/* Of the queues, each has its own commands. */
static void
op_unlist(void)
{
	redis_server_run(w.server, "DEL flowrra:queues");
}

static void
op_tidy(void)
{
	world_tidy(&w);
	world_until_none(&w,
			 "EVAL return(redis.call('HLEN','flowrra:registry')-"
			 "redis.call('ZCARD','flowrra:registered')) 0",
			 TAKEOVER_MS);
}

static void
op_queues(void)
{
	world_queues(&w);
}

static void
op_workers(void)
{
	world_workers(&w);
}

static void
op_find(void)
{
	world_find(&w, BROKER_WAITING);
	world_find(&w, BROKER_DELAYED);
	world_find(&w, BROKER_DEAD);
	world_find(&w, BROKER_IN_FLIGHT);
}

static void
op_examine(void)
{
	world_examine(&w);
}

static void
op_pause(void)
{
	world_pause(&w);
}

static void
op_waiting(void)
{
	world_view(&w, BROKER_WAITING, 300);
}

static void
op_delayed(void)
{
	world_view(&w, BROKER_DELAYED, 100);
}

static void
op_in_flight(void)
{
	world_view(&w, BROKER_IN_FLIGHT, 100);
}

static void
op_dead(void)
{
	world_view(&w, BROKER_DEAD, 100);
}

static void
op_list(void)
{
	world_list(&w, 1000);
}

static void
op_sample(void)
{
	world_sample(&w);
}

static void
op_registry(void)
{
	world_registry(&w);
}

static void
op_remove_first(void)
{
	char id[32];

	snprintf(id, sizeof(id), "t%ld", w.scene->waiting - 1000);
	world_remove(&w, id, 2000);
}

static void
op_remove_middle(void)
{
	static long n;
	char id[32];

	snprintf(id, sizeof(id), "t%ld", w.scene->waiting / 2 + n++);
	world_remove(&w, id, 2000);
}

static void
op_remove_delayed(void)
{
	static long n;
	char id[32];

	snprintf(id, sizeof(id), "l%ld", w.scene->delayed / 2 + n++);
	world_remove(&w, id, 200);
}

static void
op_remove_none(void)
{
	world_remove(&w, "none", 3000);
}

static void
op_requeue(void)
{
	world_requeue(&w, true);
}

static void
op_delete(void)
{
	world_requeue(&w, false);
}

static void
op_purge(void)
{
	world_purge(&w, 400);
}

/* `prepare` is not measured. Those that use tasks up are at the end. */
static const struct operation {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
	int runs; /* 0: RUNS */
} operations[] = {
    {"submit", NULL, op_submit, 0},
    {"submit a batch", NULL, op_submit_batch, 0},
    {"submit, priorities", NULL, op_submit_levels, 0},
    {"submit, limited queue", NULL, op_submit_limited, 0},
    {"submit, delayed", NULL, op_submit_delayed, 0},
    {"worker start, recovery", op_stop, op_start, 0},
    {"worker stop and start", NULL, op_restart, 0},
    {"register", NULL, op_register, 0},
    {"heartbeat", NULL, op_heartbeat, 0},
    {"claim", NULL, op_claim, 0},
    {"settle: ack", NULL, op_ack, 0},
    {"settle: retry", NULL, op_retry, 0},
    {"settle: dead list", NULL, op_bury, 0},
    {"settle: set aside", NULL, op_set_aside, 0},
    {"promote", op_make_due, op_promote, 0},
    {"takeover", op_miss, op_takeover, 1},
    {"worker stop", NULL, op_stop, 1},
    {"queues", NULL, op_queues, 0},
    {"workers", NULL, op_workers, 0},
    {"find", NULL, op_find, 0},
    {"doctor", NULL, op_examine, 0},
    {"pause, resume", NULL, op_pause, 0},
    {"list waiting", NULL, op_waiting, 0},
    {"list delayed", NULL, op_delayed, 0},
    {"list in flight", NULL, op_in_flight, 0},
    {"list dead", NULL, op_dead, 0},
    {"list finished", NULL, op_list, 0},
    {"dashboard sample", NULL, op_sample, 0},
    {"registry", NULL, op_registry, 0},
    {"cancel, near the end", NULL, op_remove_first, 0},
    {"cancel, in the middle", NULL, op_remove_middle, 0},
    {"cancel a delayed one", NULL, op_remove_delayed, 0},
    {"cancel none (search all)", NULL, op_remove_none, 0},
    {"requeue dead", op_refill, op_requeue, 0},
    {"delete dead", op_refill, op_delete, 0},
    {"purge", NULL, op_purge, 0},
    {"recall", op_put_back, op_recall, 0},
    {"worker start: names", NULL, op_leave_strays, 1},
    {"tidy: names", op_unlist, op_tidy, 1},
};

/* --- the table ----------------------------------------------------------- */

/* A script by its name, in the place of its hash. */
static void
name_script(struct longest *l)
{
	unsigned char digest[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1], what[LONGEST_WHAT_SIZE];
	char *hash = strchr(l->what, ' ');
	size_t i;

	if (strncmp(l->what, "EVALSHA ", 8) != 0)
		return;
	for (i = 0; i < SCRIPT_COUNT; i++) {
		sha1(slice_of(rscripts[i].text), digest);
		sha_hex(digest, sizeof(digest), hex);
		if (strncmp(hash + 1, hex, 8) != 0)
			continue;
		snprintf(what, sizeof(what), "%s%.60s", rscripts[i].name,
			 hash + 9);
		snprintf(l->what, sizeof(l->what), "%s", what);
		return;
	}
}

/* Of the runs, that whose longest command was shortest. */
static struct longest
measure(const struct operation *op)
{
	struct longest least = {.ms = 1e9}, one;
	int i;

	for (i = 0; i < (op->runs > 0 ? op->runs : RUNS); i++) {
		if (op->prepare != NULL)
			op->prepare();
		longest_command(w.server);
		op->run();
		one = longest_command(w.server);
		if (one.ms < least.ms)
			least = one;
	}
	name_script(&least);
	return least;
}

static bool
is_of_names(const struct operation *op)
{
	return op->run == op_leave_strays || op->run == op_tidy;
}

static bool
run_scene(const struct commands_scene *scene)
{
	const struct operation *op;
	struct longest longest;
	bool failed = false;

	world_open(&w, scene);
	printf("%s\n", scene->name);
	for (op = operations;
	     op < operations + sizeof(operations) / sizeof(operations[0]);
	     op++) {
		if ((op->run == op_recall) != scene->recall ||
		    is_of_names(op) != (scene->listed > 0))
			continue;
		longest = measure(op);
		printf("  %-26s %8.2f %s %s\n", op->name, longest.ms,
		       longest.ms >= COMMAND_MAX_MS ? "!" : " ", longest.what);
		fflush(stdout);
		failed = failed || longest.ms >= COMMAND_MAX_MS;
	}
	world_close(&w);
	return failed;
}

static bool
is_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

int
main(int argc, char **argv)
{
	struct commands_scene scene;
	bool failed = false;
	size_t i;

	printf("ms of the longest command, the least of %d runs\n", RUNS);
	for (i = 0; i < COMMANDS_SCENES; i++) {
		if (!is_wanted(commands_scenes[i].name, argc, argv))
			continue;
		scene = commands_scaled(&commands_scenes[i]);
		failed |= run_scene(&scene);
	}
	return failed;
}
