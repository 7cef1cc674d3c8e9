/* SPDX-License-Identifier: MIT */
/* What history.h promises of the history of fires, for each database. */
#include <string.h>

#include "schedules/claim.h"
#include "schedules/history.h"
#include "suite.h"
#include "world.h"

/* Fires, and notes two more that it does not. */
static void
decide_with_skips(const struct schedule *schedule,
		  struct schedule_verdict *verdict, void *arg)
{
	const struct schedule_skip skips[] = {
	    {SCHEDULE_MERGED, schedule->next_run_us - 900,
	     schedule->next_run_us - 100, 3},
	    {SCHEDULE_OVERLAP, schedule->next_run_us + 5,
	     schedule->next_run_us + 5, 1}};
	size_t i;

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(schedule_skip_add(verdict, &skips[i]), 0);
		verdict->skipped[skips[i].reason] += skips[i].n;
	}
	world_decide(schedule, verdict, arg);
}

static void
claim_with_skips(struct world *w, int64_t now_us)
{
	int64_t period = 1000;
	const struct schedules_claim claim = {.now_us = now_us,
					      .limit = 9,
					      .decide = decide_with_skips,
					      .arg = &period};
	struct schedules_claimed claimed;

	OK(w, schedules_claim(w->schedules, &claim, &claimed, &w->err));
	schedules_fires_free(claimed.fires);
}

static struct schedules_history *
history(struct world *w, const char *id, int64_t before_us, size_t limit)
{
	struct schedules_history *h;

	OK(w,
	   schedules_history(w->schedules, id, before_us, limit, &h, &w->err));
	return h;
}

START_TEST(a_history_has_what_was_sent_and_what_was_not_the_latest_first)
{
	static const struct {
		int64_t fire_us, n;
		enum schedule_outcome outcome;
		const char *task_id, *reason;
	} wanted[] = {
	    {2005, 1, SCHEDULE_SKIPPED, "", "overlap"},
	    {2000, 1, SCHEDULE_UNSENT, "s1:19700101T000000.002000Z", ""},
	    {1100, 3, SCHEDULE_MISSED, "", "merged"},
	    {1005, 1, SCHEDULE_SKIPPED, "", "overlap"},
	    {1000, 1, SCHEDULE_SENT, "s1:19700101T000000.001000Z", ""},
	    {100, 3, SCHEDULE_MISSED, "", "merged"},
	};
	const struct schedule_mark mark = {"s1", 1000, NULL};
	int64_t skipped[SCHEDULE_N_REASONS];
	struct schedules_history *h;
	struct world w;
	size_t i;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	claim_with_skips(&w, 1500);
	OK(&w, schedules_mark(w.schedules, &mark, 1, 1700, &w.err));
	claim_with_skips(&w, 2500);
	h = history(&w, "s1", INT64_MAX, 100);
	ck_assert_uint_eq(h->n, 6);
	for (i = 0; i < 6; i++) {
		ck_assert_int_eq(h->items[i].fire_us, wanted[i].fire_us);
		ck_assert_int_eq(h->items[i].n, wanted[i].n);
		ck_assert_int_eq(h->items[i].outcome, wanted[i].outcome);
		ck_assert_str_eq(h->items[i].task_id, wanted[i].task_id);
		ck_assert_str_eq(h->items[i].reason, wanted[i].reason);
	}
	ck_assert_int_eq(h->items[2].last_us, 1900);
	ck_assert_int_eq(h->items[4].sent_us, 1700);
	schedules_history_free(h);
	h = history(&w, "s1", 1100, 2);
	ck_assert_uint_eq(h->n, 2);
	ck_assert_int_eq(h->items[0].fire_us, 1005);
	ck_assert_int_eq(h->items[1].fire_us, 1000);
	schedules_history_free(h);
	OK(&w, schedules_skipped(w.schedules, "s1", skipped, &w.err));
	ck_assert_int_eq(skipped[SCHEDULE_MERGED], 6);
	ck_assert_int_eq(skipped[SCHEDULE_OVERLAP], 2);
	ck_assert_int_eq(skipped[SCHEDULE_LATE], 0);
	/* With the schedule go the notes; fires are gone on with. */
	OK(&w, schedules_delete(w.schedules, "s1", &w.err));
	h = history(&w, "s1", INT64_MAX, 100);
	ck_assert_uint_eq(h->n, 2);
	schedules_history_free(h);
	world_close(&w);
}
END_TEST

START_TEST(a_refused_fire_says_what_the_queue_said)
{
	const struct schedule_mark mark = {"s1", 1000, "the queue is full"};
	struct schedules_claimed claimed;
	struct schedules_history *h;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_claim(&w, 1500, 9, NULL, &claimed);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_mark(w.schedules, &mark, 1, 1700, &w.err));
	h = history(&w, "s1", INT64_MAX, 9);
	ck_assert_uint_eq(h->n, 1);
	ck_assert_int_eq(h->items[0].outcome, SCHEDULE_SKIPPED);
	ck_assert_str_eq(h->items[0].reason, "refused");
	ck_assert_str_eq(h->items[0].refused, "the queue is full");
	ck_assert_str_eq(h->items[0].task_id, "");
	schedules_history_free(h);
	world_close(&w);
}
END_TEST

START_TEST(thinning_keeps_the_last_fires_and_those_that_are_young_or_not_sent)
{
	struct schedule_mark mark = {"s1", 0, NULL};
	char id[SCHEDULE_ID_MAX + 1] = "";
	struct schedules_history *h;
	struct world w;
	int64_t t;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	for (t = 1000; t <= 6000; t += 1000) {
		claim_with_skips(&w, t + 500);
		mark.fire_us = t;
		/* The second was never sent; the third is young. */
		if (t != 2000)
			OK(&w,
			   schedules_mark(w.schedules, &mark, 1,
					  t == 3000 ? 99000 : t + 600, &w.err));
	}
	OK(&w, schedules_thin(w.schedules, 2, 50000, id, &w.err));
	ck_assert_str_eq(id, "s1");
	h = history(&w, "s1", INT64_MAX, 100);
	/* 6000, 5000, 3000 and 2000; and two notes. */
	ck_assert_uint_eq(h->n, 6);
	ck_assert_int_eq(h->items[0].fire_us, 6005);
	ck_assert_int_eq(h->items[1].fire_us, 6000);
	ck_assert_int_eq(h->items[2].fire_us, 5100);
	ck_assert_int_eq(h->items[3].fire_us, 5000);
	ck_assert_int_eq(h->items[4].fire_us, 3000);
	ck_assert_int_eq(h->items[5].fire_us, 2000);
	schedules_history_free(h);
	/* The other one is the next, and keeps all: none was sent. */
	OK(&w, schedules_thin(w.schedules, 2, 50000, id, &w.err));
	ck_assert_str_eq(id, "s2");
	OK(&w, schedules_thin(w.schedules, 2, 50000, id, &w.err));
	ck_assert_str_eq(id, "");
	h = history(&w, "s2", INT64_MAX, 100);
	ck_assert_uint_eq(h->n, 6 + 2);
	schedules_history_free(h);
	world_close(&w);
}
END_TEST

SUITE("schedules-history")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(a_history_has_what_was_sent_and_what_was_not_the_latest_first,
		  0, N_WORLDS_POOLED);
	TEST_LOOP(a_refused_fire_says_what_the_queue_said, 0, N_WORLDS_POOLED);
	TEST_LOOP(
	    thinning_keeps_the_last_fires_and_those_that_are_young_or_not_sent,
	    0, N_WORLDS_POOLED);
}
