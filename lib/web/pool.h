/* SPDX-License-Identifier: MIT */
/*
 * Threads that run calls, which may block in a store, for a loop that must not.
 *
 * pool_put() hands a job to a thread; when it is done, `on_done` is called for
 * it on the loop. Jobs wait in a bounded queue: what does not fit is refused at
 * once, so that a store that stands still does not fill the memory. Threads are
 * started when they are first needed.
 */
#ifndef WEB_POOL_H
#define WEB_POOL_H

#include <stddef.h>
#include <sys/queue.h>

#include "web/call.h"

struct event_base;
struct pool_threads;

/* The user's, at the head of what it is about. */
struct pool_work {
	/* On a thread; `worker` is that thread's. */
	void (*run)(struct pool_work *work, struct web_worker *worker);
	/* On the loop, after `run`; or instead of it if the pool ends. */
	void (*on_done)(struct pool_work *work);
	TAILQ_ENTRY(pool_work) next;
};

struct pool_options {
	struct event_base *base;
	const struct web_shared *shared;
	size_t threads;
	size_t queue; /* how many may wait, beyond those that run */
};

struct pool_threads *pool_threads_new(const struct pool_options *options,
				      struct err *err);
/* Waits for what runs; then calls on_done for all that is left. */
void pool_threads_free(struct pool_threads *pool);
/* 0, or -1: there is no room (or no thread can be started). */
int pool_put(struct pool_threads *pool, struct pool_work *work);

#endif
