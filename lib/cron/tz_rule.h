/* SPDX-License-Identifier: MIT */
/*
 * The rule for all years to come that stands in the footer of a TZif file, in
 * the manner of POSIX's TZ (with the hours of RFC 8536, section 3.3.1):
 *
 *	CET-1CEST,M3.5.0,M10.5.0/3
 */
#ifndef CRON_TZ_RULE_H
#define CRON_TZ_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

enum tz_day_kind {
	TZ_DAY_MONTH,	/* Mm.w.d: the w-th weekday d of a month; 5 is last */
	TZ_DAY_NO_LEAP, /* Jn: 1-365, 29 February is not counted */
	TZ_DAY_OF_YEAR, /* n: 0-365 */
};

struct tz_day {
	enum tz_day_kind kind;
	int month, week, weekday; /* of TZ_DAY_MONTH */
	int day;		  /* of the others */
	int32_t time_s;		  /* of that day, by the clock before */
};

struct tz_rule {
	int32_t offset_s; /* east of Greenwich */
	bool has_summer;
	int32_t summer_offset_s;
	struct tz_day start, end; /* of summer */
};

/* Reads a rule; returns -1 when it is malformed. */
int tz_rule_parse(struct slice text, struct tz_rule *ret);

/* The instants in `year` (1970-2199, and January 2200) when summer time begins
 * and ends. */
int64_t tz_rule_start_s(const struct tz_rule *rule, unsigned int year);
int64_t tz_rule_end_s(const struct tz_rule *rule, unsigned int year);

#endif
