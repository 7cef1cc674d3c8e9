/* SPDX-License-Identifier: MIT */
/*
 * Threads that run handlers: blocking ones, or the event loop.
 *
 * They have a stack to die on (crash.h), and a handler that ends its thread
 * with pthread_exit(), which would lose the task, is treated as exit().
 */
#ifndef EXECUTOR_THREAD_H
#define EXECUTOR_THREAD_H

#include <pthread.h>

struct err;

struct thread {
	pthread_t id;
	void (*main)(void *arg);
	void *arg;
	char name[16]; /* for ps, top and debuggers: Linux shows 15 bytes */
};

/* Starts t->main(t->arg); `t` must live as long as the thread. */
int thread_start(struct thread *t, struct err *err);

#endif
