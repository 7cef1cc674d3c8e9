/* SPDX-License-Identifier: MIT */
/* Many tasks: long ones hold no short ones back, and nothing leaks. */
#include <string.h>

#include "e2e/load.h"
#include "e2e/look.h"
#include "e2e/worker.h"

/* 100,000 tasks; the first waves make the buffers as large as they get. */
#define WAVE 20000
#define WAVES 5
#define WARM_UP 2
/* What memory may differ in without growing: less than 18 bytes for each of the
 * 60,000 tasks between the two looks. */
#define SLACK_KIB 1024

START_TEST(a_long_task_holds_no_short_one_back)
{
	const struct world_options o = {
	    .modules = "demo noop", .config = "[executor]\nio_workers = 2\n"};
	struct world *w = world_start(&o);
	const char *lengthy;

	/* Its tasks being short, it takes more than it has threads. */
	submit_many(w, 500, "noop", "[]");
	wait_all_done(w, 500);
	lengthy = submit(w, "sleep 3");
	submit_many(w, 200, "noop", "[]");
	WAIT_UNTIL(count_records(w, "\"status\":\"success\"") == 700);
	ck_field(w, lengthy, "status", "running");
	expect_untouched(w, lengthy);
	world_stop(w);
}
END_TEST

/* What a process holds. */
struct holding {
	size_t descriptors;
	long kib;
};

static struct holding
holding_of(pid_t pid)
{
	return (struct holding){count_descriptors(pid), private_kib(pid)};
}

static void
ck_same(struct holding before, struct holding after)
{
	ck_assert_uint_le(after.descriptors, before.descriptors);
	if (!SANITIZED)
		ck_assert_int_le(after.kib, before.kib + SLACK_KIB);
}

static void
run_wave(struct world *w)
{
	const char *last;

	submit_many(w, WAVE, "noop", "[1,\"two\"]");
	last = submit(w, "noop");
	wait_status(w, last, "success");
	WAIT_UNTIL(waiting(w, "io") + in_flight(w, "io") == 0);
}

/* A short life, so that the records are no load for Redis. */
START_TEST(a_hundred_thousand_tasks_leave_nothing_behind)
{
	const struct world_options o = {.modules = "demo noop",
					.config = "[backend]\nttl = 5\n"};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	const pid_t daemon = worker_pid(k), executor = worker_executor(k);
	struct holding daemon_before, executor_before;
	unsigned int i;

	for (i = 0; i < WARM_UP; i++)
		run_wave(w);
	daemon_before = holding_of(daemon);
	executor_before = holding_of(executor);
	for (; i < WAVES; i++)
		run_wave(w);
	ck_same(daemon_before, holding_of(daemon));
	ck_same(executor_before, holding_of(executor));
	/* The same executor still, and no zombie beside it. */
	ck_assert_int_eq(worker_executor(k), executor);
	ck_assert(!is_gone(executor));
	ck_assert_int_eq(dead(w, "io") + delayed(w, "io"), 0);
	world_stop(w);
}
END_TEST

SUITE("flow")
{
	SUITE_TIMEOUT(180);
	TEST(a_long_task_holds_no_short_one_back);
	TEST(a_hundred_thousand_tasks_leave_nothing_behind);
}
