/* SPDX-License-Identifier: MIT */
/*
 * Schedules whose fires take the place of their last tasks, with real servers,
 * schedulers that are killed, and real workers.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "e2e/beat_scene.h"
#include "e2e/schedule_scene.h"
#include "schedules/health.h"
#include "schedules/history.h"
#include "util/clock.h"
#include "util/err.h"

#define SCHEDULES 10
#define RUNS 25
#define PERIOD_MS 200

/* --- without a worker ----------------------------------------------------- */

/* All runs were made, and are queued. */
static bool
all_ended(struct scene *s)
{
	struct schedules_filter all = {.limit = 10000};
	struct schedules_stats *stats;
	struct schedules_list *list;
	struct err err = ERR_INIT;
	bool ended;
	size_t i;

	ck_assert_msg(
	    schedules_stats(s->db, NULL, clock_wall_us(), &stats, &err) == 0,
	    "%s", err.msg);
	ended = stats->unsent == 0;
	schedules_stats_free(stats);
	ck_assert_msg(schedules_list(s->db, &all, &list, &err) == 0, "%s",
		      err.msg);
	for (i = 0; i < list->n; i++)
		ended = ended && list->items[i].next_run_us == 0;
	schedules_list_free(list);
	return ended;
}

/* The last task of a schedule waits, and all before it were cancelled. */
static void
check_replaced(struct scene *s, const char *id, const char *queue)
{
	struct schedules_history *h;
	struct err err = ERR_INIT;
	const char *task;
	size_t i, n = 0;

	ck_assert_msg(schedules_history(s->db, id, INT64_MAX, 1000, &h, &err) ==
			  0,
		      "%s", err.msg);
	for (i = 0; i < h->n; i++) {
		task = h->items[i].task_id;
		if (h->items[i].outcome != SCHEDULE_SENT) {
			ck_assert_str_eq(h->items[i].reason, "replaced");
			continue;
		}
		ck_assert_msg(
		    (strstr(queue, world_text(s->world, "\"%s\"", task)) !=
		     NULL) == (n == 0),
		    "%s: fire %zu of the last ones", task, n);
		ck_field(s->world, task, "status",
			 n == 0 ? "pending" : "failed");
		ck_field(s->world, task, "reason", n == 0 ? "" : "cancelled");
		n++;
	}
	ck_assert_uint_eq(n, RUNS);
	schedules_history_free(h);
}

static void
check_all_replaced(struct scene *s)
{
	const char *queue;
	int i;

	WAIT_UNTIL_WITHIN(60000, all_ended(s));
	ck_assert_int_eq(scene_enqueued(s), SCHEDULES);
	queue = ctl_ok(s->world, "tasks pending --queue io --json");
	for (i = 0; i < SCHEDULES; i++)
		check_replaced(s, world_text(s->world, "s%d", i), queue);
}

static void
begin_runs(struct scene *s, int n_beats)
{
	s->overlap = SCHEDULE_OVERLAP_REPLACE;
	s->max_runs = RUNS;
	scene_schedule(s, SCHEDULES, PERIOD_MS);
	scene_start(s, n_beats);
}

/* At any moment: while they cancel, store, claim or send. */
START_TEST(schedulers_that_are_killed_leave_the_last_task_of_each_schedule)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	unsigned int seed = (unsigned int)now_ms(), kills, victim;
	struct scene s;
	int ms;

	scene_open(&s, (enum scene_database)_i);
	begin_runs(&s, SCENE_BEATS);
	for (kills = 0; kills < 30 && !all_ended(&s); kills++) {
		for (ms = rand_r(&seed) % 100; ms > 0; ms--)
			nanosleep(&pause, NULL);
		victim = (unsigned int)rand_r(&seed) % SCENE_BEATS;
		worker_kill(s.beats[victim]);
		worker_restart(s.beats[victim]);
	}
	ck_assert_uint_gt(kills, 5);
	check_all_replaced(&s);
	scene_close(&s);
}
END_TEST

/* Nothing is cancelled or claimed while records cannot be read. */
START_TEST(a_backend_that_was_away_leaves_the_last_task_of_each_schedule)
{
	struct scene s;

	scene_open_apart(&s, (enum scene_database)_i);
	s.command = "exec flowrra-beat --config flowrra.conf "
		    "-o backend.socket_timeout=1";
	begin_runs(&s, 1);
	WAIT_UNTIL(scene_enqueued(&s) == SCHEDULES);
	redis_server_pause(world_backend(s.world));
	WAIT_UNTIL(worker_logged(s.beats[0], "retrying"));
	redis_server_continue(world_backend(s.world));
	check_all_replaced(&s);
	scene_close(&s);
}
END_TEST

/* It has taken the task, and says so in the record only. */
START_TEST(a_task_that_a_foreign_worker_runs_is_left_to_it)
{
	struct run *worker;
	struct scene s;
	const char *id;

	scene_open(&s, SCENE_SQLITE);
	s.overlap = SCHEDULE_OVERLAP_REPLACE;
	s.max_runs = 2;
	worker = run_start(s.world, "/usr/bin/python3 %s %s/redis.sock 0",
			   world_source(s.world, "tests/e2e/foreign_worker.py"),
			   redis_server_dir(world_redis(s.world)));
	scene_schedule(&s, 1, 2000);
	scene_start(&s, 1);
	WAIT_UNTIL(redis_integer(world_redis(s.world), "LLEN popped") == 1);
	id = redis_text(s.world, world_redis(s.world), "LINDEX popped 0");
	WAIT_UNTIL(worker_logged(s.beats[0], "at a worker of another program"));
	WAIT_UNTIL(scene_enqueued(&s) == 1);
	ck_field(s.world, id, "status", "running");
	redis_server_run(world_redis(s.world), "LPUSH go 1");
	ck_run(run_end(s.world, worker), 0, "");
	ck_field(s.world, id, "status", "success");
	scene_close(&s);
}
END_TEST

