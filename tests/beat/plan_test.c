/* SPDX-License-Identifier: MIT */
/* Decisions: misfire, grace, overlap, jitter, limits. */
#include "beat/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat/rule.h"
#include "cron/tz.h"
#include "suite.h"
#include "util/err.h"

#define S INT64_C(1000000)
#define T0 (INT64_C(1772323200) * S) /* 2026-03-01T00:00:00Z */
#define NONE (-1)

static struct schedule
make(const char *rule)
{
	return (struct schedule){.id = "s",
				 .task = "t",
				 .type = SCHEDULE_INTERVAL,
				 .rule = rule,
				 .enabled = true,
				 .misfire = SCHEDULE_LATEST,
				 .grace_us = SCHEDULE_UNSET,
				 .start_us = T0,
				 .next_run_us = T0};
}

static struct rule
rule_of(const struct schedule *s)
{
	struct err err = ERR_INIT;
	struct tz_set *zones = tz_set_new(NULL, &err);
	struct rule rule;

	ck_assert_msg(rule_read(s, zones, &rule, NULL, &err) == 0, "%s",
		      err.msg);
	tz_set_free(zones); /* UTC does without */
	return rule;
}

/* All times are seconds after the first fire. */
struct row {
	const char *what, *rule;
	enum schedule_misfire misfire;
	int64_t max_catchup, grace, max_runs, runs, end;
	enum schedule_overlap overlap;
	bool busy;
	int64_t now;
	/* What is expected. */
	const char *fires;
	int64_t next; /* NONE */
	enum schedule_reason reason;
	int64_t skipped;
};

#define ROW(text, period, ...)                                                 \
	{                                                                      \
		.what = (text), .rule = (period), .grace = NONE,               \
		.misfire = SCHEDULE_LATEST, __VA_ARGS__                        \
	}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct row rows[] = {
    ROW("not due", "60s", .now = -1, .fires = "", .next = 0),
    ROW("on time", "60s", .now = 0, .fires = "0", .next = 60),
    ROW("a little late", "1s", .now = 3, .fires = "0 1 2 3", .next = 4),
    ROW("a little late, skip", "1s", .misfire = SCHEDULE_SKIP, .now = 3,
	.fires = "0 1 2 3", .next = 4),
    ROW("missed once", "60s", .now = 59, .fires = "0", .next = 60),
    ROW("missed", "60s", .now = 300, .fires = "300", .next = 360,
	.reason = SCHEDULE_MERGED, .skipped = 5),
    ROW("missed, skip, the last one hardly", "60s", .misfire = SCHEDULE_SKIP,
	.now = 302, .fires = "300", .next = 360, .reason = SCHEDULE_MISFIRE,
	.skipped = 5),
    ROW("missed, skip", "60s", .misfire = SCHEDULE_SKIP, .now = 330,
	.fires = "", .next = 360, .reason = SCHEDULE_MISFIRE, .skipped = 6),
    ROW("missed, skip with grace", "60s", .misfire = SCHEDULE_SKIP, .grace = 60,
	.now = 330, .fires = "300", .next = 360, .reason = SCHEDULE_LATE,
	.skipped = 5),
    ROW("missed, all", "60s", .misfire = SCHEDULE_ALL, .now = 200,
	.fires = "0 60 120 180", .next = 240),
    ROW("missed, all, limited", "60s", .misfire = SCHEDULE_ALL,
	.max_catchup = 2, .now = 300, .fires = "240 300", .next = 360,
	.reason = SCHEDULE_CATCHUP, .skipped = 4),
    ROW("on time, all, limited", "1s", .misfire = SCHEDULE_ALL,
	.max_catchup = 1, .now = 2, .fires = "0 1 2", .next = 3),
    ROW("missed, all with grace", "60s", .misfire = SCHEDULE_ALL, .grace = 130,
	.now = 300, .fires = "180 240 300", .next = 360,
	.reason = SCHEDULE_LATE, .skipped = 3),
    ROW("missed, once with grace, too late", "60s", .grace = 10, .now = 330,
	.fires = "", .next = 360, .reason = SCHEDULE_LATE, .skipped = 6),
    ROW("busy, allowed", "60s", .busy = true, .now = 0, .fires = "0",
	.next = 60),
    ROW("busy", "60s", .overlap = SCHEDULE_OVERLAP_SKIP, .busy = true, .now = 0,
	.fires = "", .next = 60, .reason = SCHEDULE_OVERLAP, .skipped = 1),
    ROW("not busy", "60s", .overlap = SCHEDULE_OVERLAP_SKIP, .now = 0,
	.fires = "0", .next = 60),
    ROW("overlap among the missed", "60s", .misfire = SCHEDULE_ALL,
	.overlap = SCHEDULE_OVERLAP_SKIP, .now = 130, .fires = "0", .next = 180,
	.reason = SCHEDULE_OVERLAP, .skipped = 2),
    ROW("busy, replaced", "60s", .overlap = SCHEDULE_OVERLAP_REPLACE,
	.busy = true, .now = 0, .fires = "0", .next = 60),
    ROW("replaced on time", "1s", .overlap = SCHEDULE_OVERLAP_REPLACE, .now = 3,
	.fires = "3", .next = 4, .reason = SCHEDULE_REPLACED, .skipped = 3),
    ROW("replaced among the missed", "60s", .misfire = SCHEDULE_ALL,
	.overlap = SCHEDULE_OVERLAP_REPLACE, .now = 130, .fires = "120",
	.next = 180, .reason = SCHEDULE_REPLACED, .skipped = 2),
    ROW("replaced, the last run", "60s", .misfire = SCHEDULE_ALL, .max_runs = 1,
	.overlap = SCHEDULE_OVERLAP_REPLACE, .now = 130, .fires = "120",
	.next = NONE, .reason = SCHEDULE_REPLACED, .skipped = 2),
    ROW("the last run", "60s", .max_runs = 2, .runs = 1, .now = 0, .fires = "0",
	.next = NONE),
    ROW("more missed than may run", "60s", .misfire = SCHEDULE_ALL,
	.max_runs = 3, .runs = 1, .now = 300, .fires = "0 60", .next = NONE),
    ROW("the end", "60s", .end = 60, .misfire = SCHEDULE_ALL, .now = 300,
	.fires = "0 60", .next = NONE),
    ROW("the end, once", "60s", .end = 120, .now = 300, .fires = "120",
	.next = NONE, .reason = SCHEDULE_MERGED, .skipped = 2),
};
#pragma GCC diagnostic pop

