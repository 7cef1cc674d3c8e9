/* SPDX-License-Identifier: MIT */
/* Names of tasks and queues. */
#include "util/name.h"

#include <string.h>

#include "suite.h"

static const char every_byte[] = "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

START_TEST(names_are_letters_digits_and_three_signs)
{
	char text[2] = "";
	int c;

	for (c = 1; c < 256; c++) {
		text[0] = (char)c;
		ck_assert_int_eq(name_valid(slice_of(text), 1),
				 strchr(every_byte, c) != NULL);
	}
	ck_assert(!name_valid((struct slice){"a\0b", 3}, 10));
}
END_TEST

START_TEST(a_name_has_a_length)
{
	ck_assert(!name_valid(SLICE(""), 10));
	ck_assert(!name_valid((struct slice){NULL, 0}, 10));
	ck_assert(name_valid(SLICE("abc"), 3));
	ck_assert(!name_valid(SLICE("abcd"), 3));
}
END_TEST

START_TEST(the_message_quotes_the_name_and_says_what_is_allowed)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(name_check_task(SLICE("a b"), ERR_DATA, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_str_eq(err.msg,
			 "\"a b\" is not a valid task name; allowed: 1 to 200 "
			 "of the characters A-Z a-z 0-9 _ . -");
	ck_assert_int_eq(
	    name_check_queue((struct slice){NULL, 0}, ERR_CONFIG, &err), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_eq(err.msg,
			 "\"\" is not a valid queue name; allowed: 1 to 128 of "
			 "the characters A-Z a-z 0-9 _ . -");
}
END_TEST

START_TEST(the_longest_names_are_allowed)
{
	char text[NAME_TASK_MAX + 1];
	struct err err;

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(name_check_task((struct slice){text, NAME_TASK_MAX},
					 ERR_DATA, &err),
			 0);
	ck_assert_int_eq(
	    name_check_task((struct slice){text, sizeof(text)}, ERR_DATA, &err),
	    -1);
	ck_assert_int_eq(name_check_queue((struct slice){text, NAME_QUEUE_MAX},
					  ERR_DATA, &err),
			 0);
	ck_assert_int_eq(
	    name_check_queue((struct slice){text, NAME_QUEUE_MAX + 1}, ERR_DATA,
			     &err),
	    -1);
}
END_TEST

SUITE("name")
{
	TEST(names_are_letters_digits_and_three_signs);
	TEST(a_name_has_a_length);
	TEST(the_message_quotes_the_name_and_says_what_is_allowed);
	TEST(the_longest_names_are_allowed);
}
