/* SPDX-License-Identifier: MIT */
/* The journal of this host, read: what was logged about one task. */
#ifndef UTIL_JOURNAL_READ_H
#define UTIL_JOURNAL_READ_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct err;

struct journal_line {
	int64_t at_us;	 /* wall clock */
	int64_t attempt; /* 0: not known */
	struct slice text;
};

/*
 * Calls on_line for up to `max` lines that workers of this host have logged about
 * a task, the oldest first, from behind the line that `after` names (empty: from
 * the first). `next` becomes what names the last one; it stays as it is if there
 * was none. Returns how many there were, 0 also where the journal is not there
 * or may not be read; or -1 with *err (ERR_DATA): `after` is none of ours.
 */
typedef void journal_line_fn(const struct journal_line *line, void *arg);
int journal_read(const char *task_id, const char *after, size_t max,
		 journal_line_fn *on_line, void *arg, struct buf *next,
		 struct err *err);

#endif
