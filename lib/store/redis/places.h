/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: asks lost.lua which tasks are in no place of their queue. It reads
 * all places of the queue in one step, and so is given their keys; of those that it
 * lacks it tells the names, and is asked again.
 *
 *	rplaces_call_init(&call, &places, &queue, ids, n);
 *	... SCRIPT_LOST with call.keys and call.args ...
 *	rplaces_call_done(&call);
 *	if (rplaces_learn(&places, &queue, reply))
 *		... once more ...
 *	else if (rplaces_is_missing(reply, i))
 *		... ids[i] is in no place ...
 *	rplaces_forget(&places);
 */
#ifndef STORE_REDIS_PLACES_H
#define STORE_REDIS_PLACES_H

#include "store/flow.h"
#include "store/redis/broker.h"

/* IDs in one call. */
#define RPLACES_BATCH FLOW_MISSING_MAX

/* Forgets what was told: what follows is about another queue. */
void rplaces_forget(struct rplaces *p);
void rplaces_done(struct rplaces *p);

/* KEYS and ARGV. The IDs are the caller's. */
struct rplaces_call {
	struct redis_args keys, args;
	struct slice *all;
	struct buf workers;
};
/* 0, or -1 when memory runs out; rplaces_call_done() is due in either case. */
int rplaces_call_init(struct rplaces_call *call, const struct rplaces *p,
		      const struct rqueue *q, const struct slice *ids,
		      size_t n);
void rplaces_call_done(struct rplaces_call *call);

/* Whether the reply is no answer yet, and the script may be asked once more. */
bool rplaces_learn(struct rplaces *p, const struct rqueue *q,
		   const struct redis_reply *reply);
/* What the answer says of the i-th ID; nothing is missing in a queue with more in it
 * than can be read in one step. */
bool rplaces_is_missing(const struct redis_reply *reply, size_t i);

#endif
