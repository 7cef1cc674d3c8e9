/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: the lists of priorities, as keys. Which there are, scripts tell
 * (rqueue.levels), and are called with all that are known. See levels.c.
 */
#ifndef STORE_REDIS_LEVELS_H
#define STORE_REDIS_LEVELS_H

#include "store/redis/broker.h"

void rlevels_done(struct rlevels *l);
/* Adds one, unseen whether it is there; 0, or -1 (no priority, no memory). */
int rlevels_add(struct rlevels *l, struct slice level);
/* Whether a script has answered only with the levels: they are the first member
 * of the reply. */
bool rlevels_told(const struct redis_reply *reply);
/* Notes the levels that a script has told; whether there was a new one. If not,
 * to ask again would bring the same answer. */
bool rlevels_learn(struct rlevels *l, const struct redis_reply *told);
/* Whether all that a script has told are known by now. Of several calls that are
 * under way, the answer to one brings what the others lacked. */
bool rlevels_know(const struct rlevels *l, const struct redis_reply *told);
/* `n` keys, behind them the lists of `l`, and room for `more`; free() it. The
 * keys stay the caller's. NULL when memory runs out. */
struct slice *rlevels_join(const struct rlevels *l, const struct rqueue *q,
			   const struct slice *keys, size_t n, size_t more);
/* The list of a priority; free() it. NULL when memory runs out. */
char *rqueue_level_key(const struct rqueue *q, int32_t priority);

#endif
