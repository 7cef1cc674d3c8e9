/* SPDX-License-Identifier: MIT */
/* Clocks that were wrong: fires that were made early, what is forgotten, and
 * what the server's clock says; for each database. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schedules/claim.h"
#include "schedules/health.h"
#include "suite.h"
#include "util/clock.h"
#include "world.h"

#define PERIOD INT64_C(60000000)

START_TEST(the_server_tells_what_its_clock_says)
{
	int64_t before_us = clock_wall_us(), us;
	unsigned int connections;
	struct world w;

	world_open(&w, _i);
	OK(&w, schedules_clock(w.schedules, &us, &w.err));
	if (_i == WORLD_SQLITE) {
		ck_assert_int_eq(us, 0);
	} else {
		ck_assert_int_ge(us, before_us - 1000);
		ck_assert_int_le(us, clock_wall_us() + 1000);
	}
	OK(&w, schedules_connect(w.schedules, &w.err));
	connections = schedules_connections(w.schedules);
	OK(&w, schedules_connect(w.schedules, &w.err));
	ck_assert_uint_eq(schedules_connections(w.schedules), connections);
	schedules_disconnect(w.schedules);
	OK(&w, schedules_connect(w.schedules, &w.err));
	ck_assert_uint_ne(schedules_connections(w.schedules), connections);
	world_close(&w);
}
END_TEST

#define YEARS (INT64_C(3) * 365 * 86400 * 1000000)
static int64_t wall_off_us;

static int64_t
real_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static int64_t
wrong_wall_us(void)
{
	return real_us(CLOCK_REALTIME) + wall_off_us;
}

static int64_t
real_mono_us(void)
{
	return real_us(CLOCK_MONOTONIC);
}

START_TEST(the_time_of_changes_is_the_servers)
{
	static const int64_t offs[] = {YEARS, -YEARS, 2500000, 0};
	const struct clock_source wrong = {.mono_us = real_mono_us,
					   .wall_us = wrong_wall_us};
	int64_t now_us, off_us, before_us, after_us;
	struct world w;
	size_t i;

	world_open(&w, _i);
	clock_replace(&wrong);
	for (i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		wall_off_us = offs[i];
		before_us = real_us(CLOCK_REALTIME);
		OK(&w, schedules_now(w.schedules, &now_us, &off_us, &w.err));
		after_us = real_us(CLOCK_REALTIME);
		if (_i == WORLD_SQLITE) {
			now_us -= offs[i];
			ck_assert_int_eq(off_us, 0);
		} else {
			ck_assert_int_le(llabs(off_us - offs[i]),
					 after_us - before_us + 1000);
		}
		ck_assert_int_ge(now_us, before_us - 1000);
		ck_assert_int_le(now_us, after_us + 1000);
	}
	clock_replace(NULL);
	world_close(&w);
}
END_TEST

/* As world_decide(), with a limit of two runs. */
static void
decide_twice(const struct schedule *s, struct schedule_verdict *v, void *arg)
{
	int64_t period = PERIOD;

	world_decide(s, v, &period);
	if (v->runs < 2)
		return;
	v->unless_made = v->next;
	v->next = (struct schedule_next){.next_run_us = 0};
}

/* The schedule fires at 1000 once more. */
static void
turn_back(struct world *w)
{
	const struct schedule_next back = {1000, 1000, NULL};

	OK(w, schedules_enable(w->schedules, "s1", &back, 1, &w->err));
}

START_TEST(a_fire_that_was_made_before_is_counted_once)
{
	const struct schedules_claim claim = {
	    .now_us = 2 * PERIOD, .limit = 9, .decide = decide_twice};
	static const int64_t runs[] = {1, 1, 2};
	struct schedules_claimed claimed;
	struct schedules_list *list;
	struct world w;
	int i;

	world_open(&w, _i);
	/* One that fires for the first time makes the claim one of several. */
	world_create(&w, 1, 1000);
	for (i = 0; i < 3; i++) {
		if (i == 1) {
			turn_back(&w);
			world_create(&w, 2, 500);
		}
		OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
		ck_assert_uint_eq(claimed.fires->n, i == 2 ? 2 : 1);
		schedules_fires_free(claimed.fires);
		list = world_get(&w, "s1");
		ck_assert_int_eq(list->items->runs, runs[i]);
		ck_assert_int_eq(list->items->next_run_us,
				 i == 2 ? 0 : 1000 + PERIOD);
		schedules_list_free(list);
	}
	world_close(&w);
}
END_TEST

