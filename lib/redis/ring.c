/* SPDX-License-Identifier: MIT */
/*
 * Commands that wait for their replies, in the order in which they were sent:
 * Redis answers in that order, so no reply needs an ID.
 *
 * The capacity is a power of two. A mask then turns a running number into its
 * slot, and 64 bits of it do not wrap in the life of a connection.
 */
#include "redis/ring.h"

#include <stdlib.h>

/* One turn of the loop rarely sends more commands; the capacity doubles when it
 * does. */
#define FIRST_CAP 16

static struct redis_due *
slot(const struct redis_ring *ring, uint64_t n)
{
	return &ring->v[n & (ring->cap - 1)];
}

void
redis_ring_done(struct redis_ring *ring)
{
	free(ring->v);
	*ring = (struct redis_ring){.v = NULL};
}

int
redis_ring_reserve(struct redis_ring *ring)
{
	struct redis_ring wider = *ring;
	uint64_t n;

	if (ring->pushed - ring->popped < ring->cap)
		return 0;
	wider.cap = ring->cap != 0 ? ring->cap * 2 : FIRST_CAP;
	wider.v = calloc(wider.cap, sizeof(*wider.v));
	if (wider.v == NULL)
		return -1;
	for (n = ring->popped; n != ring->pushed; n++)
		*slot(&wider, n) = *slot(ring, n);
	free(ring->v);
	*ring = wider;
	return 0;
}

void
redis_ring_push(struct redis_ring *ring, struct redis_due due)
{
	*slot(ring, ring->pushed) = due;
	ring->pushed++;
}

const struct redis_due *
redis_ring_first(const struct redis_ring *ring)
{
	if (ring->popped == ring->pushed)
		return NULL;
	return slot(ring, ring->popped);
}

bool
redis_ring_pop(struct redis_ring *ring, struct redis_due *ret)
{
	if (ring->popped == ring->pushed)
		return false;
	*ret = *slot(ring, ring->popped);
	ring->popped++;
	return true;
}
