/* SPDX-License-Identifier: MIT */
/*
 * What the Redis user may not do (ACL), of what Flowrra does.
 *
 * The server is asked by a script (rights.lua), which tries nothing. It answers
 * for Redis 7 and later; before, a missing right shows when it is used.
 */
#ifndef STORE_REDIS_RIGHTS_H
#define STORE_REDIS_RIGHTS_H

#include "store/redis/broker.h"

/* The user that is asked about, and what that user needs. */
struct rrights {
	const char *user;     /* NULL: the default one */
	bool queues, records; /* that are on this server */
	bool all;	      /* for all that there is, else for a worker */
	const char *queue_key, *queues_key; /* of the queues */
};

/* What the broker's user needs. */
struct rrights rrights_of_broker(const struct rbroker *b, bool all);

/* The arguments of SCRIPT_RIGHTS, in one block: free() v. v == NULL when memory
 * runs out. */
struct redis_args rrights_args(const struct rrights *of);

/* How many rights are missing, by the script's answer: none for an answer of
 * another kind, one if the user may use no scripts. */
size_t rrights_missing(const struct redis_reply *reply);

/* What the user may not do, the `i`th of those; and the command that mends it.
 * Both are added to empty buffers. */
void rrights_describe(const struct rrights *of, const struct redis_reply *reply,
		      size_t i, struct buf *what, struct buf *remedy);

/* Tells each of those, as one error for a log. */
void rrights_warn(const struct rrights *of, const struct redis_reply *reply,
		  const char *server,
		  void (*tell)(const struct err *what, void *arg), void *arg);

/* Warns of what a worker may not do, by on_state. */
void rrights_check_worker(struct rbroker *b);

#endif
