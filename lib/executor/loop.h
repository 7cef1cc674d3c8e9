/* SPDX-License-Identifier: MIT */
/*
 * The event loop for asynchronous handlers, in a thread of its own: neither a
 * blocking handler nor a callback that blocks can keep the executor from
 * hearing flowrrad.
 */
#ifndef EXECUTOR_LOOP_H
#define EXECUTOR_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/task.h"

struct err;
struct loop;

/* Starts the thread. on_stopped(arg) is called by it when it ends after
 * loop_stop(). */
struct loop_options {
	struct outbox *outbox;
	void (*on_stopped)(void *arg);
	void *arg;
};
struct loop *loop_new(const struct loop_options *o, struct err *err);
/* Joins the thread, which must have stopped; to be called after the modules'
 * fini, which may still have events on the loop. */
void loop_free(struct loop *l);

/* As those of workers.h; a cancelled task that has started is told on the
 * loop. Not to be called on the loop. */
void loop_add(struct loop *l, struct task_list *tasks);
void loop_recall(struct loop *l, struct task_list *ret);
void loop_cancel(struct loop *l, uint32_t number, struct flowrra_task **ret);
bool loop_report(struct loop *l); /* a handler that holds up the loop */
void loop_stop(struct loop *l);
bool loop_stopped(struct loop *l);

/* Ends a task with what flowrra_fail() left in it. On the loop only. */
void loop_end_failed(struct flowrra_task *t);

#endif
