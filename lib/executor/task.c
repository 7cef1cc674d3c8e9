/* SPDX-License-Identifier: MIT */
/*
 * A task inside an executor: made of RUN, begun, ended with DONE. The thread
 * that runs it owns it; another one may only set `cancelled` and, under the
 * lock of its queue, report that it has started.
 */
#include "executor/task.h"

#include <stdlib.h>
#include <string.h>

#include "codec/tree.h"
#include "executor/outbox.h"
#include "executor/task_socket.h"
#include "executor/text.h"
#include "module/dump.h"
#include "module/loader.h"
#include "util/clock.h"
#include "util/err.h"

/* Keeps sums of times far from overflow: a hundred years. */
#define TIMEOUT_MAX_US (100 * 366 * INT64_C(86400) * 1000000)

/* Copies a text and a NUL to *p, and moves *p behind them. */
static const char *
put_part(char **p, struct slice part)
{
	const char *begin = *p;

	*p = mempcpy(*p, part.p, part.len);
	*(*p)++ = '\0';
	return begin;
}

struct flowrra_task *
task_new(const struct ipc_message *run, const struct ipc_run_parts *parts,
	 const struct loader_task *type, const struct task_env *env)
{
	const struct ipc_run *r = run->fixed;
	/* Frames are at most IPC_FRAME_MAX: it fits. */
	uint32_t size =
	    (uint32_t)(sizeof(struct flowrra_task) + run->rest.len + 5);
	struct flowrra_task *t = malloc(size);
	char *p;

	if (t == NULL)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->env = env;
	t->type = type;
	t->number = run->task;
	t->attempt = r->attempt;
	t->max_attempts = r->max_attempts;
	t->size = size;
	/* More than a hundred years are meant as no limit. */
	t->timeout_us = r->timeout_us > TIMEOUT_MAX_US ? 0 : r->timeout_us;
	t->deadline_us = INT64_MAX;
	p = t->text;
	t->id = put_part(&p, parts->id);
	t->name = put_part(&p, parts->name);
	t->traceparent = put_part(&p, parts->traceparent);
	t->tracestate = put_part(&p, parts->tracestate);
	t->flow = put_part(&p, parts->flow);
	t->args_text = (struct slice){p, parts->args.len};
	p = mempcpy(p, parts->args.p, parts->args.len);
	t->kwargs_text = (struct slice){p, parts->kwargs.len};
	/* No NUL behind args and kwargs: JSON is read by its length. */
	mempcpy(p, parts->kwargs.p, parts->kwargs.len);
	return t;
}

void
task_free(struct flowrra_task *t)
{
	if (t == NULL)
		return;
	json_decref(t->args);
	json_decref(t->kwargs);
	free(t->error);
	free(t->exact);
	free(t);
}

/* The release pairs with the acquire of the thread that reports it: the wall
 * clock's time is there when the monotonic one is. */
void
task_begin(struct flowrra_task *t)
{
	int64_t now = clock_mono_us();

	t->started_us = clock_wall_us();
	if (t->timeout_us > 0)
		t->deadline_us = now + t->timeout_us;
	atomic_store_explicit(&t->started_mono_us, now, memory_order_release);
}

/* A person who has cancelled it meanwhile is not forgotten: unlike that of an
 * asynchronous task, its timeout does not set the flag. */
void
task_begin_again(struct flowrra_task *t)
{
	task_begin(t);
	task_report(t);
}

int64_t
task_ran_us(const struct flowrra_task *t)
{
	return clock_mono_us() -
	       atomic_load_explicit(&t->started_mono_us, memory_order_relaxed);
}

/* Parsed in the thread that runs it, not in the one that reads: large arguments
 * hold up nobody else. */
static json_t *
task_parse_part(struct slice text, const char *what, struct err *err)
{
	json_t *j = tree_read(text, err);

	if (j == NULL)
		err_prefix(err, "%s cannot be read", what);
	return j;
}

int
task_parse(struct flowrra_task *t, struct err *err)
{
	if ((t->args = task_parse_part(t->args_text, "args", err)) == NULL ||
	    (t->kwargs = task_parse_part(t->kwargs_text, "kwargs", err)) ==
		NULL)
		return -1;
	if (!json_is_array(t->args))
		return err_set(err, ERR_DATA, "args is not a JSON array");
	if (!json_is_object(t->kwargs))
		return err_set(err, ERR_DATA, "kwargs is not a JSON object");
	return 0;
}

/* Any thread: the handler looks at the flag when it likes. */
void
task_cancel(struct flowrra_task *t)
{
	atomic_store_explicit(&t->cancelled, true, memory_order_relaxed);
}

