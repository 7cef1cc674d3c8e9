/* SPDX-License-Identifier: MIT */
/* What workers count, against what is on record. `_i`: the store is SQLite. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"
#include "e2e/world.h"

/* Attempts that ended in the last hours, in one way. */
static long
counted(struct world *w, const char *how, const char *options)
{
	/* The text is world's; "all" is the last of the members. */
	const char *json = ctl_ok(w, "stats --json --since 2h %s", options);

	return atol(json_field(w, json, world_text(w, "all.%s", how)));
}

static long
on_record(struct world *w, const char *how)
{
	return atol(json_field(w, ctl_ok(w, "stats --json"), how));
}

static void
wait_counted(struct world *w, long succeeded, long failed)
{
	const int64_t deadline = now_ms() + 30000;
	unsigned int turn = 0;

	while (counted(w, "succeeded", "") < succeeded ||
	       counted(w, "failed", "") < failed)
		ck_assert_msg(wait_a_moment(deadline, &turn),
			      "%ld succeeded and %ld failed",
			      counted(w, "succeeded", ""),
			      counted(w, "failed", ""));
}

static void
wait_ended(struct world *w, long n)
{
	const int64_t deadline = now_ms() + 60000;
	unsigned int turn = 0;

	while (on_record(w, "succeeded") + on_record(w, "failed") < n)
		ck_assert_msg(
		    wait_a_moment(deadline, &turn), "%ld of %ld",
		    on_record(w, "succeeded") + on_record(w, "failed"), n);
}

/* What a killed worker had stored, and not yet added to the totals, is in none. */
static void
wait_drained(struct world *w)
{
	const int64_t deadline = now_ms() + 60000;
	unsigned int turn = 0;

	while (on_record(w, "waiting") + on_record(w, "delayed") +
		   on_record(w, "in_flight") >
	       0)
		ck_assert(wait_a_moment(deadline, &turn));
}

#define SUBMIT " | flowrractl -c flowrra.conf submit --stdin > /dev/null"

/* 1,900 that succeed, 60 that fail at once, 40 that fail after one retry. */
#define MIX                                                                    \
	"for i in $(seq 1900); do echo '{\"name\":\"add\",\"args\":"           \
	"[1,2]}'; done > mix;"                                                 \
	"for i in $(seq 60); do echo '{\"name\":\"fail\",\"kwargs\":"          \
	"{\"message\":\"no\"},\"max_retries\":0}'; done >> mix;"               \
	"for i in $(seq 40); do echo '{\"name\":\"fail\",\"kwargs\":"          \
	"{\"message\":\"no\"},\"max_retries\":1,\"retry_delay\":0.01}'; "      \
	"done >> mix;"                                                         \
	"shuf --random-source=mix mix"

START_TEST(the_series_equal_the_ledger)
{
	struct world *w =
	    world_start(&(const struct world_options){.embedded = _i != 0});

	ck_run(run(w, MIX SUBMIT), 0, "");
	wait_ended(w, 2000);
	wait_counted(w, 1900, 100);
	ck_assert_int_eq(counted(w, "succeeded", ""), 1900);
	ck_assert_int_eq(counted(w, "failed", ""), 100);
	ck_assert_int_eq(counted(w, "retried", ""), 40);
	ck_assert_int_eq(counted(w, "succeeded", "--task add"), 1900);
	ck_assert_int_eq(counted(w, "succeeded", "--task fail"), 0);
	ck_assert_int_eq(counted(w, "failed", "--task fail"), 100);
	ck_assert_int_eq(counted(w, "failed", "--queue nobody"), 0);
	ck_assert_int_eq(counted(w, "succeeded", "--since 3d"), 1900);
	world_stop(w);
}
END_TEST

/* The killed one may take the last second along, and counts nothing twice. */
START_TEST(a_killed_worker_loses_no_more_than_its_last_second)
{
	struct world *w =
	    world_start(&(const struct world_options){.embedded = _i != 0});
	struct worker *k = worker_of(w);
	long before, ended, missing;

	ck_run(run(w, MIX SUBMIT), 0, "");
	wait_ended(w, 2000);
	wait_counted(w, 1900, 100);
	/* A second and more of work, and it dies in its midst. */
	ck_run(run(w, "for i in $(seq 300); do echo '{\"name\":\"sleep\","
		      "\"args\":[0.05]}'; done" SUBMIT),
	       0, "");
	wait_ended(w, 2050);
	before = counted(w, "succeeded", "");
	worker_kill(k);
	ended = on_record(w, "succeeded");
	worker_restart(k);
	wait_drained(w);
	/* The last counts of the new one are there when it has stopped. */
	worker_stop(k);
	missing = 2200 - counted(w, "succeeded", "");
	ck_assert_int_ge(missing, 0);
	/* What it has not sent is no more than what ended since it sent. */
	ck_assert_int_le(missing, ended - before);
	ck_assert_int_eq(counted(w, "failed", ""), 100);
	world_stop(w);
}
END_TEST

START_TEST(a_worker_that_stops_sends_its_last_counts)
{
	struct world *w =
	    world_start(&(const struct world_options){.embedded = _i != 0});

	submit(w, "add 1 2");
	wait_ended(w, 1);
	worker_stop(worker_of(w));
	ck_assert_int_eq(counted(w, "succeeded", ""), 1);
	world_stop(w);
}
END_TEST

START_TEST(what_is_no_duration_or_name_is_refused)
{
	struct world *w = world_start(NULL);

	ck_complains(ctl(w, "stats --since soon"), 64, "soon");
	ck_complains(ctl(w, "stats --since 91d"), 64, "91d");
	ck_complains(ctl(w, "stats --task 'a b'"), 65, "a b");
	world_stop(w);
}
END_TEST

SUITE("series")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(the_series_equal_the_ledger, 0, 2);
	TEST_LOOP(a_killed_worker_loses_no_more_than_its_last_second, 0, 2);
	TEST_LOOP(a_worker_that_stops_sends_its_last_counts, 0, 2);
	TEST(what_is_no_duration_or_name_is_refused);
}
