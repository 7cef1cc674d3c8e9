/* SPDX-License-Identifier: MIT */
/* Result records as JSON: what a backend stores for each task, and what clients
 * and other programs read. */
#include "codec/result_json.h"

#include <stddef.h>

#include "codec/fields.h"
#include "codec/repair.h"
#include "codec/write.h"
#include "util/err.h"
#include "util/utf8.h"

#define COUNTER_MAX 1e9
#define EXIT_CODE_MAX 255
/* The names, punctuation and numbers of a record. */
#define RECORD_OVERHEAD 512

/* The status comes as text and is looked up after the rest was read. */
struct record {
	struct result result;
	struct slice status;
	int64_t exit_code, signal; /* -1: not there */
};

#define FIELD(field, kind, at, ...)                                            \
	{                                                                      \
		.name = {field, sizeof(field) - 1}, .type = FIELD_##kind,      \
		.offset = offsetof(struct record, at), __VA_ARGS__             \
	}

/* In the order in which they are written. */
static const struct field fields[] = {
    FIELD("task_id", TEXT, result.task_id, .required = true),
    FIELD("status", TEXT, status, .required = true),
    FIELD("task_name", TEXT, result.task_name),
    FIELD("result", ANY, result.result),
    FIELD("error", TEXT, result.error),
    FIELD("submitted_at", TIME, result.submitted_us),
    FIELD("started_at", TIME, result.started_us),
    FIELD("finished_at", TIME, result.finished_us),
    FIELD("retries", WHOLE, result.retries, .max = COUNTER_MAX),
    FIELD("args", ARRAY, result.args),
    FIELD("kwargs", OBJECT, result.kwargs),
    FIELD("queue", TEXT, result.queue),
    FIELD("worker", TEXT, result.worker),
    FIELD("attempts", WHOLE, result.attempts, .max = COUNTER_MAX),
    FIELD("reason", TEXT, result.reason),
    FIELD("exit_code", WHOLE, exit_code, .max = EXIT_CODE_MAX),
    FIELD("signal", WHOLE, signal, .max = EXIT_CODE_MAX),
    FIELD("parent", ANY, result.parent),
    FIELD("root", ANY, result.root),
    FIELD("flow", TEXT, result.flow),
    FIELD("progress", ANY, result.progress),
    FIELD("output", TEXT, result.output),
    FIELD("history", ARRAY, result.history),
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))
_Static_assert(N_FIELDS <= FIELDS_MAX, "a bit for each field");

/*
 * For the members that the first version had: readers expect them, so null is
 * written where there is nothing. Those that came later are left out instead.
 */
static void
text_or_null(struct buf *out, struct slice key, struct slice text)
{
	if (text.p != NULL)
		write_text(out, key, text);
	else
		write_json(out, key, text, SLICE("null"));
}

static void
time_or_null(struct buf *out, struct slice key, enum clock_form form,
	     int64_t wall_us)
{
	if (wall_us != 0)
		write_time_as(out, key, form, wall_us);
	else
		write_json(out, key, (struct slice){NULL, 0}, SLICE("null"));
}

/* Of a command that was killed there is no exit code. */
void
result_write_end(const struct command_end *end, struct buf *out)
{
	if (end->exited > 0)
		write_whole(out, WRITE_NEXT("exit_code"), end->exited - 1);
	if (end->signal > 0)
		write_whole(out, WRITE_NEXT("signal"), end->signal);
	if (end->truncated > 0)
		write_whole(out, WRITE_NEXT("truncated"), end->truncated);
}

static void
text_if_given(struct buf *out, struct slice key, struct slice text)
{
	if (text.p != NULL)
		write_text(out, key, text);
}

static void
json_if_given(struct buf *out, struct slice key, struct slice json)
{
	if (json.len > 0)
		write_json(out, key, json, SLICE("null"));
}

/* Where the parts of a record begin: they are what a brief one is made of. */
enum part {
	PART_NAME, /* task_id, status, task_name */
	PART_RESULT,
	PART_ERROR,
	PART_TIMES, /* and retries */
	PART_ARGS,
	PART_QUEUE, /* and worker, attempts, reason, how a command ended, family, flow */
	PART_PROGRESS,
	PART_OUTPUT,
	PARTS
};

/* The fixed order lets a reader find each field at the first try (fields.c),
 * and makes equal records equal bytes. */
