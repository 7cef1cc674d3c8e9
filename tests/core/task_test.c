/* SPDX-License-Identifier: MIT */
/* What a task's id and names may look like. */
#include "core/task.h"

#include <string.h>

#include "suite.h"

START_TEST(a_name_holds_letters_digits_and_three_signs)
{
	int c;

	for (c = 0; c < 256; c++) {
		char byte = (char)c;
		bool wanted = c != 0 && strchr("abcdefghijklmnopqrstuvwxyz"
					       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					       "0123456789_.-",
					       c) != NULL;

		ck_assert_msg(task_name_valid((struct slice){&byte, 1}, 5) ==
				  wanted,
			      "byte %d", c);
	}
}
END_TEST

START_TEST(an_id_holds_printable_ascii_without_spaces)
{
	int c;

	for (c = 0; c < 256; c++) {
		char byte = (char)c;

		ck_assert_msg(task_id_valid((struct slice){&byte, 1}) ==
				  (c > ' ' && c < 127),
			      "byte %d", c);
	}
}
END_TEST

START_TEST(names_and_ids_have_a_greatest_length_and_are_never_empty)
{
	char text[TASK_ID_MAX + 1];

	memset(text, 'a', sizeof(text));
	ck_assert(!task_name_valid(SLICE(""), 5));
	ck_assert(task_name_valid(SLICE("12345"), 5));
	ck_assert(!task_name_valid(SLICE("123456"), 5));
	ck_assert(!task_id_valid(SLICE("")));
	ck_assert(task_id_valid((struct slice){text, TASK_ID_MAX}));
	ck_assert(!task_id_valid((struct slice){text, TASK_ID_MAX + 1}));
}
END_TEST

SUITE("task")
{
	TEST(a_name_holds_letters_digits_and_three_signs);
	TEST(an_id_holds_printable_ascii_without_spaces);
	TEST(names_and_ids_have_a_greatest_length_and_are_never_empty);
}
