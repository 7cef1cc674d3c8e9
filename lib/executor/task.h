/* SPDX-License-Identifier: MIT */
/*
 * A task inside an executor: what flowrra/module.h calls struct flowrra_task.
 *
 * It is made of a RUN frame in one allocation, runs once, and is told of in
 * one DONE frame. The functions of flowrra/module.h that ask and tell about a
 * task are here too.
 */
#ifndef EXECUTOR_TASK_H
#define EXECUTOR_TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "flowrra/module.h"
#include "ipc/ipc.h"

struct err;
struct loader_task;
struct async;
struct outbox;
struct submits;
struct task_sockets;
struct timer;

/* glibc's <sys/queue.h> lacks it. */
#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, next)                             \
	for ((var) = TAILQ_FIRST(head);                                        \
	     (var) && ((next) = TAILQ_NEXT(var, field), 1); (var) = (next))
#endif

TAILQ_HEAD(task_list, flowrra_task);

/* What all tasks of an executor share. */
struct task_env {
	struct outbox *outbox;
	struct submits *submits;
	struct task_sockets *sockets;
	uint32_t max_result;
};

struct flowrra_task {
	TAILQ_ENTRY(flowrra_task) entry; /* in a queue, or among the running */
	const struct task_env *env;
	const struct loader_task *type;
	uint32_t number; /* flowrrad's */
	uint32_t attempt;
	uint32_t max_attempts;
	uint32_t size; /* of this allocation */
	struct slice args_text;
	struct slice kwargs_text;
	const char *id; /* these are in text[] */
	const char *name;
	const char *traceparent, *tracestate; /* "": none */
	const char *flow;		      /* the same */

	json_t *args;
	json_t *kwargs;
	void *data;
	char *error; /* from flowrra_fail() */
	char *exact; /* from flowrra_task_exact(); NULL: none */
	bool final;
	bool unbegun;	 /* see module/begin.h */
	bool lost;	 /* see module/lost.h */
	bool has_socket; /* see task_socket.h */
	/* See module/ended.h; as in struct ipc_done. */
	int32_t exited, signal;
	int64_t truncated;
	atomic_bool cancelled;
	/* See module/signalled.h. */
	atomic_int signal_due;
	void (*on_signal)(struct flowrra_task *task, int sig);
	int64_t timeout_us;
	int64_t deadline_us;	    /* monotonic; INT64_MAX: none */
	_Atomic int64_t started_us; /* wall clock */
	/* Monotonic; 0: not yet. Set after the wall clock, by the thread that
	 * runs the task, read by the one that reports STARTED. */
	_Atomic int64_t started_mono_us;
	atomic_bool reported; /* STARTED was sent */

	/* Of an asynchronous task only. */
	TAILQ_ENTRY(flowrra_task) unreported;
	bool listed; /* in that list */
	struct async *loop;
	struct timer *timer; /* the soft timeout */
	bool told;	     /* its cancel function was called */
	bool ended;

	/* id, name, traceparent, tracestate and flow with NULs, args, kwargs */
	char text[];
};

/* NULL when memory runs out. */
struct flowrra_task *task_new(const struct ipc_message *run,
			      const struct ipc_run_parts *parts,
			      const struct loader_task *type,
			      const struct task_env *env);
void task_free(struct flowrra_task *t);

/* Starts its clocks. */
void task_begin(struct flowrra_task *t);
/* Starts them again, and says so: what it did so far was to wait. For a
 * blocking task, in the thread that runs it. */
void task_begin_again(struct flowrra_task *t);
/* Parses its arguments; -1 with *err, a text for the task's record. */
int task_parse(struct flowrra_task *t, struct err *err);
/* How long it has run. */
int64_t task_ran_us(const struct flowrra_task *t);
/* Tells it to end. */
void task_cancel(struct flowrra_task *t);
/* Sends STARTED; the caller keeps it from ending meanwhile. */
void task_report(struct flowrra_task *t);

/* How a task ended; `text` is the result's JSON or the error. */
struct task_end {
	enum ipc_outcome outcome;
	struct slice text;
	bool shallow; /* the result was looked at, and is not too deep */
};

/*
 * Makes the end of a result (borrowed; NULL is null), its text in `scratch`:
 * success, or a final failure if it is too large, too deep, or cannot be written.
 * task_drop_result() lets go of the result, with that end.
 */
void task_drop_result(json_t *result, const struct task_end *end);
struct task_end task_end_result(const struct flowrra_task *t,
				const json_t *result, struct buf *scratch);
/* Makes the end of what flowrra_fail() left, or of the number `code`. */
struct task_end task_end_failed(const struct flowrra_task *t, int code,
				struct buf *scratch);
/* Sends DONE, or RETURNED if its work was not begun. */
void task_send_end(struct flowrra_task *t, const struct task_end *end,
		   bool urgent);

/* Fails a task that never began, by its number. */
void task_send_refusal(struct outbox *o, uint32_t number, const char *text);

#endif
