/* SPDX-License-Identifier: MIT */
/*
 * A year of clocks that are wrong: two schedulers, whose clocks jump by seconds
 * to years, both ways, and are put right again, and which are killed and started
 * at random. With a server as the database each has a clock of its own; with
 * SQLite they are on one machine and have one clock.
 *
 * The oracle: each fire of a rule that was to be done while some scheduler with
 * a right clock was running becomes exactly one task, no later than that (none
 * is lost, none is silent); no fire becomes two tasks; and by a server's clock
 * none becomes one before its time. All time is simulated. `make wrong-year`
 * runs the whole year, from other seeds, too; else it is a month.
 */
#include <event2/event.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat/rule.h"
#include "beat/sim.h"
#include "cron/tz.h"
#include "suite.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/log.h"

/* After its due time; the schedulers wake in time, the clock stands still. */
#define LATE S

static const struct row {
	const char *id;
	enum schedule_type type;
	const char *rule, *tz;
	enum schedule_misfire misfire;
	int64_t jitter_us, max_runs;
} rows[] = {
    {"thrice", SCHEDULE_CRON, "0 */3 * * *", "Europe/Berlin", SCHEDULE_LATEST,
     0, 0},
    {"five", SCHEDULE_INTERVAL, "5h", "", SCHEDULE_LATEST, 0, 0},
    {"daily", SCHEDULE_CRON, "30 2 * * *", "America/New_York", SCHEDULE_SKIP,
     900 * S, 0},
    {"weekly", SCHEDULE_CRON, "0 9 * * MON", "Asia/Kolkata", SCHEDULE_ALL, 0,
     0},
    {"monthly", SCHEDULE_CRON, "0 0 L * *", "Europe/Berlin", SCHEDULE_LATEST, 0,
     0},
    {"some", SCHEDULE_INTERVAL, "25h", "", SCHEDULE_ALL, 0, 200},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* --- the year ---------------------------------------------------------- */

static struct schedule
sim_schedule(const struct row *row)
{
	return (struct schedule){.id = row->id,
				 .task = row->id,
				 .type = row->type,
				 .rule = row->rule,
				 .tz = row->tz,
				 .queue = "q",
				 .enabled = true,
				 .settings = TASK_SETTINGS_UNSET,
				 .misfire = row->misfire,
				 .grace_us = SCHEDULE_UNSET,
				 .jitter_us = row->jitter_us,
				 .max_runs = row->max_runs,
				 .start_us = BEGIN};
}

static void
sim_store(struct tz_set *zones)
{
	char id[SCHEDULE_ID_MAX + 1];
	struct schedule_next next;
	struct schedule s;
	struct rule rule;
	bool existing;
	size_t i;

	for (i = 0; i < N_ROWS; i++) {
		s = sim_schedule(&rows[i]);
		OK(&sim.w, rule_read(&s, zones, &rule, NULL, &sim.w.err));
		next = rule_schedule(&rule, BEGIN, "");
		s.next_run_us = next.next_run_us;
		s.due_us = next.due_us;
		OK(&sim.w, schedules_create(sim.w.schedules, &s, BEGIN, id,
					    &existing, &sim.w.err));
	}
}

static int64_t
sim_next(void)
{
	int64_t next_us = sim.end_us, at[4];
	size_t j;
	int i;

	for (i = 0; i < BEATS; i++) {
		at[0] = sim_wakes(i);
		at[1] = sim.trouble[i].wrong_until_us;
		at[2] = sim.trouble[i].down_until_us;
		at[3] = sim.trouble[i].next_us;
		for (j = 0; j < 4; j++)
			if (at[j] < next_us)
				next_us = at[j];
	}
	return next_us > sim.now_us ? next_us : sim.now_us;
}

static void
sim_live(void)
{
	int i;

	while (sim.now_us < sim.end_us) {
		sim.now_us = sim_next();
		/* What is due at this moment comes before what happens. */
		for (i = 0; i < BEATS; i++)
			if (sim_wakes(i) <= sim.now_us)
				sim_run(i);
		for (i = 0; i < BEATS; i++)
			sim_trouble(i);
	}
	if (sim.is_right)
		sim.right[sim.n_right - 1].to_us = sim.now_us;
}

/* --- the oracle -------------------------------------------------------- */

static bool
was_right(int64_t at_us)
{
	static size_t hint;
	size_t i;

	if (hint >= sim.n_right || sim.right[hint].from_us >= at_us)
		hint = 0;
	for (i = hint; i < sim.n_right && sim.right[i].from_us < at_us; i++) {
		hint = i;
		if (at_us < sim.right[i].to_us)
			return true;
	}
	return false;
}

static void
ck_task(const void *node, VISIT visit, int depth)
{
	const struct made *task = *(const struct made *const *)node;

	if (visit == postorder || visit == leaf)
		ck_assert_msg(task->n == 1, "%s: %u tasks", task->id, task->n);
}

/* Returns how many fires had to be there. */
static unsigned int
ck_row(const struct row *row, struct tz_set *zones)
{
	const struct schedule s = sim_schedule(row);
	char id[SCHEDULE_TASK_ID_SIZE];
	int64_t fire, due, fires = 0;
	const struct made *task;
	unsigned int n = 0;
	struct rule rule;

	OK(&sim.w, rule_read(&s, zones, &rule, NULL, &sim.w.err));
	for (fire = rule_next(&rule, BEGIN);
	     (due = rule_due(&rule, fire)) < sim.end_us;
	     fire = rule_next(&rule, fire)) {
		schedule_fire_id(row->id, SCHEDULE_TASK, fire, id);
		task = sim_find(id);
		fires++;
		/* Of one with a limit, chance decides which they are. */
		if (row->max_runs != 0)
			continue;
		if (task != NULL && sim.kind != WORLD_SQLITE)
			ck_assert_msg(task->at_us >= due, "%s %lld s early", id,
				      (long long)((due - task->at_us) / S));
		if (!was_right(due))
			continue;
		n++;
		ck_assert_msg(task != NULL, "%s was lost", id);
		ck_assert_msg(task->at_us <= due + LATE, "%s: %lld s late", id,
			      (long long)((task->at_us - due) / S));
	}
	if (row->max_runs != 0)
		ck_assert_uint_le(sim.n_limited, row->max_runs);
	/* All of them, a while after the last. */
	if (row->max_runs != 0 && fires > row->max_runs + 10)
		ck_assert_uint_eq(sim.n_limited, row->max_runs);
	return n;
}

static void
sim_begin(int kind)
{
	static const struct clock_source clocks = {.mono_us = sim_mono,
						   .wall_us = sim_wall};
	const char *settings[] = {NULL}, *days = getenv("WRONG_DAYS");
	const char *seed = getenv("WRONG_SEED");
	struct err err;
	int i;

	sim = (struct sim){.kind = kind, .now_us = BEGIN};
	sim.random = seed != NULL ? strtoull(seed, NULL, 10) : 4711;
	sim.end_us =
	    BEGIN + (days != NULL ? strtoll(days, NULL, 10) : 30) * DAY;
	clock_replace(&clocks);
	world_open(&sim.w, kind);
	/* It has a password, and so cannot stand on a command line. */
	ck_assert_int_eq(setenv("FLOWRRA_SCHEDULER_DATABASE_URL", sim.w.url, 1),
			 0);
	ck_assert_msg(conf_load("/dev/null", settings, &sim.conf, &err) == 0,
		      "%s", err.msg);
	for (i = 0; i < BEATS; i++) {
		sim.bases[i] = event_base_new();
		sim.trouble[i] = (struct trouble){
		    0, NEVER, NEVER, BEGIN + HOUR + sim_chance(DAY)};
	}
	fake_store_init(&sim.store, sim.bases[0]);
}

static void
sim_end(void)
{
	int i;

	for (i = 0; i < BEATS; i++)
		if (sim.beats[i] != NULL)
			sim_kill(i);
	tdestroy(sim.tasks, free);
	free(sim.right);
	fake_store_done(&sim.store);
	world_close(&sim.w);
	conf_free(sim.conf);
	for (i = 0; i < BEATS; i++)
		event_base_free(sim.bases[i]);
	clock_replace(NULL);
}

START_TEST(a_year_of_wrong_clocks_loses_doubles_and_silences_nothing)
{
	struct tz_set *zones;
	unsigned int n = 0;
	struct err err;
	size_t row;
	int i;

	log_set_level(LOG_LEVEL_error);
	sim_begin(_i);
	zones = tz_set_new(NULL, &err);
	sim_store(zones);
	for (i = 0; i < BEATS; i++)
		sim_start(i);
	sim_note_right();
	sim_live();
	twalk(sim.tasks, ck_task);
	for (row = 0; row < N_ROWS; row++)
		n += ck_row(&rows[row], zones);
	printf("%d: %u tasks, %u of them had to be; %u jumps, %u kills, %zu "
	       "right stretches\n",
	       _i, sim.n_tasks, n, sim.n_jumps, sim.n_kills, sim.n_right);
	ck_assert_uint_gt(n, (unsigned int)((sim.end_us - BEGIN) / DAY) * 4);
	ck_assert_uint_gt(sim.n_jumps, 10);
	tz_set_free(zones);
	sim_end();
}
END_TEST

SUITE("beat_wrong_year")
{
	SUITE_TIMEOUT(600);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(a_year_of_wrong_clocks_loses_doubles_and_silences_nothing, 0,
		  N_WORLDS);
}
