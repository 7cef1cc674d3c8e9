/* SPDX-License-Identifier: MIT */
/* Beginnings of IDs, among IDs that others have chosen. */
#include "manager/short_id.h"

#include <stdio.h>
#include <string.h>

#include "manager/scene.h"
#include "suite.h"

static char id[TASK_ID_MAX + 1];

static int
find(const char *word)
{
	id[0] = '\0';
	scene.err.code = ERR_NONE;
	return short_id_find(scene.client, word, id, &scene.err);
}

START_TEST(some_words_are_beginnings)
{
	static const char *const good[] = {"0192ab", "abcdef", "012345",
					   "0192ab34-cd"};
	static const char *const bad[] = {
	    "0192a",	 "123456",	"0192AB",
	    "0192ab34c", "0192ab3-4c",	"0192ag",
	    "",		 "0192ab\x1b[", "0192ab34-cdef-7000-8000-0123456789ab"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(short_id_is_one(good[i]), "%s", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!short_id_is_one(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(one_is_found_wherever_it_is)
{
	scene_task("io", BROKER_WAITING, "01aaaa-1", 0);
	scene_task("io", BROKER_DELAYED, "01bbbb-1", SCENE_NOON_MS + 1000);
	scene_dead("io", "01cccc-1", 0, "{}");
	scene_record("01dddd-1", "{'task_id':'01dddd-1','status':'success'}");
	ck_assert_int_eq(find("01aaaa"), 1);
	ck_assert_str_eq(id, "01aaaa-1");
	ck_assert_int_eq(find("01bbbb"), 1);
	ck_assert_str_eq(id, "01bbbb-1");
	ck_assert_int_eq(find("01cccc"), 1);
	ck_assert_str_eq(id, "01cccc-1");
	ck_assert_int_eq(find("01dddd"), 1);
	ck_assert_str_eq(id, "01dddd-1");
	ck_assert_int_eq(find("01eeee"), 0);
	ck_assert_int_eq(scene.err.code, ERR_NONE);
}
END_TEST

/* As many as are looked at: some are told, and a whole one still goes first. */
START_TEST(of_a_thousand_none_is_taken)
{
	char one[TASK_ID_MAX + 1];
	int i;

	for (i = 0; i < SHORT_ID_DEPTH; i++) {
		snprintf(one, sizeof(one), "01abcd%0*d", i % 2 ? 60 : 4, i);
		scene_task("io", BROKER_WAITING, one, 0);
	}
	ck_assert_int_eq(find("01abcd"), -1);
	ck_assert_int_eq(scene.err.code, ERR_DATA);
	ck_assert_ptr_nonnull(strstr(scene.err.msg, "ambiguous"));
	ck_assert_ptr_nonnull(strstr(scene.err.msg, ", or others"));
	ck_assert_int_eq(find("01abcd0002"), 1);
	ck_assert_str_eq(id, "01abcd0002");
}
END_TEST

/* What only another program can have queued is neither shown nor taken. */
START_TEST(what_is_no_id_is_not_found)
{
	scene_task("io", BROKER_WAITING, "01abcd\\u001b[2J", 0);
	scene_task("io", BROKER_WAITING, "01abcd x", 0);
	scene_dead("io", "01abcd y", 0, "{}");
	scene_record("01abcd z", "{'task_id':'01abcd z','status':'success'}");
	ck_assert_int_eq(find("01abcd"), 0);
	scene_task("io", BROKER_WAITING, "01abcd-1", 0);
	ck_assert_int_eq(find("01abcd"), 1);
	ck_assert_str_eq(id, "01abcd-1");
}
END_TEST

SUITE("short_id")
{
	tcase_add_checked_fixture(suite_case_, scene_begin, scene_end);
	TEST(some_words_are_beginnings);
	TEST(one_is_found_wherever_it_is);
	TEST(of_a_thousand_none_is_taken);
	TEST(what_is_no_id_is_not_found);
}
