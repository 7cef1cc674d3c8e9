/* SPDX-License-Identifier: MIT */
/* Queries, cookies and statuses. */
#include <stdio.h>
#include <string.h>

#include "http/http.h"
#include "suite.h"
#include "util/err.h"

static struct buf scratch = BUF_INIT;
static struct err err;

/* The pair that is looked for; `found` counts. */
struct search {
	const char *name;
	int found;
};

static int
search_pair(const char *name, const char *value, void *arg, struct err *e)
{
	struct search *search = arg;

	if (strcmp(name, search->name) == 0 && search->found++ == 0)
		buf_adds(&scratch, value);
	return 0;
}

static const char *
get(const char *query, const char *name)
{
	struct search search = {.name = name};

	buf_reset(&scratch);
	buf_adds(&scratch, "");
	if (http_query_each(query, search_pair, &search, &err) != 0)
		return "(error)";
	return search.found > 0 ? scratch.data : "(none)";
}

START_TEST(a_parameter_is_found_and_decoded)
{
	ck_assert_str_eq(get("a=1&b=2", "a"), "1");
	ck_assert_str_eq(get("a=1&b=2", "b"), "2");
	ck_assert_str_eq(get("a=1&b=2", "c"), "(none)");
	ck_assert_str_eq(get("", "a"), "(none)");
	ck_assert_str_eq(get("&&a=1&&", "a"), "1");
	ck_assert_str_eq(get("a", "a"), "");
	ck_assert_str_eq(get("a=", "a"), "");
	ck_assert_str_eq(get("a=b=c", "a"), "b=c");
	ck_assert_str_eq(get("a=one+two%20three%2b", "a"), "one two three+");
	ck_assert_str_eq(get("args.user%2Eid=%c3%A9", "args.user.id"),
			 "\xc3\xa9");
	ck_assert_str_eq(get("ab=1", "a"), "(none)");
	buf_done(&scratch);
}
END_TEST

START_TEST(a_parameter_that_cannot_be_is_an_error)
{
	static const char *const queries[] = {
	    "a=%",	"a=%4", "a=%zz",   "a=%00",	 "a=%ff",
	    "a=%c0%80", "%=1",	"a=1&b=%", "a=%ed%a0%80"};
	size_t i;

	for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		ck_assert_str_eq(get(queries[i], "a"), "(error)");
		ck_assert_int_eq(err.code, ERR_DATA);
		ck_assert_ptr_nonnull(strstr(err.msg, "query"));
	}
	ck_assert_str_eq(get("a=%4", "a"), "(error)");
	ck_assert_str_eq(err.msg, "the parameter \"a\" of the query has a % "
				  "without two hexadecimal digits");
	buf_done(&scratch);
}
END_TEST

static int
append_pair(const char *name, const char *value, void *arg, struct err *e)
{
	buf_addf(arg, "%s=%s;", name, value);
	return strcmp(name, "stop") == 0 ? err_set(e, ERR_DATA, "stopped") : 0;
}

START_TEST(all_parameters_come_in_their_order)
{
	ck_assert_int_eq(
	    http_query_each("b=2&a=1&%61=%263", append_pair, &scratch, &err),
	    0);
	ck_assert_str_eq(scratch.data, "b=2;a=1;a=&3;");
	buf_reset(&scratch);
	ck_assert_int_eq(
	    http_query_each("a=1&stop=2&c=3", append_pair, &scratch, &err), -1);
	ck_assert_str_eq(scratch.data, "a=1;stop=2;");
	ck_assert_str_eq(err.msg, "stopped");
	buf_done(&scratch);
}
END_TEST

START_TEST(a_cookie_is_found_by_its_whole_name)
{
	static const struct {
		const char *header, *name, *value;
	} cookies[] = {
	    {"a=1; b=2", "a", "1"},    {"a=1; b=2", "b", "2"},
	    {"a=1;b=2", "b", "2"},     {"ab=1; a=2", "a", "2"},
	    {"a=1; a=2", "a", "1"},    {"a=b=c", "a", "b=c"},
	    {"a=", "a", ""},	       {"a", "a", ""},
	    {"b=1", "a", ""},	       {"", "a", ""},
	    {NULL, "a", ""},	       {"; ;a=1 ; ", "a", "1"},
	    {"x=a=1", "a", ""},	       {"A=1", "a", ""},
	    {"a=\"1\"", "a", "\"1\""},
	};
	struct slice value;
	size_t i;

	for (i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++) {
		value = http_cookie(cookies[i].header, cookies[i].name);
		ck_assert_msg(slice_eq(value, slice_of(cookies[i].value)),
			      "%s: %.*s", cookies[i].header, (int)value.len,
			      value.p);
	}
}
END_TEST

START_TEST(a_status_has_a_text)
{
	ck_assert_str_eq(http_status_text(404), "Not Found");
	ck_assert_str_eq(http_status_text(422), "Unprocessable Content");
	ck_assert_str_eq(http_status_text(799), "Unknown");
}
END_TEST

SUITE("http-text")
{
	TEST(a_parameter_is_found_and_decoded);
	TEST(a_parameter_that_cannot_be_is_an_error);
	TEST(all_parameters_come_in_their_order);
	TEST(a_cookie_is_found_by_its_whole_name);
	TEST(a_status_has_a_text);
}
