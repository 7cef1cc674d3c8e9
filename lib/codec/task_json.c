/* SPDX-License-Identifier: MIT */
/*
 * Tasks as JSON: decoding and encoding.
 *
 * A task is decoded once by each worker that claims it. Strings that the worker
 * needs (id, name, queue) get a NUL; the arguments stay text and are parsed in
 * the executor, by the handler's process.
 */
#include "codec/task_json.h"

#include <float.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/write.h"
#include "core/trace_context.h"
#include "util/err.h"

/* Counters beyond it are not ours: nothing is retried that often. */
#define COUNTER_MAX 1e9
/* Seconds since 1970, which double holds exactly: some million years. */
#define SECONDS_MAX 1e14

/* Of "due_ms": to the year 33,658. */
#define DUE_DIGITS 15

/* A task whose slices still point into the bytes that came. Options that have
 * another type in the task, or another name, stand beside it. */
struct draft {
	struct task task;
	struct slice id;
	struct slice name;
	struct slice queue;
	struct slice group;
	struct slice due_ms;
	int64_t priority;
	int64_t expires_at;
	bool cpu_bound;
};

/*
 * In the order in which they are written, and come from most producers:
 * fields_read() finds the next one at once. An option that is missing here does
 * not compile.
 */
enum {
	AT_id,
	AT_name,
	AT_group,
	AT_args,
	AT_kwargs,
	AT_max_retries,
	AT_retry_delay,
	AT_current_retry,
	AT_priority,
	AT_cpu_bound,
	AT_queue,
	AT_submitted_at,
	AT_expires_at,
	AT_timeout,
	AT_retry_backoff,
	AT_retry_delay_max,
	AT_retry_jitter,
	AT_crashes,
	AT_suspected,
	AT_unknown,
	AT_unknown_since,
	AT_due_ms,
	AT_history,
	AT_reply_to,
	AT_traceparent,
	AT_tracestate,
	AT_parent,
	AT_root,
	AT_trace_link,
	AT_flow,
	AT_on,
	AT_skipped,
	N_FIELDS
};
_Static_assert(N_FIELDS <= FIELDS_MAX, "a bit for each field");

#define FIELD(field, kind, at, ...)                                            \
	[AT_##field] = {.name = {#field, sizeof(#field) - 1},                  \
			.type = FIELD_##kind,                                  \
			.offset = offsetof(struct draft, at),                  \
			__VA_ARGS__}

/* What the types of core/task_options.def are on the wire. */
#define FIELD_OF_TEXT FIELD_TEXT
#define FIELD_OF_INT FIELD_WHOLE
#define FIELD_OF_NUMBER FIELD_NUMBER
#define FIELD_OF_SECONDS FIELD_SECONDS
#define FIELD_OF_DEADLINE FIELD_TIME
#define FIELD_OF_SWITCH FIELD_BOOL
#define OPTION_FIELD(field, kind, at, low, high)                               \
	[AT_##field] = {.name = {#field, sizeof(#field) - 1},                  \
			.type = FIELD_OF_##kind,                               \
			.offset = offsetof(struct draft, at),                  \
			.min = (low),                                          \
			.max = (high)}

static const struct field fields[N_FIELDS] = {
    FIELD(id, TEXT, id, .required = true),
    FIELD(name, TEXT, name, .required = true),
    FIELD(args, ARRAY, task.args, .exact = true),
    FIELD(kwargs, OBJECT, task.kwargs, .exact = true),
    FIELD(current_retry, WHOLE, task.current_retry, .max = COUNTER_MAX),
    FIELD(submitted_at, TIME, task.submitted_us),
#define TASK_SETTING(field, type, member, request, low, high, ...)             \
	OPTION_FIELD(field, type, task.member, low, high),
#define TASK_OPTION(field, type, request, low, high, ...)                      \
	OPTION_FIELD(field, type, field, low, high),
#include "core/task_options.def"
    FIELD(crashes, WHOLE, task.crashes, .max = COUNTER_MAX),
    FIELD(suspected, WHOLE, task.suspected, .max = COUNTER_MAX),
    FIELD(unknown, WHOLE, task.unknown, .max = COUNTER_MAX),
    FIELD(unknown_since, WHOLE, task.unknown_since, .max = SECONDS_MAX),
    FIELD(due_ms, ANY, due_ms),
    FIELD(history, ANY, task.history),
    FIELD(reply_to, ANY, task.reply_to),
    FIELD(traceparent, ANY, task.traceparent),
    FIELD(tracestate, ANY, task.tracestate),
    FIELD(parent, ANY, task.parent),
    FIELD(root, ANY, task.root),
    FIELD(trace_link, ANY, task.trace_link),
    FIELD(flow, ANY, task.flow),
    FIELD(on, ANY, task.on),
    FIELD(skipped, ANY, task.skipped),
};

