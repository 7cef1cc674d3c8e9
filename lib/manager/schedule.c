/* SPDX-License-Identifier: MIT */
/*
 * The next fire of schedules that operators write, in options or in a form.
 *
 * The rule is read by the scheduler's own code (beat/rule.h), so that what is
 * accepted here is what fires there.
 */
#include "manager/schedule_private.h"

#include <inttypes.h>
#include <string.h>

#include "beat/rule.h"
#include "cron/tz.h"
#include "util/err.h"

#define US_PER_S INT64_C(1000000)
/* Old fires that an edit looks at, as many as a plan does (beat/plan.h). */
#define OLD_FIRES_MAX 100000

/* --- zones --------------------------------------------------------------- */

int
schedule_zones_init(struct schedule_zones *zones, struct err *err)
{
	zones->version[0] = '\0';
	return (zones->set = tz_set_new(NULL, err)) != NULL ? 0 : -1;
}

void
schedule_zones_done(struct schedule_zones *zones)
{
	tz_set_free(zones->set);
}

/* Where no file says the version, all zones are read for it: once. */
static int
zones_version(struct schedule_zones *zones, char ret[TZ_VERSION_SIZE],
	      struct err *err)
{
	if (zones->version[0] == '\0' &&
	    tz_version(NULL, zones->version, err) != 0)
		return -1;
	memcpy(ret, zones->version, TZ_VERSION_SIZE);
	return 0;
}

/* --- rules --------------------------------------------------------------- */

/* Whether the two fire at the same times. */
static bool
same_times(const struct schedule *a, const struct schedule *b)
{
	return a->type == b->type && strcmp(a->rule, b->rule) == 0 &&
	       strcmp(a->tz, b->tz) == 0 && a->day_match == b->day_match &&
	       a->start_us == b->start_us && a->end_us == b->end_us &&
	       a->jitter_us == b->jitter_us;
}

/* A rule that fires by the same times as before is not judged again: it may
 * have fires behind it only. */
static int
check_rule(const struct drafting *d, const struct rule *rule, struct err *err)
{
	const struct schedule *s = &d->draft->schedule;

	if (d->again)
		return 0;
	if (s->type == SCHEDULE_ONCE && rule->once_us <= d->now_us)
		return err_set(err, ERR_DATA,
			       "\"%.64s\" is in the past; give a future time",
			       d->form->rule);
	if (s->type != SCHEDULE_CRON)
		return 0;
	return cron_check(&rule->cron, rule->zone, d->now_us, &d->fault->cron,
			  err);
}

/* Fires of the old rule whose time has come: none is lost but those that would
 * merge with the latest, and they are noted. False: there is none. */
static bool
keep_old_fire(const struct drafting *d)
{
	const struct schedule *old = d->old;
	struct schedule *s = &d->draft->schedule;
	struct schedule_skip *dropped = &d->draft->dropped;
	struct rule rule;
	int64_t next;

	if (old == NULL || old->due_us == 0 || old->next_run_us > d->now_us ||
	    rule_read(old, d->zones->set, &rule, NULL, NULL) != 0)
		return false;
	s->next_run_us = old->next_run_us;
	s->due_us = old->due_us;
	*dropped = (struct schedule_skip){.reason = SCHEDULE_CHANGED,
					  .fire_us = old->next_run_us};
	while (dropped->n < OLD_FIRES_MAX) {
		next = rule_next(&rule, s->next_run_us < old->rule_us
					    ? old->rule_us
					    : s->next_run_us);
		if (next == 0 || next > d->now_us)
			break;
		dropped->last_us = s->next_run_us;
		dropped->n++;
		s->next_run_us = next;
		s->due_us = rule_due(&rule, next);
	}
	return true;
}

/* The first fire of the rule that holds now; ERR_DATA if there is none. A last
 * run in the future counts for nothing: it was made by a clock that was ahead,
 * maybe by years. What was made early then is in the outbox, and not made again.
 */
