/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on numbers of others: times, counts, durations and priorities that
 * come from records, replies, columns of databases and requests. They may be
 * anything, and a sum that does not fit is undefined in C. What does not fit is
 * INT64_MAX or INT64_MIN here: still a wrong number, but of a wrong number, and on
 * the right side of whatever it is compared with.
 *
 * A number is checked or clamped where it comes in, if what it may be is known
 * there; these are for the places where it is not.
 */
#ifndef UTIL_SAT_H
#define UTIL_SAT_H

#include <stdint.h>

static inline int64_t
sat_add(int64_t a, int64_t b)
{
	int64_t n;

	if (__builtin_add_overflow(a, b, &n))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return n;
}

/* *sum += n. */
static inline void
sat_count(int64_t *sum, int64_t n)
{
	*sum = sat_add(*sum, n);
}

static inline int64_t
sat_sub(int64_t a, int64_t b)
{
	int64_t n;

	if (__builtin_sub_overflow(a, b, &n))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return n;
}

static inline int64_t
sat_mul(int64_t a, int64_t b)
{
	int64_t n;

	if (__builtin_mul_overflow(a, b, &n))
		return (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
	return n;
}

static inline int64_t
sat_clamp(int64_t n, int64_t min, int64_t max)
{
	return n < min ? min : n > max ? max : n;
}

/* To convert what is not a number, or out of range, is undefined as well; NaN
 * is 0. */
static inline int64_t
sat_of_double(double d)
{
	if (d != d)
		return 0;
	return d >= 0x1p63 ? INT64_MAX : d < -0x1p63 ? INT64_MIN : (int64_t)d;
}

#endif
