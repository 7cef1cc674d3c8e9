/* SPDX-License-Identifier: MIT */
/* Requests from words and from JSON. */
#include "manager/request.h"

#include <stddef.h>
#include <string.h>

#include "flowrra/client.h"
#include "manager/value.h"
#include "suite.h"
#include "util/clock.h"
#include "util/err.h"

static struct flowrra_request request;
static struct buf scratch;
static struct err err;

static int
read_json(const char *json)
{
	static const struct flowrra_request base = FLOWRRA_REQUEST_INIT;

	return request_read(slice_of(json), &base, &scratch, &request, NULL,
			    &err);
}

START_TEST(a_task_needs_only_a_name)
{
	ck_assert_int_eq(read_json("{\"name\":\"add\"}"), 0);
	ck_assert_str_eq(request.name, "add");
	ck_assert_ptr_null(request.args);
	ck_assert_int_eq(request.max_retries, FLOWRRA_UNSET);
	ck_assert_int_eq(read_json("{\"args\":[]}"), -1);
	ck_assert_str_eq(err.msg, "\"name\" is missing");
}
END_TEST

START_TEST(all_fields_of_a_task_are_read)
{
	ck_assert_msg(
	    read_json("{\"name\":\"a\\u0064d\",\"args\":[1, \"x\"],"
		      "\"kwargs\":{\"k\":null},\"id\":\"i1\",\"queue\":\"q\","
		      "\"priority\":-3,\"delay\":15e-1,\"max_retries\":7,"
		      "\"retry_delay\":\"1m\",\"retry_backoff\":2,"
		      "\"retry_delay_max\":60,\"retry_jitter\":0.5,"
		      "\"timeout\":10,\"cpu_bound\":true,\"force\":true,"
		      "\"at\":\"2026-11-23T11:53:08Z\","
		      "\"expires_at\":\"2026-11-23T11:53:09Z\"}") == 0,
	    "%s", err.msg);
	ck_assert_str_eq(request.name, "add");
	ck_assert_str_eq(request.args, "[1, \"x\"]");
	ck_assert_str_eq(request.kwargs, "{\"k\":null}");
	ck_assert_str_eq(request.id, "i1");
	ck_assert_str_eq(request.queue, "q");
	ck_assert_int_eq(request.priority, -3);
	ck_assert_double_eq(request.delay_s, 1.5);
	ck_assert_int_eq(request.max_retries, 7);
	ck_assert_double_eq(request.retry_delay_s, 60);
	ck_assert_double_eq(request.retry_backoff, 2);
	ck_assert_double_eq(request.retry_delay_max_s, 60);
	ck_assert_double_eq(request.retry_jitter, 0.5);
	ck_assert_double_eq(request.timeout_s, 10);
	ck_assert_int_eq(request.cpu_bound, 1);
	ck_assert(request.force);
	ck_assert_int_eq(request.at_us, INT64_C(1795434788000000));
	ck_assert_int_eq(request.expires_us, INT64_C(1795434789000000));
}
END_TEST

START_TEST(a_task_as_workers_write_it_is_taken_and_begins_again)
{
	ck_assert_msg(
	    read_json(
		"{\"id\":\"i\",\"name\":\"add\",\"args\":[],\"kwargs\":{},"
		"\"max_retries\":3,\"retry_delay\":1.0,"
		"\"current_retry\":2,\"priority\":0,\"cpu_bound\":false,"
		"\"submitted_at\":null,\"crashes\":1,\"timeout\":null}") == 0,
	    "%s", err.msg);
	ck_assert_int_eq(request.cpu_bound, 0);
	ck_assert_double_eq(request.timeout_s, FLOWRRA_UNSET);
}
END_TEST

START_TEST(what_a_line_does_not_say_stays_as_it_was)
{
	struct flowrra_request base = FLOWRRA_REQUEST_INIT;

	base.name = "base";
	base.queue = "q";
	base.priority = 5;
	ck_assert_int_eq(request_read(slice_of("{\"queue\":null,"
					       "\"priority\":1}"),
				      &base, &scratch, &request, NULL, &err),
			 0);
	ck_assert_str_eq(request.name, "base");
	ck_assert_str_eq(request.queue, "q");
	ck_assert_int_eq(request.priority, 1);
}
END_TEST

