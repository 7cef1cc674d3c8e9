/* SPDX-License-Identifier: MIT */
/*
 * A client in the event loop of another program: one descriptor for all that the
 * client waits for.
 *
 * libevent does not show the descriptor that it waits with. So there is another
 * one, in which, after each lead, is what the client's loop has: its descriptors,
 * a timer for the next of its timeouts, and what wakes it for what is left to do.
 */
#ifndef CLIENT_FOREIGN_H
#define CLIENT_FOREIGN_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "util/err.h"

struct event_base;
struct flowrra_client;
struct foreign;

/* Something to be told in flowrra_client_dispatch(). */
struct foreign_news {
	void (*tell)(struct foreign_news *news);
	/* The rest belongs to foreign.c. */
	TAILQ_ENTRY(foreign_news) next;
	bool queued;
};

struct foreign *foreign_new(struct event_base *base, struct err *err);
/* In a child of fork(), too: it only closes. */
void foreign_free(struct foreign *f);
int foreign_fd(const struct foreign *f);
/* Brings the descriptor up to date with the base; only who leads may. */
void foreign_update(struct foreign *f);
/* On the loop: to be told by who dispatches next. */
void foreign_add(struct foreign *f, struct foreign_news *news);
/* Takes back news that nobody has begun to tell. */
void foreign_remove(struct foreign *f, struct foreign_news *news);
/* Tells all that is to be told, in the caller's thread. */
void foreign_tell(struct foreign *f);

#endif
