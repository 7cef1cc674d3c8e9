/* SPDX-License-Identifier: MIT */
/*
 * Threads beside the loop.
 *
 * They block in the client library and in drivers of databases, which the loop may
 * not. All signals are the loop's: one that was given to a thread would interrupt a
 * query for nothing.
 */
#include "web/thread.h"

#include <signal.h>
#include <time.h>

#include "util/err.h"
#include "util/limits.h"

#define US_PER_S 1000000

int
thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg,
	     struct err *err)
{
	sigset_t all, before;
	int sys;

	/* A thread inherits the mask: set here, there is no moment in which it
	 * could be given a signal. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	sys = pthread_create(ret, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (sys == 0)
		return 0;
	limits_no_thread(sys, err);
	err->sys = sys;
	return -1;
}

void
web_thread_init(struct web_thread *t)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);
	atomic_init(&t->stop, false);
	t->begun = false;
}

int
web_thread_begin(struct web_thread *t, void *(*run)(void *arg), void *arg,
		 struct err *err)
{
	t->begun = thread_start(&t->id, run, arg, err) == 0;
	return t->begun ? 0 : -1;
}

/* With the lock, so that a thread which has just looked at `stop`, and is about to
 * wait, cannot miss it. */
void
web_thread_stop(struct web_thread *t)
{
	pthread_mutex_lock(&t->lock);
	atomic_store(&t->stop, true);
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

void
web_thread_done(struct web_thread *t)
{
	web_thread_stop(t);
	if (t->begun)
		pthread_join(t->id, NULL);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
}

int64_t
web_thread_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* If the time has passed it only lets go of the lock for a moment. */
void
web_thread_wait(struct web_thread *t, int64_t until_us)
{
	const struct timespec until = {.tv_sec = (time_t)(until_us / US_PER_S),
				       .tv_nsec =
					   (long)(until_us % US_PER_S) * 1000};

	if (until_us == THREAD_FOREVER)
		pthread_cond_wait(&t->changed, &t->lock);
	else
		pthread_cond_timedwait(&t->changed, &t->lock, &until);
}
