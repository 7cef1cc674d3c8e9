/* SPDX-License-Identifier: MIT */
/* What a schedule is, from what operators write: checked, with all that is not
 * said filled in. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/value.h"
#include "core/limit.h"
#include "core/task.h"
#include "core/trace_context.h"
#include "cron/tz.h"
#include "manager/moment.h"
#include "manager/schedule_flow.h"
#include "manager/schedule_private.h"
#include "manager/schedule_zone.h"
#include "util/err.h"
#include "util/name.h"

#define US_PER_S INT64_C(1000000)

/* --- checks ------------------------------------------------------------ */

/* Text that is stored as it is, and becomes a part of each task: hence one
 * level of depth less than a task may have. */
static int
check_form_json(const char *what, const char *text, enum scan_type type,
		struct err *err)
{
	struct scan_value value;

	if (!is_given(text))
		return 0;
	if (value_scan(slice_of(text), TASK_DEPTH_MAX - 1, &value, err) != 0)
		return err_prefix(err, "%s", what);
	if (value.type == type)
		return 0;
	return err_set(err, ERR_DATA, "%s must be a JSON %s", what,
		       type == SCAN_ARRAY ? "array" : "object");
}

/* The ID of each fire begins with it, hence shorter than that of a task. */
static int
check_id(const char *id, struct err *err)
{
	if (!is_given(id) ||
	    (strlen(id) <= SCHEDULE_ID_MAX && task_id_valid(slice_of(id))))
		return 0;
	return err_set(err, ERR_DATA,
		       "\"%.64s\" is not a valid ID: 1 to %d printable "
		       "ASCII characters without spaces",
		       id, SCHEDULE_ID_MAX);
}

/* All that would fail at each fire, days later and unseen, fails here. */
static int
check_texts(const struct drafting *d, struct err *err)
{
	const struct schedule_form *f = d->form;

	if (!is_given(f->task)) {
		err_set(err, ERR_DATA, "the name of the task is missing");
		return blame(d, "task");
	}
	if (name_check_task(slice_of(f->task), ERR_DATA, err) != 0)
		return blame(d, "task");
	if (is_given(f->queue) &&
	    name_check_queue(slice_of(f->queue), ERR_DATA, err) != 0)
		return blame(d, "queue");
	if (is_given(f->group) &&
	    limit_check_group(slice_of(f->group), ERR_DATA, err) != 0)
		return blame(d, "group");
	if (check_id(f->id, err) != 0)
		return blame(d, "id");
	if (f->end_us != 0 && f->end_us <= f->start_us) {
		err_set(err, ERR_DATA,
			"end-at is before start-at; set end-at after start-at");
		return blame(d, "end_at");
	}
	if (is_given(f->traceparent) &&
	    traceparent_check(f->traceparent, err) != 0)
		return blame(d, "traceparent");
	if (check_form_json("args", f->args, SCAN_ARRAY, err) != 0)
		return blame(d, "args");
	if (check_form_json("kwargs", f->kwargs, SCAN_OBJECT, err) != 0)
		return blame(d, "kwargs");
	return 0;
}

/* The words are the database's; `of` returns -1 for another one. Not said means
 * `standard`, or is an error if that is -1. */
static int
choose_word(const char *what, const char *text, int (*of)(const char *),
	    int standard, const char *choices, int *ret, struct err *err)
{
	if (!is_given(text) && standard < 0)
		return err_set(err, ERR_DATA, "%s is missing: one of %s", what,
			       choices);
	*ret = is_given(text) ? of(text) : standard;
	if (*ret >= 0)
		return 0;
	return err_set(err, ERR_DATA, "%s \"%.64s\": not one of %s", what, text,
		       choices);
}

/* What is standard: a schedule that was missed fires once, for the latest time;
 * runs may overlap; and day fields are joined as cron does. */
