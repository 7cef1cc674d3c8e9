/* SPDX-License-Identifier: MIT */
/*
 * Commands that wait for their replies, in the order they were sent.
 *
 * A ring that grows; it numbers the commands, so that the n-th ever pushed is
 * the n-th ever popped.
 */
#ifndef REDIS_RING_H
#define REDIS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/redis.h"

struct redis_due {
	redis_reply_fn *on_reply; /* may be NULL */
	void *arg;
	int64_t block_ms;		   /* how long the server may keep it */
	const struct redis_script *script; /* of EVALSHA; else NULL */
};

struct redis_ring {
	struct redis_due *v;
	size_t cap;	 /* a power of two, or 0 */
	uint64_t popped; /* how many, ever */
	uint64_t pushed;
};

void redis_ring_done(struct redis_ring *ring);
/* Makes sure that one push succeeds; 0, or -1 when memory runs out. */
int redis_ring_reserve(struct redis_ring *ring);
void redis_ring_push(struct redis_ring *ring, struct redis_due due);
/* The oldest, or NULL. Valid until the next call. */
const struct redis_due *redis_ring_first(const struct redis_ring *ring);
/* Takes the oldest; false if there is none. */
bool redis_ring_pop(struct redis_ring *ring, struct redis_due *ret);

#endif