static void
write_fires(const struct plan *p, char text[256])
{
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < p->n_fires; i++)
		len += (size_t)snprintf(text + len, 256 - len, "%s%lld",
					i > 0 ? " " : "",
					(long long)(p->fires[i] - T0) / S);
}

/* The fires that are noted as skipped, in their order and each once. */
static int64_t
noted(const struct plan *p, enum schedule_reason reason)
{
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < p->n_skips; i++) {
		ck_assert_int_le(p->skips[i].fire_us, p->skips[i].last_us);
		if (i > 0)
			ck_assert_int_gt(p->skips[i].fire_us,
					 p->skips[i - 1].last_us);
		if (p->skips[i].reason == reason)
			sum += p->skips[i].n;
	}
	return sum;
}

START_TEST(fires_become_tasks_as_the_policies_say)
{
	const struct row *r = &rows[_i];
	struct schedule s = make(r->rule);
	static struct plan p;
	char fires[256];
	struct rule rule;

	s.misfire = r->misfire;
	s.max_catchup = r->max_catchup;
	if (r->grace != NONE)
		s.grace_us = r->grace * S;
	s.max_runs = r->max_runs;
	s.runs = r->runs;
	s.end_us = r->end != 0 ? T0 + r->end * S : 0;
	s.overlap = r->overlap;
	s.last_run_us = 77;
	rule = rule_of(&s);
	plan_make(&s, &rule, T0 + r->now * S, r->busy, &p);
	write_fires(&p, fires);
	ck_assert_msg(strcmp(fires, r->fires) == 0, "%s: %s", r->what, fires);
	ck_assert_msg(p.next_run_us == (r->next == NONE ? 0 : T0 + r->next * S),
		      "%s: next %lld", r->what,
		      (long long)(p.next_run_us - T0) / S);
	ck_assert_int_eq(p.due_us, p.next_run_us);
	ck_assert_msg(p.skipped[r->reason] == r->skipped, "%s: skipped %lld",
		      r->what, (long long)p.skipped[r->reason]);
	ck_assert_int_eq(noted(&p, r->reason), r->skipped);
	ck_assert_int_eq(p.runs, r->runs + (int64_t)p.n_fires);
	ck_assert_int_eq(p.last_run_us,
			 p.n_fires > 0 ? p.fires[p.n_fires - 1] : 77);
}
END_TEST

