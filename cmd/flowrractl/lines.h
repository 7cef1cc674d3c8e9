/* SPDX-License-Identifier: MIT */
/* The lines of standard input, for verbs that take a task or an ID from each. */
#ifndef FLOWRRACTL_LINES_H
#define FLOWRRACTL_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

/* The callbacks return false to stop reading. */
struct lines {
	size_t max; /* bytes of a line */
	/* A line without its end and the blanks before that; the first line has
	 * number 1. Blank lines are counted, but not reported: a file may end in
	 * some. `too_long`: `text` is only its beginning. */
	bool (*on_line)(void *arg, size_t number, struct slice text,
			bool too_long);
	/* The next read would wait for the writer. */
	bool (*on_idle)(void *arg);
	void *arg;
};

/* Reads to the end, or until a callback stops it. -1 with errno: standard input cannot
 * be read; the lines before that have been reported. */
int lines_read(const struct lines *lines);

/* Whether a read from standard input would wait. */
bool lines_would_block(void);

#endif