START_TEST(a_limit_is_not_used_up_by_what_was_made_before)
{
	const struct schedules_claim claim = {
	    .now_us = 2000, .limit = 9, .decide = decide_twice};
	struct schedules_claimed claimed;
	struct schedules_list *list;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	schedules_fires_free(claimed.fires);
	turn_back(&w);
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.n, 1);
	ck_assert_uint_eq(claimed.fires->n, 0);
	schedules_fires_free(claimed.fires);
	list = world_get(&w, "s1");
	ck_assert_int_eq(list->items->runs, 1);
	ck_assert_int_eq(list->items->next_run_us, 1000 + PERIOD);
	ck_assert_int_eq(list->items->due_us, 1000 + PERIOD);
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

/* Fires of s1 at 1000 and of s2 at 9000, both marked at 3000. */
static void
make_two(struct world *w)
{
	const struct schedule_mark marks[] = {{"s1", 1000, NULL},
					      {"s2", 9000, NULL}};
	struct schedules_claimed claimed;

	world_create(w, 1, 1000);
	world_create(w, 2, 9000);
	world_claim(w, 9000, 9, NULL, &claimed);
	ck_assert_uint_eq(claimed.fires->n, 2);
	schedules_fires_free(claimed.fires);
	OK(w, schedules_mark(w->schedules, marks, 2, 3000, &w->err));
}

static void
ck_left(struct world *w, const char *ids)
{
	char *left = world_ask(w, "SELECT schedule_id FROM flowrra_fires");

	ck_assert_str_eq(left, ids);
	free(left);
}

START_TEST(fires_whose_time_is_still_to_come_are_kept)
{
	struct world w;
	int64_t us;
	size_t n;

	world_open(&w, _i);
	make_two(&w);
	OK(&w, schedules_prune(w.schedules, 2000, 9, &n, &w.err));
	OK(&w, schedules_pruned(w.schedules, &us, &w.err));
	ck_assert_int_eq(us, 0);
	OK(&w, schedules_prune(w.schedules, 4000, 9, &n, &w.err));
	ck_assert_uint_eq(n, 1);
	ck_left(&w, "s2\n");
	/* It is known what was forgotten. */
	OK(&w, schedules_pruned(w.schedules, &us, &w.err));
	ck_assert_int_eq(us, 4000);
	OK(&w, schedules_set_pruned(w.schedules, 3500, &w.err));
	OK(&w, schedules_pruned(w.schedules, &us, &w.err));
	ck_assert_int_eq(us, 3500);
	world_close(&w);
}
END_TEST

START_TEST(thinning_keeps_what_is_still_to_come_too)
{
	char id[SCHEDULE_ID_MAX + 1] = "s1";
	struct world w;
	int64_t us;

	world_open(&w, _i);
	make_two(&w);
	OK(&w, schedules_thin(w.schedules, 0, 4000, id, &w.err));
	ck_assert_str_eq(id, "s2");
	ck_left(&w, "s1\ns2\n");
	id[0] = '\0';
	OK(&w, schedules_thin(w.schedules, 0, 4000, id, &w.err));
	ck_left(&w, "s2\n");
	OK(&w, schedules_pruned(w.schedules, &us, &w.err));
	ck_assert_int_eq(us, 1000);
	world_close(&w);
}
END_TEST

/* --- all of them ----------------------------------------------------------- */

struct looked {
	int n;
	size_t made;
	int64_t fires[4];
};

static void
decide_look(const struct schedule *s, struct schedule_verdict *v, void *arg)
{
	struct looked *l = arg;

	if (strcmp(s->id, "s2") == 0)
		l->made = schedule_made(v, 1000, l->fires, 4);
	v->unchanged = strcmp(s->id, "s2") != 0;
	v->next.next_run_us = v->next.due_us = 77;
	l->n++;
}

START_TEST(a_claim_of_all_writes_only_what_changes)
{
	struct schedules_claim claim = {
	    .all = true, .limit = 9, .decide = decide_look};
	int64_t period = PERIOD;
	struct schedules_claimed claimed;
	struct looked l = {.n = 0};
	struct world w;
	char *due;
	int i;

	world_open(&w, _i);
	for (i = 1; i <= 5; i++)
		world_create(&w, i, 1000 * i);
	world_claim(&w, 2000, 9, &period, &claimed);
	schedules_fires_free(claimed.fires);
	world_run(&w, "UPDATE flowrra_schedules SET fault = 'x',"
		      " due_us = NULL WHERE id = 's4'");
	OK(&w, schedules_disable(w.schedules, "s5", 1, &w.err));
	claim.after = "s1";
	claim.arg = &l;
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	schedules_fires_free(claimed.fires);
	ck_assert_int_eq(l.n, 2);
	ck_assert_uint_eq(l.made, 1);
	ck_assert_int_eq(l.fires[0], 2000);
	due = world_ask(&w, "SELECT due_us FROM flowrra_schedules"
			    " WHERE due_us IS NOT NULL ORDER BY id");
	ck_assert_str_eq(due, "60001000\n77\n3000\n");
	free(due);
	world_close(&w);
}
END_TEST

