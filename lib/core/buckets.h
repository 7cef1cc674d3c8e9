/* SPDX-License-Identifier: MIT */
/*
 * A logarithmic scale of durations, for histograms: six buckets a decade, from
 * 100 µs to 100,000 s, with bounds that people read (1, 1.5, 2, 3, 5, 7). What
 * is between two bounds is known to within a quarter.
 *
 * Bucket i has the durations that are longer than the bound of i - 1, and at
 * most as long as its own; the last one has all that is longer. The numbers of
 * buckets are part of what stores keep: they never change.
 */
#ifndef CORE_BUCKETS_H
#define CORE_BUCKETS_H

#include <stdint.h>

/* Nine decades, the bound at their end, and the rest. */
#define BUCKETS (9 * 6 + 2)

/* The bucket of a duration in µs; a negative one counts as none. */
unsigned int bucket_of(int64_t us);
/* Its upper bound in µs; INT64_MAX for the last one. */
int64_t bucket_bound_us(unsigned int bucket);

/*
 * The duration in seconds that the given part (0 to 1) of all does not exceed;
 * between two bounds it is interpolated. Negative: there are none. What is in
 * the last bucket counts as its lower bound.
 */
double bucket_percentile(const int64_t counts[BUCKETS], double part);

#endif
