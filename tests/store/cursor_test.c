/* SPDX-License-Identifier: MIT */
/* Cursors come back as they were, and nothing else is one. */
#include "store/cursor.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "util/err.h"

START_TEST(what_was_written_is_read)
{
	const int64_t numbers[] = {INT64_MAX, 0};
	char text[CURSOR_SIZE];
	int64_t back[2];

	ck_assert_int_eq(
	    cursor_read(cursor_write(text, numbers, 2), back, 2, NULL), 0);
	ck_assert_int_eq(back[0], INT64_MAX);
	ck_assert_int_eq(back[1], 0);
}
END_TEST

START_TEST(what_is_written_fits_whatever_the_numbers_are)
{
	static const int64_t numbers[] = {INT64_MIN, INT64_MIN};
	static const char whole[] = "-9223372036854775808:-9223372036854775808";
	char *text = malloc(CURSOR_SIZE); /* its end is watched */
	struct slice cursor = cursor_write(text, numbers, 2);
	int64_t back[2];
	struct err err = ERR_INIT;

	ck_assert_uint_lt(cursor.len, CURSOR_SIZE);
	ck_assert(slice_eq(cursor, slice_of(whole)));
	ck_assert_int_eq(cursor_read(cursor, back, 2, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	free(text);
}
END_TEST

static const char *const bad[] = {
    "",
    ":",
    "x",
    "1",
    "1:",
    "1:2:",
    "1:2:3",
    "1::2",
    " 1:2",
    "+1:2",
    "-1:2",
    "1:-2",
    "1:2 ",
    "0x1:2",
    "9223372036854775808:1",
    "01:2",
    "1:00",
    "1:-0",
    "1:99999999999999999999999999999999999999",
    "1:2\n",
};

START_TEST(what_is_not_two_numbers_is_refused)
{
	struct err err = ERR_INIT;
	int64_t numbers[2];

	ck_assert_msg(cursor_read(slice_of(bad[_i]), numbers, 2, &err) == -1,
		      "%s", bad[_i]);
	ck_assert_int_eq(err.code, ERR_DATA);
}
END_TEST

START_TEST(a_number_is_taken_from_the_front)
{
	struct slice s = SLICE("-3:17:worker:1");
	int64_t n;

	ck_assert(cursor_number(&s, -3, 3, &n));
	ck_assert_int_eq(n, -3);
	ck_assert(cursor_number(&s, 0, 17, &n));
	ck_assert_int_eq(n, 17);
	ck_assert(slice_eq(s, SLICE("worker:1")));
	ck_assert(!cursor_number(&s, 0, 17, &n));
}
END_TEST

START_TEST(a_number_out_of_range_is_refused)
{
	struct slice low = SLICE("1"), high = SLICE("4");
	int64_t n;

	ck_assert(!cursor_number(&low, 2, 3, &n));
	ck_assert(!cursor_number(&high, 2, 3, &n));
}
END_TEST

SUITE("store-cursor")
{
	TEST(what_was_written_is_read);
	TEST(what_is_written_fits_whatever_the_numbers_are);
	TEST_LOOP(what_is_not_two_numbers_is_refused, 0,
		  sizeof(bad) / sizeof(bad[0]));
	TEST(a_number_is_taken_from_the_front);
	TEST(a_number_out_of_range_is_refused);
}