static int
check_choices(const struct drafting *d, struct err *err)
{
	const struct schedule_form *f = d->form;
	struct schedule *s = &d->draft->schedule;
	int type = 0, misfire = 0, overlap = 0, day_match = 0;

	if (choose_word("type", f->type, schedule_type_of, -1,
			"cron, interval, once", &type, err) != 0)
		return blame(d, "type");
	if (choose_word("misfire", f->misfire, schedule_misfire_of,
			SCHEDULE_LATEST, "skip, once, all", &misfire, err) != 0)
		return blame(d, "misfire");
	if (choose_word("overlap", f->overlap, schedule_overlap_of,
			SCHEDULE_OVERLAP_ALLOW, "allow, skip, replace",
			&overlap, err) != 0)
		return blame(d, "overlap");
	if (choose_word("day-match", f->day_match, schedule_day_match_of,
			SCHEDULE_DAYS_OR, "or, and", &day_match, err) != 0)
		return blame(d, "day_match");
	s->type = (enum schedule_type)type;
	s->misfire = (enum schedule_misfire)misfire;
	s->overlap = (enum schedule_overlap)overlap;
	s->day_match = (enum schedule_day_match)day_match;
	return 0;
}

/* It is stored in one form, however it was written. */
static int
check_flow(const struct drafting *d, struct err *err)
{
	const char *stray;

	if (schedule_flow_is_none(d->form->workflow))
		return 0;
	if ((stray = schedule_flow_stray(d->form)) != NULL) {
		err_set(err, ERR_DATA,
			"%s means nothing beside a workflow; say it in its "
			"steps",
			stray);
		return blame(d, stray);
	}
	if (schedule_flow_write(d->form->workflow, NULL, NULL, &d->draft->flow,
				err) != 0)
		return blame(d, "workflow");
	buf_addc(&d->draft->flow, '\0');
	return d->draft->flow.failed ? err_nomem(err) : 0;
}

/* --- fields ------------------------------------------------------------ */

/* What is not set is so in both units. */
static int64_t
form_microseconds(double seconds)
{
	return seconds < 0 ? SCHEDULE_UNSET
			   : (int64_t)(seconds * US_PER_S + 0.5);
}

/* From the units of a form to those of a schedule; words are read by
 * check_choices(). */
#define STORED_TEXT(value, stored) ((value) != NULL ? (value) : "")
#define STORED_INT(value, stored) (value)
#define STORED_NUMBER(value, stored) (value)
#define STORED_SECONDS(value, stored) form_microseconds(value)
#define STORED_SPAN(value, stored) form_microseconds(value)
#define STORED_LIMIT(value, stored) form_microseconds(value)
#define STORED_MOMENT(value, stored) (value)
#define STORED_MISFIRE(value, stored) (stored)
#define STORED_OVERLAP(value, stored) (stored)
#define STORED_DAY_MATCH(value, stored) (stored)

/* What needs no check. Texts are the form's, so that the draft must not outlive
 * it. */
static void
fill_schedule(const struct drafting *d)
{
	const struct schedule_form *f = d->form;
	struct schedule *s = &d->draft->schedule;

	s->id = d->old != NULL ? d->old->id : f->id;
	if (!is_given(s->id)) {
		uuid_make(d->draft->id);
		s->id = d->draft->id;
	}
	s->task = f->task;
#define SCHEDULE_FIELD(field, type, member, stored, as, ...)                   \
	s->stored = STORED_##as(f->member, s->stored);
#define SCHEDULE_SETTING(field, type, member, stored, ...)                     \
	s->stored = STORED_##type(f->member, s->stored);
#define SCHEDULE_JSON_FIELD(field, kind, member, stored, ...)                  \
	s->stored = f->member;
#define SCHEDULE_NOTE(field, member, stored, ...)                              \
	s->stored = STORED_TEXT(f->member, s->stored);
#include "manager/schedule.def"
	/* The database has these where nothing is said. */
	s->args = is_given(s->args) ? s->args : "[]";
	s->kwargs = is_given(s->kwargs) ? s->kwargs : "{}";
	s->workflow = d->draft->flow.len > 0 ? d->draft->flow.data : "";
	s->enabled = f->enabled;
	s->created_us = d->old != NULL ? d->old->created_us : d->now_us;
	s->owner = "";
	if (d->old == NULL)
		return;
	s->owner = d->old->owner;
	s->last_run_us = d->old->last_run_us;
	s->runs = d->old->runs;
	s->rule_us = d->old->rule_us;
}