void
task_report(struct flowrra_task *t)
{
	struct ipc_started started = {atomic_load(&t->started_us)};
	struct outbox_frame frame = {
	    .type = IPC_STARTED, .task = t->number, .fixed = &started};

	t->reported = true;
	outbox_put(t->env->outbox, &frame, true);
}

/* json_dump_callback(): stops when the result gets too large. */
struct limited {
	struct buf *buf;
	size_t max;
	bool over;
};

/* Stops a result at the limit, and not after gigabytes were written. */
static int
dump_some(const char *p, size_t len, void *arg)
{
	struct limited *l = arg;

	if (len > l->max - l->buf->len) {
		l->over = true;
		return -1;
	}
	buf_add(l->buf, p, len);
	return l->buf->failed ? -1 : 0;
}

/* The text stays in the buffer: send it before the buffer is used again. */
static struct task_end
end_text(enum ipc_outcome outcome, const struct buf *b)
{
	return (struct task_end){.outcome = outcome, .text = {b->data, b->len}};
}

struct task_end
task_end_result(const struct flowrra_task *t, const json_t *result,
		struct buf *scratch)
{
	struct limited l = {scratch, t->env->max_result, false};
	enum dump_fault fault;
	struct task_end end = {.outcome = IPC_SUCCESS, .text = SLICE("null")};
	size_t flags = 0;

	buf_reset(scratch);
	if (result == NULL)
		return end;
	fault = dump_look(result, l.max, &flags);
	if (fault == DUMP_FINE &&
	    (t->exact != NULL
		 ? dump_some(t->exact, strlen(t->exact), &l)
		 : json_dump_callback(result, dump_some, &l, flags)) == 0) {
		end = end_text(IPC_SUCCESS, scratch);
		end.shallow = true;
		return end;
	}
	buf_reset(scratch);
	if (fault == DUMP_DEEP)
		buf_addf(scratch,
			 "the result is too deep: more than %d arrays and "
			 "objects inside one another",
			 DUMP_DEPTH_MAX);
	else if (l.over || fault == DUMP_LARGE)
		buf_addf(scratch,
			 "the result is larger than %u bytes, the limit "
			 "([executor] max_result_size)",
			 t->env->max_result);
	else
		buf_adds(scratch, "the result cannot be written as JSON");
	return end_text(IPC_FAILED_FINAL, scratch);
}

/* A handler that has failed may have left a result, too. */
void
task_drop_result(json_t *result, const struct task_end *end)
{
	if (end->shallow)
		json_decref(result);
	else
		dump_free(result);
}

struct task_end
task_end_failed(const struct flowrra_task *t, int code, struct buf *scratch)
{
	enum ipc_outcome outcome = t->lost    ? IPC_LOST
				   : t->final ? IPC_FAILED_FINAL
					      : IPC_FAILED;

	if (t->error != NULL)
		return (struct task_end){.outcome = outcome,
					 .text = slice_of(t->error)};
	buf_reset(scratch);
	buf_addf(scratch, "the handler of %s returned %d without a reason",
		 t->name, code);
	return end_text(outcome, scratch);
}

void
task_send_end(struct flowrra_task *t, const struct task_end *end, bool urgent)
{
	int64_t begun =
	    atomic_load_explicit(&t->started_mono_us, memory_order_relaxed);
	int64_t now = clock_mono_us();
	struct ipc_done done = {
	    .started_us = t->started_us,
	    /* So that no step of the wall clock puts the end first. */
	    .finished_us = t->started_us + (now - begun),
	    .ran_us = now - begun,
	    .outcome = end->outcome,
	    .exited = t->exited,
	    .signal = t->signal,
	    .truncated = t->truncated,
	    .limited =
		now >= t->deadline_us ||
		atomic_load_explicit(&t->cancelled, memory_order_relaxed),
	};
	struct outbox_frame frame = {.type = IPC_DONE,
				     .task = t->number,
				     .fixed = &done,
				     .rest = end->text};

	if (t->unbegun)
		frame = (struct outbox_frame){.type = IPC_RETURNED,
					      .task = t->number};
	if (t->has_socket)
		task_sockets_drop(t->env->sockets, t);
	outbox_put(t->env->outbox, &frame, urgent);
}

void
task_send_refusal(struct outbox *o, uint32_t number, const char *text)
{
	int64_t now = clock_wall_us();
	struct ipc_done done = {
	    .started_us = now, .finished_us = now, .outcome = IPC_FAILED_FINAL};
	struct outbox_frame frame = {.type = IPC_DONE,
				     .task = number,
				     .fixed = &done,
				     .rest = slice_of(text)};

	/* Not urgent: the reader flushes after the batch that it came in. */
	outbox_put(o, &frame, false);
}
