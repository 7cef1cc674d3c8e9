/* SPDX-License-Identifier: MIT */
/*
 * Operation threads: a queue of work, and one of what is done, of which an
 * eventfd tells the loop.
 *
 * A pool of our own rather than one of a library, for two things: the queue has
 * an end, beyond which work is refused at once, and each thread has its own
 * struct web_worker, in which connections of databases live that no two threads
 * may share.
 */
#include "web/pool.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/err.h"
#include "util/limits.h"
#include "util/log.h"
#include "web/thread.h"

TAILQ_HEAD(pool_list, pool_work);

struct pool_threads {
	const struct web_shared *shared;
	size_t max_threads, max_queue;
	pthread_t *threads;
	size_t n_threads;
	int fd; /* an eventfd: something is done */
	struct event *wake;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct pool_list waiting, done;
	size_t n_waiting, n_running;
	bool ending;
};

static void
pool_tell_loop(const struct pool_threads *pool)
{
	const uint64_t one = 1;

	/* A full counter has told it already. */
	while (write(pool->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* The next one to run, or NULL: the pool ends. */
static struct pool_work *
pool_take(struct pool_threads *pool)
{
	struct pool_work *work = NULL;

	pthread_mutex_lock(&pool->lock);
	while (pool->n_waiting == 0 && !pool->ending)
		pthread_cond_wait(&pool->changed, &pool->lock);
	if (!pool->ending) {
		work = TAILQ_FIRST(&pool->waiting);
		TAILQ_REMOVE(&pool->waiting, work, next);
		pool->n_waiting--;
		pool->n_running++;
	}
	pthread_mutex_unlock(&pool->lock);
	return work;
}

/* A thread lives as long as the pool: what it has opened, a database say, is
 * worth keeping. */
static void *
pool_thread(void *arg)
{
	struct pool_threads *pool = arg;
	struct web_worker worker = {.shared = pool->shared};
	struct pool_work *work;

	while ((work = pool_take(pool)) != NULL) {
		work->run(work, &worker);
		pthread_mutex_lock(&pool->lock);
		pool->n_running--;
		TAILQ_INSERT_TAIL(&pool->done, work, next);
		pthread_mutex_unlock(&pool->lock);
		pool_tell_loop(pool);
	}
	web_worker_done(&worker);
	return NULL;
}

/* What is done, one after the other: on_done may put more work in. */
static void
pool_drain(struct pool_threads *pool)
{
	struct pool_work *work;

	for (;;) {
		pthread_mutex_lock(&pool->lock);
		if ((work = TAILQ_FIRST(&pool->done)) != NULL)
			TAILQ_REMOVE(&pool->done, work, next);
		pthread_mutex_unlock(&pool->lock);
		if (work == NULL)
			return;
		work->on_done(work);
	}
}

/* The counter is emptied first: what is done later wakes the loop again. */
static void
on_pool_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) > 0)
		;
	pool_drain(arg);
}

/* No thread is begun here: a daemon that nobody asks needs none. */
struct pool_threads *
pool_threads_new(const struct pool_options *o, struct err *err)
{
	struct pool_threads *pool = calloc(1, sizeof(*pool));

	if (pool == NULL ||
	    (pool->threads = calloc(o->threads, sizeof(pthread_t))) == NULL) {
		free(pool);
		err_nomem(err);
		return NULL;
	}
	pool->shared = o->shared;
	pool->max_threads = o->threads;
	pool->max_queue = o->queue;
	TAILQ_INIT(&pool->waiting);
	TAILQ_INIT(&pool->done);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->changed, NULL);
	if ((pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
	    (pool->wake = event_new(o->base, pool->fd, EV_READ | EV_PERSIST,
				    on_pool_wake, pool)) == NULL ||
	    event_add(pool->wake, NULL) != 0) {
		err_sys(err, ERR_SYSTEM, "cannot make the operation threads");
		pool_threads_free(pool);
		return NULL;
	}
	return pool;
}

/* Work that was never begun is given back by on_done as well, so that what it
 * holds is released in one place; the loop does not turn any more.
 */
void
pool_threads_free(struct pool_threads *pool)
{
	size_t i;

	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
	for (i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	TAILQ_CONCAT(&pool->done, &pool->waiting, next);
	pool_drain(pool);
	if (pool->wake != NULL)
		event_free(pool->wake);
	if (pool->fd >= 0)
		close(pool->fd);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}

/* One more, if it can be had; else those that are there do all. With the lock. */
static void
pool_grow(struct pool_threads *pool)
{
	struct err err;

	if (pool->n_threads == pool->max_threads)
		return;
	if (thread_start(&pool->threads[pool->n_threads], pool_thread, pool,
			 &err) == 0)
		pool->n_threads++;
	else if (limits_warning_due(err.sys))
		log_warning("%zu threads for requests, not %zu: %s",
			    pool->n_threads, pool->max_threads, err.msg);
}

/* What runs does not count against the queue, and a thread is added only if all
 * that there are have something to do. */
int
pool_put(struct pool_threads *pool, struct pool_work *work)
{
	int r = -1;

	pthread_mutex_lock(&pool->lock);
	if (pool->n_running + pool->n_waiting >= pool->n_threads)
		pool_grow(pool);
	if (!pool->ending && pool->n_threads > 0 &&
	    pool->n_running + pool->n_waiting <
		pool->n_threads + pool->max_queue) {
		TAILQ_INSERT_TAIL(&pool->waiting, work, next);
		pool->n_waiting++;
		pthread_cond_signal(&pool->changed);
		r = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
}
