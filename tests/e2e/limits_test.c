/* SPDX-License-Identifier: MIT */
/* Timeouts, cancellation, progress, tasks of tasks, and asynchronous ones. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

static const struct world_options hostile = {
    .modules = "demo hostile", .config = "[executor]\nkill_grace = 300ms\n"};

/* --- executors that do not come up --------------------------------------- */

static size_t
times_logged(struct worker *k, const char *text)
{
	const char *p = worker_log(k);
	size_t n = 0;

	while ((p = strstr(p, text)) != NULL) {
		p += strlen(text);
		n++;
	}
	return n;
}

START_TEST(cpu_executors_that_do_not_come_up_are_tried_later_each_time)
{
	const struct world_options o = {
	    .config = "[executor]\nmemory_limit = 1m\n", .crashes = true};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	const char *id = submit(w, "resize '{\"w\":64}'");
	int64_t begin;

	WAIT_UNTIL(times_logged(k, "cpu executor ended") >= 1);
	begin = now_ms();
	WAIT_UNTIL(times_logged(k, "cpu executor ended") >= 4);
	/* 100, 200 and 400 ms lie between them. */
	ck_assert_int_ge(now_ms() - begin, 500);
	world_configure(w, "demo", NULL);
	worker_signal(k, SIGHUP);
	expect_untouched(w, id);
	world_stop(w);
}
END_TEST

/* --- timeouts ------------------------------------------------------------ */

START_TEST(a_handler_that_sees_its_timeout_ends_by_itself)
{
	struct world *w = world_start(NULL);
	const char *blocking =
	    submit(w, "sleep 60 --timeout 100ms --max-retries 0");
	const char *async =
	    submit(w, "timer 60 --timeout 100ms --max-retries 0");

	wait_status(w, blocking, "failed");
	ck_field(w, blocking, "reason", "timeout");
	ck_assert_ptr_nonnull(
	    strstr(field(w, blocking, "error"), "told to end"));
	wait_status(w, async, "failed");
	ck_field(w, async, "reason", "timeout");
	ck_field(w, async, "error", "told to end");
	world_stop(w);
}
END_TEST

START_TEST(a_stuck_cpu_task_is_killed)
{
	struct world *w = world_start(&hostile);
	const char *id = submit(w, "loop_cpu --timeout 100ms --max-retries 1 "
				   "--retry-delay 0");
	const char *next;

	wait_status(w, id, "failed");
	ck_field(w, id, "reason", "timeout");
	ck_field(w, id, "attempts", "2");
	ck_assert_ptr_nonnull(strstr(field(w, id, "error"), "killed"));
	WAIT_UNTIL(dead(w, "cpu") == 1);
	next = submit(w, "resize '{\"w\":64}'");
	expect_untouched(w, next);
	world_stop(w);
}
END_TEST

static void
stuck_in_io(const char *name)
{
	struct world *w = world_start(&hostile);
	const pid_t old = worker_executor(worker_of(w));
	const char *neighbour = submit(w, "sleep 3"), *stuck, *meanwhile;

	wait_status(w, neighbour, "running");
	stuck = submit(w, "%s --timeout 100ms --max-retries 0", name);
	/* Another executor has taken over long before the old one's end. */
	WAIT_UNTIL(worker_logged(worker_of(w), "does not stop"));
	meanwhile = submit(w, "add 1 2");
	expect_untouched(w, meanwhile);
	expect_untouched(w, neighbour);
	wait_status(w, stuck, "failed");
	ck_field(w, stuck, "reason", "timeout");
	WAIT_UNTIL(is_gone(old));
	world_stop(w);
}

START_TEST(a_stuck_io_task_is_killed_when_its_neighbours_have_finished)
{
	stuck_in_io("loop");
}
END_TEST

START_TEST(a_stuck_event_loop_is_replaced)
{
	stuck_in_io("loop_async");
}
END_TEST

/* --- cancellation -------------------------------------------------------- */

START_TEST(a_running_task_can_be_cancelled)
{
	static const char *const tasks[] = {"sleep 60", "timer 60", "loop",
					    "loop_cpu"};
	struct world *w = world_start(&hostile);
	const char *id;
	size_t i;

	for (i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
		id = submit(w, "%s", tasks[i]);
		wait_status(w, id, "running");
		ctl_ok(w, "cancel %s", id);
		wait_status(w, id, "failed");
		ck_field(w, id, "reason", "cancelled");
		ck_field(w, id, "attempts", "1");
	}
	WAIT_UNTIL(in_flight(w, "io") + in_flight(w, "cpu") == 0);
	ck_assert_int_eq(delayed(w, "io") + dead(w, "io"), 0);
	world_stop(w);
}
END_TEST

