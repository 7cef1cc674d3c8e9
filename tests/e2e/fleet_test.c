/* SPDX-License-Identifier: MIT */
/* Workers that differ: what one of them cannot run, another does. */
#include <stdlib.h>
#include <string.h>

#include "e2e/operate_scene.h"

/* As conf_keys.def says it of the worker "test:1", which has module demo. */
#define SLOTS "-o executor.io_workers=8 "

static struct worker *
start_demo(struct world *w)
{
	return worker_start(w, WORLD_COMMAND " " SLOTS);
}

/* A worker of the same queues with other tasks. */
static struct worker *
start_other(struct world *w, const char *modules)
{
	return worker_start(w, world_text(w,
					  WORLD_COMMAND
					  " -o worker.id=test:other "
					  "-o worker.state_dir=%s/other "
					  "-o worker.modules=%s",
					  world_dir(w), modules));
}

static const char *
noop(struct world *w)
{
	return world_built(w, "tests/modules/noop.so");
}

/* Submits `n` tasks by the name, with their IDs in file "ids". */
static void
submit_many(struct world *w, int n, const char *task)
{
	ck_run(run(w,
		   "seq %d | sed 's/.*/%s/' | flowrractl --config flowrra.conf "
		   "submit --stdin >ids",
		   n, task),
	       0, "");
}

/* All of them succeeded with their first attempt. */
static void
expect_all(struct world *w, int n)
{
	ck_run(ctl(w, "wait --timeout 60 $(cat ids) >/dev/null"), 0, "");
	ck_run(
	    run(w,
		"for id in $(cat ids); do flowrractl --config flowrra.conf "
		"result $id --json; echo; done | grep -c '\"attempts\": *1'"),
	    0, world_text(w, "%d\n", n));
	ck_answer(w, "stats", "dead", "0");
}

static long long
count(struct world *w, const char *path)
{
	return atoll(json_field(w, only(w, "queues io"), path));
}

/* 400 × 0.1 s in 8 slots are 5 s. */
START_TEST(tasks_that_only_one_of_two_workers_has_take_as_long_as_with_it_alone)
{
	struct world *w = begin(_i);
	struct worker *other;
	int64_t began;

	start_demo(w);
	other = start_other(w, noop(w));
	began = now_ms();
	submit_many(w, 400, "{\"name\":\"sleep\",\"args\":[0.1]}");
	ck_run(ctl(w, "wait --timeout 60 $(cat ids) >/dev/null"), 0, "");
	ck_assert_int_lt(now_ms() - began, 9000);
	expect_all(w, 400);
	ck_assert(!worker_logged(other, "dead list"));
	ck_assert_int_eq(count(w, "set_aside"), 0);
	worker_stop(other);
	world_stop(w);
}
END_TEST

/* An idle worker that cannot run them gets every other one. A task that was put
 * back would take 2 s. */
START_TEST(a_lone_task_starts_at_once_wherever_it_came_first)
{
	struct world *w = begin(_i);
	struct worker *other;
	int64_t began;
	int i;

	start_demo(w);
	other = start_other(w, noop(w));
	for (i = 0; i < 20; i++) {
		began = now_ms();
		ck_run(ctl(w, "submit add 1 %d --wait", i), 0,
		       world_text(w, "%d\n", 1 + i));
		ck_assert_int_lt(now_ms() - began, 1500);
	}
	worker_stop(other);
	world_stop(w);
}
END_TEST

/* Keeps all slots of the worker that has module demo busy. */
static void
fill_slots(struct world *w)
{
	int i;

	for (i = 0; i < 8; i++)
		submit(w, "sleep 100 --id busy%d", i);
	WAIT_UNTIL(count(w, "in_flight") == 8);
}

static void
empty_slots(struct world *w)
{
	int i;

	for (i = 0; i < 8; i++)
		ctl(w, "cancel busy%d", i);
}

START_TEST(what_was_set_aside_for_a_worker_that_is_killed_runs_when_it_is_back)
{
	struct world *w = begin(_i);
	struct worker *k = start_demo(w), *other;

	fill_slots(w);
	other = start_other(w, noop(w));
	submit_many(w, 100, "{\"name\":\"add\",\"args\":[1,2]}");
	WAIT_UNTIL(count(w, "set_aside") >= 90);
	worker_kill(k);
	/* Nobody has the name any more: they come back. */
	WAIT_UNTIL(count(w, "set_aside") == 0);
	ck_answer(w, "stats", "dead", "0");
	worker_restart(k);
	empty_slots(w);
	expect_all(w, 100);
	worker_stop(other);
	world_stop(w);
}
END_TEST

