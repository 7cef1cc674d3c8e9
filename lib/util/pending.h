/* SPDX-License-Identifier: MIT */
/*
 * A piece of work that somebody else has to confirm: it is on one of its
 * owner's lists, to be sent or under way, until it is confirmed. It lies inside
 * the thing that it is about, so that nothing has to be allocated for it.
 */
#ifndef UTIL_PENDING_H
#define UTIL_PENDING_H

#include <stddef.h>
#include <sys/queue.h>

struct pending {
	TAILQ_ENTRY(pending) link;
	void *owner;
};
TAILQ_HEAD(pending_list, pending);

/* The struct of `type` whose `member` is at `ptr`. */
#define container_of(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
