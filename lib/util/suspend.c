/* SPDX-License-Identifier: MIT */
/*
 * One word says how many hold something, and whether a stop is wanted. Who makes
 * it "wanted, and nobody holds" stops the process: the signal's handler, or the
 * last holder. Nobody begins to hold something in between, so there is no moment
 * in which a lock is taken and the process stops.
 */
#include "util/suspend.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#define WANTED (1u << 31)
/* Between two looks whether the process has gone on: no lock is held then, and
 * nobody waits for it but its user, who has just pressed a key. */
#define LOOK_NS 1000000

static atomic_uint state;

static void suspend_on_signal(int sig);

static void
suspend_set_handler(void (*handler)(int))
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGTSTP, &sa, NULL);
}

/*
 * The signal's own action rather than SIGSTOP: it does not stop a process that
 * nobody could continue (an orphaned process group, POSIX.1-2017 2.4.3).
 * Async-signal-safe; raise() is back when the process was continued, since its
 * signal is for this thread.
 */
static void
suspend_now(void)
{
	sigset_t stop, old;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	suspend_set_handler(SIG_DFL);
	pthread_sigmask(SIG_UNBLOCK, &stop, &old);
	raise(SIGTSTP);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	suspend_set_handler(suspend_on_signal);
	atomic_fetch_and(&state, ~WANTED);
}

static void
suspend_on_signal(int sig)
{
	const int saved = errno;

	if (atomic_fetch_or(&state, WANTED) == 0)
		suspend_now();
	errno = saved;
}

void
suspend_defer(void)
{
	struct sigaction old;

	if (sigaction(SIGTSTP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		suspend_set_handler(suspend_on_signal);
}

void
suspend_hold(void)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	unsigned int seen = atomic_load(&state);

	for (;;) {
		if ((seen & WANTED) != 0) {
			nanosleep(&look, NULL);
			seen = atomic_load(&state);
		} else if (atomic_compare_exchange_weak(&state, &seen,
							seen + 1)) {
			return;
		}
	}
}

void
suspend_release(void)
{
	if (atomic_fetch_sub(&state, 1) == (WANTED | 1))
		suspend_now();
}
