/* SPDX-License-Identifier: MIT */
/*
 * The attempts that a task has behind it: a JSON array that travels in the
 * task ("history"), and lies in the dead list with it in the end.
 *
 *	[{"attempt": 1, "started_at": RFC 3339 or null, "finished_at": RFC 3339,
 *	  "worker": "host:main", "reason": "timeout", "error": "…"}]
 */
#ifndef CODEC_HISTORY_H
#define CODEC_HISTORY_H

#include <stdint.h>

#include "util/buf.h"

/* Attempts and bytes that are kept; the oldest go first. */
#define HISTORY_MAX 10
#define HISTORY_BYTES 8192
/* Bytes of an error that are kept. */
#define HISTORY_ERROR_MAX 200

struct attempt {
	int64_t number;	     /* 1 for the first */
	int64_t started_us;  /* wall clock; 0: not known */
	int64_t finished_us; /* wall clock */
	struct slice worker, reason, error;
};

/* Appends the history (a JSON array, or empty) with one more attempt. */
void history_add(struct slice history, const struct attempt *attempt,
		 struct buf *out);

#endif
