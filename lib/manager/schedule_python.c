/* SPDX-License-Identifier: MIT */
/*
 * Schedules of the Python package. It has times without a zone, by its machine's
 * clock; day fields that both must match; a greater priority first; and a number
 * of retries and a delay for each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cron/cron.h"
#include "manager/schedule_import.h"
#include "manager/schedule_json.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/err.h"

#define US_PER_S INT64_C(1000000)

/* One reading. */
struct python {
	struct schedule_import *import;
	struct schedule_file *file;
	const struct tz *zone;
	char zone_name[TZ_NAME_MAX + 1];
	int row; /* from 1 */
};

/* A text without a zone is the machine's local time; of a time that comes twice
 * it is the first, of one that is left out the moment behind the gap. */
static int
python_moment(const struct python *py, const char *text, int64_t *ret_us)
{
	int64_t local_us, offset, before, after;

	if (text == NULL || clock_parse(text, &local_us, NULL) != 0)
		return -1;
	/* With an offset of its own it is a moment already. */
	if (strlen(text) > 19 &&
	    (strchr(text + 19, '+') != NULL || strchr(text + 19, '-') != NULL ||
	     strchr(text + 19, 'Z') != NULL)) {
		*ret_us = local_us;
		return 0;
	}
	/* The offsets a day before and after: one of them holds. */
	before = tz_offset_s(py->zone, local_us / US_PER_S - 86400);
	after = tz_offset_s(py->zone, local_us / US_PER_S + 86400);
	*ret_us = local_us - before * US_PER_S;
	offset = tz_offset_s(py->zone, *ret_us / US_PER_S);
	if (offset != before &&
	    tz_offset_s(py->zone, local_us / US_PER_S - after) == after)
		*ret_us = local_us - after * US_PER_S;
	return 0;
}

/* As a file of ours has it, in UTC. */
static json_t *
python_time(int64_t us)
{
	char text[MOMENT_SIZE];

	moment_text(us, text);
	return json_string(text);
}

/* The package runs an interval a period after the last run: its next run, put
 * back to the first moment in step with it since it was made, so that the same
 * table always gives the same start. */
static void
add_phase(const struct python *py, const struct schedules_python *row,
	  json_t *to)
{
	int64_t period_us, next_us, created_us;

	if (clock_parse_duration(row->schedule, &period_us, NULL) != 0 ||
	    period_us <= 0 || python_moment(py, row->next_run, &next_us) != 0 ||
	    python_moment(py, row->created, &created_us) != 0 ||
	    next_us < created_us)
		return;
	json_object_set_new(to, "start_at",
			    python_time(next_us - (next_us - created_us) /
						      period_us * period_us));
}

/* type, rule, and what goes with them. False: it is told why it is left out. */
static bool
add_rule(struct python *py, const struct schedules_python *row, json_t *to)
{
	const char *type = row->type != NULL ? row->type : "";
	int64_t us;

	if (strcmp(type, "cron") == 0) {
		json_object_set_new(to, "type", json_string("cron"));
		json_object_set_new(to, "rule", json_string(row->schedule));
		json_object_set_new(to, "tz", json_string(py->zone_name));
		json_object_set_new(to, "day_match", json_string("and"));
		return true;
	}
	if (strcmp(type, "interval") == 0) {
		json_object_set_new(to, "type", json_string("interval"));
		json_object_set_new(to, "rule", json_string(row->schedule));
		add_phase(py, row, to);
		return true;
	}
	if (strcmp(type, "one_time") != 0) {
		schedule_import_refuse(py->import, py->row,
				       "schedule %s: unknown type \"%.32s\"",
				       row->id, type);
		return false;
	}
	if (python_moment(py, row->schedule, &us) != 0) {
		schedule_import_refuse(py->import, py->row,
				       "schedule %s: \"%.64s\" is not a time",
				       row->id, row->schedule);
		return false;
	}
	/* The package switches off what it has run. */
	if (us <= py->import->now_us) {
		py->import->note(py->import->arg, py->row,
				 row->enabled
				     ? "a time that has passed is left out"
				     : "a time that is done is left out");
		return false;
	}
	json_object_set_new(to, "type", json_string("once"));
	json_object_set_new(to, "rule", python_time(us));
	return true;
}

/* By JSON, since the databases write it in ways of their own. */
static bool
add_arguments(struct python *py, const struct schedules_python *row, json_t *to)
{
	json_t *args =
	    json_loads(row->args != NULL ? row->args : "[]", 0, NULL);
	json_t *kwargs =
	    json_loads(row->kwargs != NULL ? row->kwargs : "{}", 0, NULL);
	const bool valid = json_is_array(args) && json_is_object(kwargs);

	if (valid) {
		json_object_set(to, "args", args);
		json_object_set(to, "kwargs", kwargs);
	} else {
		schedule_import_refuse(py->import, py->row,
				       "schedule %s: its arguments are not "
				       "JSON",
				       row->id);
	}
	json_decref(args);
	json_decref(kwargs);
	return valid;
}

/* Ours run the lower number first. */
static int
add_python_row(void *arg, const struct schedules_python *row, struct err *err)
{
	const char *delay = row->retry_delay;
	struct python *py = arg;
	int result = 0;
	json_t *to;

	py->row++;
	if (row->id == NULL || row->task == NULL || row->schedule == NULL) {
		schedule_import_refuse(py->import, py->row,
				       "a row without id, task or schedule");
		return 0;
	}
	to = json_pack("{s:s,s:s,s:b,s:I,s:I,s:b}", "id", row->id, "task",
		       row->task, "enabled", row->enabled, "max_retries",
		       (json_int_t)row->max_retries, "priority",
		       (json_int_t)-row->priority, "force", 1);
	if (delay != NULL)
		json_object_set_new(to, "retry_delay", json_string(delay));
	if (row->description != NULL && row->description[0] != '\0')
		json_object_set_new(to, "description",
				    json_string(row->description));
	if (add_rule(py, row, to) && add_arguments(py, row, to))
		result =
		    schedule_import_add(py->import, py->file, to, py->row, err);
	json_decref(to);
	return result;
}

/* The zone must be known before any row: a wrong one would move all of them. */
int
schedule_read_python(struct schedule_import *import, const char *url,
		     struct schedule_file *file, struct err *err)
{
	struct python py = {.import = import, .file = file};
	struct tz_set *zones = tz_set_new(NULL, err);
	int result = -1;

	if (zones == NULL)
		return -1;
	if (import->tz != NULL)
		snprintf(py.zone_name, sizeof(py.zone_name), "%s", import->tz);
	else
		schedule_local_zone(py.zone_name);
	py.zone = strcmp(py.zone_name, "UTC") == 0
		      ? tz_utc()
		      : tz_find(zones, slice_of(py.zone_name), err);
	if (py.zone != NULL)
		result = schedules_read_python(url, add_python_row, &py, err);
	tz_set_free(zones);
	return result;
}
