/* SPDX-License-Identifier: MIT */
/* The verbs that show schedules: list, show and stats. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

#define US_PER_S 1e6
#define PAGE 1000

/* --- a schedule as JSON ------------------------------------------------ */

static json_t *
number_or_null(int64_t n)
{
	return n == SCHEDULE_UNSET ? json_null() : json_integer(n);
}

static json_t *
seconds_or_null(int64_t us)
{
	return us == SCHEDULE_UNSET ? json_null()
				    : json_real((double)us / US_PER_S);
}

static json_t *
text_or_null(const char *text)
{
	return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *
json_text(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	return json != NULL ? json : json_string(text);
}

static json_t *
schedule_json(const struct schedule *s)
{
	return json_pack(
	    "{s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:b,s:o,s:o,s:I,s:o,s:o,s:o,s:i,"
	    "s:o,s:o,s:s,s:I,s:o,s:s,s:o,s:s,s:o,s:o,s:I,s:o,s:o}",
	    "id", s->id, "task", s->task, "type", schedule_type_name(s->type),
	    "rule", s->rule, "tz", s->tz[0] != '\0' ? s->tz : "UTC", "args",
	    json_text(s->args), "kwargs", json_text(s->kwargs), "enabled",
	    s->enabled, "next_run", moment_json(s->next_run_us), "last_run",
	    moment_json(s->last_run_us), "runs", (json_int_t)s->runs, "queue",
	    text_or_null(s->queue), "max_retries",
	    number_or_null(s->max_retries), "retry_delay",
	    seconds_or_null(s->retry_delay_us), "priority", s->priority,
	    "description", text_or_null(s->description), "fault",
	    text_or_null(s->fault), "misfire",
	    schedule_misfire_name(s->misfire), "max_catchup",
	    (json_int_t)s->max_catchup, "grace", seconds_or_null(s->grace_us),
	    "overlap", schedule_overlap_name(s->overlap), "jitter",
	    seconds_or_null(s->jitter_us), "day_match",
	    schedule_day_match_name(s->day_match), "start_at",
	    moment_json(s->start_us), "end_at", moment_json(s->end_us),
	    "max_runs", (json_int_t)s->max_runs, "created_at",
	    moment_json(s->created_us), "updated_at",
	    moment_json(s->updated_us));
}

/* --- list -------------------------------------------------------------- */

struct list_options {
	bool enabled, disabled;
	const char *task;
};

static const char *const columns[] = {"ID",   "TASK", "TYPE", "RULE",  "TZ",
				      "NEXT", "LAST", "RUNS", "STATE", NULL};
static const char *const fields[] = {
    "id", "task", "type", "rule", "tz", "next_run", "last_run", "runs", NULL};
#define N_COLUMNS 9

static const char *
state(const json_t *schedule)
{
	if (json_is_string(json_object_get(schedule, "fault")))
		return "set aside";
	if (!json_is_true(json_object_get(schedule, "enabled")))
		return "disabled";
	return json_is_null(json_object_get(schedule, "next_run")) ? "ended"
								   : "enabled";
}

static char *
cell(const json_t *schedule, size_t column)
{
	const json_t *value;
	char number[24];

	if (column + 1 == N_COLUMNS)
		return strdup(state(schedule));
	value = json_object_get(schedule, fields[column]);
	if (json_is_string(value))
		return strdup(json_string_value(value));
	if (!json_is_integer(value))
		return strdup("-");
	snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
		 json_integer_value(value));
	return strdup(number);
}

static int
print_list(struct ctl *ctl, const json_t *list)
{
	const size_t n = json_array_size(list) * N_COLUMNS;
	char **cells = calloc(n + 1, sizeof(*cells));
	int status = 0;
	size_t i;

	for (i = 0; cells != NULL && i < n; i++)
		cells[i] =
		    cell(json_array_get(list, i / N_COLUMNS), i % N_COLUMNS);
	if (cells == NULL ||
	    print_table(columns, N_COLUMNS, (const char *const *)cells,
			json_array_size(list)) != 0) {
		complain(ctl, "cannot print the table");
		status = err_exit_status(ERR_SYSTEM);
	}
	for (i = 0; cells != NULL && i < n; i++)
		free(cells[i]);
	free(cells);
	return status;
}

/* Page by page; NULL with *err. */
static json_t *
read_all(struct schedules *db, const struct list_options *o, struct err *err)
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

	(void)argc;
	(void)argv;
	if (o->enabled && o->disabled) {
		complain(ctl, "--enabled and --disabled exclude each other");
		return err_exit_status(ERR_USAGE);
	}
	if ((db = open_schedules(ctl, &status)) == NULL)
		return status;
	list = read_all(db, o, &err);
	schedules_close(db);
	if (list == NULL)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json) {
		print_json_line(list);
		return 0;
	}
	status = print_list(ctl, list);
	json_decref(list);
	return status;
}

