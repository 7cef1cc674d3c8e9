/* SPDX-License-Identifier: MIT */
/* Problems: one form, that any parser of JSON reads, whatever they quote. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "http/http.h"
#include "site.h"
#include "suite.h"

static json_t *
write_problem(const struct http_problem *problem)
{
	struct buf text = BUF_INIT;
	json_error_t why;
	json_t *json;

	http_problem_write(problem, &text);
	json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &why);
	ck_assert_msg(json != NULL, "%s in %.*s", why.text, (int)text.len,
		      text.data);
	buf_done(&text);
	return json;
}

START_TEST(a_problem_has_all_members_and_null_for_what_is_not_told)
{
	const struct http_problem problem = {
	    .status = 404, .detail = "no such path", .request_id = "1"};
	json_t *json = write_problem(&problem);
	json_t *wanted = json_pack(
	    "{s:i,s:s,s:s,s:n,s:n,s:s}", "status", 404, "code", "not_found",
	    "detail", "no such path", "field", "hint", "request_id", "1");

	ck_assert(json_equal(json, wanted));
	json_decref(wanted);
	json_decref(json);
}
END_TEST

START_TEST(a_problem_tells_where_it_is)
{
	const struct http_problem problem = {.status = 422,
					     .code = "mine",
					     .field = "rule",
					     .hint = "try 1h",
					     .column = 3,
					     .token = "x"};
	json_t *json = write_problem(&problem);
	json_t *wanted =
	    json_pack("{s:i,s:s,s:n,s:s,s:s,s:n,s:i,s:s}", "status", 422,
		      "code", "mine", "detail", "field", "rule", "hint",
		      "try 1h", "request_id", "column", 3, "token", "x");

	ck_assert(json_equal(json, wanted));
	json_decref(wanted);
	json_decref(json);
}
END_TEST

/* Every byte that is not a NUL, and what is between them. */
START_TEST(a_text_is_the_same_when_it_is_read)
{
	char text[260] = "\xc3\xa9\xe2\x82\xac ";
	const struct http_problem problem = {.status = 400, .detail = text};
	json_t *json;
	size_t i, n = strlen(text);

	for (i = 1; i < 0x80; i++)
		text[n++] = (char)i;
	json = write_problem(&problem);
	ck_assert_str_eq(json_string_value(json_object_get(json, "detail")),
			 text);
	json_decref(json);
}
END_TEST

START_TEST(what_is_not_utf8_is_left_out)
{
	static const char *const bad[] = {"\xff", "a\xc3", "\xed\xa0\x80",
					  "\xc0\xaf"};
	struct http_problem problem = {.status = 400};
	json_t *json;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		problem.detail = bad[i];
		json = write_problem(&problem);
		ck_assert(json_is_null(json_object_get(json, "detail")));
		json_decref(json);
	}
}
END_TEST

START_TEST(each_status_that_is_used_has_a_code)
{
	ck_assert_str_eq(http_problem_code(417), "expectation_failed");
	ck_assert_str_eq(http_problem_code(429), "too_many");
	ck_assert_str_eq(http_problem_code(418), "bad_request");
	ck_assert_str_eq(http_problem_code(500), "internal");
	ck_assert_str_eq(http_problem_code(599), "internal");
}
END_TEST

/* The user has seen the head, and may have written of it in its log. */
START_TEST(a_refusal_has_the_id_that_the_user_knows)
{
	struct site site;
	struct peer peer = site_open(&site);
	struct reply reply;

	peer_ask(&peer,
		 "POST /echo HTTP/1.1\r\nHost: a\r\n"
		 "Expect: 100-continue\r\nContent-Length: 9999\r\n\r\n",
		 &reply);
	ck_assert_int_eq(reply.status, 413);
	ck_assert_uint_eq(strlen(site.id), 22);
	ck_assert_str_eq(reply_field(&reply, "X-Request-Id"), site.id);
	ck_assert_ptr_nonnull(strstr(reply.body, site.id));
	site_close(&site, &peer);
}
END_TEST

SUITE("http-problem")
{
	TEST(a_problem_has_all_members_and_null_for_what_is_not_told);
	TEST(a_problem_tells_where_it_is);
	TEST(a_text_is_the_same_when_it_is_read);
	TEST(what_is_not_utf8_is_left_out);
	TEST(each_status_that_is_used_has_a_code);
	TEST(a_refusal_has_the_id_that_the_user_knows);
}