START_TEST(a_cancelled_task_does_not_begin_again_when_its_executor_dies)
{
	const struct world_options o = {.modules = "demo hostile",
					.config =
					    "[executor]\nkill_grace = 1h\n",
					.crashes = true};
	struct world *w = world_start(&o);
	const char *deaf = submit(w, "loop"), *neighbour = submit(w, "sleep 1");
	const char *last = submit(w, "sleep 60");

	wait_status(w, deaf, "running");
	wait_status(w, neighbour, "running");
	wait_status(w, last, "running");
	ctl_ok(w, "cancel %s", deaf);
	/* The worker hears of one after the other. */
	ctl_ok(w, "cancel %s", last);
	wait_status(w, last, "failed");
	kill(worker_executor(worker_of(w)), SIGKILL);
	wait_status(w, deaf, "failed");
	ck_field(w, deaf, "reason", "cancelled");
	wait_status(w, neighbour, "success");
	world_stop(w);
}
END_TEST

/* --- what handlers can say ----------------------------------------------- */

START_TEST(progress_is_seen_while_a_task_runs)
{
	struct world *w = world_start(NULL);
	const char *id = submit(w, "progress 1000 0.05");
	int first;

	wait_status(w, id, "running");
	WAIT_UNTIL(strcmp(field(w, id, "progress.step"), "") != 0);
	first = atoi(field(w, id, "progress.step"));
	WAIT_UNTIL(atoi(field(w, id, "progress.step")) > first);
	ck_field(w, id, "progress.of", "1000");
	ck_field(w, id, "status", "running");
	ctl_ok(w, "cancel %s", id);
	wait_status(w, id, "failed");
	world_stop(w);
}
END_TEST

START_TEST(handlers_submit_further_tasks)
{
	struct world *w = world_start(NULL);
	const char *ids = submit(w, "fanout 20 --wait --wait-timeout 30");
	struct run *r = run(w,
			    "echo '%s' | tr -d '[]\"' | tr ',' ' ' | xargs "
			    "flowrractl --config flowrra.conf wait "
			    "--timeout 30 | cut -f 2 | xargs",
			    ids);

	ck_run(r, 0,
	       "2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 32 34 36 38 40\n");
	world_stop(w);
}
END_TEST

START_TEST(a_handler_hears_that_its_task_is_too_large)
{
	struct world *w = world_start(&hostile);

	ck_assert_str_eq(submit(w, "submit_large 1000 --wait"), "true");
	ck_assert_str_eq(submit(w, "submit_large 1100000 --wait"), "false");
	WAIT_UNTIL(worker_logged(worker_of(w), "[worker] max_task_size"));
	WAIT_UNTIL(waiting(w, "io") + in_flight(w, "io") == 0);
	ck_assert_int_eq(dead(w, "io"), 0);
	world_stop(w);
}
END_TEST

START_TEST(handlers_log_and_print_without_harm)
{
	struct world *w = world_start(&hostile);
	const char *flood = submit(w, "flood 100");

	expect_untouched(w, flood);
	ck_assert_str_eq(submit(w, "add 1 2 --wait --wait-timeout 30"), "3");
	/* 100 MB were printed. */
	ck_assert_uint_lt(strlen(worker_log(worker_of(w))), 10000000);
	world_stop(w);
}
END_TEST

/* Four threads would need 250 s for them. */
START_TEST(a_thousand_timers_take_the_time_of_one)
{
	struct world *w = world_start(NULL);
	const int64_t begin = now_ms();
	struct run *r =
	    run(w, "for i in $(seq 1000); do "
		   "echo '{\"name\":\"timer\",\"args\":[1]}'; done | "
		   "flowrractl --config flowrra.conf submit --stdin | xargs "
		   "flowrractl --config flowrra.conf wait --timeout 60 | "
		   "cut -f 2 | uniq -c | xargs");

	ck_run(r, 0, "1000 1.0\n");
	ck_assert_int_lt(now_ms() - begin, 20000);
	world_stop(w);
}
END_TEST

SUITE("limits")
{
	SUITE_TIMEOUT(120);
	TEST(cpu_executors_that_do_not_come_up_are_tried_later_each_time);
	TEST(a_handler_that_sees_its_timeout_ends_by_itself);
	TEST(a_stuck_cpu_task_is_killed);
	TEST(a_stuck_io_task_is_killed_when_its_neighbours_have_finished);
	TEST(a_stuck_event_loop_is_replaced);
	TEST(a_running_task_can_be_cancelled);
	TEST(a_cancelled_task_does_not_begin_again_when_its_executor_dies);
	TEST(progress_is_seen_while_a_task_runs);
	TEST(handlers_submit_further_tasks);
	TEST(a_handler_hears_that_its_task_is_too_large);
	TEST(handlers_log_and_print_without_harm);
	TEST(a_thousand_timers_take_the_time_of_one);
}
