/* SPDX-License-Identifier: MIT */
/* The verbs that show schedules: list, show and stats. They read the database;
 * what schedulers say of themselves (lag, when they were seen) is there, too.
 */
#include <inttypes.h>
#include <stdio.h>

#include "manager/schedule_json.h"
#include "schedule.h"
#include "schedules/schedules.h"
#include "table.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

#define US_PER_S 1e6
/* As many as one call gives by default: a database holds its read transaction
 * for some milliseconds at most, however many there are. */
#define PAGE 1000

/* --- list -------------------------------------------------------------- */

struct list_options {
	bool enabled, disabled;
	const char *task;
};

/* For programs the order is part of the interface: add new columns at the end.
 */
static const struct column columns[] = {
    {"ID", "id", NULL, false},	       {"TASK", "task", NULL, false},
    {"TYPE", "type", NULL, false},     {"RULE", "rule", NULL, false},
    {"TZ", "tz", NULL, false},	       {"NEXT", "next_run", NULL, false},
    {"LAST", "last_run", NULL, false}, {"RUNS", "runs", NULL, true},
    {"STATE", "state", NULL, false},
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* All of them, page by page; NULL with *err. A page begins behind the last ID
 * of the one before, so that what is created or deleted meanwhile neither
 * repeats nor hides others. */
static json_t *
read_schedules(struct schedules *db, const struct list_options *o,
	       struct err *err)
{
	struct schedules_filter filter = {.only_enabled = o->enabled,
					  .only_disabled = o->disabled,
					  .task = o->task,
					  .limit = PAGE};
	char after[SCHEDULE_ID_MAX + 1];
	json_t *all = json_array();
	struct schedules_list *page;
	size_t i, n;

	do {
		if (schedules_list(db, &filter, &page, err) != 0) {
			json_decref(all);
			return NULL;
		}
		n = page->n;
		for (i = 0; i < n; i++)
			json_array_append_new(all,
					      schedule_json(&page->items[i]));
		if (n > 0)
			snprintf(after, sizeof(after), "%s",
				 page->items[n - 1].id);
		filter.after = after;
		schedules_list_free(page);
	} while (n == PAGE);
	return all;
}

static int
run_list(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct list_options *o = options;
	struct err err = ERR_INIT;
	struct schedules *db;
	int status = 0;
	json_t *list;

	if (o->enabled && o->disabled) {
		complain(ctl, "cannot use --enabled with --disabled");
		return err_exit_status(ERR_USAGE);
	}
	if ((db = open_schedules(ctl, true, &status)) == NULL)
		return status;
	list = read_schedules(db, o, &err);
	schedules_close(db);
	if (list == NULL)
		return complain_of_err(ctl, &err);
	return print_list(ctl, columns, N_COLUMNS, list);
}

static const struct option_spec list_options[] = {
    {.name = "enabled",
     .help = "only enabled schedules",
     .value = {VALUE_FLAG, offsetof(struct list_options, enabled), 0, 0}},
    {.name = "disabled",
     .help = "only disabled schedules",
     .value = {VALUE_FLAG, offsetof(struct list_options, disabled), 0, 0}},
    {.name = "task",
     .arg = "NAME",
     .help = "only schedules of this task",
     .value = {VALUE_TEXT, offsetof(struct list_options, task), 0, 0}},
};

const struct verb verb_schedule_list = {
    .name = "schedule list",
    .summary = "List schedules",
    .usage = "[--enabled|--disabled] [--task NAME]",
    .options = list_options,
    .n_options = sizeof(list_options) / sizeof(list_options[0]),
    .options_size = sizeof(struct list_options),
    .run = run_list,
};

/* --- show -------------------------------------------------------------- */

static int
run_show(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct schedules_list *found;
	struct err err = ERR_INIT;
	struct schedules *db;
	json_t *schedule;
	int status = 0;

	if ((db = open_schedules(ctl, true, &status)) == NULL)
		return status;
	if (schedules_get(db, argv[0], &found, &err) != 0) {
		status = complain_of_err(ctl, &err);
	} else {
		schedule = schedule_json(&found->items[0]);
		schedules_list_free(found);
		if (!ctl->globals.json)
			print_members(schedule);
		else
			print_json_line(json_incref(schedule));
		json_decref(schedule);
	}
	schedules_close(db);
	return status;
}

const struct verb verb_schedule_show = {
    .name = "schedule show",
    .summary = "Print everything known about a schedule",
    .usage = "ID",
    .min_args = 1,
    .max_args = 1,
    .words = WORD_SCHEDULE,
    .run = run_show,
};

/* --- stats ------------------------------------------------------------- */

/* Only what has happened: six lines of zeroes would hide the one that matters.
 */
static void
print_reasons(const struct schedules_stats *s)
{
	char last[MOMENT_SIZE];
	size_t i;

	for (i = 0; i < SCHEDULE_N_REASONS; i++) {
		if (s->skipped[i] == 0)
			continue;
		moment_text(s->last_skipped_us[i], last);
		printf("%-12s %" PRId64 " %s, last at %s\n",
		       schedule_reason_name((enum schedule_reason)i),
		       s->skipped[i],
		       schedule_reason_text((enum schedule_reason)i), last);
	}
}

/* By hand and not as a table of members: the figures belong together in
 * sentences. seen_us is by the schedulers' clocks, and so may be a little
 * ahead. */
static void
print_stats(const struct schedules_stats *s, int64_t now_us)
{
	char next[MOMENT_SIZE] = "none";
	size_t i;

	if (s->next_due_us != INT64_MAX)
		moment_text(s->next_due_us, next);
	printf("schedules    %" PRId64 ", %" PRId64 " enabled, %" PRId64
	       " set aside\n"
	       "due          %" PRId64 " now, the next at %s\n"
	       "runs         %" PRId64 "\n"
	       "unsent       %" PRId64 "\n",
	       s->schedules, s->enabled, s->set_aside, s->due, next, s->runs,
	       s->unsent);
	print_reasons(s);
	for (i = 0; i < s->n_schedulers; i++)
		printf("scheduler    %s: %" PRId64
		       " fires, lag %.3f s, at most %.3f s, seen %.0f s ago\n",
		       s->schedulers[i].id, s->schedulers[i].fires,
		       (double)s->schedulers[i].lag_us / US_PER_S,
		       (double)s->schedulers[i].max_lag_us / US_PER_S,
		       (double)(now_us - s->schedulers[i].seen_us) / US_PER_S);
	if (s->n_schedulers == 0)
		printf("scheduler    none is running\n");
}

static int
run_stats(struct ctl *ctl, int argc, char **argv, void *options)
{
	const int64_t now_us = clock_wall_us();
	struct schedules_stats *stats;
	struct err err = ERR_INIT;
	struct schedules *db;
	int status = 0;

	if ((db = open_schedules(ctl, true, &status)) == NULL)
		return status;
	if (schedules_stats(db, argc > 0 ? argv[0] : NULL, now_us, &stats,
			    &err) != 0) {
		status = complain_of_err(ctl, &err);
	} else {
		if (ctl->globals.json)
			print_json_line(schedule_stats_json(stats, now_us));
		else
			print_stats(stats, now_us);
		schedules_stats_free(stats);
	}
	schedules_close(db);
	return status;
}

const struct verb verb_schedule_stats = {
    .name = "schedule stats",
    .summary =
	"Print fires that ran, were missed or skipped, and the schedulers",
    .usage = "[ID]",
    .max_args = 1,
    .words = WORD_SCHEDULE,
    .run = run_stats,
};
