/* SPDX-License-Identifier: MIT */
/* Tests of errors. */
#include "util/err.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "suite.h"

START_TEST(an_error_has_code_and_message_and_no_errno)
{
	struct err err = {.code = ERR_DATA, .sys = EIO, .msg = "old"};

	errno = ENOENT;
	ck_assert_int_eq(err_set(&err, ERR_FULL, "queue %s", "q"), -1);
	ck_assert_int_eq(err.code, ERR_FULL);
	ck_assert_int_eq(err.sys, 0);
	ck_assert_str_eq(err.msg, "queue q");
}
END_TEST

START_TEST(a_system_error_keeps_errno_and_says_it)
{
	struct err err = ERR_INIT;

	errno = ENOENT;
	ck_assert_int_eq(err_sys(&err, ERR_SYSTEM, "cannot open %s", "x"), -1);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_str_eq(err.msg, "cannot open x: No such file or directory");
	errno = 99999;
	err_sys(&err, ERR_SYSTEM, "x");
	ck_assert_str_eq(err.msg, "x: unknown error");
}
END_TEST

START_TEST(a_prefix_goes_before_the_message)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_CONFIG, "bad");
	ck_assert_int_eq(err_prefix(&err, "line %d", 3), -1);
	ck_assert_str_eq(err.msg, "line 3: bad");
	ck_assert_int_eq(err.code, ERR_CONFIG);
}
END_TEST

START_TEST(a_hint_goes_behind)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_CONFIG, "bad");
	ck_assert_int_eq(err_hint(&err, "try %d", 3), -1);
	ck_assert_str_eq(err.msg, "bad; try 3");
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_int_eq(err_hint(NULL, "x"), -1);
}
END_TEST

START_TEST(long_messages_are_cut_off)
{
	char text[2 * ERR_MSG_MAX];
	struct err err = ERR_INIT;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, ERR_DATA, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), ERR_MSG_MAX - 1);
	errno = EIO;
	err_sys(&err, ERR_DATA, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), ERR_MSG_MAX - 1);
	err_hint(&err, "tail");
	ck_assert_uint_eq(strlen(err.msg), ERR_MSG_MAX - 1);
	err_prefix(&err, "head");
	ck_assert_uint_eq(strlen(err.msg), ERR_MSG_MAX - 1);
	ck_assert_int_eq(strncmp(err.msg, "head: xxx", 9), 0);
	err_prefix(&err, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), ERR_MSG_MAX - 1);
}
END_TEST

START_TEST(nobody_need_want_the_error)
{
	ck_assert_int_eq(err_set(NULL, ERR_DATA, "x"), -1);
	ck_assert_int_eq(err_sys(NULL, ERR_DATA, "x"), -1);
	ck_assert_int_eq(err_nomem(NULL), -1);
	ck_assert_int_eq(err_prefix(NULL, "x"), -1);
}
END_TEST

START_TEST(codes_map_to_the_published_exit_statuses)
{
	ck_assert_int_eq(err_exit_status(ERR_NONE), 0);
	ck_assert_int_eq(err_exit_status(ERR_FAILED), 1);
	ck_assert_int_eq(err_exit_status(ERR_NOT_FOUND), 2);
	ck_assert_int_eq(err_exit_status(ERR_TIMEOUT), 3);
	ck_assert_int_eq(err_exit_status(ERR_USAGE), 64);
	ck_assert_int_eq(err_exit_status(ERR_DATA), 65);
	ck_assert_int_eq(err_exit_status(ERR_UNAVAILABLE), 69);
	ck_assert_int_eq(err_exit_status(ERR_FULL), 75);
	ck_assert_int_eq(err_exit_status(ERR_REFUSED), 77);
	ck_assert_int_eq(err_exit_status(ERR_CONFIG), 78);
}
END_TEST

SUITE("err")
{
	TEST(an_error_has_code_and_message_and_no_errno);
	TEST(a_system_error_keeps_errno_and_says_it);
	TEST(a_prefix_goes_before_the_message);
	TEST(a_hint_goes_behind);
	TEST(long_messages_are_cut_off);
	TEST(nobody_need_want_the_error);
	TEST(codes_map_to_the_published_exit_statuses);
}
