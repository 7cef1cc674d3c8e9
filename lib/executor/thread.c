/* SPDX-License-Identifier: MIT */
/*
 * Threads that run handlers: with a stack that is fit for the code of others,
 * and with a last word if that code ends the thread.
 */
#include "executor/thread.h"

#include <errno.h>

#include "executor/crash.h"
#include "util/err.h"

/*
 * Only touched pages cost memory, so the stack could be the usual 8 MiB; but
 * where huge pages are always on, a mapping of 2 MiB or more may be filled with
 * them. 1 MiB is enough for resolvers, TLS libraries and deep JSON. The guard
 * is wide because modules may be built without -fstack-clash-protection.
 */
#define STACK_SIZE (1u << 20)
#define GUARD_SIZE (64u << 10)

/* A handler has called pthread_exit(). Its task would never end, and the
 * thread's slot would be lost: that is a crash like exit(). */
static void
on_pthread_exit(void *arg)
{
	crash_exited(-1);
}

static void *
thread_run(void *arg)
{
	struct thread *t = arg;
	struct crash_stack stack;

	/* What has no name of its own has the program's, cut off. */
	pthread_setname_np(pthread_self(), t->name);
	crash_thread_init(&stack);
	pthread_cleanup_push(on_pthread_exit, NULL);
	t->main(t->arg);
	pthread_cleanup_pop(0);
	crash_thread_done(&stack);
	return NULL;
}

int
thread_start(struct thread *t, struct err *err)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setguardsize(&attr, GUARD_SIZE);
	r = pthread_create(&t->id, &attr, thread_run, t);
	pthread_attr_destroy(&attr);
	if (r == 0)
		return 0;
	errno = r;
	return err_sys(err, ERR_SYSTEM, "cannot start a thread for handlers");
}
