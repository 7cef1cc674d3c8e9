/* SPDX-License-Identifier: MIT */
/* Series: points, percentiles, names and totals, and what is read for them. */
#include "manager/series.h"

#include <string.h>

#include "manager/scene.h"
#include "suite.h"
#include "util/clock.h"

#define NOON_S (SCENE_NOON_US / 1000000)
#define S INT64_C(1000000)

static struct series *series;

/* Since noon, by both clocks; `ahead` is what the wall clock is wrong by. */
static int64_t passed, ahead;

static int64_t
series_wall(void)
{
	return SCENE_NOON_US + passed + ahead;
}

static int64_t
series_mono(void)
{
	return 1000 * S + passed;
}

static void
time_passes(int64_t us)
{
	passed += us;
}

static void
a_second_passes(void)
{
	time_passes(1 * S);
}

static void
begin(void)
{
	static const struct clock_source clock = {.mono_us = series_mono,
						  .wall_us = series_wall};

	scene_begin();
	passed = ahead = 0;
	clock_replace(&clock);
	series = series_new(&scene.err);
	ck_assert_ptr_nonnull(series);
}

static void
end(void)
{
	series_free(series);
	scene_end();
}

static void
put(enum measure_step step, int64_t begin_s, const char *queue,
    const char *task, unsigned int what, int64_t n)
{
	scene.measures[scene.n_measures++] = (struct scene_measure){
	    step, begin_s, {slice_of(queue), slice_of(task), what, n}};
}

static json_t *
get(const char *name, const char *queue, const char *task, int64_t minutes,
    int64_t step_s)
{
	const struct series_query query = {.name = name,
					   .queue = queue,
					   .task = task,
					   .from_us =
					       SCENE_NOON_US - minutes * 60 * S,
					   .to_us = SCENE_NOON_US,
					   .step_s = step_s};

	return series_get(series, scene.client, &query, &scene.err);
}

/* What succeeded, by point; takes the answer. */
static json_t *
succeeded(json_t *answer)
{
	json_t *points = json_incref(json_object_get(answer, "points"));

	json_decref(answer);
	return scene_column(points, "succeeded");
}

START_TEST(points_have_every_step_and_the_sums_of_what_was_asked_for)
{
	begin();
	put(MEASURE_MINUTE, NOON_S - 120, "io", "a", MEASURE_SUCCEEDED, 3);
	put(MEASURE_MINUTE, NOON_S - 120, "io", "b", MEASURE_SUCCEEDED, 4);
	put(MEASURE_MINUTE, NOON_S - 120, "cpu", "a", MEASURE_RETRIED, 5);
	put(MEASURE_MINUTE, NOON_S, "io", "a", MEASURE_FAILED, 6);
	scene_is(get("tasks", NULL, NULL, 2, 60),
		 "{'from':'2026-11-23T11:58:00.000000+00:00',"
		 "'to':'2026-11-23T12:01:00.000000+00:00','step':60,'points':["
		 "{'at':'2026-11-23T11:58:00.000000+00:00','succeeded':7,"
		 "'failed':0,'retried':5},"
		 "{'at':'2026-11-23T11:59:00.000000+00:00','succeeded':0,"
		 "'failed':0,'retried':0},"
		 "{'at':'2026-11-23T12:00:00.000000+00:00','succeeded':0,"
		 "'failed':6,'retried':0}]}");
	scene_is(succeeded(get("tasks", "io", "a", 2, 60)), "[3,0,0]");
	end();
}
END_TEST

START_TEST(hours_are_read_where_the_span_is_long)
{
	json_t *answer;

	begin();
	put(MEASURE_HOUR, NOON_S - 7200, "io", "a", MEASURE_SUCCEEDED, 9);
	answer = get("tasks", NULL, NULL, 12 * 60, 0);
	ck_assert_ptr_nonnull(answer);
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "step")),
			 3600);
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "points")),
			  13);
	json_decref(answer);
	end();
}
END_TEST

