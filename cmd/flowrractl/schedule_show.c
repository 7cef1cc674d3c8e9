/* SPDX-License-Identifier: MIT */
/* The verbs that show schedules: list, show and stats. They read the database;
 * what schedulers say of themselves (lag, when they were seen) is there, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway.h"
#include "manager/schedule_json.h"
#include "manager/schedules.h"
#include "schedule.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "table.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

#define US_PER_S 1e6
/* As many as one call gives: a database holds its read transaction for some
 * milliseconds at most, however many there are. */
#define PAGE 500

/* --- list -------------------------------------------------------------- */

struct list_options {
	bool enabled, disabled;
	const char *task, *text, *order;
};

/* For programs the order is part of the interface: add new columns at the end.
 */
static const struct column columns[] = {
    {"ID", "id", NULL, COLUMN_WHOLE},
    {"TASK", "task", NULL, 0},
    {"TYPE", "type", NULL, COLUMN_WHOLE | COLUMN_DROP(2)},
    {"RULE", "rule", NULL, 0},
    {"TZ", "tz", NULL, COLUMN_WHOLE | COLUMN_DROP(3)},
    {"NEXT", "next_run", cell_when, COLUMN_WHOLE},
    {"LAST", "last_run", cell_when, COLUMN_WHOLE | COLUMN_DROP(1)},
    {"RUNS", "runs", NULL, COLUMN_RIGHT | COLUMN_DROP(4)},
    {"STATE", "state", NULL, COLUMN_STATE | COLUMN_WHOLE},
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* All of them, page by page; NULL with *err. A page begins behind the last one
 * of the one before, so that what is created or deleted meanwhile neither
 * repeats nor hides others. */
static json_t *
read_schedules(struct schedules *db, struct schedule_query query,
	       struct err *err)
{
	json_t *all = json_array(), *page, *next = NULL;

	query.limit = PAGE;
	do {
		page = schedule_list(db, &query, err);
		json_decref(next);
		if (page == NULL) {
			json_decref(all);
			return NULL;
		}
		json_array_extend(all, json_object_get(page, "items"));
		next = json_incref(json_object_get(page, "next"));
		query.cursor = json_string_value(next);
		json_decref(page);
	} while (query.cursor != NULL);
	json_decref(next);
	return all;
}

/* Two options that exclude each other are refused, rather than one of them
 * ignored. */
static int
read_list_options(struct ctl *ctl, const struct list_options *o,
		  struct schedule_query *ret)
{
	if (o->enabled && o->disabled) {
		complain(ctl, "cannot use --enabled with --disabled");
		return err_exit_status(ERR_USAGE);
	}
	if (o->order != NULL && strcmp(o->order, "id") != 0 &&
	    strcmp(o->order, "next") != 0) {
		complain(ctl, "--order \"%.64s\": not one of id, next",
			 o->order);
		return err_exit_status(ERR_DATA);
	}
	*ret = (struct schedule_query){
	    .enabled = o->enabled    ? 1
		       : o->disabled ? 0
				     : -1,
	    .task = o->task,
	    .text = o->text,
	    .by_next = o->order != NULL && strcmp(o->order, "next") == 0};
	return 0;
}

static int
run_list(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct schedule_query query;
	struct err err = ERR_INIT;
	struct schedules *db;
	int status;
	json_t *list;

	if ((status = read_list_options(ctl, options, &query)) != 0 ||
	    (status = reach_schedules(ctl, true, &db)) != 0)
		return status;
	list = db != NULL ? read_schedules(db, query, &err)
			  : gateway_schedules(ctl->gateway, &query, &err);
	schedules_close(db);
	if (list == NULL)
		return complain_of_err(ctl, &err);
	return print_list(ctl, columns, N_COLUMNS, list);
}

#define LIST_OPTION(...) VERB_OPTION(struct list_options, 0, __VA_ARGS__)

static const struct option_spec list_options[] = {
    LIST_OPTION("enabled", NULL, FLAG, enabled, 0, 0, "only enabled schedules"),
    LIST_OPTION("disabled", NULL, FLAG, disabled, 0, 0,
		"only disabled schedules"),
    LIST_OPTION("task", "NAME", TEXT, task, 0, 0,
		"only schedules of this task"),
    LIST_OPTION("text", "TEXT", TEXT, text, 0, 0,
		"only schedules with this text in the ID, task, rule or "
		"description"),
    LIST_OPTION("order", "ORDER", TEXT, order, 0, 0,
		"id (the default), or next: the soonest due first"),
};

const struct verb verb_schedule_list = {
    .name = "schedule list",
    .looks = true,
    .summary = "List schedules",
    .usage = "[OPTION...]",
    .options = list_options,
    .n_options = sizeof(list_options) / sizeof(list_options[0]),
    .options_size = sizeof(struct list_options),
    .gateway = true,
    .run = run_list,
};

/* --- show -------------------------------------------------------------- */

static int
run_show(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	struct schedules *db;
	json_t *schedule;
	int status;

	if ((status = reach_schedules(ctl, true, &db)) != 0)
		return status;
	schedule = db != NULL ? schedule_show(db, argv[0], &err)
			      : gateway_schedule(ctl->gateway, argv[0], &err);
	if (schedule == NULL) {
		status = complain_of_err(ctl, &err);
	} else {
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
    .looks = true,
    .summary = "Print everything known about a schedule",
    .usage = "ID",
    .min_args = 1,
    .max_args = 1,
    .words = WORD_SCHEDULE,
    .gateway = true,
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
 * sentences. One that is seen in the future has a clock that is wrong, or ours
 * is. */
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
	for (i = 0; i < s->n_schedulers; i++) {
		fputs("scheduler    ", stdout);
		print_masked(s->schedulers[i].id, 0);
		printf(": %" PRId64
		       " fires, lag %.3f s, at most %.3f s, seen %.0f s ago",
		       s->schedulers[i].fires,
		       (double)s->schedulers[i].lag_us / US_PER_S,
		       (double)s->schedulers[i].max_lag_us / US_PER_S,
		       (double)((s->clock_us != 0 ? s->clock_us : now_us) -
				s->schedulers[i].seen_us) /
			   US_PER_S);
		if (s->schedulers[i].state[0] != '\0') {
			fputs("; claims nothing: ", stdout);
			print_masked(s->schedulers[i].state, 0);
		}
		putchar('\n');
	}
	if (s->n_schedulers == 0)
		printf("scheduler    none is running\n");
}

/* One `now`, the database's, for what is due and for how long ago schedulers were
 * seen. */
static int
run_stats(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct schedules_stats *stats;
	int64_t now_us, off_us;
	struct err err = ERR_INIT;
	struct schedules *db;
	int status = 0;

	if ((db = open_schedules(ctl, true, &status)) == NULL)
		return status;
	if (schedules_now(db, &now_us, &off_us, &err) != 0 ||
	    schedules_stats(db, argc > 0 ? argv[0] : NULL, now_us, &stats,
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
    .looks = true,
    .summary =
	"Print fires that ran, were missed or skipped, and the schedulers",
    .usage = "[ID]",
    .max_args = 1,
    .words = WORD_SCHEDULE,
    .run = run_stats,
};