START_TEST(after_a_fire_of_the_rule_before_the_new_one_fires_from_its_change_on)
{
	struct schedule s = make("1s");
	static struct plan p;
	struct rule rule;

	/* The old rule fired at T0; it was changed three days later, and nobody
	 * was there until a second and a half after. */
	s.misfire = SCHEDULE_ALL;
	s.max_catchup = 0;
	s.rule_us = T0 + 259200 * S;
	rule = rule_of(&s);
	plan_make(&s, &rule, s.rule_us + 3 * S / 2, false, &p);
	ck_assert_uint_eq(p.n_fires, 2);
	ck_assert_int_eq(p.fires[0], T0);
	ck_assert_int_eq(p.fires[1], s.rule_us + S);
	ck_assert_int_eq(p.next_run_us, s.rule_us + 2 * S);
	s.misfire = SCHEDULE_LATEST;
	plan_make(&s, &rule, s.rule_us + 3 * S / 2, false, &p);
	ck_assert_uint_eq(p.n_fires, 1);
	ck_assert_int_eq(p.fires[0], s.rule_us + S);
	ck_assert_int_eq(p.skipped[SCHEDULE_MERGED], 1);
	ck_assert_uint_eq(p.n_skips, 1);
	ck_assert_int_eq(p.skips[0].fire_us, T0);
}
END_TEST

START_TEST(skipped_fires_are_noted_as_runs_between_those_that_ran)
{
	struct schedule s = make("60s");
	static struct plan p;
	struct rule rule = rule_of(&s);

	s.misfire = SCHEDULE_ALL;
	s.max_catchup = 3;
	s.overlap = SCHEDULE_OVERLAP_SKIP;
	plan_make(&s, &rule, T0 + 600 * S, false, &p);
	/* Eleven wait: eight are too many, one runs, two overlap with it. */
	ck_assert_uint_eq(p.n_fires, 1);
	ck_assert_uint_eq(p.n_skips, 2);
	ck_assert_int_eq(p.skips[0].reason, SCHEDULE_CATCHUP);
	ck_assert_int_eq(p.skips[0].fire_us, T0);
	ck_assert_int_eq(p.skips[0].last_us, T0 + 420 * S);
	ck_assert_int_eq(p.skips[0].n, 8);
	ck_assert_int_eq(p.fires[0], T0 + 480 * S);
	ck_assert_int_eq(p.skips[1].reason, SCHEDULE_OVERLAP);
	ck_assert_int_eq(p.skips[1].fire_us, T0 + 540 * S);
	ck_assert_int_eq(p.skips[1].n, 2);
}
END_TEST

/* --- long absences ------------------------------------------------------- */

#define AWAY_S 250000

struct total {
	int64_t fires, skipped, first;
};

/* Plans until nothing is due any more. */
static struct total
catch_up(struct schedule *s, enum schedule_reason reason)
{
	const struct rule rule = rule_of(s);
	struct total total = {0, 0, 0};
	static struct plan p;

	while (s->next_run_us <= T0 + AWAY_S * S) {
		plan_make(s, &rule, T0 + AWAY_S * S, false, &p);
		ck_assert_int_gt(p.next_run_us, s->next_run_us);
		if (total.fires == 0 && p.n_fires > 0)
			total.first = p.fires[0];
		total.fires += (int64_t)p.n_fires;
		total.skipped += p.skipped[reason];
		s->next_run_us = p.next_run_us;
		s->last_run_us = p.last_run_us;
		s->runs = p.runs;
	}
	return total;
}

START_TEST(a_long_absence_is_worked_off_in_pieces)
{
	struct schedule s = make("1s");
	struct total total = catch_up(&s, SCHEDULE_MERGED);

	ck_assert_int_eq(total.fires, 1);
	ck_assert_int_eq(total.skipped, AWAY_S);
	ck_assert_int_eq(total.first, T0 + AWAY_S * S);

	s = make("1s");
	s.misfire = SCHEDULE_ALL;
	s.max_catchup = 5000;
	total = catch_up(&s, SCHEDULE_CATCHUP);
	ck_assert_int_eq(total.fires, 5000);
	ck_assert_int_eq(total.skipped, AWAY_S + 1 - 5000);

	s = make("1s");
	s.misfire = SCHEDULE_ALL;
	total = catch_up(&s, SCHEDULE_CATCHUP);
	ck_assert_int_eq(total.fires, AWAY_S + 1);

	s = make("1s");
	s.misfire = SCHEDULE_SKIP;
	total = catch_up(&s, SCHEDULE_MISFIRE);
	ck_assert_int_eq(total.fires, 1);
	ck_assert_int_eq(total.skipped, AWAY_S);
}
END_TEST