static const struct {
	const char *json;
	const char *message;
} bad[] = {
    {"[]", "object"},
    {"", "not JSON"},
    {"{\"name\":\"a\"} x", "byte 13"},
    {"{\"name\":1}", "\"name\" must be a string"},
    {"{\"name\":\"a\",\"name\":\"b\"}", "\"name\" is given twice"},
    {"{\"name\":\"a\",\"args\":{}}", "\"args\" must be an array"},
    {"{\"name\":\"a\",\"kwargs\":[]}", "\"kwargs\" must be an object"},
    {"{\"name\":\"a\",\"prio\":1}",
     "unknown task field \"prio\"; did you mean \"priority\"?"},
    {"{\"name\":\"a\",\"zz\":1}",
     "unknown task field \"zz\"; the names are: name, "},
    {"{\"name\":\"a\",\"priority\":\"1\"}",
     "\"priority\" must be a whole number"},
    {"{\"name\":\"a\",\"priority\":1.5}",
     "\"priority\": \"1.5\": not a whole number (-2147483648 to 2147483647)"},
    {"{\"name\":\"a\",\"priority\":2147483648}", "not a whole number"},
    {"{\"name\":\"a\",\"delay\":-1}",
     "\"delay\": -1: out of range (0 to 3.16224e+08 seconds)"},
    {"{\"name\":\"a\",\"delay\":\"soon\"}", "not a duration"},
    {"{\"name\":\"a\",\"delay\":[1]}", "a duration"},
    {"{\"name\":\"a\",\"at\":5}", "\"at\" must be a time"},
    {"{\"name\":\"a\",\"force\":1}", "\"force\" must be true or false"},
    {"{\"name\":\"a\\u0000b\"}", "contains a NUL byte"},
    {"{\"name\":\"a\",\"retry_jitter\":2}", "not a number (0 to 1)"},
};

START_TEST(a_bad_task_is_an_error_that_names_the_field)
{
	ck_assert_int_eq(read_json(bad[_i].json), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, bad[_i].message) != NULL, "%s: %s",
		      bad[_i].json, err.msg);
}
END_TEST

static const struct {
	const char *word;
	const char *json; /* NULL: refused */
} words[] = {
    {"2", "2"},
    {"-1.5e3", "-1.5e3"},
    {"true", "true"},
    {"null", "null"},
    {"{\"w\": 640}", "{\"w\": 640}"},
    {"\"2\"", "\"2\""},
    {"two", "\"two\""},
    {"", "\"\""},
    {"1 2", "\"1 2\""},
    {"01", "\"01\""},
    {"NaN", "\"NaN\""},
    {"[1", "\"[1\""},
    {"a\"b\\", "\"a\\\"b\\\\\""},
    {"\xc3\xa4", "\"\xc3\xa4\""},
    {"\xff", NULL},
};

START_TEST(a_word_is_json_if_it_parses_as_such_else_a_string)
{
	struct buf out = BUF_INIT;
	int result = request_argument(words[_i].word, REQUEST_JSON, &out, &err);

	if (words[_i].json == NULL) {
		ck_assert_int_eq(result, -1);
		ck_assert_ptr_nonnull(strstr(err.msg, "not UTF-8"));
	} else {
		ck_assert_int_eq(result, 0);
		ck_assert_str_eq(out.data, words[_i].json);
	}
	buf_done(&out);
}
END_TEST

START_TEST(a_word_that_would_not_arrive_is_refused_and_named)
{
	const char *args[] = {"1", "12e4567"};
	const char *kw[] = {"a=1", "size=12345678901234567890"};
	const char *nul[] = {"\"\\u0000\""};
	struct buf out = BUF_INIT;

	ck_assert_int_eq(request_arguments(args, 2, REQUEST_JSON, &out, &err),
			 -1);
	ck_assert_str_eq(err.msg, "argument 2: the number 12e4567 is beyond "
				  "the range of a double; pass it as a string "
				  "(--string)");
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_int_eq(request_keywords(kw, 2, REQUEST_JSON, &out, &err), -1);
	ck_assert_str_eq(err.msg, "size: the number 12345678901234567890 does "
				  "not fit into 64 bits; pass it as a string "
				  "(--string)");
	ck_assert_int_eq(request_arguments(nul, 1, REQUEST_JSON, &out, &err),
			 -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "argument 1: a string holds"));
	buf_reset(&out);
	ck_assert_int_eq(request_arguments(args, 2, REQUEST_TEXT, &out, &err),
			 0);
	ck_assert_str_eq(out.data, "[\"1\",\"12e4567\"]");
	buf_reset(&out);
	ck_assert_int_eq(request_arguments(nul, 1, REQUEST_TEXT, &out, &err),
			 0);
	ck_assert_str_eq(out.data, "[\"\\\"\\\\u0000\\\"\"]");
	buf_done(&out);
}
END_TEST