START_TEST(a_worker_that_learns_a_name_takes_what_was_set_aside_for_it)
{
	struct world *w = begin(_i);
	struct worker *k = start_demo(w), *other;

	fill_slots(w);
	other = start_other(w, noop(w));
	submit_many(w, 100, "{\"name\":\"add\",\"args\":[1,2]}");
	WAIT_UNTIL(count(w, "set_aside") >= 90);
	worker_stop(other);
	/* It stands for the reload: another process that begins with the name. */
	other = start_other(w, "demo");
	expect_all(w, 100);
	empty_slots(w);
	worker_stop(other);
	worker_stop(k);
	world_stop(w);
}
END_TEST

START_TEST(set_aside_tasks_are_shown_cancelled_and_purged)
{
	struct world *w = begin(_i);
	struct worker *k = start_demo(w), *other;

	fill_slots(w);
	other = start_other(w, noop(w));
	submit_many(w, 100, "{\"name\":\"add\",\"id\":\"t&\",\"args\":[1,2]}");
	WAIT_UNTIL(count(w, "set_aside") >= 90);
	WAIT_UNTIL(count(w, "waiting") == count(w, "set_aside"));
	ck_run(ctl(w, "tasks pending --limit 1000 | grep -c add"), 0,
	       world_text(w, "%lld\n", count(w, "waiting")));
	ck_answer(w, "tasks show t99", "where", "waiting");
	ck_run(ctl(w, "cancel t99 t50"), 0, "");
	ck_complains(ctl(w, "result t99"), 1, "cancelled");
	ck_assert_int_gt(atoll(ctl_ok(w, "queue purge io")), 80);
	ck_assert_int_eq(count(w, "set_aside"), 0);
	ck_assert_int_eq(count(w, "waiting"), 0);
	empty_slots(w);
	worker_stop(other);
	worker_stop(k);
	world_stop(w);
}
END_TEST

/* A typing error in the list of modules: nothing is lost by it. */
START_TEST(tasks_whose_module_was_mistyped_wait_and_health_and_doctor_say_so)
{
	struct world *w = begin(_i);
	struct worker *k;

	k = worker_start(w, NULL);
	submit_many(w, 1, "{\"name\":\"add\",\"args\":[1,2]}");
	expect_all(w, 1);
	worker_stop(k);
	submit_many(w, 200, "{\"name\":\"add\",\"args\":[1,2]}");
	k = worker_start(w, WORLD_COMMAND " -o worker.modules=dmeo");
	WAIT_UNTIL(count(w, "delayed") == 200);
	ck_answer(w, "stats", "dead", "0");
	ck_run(run(w, "flowrractl -c flowrra.conf health --json | "
		      "grep -c 'queue io: no living worker has task'"),
	       0, "1\n");
	ck_assert_int_eq(ctl(w, "health")->status, 69);
	ck_run(run(w, "flowrractl -c flowrra.conf doctor | "
		      "grep -c 'no living worker has task \"add\"'"),
	       0, "1\n");
	/* Put right, they run. */
	worker_stop(k);
	k = worker_start(w, NULL);
	expect_all(w, 200);
	ck_assert_str_eq(json_field(w, only(w, "queues io"), "unknown"), "[]");
	worker_stop(k);
	world_stop(w);
}
END_TEST

/* Of two tasks, one has no program: the worker starts all the same, and claims
 * nothing of that one. */
START_TEST(tasks_whose_program_is_missing_wait_and_health_and_doctor_say_so)
{
	static const char conf[] = "[task there]\ncommand = echo yes\n"
				   "[task gone]\ncommand = ./program {0}\n"
				   "directory = %s\n";
	struct world *w = begin(_i);
	struct worker *k;
	const char *id;

	world_configure(w, "demo", world_text(w, conf, world_dir(w)));
	k = worker_start(w, NULL);
	WAIT_UNTIL(worker_logged(k, "[task gone]: cannot run ./program"));
	ck_assert_str_eq(submit(w, "there --wait"), "\"yes\"");
	id = submit(w, "gone 7 --force --queue io");
	ck_run(run(w, "flowrractl -c flowrra.conf health | grep -c "
		      "'could not load all modules'"),
	       0, "1\n");
	ck_assert_int_eq(ctl(w, "health")->status, 69);
	ck_run(run(w, "flowrractl -c flowrra.conf doctor | grep -c "
		      "'could not load a module or command: .task gone.: "
		      "cannot run ./program'"),
	       0, "1\n");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "workers --json"), "cannot run ./program"));
	WAIT_UNTIL(count(w, "delayed") == 1);
	/* It was not begun, and no attempt counts. */
	ck_answer(w, world_text(w, "tasks show %s", id), "record.status",
		  "pending");
	ck_complains(ctl(w, "worker reload test:1"), 78,
		     "cannot run ./program");
	/* Put right, it runs. */
	ck_run(run(w, "printf '#!/bin/sh\\necho got $1\\n' > program && "
		      "chmod +x program"),
	       0, "");
	ctl_ok(w, "worker reload test:1");
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "wait %s", id), "got 7"));
	ck_assert_int_eq(ctl(w, "health")->status, 0);
	worker_stop(k);
	world_stop(w);
}
END_TEST

