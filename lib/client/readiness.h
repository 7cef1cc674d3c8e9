/* SPDX-License-Identifier: MIT */
/*
 * Whether a server is in reach. Operations proceed at once while it is, and
 * wait for it, for a limited time, while it is not; or, with `fast`, give up at
 * once while it is known that it is not. Belongs to the loop.
 */
#ifndef CLIENT_READINESS_H
#define CLIENT_READINESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "util/err.h"

/* An operation that needs the server. */
struct readiness_waiter {
	/* `why` is NULL if the server is in reach, else says why it is not.
	 * May be called within readiness_await(). */
	void (*on_ready)(struct readiness_waiter *waiter,
			 const struct err *why);
	/* The rest belongs to readiness.c. */
	struct readiness *readiness; /* while it waits there; else NULL */
	struct event timer;
	bool hurried; /* its timer is that of `fast` */
	TAILQ_ENTRY(readiness_waiter) next;
};

/* To a person that is at once; and it is enough to connect, since nobody else
 * may turn the loop: a server that is back is found by those who ask. */
#define READINESS_AWAY_MS 50

struct readiness {
	struct event_base *base;
	int64_t timeout_ms; /* how long to wait for the server */
	bool fast;	    /* … but no longer than READINESS_AWAY_MS once an
			       attempt to reach it has failed */
	bool refusable; /* nobody waits for a server that has refused the first
			   connection: nothing listens there */
	bool up;
	bool was_up;
	bool closed;	/* it will never be in reach */
	struct err why; /* ERR_NONE: nothing is known yet */
	TAILQ_HEAD(, readiness_waiter) waiting;
};

void readiness_init(struct readiness *readiness, struct event_base *base,
		    int64_t timeout_ms);
/* What the on_state callbacks of broker.h and results.h report: wakes the
 * waiters if the server is up, or down for good (`final`). */
void readiness_set(struct readiness *readiness, bool up, bool final,
		   const struct err *why);
/* Calls waiter->on_ready() once, now or later. All other members of `waiter`
 * are zero at first. */
void readiness_await(struct readiness *readiness,
		     struct readiness_waiter *waiter);
/* If it still waits, it is not called back any more. */
void readiness_cancel(struct readiness_waiter *waiter);

#endif
