/* SPDX-License-Identifier: MIT */
/* Close names. */
#include "util/closest.h"

#include <stdint.h>
#include <string.h>

#include "suite.h"

START_TEST(a_mistake_of_each_kind_counts_as_one)
{
	ck_assert_uint_eq(closest_distance("resize", "resize"), 0);
	ck_assert_uint_eq(closest_distance("resize", "RESIZE"), 0);
	ck_assert_uint_eq(closest_distance("resze", "resize"), 1);
	ck_assert_uint_eq(closest_distance("ressize", "resize"), 1);
	ck_assert_uint_eq(closest_distance("rexize", "resize"), 1);
	ck_assert_uint_eq(closest_distance("reszie", "resize"), 1);
	ck_assert_uint_eq(closest_distance("", "abc"), 3);
	ck_assert_uint_eq(closest_distance("abc", ""), 3);
	ck_assert_uint_eq(closest_distance("kitten", "sitting"), 3);
}
END_TEST

START_TEST(names_too_long_to_be_names_are_far_from_all)
{
	char name[300];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_uint_eq(closest_distance(name, "a"), SIZE_MAX);
	name[CLOSEST_LEN_MAX] = '\0';
	ck_assert_uint_eq(closest_distance(name, "a"), CLOSEST_LEN_MAX - 1);
}
END_TEST

/* Offers names up to NULL, and writes those that are close. */
static size_t
offer(const char *typed, const char *const names[],
      char text[CLOSEST_TEXT_SIZE])
{
	struct closest c = CLOSEST_INIT(typed);
	size_t i;

	for (i = 0; names[i] != NULL; i++)
		closest_offer(&c, names[i]);
	return closest_write(&c, text);
}

START_TEST(the_closest_names_come_first_and_far_ones_not_at_all)
{
	static const char *const names[] = {"echo", "resume", "resize",
					    "unrelated", NULL};
	static const char *const far[] = {"bar", "baz", NULL};
	static const char *const longer[] = {"image.resize", NULL};
	char text[CLOSEST_TEXT_SIZE];

	ck_assert_uint_eq(offer("reszie", names, text), 2);
	ck_assert_str_eq(text, "\"resize\", \"resume\"");
	ck_assert_uint_eq(offer("image", longer, text), 1);
	ck_assert_uint_eq(offer("foo", far, text), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_mistaken_case_leaves_no_choice)
{
	static const char *const names[] = {"Resume", "Resize", NULL};
	char text[CLOSEST_TEXT_SIZE];

	ck_assert_uint_eq(offer("resize", names, text), 1);
	ck_assert_str_eq(text, "\"Resize\"");
}
END_TEST

START_TEST(no_more_than_five_are_named)
{
	static const char *const names[] = {"task1", "task2", "task3", "task4",
					    "task5", "task6", NULL};
	char text[CLOSEST_TEXT_SIZE];

	ck_assert_uint_eq(offer("task0", names, text), CLOSEST_SHOWN);
}
END_TEST

SUITE("closest")
{
	TEST(a_mistake_of_each_kind_counts_as_one);
	TEST(names_too_long_to_be_names_are_far_from_all);
	TEST(the_closest_names_come_first_and_far_ones_not_at_all);
	TEST(a_mistaken_case_leaves_no_choice);
	TEST(no_more_than_five_are_named);
}