START_TEST(a_histogram_has_the_buckets_that_are_used_and_percentiles)
{
	begin();
	/* 1 to 1.5 ms, and more than a day. */
	put(MEASURE_MINUTE, NOON_S - 60, "io", "a", MEASURE_RUN + 7, 100);
	put(MEASURE_MINUTE, NOON_S - 60, "io", "a", MEASURE_RUN + 9, 100);
	put(MEASURE_MINUTE, NOON_S - 60, "io", "a", MEASURE_RUN_US, 400000);
	scene_is(get("duration", NULL, NULL, 1, 60),
		 "{'from':'2026-11-23T11:59:00.000000+00:00',"
		 "'to':'2026-11-23T12:01:00.000000+00:00','step':60,'points':["
		 "{'at':'2026-11-23T11:59:00.000000+00:00',"
		 "'counts':[100,0,100]},"
		 "{'at':'2026-11-23T12:00:00.000000+00:00','counts':[0,0,0]}],"
		 "'p50':[0.0015,null],'p95':[0.0029,null],'p99':[0.00298,null],"
		 "'buckets':[0.0015,0.002,0.003],"
		 "'all':{'count':200,'mean':0.002,'p50':0.0015,'p95':0.0029,"
		 "'p99':0.00298}}");
	scene_is(get("wait", NULL, NULL, 1, 60),
		 "{'from':'2026-11-23T11:59:00.000000+00:00',"
		 "'to':'2026-11-23T12:01:00.000000+00:00','step':60,'points':["
		 "{'at':'2026-11-23T11:59:00.000000+00:00','counts':[]},"
		 "{'at':'2026-11-23T12:00:00.000000+00:00','counts':[]}],"
		 "'p50':[null,null],'p95':[null,null],'p99':[null,null],"
		 "'buckets':[],"
		 "'all':{'count':0,'mean':null,'p50':null,'p95':null,"
		 "'p99':null}}");
	end();
}
END_TEST

START_TEST(what_is_over_is_read_once)
{
	begin();
	json_decref(get("tasks", NULL, NULL, 4, 60));
	scene_journal_is("measures minute 1795434960; "
			 "measures minute 1795435020; "
			 "measures minute 1795435080; "
			 "measures minute 1795435140; "
			 "measures minute 1795435200; ");
	/* In the same second, others share what was read. */
	json_decref(get("duration", NULL, NULL, 4, 60));
	scene_journal_is("");
	/* Two minutes may still grow, and the running one. */
	a_second_passes();
	json_decref(get("tasks", NULL, NULL, 4, 60));
	scene_journal_is("measures minute 1795435080; "
			 "measures minute 1795435140; "
			 "measures minute 1795435200; ");
	end();
}
END_TEST

START_TEST(a_minute_that_grew_is_read_again)
{
	begin();
	put(MEASURE_MINUTE, NOON_S, "io", "a", MEASURE_SUCCEEDED, 1);
	json_decref(get("tasks", NULL, NULL, 0, 60));
	scene.measures[0].measure.n = 5;
	a_second_passes();
	scene_is(succeeded(get("tasks", NULL, NULL, 0, 60)), "[5]");
	end();
}
END_TEST

/* As those of a worker whose clock is an hour behind. */
START_TEST(counts_that_come_an_hour_late_are_seen)
{
	json_t *points;

	begin();
	json_decref(get("tasks", NULL, NULL, 60, 60));
	put(MEASURE_MINUTE, NOON_S - 3600, "io", "a", MEASURE_SUCCEEDED, 1);
	time_passes(600 * S);
	points = succeeded(get("tasks", NULL, NULL, 60, 60));
	ck_assert_int_eq(json_integer_value(json_array_get(points, 0)), 1);
	json_decref(points);
	end();
}
END_TEST

START_TEST(a_clock_that_was_ahead_has_ended_no_minute)
{
	begin();
	ahead = 3600 * S;
	json_decref(get("tasks", NULL, NULL, 0, 60));
	ahead = 0;
	put(MEASURE_MINUTE, NOON_S, "io", "a", MEASURE_SUCCEEDED, 1);
	a_second_passes();
	scene_is(succeeded(get("tasks", NULL, NULL, 0, 60)), "[1]");
	end();
}
END_TEST

