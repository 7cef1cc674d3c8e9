/* SPDX-License-Identifier: MIT */
/*
 * A year under a simulated clock: a mixed set of schedules in several time
 * zones, two schedulers' worth of outages, both changes of the clocks.
 */
#include <stdlib.h>
#include <string.h>

#include "beat/plan.h"
#include "beat/rule.h"
#include "cron/tz.h"
#include "suite.h"
#include "util/clock.h"
#include "util/err.h"

#define S INT64_C(1000000)
#define BEGIN (INT64_C(1767225600) * S) /* 2026-01-01T00:00:00Z */
#define END (BEGIN + 365 * 86400 * S)

/* `runs`: how many there must be in the year, counted by hand; 0: see below. */
static const struct row {
	enum schedule_type type;
	const char *rule, *tz;
	enum schedule_misfire misfire;
	int64_t jitter_s, runs;
} rows[] = {
    {SCHEDULE_CRON, "0 9 * * *", "Europe/Berlin", SCHEDULE_ALL, 0, 365},
    /* The hour that is missing in March, and comes twice in October. */
    {SCHEDULE_CRON, "30 2 * * *", "Europe/Berlin", SCHEDULE_ALL, 0, 365},
    {SCHEDULE_CRON, "30 2 * * *", "America/New_York", SCHEDULE_ALL, 0, 365},
    {SCHEDULE_CRON, "0 * * * *", "Europe/Berlin", SCHEDULE_ALL, 0, 8760},
    {SCHEDULE_CRON, "*/15 * * * *", "Australia/Lord_Howe", SCHEDULE_ALL, 0,
     35040},
    {SCHEDULE_CRON, "* * * * *", "Asia/Kolkata", SCHEDULE_ALL, 0, 525600},
    {SCHEDULE_CRON, "0 0 29 2 *", "UTC", SCHEDULE_ALL, 0, 0},
    {SCHEDULE_CRON, "0 0 L * *", "Europe/Berlin", SCHEDULE_ALL, 0, 12},
    {SCHEDULE_CRON, "H H * * MON-FRI", "America/New_York", SCHEDULE_ALL, 0,
     261},
    {SCHEDULE_CRON, "0 12 * * FRI#2", "UTC", SCHEDULE_ALL, 600, 12},
    {SCHEDULE_CRON, "0 3 * * *", "America/New_York", SCHEDULE_LATEST, 900, 0},
    {SCHEDULE_CRON, "*/5 * * * *", "Europe/Berlin", SCHEDULE_LATEST, 60, 0},
    {SCHEDULE_CRON, "@hourly", "Europe/London", SCHEDULE_SKIP, 0, 0},
    {SCHEDULE_INTERVAL, "7m", "", SCHEDULE_ALL, 0, 0},
    {SCHEDULE_INTERVAL, "90s", "", SCHEDULE_LATEST, 30, 0},
    {SCHEDULE_ONCE, "2026-12-24T18:00:00+01:00", "", SCHEDULE_ALL, 0, 1},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static struct item {
	struct schedule s;
	struct rule rule;
	int64_t due_us, skipped;
	int64_t expected_us; /* with misfire=all: the next fire */
	char id[8];
} items[N_ROWS];

static void
begin(struct tz_set *zones)
{
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < N_ROWS; i++) {
		struct item *it = &items[i];

		it->id[0] = (char)('a' + i);
		it->s = (struct schedule){.id = it->id,
					  .task = "t",
					  .type = rows[i].type,
					  .rule = rows[i].rule,
					  .tz = rows[i].tz,
					  .misfire = rows[i].misfire,
					  .jitter_us = rows[i].jitter_s * S,
					  .grace_us = SCHEDULE_UNSET,
					  .created_us = BEGIN,
					  .end_us = END - 1};
		ck_assert_msg(rule_read(&it->s, zones, &it->rule, NULL, &err) ==
				  0,
			      "%s: %s", rows[i].rule, err.msg);
		it->s.next_run_us = rule_next(&it->rule, BEGIN - 1);
		it->expected_us = it->s.next_run_us;
		it->due_us = rule_due(&it->rule, it->s.next_run_us);
	}
}

static int64_t
next_due(void)
{
	int64_t first = INT64_MAX;
	size_t i;

	for (i = 0; i < N_ROWS; i++)
		if (items[i].due_us != 0 && items[i].due_us < first)
			first = items[i].due_us;
	return first;
}

static void
settle(struct item *it, const struct plan *p)
{
	size_t i;

	for (i = 0; i < p->n_fires; i++) {
		if (it->s.misfire == SCHEDULE_ALL) {
			ck_assert_int_eq(p->fires[i], it->expected_us);
			it->expected_us = rule_next(&it->rule, it->expected_us);
		}
		ck_assert_int_gt(p->fires[i], it->s.last_run_us);
		it->s.last_run_us = p->fires[i];
	}
	for (i = 0; i < SCHEDULE_N_REASONS; i++)
		it->skipped += p->skipped[i];
	it->s.next_run_us = p->next_run_us;
	it->s.runs = p->runs;
	it->due_us = p->due_us;
}

/* Sleeps to the next due time, wakes a moment later, and now and then after
 * hours. */
static void
run_year(void)
{
	static struct plan p;
	uint64_t random = 42;
	int64_t now;
	size_t i;

	while ((now = next_due()) != INT64_MAX) {
		random = random * UINT64_C(6364136223846793005) + 1;
		now += (int64_t)(random >> 48);
		if ((random >> 32) % 20000 == 0)
			now += (int64_t)((random >> 20) % 40000) * S;
		for (i = 0; i < N_ROWS; i++) {
			if (items[i].due_us == 0 || items[i].due_us > now)
				continue;
			plan_make(&items[i].s, &items[i].rule, now, false, &p);
			settle(&items[i], &p);
		}
	}
}

START_TEST(a_year_of_schedules_fires_as_it_should)
{
	struct err err = ERR_INIT;
	struct tz_set *zones = tz_set_new(NULL, &err);
	int64_t fire, n, outages = 0;
	size_t i;

	begin(zones);
	run_year();
	for (i = 0; i < N_ROWS; i++) {
		const struct item *it = &items[i];

		n = 0;
		for (fire = rule_next(&it->rule, BEGIN - 1); fire != 0;
		     fire = rule_next(&it->rule, fire))
			n++;
		/* Each fire of the year was a task, or was counted. */
		ck_assert_int_eq(it->s.runs + it->skipped, n);
		if (rows[i].misfire == SCHEDULE_ALL)
			ck_assert_int_eq(it->skipped, 0);
		if (rows[i].runs != 0)
			ck_assert_msg(n == rows[i].runs, "%s in %s: %lld",
				      rows[i].rule, rows[i].tz, (long long)n);
		outages += it->skipped;
	}
	ck_assert_int_gt(outages, 100);
	tz_set_free(zones);
}
END_TEST

SUITE("year")
{
	SUITE_TIMEOUT(600);
	TEST(a_year_of_schedules_fires_as_it_should);
}