static int
fill_first(const struct drafting *d, const struct rule *rule, struct err *err)
{
	struct schedule *s = &d->draft->schedule;
	const struct schedule_next next =
	    rule_schedule(rule, d->now_us, d->draft->tz_data);

	if (next.next_run_us == 0 && d->again)
		return err_set(err, ERR_REFUSED,
			       "schedule %s does not fire again: %s", s->id,
			       s->type == SCHEDULE_ONCE ? "its time has passed"
							: "its end has passed");
	if (next.next_run_us == 0) {
		d->fault->field = s->end_us != 0 ? "end_at" : "rule";
		return err_set(err, ERR_DATA,
			       "it never fires between its start and its end");
	}
	s->next_run_us = next.next_run_us;
	s->due_us = next.due_us;
	return 0;
}

/* The next fire, by the rule. While this runs, `field` names the rule: most of
 * what can fail here is about it. */
static int
compute_next(const struct drafting *d, struct err *err)
{
	struct schedule *s = &d->draft->schedule;
	char *tz_data = d->draft->tz_data;
	struct rule rule;

	d->fault->field = "rule";
	if (rule_read(s, d->zones->set, &rule, &d->fault->cron, err) != 0) {
		if (d->fault->cron.code == CRON_NONE && is_given(s->tz) &&
		    s->type == SCHEDULE_CRON)
			d->fault->field = "tz";
		return -1;
	}
	if (check_rule(d, &rule, err) != 0)
		return -1;
	/* The next fire depends on the zones' data: with another version the
	 * scheduler computes it again. */
	tz_data[0] = '\0';
	if (rule_needs_zone(&rule) &&
	    zones_version(d->zones, tz_data, err) != 0)
		return -1;
	s->tz_data = tz_data;
	if (d->old != NULL)
		s->rule_us = d->now_us;
	if (!keep_old_fire(d) && fill_first(d, &rule, err) != 0)
		return -1;
	d->fault->field = NULL;
	return 0;
}

/* Whether it has run as often as it may. */
static bool
has_run_up(const struct schedule *s)
{
	return s->max_runs > 0 && s->runs >= s->max_runs;
}

/* What is edited and fires as before keeps its next fire: it may be due at this
 * moment. */
static int
fill_next(struct drafting *d, struct err *err)
{
	const struct schedule *old = d->old;
	struct schedule *s = &d->draft->schedule;
	const bool renewed =
	    old == NULL || !same_times(s, old) || is_given(old->fault) ||
	    (s->enabled && !old->enabled) ||
	    (old->next_run_us == 0 && has_run_up(old) && !has_run_up(s));

	d->again = old != NULL && same_times(s, old);
	if (!renewed) {
		s->next_run_us = old->next_run_us;
		s->due_us = old->due_us;
		s->tz_data = old->tz_data;
	} else if (compute_next(d, err) != 0) {
		return -1;
	} else if (old != NULL && s->enabled && has_run_up(s)) {
		d->fault->field = "max_runs";
		return err_set(err, ERR_REFUSED,
			       "schedule %s does not fire again: it has run "
			       "%" PRId64 " times, its limit",
			       s->id, s->runs);
	}
	/* The scheduler looks for what is due by this column only. */
	if (!s->enabled)
		s->due_us = 0;
	return 0;
}

/* What needs the zones' files comes last. */
int
schedule_draft_with(struct schedule_zones *zones,
		    const struct schedule_form *form,
		    const struct schedule *old, int64_t now_us,
		    struct schedule_draft *ret, struct schedule_fault *fault,
		    struct err *err)
{
	struct drafting d = {.form = form,
			     .old = old,
			     .now_us = now_us,
			     .draft = ret,
			     .fault = fault,
			     .zones = zones};

	if (drafting_define(&d, err) != 0)
		return -1;
	if (fill_next(&d, err) == 0)
		return 0;
	schedule_draft_done(ret);
	return -1;
}

int
schedule_draft(const struct schedule_form *form, const struct schedule *old,
	       int64_t now_us, struct schedule_draft *ret,
	       struct schedule_fault *fault, struct err *err)
{
	struct schedule_zones zones;
	int status;

	*fault = (struct schedule_fault){.field = NULL};
	if (schedule_zones_init(&zones, err) != 0)
		return -1;
	status =
	    schedule_draft_with(&zones, form, old, now_us, ret, fault, err);
	schedule_zones_done(&zones);
	return status;
}
