/* SPDX-License-Identifier: MIT */
/* What schedules.h promises of claims, fires and the outbox, for each database. */
#include <string.h>

#include "schedules/claim.h"
#include "schedules/health.h"
#include "schedules/history.h"
#include "suite.h"
#include "world.h"

START_TEST(a_claim_fires_what_is_due_the_longest_due_first)
{
	int64_t period = 60000000, due;
	struct schedules_claimed claimed;
	struct schedules_list *list;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 3000);
	world_create(&w, 2, 1000);
	world_create(&w, 3, 2000);
	world_create(&w, 4, 5000);
	world_claim(&w, 4000, 2, &period, &claimed);
	ck_assert_uint_eq(claimed.n, 2);
	ck_assert_uint_eq(claimed.fires->n, 2);
	ck_assert_str_eq(claimed.fires->items[0].schedule, "s2");
	ck_assert_str_eq(claimed.fires->items[0].task_id,
			 "s2:19700101T000000.001000Z");
	ck_assert_str_eq(claimed.fires->items[0].queue, "io");
	ck_assert_str_eq(claimed.fires->items[1].schedule, "s3");
	schedules_fires_free(claimed.fires);
	world_claim(&w, 4000, 2, &period, &claimed);
	ck_assert_uint_eq(claimed.n, 1);
	ck_assert_str_eq(claimed.last, "s1");
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	ck_assert_int_eq(due, 5000);
	list = world_get(&w, "s2");
	ck_assert_int_eq(list->items->next_run_us, 1000 + period);
	ck_assert_int_eq(list->items->last_run_us, 1000);
	ck_assert_int_eq(list->items->runs, 1);
	schedules_list_free(list);
	world_claim(&w, 4000, 9, &period, &claimed);
	ck_assert_uint_eq(claimed.n, 0);
	ck_assert_uint_eq(claimed.fires->n, 0);
	schedules_fires_free(claimed.fires);
	world_close(&w);
}
END_TEST

START_TEST(a_fire_that_is_in_the_outbox_is_not_given_again)
{
	const struct schedule_next back = {1000, 1000, NULL};
	struct schedules_claimed claimed;
	struct schedules_fires *fires;
	int64_t period = 60000000;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	world_claim(&w, 1000, 1, &period, &claimed);
	ck_assert_uint_eq(claimed.fires->n, 1);
	/* As after a clock that stepped back. */
	OK(&w, schedules_enable(w.schedules, claimed.last, &back, 1, &w.err));
	schedules_fires_free(claimed.fires);
	world_claim(&w, 1000, 9, &period, &claimed);
	ck_assert_uint_eq(claimed.n, 2);
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_unsent(w.schedules, 1001, 10, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 2);
	schedules_fires_free(fires);
	world_close(&w);
}
END_TEST

