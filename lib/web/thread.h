/* SPDX-License-Identifier: MIT */
/*
 * Threads beside the loop: how they are started, and one that works in turns,
 * waits between them, and is told to end. Private to lib/web.
 */
#ifndef WEB_THREAD_H
#define WEB_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

/* pthread_create() with all signals blocked: they are the loop's. 0, or -1 with
 * *err, which has the errno and names the limit that was reached. */
int thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg,
		 struct err *err);

/*
 * A thread with what it shares with the one that began it. `stop` may be read
 * without the lock; it is set with it, so that a wait cannot miss it.
 */
struct web_thread {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* something that the lock protects has */
	atomic_bool stop;
	/* The rest belongs to thread.c. */
	pthread_t id;
	bool begun;
};

/* Before all others; web_thread_done() undoes it. */
void web_thread_init(struct web_thread *t);
int web_thread_begin(struct web_thread *t, void *(*run)(void *arg), void *arg,
		     struct err *err);
/* Has it end soon, without waiting for it. */
void web_thread_stop(struct web_thread *t);
/* Stops it if it was begun, and waits for it. */
void web_thread_done(struct web_thread *t);

/* The clock of web_thread_wait(): monotonic, so that a stepped clock stops
 * nothing, and the kernel's own, which tests do not replace. */
int64_t web_thread_now_us(void);
/* With the lock: waits until `changed` or that time; THREAD_FOREVER: no time. May
 * return early, as any wait for a condition. */
#define THREAD_FOREVER INT64_MAX
void web_thread_wait(struct web_thread *t, int64_t until_us);

#endif
