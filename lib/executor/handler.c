/* SPDX-License-Identifier: MIT */
/*
 * What flowrra/module.h gives to all handlers. Its functions are called by the
 * code of others, in threads and on the loop alike: what they ask of a task is
 * constant while it runs, or atomic.
 */
#include "executor/handler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "executor/async.h"
#include "executor/outbox.h"
#include "executor/task.h"
#include "executor/text.h"
#include "module/begin.h"
#include "module/dump.h"
#include "module/ended.h"
#include "module/exact.h"
#include "module/lost.h"
#include "module/signalled.h"
#include "util/clock.h"
#include "util/log.h"

/* Empty: that it is called makes the linker take this file out of the archive,
 * though only modules, which are loaded later, use what is in it. */
void
handler_link(void)
{
}

const char *
flowrra_task_id(const struct flowrra_task *t)
{
	return t->id;
}

const char *
flowrra_task_name(const struct flowrra_task *t)
{
	return t->name;
}

const char *
flowrra_task_traceparent(const struct flowrra_task *t)
{
	return *t->traceparent != '\0' ? t->traceparent : NULL;
}

const char *
flowrra_task_tracestate(const struct flowrra_task *t)
{
	return *t->tracestate != '\0' ? t->tracestate : NULL;
}

const char *
flowrra_task_flow(const struct flowrra_task *t)
{
	return *t->flow != '\0' ? t->flow : NULL;
}

unsigned int
flowrra_task_attempt(const struct flowrra_task *t)
{
	return t->attempt;
}

unsigned int
flowrra_task_max_attempts(const struct flowrra_task *t)
{
	return t->max_attempts;
}

/* Relaxed: nothing else is read because of the flag, and a moment later is as
 * good. The timeout is looked at here, so that no timer needs to run for it. */
bool
flowrra_task_cancelled(const struct flowrra_task *t)
{
	return atomic_load_explicit(&t->cancelled, memory_order_relaxed) ||
	       (t->deadline_us != INT64_MAX &&
		clock_mono_us() >= t->deadline_us);
}

const char *
flowrra_task_args_text(const struct flowrra_task *t, size_t *length)
{
	*length = t->args_text.len;
	return t->args_text.p;
}

const char *
flowrra_task_kwargs_text(const struct flowrra_task *t, size_t *length)
{
	*length = t->kwargs_text.len;
	return t->kwargs_text.p;
}

double
flowrra_task_time_left(const struct flowrra_task *t)
{
	int64_t left;

	if (t->deadline_us == INT64_MAX)
		return HUGE_VAL;
	left = t->deadline_us - clock_mono_us();
	return left > 0 ? (double)left / 1e6 : 0;
}

void
flowrra_task_set_data(struct flowrra_task *t, void *data)
{
	t->data = data;
}

void *
flowrra_task_data(const struct flowrra_task *t)
{
	return t->data;
}

/* Whether there is room for what a handler may send without end. */
static bool
has_room(const struct flowrra_task *t)
{
	/* To wait here would hold up all tasks of the loop. */
	if (t->loop != NULL)
		return !outbox_full(t->env->outbox);
	outbox_wait(t->env->outbox);
	return true;
}

/* Written at once, and not with the next batch: a person looks at it. */
int
flowrra_task_progress(struct flowrra_task *t, const json_t *progress)
{
	struct outbox_frame frame = {.type = IPC_PROGRESS, .task = t->number};
	size_t flags;
	char *text;
	int r = -1;

	if (dump_look(progress, t->env->max_result, &flags) != DUMP_FINE ||
	    (text = json_dumps(progress, flags)) == NULL)
		return -1;
	frame.rest = slice_of(text);
	/* Limited as a result is. */
	if (frame.rest.len <= t->env->max_result && has_room(t)) {
		outbox_put(t->env->outbox, &frame, true);
		r = 0;
	}
	free(text);
	return r;
}

void
flowrra_task_log(struct flowrra_task *t, int level, const char *format, ...)
{
	static const enum log_level levels[] = {
#define X(name, priority) [priority] = LOG_LEVEL_##name,
	    LOG_LEVELS(X)
#undef X
	};
	struct ipc_log fixed;
	struct outbox_frame frame = {
	    .type = IPC_LOG, .task = t->number, .fixed = &fixed};
	va_list ap;
	char *text;

	/* syslog's numbers; the log has error (3) to debug (7). */
	level = level < 3 ? 3 : level > 7 ? 7 : level;
	fixed.level = levels[level];
	va_start(ap, format);
	text = text_format(TEXT_LOG_MAX, format, ap);
	va_end(ap);
	/* Without memory or room a line is lost, and not the task. */
	if (text == NULL)
		return;
	frame.rest = slice_of(text);
	if (has_room(t))
		outbox_put(t->env->outbox, &frame, true);
	free(text);
}

static int __attribute__((format(printf, 3, 0)))
handler_fail(struct flowrra_task *t, bool final, const char *format, va_list ap)
{
	/* A handler may fail twice: the last word counts. */
	free(t->error);
	t->error = text_format(TEXT_ERROR_MAX, format, ap);
	t->final = final;
	/* A blocking handler still has to return; here is the end already. */
	if (t->loop != NULL)
		async_end_failed(t);
	return -1;
}

void
flowrra_task_unbegun(struct flowrra_task *t)
{
	t->unbegun = true;
}

void
flowrra_task_begins(struct flowrra_task *t)
{
	if (t->loop != NULL)
		async_begin_again(t);
	else
		task_begin_again(t);
}

void
flowrra_task_on_signal(struct flowrra_task *t,
		       void (*fn)(struct flowrra_task *task, int sig))
{
	t->on_signal = fn;
}

int
flowrra_task_take_signal(struct flowrra_task *t)
{
	return atomic_exchange(&t->signal_due, 0);
}

int
flowrra_fail(struct flowrra_task *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	handler_fail(t, false, format, ap);
	va_end(ap);
	return -1;
}

/* The result in the handler's own bytes, which JSON readers would round.
 * Without memory there is none, and the JSON value stands. */
void
flowrra_task_exact(struct flowrra_task *t, const char *json, size_t length)
{
	free(t->exact);
	t->exact = strndup(json, length);
}

void
flowrra_task_command_ended(struct flowrra_task *t, int status,
			   int64_t truncated)
{
	t->exited = WIFEXITED(status) ? 1 + WEXITSTATUS(status) : 0;
	t->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	t->truncated = truncated;
}

void
flowrra_task_command_printed(struct flowrra_task *t, const char *text,
			     size_t len)
{
	const struct outbox_frame frame = {
	    .type = IPC_OUTPUT, .task = t->number, .rest = {text, len}};

	/* What is too slow loses this, as it does lines of the log. */
	if (has_room(t))
		outbox_put(t->env->outbox, &frame, false);
}

int
flowrra_task_lost(struct flowrra_task *t, const char *why)
{
	t->lost = true;
	return flowrra_fail(t, "%s", why);
}

int
flowrra_fail_final(struct flowrra_task *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	handler_fail(t, true, format, ap);
	va_end(ap);
	return -1;
}
