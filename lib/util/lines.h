/* SPDX-License-Identifier: MIT */
/*
 * What programs print, cut into lines, for a log: long lines are cut off, and
 * a flood is.
 */
#ifndef UTIL_LINES_H
#define UTIL_LINES_H

#include <stdint.h>

#include "util/buf.h"

/* What a log can still show as a line. */
#define LINES_MAX_BYTES 2048
/* Of a sink. A trade: more is seldom read, and a program that prints in a loop
 * must not push everything else out of the log. */
#define LINES_PER_S 100

/* Where lines go, without their ends; set on_line and arg, and zero the rest.
 * Streams may share one, and the limit with it. */
struct lines_sink {
	void (*on_line)(void *arg, struct slice line);
	void *arg;
	int64_t second; /* in which `lines` were delivered */
	unsigned int lines;
	uint64_t dropped;
};

/* One stream; set sink, and zero len. */
struct lines {
	struct lines_sink *sink;
	size_t len;
	char line[LINES_MAX_BYTES];
};

void lines_take(struct lines *l, const char *p, size_t len);
/* Delivers a line that has no end yet. */
void lines_end(struct lines *l);
/* Says, in a line, how many were dropped, if any. */
void lines_sink_end(struct lines_sink *s);

#endif