START_TEST(unsent_fires_are_shown_until_they_are_marked_and_pruned_after)
{
	struct schedules_claimed claimed;
	struct schedules_fires *fires;
	struct schedules_stats *stats;
	struct schedule_mark marks[2] = {{"s1", 1000, NULL},
					 {"s2", 1000, "its \"queue\" is full"}};
	struct world w;
	size_t pruned;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	world_create(&w, 3, 1000);
	world_claim(&w, 2000, 9, NULL, &claimed);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_unsent(w.schedules, 2000, 9, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 0);
	schedules_fires_free(fires);
	OK(&w, schedules_mark(w.schedules, marks, 2, 3000, &w.err));
	OK(&w, schedules_mark(w.schedules, marks, 2, 3001, &w.err));
	OK(&w, schedules_unsent(w.schedules, 2001, 9, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 1);
	ck_assert_str_eq(fires->items[0].schedule, "s3");
	ck_assert_int_eq(fires->items[0].fire_us, 1000);
	ck_assert_int_eq(fires->items[0].created_us, 2000);
	ck_assert_str_eq(fires->items[0].body,
			 "{\"kwargs\": {\"a\\\\\\\"b\": \"'{},\xc3\xbc\"}}");
	schedules_fires_free(fires);
	OK(&w, schedules_stats(w.schedules, NULL, 9, &stats, &w.err));
	ck_assert_int_eq(stats->skipped[SCHEDULE_REFUSED], 1);
	ck_assert_int_eq(stats->unsent, 1);
	ck_assert_int_eq(stats->oldest_unsent_us, 2000);
	schedules_stats_free(stats);
	OK(&w, schedules_prune(w.schedules, 3000, 9, &pruned, &w.err));
	ck_assert_uint_eq(pruned, 0);
	OK(&w, schedules_prune(w.schedules, 3001, 1, &pruned, &w.err));
	ck_assert_uint_eq(pruned, 1);
	OK(&w, schedules_prune(w.schedules, INT64_MAX, 9, &pruned, &w.err));
	ck_assert_uint_eq(pruned, 1);
	world_close(&w);
}
END_TEST

static void
decide_stale(const struct schedule *schedule, struct schedule_verdict *verdict,
	     void *arg)
{
	verdict->next.next_run_us = verdict->next.due_us =
	    schedule->next_run_us + 1;
	verdict->next.tz_data = "new";
	verdict->skipped[SCHEDULE_LATE] = 2;
	if (strcmp(schedule->id, "b") == 0)
		verdict->fault = "the zone is gone";
}

START_TEST(schedules_of_other_time_zone_data_are_computed_again)
{
	struct schedules_claim claim = {
	    .tz_data = "new", .limit = 1, .decide = decide_stale};
	static const char *const ids[] = {"a", "b", "c", "d"};
	static const char *const data[] = {"old", "old", "", "new"};
	struct schedules_claimed claimed;
	struct schedules_stats *stats;
	struct schedules_list *list;
	struct schedule s = world_full;
	struct world w;
	bool existing;
	int i;

	world_open(&w, _i);
	for (i = 0; i < 4; i++) {
		s.id = s.task = ids[i];
		s.tz_data = data[i];
		world_store(&w, &s, &existing);
	}
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_str_eq(claimed.last, "a");
	schedules_fires_free(claimed.fires);
	claim.after = "a";
	claim.limit = 10;
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.n, 1);
	ck_assert_uint_eq(claimed.set_aside, 1);
	schedules_fires_free(claimed.fires);
	list = world_get(&w, "b");
	ck_assert_str_eq(list->items->fault, "the zone is gone");
	ck_assert_int_eq(list->items->due_us, 0);
	schedules_list_free(list);
	list = world_get(&w, "a");
	ck_assert_int_eq(list->items->next_run_us, world_full.next_run_us + 1);
	ck_assert_str_eq(list->items->tz_data, "new");
	schedules_list_free(list);
	OK(&w, schedules_stats(w.schedules, "a", 9, &stats, &w.err));
	ck_assert_int_eq(stats->skipped[SCHEDULE_LATE], 2);
	ck_assert_int_eq(stats->schedules, 1);
	schedules_stats_free(stats);
	OK(&w, schedules_stats(w.schedules, NULL, 9, &stats, &w.err));
	ck_assert_int_eq(stats->skipped[SCHEDULE_LATE], 4);
	ck_assert_int_eq(stats->set_aside, 1);
	ck_assert_int_eq(stats->schedules, 4);
	schedules_stats_free(stats);
	world_close(&w);
}
END_TEST

/* One byte of the "ü" would fit. */
static void
long_text(char text[SCHEDULE_TEXT_MAX + 8])
{
	memset(text, 'x', SCHEDULE_TEXT_MAX - 1);
	strcpy(text + SCHEDULE_TEXT_MAX - 1, "\xc3\xbc...");
}

static void
decide_long_fault(const struct schedule *schedule,
		  struct schedule_verdict *verdict, void *arg)
{
	verdict->fault = arg;
}

START_TEST(long_texts_are_cut_between_two_characters)
{
	char text[SCHEDULE_TEXT_MAX + 8];
	struct schedules_claim claim = {.now_us = 2000,
					.limit = 9,
					.decide = decide_long_fault,
					.arg = text};
	const struct schedule_mark mark = {"s1", 1000, text};
	struct schedules_claimed claimed;
	struct schedules_history *h;
	struct schedules_list *list;
	struct world w;

	world_open(&w, _i);
	long_text(text);
	world_create(&w, 1, 1000);
	world_claim(&w, 1500, 9, NULL, &claimed);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_mark(w.schedules, &mark, 1, 1700, &w.err));
	OK(&w, schedules_history(w.schedules, "s1", INT64_MAX, 9, &h, &w.err));
	ck_assert_uint_eq(strlen(h->items[0].refused), SCHEDULE_TEXT_MAX - 1);
	schedules_history_free(h);
	world_create(&w, 2, 1000);
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.set_aside, 1);
	schedules_fires_free(claimed.fires);
	list = world_get(&w, "s2");
	ck_assert_uint_eq(strlen(list->items->fault), SCHEDULE_TEXT_MAX - 1);
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

SUITE("schedules-claim")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(a_claim_fires_what_is_due_the_longest_due_first, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(a_fire_that_is_in_the_outbox_is_not_given_again, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(unsent_fires_are_shown_until_they_are_marked_and_pruned_after,
		  0, N_WORLDS_POOLED);
	TEST_LOOP(schedules_of_other_time_zone_data_are_computed_again, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(long_texts_are_cut_between_two_characters, 0,
		  N_WORLDS_POOLED);
}
