/* SPDX-License-Identifier: MIT */
/* Three system calls for each turn of a client's loop: only for those who need them. */
#include "util/sigpipe.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static atomic_bool expected;

void
sigpipe_expect(void)
{
	atomic_store(&expected, true);
}

void
sigpipe_block(struct sigpipe *old)
{
	sigset_t pending, only;

	if (old->blocked || !atomic_load(&expected))
		return;
	sigemptyset(&only);
	sigaddset(&only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &only, &old->mask);
	old->blocked = true;
	old->was_pending = false;
	/* One that was not blocked would have been delivered. */
	if (sigismember(&old->mask, SIGPIPE) != 1)
		return;
	sigemptyset(&pending);
	sigpending(&pending);
	old->was_pending = sigismember(&pending, SIGPIPE) == 1;
}

void
sigpipe_restore(const struct sigpipe *old)
{
	static const struct timespec at_once;
	sigset_t pending, only;

	if (!old->blocked)
		return;
	sigemptyset(&pending);
	sigpending(&pending);
	if (sigismember(&pending, SIGPIPE) == 1 && !old->was_pending) {
		sigemptyset(&only);
		sigaddset(&only, SIGPIPE);
		sigtimedwait(&only, NULL, &at_once);
	}
	if (sigismember(&old->mask, SIGPIPE) != 1)
		pthread_sigmask(SIG_SETMASK, &old->mask, NULL);
}
