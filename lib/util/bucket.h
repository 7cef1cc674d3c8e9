/* SPDX-License-Identifier: MIT */
/*
 * A token bucket: a rate per second, and a burst that may come at once.
 *
 * It has no clock and no lock of its own: the caller passes the time, of the
 * monotonic clock, and one thread uses it.
 */
#ifndef UTIL_BUCKET_H
#define UTIL_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	double tokens;
	int64_t filled_us; /* when tokens were added last */
};

/* A full one. */
static inline struct bucket
bucket_full(double burst, int64_t now_us)
{
	return (struct bucket){.tokens = burst, .filled_us = now_us};
}

/* Takes a token; false: there is none yet. */
static inline bool
bucket_take(struct bucket *b, double per_s, double burst, int64_t now_us)
{
	b->tokens += (double)(now_us - b->filled_us) / 1e6 * per_s;
	if (b->tokens > burst)
		b->tokens = burst;
	b->filled_us = now_us;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}

#endif
