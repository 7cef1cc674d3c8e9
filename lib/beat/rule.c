/* SPDX-License-Identifier: MIT */
/* When a schedule fires. Used by the scheduler, and by flowrractl when a person
 * makes or enables a schedule: both must come to the same next run. */
#include "beat/rule.h"

#include "cron/tz.h"
#include "util/clock.h"
#include "util/err.h"

#define US_PER_S INT64_C(1000000)
#define DAY_S 86400

/* The anchor is for @every, which counts from it as an interval does. */
static int
read_cron(const struct schedule *s, struct tz_set *zones, struct rule *r,
	  struct cron_fault *fault, struct err *err)
{
	const struct cron_options options = {
	    .seed = r->seed,
	    .match_both = s->day_match == SCHEDULE_DAYS_AND,
	    .anchor_us = s->start_us != 0 ? s->start_us : s->created_us};
	struct slice zone = cron_zone(s->rule);

	if (cron_parse(s->rule, &options, &r->cron, fault, err) != 0)
		return -1;
	if (zone.p == NULL && s->tz != NULL)
		zone = slice_of(s->tz);
	if (zone.len > 0 && (r->zone = tz_find(zones, zone, err)) == NULL)
		return -1;
	return 0;
}

/* Where no start is set, the creation says only where the periods lie, and they
 * reach back without end: a clock that was ahead when the schedule was made
 * must not silence it until then. */
static void
loosen_anchor(const struct schedule *s, struct rule *r)
{
	if (s->start_us == 0 && r->cron.period_us != 0)
		r->cron.anchor_us %= r->cron.period_us;
}

/* An interval is a cron expression without fields, so that there is one way to
 * the next fire. */
static int
read_interval(const struct schedule *s, struct rule *r, struct err *err)
{
	const int64_t anchor = s->start_us != 0 ? s->start_us : s->created_us;
	int64_t period;

	if (clock_parse_duration(s->rule, &period, err) != 0)
		return -1;
	return cron_interval(period, anchor, &r->cron, err);
}

int
rule_read(const struct schedule *s, struct tz_set *zones, struct rule *ret,
	  struct cron_fault *fault, struct err *err)
{
	struct rule r = {.type = s->type,
			 .zone = tz_utc(),
			 .start_us = s->start_us,
			 .end_us = s->end_us,
			 .jitter_us = s->jitter_us,
			 .seed =
			     cron_seed(slice_of(s->id != NULL ? s->id : ""))};
	int status = -1;

	if (fault != NULL)
		*fault = (struct cron_fault){.code = CRON_NONE};
	switch (s->type) {
	case SCHEDULE_CRON:
		status = read_cron(s, zones, &r, fault, err);
		break;
	case SCHEDULE_INTERVAL:
		status = read_interval(s, &r, err);
		break;
	case SCHEDULE_ONCE:
		status = clock_parse(s->rule, &r.once_us, err);
		break;
	}
	if (status == 0) {
		loosen_anchor(s, &r);
		*ret = r;
	}
	return status;
}

bool
rule_needs_zone(const struct rule *r)
{
	return r->type == SCHEDULE_CRON && r->zone != tz_utc() &&
	       r->cron.period_us == 0;
}

int64_t
rule_next(const struct rule *r, int64_t after_us)
{
	int64_t next;

	/* A fire at the very start counts. */
	if (after_us < r->start_us - 1)
		after_us = r->start_us - 1;
	if (r->type == SCHEDULE_ONCE)
		next = r->once_us > after_us ? r->once_us : 0;
	else if (!cron_next(&r->cron, r->zone, after_us, &next))
		next = 0;
	return r->end_us != 0 && next > r->end_us ? 0 : next;
}

int64_t
rule_count(const struct rule *r, int64_t from_us, int64_t to_us)
{
	if (from_us < r->start_us)
		from_us = r->start_us;
	/* A fire at the very end counts. */
	if (r->end_us != 0 && to_us > r->end_us + 1)
		to_us = r->end_us + 1;
	if (r->type == SCHEDULE_ONCE)
		return r->once_us >= from_us && r->once_us < to_us;
	return cron_count(&r->cron, r->zone, from_us, to_us);
}

int32_t
rule_offset_s(const struct rule *r, int64_t at_us)
{
	return tz_offset_s(r->zone, at_us / US_PER_S);
}

const char *
rule_zone_name(const struct rule *r)
{
	return tz_name(r->zone);
}

/* Whether the clock shows the time again after it is set back, or shows it for
 * the second time. No clock is set back by more than a day. */
static bool
is_fold(const struct tz *zone, int64_t at_s)
{
	int64_t change = tz_transition_s(zone, at_s - DAY_S), back_s;

	for (; change < at_s + DAY_S; change = tz_transition_s(zone, change)) {
		back_s =
		    tz_offset_s(zone, change - 1) - tz_offset_s(zone, change);
		if (back_s > 0 && at_s >= change - back_s &&
		    at_s < change + back_s)
			return true;
	}
	return false;
}

enum rule_note
rule_note(const struct rule *r, int64_t fire_us)
{
	const int64_t at_s = fire_us / US_PER_S;
	const int64_t local_us = fire_us + rule_offset_s(r, fire_us) * US_PER_S;

	if (!rule_needs_zone(r))
		return RULE_PLAIN;
	if (!cron_names(&r->cron, local_us))
		return RULE_GAP;
	return is_fold(r->zone, at_s) ? RULE_FOLD : RULE_PLAIN;
}

/* The finaliser of splitmix64: each bit of the input moves all of the output.
 */
static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

int64_t
rule_due(const struct rule *r, int64_t fire_us)
{
	int64_t room = r->jitter_us, next;

	if (room <= 0 || fire_us == 0)
		return fire_us;
	/* Fires keep their order: none is moved behind the next one. */
	if ((next = rule_next(r, fire_us)) != 0 && next - fire_us <= room)
		room = next - fire_us - 1;
	return fire_us + (int64_t)(mix(r->seed ^ (uint64_t)fire_us) %
				   (uint64_t)(room + 1));
}

struct schedule_next
rule_schedule(const struct rule *r, int64_t after_us, const char *tz_data)
{
	const int64_t next = rule_next(r, after_us);

	return (struct schedule_next){.next_run_us = next,
				      .due_us = rule_due(r, next),
				      .tz_data =
					  rule_needs_zone(r) ? tz_data : ""};
}
