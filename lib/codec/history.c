/* SPDX-License-Identifier: MIT */
/*
 * The attempts that a task has behind it.
 *
 * The history travels inside the task, so that it survives the worker and needs
 * no second place in the store. It is therefore limited: a task that is retried
 * a thousand times must not grow with each of them.
 */
#include "codec/history.h"

#include "codec/scan.h"
#include "codec/write.h"
#include "core/task.h"

/* The last attempts that were read, in a ring. */
struct past {
	struct slice attempts[HISTORY_MAX - 1];
	size_t n; /* all, also those that others have replaced */
};

static int
on_attempt(void *arg, const struct scan_value *value, struct err *err)
{
	struct past *past = arg;

	/* A producer can send anything; only attempts are kept. */
	if (value->type == SCAN_OBJECT)
		past->attempts[past->n++ % (HISTORY_MAX - 1)] = value->text;
	return 0;
}

/*
 * The first bytes of a text, and no half character: a byte of the form 10xxxxxx
 * continues one. The beginning of an error says more than its end, which is
 * often a backtrace.
 */
static struct slice
cut_history(struct slice text, size_t max)
{
	if (text.len <= max)
		return text;
	while (max > 0 && ((unsigned char)text.p[max] & 0xC0) == 0x80)
		max--;
	return (struct slice){text.p, max};
}

/*
 * started_at is null for an attempt whose worker died before it noted the time.
 */
static void
write_attempt(const struct attempt *a, struct buf *out)
{
	write_whole(out, WRITE_FIRST("attempt"), a->number);
	if (a->started_us != 0)
		write_time(out, WRITE_NEXT("started_at"), a->started_us);
	else
		write_json(out, WRITE_NEXT("started_at"),
			   (struct slice){NULL, 0}, SLICE("null"));
	write_time(out, WRITE_NEXT("finished_at"), a->finished_us);
	write_text(out, WRITE_NEXT("worker"), a->worker);
	write_text(out, WRITE_NEXT("reason"), a->reason);
	write_text(out, WRITE_NEXT("error"),
		   cut_history(a->error, HISTORY_ERROR_MAX));
	write_end(out);
}

void
history_add(struct slice history, const struct attempt *attempt,
	    struct buf *out)
{
	struct past past = {.n = 0};
	struct buf last = BUF_INIT;
	size_t first, i, bytes;

	write_attempt(attempt, &last);
	/* A history that cannot be read is replaced: it is information for
	 * people, and the task must go on. */
	if (scan_array(history, TASK_DEPTH_MAX, on_attempt, &past, NULL) != 0)
		past.n = 0;
	/* As many as fit before the new one, with brackets and commas. */
	bytes = last.len + 2;
	for (first = past.n; first > 0 && past.n - first < HISTORY_MAX - 1;
	     first--) {
		bytes += past.attempts[(first - 1) % (HISTORY_MAX - 1)].len + 1;
		if (bytes > HISTORY_BYTES)
			break;
	}
	buf_addc(out, '[');
	for (i = first; i < past.n; i++) {
		buf_add(out, past.attempts[i % (HISTORY_MAX - 1)].p,
			past.attempts[i % (HISTORY_MAX - 1)].len);
		buf_addc(out, ',');
	}
	buf_add(out, last.data, last.len);
	buf_addc(out, ']');
	out->failed |= last.failed;
	buf_done(&last);
}
