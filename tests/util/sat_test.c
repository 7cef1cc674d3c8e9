/* SPDX-License-Identifier: MIT */
/* Arithmetic that saturates: what fits is exact, what does not stays on its side. */
#include "util/sat.h"

#include <math.h>

#include "suite.h"

START_TEST(what_fits_is_exact)
{
	ck_assert_int_eq(sat_add(2, -5), -3);
	ck_assert_int_eq(sat_sub(2, -5), 7);
	ck_assert_int_eq(sat_mul(2, -5), -10);
	ck_assert_int_eq(sat_add(INT64_MAX, INT64_MIN), -1);
	ck_assert_int_eq(sat_sub(-1, INT64_MAX), INT64_MIN);
	ck_assert_int_eq(sat_of_double(-2.7), -2);
}
END_TEST

START_TEST(what_does_not_fit_stays_on_its_side)
{
	ck_assert_int_eq(sat_add(INT64_MAX, 1), INT64_MAX);
	ck_assert_int_eq(sat_add(INT64_MIN, -1), INT64_MIN);
	ck_assert_int_eq(sat_sub(INT64_MIN, 1), INT64_MIN);
	ck_assert_int_eq(sat_sub(0, INT64_MIN), INT64_MAX);
	ck_assert_int_eq(sat_mul(INT64_MAX, 2), INT64_MAX);
	ck_assert_int_eq(sat_mul(INT64_MIN, -1), INT64_MAX);
	ck_assert_int_eq(sat_mul(INT64_MAX, -2), INT64_MIN);
	ck_assert_int_eq(sat_mul(-3, INT64_MAX), INT64_MIN);
	ck_assert_int_eq(sat_of_double(1e300), INT64_MAX);
	ck_assert_int_eq(sat_of_double(-INFINITY), INT64_MIN);
	ck_assert_int_eq(sat_of_double(NAN), 0);
}
END_TEST

START_TEST(a_clamped_number_is_in_its_range)
{
	ck_assert_int_eq(sat_clamp(INT64_MIN, 0, 9), 0);
	ck_assert_int_eq(sat_clamp(5, 0, 9), 5);
	ck_assert_int_eq(sat_clamp(INT64_MAX, 0, 9), 9);
}
END_TEST

SUITE("sat")
{
	TEST(what_fits_is_exact);
	TEST(what_does_not_fit_stays_on_its_side);
	TEST(a_clamped_number_is_in_its_range);
}
