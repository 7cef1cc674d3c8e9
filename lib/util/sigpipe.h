/* SPDX-License-Identifier: MIT */
/*
 * SIGPIPE in a library: its host may not have thought of it, and must not die of a
 * connection that breaks. Our own writes ask for none (MSG_NOSIGNAL). Those of
 * OpenSSL cannot: they tell, and then the signal is kept from the threads that write.
 */
#ifndef UTIL_SIGPIPE_H
#define UTIL_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

/* What a thread thought of the signal before it began to write. */
struct sigpipe {
	bool blocked; /* by us */
	sigset_t mask;
	bool was_pending;
};

/* From now on, some write of this process may cause it. Any thread may say so. */
void sigpipe_expect(void);
/* Blocks it in this thread, unless none is expected or that was done before; *old is
 * zeroed at first. */
void sigpipe_block(struct sigpipe *old);
/* Takes away the one that our own writes have caused, but none that was there
 * before. */
void sigpipe_restore(const struct sigpipe *old);

#endif
