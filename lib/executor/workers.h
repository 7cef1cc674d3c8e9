/* SPDX-License-Identifier: MIT */
/*
 * The threads that run blocking handlers, and the queue before them.
 *
 * The event loop's thread adds, recalls and cancels; the threads take one task
 * at a time. One sleeping thread is woken for a batch, and wakes the next one
 * if it leaves tasks behind: a batch of short tasks wakes few threads, a batch
 * of long ones all of them at once, nearly.
 */
#ifndef EXECUTOR_WORKERS_H
#define EXECUTOR_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/task.h"

struct err;
struct workers;

/*
 * Starts `n` threads. on_stopped(arg) is called, by one of them, when all have
 * ended after workers_stop().
 */
struct workers_options {
	unsigned int n;
	void (*on_stopped)(void *arg);
	void *arg;
};
struct workers *workers_new(const struct workers_options *o, struct err *err);
/* Joins the threads, which must have stopped. */
void workers_free(struct workers *w);

/* Queues the tasks, leaving the list empty. */
void workers_add(struct workers *w, struct task_list *tasks);

/* Takes back all that has not started. */
void workers_recall(struct workers *w, struct task_list *ret);

/*
 * Cancels a task. One that has not started is taken back in *ret (else NULL).
 * Returns false if it is not here.
 */
bool workers_cancel(struct workers *w, uint32_t number,
		    struct flowrra_task **ret);

/*
 * Reports the tasks that have run for IPC_STARTED_AFTER_MS. Returns whether
 * there is anything to look at again: a task that is queued, or runs and was
 * not reported.
 */
bool workers_report(struct workers *w);

/* Lets the threads end when they have finished what they run. The queue must
 * be empty, and stay so. */
void workers_stop(struct workers *w);
bool workers_stopped(struct workers *w);

#endif
