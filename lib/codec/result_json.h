/* SPDX-License-Identifier: MIT */
/*
 * Result records as JSON, the format that waiting programs of all languages
 * share: task_id, status, task_name, result, error, submitted_at, started_at,
 * finished_at (RFC 3339, UTC, microseconds), retries, args, kwargs; ours in
 * addition: queue, worker, attempts, reason, flow, progress, output, history
 * (the attempts before the last one: codec/history.h); and behind status, if the reason
 * is RESULT_LOST, "lost": true, which is not read.
 */
#ifndef CODEC_RESULT_JSON_H
#define CODEC_RESULT_JSON_H

#include "core/result.h"

struct err;

/* Arrays and objects of a record inside one another: as scan.h allows, which is
 * less than jansson does. */
#define RESULT_DEPTH_MAX 2000

/* Appends the record. JSON slices are copied as they are. */
void result_encode(const struct result *result, struct buf *out);

/*
 * The same, and appends to `brief` what people who look on want to know of it: the
 * same members without args, kwargs, result, output and history; an error is there
 * if there is one, its first RESULT_BRIEF_TEXT bytes; progress if it is not larger.
 * So it is some 300 bytes long, whatever the task carries.
 */
#define RESULT_BRIEF_TEXT 200
void result_encode_both(const struct result *result, struct buf *out,
			struct buf *brief);

/*
 * Reads a record; the slices of *ret point into `bytes`, or into `scratch`
 * (which is emptied first, may grow, and must live as long) where a string had
 * to be unescaped. task_id and status must be there; null counts as absent, a
 * result that is null too. Times without an offset are UTC. ERR_DATA if it is
 * no record. With an error, *ret is as it was.
 */
int result_decode(struct slice bytes, struct buf *scratch, struct result *ret,
		  struct err *err);
/* The same where times without an offset may be local (util/clock.h). */
int result_decode_as(enum clock_form times, struct slice bytes,
		     struct buf *scratch, struct result *ret, struct err *err);

/*
 * As result_decode(), for records that others have stored: one that cannot be read is
 * repaired first (codec/repair.h). *ret_json is the record as it was read, which
 * is `bytes`, or lies in `repaired`.
 */
int result_decode_repaired(struct slice bytes, struct buf *repaired,
			   struct buf *scratch, struct slice *ret_json,
			   struct result *ret, struct err *err);

/* Only the status of such a record; -1 if it has none. */
int result_decode_status(struct slice bytes, enum result_status *ret);

/* Appends "exit_code", "signal" and "truncated", as far as they say something, as
 * further members of a JSON object. */
void result_write_end(const struct command_end *end, struct buf *out);

#endif
