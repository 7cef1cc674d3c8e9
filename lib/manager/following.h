/* SPDX-License-Identifier: MIT */
/*
 * Listening to the backend until somebody says that it is enough: what
 * events_follow() and tasks_follow() have in common. Private to lib/manager.
 *
 * It is an operation of the client's loop, but not a query: a query cannot be
 * left while it waits for the backend, and `stopped` counts from the first
 * moment. All but following_run() happens on the loop.
 */
#ifndef MANAGER_FOLLOWING_H
#define MANAGER_FOLLOWING_H

#include <stdbool.h>

#include "client/client.h"

struct timer;

struct following {
	/* Set by the caller; it lasts until following_run() returns. */
	struct flowrra_client *client;
	/* Asked several times a second whether to end; NULL: it is not. */
	bool (*stopped)(void *arg);
	void *arg;
	/* The backend is in reach: listens to it. -1 with *err ends it. */
	int (*begin)(struct following *f, struct err *err);
	/* Listens no longer, whether or not the backend is in reach. Called if,
	 * and only if, `begin` was; never from within a callback of the store. */
	void (*leave)(struct following *f);
	/* The rest belongs to following.c. */
	struct op op;
	struct readiness_waiter waiter;
	struct timer *timer; /* of `stopped` */
	bool begun;
	bool ended; /* what the store still delivers is to be dropped */
};

/* Begins and waits. 0 when `stopped` or following_end() has ended it, or -1 with
 * *err: the backend is out of reach, for as long as any operation waits, or
 * `begin` has failed. */
int following_run(struct following *f, struct err *err);
/* Ends it, with 0 unless there is an `err`; at most once: see `ended`. */
void following_end(struct following *f, const struct err *err);

#endif
