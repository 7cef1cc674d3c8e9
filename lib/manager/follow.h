/* SPDX-License-Identifier: MIT */
/* Which of some tasks have changed, as soon as they have. */
#ifndef MANAGER_FOLLOW_H
#define MANAGER_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct flowrra_client;

struct tasks_follow {
	const char *const *ids;
	size_t n;
	/* Called on the client's loop for each of them at the beginning, and when
	 * its record is another one than it was: the caller asks for it then
	 * (tasks_records()). See results_follow() for what is not noticed. */
	void (*on_change)(const char *id, void *arg);
	/* Asked several times a second, on the client's loop, also while the
	 * backend is out of reach. */
	bool (*stopped)(void *arg);
	void *arg;
};

/*
 * Follows them until `stopped` says so, then returns 0; lasts through outages of
 * the backend, and asks it nothing while nothing changes. -1 with *err: the
 * backend is out of reach at the beginning, or there is no memory.
 */
int tasks_follow(struct flowrra_client *c, const struct tasks_follow *what,
		 struct err *err);

#endif