/* fields_read() stores what the type says: the member must be that. */
#define STORED_TEXT struct slice
#define STORED_INT int64_t
#define STORED_NUMBER double
#define STORED_SECONDS int64_t
#define STORED_DEADLINE int64_t
#define STORED_SWITCH bool
#define CHECK_STORED(field, type, at)                                          \
	_Static_assert(                                                        \
	    __builtin_types_compatible_p(                                      \
		__typeof__(((struct draft *)NULL)->at), STORED_##type),        \
	    "task_options.def: " #field " has another type in the task");
#define TASK_SETTING(field, type, member, ...)                                 \
	CHECK_STORED(field, type, task.member)
#define TASK_OPTION(field, type, ...) CHECK_STORED(field, type, field)
#include "core/task_options.def"

/* Shows 40 bytes, enough to find the task, and little enough for one line. */
static int
bad_text(const char *field, struct slice text, const char *wanted, size_t max,
	 struct err *err)
{
	return err_set(err, ERR_DATA,
		       "field \"%s\": \"%.*s\", must be 1 to %zu bytes of %s",
		       field, (int)(text.len < 40 ? text.len : 40), text.p, max,
		       wanted);
}

/* They become keys and parts of log lines, and arguments of other programs, so
 * they are limited here, where every task passes. */
static int
check_texts(const struct draft *d, struct err *err)
{
	static const char name_bytes[] = "A-Z a-z 0-9 _ . -";

	if (!task_id_valid(d->id))
		return bad_text("id", d->id, "printable ASCII without spaces",
				TASK_ID_MAX, err);
	if (!task_name_valid(d->name, TASK_NAME_MAX))
		return bad_text("name", d->name, name_bytes, TASK_NAME_MAX,
				err);
	if (d->queue.p != NULL && !task_name_valid(d->queue, TASK_QUEUE_MAX))
		return bad_text("queue", d->queue, name_bytes, TASK_QUEUE_MAX,
				err);
	return 0;
}

/* Copies text and a NUL to *p, and moves *p behind them. */
static const char *
put_text(char **p, struct slice text)
{
	char *begin = *p;

	memcpy(begin, text.p, text.len);
	begin[text.len] = '\0';
	*p += text.len + 1;
	return begin;
}

/* The same bytes of the copy; what is not of the original (a default such as
 * "[]") stays. */
static struct slice
moved(struct slice part, struct slice from, const char *to)
{
	if (part.p < from.p || part.p >= from.p + from.len)
		return part;
	return (struct slice){to + (part.p - from.p), part.len};
}

/* A text of ours, without its quotes; what is anything else is not ours. */
static struct slice
plain_name(struct slice json, size_t max)
{
	struct slice text = {NULL, 0};

	if (json.len > 2 && json.p[0] == '"')
		text = (struct slice){json.p + 1, json.len - 2};
	return task_name_valid(text, max) ? text : (struct slice){NULL, 0};
}

/* The content of a string without escapes, which neither needs; empty if it is
 * anything else. */
static struct slice
plain_text(struct slice json)
{
	struct slice text = {NULL, 0};

	if (json.len > 2 && json.p[0] == '"' &&
	    memchr(json.p, '\\', json.len) == NULL)
		text = (struct slice){json.p + 1, json.len - 2};
	return text;
}

/* A string with its quotes that may be an ID, whose characters have escapes of two
 * bytes; what is anything else is not ours. */
static struct slice
quoted_id(struct slice json)
{
	if (json.len <= 2 || json.len > 2 * TASK_ID_MAX + 2 || json.p[0] != '"')
		return (struct slice){NULL, 0};
	return json;
}

/* Empty if it is none. */
static struct slice
trace_text(struct slice json)
{
	const struct slice text = plain_text(json);
	struct trace_context context;

	return trace_context_read(text, &context) ? text
						  : (struct slice){NULL, 0};
}

/* As the Recommendation says: what is not valid is not there, and then its
 * tracestate is not either. */
static void
read_trace(struct task *task)
{
	task->traceparent = trace_text(task->traceparent);
	task->tracestate = plain_text(task->tracestate);
	if (task->traceparent.len == 0 || !tracestate_valid(task->tracestate))
		task->tracestate = (struct slice){NULL, 0};
	task->trace_link = trace_text(task->trace_link);
}

/* A number of ours, of digits only; what is anything else is not ours. */
static int64_t
due_time(struct slice json)
{
	int64_t ms = 0;
	size_t i;

	if (json.len > DUE_DIGITS)
		return 0;
	for (i = 0; i < json.len; i++) {
		if (json.p[i] < '0' || json.p[i] > '9')
			return 0;
		ms = 10 * ms + (json.p[i] - '0');
	}
	return ms;
}

/*
 * Makes one block of the draft and the bytes that it was read from: one
 * malloc() and one free() for each task. The bytes are kept, because a retry or
 * a dead task is written from them (task_again.c).
 */
static int
make_task(const struct draft *d, struct slice bytes, struct task **ret,
	  struct err *err)
{
	struct task *task;
	char *p;

	task = malloc(sizeof(*task) + bytes.len + d->id.len + d->name.len +
		      d->queue.len + d->group.len + sizeof("\0\0\0\0"));
	if (task == NULL)
		return err_nomem(err);
	*task = d->task;
	p = (char *)(task + 1);
	task->raw = (struct slice){put_text(&p, bytes), bytes.len};
	task->args = moved(d->task.args, bytes, task->raw.p);
	task->kwargs = moved(d->task.kwargs, bytes, task->raw.p);
	task->history = moved(d->task.history, bytes, task->raw.p);
	if (task->history.len > 0 && task->history.p[0] != '[')
		task->history = (struct slice){NULL, 0};
	task->reply_to = moved(plain_name(d->task.reply_to, TASK_REPLY_MAX),
			       bytes, task->raw.p);
	task->parent = moved(quoted_id(d->task.parent), bytes, task->raw.p);
	task->root = moved(quoted_id(d->task.root), bytes, task->raw.p);
	task->flow =
	    moved(plain_name(d->task.flow, TASK_FLOW_MAX), bytes, task->raw.p);
	task->on =
	    moved(plain_name(d->task.on, TASK_FLOW_MAX), bytes, task->raw.p);
	task->skipped = moved(d->task.skipped, bytes, task->raw.p);
	if (task->skipped.len > 0 && task->skipped.p[0] != '"')
		task->skipped = (struct slice){NULL, 0};
	task->traceparent = moved(d->task.traceparent, bytes, task->raw.p);
	task->tracestate = moved(d->task.tracestate, bytes, task->raw.p);
	task->trace_link = moved(d->task.trace_link, bytes, task->raw.p);
	read_trace(task);
	task->id = put_text(&p, d->id);
	task->name = put_text(&p, d->name);
	if (d->queue.p != NULL)
		task->queue = put_text(&p, d->queue);
	if (d->group.len > 0)
		task->group = put_text(&p, d->group);
	task->priority = (int32_t)d->priority;
	task->due_ms = due_time(d->due_ms);
	task->expires_us = d->expires_at;
	task->cpu_bound = d->cpu_bound;
	*ret = task;
	return 0;
}

int
task_decode(struct slice bytes, struct task **ret, struct err *err)
{
	struct buf scratch = BUF_INIT;
	const struct fields_in in = {.table = fields,
				     .n = N_FIELDS,
				     .max_depth = TASK_DEPTH_MAX,
				     .scratch = &scratch};
	struct draft draft = {
	    .task.args = SLICE("[]"),
	    .task.kwargs = SLICE("{}"),
#define TASK_SETTING(field, type, member, ...) .task.member = TASK_UNSET,
#include "core/task_options.def"
	};
	int rc = -1;

	if (fields_read(&in, bytes, &draft, err) == 0 &&
	    check_texts(&draft, err) == 0)
		rc = make_task(&draft, bytes, ret, err);
	buf_done(&scratch);
	return rc;
}

void
task_free(struct task *task)
{
	free(task);
}

/* What the submitter left open is left out: the worker knows its modules and
 * decides then. */
static void
write_options(const struct task *task, struct buf *out)
{
	const struct retry_policy *retry = &task->retry;

	if (task->queue != NULL)
		write_text(out, WRITE_NEXT("queue"), slice_of(task->queue));
	if (task->submitted_us != 0)
		write_time(out, WRITE_NEXT("submitted_at"), task->submitted_us);
	if (task->expires_us != 0)
		write_time(out, WRITE_NEXT("expires_at"), task->expires_us);
	if (task->timeout_us >= 0)
		write_seconds(out, WRITE_NEXT("timeout"), task->timeout_us);
	/* Comparisons that not-a-number and infinity fail. */
	if (retry->backoff >= 0 && retry->backoff <= DBL_MAX)
		write_double(out, WRITE_NEXT("retry_backoff"), retry->backoff);
	if (retry->delay_max_us >= 0)
		write_seconds(out, WRITE_NEXT("retry_delay_max"),
			      retry->delay_max_us);
	if (retry->jitter >= 0 && retry->jitter <= DBL_MAX)
		write_double(out, WRITE_NEXT("retry_jitter"), retry->jitter);
	if (task->reply_to.len > 0)
		write_text(out, WRITE_NEXT("reply_to"), task->reply_to);
	if (task->traceparent.len > 0)
		write_text(out, WRITE_NEXT("traceparent"), task->traceparent);
	if (task->tracestate.len > 0)
		write_text(out, WRITE_NEXT("tracestate"), task->tracestate);
	if (task->parent.len > 0)
		write_json(out, WRITE_NEXT("parent"), task->parent,
			   SLICE("null"));
	if (task->root.len > 0)
		write_json(out, WRITE_NEXT("root"), task->root, SLICE("null"));
	if (task->trace_link.len > 0)
		write_text(out, WRITE_NEXT("trace_link"), task->trace_link);
	if (task->flow.len > 0)
		write_text(out, WRITE_NEXT("flow"), task->flow);
	if (task->on.len > 0)
		write_text(out, WRITE_NEXT("on"), task->on);
}

static void
write_if(struct buf *out, struct slice key, int64_t counter)
{
	if (counter != 0)
		write_whole(out, key, counter);
}

/*
 * In the order of the fields above, in which task_decode() finds each at once.
 */
void
task_encode(const struct task *task, struct buf *out)
{
	int64_t retries = task->max_retries;
	int64_t delay_us = task->retry.delay_us;

	write_text(out, WRITE_FIRST("id"), slice_of(task->id));
	write_text(out, WRITE_NEXT("name"), slice_of(task->name));
	/* Before what may be long: stores look for these there (limits.lua,
	 * unique.lua). */
	if (task->group != NULL)
		write_text(out, WRITE_NEXT("group"), slice_of(task->group));
	if (task->unique_until != UNIQUE_TIME) {
		write_text(out, WRITE_NEXT("unique"), slice_of(task->unique));
		write_text(out, WRITE_NEXT("unique_until"),
			   slice_of(unique_until_words[task->unique_until]));
	}
	write_json(out, WRITE_NEXT("args"), task->args, SLICE("[]"));
	write_json(out, WRITE_NEXT("kwargs"), task->kwargs, SLICE("{}"));
	write_whole(out, WRITE_NEXT("max_retries"), retries < 0 ? 0 : retries);
	write_seconds(out, WRITE_NEXT("retry_delay"),
		      delay_us < 0 ? 0 : delay_us);
	write_whole(out, WRITE_NEXT("current_retry"), task->current_retry);
	write_whole(out, WRITE_NEXT("priority"), task->priority);
	write_bool(out, WRITE_NEXT("cpu_bound"), task->cpu_bound);
	write_options(task, out);
	write_if(out, WRITE_NEXT("crashes"), task->crashes);
	write_if(out, WRITE_NEXT("suspected"), task->suspected);
	write_if(out, WRITE_NEXT("unknown"), task->unknown);
	write_if(out, WRITE_NEXT("unknown_since"), task->unknown_since);
	write_if(out, WRITE_NEXT("due_ms"), task->due_ms);
	write_end(out);
}

/* Elsewhere, in an argument, it at worst costs a question to the store. */
enum unique_until
task_unique_until(struct slice bytes)
{
	static const struct slice field = SLICE(",\"unique_until\":\"");
	const size_t len = bytes.len < UNIQUE_HEAD ? bytes.len : UNIQUE_HEAD;
	const char *at = memmem(bytes.p, len, field.p, field.len), *word;
	enum unique_until until = UNIQUE_TIME;
	size_t left;

	if (at == NULL)
		return UNIQUE_TIME;
	word = at + field.len;
	left = len - (size_t)(word - bytes.p);
	for (until = UNIQUE_END; until > UNIQUE_TIME; until--)
		if (left > strlen(unique_until_words[until]) &&
		    memcmp(word, unique_until_words[until],
			   strlen(unique_until_words[until])) == 0)
			break;
	return until;
}
