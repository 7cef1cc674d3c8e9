/* SPDX-License-Identifier: MIT */
/*
 * Schedules from what operators write, in options or in a form: checked, with
 * all that is not said filled in, and with the first fire.
 *
 * The rule is read by the scheduler's own code (beat/rule.h), so that what is
 * accepted here is what fires there.
 */
#include "manager/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "beat/rule.h"
#include "codec/value.h"
#include "core/task.h"
#include "cron/tz.h"
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

	if (text == NULL)
		return 0;
	if (value_scan(slice_of(text), TASK_DEPTH_MAX - 1, &value, err) != 0)
		return err_prefix(err, "%s", what);
	if (value.type == type)
		return 0;
	return err_set(err, ERR_DATA, "%s must be a JSON %s", what,
		       type == SCAN_ARRAY ? "array" : "object");
}

/* All that would fail at each fire, days later and unseen, fails here. */
static int
check_form_names(const struct schedule_form *f, const char *task,
		 struct err *err)
{
	if (name_check_task(slice_of(task), ERR_DATA, err) != 0)
		return -1;
	if (f->queue != NULL &&
	    name_check_queue(slice_of(f->queue), ERR_DATA, err) != 0)
		return -1;
	if (f->id != NULL && (strlen(f->id) > SCHEDULE_ID_MAX ||
			      !task_id_valid(slice_of(f->id))))
		return err_set(err, ERR_DATA,
			       "\"%.64s\" is not a valid ID: 1 to %d printable "
			       "ASCII characters without spaces",
			       f->id, SCHEDULE_ID_MAX);
	if (f->end_us != 0 && f->end_us <= f->start_us)
		return err_set(
		    err, ERR_DATA,
		    "end-at is before start-at; set end-at after start-at");
	return 0;
}

/* The words are the database's; `of` returns -1 for another one. Not said means
 * `standard`. */
static int
choose_word(const char *what, const char *text, int (*of)(const char *),
	    int standard, const char *choices, int *ret, struct err *err)
{
	*ret = text != NULL ? of(text) : standard;
	if (*ret >= 0)
		return 0;
	return err_set(err, ERR_DATA, "%s \"%.64s\": not one of %s", what, text,
		       choices);
}

/* What is standard: a schedule that was missed fires once, for the latest time;
 * runs may overlap; and day fields are joined as cron does. */
static int
check_choices(const struct schedule_form *f, struct schedule *s,
	      struct err *err)
{
	int misfire, overlap, day_match;

	if (choose_word("misfire", f->misfire, schedule_misfire_of,
			SCHEDULE_LATEST, "skip, once, all", &misfire,
			err) != 0 ||
	    choose_word("overlap", f->overlap, schedule_overlap_of,
			SCHEDULE_OVERLAP_ALLOW, "allow, skip", &overlap,
			err) != 0 ||
	    choose_word("day-match", f->day_match, schedule_day_match_of,
			SCHEDULE_DAYS_OR, "or, and", &day_match, err) != 0)
		return -1;
	s->misfire = (enum schedule_misfire)misfire;
	s->overlap = (enum schedule_overlap)overlap;
	s->day_match = (enum schedule_day_match)day_match;
	return 0;
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
	else
		snprintf(rule, size, "%" PRId64 "ms", us / 1000);
	return 0;
}

/* A fixed time, for "in 10m" too: the schedule must mean the same tomorrow. */
static int
write_moment(const char *text, int64_t now_us, char rule[CLOCK_TEXT_SIZE],
	     struct err *err)
{
	int64_t us;

	if (strncmp(text, "in ", 3) == 0) {
		if (clock_parse_duration(text + 3, &us, err) != 0)
			return -1;
		us += now_us;
	} else if (clock_parse(text, &us, err) != 0) {
		return err_prefix(err, "not a time or \"in 10m\"");
	}
	clock_format(us, rule);
	if (us > now_us)
		return 0;
	return err_set(err, ERR_DATA,
		       "\"%.64s\" is in the past; give a future time", text);
}

/* The rule's text. That of cron stays as it was written, since users want to
 * find it again. */
static int
fill_rule(struct schedule_draft *d, const char *rule, int64_t now_us,
	  struct err *err)
{
	struct schedule *s = &d->schedule;
	struct slice zone;

	s->rule = d->rule;
	if (s->type == SCHEDULE_INTERVAL)
		return write_period(rule, d->rule, sizeof(d->rule), err);
	if (s->type == SCHEDULE_ONCE)
		return write_moment(rule, now_us, d->rule, err);
	s->rule = rule;
	zone = cron_zone(rule);
	if (zone.p != NULL && s->tz != NULL && !slice_eq(zone, slice_of(s->tz)))
		return err_set(err, ERR_DATA,
			       "the expression already has a time zone, %.*s; "
			       "remove one of the two",
			       (int)zone.len, zone.p);
	return 0;
}

/* The first fire; ERR_DATA if there is none. */
static int
fill_next(struct schedule_draft *d, struct tz_set *zones, int64_t now_us,
	  struct cron_fault *fault, struct err *err)
{
	struct schedule *s = &d->schedule;
	struct schedule_next next;
	struct rule rule;

