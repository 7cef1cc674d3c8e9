/* SPDX-License-Identifier: MIT */
/*
 * The attempts that a task has behind it: a JSON array that travels in the
 * task ("history"), and lies in the dead list with it in the end.
 *
 *	[{"attempt": 1, "started_at": RFC 3339 or null, "finished_at": RFC 3339,
 *	  "worker": "host:main", "reason": "timeout", "exit_code": 1,
 *	  "error": "…", "output": "…"}]
 *
 * "output" is the end of what the attempt has printed and logged, and is left
 * out if that is nothing; a command that was killed has "signal" and no "exit_code",
 * and a task that ran none has neither; earlier versions have none, and less of the error.
 */
#ifndef CODEC_HISTORY_H
#define CODEC_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "core/result.h"
#include "util/buf.h"

/* Attempts and bytes that are kept; the oldest go first. */
#define HISTORY_MAX 10
#define HISTORY_BYTES 8192
/* Bytes where there is room for more: some attempts in full. */
#define HISTORY_BYTES_MAX 32768
/* Bytes of an error, and of an output, that are kept of the last attempts … */
#define HISTORY_TEXT_MAX 4096
/* … and of an error of the earlier ones, which have no output any more. */
#define HISTORY_ERROR_MAX 200

struct attempt {
	int64_t number;	     /* 1 for the first */
	int64_t started_us;  /* wall clock; 0: not known */
	int64_t finished_us; /* wall clock */
	struct slice worker, reason, error;
	struct slice output; /* empty: none */
	struct command_end end;
};

/* The first `max` bytes of a text, or fewer, so that no character is cut. */
struct slice history_head(struct slice text, size_t max);
/* The last ones: from the beginning of a line, if one begins there. */
struct slice history_tail(struct slice text, size_t max);

/*
 * Appends the history (a JSON array, or empty) with one more attempt. It has at
 * most `max` bytes, which are HISTORY_BYTES at least: what does not fit is
 * shortened, the oldest first, and then goes.
 */
void history_add(struct slice history, const struct attempt *attempt,
		 size_t max, struct buf *out);

#endif