static void
encode_parts(const struct result *r, struct buf *out, size_t at[PARTS])
{
	at[PART_NAME] = out->len;
	write_text(out, WRITE_FIRST("task_id"), r->task_id);
	write_text(out, WRITE_NEXT("status"),
		   slice_of(result_status_text(r->status)));
	/* Here, where no handler can write it. */
	if (slice_eq(r->reason, SLICE(RESULT_LOST)))
		write_json(out, WRITE_NEXT("lost"), SLICE("true"),
			   (struct slice){NULL, 0});
	text_or_null(out, WRITE_NEXT("task_name"), r->task_name);
	at[PART_RESULT] = out->len;
	write_json(out, WRITE_NEXT("result"), r->result, SLICE("null"));
	at[PART_ERROR] = out->len;
	text_or_null(out, WRITE_NEXT("error"), r->error);
	at[PART_TIMES] = out->len;
	time_or_null(out, WRITE_NEXT("submitted_at"), r->times,
		     r->submitted_us);
	time_or_null(out, WRITE_NEXT("started_at"), r->times, r->started_us);
	time_or_null(out, WRITE_NEXT("finished_at"), r->times, r->finished_us);
	write_whole(out, WRITE_NEXT("retries"), r->retries);
	at[PART_ARGS] = out->len;
	write_json(out, WRITE_NEXT("args"), r->args, SLICE("[]"));
	write_json(out, WRITE_NEXT("kwargs"), r->kwargs, SLICE("{}"));
	at[PART_QUEUE] = out->len;
	text_if_given(out, WRITE_NEXT("queue"), r->queue);
	text_if_given(out, WRITE_NEXT("worker"), r->worker);
	if (r->attempts != 0)
		write_whole(out, WRITE_NEXT("attempts"), r->attempts);
	text_if_given(out, WRITE_NEXT("reason"), r->reason);
	result_write_end(&r->end, out);
	json_if_given(out, WRITE_NEXT("parent"), r->parent);
	json_if_given(out, WRITE_NEXT("root"), r->root);
	text_if_given(out, WRITE_NEXT("flow"), r->flow);
	at[PART_PROGRESS] = out->len;
	if (r->progress.len > 0)
		write_json(out, WRITE_NEXT("progress"), r->progress,
			   SLICE("null"));
	at[PART_OUTPUT] = out->len;
	if (r->output.len > 0)
		write_text(out, WRITE_NEXT("output"), r->output);
	if (r->history.len > 0)
		write_json(out, WRITE_NEXT("history"), r->history, SLICE("[]"));
	write_end(out);
}

/* Copied, not written again: it is the times that cost. */
static void
add_part(struct buf *brief, const struct buf *out, const size_t at[PARTS],
	 enum part part)
{
	buf_add(brief, out->data + at[part], at[part + 1] - at[part]);
}

static void
encode_brief(const struct result *r, const struct buf *out,
	     const size_t at[PARTS], struct buf *brief)
{
	const struct slice error = {
	    r->error.p, utf8_cut(r->error.p, r->error.len, RESULT_BRIEF_TEXT)};

	add_part(brief, out, at, PART_NAME);
	text_if_given(brief, WRITE_NEXT("error"), error);
	add_part(brief, out, at, PART_TIMES);
	add_part(brief, out, at, PART_QUEUE);
	/* A value that is cut off would not be JSON. */
	if (r->progress.len <= RESULT_BRIEF_TEXT)
		add_part(brief, out, at, PART_PROGRESS);
	write_end(brief);
}

void
result_encode_both(const struct result *r, struct buf *out, struct buf *brief)
{
	size_t at[PARTS];

	/* Mostly the only growth; what it leaves out, appending makes up. */
	buf_reserve(out, RECORD_OVERHEAD + r->result.len + r->args.len +
			     r->kwargs.len + r->progress.len + r->output.len +
			     r->history.len);
	encode_parts(r, out, at);
	if (brief != NULL && !out->failed)
		encode_brief(r, out, at, brief);
}

void
result_encode(const struct result *r, struct buf *out)
{
	result_encode_both(r, out, NULL);
}

/* "field \"status\": \"odd\", must be pending, running, …" */
static int
unknown_status(struct slice text, struct err *err)
{
#define X(name, status_text, final) status_text ", "
	static const char known[] = RESULT_STATUSES(X);
#undef X

	return err_set(err, ERR_DATA,
		       "field \"status\": \"%.*s\", must be one of %.*s",
		       (int)(text.len < 40 ? text.len : 40), text.p,
		       (int)(sizeof(known) - sizeof(", ")), known);
}

/* *ret is written only when all is well, since callers may reuse it. */
int
result_decode(struct slice bytes, struct buf *scratch, struct result *ret,
	      struct err *err)
{
	return result_decode_as(CLOCK_FORM_UTC, bytes, scratch, ret, err);
}

int
result_decode_as(enum clock_form times, struct slice bytes, struct buf *scratch,
		 struct result *ret, struct err *err)
{
	const struct fields_in in = {.table = fields,
				     .n = N_FIELDS,
				     .max_depth = RESULT_DEPTH_MAX,
				     .scratch = scratch,
				     .times = times};
	struct record record = {.status = SLICE(""), .exit_code = -1};

	if (fields_read(&in, bytes, &record, err) != 0)
		return -1;
	if (result_status_parse(record.status, &record.result.status) != 0)
		return unknown_status(record.status, err);
	record.result.end.exited = (int)record.exit_code + 1;
	record.result.end.signal = (int)record.signal;
	*ret = record.result;
	return 0;
}

/* The message is that of the first try: it is about what is stored. */
int
result_decode_repaired(struct slice bytes, struct buf *repaired,
		       struct buf *scratch, struct slice *ret_json,
		       struct result *ret, struct err *err)
{
	*ret_json = bytes;
	if (result_decode(bytes, scratch, ret, err) == 0)
		return 0;
	buf_reset(repaired);
	repair_json(bytes, repaired);
	if (repaired->failed)
		return err_nomem(err);
	*ret_json = (struct slice){repaired->data, repaired->len};
	return result_decode(*ret_json, scratch, ret, NULL);
}

int
result_decode_status(struct slice bytes, enum result_status *ret)
{
	struct buf repaired = BUF_INIT, scratch = BUF_INIT;
	struct result result = {.status = RESULT_PENDING};
	int rc = result_decode_repaired(bytes, &repaired, &scratch, &bytes,
					&result, NULL);

	if (rc == 0)
		*ret = result.status;
	buf_done(&repaired);
	buf_done(&scratch);
	return rc;
}