START_TEST(zones_that_are_lacking_are_left_to_others)
{
	static const char *const zones[] = {"", "Europe/Berlin", "Asia/Tokyo"};
	struct schedules_claim claim = {
	    .now_us = 9, .limit = 9, .decide = world_decide};
	struct schedule s = world_full;
	struct schedules_claimed claimed;
	bool existing;
	struct world w;
	int64_t us;
	int i;

	world_open(&w, _i);
	for (i = 0; i < 3; i++) {
		s.id = s.task = i == 0 ? "a" : i == 1 ? "b" : "c";
		s.tz = zones[i];
		s.next_run_us = s.due_us = 5 - i;
		world_store(&w, &s, &existing);
	}
	OK(&w, schedules_next_due_but(w.schedules, "Asia/Tokyo,Europe/Berlin",
				      &us, &w.err));
	ck_assert_int_eq(us, 5);
	claim.lacks = "Asia/Tokyo,Asia/Seoul";
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.n, 2);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_next_due_but(w.schedules, "Asia/Tokyo", &us, &w.err));
	ck_assert_int_eq(us, INT64_MAX);
	OK(&w, schedules_next_due(w.schedules, &us, &w.err));
	ck_assert_int_eq(us, 3);
	world_close(&w);
}
END_TEST

START_TEST(lists_tell_who_is_due_last_and_who_was_set_aside)
{
	struct schedules_filter f = {.last_due = true, .limit = 2};
	struct schedules_list *list;
	struct world w;
	int i;

	world_open(&w, _i);
	for (i = 1; i <= 4; i++)
		world_create(&w, i, 1000 * i);
	OK(&w, schedules_list(w.schedules, &f, &list, &w.err));
	ck_assert_uint_eq(list->n, 2);
	ck_assert_str_eq(list->items[0].id, "s4");
	ck_assert_str_eq(list->items[1].id, "s3");
	schedules_list_free(list);
	world_run(&w, "UPDATE flowrra_schedules SET fault = 'broken',"
		      " due_us = NULL WHERE id > 's2'");
	f = (struct schedules_filter){.only_aside = true, .after = "s3"};
	OK(&w, schedules_list(w.schedules, &f, &list, &w.err));
	ck_assert_uint_eq(list->n, 1);
	ck_assert_str_eq(list->items[0].fault, "broken");
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

START_TEST(schedulers_from_the_future_are_removed)
{
	struct schedules_scheduler one = {.id = "a", .host = "", .seen_us = 10};
	struct schedules_stats *stats;
	struct world w;

	world_open(&w, _i);
	OK(&w, schedules_beat(w.schedules, &one, &w.err));
	one.id = "b";
	one.seen_us = 12;
	OK(&w, schedules_beat(w.schedules, &one, &w.err));
	OK(&w, schedules_prune_future(w.schedules, 11, &w.err));
	OK(&w, schedules_stats(w.schedules, NULL, 9, &stats, &w.err));
	ck_assert_uint_eq(stats->n_schedulers, 1);
	ck_assert_str_eq(stats->schedulers[0].id, "a");
	schedules_stats_free(stats);
	world_close(&w);
}
END_TEST

SUITE("schedules-clock")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(the_server_tells_what_its_clock_says, 0, N_WORLDS);
	TEST_LOOP(the_time_of_changes_is_the_servers, 0, N_WORLDS);
	TEST_LOOP(a_fire_that_was_made_before_is_counted_once, 0, N_WORLDS);
	TEST_LOOP(a_limit_is_not_used_up_by_what_was_made_before, 0, N_WORLDS);
	TEST_LOOP(fires_whose_time_is_still_to_come_are_kept, 0, N_WORLDS);
	TEST_LOOP(thinning_keeps_what_is_still_to_come_too, 0, N_WORLDS);
	TEST_LOOP(a_claim_of_all_writes_only_what_changes, 0, N_WORLDS);
	TEST_LOOP(zones_that_are_lacking_are_left_to_others, 0, N_WORLDS);
	TEST_LOOP(lists_tell_who_is_due_last_and_who_was_set_aside, 0,
		  N_WORLDS);
	TEST_LOOP(schedulers_from_the_future_are_removed, 0, N_WORLDS);
}
