/* SPDX-License-Identifier: MIT */
/*
 * What the workers have registered: the defaults of a task, kept for some
 * seconds so that a stream of submissions asks once for each name.
 */
#ifndef CLIENT_REGISTRY_H
#define CLIENT_REGISTRY_H

#include <stdbool.h>

#include "codec/registered.h"

struct err;
struct flowrra_client;
struct registry;

struct registry *registry_new(struct err *err);
void registry_free(struct registry *registry);

/*
 * Finds an entry, asking the broker if need be. ERR_DATA, with close names, if
 * there is none. Any thread may call it. `queue`, or NULL, is where such a task
 * is likely to go: the question of registry_check_served() leaves together with
 * this one then.
 */
int registry_find(struct flowrra_client *c, const char *name, const char *queue,
		  struct registered *ret, struct err *err);

/*
 * Whether a task with that registration may go into a queue: ERR_DATA, with close
 * names, if the queue has living workers and none of them has the task. While it
 * has none, as during a deploy, what is registered is good.
 */
int registry_check_served(struct flowrra_client *c, const char *queue,
			  const char *name, struct err *err);

/* The queue of that question, when it was asked last of that name, if the answer was that
 * no living worker of it says what it has: none lives, or all are too old to tell. NULL:
 * another answer, or it was about another queue than `queue`, unless that is NULL. Asks
 * nothing by itself; free() it. */
char *registry_deserted(struct flowrra_client *c, const char *queue,
			const char *name);

/* Sets *err, with `code`, to say that nobody has registered `name`; asks the
 * broker for close ones. Returns -1. */
int registry_unknown(struct flowrra_client *c, const char *name, int code,
		     struct err *err);

#endif
