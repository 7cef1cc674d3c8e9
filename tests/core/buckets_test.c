/* SPDX-License-Identifier: MIT */
/* The logarithmic scale of durations. */
#include <math.h>

#include "core/buckets.h"
#include "suite.h"

START_TEST(a_duration_is_in_the_first_bucket_that_it_does_not_exceed)
{
	unsigned int i;

	for (i = 0; i < BUCKETS - 1; i++) {
		const int64_t bound = bucket_bound_us(i);

		ck_assert_uint_eq(bucket_of(bound), i);
		ck_assert_uint_eq(bucket_of(bound + 1), i + 1);
		ck_assert_uint_eq(
		    bucket_of(bound - 1),
		    i > 0 && bound - 1 == bucket_bound_us(i - 1) ? i - 1 : i);
	}
}
END_TEST

START_TEST(every_duration_has_a_bucket)
{
	int64_t us;
	unsigned int bits, i;

	ck_assert_uint_eq(bucket_of(INT64_MIN), 0);
	ck_assert_uint_eq(bucket_of(-1), 0);
	ck_assert_uint_eq(bucket_of(0), 0);
	ck_assert_uint_eq(bucket_of(INT64_MAX), BUCKETS - 1);
	for (bits = 0; bits < 63; bits++)
		for (us = (INT64_C(1) << bits) - 2;
		     us <= (INT64_C(1) << bits) + 2; us++) {
			i = bucket_of(us);
			ck_assert_int_le(us, bucket_bound_us(i));
			if (i > 0)
				ck_assert_int_gt(us, bucket_bound_us(i - 1));
		}
}
END_TEST

START_TEST(bounds_rise_and_are_numbers_that_people_read)
{
	ck_assert_int_eq(bucket_bound_us(0), 100);
	ck_assert_int_eq(bucket_bound_us(1), 150);
	ck_assert_int_eq(bucket_bound_us(24), 1000000);
	ck_assert_int_eq(bucket_bound_us(25), 1500000);
	ck_assert_int_eq(bucket_bound_us(BUCKETS - 2), INT64_C(100000000000));
	ck_assert_int_eq(bucket_bound_us(BUCKETS - 1), INT64_MAX);
}
END_TEST

START_TEST(a_percentile_is_within_a_bucket_of_the_truth)
{
	static const double parts[] = {0.5, 0.9, 0.95, 0.99};
	int64_t counts[BUCKETS] = {0};
	unsigned int i;

	/* 1 ms to 10 s, evenly. */
	for (i = 1; i <= 10000; i++)
		counts[bucket_of((int64_t)i * 1000)]++;
	for (i = 0; i < 4; i++)
		ck_assert_double_eq_tol(bucket_percentile(counts, parts[i]),
					10 * parts[i], 0.05);
}
END_TEST

START_TEST(of_nothing_there_is_no_percentile)
{
	int64_t counts[BUCKETS] = {0};

	ck_assert_double_lt(bucket_percentile(counts, 0.5), 0);
	counts[BUCKETS - 1] = 5;
	ck_assert_double_eq(bucket_percentile(counts, 0.5), 100000);
	counts[BUCKETS - 1] = 0;
	counts[3] = -5;
	ck_assert_double_lt(bucket_percentile(counts, 0.5), 0);
}
END_TEST

SUITE("buckets")
{
	TEST(a_duration_is_in_the_first_bucket_that_it_does_not_exceed);
	TEST(every_duration_has_a_bucket);
	TEST(bounds_rise_and_are_numbers_that_people_read);
	TEST(a_percentile_is_within_a_bucket_of_the_truth);
	TEST(of_nothing_there_is_no_percentile);
}
