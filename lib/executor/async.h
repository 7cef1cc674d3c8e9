/* SPDX-License-Identifier: MIT */
/*
 * The event loop for asynchronous handlers, in a thread of its own: neither a
 * blocking handler nor a callback that blocks can keep the executor from
 * hearing flowrrad.
 */
#ifndef EXECUTOR_ASYNC_H
#define EXECUTOR_ASYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/task.h"

struct err;
struct async;

/* Starts the thread. on_stopped(arg) is called by it when it ends after
 * async_stop(). */
struct async_options {
	struct outbox *outbox;
	void (*on_stopped)(void *arg);
	void *arg;
};
struct async *async_new(const struct async_options *o, struct err *err);
/* Joins the thread, which must have stopped; to be called after the modules'
 * fini, which may still have events on the loop. */
void async_free(struct async *l);

/* As those of workers.h; a cancelled task that has started is told on the
 * loop. Not to be called on the loop. */
void async_add(struct async *l, struct task_list *tasks);
void async_recall(struct async *l, struct task_list *ret);
void async_cancel(struct async *l, uint32_t number, struct flowrra_task **ret);
/* To a task that runs; others get none. */
void async_signal(struct async *l, uint32_t number, int sig);
bool async_report(struct async *l); /* a handler that holds up the loop */
/* Asks the loop whether it still turns. Returns how many questions before this
 * one it has not taken yet, and in *ret_task whose handler keeps it from that,
 * 0 if it is not known. */
unsigned int async_ping(struct async *l, uint32_t *ret_task);
void async_stop(struct async *l);
bool async_stopped(struct async *l);

/* The task's clocks start once more, and STARTED is sent again. On the loop
 * only. */
void async_begin_again(struct flowrra_task *t);
/* Ends a task with what flowrra_fail() left in it. On the loop only. */
void async_end_failed(struct flowrra_task *t);

#endif
