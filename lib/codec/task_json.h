/* SPDX-License-Identifier: MIT */
/*
 * Tasks as JSON, the format that producers of all languages share.
 *
 *	{"id": "8fb3…", "name": "add", "args": [1, 2], "kwargs": {},
 *	 "max_retries": 3, "retry_delay": 1.0, "current_retry": 0,
 *	 "priority": 0, "cpu_bound": false}
 *
 * `id` and `name` must be there. Ours in addition, all optional: "queue",
 * "submitted_at", "expires_at" (RFC 3339), "timeout" (seconds),
 * "retry_backoff", "retry_delay_max" (seconds), "retry_jitter", "crashes",
 * "suspected", "unknown", "unknown_since" (seconds since 1970), "due_ms"
 * (milliseconds since 1970), "history" (codec/history.h), "reply_to" (where the
 * submitter awaits the record, results/results.h), "traceparent", "tracestate" and
 * "trace_link" (core/trace_context.h), "flow" (the ID of the workflow that it is a
 * step of, store/flow.h) and "skipped" (why it is not to run: a text). Durations are
 * numbers of
 * seconds. null counts as absent for every optional field. Unknown fields are
 * kept, and so is a "history" that is not an array, a "reply_to" that is not such an
 * address, a "flow" that is no ID, a "skipped" that is no text, or a trace that is not
 * valid: they are not ours.
 *
 * Ranges: priority 32 bits; max_retries 0 to a million, the counters to a
 * billion; durations 0 to ten years; retry_backoff 1 to 1000 (a delay that
 * shrinks serves nobody); retry_jitter 0 to 1. A whole number has neither
 * fraction nor exponent.
 */
#ifndef CODEC_TASK_JSON_H
#define CODEC_TASK_JSON_H

#include "codec/history.h"
#include "core/task.h"

struct err;

/*
 * Decodes a copy of `bytes`. Errors are ERR_DATA with the field and what is
 * wrong with it: not JSON, too deep, a wrong type, a number out of range, a
 * field twice, a value that codec/value.h does not allow. Frees with task_free(); one allocation.
 */
int task_decode(struct slice bytes, struct task **ret, struct err *err);
void task_free(struct task *task);

/*
 * Appends a task that is to be submitted. Takes id, name, queue, args, kwargs
 * (empty: [] and {}), priority, cpu_bound, submitted_us, and all that is set of
 * the others. max_retries and retry_delay are always written, since the Python
 * package wants them: fill them in before (TASK_UNSET is written as 0). `raw`
 * is not looked at.
 */
void task_encode(const struct task *task, struct buf *out);
/* What an encoded task says of its unique key: within so many bytes, before its
 * arguments (lua/parts/unique.lua). */
#define UNIQUE_HEAD 8192
enum unique_until task_unique_until(struct slice bytes);

/*
 * Appends the task as it came, with other values for the counters and another
 * history: all other bytes, unknown fields too, stay as they are. What is not
 * in the task is put at its end; left out if it is 0, or empty, but for
 * current_retry. `raw` must be what task_decode() read. All zero: a task that
 * begins again.
 */
struct task_counters {
	int64_t current_retry;
	int64_t crashes;
	int64_t suspected;
	int64_t unknown;
	int64_t unknown_since;
	int64_t due_ms;
	struct slice history; /* at most HISTORY_BYTES_MAX */
};
/* It adds fewer bytes than this, with a history of HISTORY_BYTES. */
#define TASK_AGAIN_MAX (HISTORY_BYTES + 256)
void task_encode_again(const struct task *task,
		       const struct task_counters *counters, struct buf *out);

#endif