static const struct option_spec list_options[] = {
    {.name = "enabled",
     .help = "only those that are enabled",
     .value = {VALUE_FLAG, offsetof(struct list_options, enabled), 0, 0}},
    {.name = "disabled",
     .help = "only those that are not",
     .value = {VALUE_FLAG, offsetof(struct list_options, disabled), 0, 0}},
    {.name = "task",
     .arg = "NAME",
     .help = "only those of this task",
     .value = {VALUE_TEXT, offsetof(struct list_options, task), 0, 0}},
};

const struct verb verb_schedule_list = {
    .name = "schedule list",
    .summary = "Lists the schedules",
    .usage = "[--enabled|--disabled] [--task NAME]",
    .options = list_options,
    .n_options = sizeof(list_options) / sizeof(list_options[0]),
    .options_size = sizeof(struct list_options),
    .run = run_list,
};

/* --- show -------------------------------------------------------------- */

/* One field a line; JSON but for strings. */
static void
print_fields(const json_t *object)
{
	const char *name;
	json_t *value;
	char *text;

	json_object_foreach ((json_t *)object, name, value) {
		if (json_is_string(value)) {
			printf("%-12s %s\n", name, json_string_value(value));
			continue;
		}
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT |
					     JSON_REAL_PRECISION(15));
		printf("%-12s %s\n", name,
		       json_is_null(value) || text == NULL ? "-" : text);
		free(text);
	}
}

static int
run_show(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct schedules_list *found;
	struct err err = ERR_INIT;
	struct schedules *db;
	json_t *schedule;
	int status = 0;

	(void)argc;
	(void)options;
	if ((db = open_schedules(ctl, &status)) == NULL)
		return status;
	if (schedules_get(db, argv[0], &found, &err) != 0) {
		status = complain_of_err(ctl, &err);
	} else {
		schedule = schedule_json(&found->items[0]);
		schedules_list_free(found);
		if (ctl->globals.json)
			print_json_line(json_incref(schedule));
		else
			print_fields(schedule);
		json_decref(schedule);
	}
	schedules_close(db);
	return status;
}

const struct verb verb_schedule_show = {
    .name = "schedule show",
    .summary = "Prints all there is to know of a schedule",
    .usage = "ID",
    .min_args = 1,
    .max_args = 1,
    .run = run_show,
};

/* --- stats ------------------------------------------------------------- */

static json_t *
scheduler_json(const struct schedules_scheduler *s, int64_t now_us)
{
	return json_pack(
	    "{s:s,s:s,s:I,s:o,s:o,s:f,s:f,s:f,s:I}", "id", s->id, "host",
	    s->host, "pid", (json_int_t)s->pid, "started_at",
	    moment_json(s->started_us), "seen_at", moment_json(s->seen_us),
	    "seen_ago", (double)(now_us - s->seen_us) / US_PER_S, "lag",
	    (double)s->lag_us / US_PER_S, "max_lag",
	    (double)s->max_lag_us / US_PER_S, "fires", (json_int_t)s->fires);
}

static json_t *
stats_json(const struct schedules_stats *s, int64_t now_us)
{
	json_t *missed = json_object(), *skipped = json_object(),
	       *schedulers = json_array();
	size_t i;

	for (i = 0; i < SCHEDULE_N_REASONS; i++)
		json_object_set_new(
		    schedule_reason_is_missed((enum schedule_reason)i)
			? missed
			: skipped,
		    schedule_reason_name((enum schedule_reason)i),
		    json_integer(s->skipped[i]));
	for (i = 0; i < s->n_schedulers; i++)
		json_array_append_new(
		    schedulers, scheduler_json(&s->schedulers[i], now_us));
	return json_pack(
	    "{s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:I,s:o,s:o,s:o}", "schedules",
	    (json_int_t)s->schedules, "enabled", (json_int_t)s->enabled,
	    "set_aside", (json_int_t)s->set_aside, "due", (json_int_t)s->due,
	    "unsent", (json_int_t)s->unsent, "oldest_unsent",
	    moment_json(s->oldest_unsent_us), "next_due",
	    moment_json(s->next_due_us), "runs", (json_int_t)s->runs, "missed",
	    missed, "skipped", skipped, "schedulers", schedulers);
}

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
		printf("scheduler    none runs\n");
}

static int
run_stats(struct ctl *ctl, int argc, char **argv, void *options)
{
	const int64_t now_us = clock_wall_us();
	struct schedules_stats *stats;
	struct err err = ERR_INIT;
	struct schedules *db;
	int status = 0;

	(void)options;
	if ((db = open_schedules(ctl, &status)) == NULL)
		return status;
	if (schedules_stats(db, argc > 0 ? argv[0] : NULL, now_us, &stats,
			    &err) != 0) {
		status = complain_of_err(ctl, &err);
	} else {
		if (ctl->globals.json)
			print_json_line(stats_json(stats, now_us));
		else
			print_stats(stats, now_us);
		schedules_stats_free(stats);
	}
	schedules_close(db);
	return status;
}

const struct verb verb_schedule_stats = {
    .name = "schedule stats",
    .summary = "Prints what has run, was missed or skipped, and who schedules",
    .usage = "[ID]",
    .max_args = 1,
    .run = run_stats,
};
