/* SPDX-License-Identifier: MIT */
/*
 * Moments as people write them on a command line: one dialect for all options.
 *
 *	2026-12-24T18:00:00+01:00	RFC 3339; without an offset it is UTC
 *	2026-12-24 18:00[:30]		the clock of the zone, as all that follow
 *	2026-12-24
 *	18:00[:30]	the next time that it is so late, or the last one
 *	today|tomorrow|yesterday [18:00[:30]]
 *	now
 *	in 10m, 2h ago	durations as of clock_parse_duration()
 *	10m		from now on, or before now
 *
 * A time that the clock of a zone shows twice is the first of the two; one that it
 * leaves out is as far behind the gap as it is in it. The process's own clock
 * (TZ) is no other than one that is named.
 */
#ifndef MANAGER_MOMENT_H
#define MANAGER_MOMENT_H

#include <stdint.h>

struct err;
struct tz;

/* Where a moment lies that may be either. */
enum moment_side {
	MOMENT_ANY, /* "18:00" is today's, and a bare duration an error */
	MOMENT_FUTURE,
	MOMENT_PAST
};

/* The moment that is asked for, and how it is to be read. */
struct moment_reading {
	enum moment_side side;
	int64_t now_us;
	const struct tz *zone; /* whose clock; NULL: the process's (TZ) */
};

/* 0, or -1 with *err (ERR_DATA), whose message begins with the text. */
int moment_read(const char *text, const struct moment_reading *reading,
		int64_t *ret_us, struct err *err);

/* "2026-12-24 18:00:00 CET, in 3h": a moment after now for the one who wrote it, by
 * the local clock. */
#define MOMENT_TEXT_MAX 96
void moment_write(int64_t us, int64_t now_us, char ret[MOMENT_TEXT_MAX]);

#endif
