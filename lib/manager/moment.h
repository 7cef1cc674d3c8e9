/* SPDX-License-Identifier: MIT */
/*
 * Moments as people write them on a command line: one dialect for all options.
 *
 *	2026-12-24T18:00:00+01:00	RFC 3339; without an offset it is UTC
 *	2026-12-24 18:00[:30]		the local clock, as all that follow
 *	2026-12-24
 *	18:00[:30]	the next time that it is so late, or the last one
 *	today|tomorrow|yesterday [18:00[:30]]
 *	now
 *	in 10m, 2h ago	durations as of clock_parse_duration()
 *	10m		from now on, or before now
 *
 * A local time that a clock leaves out, or shows twice, is what mktime(3) makes of
 * it.
 */
#ifndef MANAGER_MOMENT_H
#define MANAGER_MOMENT_H

#include <stdint.h>

struct err;

/* Where a moment lies that may be either. */
enum moment_side {
	MOMENT_ANY, /* "18:00" is today's, and a bare duration an error */
	MOMENT_FUTURE,
	MOMENT_PAST
};

/* 0, or -1 with *err (ERR_DATA), whose message begins with the text. */
int moment_read(const char *text, enum moment_side side, int64_t now_us,
		int64_t *ret_us, struct err *err);

/* "2026-12-24 18:00:00 CET, in 3h": a moment after now for the one who wrote it, by
 * the local clock. */
#define MOMENT_TEXT_MAX 96
void moment_write(int64_t us, int64_t now_us, char ret[MOMENT_TEXT_MAX]);

#endif
