/* SPDX-License-Identifier: MIT */
/* Schedules, and the figures of the schedulers, as JSON: for flowrractl and for
 * programs that read it. Durations are in seconds, times in UTC. */
#include "manager/schedule_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "manager/schedule.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "util/clock.h"

#define US_PER_S 1e6

/* With the offset of records and of all other times of ours, so that texts of one
 * answer can be compared. Most schedules fire on whole seconds: a fraction of
 * zeros is left out then, as Python's isoformat() does. */
void
moment_text(int64_t us, char text[MOMENT_SIZE])
{
	char full[CLOCK_TEXT_SIZE];

	clock_format(us, full);
	if (us % 1000000 == 0)
		snprintf(text, MOMENT_SIZE, "%.19s+00:00", full);
	else
		snprintf(text, MOMENT_SIZE, "%.26s+00:00", full);
}

void
moment_text_in(int64_t us, int32_t offset_s, char text[MOMENT_SIZE])
{
	const int minutes = abs(offset_s) / 60;
	const int64_t east_us = INT64_C(60000000) * minutes;

	/* RFC 3339 has no seconds of an offset: the moment stays right. */
	moment_text(offset_s < 0 ? us - east_us : us + east_us, text);
	snprintf(text + strlen(text) - strlen("+00:00"), sizeof("+00:00"),
		 "%c%02d:%02d", offset_s < 0 ? '-' : '+', minutes / 60 % 100,
		 minutes % 60);
}

/* INT64_MAX is "never again", as the scheduler stores it. */
json_t *
moment_json(int64_t us)
{
	char text[MOMENT_SIZE];

	if (us == 0 || us == INT64_MAX)
		return json_null();
	moment_text(us, text);
	return json_string(text);
}

static json_t *
seconds_or_null(int64_t us)
{
	return us == SCHEDULE_UNSET ? json_null()
				    : json_real((double)us / US_PER_S);
}

/* The database has empty texts where nothing was said. */
static json_t *
text_or_json_null(const char *text)
{
	return text == NULL || text[0] == '\0' ? json_null()
					       : json_string(text);
}

/* Arguments as JSON. What another program stored may not be JSON: then as a
 * string. */
static json_t *
json_text(const char *text)
{
	json_t *json = load_json(slice_of(text), NULL);

	return json != NULL ? json : json_string(text);
}

/* What it comes to, in one word; a fault goes before all, since it needs an
 * operator. */
static const char *
schedule_state(const struct schedule *s)
{
	if (s->fault[0] != '\0')
		return "set aside";
	if (!s->enabled)
		return "disabled";
	return s->next_run_us == 0 || s->next_run_us == INT64_MAX ? "ended"
								  : "enabled";
}

/* The types of core/task_options.def. */
#define JSON_OF_INT(value) json_integer(value)
#define JSON_OF_NUMBER(value) json_real(value)
#define JSON_OF_SECONDS(value) json_real((double)(value) / US_PER_S)

