/* SPDX-License-Identifier: MIT */
/* Close names. */
#include "client/suggest.h"

#include "suite.h"

START_TEST(the_closest_names_come_first_and_far_ones_not_at_all)
{
	char text[SUGGEST_MAX];

	ck_assert_uint_eq(suggest("reszie",
				  "[\"echo\",\"resume\",\"resize\","
				  "\"unrelated\"]",
				  text),
			  2);
	ck_assert_str_eq(text, "\"resize\", \"resume\"");
	ck_assert_uint_eq(
	    suggest("send_mal", "[\"send_sms\",\"send_mail\"]", text), 1);
	ck_assert_uint_eq(suggest("ad", "[\"xyz\",\"add\",\"b\"]", text), 1);
	ck_assert_str_eq(text, "\"add\"");
	ck_assert_uint_eq(suggest("image", "[\"image.resize\"]", text), 1);
	ck_assert_uint_eq(suggest("foo", "[\"bar\",\"baz\"]", text), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(no_more_than_five_are_named)
{
	char text[SUGGEST_MAX];

	ck_assert_uint_eq(suggest("task0",
				  "[\"task1\",\"task2\",\"task3\",\"task4\","
				  "\"task5\",\"task6\",\"task\"]",
				  text),
			  5);
}
END_TEST

START_TEST(a_list_that_is_no_list_gives_none)
{
	char text[SUGGEST_MAX];

	ck_assert_uint_eq(suggest("a", "", text), 0);
	ck_assert_uint_eq(suggest("a", "{}", text), 0);
	ck_assert_uint_eq(suggest("ab", "[1,null]", text), 0);
}
END_TEST

SUITE("suggest")
{
	TEST(the_closest_names_come_first_and_far_ones_not_at_all);
	TEST(no_more_than_five_are_named);
	TEST(a_list_that_is_no_list_gives_none);
}
