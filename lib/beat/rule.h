/* SPDX-License-Identifier: MIT */
/*
 * A schedule's rule, ready to be asked when it fires: one face for cron
 * expressions, intervals and single moments, with the schedule's time zone,
 * beginning, end and jitter. No clock is read here.
 */
#ifndef BEAT_RULE_H
#define BEAT_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "cron/cron.h"
#include "schedules/schedules.h"

struct err;
struct tz_set;

/* Copy it as you like; the zone is the set's. The members are for rule.c. */
struct rule {
	enum schedule_type type;
	struct cron cron; /* of intervals, too */
	const struct tz *zone;
	int64_t once_us;
	int64_t start_us, end_us;
	int64_t jitter_us;
	uint64_t seed;
};

/*
 * Reads a schedule's rule. An interval fires at anchor + k * period; the anchor
 * is its start, itself a fire, or the moment of its creation, which is none.
 * The zone before an expression (CRON_TZ=) goes before the schedule's own.
 * `fault` may be NULL; its code is CRON_NONE where no expression is to blame.
 * ERR_DATA, or ERR_SYSTEM if the zone's file cannot be read.
 */
int rule_read(const struct schedule *s, struct tz_set *zones, struct rule *ret,
	      struct cron_fault *fault, struct err *err);

/* The first fire after `after_us`, between the schedule's start and end; 0:
 * there is none. */
int64_t rule_next(const struct rule *r, int64_t after_us);

/*
 * When a fire is to be done: up to the jitter later, always the same for the
 * same schedule and fire, and before the fire that follows.
 */
int64_t rule_due(const struct rule *r, int64_t fire_us);

/* How many fires there are from `from_us` on and before `to_us`. */
int64_t rule_count(const struct rule *r, int64_t from_us, int64_t to_us);

/* What is special about the local time of a fire. */
enum rule_note {
	RULE_PLAIN,
	RULE_GAP, /* the clock leaves out the time that is meant */
	RULE_FOLD /* the clock shows this time twice */
};
enum rule_note rule_note(const struct rule *r, int64_t fire_us);
/* Seconds east of Greenwich at a moment, and the zone's name. */
int32_t rule_offset_s(const struct rule *r, int64_t at_us);
const char *rule_zone_name(const struct rule *r);

/* Whether its fires depend on time zone data. */
bool rule_needs_zone(const struct rule *r);

/* The next fire after `after_us` as the database wants it. `tz_data` is the
 * version of the data in use, borrowed. */
struct schedule_next rule_schedule(const struct rule *r, int64_t after_us,
				   const char *tz_data);

#endif
