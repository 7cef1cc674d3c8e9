/* SPDX-License-Identifier: MIT */
/* Cursors come back as they were, and nothing else is one. */
#include "store/cursor.h"

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

static const char *const bad[] = {
    "",	    ":",     "x",    "1",     "1:",
    "1:2:", "1:2:3", "1::2", " 1:2",  "+1:2",
    "-1:2", "1:-2",  "1:2 ", "0x1:2", "9223372036854775808:1",
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
	TEST_LOOP(what_is_not_two_numbers_is_refused, 0,
		  sizeof(bad) / sizeof(bad[0]));
	TEST(a_number_is_taken_from_the_front);
	TEST(a_number_out_of_range_is_refused);
}