START_TEST(a_store_that_fails_is_an_error_and_forgets_nothing)
{
	begin();
	scene_fail(SCENE_measures, 1, 1, ERR_UNAVAILABLE, "gone");
	scene_refused(get("tasks", NULL, NULL, 1, 60), ERR_UNAVAILABLE, "gone");
	scene_journal_is("measures minute 1795435140; "
			 "measures minute 1795435200; ");
	/* The one that was read need not be read again. */
	json_decref(get("tasks", NULL, NULL, 1, 60));
	scene_journal_is("measures minute 1795435200; ");
	end();
}
END_TEST

START_TEST(what_is_wrong_with_a_query_is_named)
{
	begin();
	scene_refused(get("speed", NULL, NULL, 1, 60), ERR_DATA,
		      "name: \"speed\" is not a series; there are tasks, wait, "
		      "duration and figures");
	scene_refused(get("tasks", NULL, NULL, 1, 61), ERR_DATA,
		      "step: 61, must be 60 or 3600 seconds");
	scene_refused(get("tasks", NULL, NULL, -1, 60), ERR_DATA,
		      "from: it is after \"to\"");
	scene_refused(get("tasks", NULL, NULL, 5000, 60), ERR_DATA,
		      "from: 5001 points are more than 5000; take a shorter "
		      "span, or a step of 3600");
	scene_refused(get("tasks", "a b", NULL, 1, 60), ERR_DATA,
		      "queue: \"a b\" is not a valid queue name; allowed: 1 to "
		      "128 of the characters A-Z a-z 0-9 _ . -");
	scene_journal_is("");
	end();
}
END_TEST

START_TEST(names_are_those_that_were_ever_counted)
{
	begin();
	put(MEASURE_TOTAL, 0, "io", "b", MEASURE_SUCCEEDED, 1);
	put(MEASURE_TOTAL, 0, "io", "a", MEASURE_FAILED, 1);
	put(MEASURE_TOTAL, 0, "cpu", "a", MEASURE_FAILED, 1);
	scene_is(series_names(series, scene.client, &scene.err),
		 "{'queues':['cpu','io'],'tasks':['a','b']}");
	end();
}
END_TEST

START_TEST(totals_come_by_task_and_queue)
{
	struct series_total *totals;
	size_t n;

	begin();
	put(MEASURE_TOTAL, 0, "io", "b", MEASURE_SUCCEEDED, 1);
	put(MEASURE_TOTAL, 0, "io", "a", MEASURE_FAILED, 2);
	put(MEASURE_TOTAL, 0, "cpu", "a", MEASURE_FAILED, 3);
	put(MEASURE_TOTAL, 0, "io", "b", MEASURE_RUN + 3, 4);
	ck_assert_int_eq(
	    series_totals(series, scene.client, &totals, &n, &scene.err), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(totals[0].queue, "cpu");
	ck_assert_int_eq(totals[0].numbers[MEASURE_FAILED], 3);
	ck_assert_str_eq(totals[1].queue, "io");
	ck_assert_int_eq(totals[1].numbers[MEASURE_FAILED], 2);
	ck_assert_str_eq(totals[2].task, "b");
	ck_assert_int_eq(totals[2].numbers[MEASURE_SUCCEEDED], 1);
	ck_assert_int_eq(totals[2].run[3], 4);
	series_totals_free(totals, n);
	end();
}
END_TEST

SUITE("manager-series")
{
	TEST(points_have_every_step_and_the_sums_of_what_was_asked_for);
	TEST(hours_are_read_where_the_span_is_long);
	TEST(a_histogram_has_the_buckets_that_are_used_and_percentiles);
	TEST(what_is_over_is_read_once);
	TEST(a_minute_that_grew_is_read_again);
	TEST(counts_that_come_an_hour_late_are_seen);
	TEST(a_clock_that_was_ahead_has_ended_no_minute);
	TEST(a_store_that_fails_is_an_error_and_forgets_nothing);
	TEST(what_is_wrong_with_a_query_is_named);
	TEST(names_are_those_that_were_ever_counted);
	TEST(totals_come_by_task_and_queue);
}
