/* SPDX-License-Identifier: MIT */
/*
 * A logarithmic scale of durations.
 *
 * Two durations are counted for each task that ends, so a bucket is found
 * without a division: the number of bits says where to begin, and at most three
 * comparisons end it (the bounds of one octave are at most three).
 */
#include "core/buckets.h"

#include <stddef.h>

#define DECADE(one) (one), (one) / 10 * 15, (one)*2, (one)*3, (one)*5, (one)*7

static const int64_t bounds[BUCKETS] = {
    DECADE(INT64_C(100)),
    DECADE(INT64_C(1000)),
    DECADE(INT64_C(10000)),
    DECADE(INT64_C(100000)),
    DECADE(INT64_C(1000000)),
    DECADE(INT64_C(10000000)),
    DECADE(INT64_C(100000000)),
    DECADE(INT64_C(1000000000)),
    DECADE(INT64_C(10000000000)),
    INT64_C(100000000000),
    INT64_MAX,
};

/* By the number of bits: the first bucket whose bound is not below the least
 * number that has as many. 100 has seven bits, 10^11 has 37. */
static const unsigned char first[38] = {
    0,	0,  0,	0,  0,	0,  0,	0,  1,	3,  5,	7,  9,	10, 12, 14, 16, 17, 19,
    21, 23, 25, 27, 28, 30, 32, 34, 35, 37, 39, 41, 43, 45, 46, 48, 50, 52, 53,
};

unsigned int
bucket_of(int64_t us)
{
	unsigned int bits, bucket;

	if (us <= bounds[0])
		return 0;
	bits = 64 - (unsigned int)__builtin_clzll((unsigned long long)us);
	if (bits >= sizeof(first))
		return BUCKETS - 1;
	for (bucket = first[bits]; us > bounds[bucket]; bucket++)
		;
	return bucket;
}

int64_t
bucket_bound_us(unsigned int bucket)
{
	return bounds[bucket < BUCKETS ? bucket : BUCKETS - 1];
}

/* In seconds. The first bucket begins at nothing. */
static double
bucket_begin_s(unsigned int bucket)
{
	return bucket == 0 ? 0 : (double)bounds[bucket - 1] / 1e6;
}

double
bucket_percentile(const int64_t counts[BUCKETS], double part)
{
	double all = 0, before = 0, wanted, begin, end;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++)
		all += counts[i] > 0 ? (double)counts[i] : 0;
	if (all <= 0)
		return -1;
	wanted = part * all;
	for (i = 0; i < BUCKETS - 1; i++) {
		if (counts[i] <= 0)
			continue;
		begin = bucket_begin_s(i);
		end = (double)bounds[i] / 1e6;
		if (before + (double)counts[i] >= wanted)
			return begin + (end - begin) * (wanted - before) /
					   (double)counts[i];
		before += (double)counts[i];
	}
	return bucket_begin_s(BUCKETS - 1);
}