/* --- rules ------------------------------------------------------------- */

/* The same period is always the same text, "90s", however it was written: texts
 * of rules are compared to see whether a schedule has changed. */
static int
write_period(const char *text, char *rule, size_t size, struct err *err)
{
	int64_t us;

	if (clock_parse_duration(text, &us, err) != 0)
		return -1;
	if (us % US_PER_S == 0)
		snprintf(rule, size, "%" PRId64 "s", us / US_PER_S);
	else if (us % 1000 == 0)
		snprintf(rule, size, "%" PRId64 "ms", us / 1000);
	else /* no unit is as small; without one, it is seconds */
		snprintf(rule, size, "%" PRId64 ".%06" PRId64, us / US_PER_S,
			 us % US_PER_S);
	return 0;
}

/* A fixed time, for "10m" too: the schedule must mean the same tomorrow. The zone
 * is that of the clock that the person looked at. */
static int
write_moment(const struct drafting *d, struct err *err)
{
	const char *tz = d->draft->schedule.tz;
	struct moment_reading reading = {.side = MOMENT_FUTURE,
					 .now_us = d->now_us};
	struct tz_set *zones = NULL;
	int result = 0;
	int64_t us;

	if (is_given(tz)) {
		if ((zones = tz_set_new(NULL, err)) == NULL)
			return -1;
		reading.zone = tz_find(zones, slice_of(tz), err);
		if (reading.zone == NULL)
			result = blame(d, "tz");
	}
	if (result == 0)
		result = moment_read(d->form->rule, &reading, &us, err);
	tz_set_free(zones);
	if (result == 0)
		clock_format(us, d->draft->rule);
	return result;
}

/* The rule's text. That of cron stays as it was written, since users want to
 * find it again. */
static int
fill_rule(const struct drafting *d, struct err *err)
{
	struct schedule *s = &d->draft->schedule;
	char *own = d->draft->rule;
	const char *rule = d->form->rule;

	if (!is_given(rule))
		return err_set(err, ERR_DATA, "the rule is missing");
	s->rule = own;
	if (s->type == SCHEDULE_INTERVAL)
		return write_period(rule, own, sizeof(d->draft->rule), err);
	if (s->type == SCHEDULE_ONCE)
		return write_moment(d, err);
	s->rule = rule;
	return zone_check(rule, s->tz, err);
}

void
schedule_draft_done(struct schedule_draft *draft)
{
	buf_done(&draft->flow);
}

/* In the order of what a person sees: the form's own mistakes first, then those
 * that need the rule. */
int
drafting_define(const struct drafting *d, struct err *err)
{
	*d->fault = (struct schedule_fault){.field = NULL};
	memset(d->draft, 0, sizeof(*d->draft));
	d->draft->schedule.fault = d->draft->schedule.tz_data = "";
	if (check_texts(d, err) == 0 && check_choices(d, err) == 0 &&
	    check_flow(d, err) == 0) {
		fill_schedule(d);
		if (fill_rule(d, err) == 0)
			return 0;
		if (d->fault->field == NULL)
			blame(d, "rule");
	}
	schedule_draft_done(d->draft);
	return -1;
}

int
schedule_define(const struct schedule_form *form, int64_t now_us,
		struct schedule_draft *ret, struct schedule_fault *fault,
		struct err *err)
{
	const struct drafting d = {
	    .form = form, .now_us = now_us, .draft = ret, .fault = fault};

	return drafting_define(&d, err);
}
