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

/* Takes n tokens, and returns 0; or none, and returns how many are lacking. */
static inline double
bucket_take_n(struct bucket *b, double n, double per_s, double burst,
	      int64_t now_us)
{
	b->tokens += (double)(now_us - b->filled_us) / 1e6 * per_s;
	if (b->tokens > burst)
		b->tokens = burst;
	b->filled_us = now_us;
	if (b->tokens < n)
		return n - b->tokens;
	b->tokens -= n;
	return 0;
}

/* Takes a token; false: there is none yet. */
static inline bool
bucket_take(struct bucket *b, double per_s, double burst, int64_t now_us)
{
	return bucket_take_n(b, 1, per_s, burst, now_us) <= 0;
}

#endif
