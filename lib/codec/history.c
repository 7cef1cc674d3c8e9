/* SPDX-License-Identifier: MIT */
/*
 * The attempts that a task has behind it.
 *
 * The history travels inside the task, so that it survives the worker and needs
 * no second place in the store. It is therefore limited: a task that is retried
 * a thousand times must not grow with each of them. People want all of the last
 * attempt, and to know of the earlier ones that they failed, and how.
 */
#include "codec/history.h"

#include <string.h>

#include "codec/result_json.h"
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

/* --- texts ------------------------------------------------------------- */

/* A byte of the form 10xxxxxx continues a character. */
static bool
continues(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

/* The beginning of an error says more than its end, which is often a
 * backtrace. */
struct slice
history_head(struct slice text, size_t max)
{
	if (text.len <= max)
		return text;
	while (max > 0 && continues(text.p[max]))
		max--;
	return (struct slice){text.p, max};
}

/* Of what is printed, the end is what came before the failure. */
struct slice
history_tail(struct slice text, size_t max)
{
	const char *end = text.p + text.len, *p, *line;

	if (text.len <= max)
		return text;
	p = end - max;
	line = memchr(p, '\n', max);
	if (line != NULL && line + 1 < end)
		p = line + 1;
	while (p < end && continues(*p))
		p++;
	return (struct slice){p, (size_t)(end - p)};
}

/* --- one attempt ------------------------------------------------------- */

/*
 * started_at is null for an attempt whose worker died before it noted the time.
 */
static void
write_attempt(const struct attempt *a, size_t text_max, struct buf *out)
{
	const size_t error_max =
	    text_max > HISTORY_ERROR_MAX ? text_max : HISTORY_ERROR_MAX;

	buf_reset(out);
	write_whole(out, WRITE_FIRST("attempt"), a->number);
	if (a->started_us != 0)
		write_time(out, WRITE_NEXT("started_at"), a->started_us);
	else
		write_json(out, WRITE_NEXT("started_at"),
			   (struct slice){NULL, 0}, SLICE("null"));
	write_time(out, WRITE_NEXT("finished_at"), a->finished_us);
	write_text(out, WRITE_NEXT("worker"), a->worker);
	write_text(out, WRITE_NEXT("reason"), a->reason);
	result_write_end(&a->end, out);
	write_text(out, WRITE_NEXT("error"), history_head(a->error, error_max));
	if (a->output.len > 0 && text_max > 0)
		write_text(out, WRITE_NEXT("output"),
			   history_tail(a->output, text_max));
	write_end(out);
}

/* As much of it as fits: a text of control characters is six times as long in
 * JSON. */
static void
write_fitting(const struct attempt *a, size_t max, struct buf *out)
{
	size_t text_max = HISTORY_TEXT_MAX;

	write_attempt(a, text_max, out);
	while (out->len > max && text_max > 0) {
		text_max = text_max > HISTORY_ERROR_MAX ? text_max / 2 : 0;
		write_attempt(a, text_max, out);
	}
}

/* Copies an attempt without what makes it long. */
struct shortening {
	struct buf *out;
	struct buf text; /* of the error */
	bool any;
};

static void
copy_string(struct buf *out, struct slice text)
{
	buf_addc(out, '"');
	buf_add(out, text.p, text.len);
	buf_addc(out, '"');
}

static int
on_attempt_member(void *arg, const struct scan_value *key,
		  const struct scan_value *value, struct err *err)
{
	struct shortening *s = arg;

	if (slice_eq(key->text, SLICE("output")))
		return 0;
	buf_addc(s->out, s->any ? ',' : '{');
	s->any = true;
	copy_string(s->out, key->text);
	buf_addc(s->out, ':');
	if (slice_eq(key->text, SLICE("error")) && value->type == SCAN_STRING) {
		buf_reset(&s->text);
		scan_unescape(value, &s->text);
		scan_quote(s->out, history_head((struct slice){s->text.data,
							       s->text.len},
						HISTORY_ERROR_MAX));
	} else if (value->type == SCAN_STRING) {
		copy_string(s->out, value->text);
	} else {
		buf_add(s->out, value->text.p, value->text.len);
	}
	return 0;
}

static void
shorten_attempt(struct slice attempt, struct buf *out)
{
	struct shortening s = {.out = out, .text = BUF_INIT};

	buf_reset(out);
	scan_object(attempt, TASK_DEPTH_MAX, on_attempt_member, &s, NULL);
	if (!s.any)
		buf_addc(out, '{');
	buf_addc(out, '}');
	out->failed |= s.text.failed;
	buf_done(&s.text);
}

/* --- the history ------------------------------------------------------- */

/* The earlier attempts, the last one first: as they are while they fit, then
 * shortened. */
struct kept {
	struct slice attempts[HISTORY_MAX - 1];
	struct buf shortened[HISTORY_MAX - 1];
	size_t n;
};

static void
keep_past(struct kept *kept, const struct past *past, size_t room)
{
	bool whole = true;
	size_t i;

	for (i = past->n; i > 0 && kept->n < HISTORY_MAX - 1; i--) {
		struct slice *a = &kept->attempts[kept->n];
		struct buf *shortened = &kept->shortened[kept->n];

		*a = past->attempts[(i - 1) % (HISTORY_MAX - 1)];
		/* Room for a line of each of the others stays. */
		whole = whole && a->len + HISTORY_BYTES / 2 < room;
		if (!whole) {
			shorten_attempt(*a, shortened);
			*a = (struct slice){shortened->data, shortened->len};
		}
		/* With its comma. */
		if (shortened->failed || a->len + 1 > room)
			break;
		room -= a->len + 1;
		kept->n++;
	}
}

void
history_add(struct slice history, const struct attempt *attempt, size_t max,
	    struct buf *out)
{
	struct past past = {.n = 0};
	struct kept kept = {.n = 0};
	struct buf last = BUF_INIT;
	size_t i;

	/* A half for the last one, and the rest for the others. */
	write_fitting(attempt, max / 2, &last);
	/* A history that cannot be read is replaced: it is information for
	 * people, and the task must go on. */
	if (scan_array(history, TASK_DEPTH_MAX, on_attempt, &past, NULL) != 0)
		past.n = 0;
	/* Brackets. */
	if (last.len + 2 < max)
		keep_past(&kept, &past, max - last.len - 2);
	buf_addc(out, '[');
	for (i = kept.n; i > 0; i--) {
		buf_add(out, kept.attempts[i - 1].p, kept.attempts[i - 1].len);
		buf_addc(out, ',');
	}
	buf_add(out, last.data, last.len);
	buf_addc(out, ']');
	out->failed |= last.failed;
	for (i = 0; i < HISTORY_MAX - 1; i++)
		buf_done(&kept.shortened[i]);
	buf_done(&last);
}
