/* SPDX-License-Identifier: MIT */
/* When schedules fire: the next times of one, and the week of all. They are
 * computed with the scheduler's own code (beat/rule.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "beat/rule.h"
#include "cron/tz.h"
#include "manager/schedule_json.h"
#include "manager/schedules.h"
#include "util/clock.h"
#include "util/err.h"

#define US_PER_S INT64_C(1000000)
#define HOUR_US (3600 * US_PER_S)
#define NEXT_MAX 1000 /* fires of one answer */

/* --- next fires ----------------------------------------------------------- */

/* "2026-11-23T10:00:00+01:00", the local time. */
static json_t *
local_json(int64_t at_us, int32_t offset_s)
{
	const int64_t local_us = at_us + offset_s * US_PER_S;
	const unsigned int minutes = (unsigned int)abs(offset_s) / 60;
	char text[CLOCK_TEXT_SIZE];

	clock_format(local_us, text);
	return json_sprintf(
	    "%.*s%c%02u:%02u", local_us % US_PER_S == 0 ? 19 : 26, text,
	    offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* The rule's own zone is the one that people think in, so that both times are
 * told. */
static json_t *
next_json(const struct schedule *s, const struct rule *rule, int64_t at_us,
	  size_t n)
{
	static const char *const notes[] = {
	    [RULE_PLAIN] = NULL, [RULE_GAP] = "gap", [RULE_FOLD] = "fold"};
	struct buf words = BUF_INIT;
	json_t *items = json_array(), *json;
	size_t i;

	for (i = 0;
	     i < n && i < NEXT_MAX && (at_us = rule_next(rule, at_us)) != 0;
	     i++)
		json_array_append_new(
		    items,
		    json_pack("{s:o,s:o,s:s?}", "at", moment_json(at_us),
			      "local",
			      local_json(at_us, rule_offset_s(rule, at_us)),
			      "note", notes[rule_note(rule, at_us)]));
	schedule_words(s, &words);
	json = json_pack("{s:o,s:s,s:s%}", "items", items, "tz",
			 rule_zone_name(rule), "words",
			 words.data != NULL ? words.data : "", words.len);
	buf_done(&words);
	return json;
}

/* A fire that is due of the rule before comes first: it will be done. */
static json_t *
next_of_schedule(const struct schedule *s, int64_t after_us, size_t n,
		 struct err *err)
{
	struct tz_set *zones = tz_set_new(NULL, err);
	struct rule rule;
	json_t *json = NULL;

	if (zones != NULL && rule_read(s, zones, &rule, NULL, err) == 0 &&
	    (json = next_json(s, &rule, after_us, n)) == NULL)
		err_nomem(err);
	tz_set_free(zones);
	return json;
}

/* By the rule as it is stored: of one that is disabled, too. */
json_t *
schedule_next_fires(struct schedules *db, const char *id, int64_t after_us,
		    size_t n, struct err *err)
{
	struct schedules_list *found;
	json_t *json;

	if (schedules_get(db, id, &found, err) != 0)
		return NULL;
	json = next_of_schedule(&found->items[0], after_us, n, err);
	schedules_list_free(found);
	return json;
}

/* A form that is not stored, and may lack what does not change when it
 * fires. */
json_t *
schedule_preview(const struct schedule_form *form, int64_t after_us, size_t n,
		 struct schedule_fault *fault, struct err *err)
{
	struct schedule_form named = *form;
	struct schedule_draft draft;
	json_t *answer;

	/* People fill forms in from the top. */
	if (named.task == NULL || named.task[0] == '\0')
		named.task = "preview";
	if (schedule_draft(&named, NULL, after_us, &draft, fault, err) != 0)
		return NULL;
	answer = next_of_schedule(&draft.schedule, after_us, n, err);
	schedule_draft_done(&draft);
	return answer;
}

/* --- the calendar --------------------------------------------------------- */

#define DAYS_MAX 31
/* Schedules that an hour names; the others are counted. */
#define NAMED_MAX 10
#define PAGE 500
/* A person waits for the page. With a million schedules the answer is of those
 * that fire soonest, and says so. */
#define BUDGET_US INT64_C(500000)

/* An hour, with the schedules that fire in it most, the most first. */
struct calendar_hour {
	int64_t count, others;
	size_t n;
	struct {
		char *id;
		int64_t count;
	} named[NAMED_MAX];
};

/* One calendar while it is filled; some 140 KiB, and so not on the stack. */
struct calendar {
	int64_t from_us, to_us;
	int days;
	int64_t until_us; /* of the monotonic clock */
	struct tz_set *zones;
	size_t looked_at;
	bool complete;
	struct calendar_hour hours[DAYS_MAX * 24];
};

/* The list of an hour is short and kept in order: most schedules fire in an
 * hour once, and are only counted. */
static int
hour_add(struct calendar_hour *hour, const char *id, int64_t count,
	 struct err *err)
{
	size_t i = hour->n;

	hour->count += count;
	if (hour->n == NAMED_MAX) {
		hour->others++;
		if (hour->named[--i].count >= count)
			return 0;
		free(hour->named[i].id);
	} else {
		hour->n++;
	}
	for (; i > 0 && hour->named[i - 1].count < count; i--)
		hour->named[i] = hour->named[i - 1];
	hour->named[i].count = count;
	hour->named[i].id = strdup(id);
	return hour->named[i].id != NULL ? 0 : err_nomem(err);
}

/* What is left of max_runs, or all. */
static int64_t
runs_left(const struct schedule *s)
{
	return s->max_runs > 0 ? s->max_runs - s->runs : INT64_MAX;
}

/* From hour to hour with a fire. The next fire may be an old rule's, and is
 * past then. */
static int
calendar_add(struct calendar *c, const struct schedule *s, struct err *err)
{
	int64_t left = runs_left(s), at_us, begin_us, n;
	struct rule rule;
	size_t i;

	c->looked_at++;
	/* What cannot be read does not fire; the list says why. */
	if (rule_read(s, c->zones, &rule, NULL, NULL) != 0)
		return 0;
	for (at_us = rule_next(&rule, c->from_us - 1);
	     at_us != 0 && at_us < c->to_us && left > 0;
	     at_us = rule_next(&rule, begin_us + HOUR_US - 1)) {
		i = (size_t)((at_us - c->from_us) / HOUR_US);
		begin_us = c->from_us + (int64_t)i * HOUR_US;
		n = rule_count(&rule, begin_us, begin_us + HOUR_US);
		n = n < left ? n : left;
		left -= n;
		if (hour_add(&c->hours[i], s->id, n, err) != 0)
			return -1;
	}
	return 0;
}

/* By their next fires: if the time is over, those that come soonest are in. */
static int
calendar_fill(struct calendar *c, struct schedules *db, struct err *err)
{
	char after[SCHEDULE_ID_MAX + 1] = "";
	struct schedules_filter filter = {
	    .by_due = true, .limit = PAGE, .after = after};
	struct schedules_list *page;
	size_t i, n = PAGE;
	int result = 0;

	while (n == PAGE && result == 0) {
		if (schedules_list(db, &filter, &page, err) != 0)
			return -1;
		n = page->n;
		for (i = 0; i < n && result == 0; i++) {
			if (clock_mono_us() >= c->until_us) {
				schedules_list_free(page);
				return 0;
			}
			result = calendar_add(c, &page->items[i], err);
		}
		if (n > 0) {
			snprintf(after, sizeof(after), "%s",
				 page->items[n - 1].id);
			filter.after_due_us = page->items[n - 1].due_us;
		}
		schedules_list_free(page);
	}
	c->complete = result == 0;
	return result;
}

static json_t *
hour_json(const struct calendar *c, size_t i)
{
	const struct calendar_hour *hour = &c->hours[i];
	json_t *named = json_array();
	size_t k;

	for (k = 0; k < hour->n; k++)
		json_array_append_new(
		    named,
		    json_pack("{s:s,s:I}", "id", hour->named[k].id, "count",
			      (json_int_t)hour->named[k].count));
	return json_pack("{s:o,s:I,s:o,s:I}", "at",
			 moment_json(c->from_us + (int64_t)i * HOUR_US),
			 "count", (json_int_t)hour->count, "schedules", named,
			 "others", (json_int_t)hour->others);
}

/* Hours without fires are left out. */
static json_t *
calendar_json(const struct calendar *c)
{
	json_t *hours = json_array();
	size_t i;

	for (i = 0; i < (size_t)c->days * 24; i++)
		if (c->hours[i].count > 0)
			json_array_append_new(hours, hour_json(c, i));
	return json_pack("{s:o,s:i,s:s,s:b,s:I,s:o}", "from",
			 moment_json(c->from_us), "days", c->days, "tz", "UTC",
			 "complete", c->complete, "looked_at",
			 (json_int_t)c->looked_at, "hours", hours);
}

static void
calendar_free(struct calendar *c)
{
	size_t i, k;

	if (c == NULL)
		return;
	for (i = 0; i < DAYS_MAX * 24; i++)
		for (k = 0; k < c->hours[i].n; k++)
			free(c->hours[i].named[k].id);
	tz_set_free(c->zones);
	free(c);
}

/* Hours of UTC, of which none is left out and none comes twice; pages show them
 * in their zone. */
json_t *
schedule_calendar(struct schedules *db, int64_t from_us, int days,
		  int64_t budget_us, struct err *err)
{
	struct calendar *c = calloc(1, sizeof(*c));
	json_t *json = NULL;

	if (c == NULL) {
		err_nomem(err);
		return NULL;
	}
	c->days = days < 1 ? 1 : days > DAYS_MAX ? DAYS_MAX : days;
	c->from_us = from_us - from_us % HOUR_US;
	c->to_us = c->from_us + c->days * 24 * HOUR_US;
	c->until_us = clock_mono_us() + (budget_us > 0 ? budget_us : BUDGET_US);
	c->zones = tz_set_new(NULL, err);
	if (c->zones != NULL && calendar_fill(c, db, err) == 0 &&
	    (json = calendar_json(c)) == NULL)
		err_nomem(err);
	calendar_free(c);
	return json;
}
