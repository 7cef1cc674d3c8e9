/* SPDX-License-Identifier: MIT */
/* Routes of the limits of queues. */
#include <string.h>

#include "web/desk.h"

START_TEST(a_limit_is_set_listed_and_taken_away)
{
	struct desk *d = desk_open((enum desk_store)_i);

	/* The first submission makes the embedded database. */
	desk_submit_as(d, "x", "t", "[]", NULL, 0);
	desk_get(d, "/api/v1/limits");
	ck_assert_uint_eq(desk_n_items(d), 0);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/limits",
		     "{\"queue\":\"io\",\"task\":\"t\",\"concurrency\":3,"
		     "\"rate\":\"100/1m\",\"burst\":2}"),
	    200);
	ck_assert_str_eq(desk_text(d, "scope"), "task");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/limits",
				   "{\"queue\":\"io\",\"each_group\":true,"
				   "\"by\":\"args.0\",\"concurrency\":1}"),
			  200);
	desk_get(d, "/api/v1/limits");
	ck_assert_uint_eq(desk_n_items(d), 2);
	ck_assert_str_eq(desk_item(d, 0, "id"), "io task t");
	ck_assert_str_eq(desk_item(d, 1, "id"), "io each_group");
	ck_assert_str_eq(desk_item(d, 1, "by"), "args.0");
	desk_get(d, "/api/v1/limits?queue=cpu");
	ck_assert_uint_eq(desk_n_items(d), 0);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/limits/unset",
				   "{\"queue\":\"io\",\"task\":\"t\"}"),
			  200);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/limits/unset",
				   "{\"queue\":\"io\",\"task\":\"t\"}"),
			  404);
	desk_get(d, "/api/v1/limits?queue=io");
	ck_assert_uint_eq(desk_n_items(d), 1);
	desk_close(d);
}
END_TEST

START_TEST(what_is_wrong_with_a_limit_is_told)
{
	struct desk *d = desk_open((enum desk_store)_i);

	desk_submit_as(d, "x", "t", "[]", NULL, 0);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/limits", "{\"queue\":\"io\"}"), 422);
	ck_assert_ptr_nonnull(
	    strstr(desk_text(d, "detail"), "a concurrency or a rate"));
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/limits",
				   "{\"queue\":\"io\",\"rate\":\"often\"}"),
			  422);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/limits",
				   "{\"queue\":\"io\",\"task\":\"a\","
				   "\"group\":\"b\",\"concurrency\":1}"),
			  400);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/limits",
				   "{\"queue\":\"io\",\"declared\":true}"),
			  404);
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/limits?queue=a%20b", NULL), 422);
	desk_close(d);
}
END_TEST

SUITE("web-queue-limits")
{
	TEST_BOTH(a_limit_is_set_listed_and_taken_away);
	TEST_BOTH(what_is_wrong_with_a_limit_is_told);
}
