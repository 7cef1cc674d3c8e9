/* SPDX-License-Identifier: MIT */
/*
 * The threads that run blocking handlers, and the queue before them.
 *
 * One thread that has nothing to do leads: it reads from flowrrad, and runs
 * what it has read itself, because to wake another one takes longer than most
 * handlers. While handlers are short nobody reads meanwhile; if they are not,
 * an idle thread takes the lead before the handler starts, and should one turn
 * out to be long, an idle thread or, if all are busy, the event loop's thread
 * takes it at the next tick. So whatever flowrrad says is heard within a tick.
 *
 * The thread that reads adds, recalls and cancels. The threads take one task at
 * a time; one is woken for a batch, and wakes the next one if it leaves tasks
 * behind, unless the batch is so short that one thread is as fast. Should that
 * prove wrong by the next tick, the rest of the batch starts then.
 */
#ifndef EXECUTOR_WORKERS_H
#define EXECUTOR_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/task.h"

struct err;
struct workers;

/*
 * Starts `n` threads, or as many as there can be now, at least one: see
 * workers_fill(). They call
 *
 *	read(arg)	to wait for messages and take them; false: they read no
 *			more
 *	tick(arg)	to have workers_tick() called within a millisecond, but
 *			not from within
 *	on_stopped(arg)	in the last one, when all have ended after
 *			workers_stop()
 */
struct workers_options {
	unsigned int n;
	bool (*read)(void *arg);
	void (*tick)(void *arg);
	void (*on_stopped)(void *arg);
	void *arg;
};
struct workers *workers_new(const struct workers_options *o, struct err *err);
/* Starts the threads that are missing, since processes or memory were short.
 * The caller of workers_new() calls it now and then while it returns -1. */
int workers_fill(struct workers *w, struct err *err);
/* Joins the threads, which must have stopped. */
void workers_free(struct workers *w);

/* Queues the tasks, leaving the list empty. */
void workers_add(struct workers *w, struct task_list *tasks);

/* Takes back all that has not started. */
void workers_recall(struct workers *w, struct task_list *ret);

/* Notes a signal for a task that runs. Returns false if it is not here. */
bool workers_signal(struct workers *w, uint32_t number, int sig);

/*
 * Cancels a task. One that has not started is taken back in *ret (else NULL).
 * Returns false if it is not here.
 */
bool workers_cancel(struct workers *w, uint32_t number,
		    struct flowrra_task **ret);

/*
 * For the event loop's thread: reports the tasks that have run for
 * IPC_STARTED_AFTER_MS, and sees to it that somebody reads.
 */
struct workers_tick {
	bool again; /* a task is queued, or runs and was not reported */
	bool read;  /* the caller reads, until the next tick */
};
struct workers_tick workers_tick(struct workers *w);

/* Lets the threads end when they have finished what they run; the event loop's
 * thread reads from then on. The queue must be empty, and stay so. */
void workers_stop(struct workers *w);
bool workers_stopped(struct workers *w);

#endif
