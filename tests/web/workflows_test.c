/* SPDX-License-Identifier: MIT */
/* Routes of the workflows. */
#include <string.h>

#include "web/desk.h"

#define STEP(id, more)                                                         \
	"{\"id\":\"" id                                                        \
	"\",\"name\":\"t\",\"queue\":\"io\",\"force\":true" more "}"

START_TEST(a_workflow_is_submitted_shown_and_cancelled)
{
	struct desk *d = desk_open((enum desk_store)_i);

	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/workflows?id=W",
		     "{\"label\":\"nightly\",\"steps\":[" STEP(
			 "b", ",\"after\":[\"a\"]") "," STEP("a", "") "]}"),
	    201);
	ck_assert_str_eq(desk_text(d, "workflow"), "W");
	desk_get(d, "/api/v1/workflows");
	ck_assert_uint_eq(desk_n_items(d), 1);
	ck_assert_str_eq(desk_item(d, 0, "label"), "nightly");
	ck_assert_str_eq(desk_item(d, 0, "state"), "running");
	ck_assert(json_is_false(desk_at(d, "more", NULL)));
	desk_get(d, "/api/v1/workflows/W");
	ck_assert_int_eq(desk_number(d, "waiting"), 1);
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "tasks", "0", "step", NULL)), "a");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "tasks", "1", "state", NULL)),
	    "waiting");
	ck_assert_str_eq(json_string_value(desk_at(d, "tasks", "1",
						   "after_steps", "0", NULL)),
			 "a");
	desk_get(d, "/api/v1/workflows/W?steps=1");
	ck_assert(json_is_true(desk_at(d, "more", NULL)));
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/workflows/W/seal", NULL),
			  200);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/workflows/W/cancel", NULL), 200);
	ck_assert_str_eq(desk_text(d, "state"), "cancelling");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/workflows/W/retry", NULL), 200);
	ck_assert_int_eq(desk_number(d, "retried"), 0);
	desk_close(d);
}
END_TEST

START_TEST(what_is_wrong_with_a_workflow_is_told)
{
	struct desk *d = desk_open((enum desk_store)_i);

	/* The first submission makes the embedded database. */
	desk_submit_as(d, "x", "t", "[]", NULL, 0);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/workflows?id=W",
				   "[" STEP("a", "") ",\n" STEP(
				       "b", ",\"after\":[\"c\"]") "]"),
			  422);
	ck_assert_str_eq(desk_text(d, "detail"),
			 "line 2: step \"b\": there is no step \"c\"");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/workflows?id=a%20b", "[]"), 422);
	/* No worker has registered it. */
	desk_ask(d, "POST", "/api/v1/workflows?id=W", "[{\"name\":\"t\"}]");
	ck_assert_ptr_nonnull(strstr(desk_text(d, "detail"), "line 1: step"));
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/workflows/W", NULL), 404);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/workflows/W/cancel", NULL), 404);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/workflows/a%20b", NULL),
			  422);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/workflows?limit=0", NULL),
			  400);
	desk_close(d);
}
END_TEST

SUITE("web-workflows")
{
	TEST_BOTH(a_workflow_is_submitted_shown_and_cancelled);
	TEST_BOTH(what_is_wrong_with_a_workflow_is_told);
}