/* --- rules --------------------------------------------------------------- */

START_TEST(a_moment_fires_once)
{
	struct schedule s = make("2026-03-01T00:00:00+00:00");
	static struct plan p;
	struct rule rule;

	s.type = SCHEDULE_ONCE;
	s.start_us = 0;
	rule = rule_of(&s);
	ck_assert_int_eq(rule_next(&rule, T0 - 1), T0);
	ck_assert_int_eq(rule_next(&rule, T0), 0);
	plan_make(&s, &rule, T0 + 3600 * S, false, &p);
	ck_assert_uint_eq(p.n_fires, 1);
	ck_assert_int_eq(p.next_run_us, 0);
	ck_assert_int_eq(p.due_us, 0);
	s.misfire = SCHEDULE_SKIP;
	plan_make(&s, &rule, T0 + 3600 * S, false, &p);
	ck_assert_uint_eq(p.n_fires, 0);
	ck_assert_int_eq(p.skipped[SCHEDULE_MISFIRE], 1);
}
END_TEST

START_TEST(an_interval_without_a_start_counts_from_its_creation)
{
	struct schedule s = make("90s");
	struct rule rule;

	s.start_us = 0;
	s.created_us = T0 + 5;
	rule = rule_of(&s);
	ck_assert_int_eq(rule_next(&rule, T0 + 5), T0 + 5 + 90 * S);
	ck_assert_int_eq(rule_next(&rule, T0 + 100 * S), T0 + 5 + 180 * S);
}
END_TEST

START_TEST(jitter_is_the_same_each_time_and_keeps_the_order)
{
	struct schedule s = make("60s");
	int64_t fire = T0, due, last = 0, sum = 0;
	struct rule rule, other;
	int i, moved = 0;

	s.jitter_us = 600 * S; /* more than there is room for */
	rule = rule_of(&s);
	s.id = "another";
	other = rule_of(&s);
	for (i = 0; i < 1000; i++, fire += 60 * S) {
		due = rule_due(&rule, fire);
		ck_assert_int_eq(due, rule_due(&rule, fire));
		ck_assert_int_ge(due, fire);
		ck_assert_int_lt(due, fire + 60 * S);
		ck_assert_int_gt(due, last);
		last = due;
		sum += due - fire;
		moved += due != rule_due(&other, fire);
	}
	/* Evenly spread: 30 s on average. */
	ck_assert_int_gt(sum / 1000, 27 * S);
	ck_assert_int_lt(sum / 1000, 33 * S);
	ck_assert_int_gt(moved, 990);
}
END_TEST

/* A jitter that is longer than the period moves no fire behind the next one. */
START_TEST(fires_of_a_tenth_of_a_second_keep_their_order)
{
	struct schedule s = make("100ms");
	char id[SCHEDULE_TASK_ID_SIZE], last[SCHEDULE_TASK_ID_SIZE] = "";
	int64_t due, last_due = 0;
	static struct plan p;
	struct rule r;
	size_t i;

	s.jitter_us = 500000;
	r = rule_of(&s);
	plan_make(&s, &r, T0 + 2000000, false, &p);
	ck_assert_uint_ge(p.n_fires, 20);
	for (i = 0; i < p.n_fires; i++) {
		ck_assert_int_eq(p.fires[i], T0 + (int64_t)i * 100000);
		due = rule_due(&r, p.fires[i]);
		ck_assert_int_gt(due, last_due);
		ck_assert_int_lt(due, p.fires[i] + 100000);
		schedule_fire_id("s", SCHEDULE_TASK, p.fires[i], id);
		ck_assert_str_ne(id, last);
		memcpy(last, id, sizeof(last));
		last_due = due;
	}
	ck_assert_ptr_nonnull(strchr(id, 'Z'));
}
END_TEST

SUITE("plan")
{
	TEST_LOOP(fires_become_tasks_as_the_policies_say, 0,
		  (int)(sizeof(rows) / sizeof(rows[0])));
	TEST(a_long_absence_is_worked_off_in_pieces);
	TEST(a_moment_fires_once);
	TEST(an_interval_without_a_start_counts_from_its_creation);
	TEST(jitter_is_the_same_each_time_and_keeps_the_order);
	TEST(
	    after_a_fire_of_the_rule_before_the_new_one_fires_from_its_change_on);
	TEST(skipped_fires_are_noted_as_runs_between_those_that_ran);
	TEST(fires_of_a_tenth_of_a_second_keep_their_order);
}