/* Also if that was the only one. */
START_TEST(a_worker_all_of_whose_programs_are_missing_starts)
{
	struct world *w = begin(_i);
	struct worker *k;

	world_configure(w, "demo exec", "[task gone]\ncommand = /missing\n");
	k = worker_start(w, NULL);
	WAIT_UNTIL(worker_logged(k, "[task gone]: cannot run /missing"));
	ck_assert(!worker_logged(k, "declares no task"));
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	ck_assert_int_eq(ctl(w, "health")->status, 69);
	worker_stop(k);
	world_stop(w);
}
END_TEST

START_TEST(
    a_name_is_good_while_its_queue_has_no_worker_and_refused_when_others_serve_it)
{
	struct world *w = begin(_i);
	struct worker *k, *other;
	const char *id;

	k = start_demo(w);
	ck_run(ctl(w, "submit add 1 2 --wait"), 0, "3\n");
	worker_kill(k);
	other = start_other(w, noop(w));
	/* The killed one's names are good for a moment longer. */
	WAIT_UNTIL(ctl(w, "submit add 1 2")->status == 65);
	ck_complains(ctl(w, "submit add 1 2"), 65,
		     "no living worker of queue io has task \"add\" any more");
	id = submit(w, "add 3 4 --force --queue io");
	worker_stop(other);
	/* A deploy: nobody is there, and the name is good again. */
	WAIT_UNTIL(ctl(w, "submit add 1 2")->status == 0);
	k = start_demo(w);
	ctl_ok(w, "wait %s", id);
	worker_stop(k);
	world_stop(w);
}
END_TEST

/* It crashed with a task of a queue that its next configuration has no more. */
START_TEST(tasks_of_a_queue_that_a_crashed_worker_left_run_elsewhere)
{
	struct world *w = begin(_i);
	struct worker *k =
	    worker_start(w, WORLD_COMMAND " -o 'worker.queues=io gpu'");
	struct worker *other;

	ctl_ok(w, "submit sleep 1 --id t1 --queue gpu");
	WAIT_UNTIL(strstr(ctl(w, "tasks running")->out, "t1") != NULL);
	worker_kill(k);
	k = worker_start(w, WORLD_COMMAND " -o worker.queues=io");
	other = worker_start(w, world_text(w,
					   WORLD_COMMAND
					   " -o worker.id=test:other "
					   "-o worker.state_dir=%s/other "
					   "-o worker.queues=gpu",
					   world_dir(w)));
	ck_run(ctl(w, "wait t1 --timeout 60 >/dev/null"), 0, "");
	worker_stop(other);
	worker_stop(k);
	world_stop(w);
}
END_TEST

SUITE("fleet")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(
	    tasks_that_only_one_of_two_workers_has_take_as_long_as_with_it_alone);
	TEST_BOTH(tasks_of_a_queue_that_a_crashed_worker_left_run_elsewhere);
	TEST_BOTH(a_lone_task_starts_at_once_wherever_it_came_first);
	TEST_BOTH(
	    what_was_set_aside_for_a_worker_that_is_killed_runs_when_it_is_back);
	TEST_BOTH(a_worker_that_learns_a_name_takes_what_was_set_aside_for_it);
	TEST_BOTH(set_aside_tasks_are_shown_cancelled_and_purged);
	TEST_BOTH(
	    tasks_whose_module_was_mistyped_wait_and_health_and_doctor_say_so);
	TEST_BOTH(
	    tasks_whose_program_is_missing_wait_and_health_and_doctor_say_so);
	TEST_BOTH(a_worker_all_of_whose_programs_are_missing_starts);
	TEST_BOTH(
	    a_name_is_good_while_its_queue_has_no_worker_and_refused_when_others_serve_it);
}