	if (rule_read(s, zones, &rule, fault, err) != 0)
		return -1;
	if (s->type == SCHEDULE_CRON &&
	    cron_check(&rule.cron, rule.zone, now_us, fault, err) != 0)
		return -1;
	/* The next fire depends on the zones' data: with another version the
	 * scheduler computes it again. */
	if (rule_needs_zone(&rule) && tz_version(NULL, d->tz_data, err) != 0)
		return -1;
	next = rule_schedule(&rule, now_us, d->tz_data);
	if (next.next_run_us == 0)
		return err_set(err, ERR_DATA,
			       "it never fires between its start and its end");
	s->next_run_us = next.next_run_us;
	/* The scheduler looks for what is due by this column only. */
	s->due_us = s->enabled ? next.due_us : 0;
	s->tz_data = next.tz_data;
	return 0;
}

/* TASK_UNSET leaves a setting to the task's registration, as in a
 * submission. */
void
schedule_form_init(struct schedule_form *form)
{
	*form = (struct schedule_form){.max_catchup = SCHEDULE_CATCHUP_STANDARD,
				       .grace_s = SCHEDULE_UNSET};
#define TASK_SETTING(field, type, member, request, ...)                        \
	form->request = TASK_UNSET;
#include "core/task_options.def"
}

/* What is not set is so in both units. */
static int64_t
form_microseconds(double seconds)
{
	return seconds < 0 ? SCHEDULE_UNSET
			   : (int64_t)(seconds * US_PER_S + 0.5);
}

/* From the units of a request to those of a schedule, by the type in the
 * table. */
#define SETTING_OF_INT(value) (value)
#define SETTING_OF_NUMBER(value) (value)
#define SETTING_OF_SECONDS(value) form_microseconds(value)

/* What needs no check. Texts are the form's. */
static void
fill_schedule(const struct schedule_form *f, struct schedule_draft *d,
	      int64_t now_us)
{
	struct schedule *s = &d->schedule;

	s->id = f->id;
	if (s->id == NULL) {
		uuid_make(d->id);
		s->id = d->id;
	}
	s->tz = f->tz;
	s->args = f->args;
	s->kwargs = f->kwargs;
	s->queue = f->queue;
	s->description = f->description;
	s->enabled = !f->disabled;
#define TASK_SETTING(field, type, member, request, ...)                        \
	s->settings.member = SETTING_OF_##type(f->request);
#include "core/task_options.def"
	s->expires_us = (int64_t)(f->expires_s * US_PER_S + 0.5);
	s->priority = f->priority;
	s->max_catchup = f->max_catchup;
	s->grace_us = form_microseconds(f->grace_s);
	s->jitter_us = (int64_t)(f->jitter_s * US_PER_S + 0.5);
	s->start_us = f->start_us;
	s->end_us = f->end_us;
	s->max_runs = f->max_runs;
	s->created_us = now_us;
}

int
schedule_draft(const struct schedule_form *form, enum schedule_type type,
	       const char *task, const char *rule, int64_t now_us,
	       struct schedule_draft *ret, struct cron_fault *fault,
	       struct err *err)
{
	struct tz_set *zones;
	int status = -1;

	*fault = (struct cron_fault){.code = CRON_NONE};
	memset(ret, 0, sizeof(*ret));
	ret->schedule.type = type;
	ret->schedule.task = task;
	fill_schedule(form, ret, now_us);
	if (check_form_names(form, task, err) != 0 ||
	    check_choices(form, &ret->schedule, err) != 0 ||
	    check_form_json("args", form->args, SCAN_ARRAY, err) != 0 ||
	    check_form_json("kwargs", form->kwargs, SCAN_OBJECT, err) != 0 ||
	    fill_rule(ret, rule, now_us, err) != 0 ||
	    (zones = tz_set_new(NULL, err)) == NULL)
		return -1;
	status = fill_next(ret, zones, now_us, fault, err);
	tz_set_free(zones);
	return status;
}

/* The next fire is computed from now: what a disabled schedule has missed is
 * not made up for. */
int
schedule_resume(const struct schedule *s, int64_t now_us,
		char tz_data[TZ_VERSION_SIZE], struct schedule_next *ret,
		struct err *err)
{
	struct tz_set *zones = tz_set_new(NULL, err);
	struct rule rule;
	int status = -1;

	if (zones == NULL)
		return -1;
	if (rule_read(s, zones, &rule, NULL, err) != 0)
		goto out;
	tz_data[0] = '\0';
	if (rule_needs_zone(&rule) && tz_version(NULL, tz_data, err) != 0)
		goto out;
	*ret = rule_schedule(&rule, now_us, tz_data);
	if (ret->next_run_us == 0)
		err_set(err, ERR_REFUSED, "schedule %s does not fire again: %s",
			s->id,
			s->type == SCHEDULE_ONCE ? "its time has passed"
						 : "its end has passed");
	else if (s->max_runs > 0 && s->runs >= s->max_runs)
		err_set(err, ERR_REFUSED,
			"schedule %s does not fire again: it has run %" PRId64
			" times, its limit",
			s->id, s->runs);
	else
		status = 0;
out:
	tz_set_free(zones);
	return status;
}
