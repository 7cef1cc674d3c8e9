/* SPDX-License-Identifier: MIT */
/*
 * Executors that stop answering: handlers that block the event loop, and
 * processes that are stopped. They are named, killed, and replaced; only what
 * blocks pays for it.
 */
#include <signal.h>
#include <string.h>

#include "e2e/exec_scene.h"
#include "e2e/look.h"
#include "e2e/worker.h"

#define SHORT_GRACE "[executor]\nstuck_grace = 2s\nkill_grace = 1s\n"

static bool
is_named(struct world *w)
{
	return strstr(ctl(w, "doctor")->out, "does not answer") != NULL;
}

/* As look.h has them, in any store. */
static void
until(struct world *w, const char *id, const char *status)
{
	WAIT_UNTIL(is(w, id, "status", status));
}

static void
untouched(struct world *w, const char *id)
{
	until(w, id, "success");
	ck_assert_str_eq(told(w, id, "attempts"), "1");
	ck_assert_str_eq(told(w, id, "retries"), "0");
}

static size_t
count_dead(struct world *w)
{
	const char *p = ctl_ok(w, "tasks failed --json");
	size_t n = 0;

	for (; (p = strstr(p, "\"task_id\"")) != NULL; p++)
		n++;
	return n;
}

static void
check_stuck(struct world *w, const char *task)
{
	const char *neighbours[4], *id;
	size_t i;

	for (i = 0; i < 4; i++)
		neighbours[i] = submit(w, i % 2 ? "timer 0.5" : "sleep 30");
	for (i = 0; i < 4; i++)
		until(w, neighbours[i], "running");
	id = submit(w, "%s", task);
	until(w, id, "failed");
	ck_assert_str_eq(told(w, id, "reason"), "crashed");
	ck_assert_str_eq(told(w, id, "attempts"), "1");
	ck_assert_uint_eq(count_dead(w), 1);
	for (i = 1; i < 4; i += 2)
		untouched(w, neighbours[i]);
	for (i = 0; i < 4; i += 2) {
		until(w, neighbours[i], "running");
		ck_assert_str_eq(told(w, neighbours[i], "retries"), "0");
		ctl_ok(w, "cancel %s", neighbours[i]);
	}
	WAIT_UNTIL(worker_logged(worker_of(w), "does not answer"));
}

START_TEST(a_handler_that_blocks_the_loop_pays_alone)
{
	const struct world_options o = {
	    .modules = "demo hostile", .embedded = _i, .config = SHORT_GRACE};
	struct world *w = world_start(&o);

	check_stuck(w, "loop_async --max-retries 0");
	world_stop(w);
}
END_TEST

START_TEST(a_callback_that_blocks_the_loop_is_found_by_running_suspects_alone)
{
	const struct world_options o = {.modules = "demo hostile",
					.config = SHORT_GRACE};
	struct world *w = world_start(&o);

	check_stuck(w, "loop_callback --max-retries 0");
	world_stop(w);
}
END_TEST

/* doctor and workers name it while it lasts. */
START_TEST(an_executor_that_is_stopped_is_named_and_replaced)
{
	const struct world_options o = {.modules = "demo",
					.embedded = _i,
					.config =
					    "[executor]\nstuck_grace = 12s\n"};
	struct world *w = world_start(&o);
	const char *a = submit(w, "sleep 0.5"), *b = submit(w, "timer 0.5");

	until(w, a, "running");
	until(w, b, "running");
	kill(worker_executor(worker_of(w)), SIGSTOP);
	WAIT_UNTIL(is_named(w));
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "workers --json"), "\"stuck\""));
	untouched(w, a);
	untouched(w, b);
	WAIT_UNTIL(worker_logged(worker_of(w), "does not answer"));
	WAIT_UNTIL(!is_named(w));
	world_stop(w);
}
END_TEST

/* Its grace is long: the limit of the task itself ends it. */
START_TEST(a_limit_is_enforced_in_an_executor_that_says_nothing)
{
	const struct world_options o = {
	    .modules = "demo",
	    .embedded = _i,
	    .config = "[executor]\nstuck_grace = 1h\nkill_grace = 1s\n"};
	struct world *w = world_start(&o);
	const char *id;

	kill(worker_executor(worker_of(w)), SIGSTOP);
	id = submit(w, "sleep 0.1 --timeout 1 --max-retries 0");
	/* That it ran is not known: it is put back, and runs elsewhere. */
	untouched(w, id);
	world_stop(w);
}
END_TEST

/* A handler that blocks the loop is past its limit: what waits behind it can
 * not end by itself, and is no reason to spare it. */
START_TEST(a_limit_ends_a_handler_that_blocks_the_loop)
{
	const struct world_options o = {
	    .modules = "demo hostile",
	    .config = "[executor]\nstuck_grace = 1h\nkill_grace = 1s\n"};
	struct world *w = world_start(&o);
	const char *timer = submit(w, "timer 0.5"), *id;

	until(w, timer, "running");
	id = submit(w, "loop_async --timeout 1 --max-retries 0");
	until(w, id, "failed");
	ck_assert_str_eq(told(w, id, "reason"), "timeout");
	untouched(w, timer);
	world_stop(w);
}
END_TEST

SUITE("stuck")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_handler_that_blocks_the_loop_pays_alone, 0, 2);
	TEST(
	    a_callback_that_blocks_the_loop_is_found_by_running_suspects_alone);
	TEST_LOOP(an_executor_that_is_stopped_is_named_and_replaced, 0, 2);
	TEST_LOOP(a_limit_is_enforced_in_an_executor_that_says_nothing, 0, 2);
	TEST(a_limit_ends_a_handler_that_blocks_the_loop);
}