/* Null is "as the task's registration says". */
static void
add_settings(json_t *json, const struct schedule *s)
{
#define TASK_SETTING(field, type, member, ...)                                 \
	json_object_set_new(json, #field,                                      \
			    s->settings.member == TASK_UNSET                   \
				? json_null()                                  \
				: JSON_OF_##type(s->settings.member));
#include "core/task_options.def"
	json_object_set_new(json, "expires",
			    seconds_or_null(s->expires_us > 0
						? s->expires_us
						: SCHEDULE_UNSET));
}

static json_t *
policies_json(const struct schedule *s)
{
	return json_pack(
	    "{s:i,s:o,s:o,s:s,s:I,s:o,s:s,s:o,s:s,s:o,s:o,s:I,s:o,s:o,s:o,s:o}",
	    "priority", s->priority, "description",
	    text_or_json_null(s->description), "fault",
	    text_or_json_null(s->fault), "misfire",
	    schedule_misfire_name(s->misfire), "max_catchup",
	    (json_int_t)s->max_catchup, "grace", seconds_or_null(s->grace_us),
	    "overlap", schedule_overlap_name(s->overlap), "jitter",
	    seconds_or_null(s->jitter_us), "day_match",
	    schedule_day_match_name(s->day_match), "start_at",
	    moment_json(s->start_us), "end_at", moment_json(s->end_us),
	    "max_runs", (json_int_t)s->max_runs, "created_at",
	    moment_json(s->created_us), "updated_at",
	    moment_json(s->updated_us), "owner", text_or_json_null(s->owner),
	    "traceparent", text_or_json_null(s->traceparent));
}

static json_t *
words_json(const struct schedule *s)
{
	struct buf words = BUF_INIT;
	json_t *json;

	schedule_words(s, &words);
	json = json_stringn(words.data != NULL ? words.data : "", words.len);
	buf_done(&words);
	return json;
}

static json_t *
workflow_json(const struct schedule *s)
{
	return s->workflow[0] != '\0' ? json_text(s->workflow) : json_null();
}

/* In the order in which a human reads it: what it is, when it runs, then its
 * policies. */
json_t *
schedule_json(const struct schedule *s)
{
	json_t *policies = policies_json(s);
	json_t *json = json_pack(
	    "{s:s,s:s,s:s,s:s,s:o,s:s,s:s,s:o,s:o,s:o,s:b,s:o,s:o,s:I,s:o,s:o}",
	    "id", s->id, "task", s->task, "type", schedule_type_name(s->type),
	    "rule", s->rule, "words", words_json(s), "state", schedule_state(s),
	    "tz", s->tz[0] != '\0' ? s->tz : "UTC", "args", json_text(s->args),
	    "kwargs", json_text(s->kwargs), "workflow", workflow_json(s),
	    "enabled", s->enabled, "next_run", moment_json(s->next_run_us),
	    "last_run", moment_json(s->last_run_us), "runs",
	    (json_int_t)s->runs, "queue", text_or_json_null(s->queue), "group",
	    text_or_json_null(s->group));

	add_settings(json, s);
	json_object_update(json, policies);
	json_decref(policies);
	return json;
}

/* --- figures ------------------------------------------------------------- */

static json_t *
scheduler_json(const struct schedules_scheduler *s, int64_t now_us)
{
	return json_pack(
	    "{s:s,s:s,s:I,s:o,s:o,s:f,s:f,s:f,s:I,s:f,s:s,s:s}", "id", s->id,
	    "host", s->host, "pid", (json_int_t)s->pid, "started_at",
	    moment_json(s->started_us), "seen_at", moment_json(s->seen_us),
	    "seen_ago", (double)(now_us - s->seen_us) / US_PER_S, "lag",
	    (double)s->lag_us / US_PER_S, "max_lag",
	    (double)s->max_lag_us / US_PER_S, "fires", (json_int_t)s->fires,
	    "clock_off", (double)s->clock_off_us / US_PER_S, "state",
	    s->state[0] != '\0' ? s->state : "running", "lacks", s->lacks);
}

/* All reasons are there, also with 0, so that a graph has no holes. */
json_t *
schedule_stats_json(const struct schedules_stats *s, int64_t now_us)
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
		    schedulers,
		    scheduler_json(&s->schedulers[i],
				   s->clock_us != 0 ? s->clock_us : now_us));
	return json_pack(
	    "{s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:I,s:o,s:o,s:o}", "schedules",
	    (json_int_t)s->schedules, "enabled", (json_int_t)s->enabled,
	    "set_aside", (json_int_t)s->set_aside, "due", (json_int_t)s->due,
	    "unsent", (json_int_t)s->unsent, "oldest_unsent",
	    moment_json(s->oldest_unsent_us), "next_due",
	    moment_json(s->next_due_us), "runs", (json_int_t)s->runs, "missed",
	    missed, "skipped", skipped, "schedulers", schedulers);
}