START_TEST(words_become_an_array_and_keywords_an_object)
{
	const char *args[] = {"2", "x"}, *kw[] = {"a=1", "b=x=y", "c="};
	const char *twice[] = {"ab=1", "a=1", "ab=2"};
	const char *none[] = {"=1"}, *no_value[] = {"a"};
	struct buf out = BUF_INIT;

	ck_assert_int_eq(request_arguments(args, 2, REQUEST_JSON, &out, &err),
			 0);
	ck_assert_str_eq(out.data, "[2,\"x\"]");
	buf_reset(&out);
	ck_assert_int_eq(request_keywords(kw, 3, REQUEST_JSON, &out, &err), 0);
	ck_assert_str_eq(out.data, "{\"a\":1,\"b\":\"x=y\",\"c\":\"\"}");
	ck_assert_int_eq(request_keywords(twice, 3, REQUEST_JSON, &out, &err),
			 -1);
	ck_assert_str_eq(err.msg, "\"ab\" is given twice");
	ck_assert_int_eq(request_keywords(none, 1, REQUEST_JSON, &out, &err),
			 -1);
	ck_assert_int_eq(
	    request_keywords(no_value, 1, REQUEST_JSON, &out, &err), -1);
	ck_assert_str_eq(err.msg, "\"a\": not KEY=VALUE");
	buf_done(&out);
}
END_TEST

static int64_t
noon(void)
{
	return INT64_C(1795435200000000);
}

START_TEST(a_deadline_is_a_time_or_a_duration_from_now)
{
	const struct value_spec spec = {.type = VALUE_DEADLINE};
	const struct clock_source source = {.wall_us = noon};
	int64_t us;

	clock_replace(&source);
	ck_assert_int_eq(value_set(&spec, "1m30s", &us, &err), 0);
	ck_assert_int_eq(us, noon() + 90000000);
	ck_assert_int_eq(value_set(&spec, "2026-11-23T12:00:01Z", &us, &err),
			 0);
	ck_assert_int_eq(us, noon() + 1000000);
	ck_assert_int_eq(value_set(&spec, "soon", &us, &err), -1);
	clock_replace(NULL);
}
END_TEST

START_TEST(numbers_are_whole_texts_in_their_range)
{
	static const char *const refused[] = {
	    "",	  " 1",	 "+1",
	    "1 ", "0x1", "1e1",
	    "11", "-1",	 "99999999999999999999",
	    "one"};
	const struct value_spec spec = {.type = VALUE_INT, .max = 10};
	const struct value_spec real = {.type = VALUE_NUMBER, .max = 1};
	double number;
	size_t i;
	int n = 0;

	ck_assert_int_eq(value_set(&spec, "10", &n, &err), 0);
	ck_assert_int_eq(n, 10);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		ck_assert_msg(value_set(&spec, refused[i], &n, &err) == -1,
			      "%s", refused[i]);
	ck_assert_int_eq(n, 10);
	ck_assert_int_eq(value_set(&real, "0.5", &number, &err), 0);
	ck_assert_int_eq(value_set(&real, "nan", &number, &err), -1);
	ck_assert_int_eq(value_set(&real, "", &number, &err), -1);
	ck_assert_int_eq(value_set(&real, "0x1p-3", &number, &err), -1);
}
END_TEST

SUITE("request")
{
	TEST(a_task_needs_only_a_name);
	TEST(all_fields_of_a_task_are_read);
	TEST(a_task_as_workers_write_it_is_taken_and_begins_again);
	TEST(what_a_line_does_not_say_stays_as_it_was);
	TEST_LOOP(a_bad_task_is_an_error_that_names_the_field, 0,
		  sizeof(bad) / sizeof(bad[0]));
	TEST_LOOP(a_word_is_json_if_it_parses_as_such_else_a_string, 0,
		  sizeof(words) / sizeof(words[0]));
	TEST(a_word_that_would_not_arrive_is_refused_and_named);
	TEST(words_become_an_array_and_keywords_an_object);
	TEST(a_deadline_is_a_time_or_a_duration_from_now);
	TEST(numbers_are_whole_texts_in_their_range);
}