/* --- without a worker, in the embedded store -------------------------------- */

#define BEAT "exec flowrra-beat --config flowrra.conf"

static int
count_text(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static void
check_embedded(struct world *w, int i)
{
	const char *all =
	    ctl_ok(w, "schedule history s%d --json --limit 1000", i);

	ck_assert_int_eq(count_text(all, "\"outcome\":\"sent\""), RUNS);
	ck_assert_int_eq(count_text(all, "\"status\":\"pending\""), 1);
	ck_assert_int_eq(count_text(all, "\"cancelled before it started\""),
			 RUNS - 1);
	/* The latest come first. */
	ck_assert(strstr(all, "\"pending\"") < strstr(all, "\"failed\""));
}

START_TEST(
    a_scheduler_of_the_embedded_store_that_is_killed_leaves_the_last_tasks)
{
	const struct world_options o = {.embedded = true, .no_worker = true};
	const struct timespec pause = {.tv_nsec = 1000000};
	struct world *w = world_start(&o);
	unsigned int seed = (unsigned int)now_ms();
	struct run *beat;
	int i, kills, ms;

	world_configure(w, NULL, schedule_config(w, ""));
	for (i = 0; i < SCHEDULES; i++)
		ctl_ok(w,
		       "schedule interval add 200ms --args '[%d]' --id s%d "
		       "--overlap replace --misfire all --max-runs %d --force "
		       "--queue io",
		       i, i, RUNS);
	for (kills = 0; kills < 20; kills++) {
		beat = run_start(w, BEAT);
		for (ms = 100 + rand_r(&seed) % 150; ms > 0; ms--)
			nanosleep(&pause, NULL);
		ck_assert_int_eq(kill(beat->pid, SIGKILL), 0);
		run_end(w, beat);
	}
	beat = run_start(w, BEAT);
	WAIT_UNTIL_WITHIN(60000,
			  count_text(ctl_ok(w, "schedule list --json"),
				     "\"state\":\"ended\"") == SCHEDULES);
	WAIT_UNTIL(strcmp(ctl_ok(w, "tasks pending --queue io | wc -l"),
			  world_text(w, "%d", SCHEDULES)) == 0);
	ck_assert_int_eq(kill(beat->pid, SIGTERM), 0);
	ck_assert_int_eq(run_end(w, beat)->status, 0);
	for (i = 0; i < SCHEDULES; i++)
		check_embedded(w, i);
	world_stop(w);
}
END_TEST

/* --- with a worker -------------------------------------------------------- */

/* How many of the last fires' tasks are in a state. */
static int
count_states(struct world *w, const char *status)
{
	return count_text(ctl_ok(w, "schedule history long --json"),
			  world_text(w, "\"status\":\"%s\"", status));
}

/* A thread that asks now and then whether it is cancelled, and a coroutine; in
 * Redis, and in the embedded store. */
START_TEST(a_task_that_runs_ends_before_its_replacement_is_queued)
{
	static const char *const tasks[] = {"sleep", "timer"};
	const struct world_options o = {
	    .embedded = _i / 2 == 1, .modules = "demo", .no_worker = true};
	struct world *w = world_start(&o);
	struct run *worker, *beat;

	world_configure(w, NULL, schedule_config(w, ""));
	worker = run_start(w, WORLD_COMMAND);
	beat = run_start(w, BEAT);
	ctl_ok(w,
	       "schedule interval %s 1s --args '[60]' --overlap replace "
	       "--id long --force",
	       tasks[_i % 2]);
	WAIT_UNTIL(count_states(w, "failed") >= 2 &&
		   count_states(w, "running") == 1);
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "tasks failed --json"),
				     "\"reason\":\"cancelled\""));
	ck_assert_int_eq(count_states(w, "success"), 0);
	ctl_ok(w, "schedule disable long");
	kill(beat->pid, SIGTERM);
	ck_assert_int_eq(run_end(w, beat)->status, 0);
	kill(worker->pid, SIGKILL);
	run_end(w, worker);
	ck_assert_msg(strstr(beat->err, "may run beside it") == NULL, "%s",
		      beat->err);
	world_stop(w);
}
END_TEST

SUITE("replace")
{
	SUITE_TIMEOUT(180);
	TEST_LOOP(
	    schedulers_that_are_killed_leave_the_last_task_of_each_schedule, 0,
	    SCENE_DATABASES);
	TEST_LOOP(a_backend_that_was_away_leaves_the_last_task_of_each_schedule,
		  0, SCENE_DATABASES);
	TEST(
	    a_scheduler_of_the_embedded_store_that_is_killed_leaves_the_last_tasks);
	TEST(a_task_that_a_foreign_worker_runs_is_left_to_it);
	TEST_LOOP(a_task_that_runs_ends_before_its_replacement_is_queued, 0, 4);
}
