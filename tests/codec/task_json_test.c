/* SPDX-License-Identifier: MIT */
/* Tasks as JSON, as they are read: the agreed format, and every error. */
#include "codec/task_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/task_text.h"
#include "suite.h"
#include "util/err.h"

#define S INT64_C(1000000)

static void
assert_slice(struct slice slice, const char *wanted)
{
	ck_assert_uint_eq(slice.len, strlen(wanted));
	ck_assert_mem_eq(slice.p, wanted, slice.len);
}

START_TEST(a_task_of_the_python_package_is_understood)
{
	struct task *task = task_text_decode(PYTHON_TASK);

	assert_slice(task->raw, PYTHON_TASK);
	ck_assert_str_eq(task->id, "8fb37713-716f-438c-884e-c73492692d08");
	ck_assert_str_eq(task->name, "add");
	ck_assert_ptr_null(task->queue);
	assert_slice(task->args, "[1, 2]");
	assert_slice(task->kwargs, "{}");
	ck_assert_int_eq(task->priority, 0);
	ck_assert(!task->cpu_bound);
	ck_assert_int_eq(task->max_retries, 3);
	ck_assert_int_eq(task->retry.delay_us, 1 * S);
	ck_assert_int_eq(task->current_retry, 0);
	task_free(task);
}
END_TEST

START_TEST(all_of_our_own_fields_are_understood)
{
	struct task *task = task_text_decode(
	    "{\"reply_to\":\"A-z_.9\","
	    "\"history\":[{}],\"unknown_since\":1795434788,\"unknown\":4,"
	    "\"suspected\":3,\"crashes\":2,"
	    "\"retry_jitter\":0.5,"
	    "\"retry_delay_max\":60,\"retry_backoff\":2,\"timeout\":0.25,"
	    "\"expires_at\":\"2026-11-23T13:53:09+02:00\","
	    "\"submitted_at\":\"2026-11-23T11:53:08.846827\",\"queue\":\"io\","
	    "\"cpu_bound\":true,\"priority\":-7,\"current_retry\":1,"
	    "\"retry_delay\":3,\"kwargs\":{\"a\":[]},\"args\":[\"x\"],"
	    "\"name\":\"n.a-m_E9\",\"id\":\"!~\"}");

	ck_assert_str_eq(task->id, "!~");
	ck_assert_str_eq(task->name, "n.a-m_E9");
	ck_assert_str_eq(task->queue, "io");
	assert_slice(task->args, "[\"x\"]");
	assert_slice(task->kwargs, "{\"a\":[]}");
	ck_assert_int_eq(task->priority, -7);
	ck_assert(task->cpu_bound);
	ck_assert_int_eq(task->max_retries, TASK_UNSET);
	ck_assert_int_eq(task->retry.delay_us, 3 * S);
	ck_assert_double_eq(task->retry.backoff, 2);
	ck_assert_int_eq(task->retry.delay_max_us, 60 * S);
	ck_assert_double_eq(task->retry.jitter, 0.5);
	ck_assert_int_eq(task->current_retry, 1);
	ck_assert_int_eq(task->timeout_us, 250000);
	ck_assert_int_eq(task->submitted_us, INT64_C(1795434788846827));
	ck_assert_int_eq(task->expires_us, INT64_C(1795434789000000));
	ck_assert_int_eq(task->crashes, 2);
	ck_assert_int_eq(task->suspected, 3);
	ck_assert_int_eq(task->unknown, 4);
	ck_assert_int_eq(task->unknown_since, 1795434788);
	assert_slice(task->history, "[{}]");
	assert_slice(task->reply_to, "A-z_.9");
	task_free(task);
}
END_TEST

#define LONG_16 "0123456789abcdef"

static const char *const no_addresses[] = {
    "5",       "null",
    "{}",      "\"\"",
    "\"a b\"", "\"a\\u0062\"",
    "\"a:b\"", "\"" LONG_16 LONG_16 LONG_16 LONG_16 "0\""};

START_TEST(an_address_for_replies_that_is_none_is_not_ours)
{
	struct task *task;
	char text[200];

	snprintf(text, sizeof(text),
		 "{\"id\":\"1\",\"name\":\"n\",\"reply_to\":%s}",
		 no_addresses[_i]);
	task = task_text_decode(text);
	ck_assert_uint_eq(task->reply_to.len, 0);
	ck_assert_str_eq(task->raw.p, text);
	task_free(task);
}
END_TEST

START_TEST(a_step_says_of_which_workflow_it_is_and_why_it_is_not_to_run)
{
	struct task *task =
	    task_text_decode("{\"id\":\"1\",\"name\":\"n\",\"flow\":\"f.1\","
			     "\"skipped\":\"a \\\"b\\\"\"}");

	assert_slice(task->flow, "f.1");
	assert_slice(task->skipped, "\"a \\\"b\\\"\"");
	task_free(task);
}
END_TEST

/* As another program may have them. */
START_TEST(a_workflow_that_is_no_id_is_not_ours)
{
	static const char text[] = "{\"id\":\"1\",\"name\":\"n\","
				   "\"flow\":\"a:b\",\"skipped\":true}";
	struct task *task = task_text_decode(text);

	ck_assert_uint_eq(task->flow.len, 0);
	ck_assert_uint_eq(task->skipped.len, 0);
	ck_assert_str_eq(task->raw.p, text);
	task_free(task);
}
END_TEST

static void
assert_defaults(const struct task *task)
{
	ck_assert_str_eq(task->id, "1");
	ck_assert_str_eq(task->name, "n");
	ck_assert_ptr_null(task->queue);
	assert_slice(task->args, "[]");
	assert_slice(task->kwargs, "{}");
	ck_assert_int_eq(task->priority, 0);
	ck_assert(!task->cpu_bound);
	ck_assert_int_eq(task->max_retries, TASK_UNSET);
	ck_assert_int_eq(task->retry.delay_us, TASK_UNSET);
	ck_assert_double_eq(task->retry.backoff, TASK_UNSET);
	ck_assert_int_eq(task->retry.delay_max_us, TASK_UNSET);
	ck_assert_double_eq(task->retry.jitter, TASK_UNSET);
	ck_assert_int_eq(task->current_retry, 0);
	ck_assert_int_eq(task->timeout_us, TASK_UNSET);
	ck_assert_int_eq(task->submitted_us, 0);
	ck_assert_int_eq(task->expires_us, 0);
	ck_assert_int_eq(task->crashes, 0);
	ck_assert_int_eq(task->suspected, 0);
	ck_assert_int_eq(task->unknown, 0);
	ck_assert_uint_eq(task->history.len, 0);
	ck_assert_uint_eq(task->reply_to.len, 0);
}

START_TEST(a_field_that_is_null_counts_as_absent)
{
	struct task *absent = task_text_decode("{\"id\":\"1\",\"name\":\"n\"}");
	struct task *null = task_text_decode(
	    "{\"id\":\"1\",\"name\":\"n\",\"args\":null,\"kwargs\":null,"
	    "\"max_retries\":null,\"retry_delay\":null,\"current_retry\":null,"
	    "\"priority\":null,\"cpu_bound\":null,\"queue\":null,"
	    "\"submitted_at\":null,\"expires_at\":null,\"timeout\":null,"
	    "\"retry_backoff\":null,\"retry_delay_max\":null,"
	    "\"retry_jitter\":null,\"crashes\":null,\"suspected\":null,"
	    "\"unknown\":null}");

	assert_defaults(absent);
	assert_defaults(null);
	task_free(absent);
	task_free(null);
}
END_TEST

START_TEST(escapes_in_names_of_fields_and_texts_mean_what_they_stand_for)
{
	struct task *task = task_text_decode(
	    "{\"\\u0069d\":\"a\\u002Fb\",\"nam\\u0065\":\"\\u006e\","
	    "\"queue\":\"i\\u006f\",\"\\u00e9\":1}");

	ck_assert_str_eq(task->id, "a/b");
	ck_assert_str_eq(task->name, "n");
	ck_assert_str_eq(task->queue, "io");
	task_free(task);
}
END_TEST

START_TEST(numbers_are_taken_up_to_the_ends_of_their_ranges)
{
	struct task *task = task_text_decode(
	    "{\"id\":\"1\",\"name\":\"n\",\"max_retries\":1000000,"
	    "\"retry_delay\":0,\"current_retry\":1000000000,"
	    "\"priority\":-2147483648,\"timeout\":316224000,"
	    "\"retry_backoff\":1,\"retry_delay_max\":1e-6,\"retry_jitter\":1,"
	    "\"crashes\":0}");

	ck_assert_int_eq(task->max_retries, 1000000);
	ck_assert_int_eq(task->retry.delay_us, 0);
	ck_assert_int_eq(task->current_retry, 1000000000);
	ck_assert_int_eq(task->priority, INT32_MIN);
	ck_assert_int_eq(task->timeout_us, TASK_DURATION_MAX_US);
	ck_assert_double_eq(task->retry.backoff, 1);
	ck_assert_int_eq(task->retry.delay_max_us, 1);
	ck_assert_double_eq(task->retry.jitter, 1);
	task_free(task);
}
END_TEST

#define NAME_BYTES "A-Z a-z 0-9 _ . -"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
	const char *text;
	const char *message;
} refused[] = {
    {"", "not JSON: the text ends where a value is expected (byte 0)"},
    {"hello", "not JSON: a value is expected here (byte 0)"},
    {"[1, 2]", "the text is an array, must be an object"},
    {"null", "the text is null, must be an object"},
    {PYTHON_TASK "x",
     "not JSON: something follows the end of the value (byte 184)"},
    {BASE "\"args\":[NaN]}", "not JSON: NaN is not JSON (byte 29)"},
    {BASE "\"retry_delay\":Infinity}",
     "not JSON: Infinity is not JSON (byte 35)"},
    {BASE "\"x\":\"\xFF\"}", "not JSON: invalid UTF-8 (byte 26)"},
    /* Missing, twice. */
    {"{}", "field \"id\" is missing"},
    {"{\"name\":\"n\"}", "field \"id\" is missing"},
    {"{\"id\":\"1\"}", "field \"name\" is missing"},
    {BASE "\"id\":\"1\"}", "field \"id\" occurs twice"},
    {BASE "\"i\\u0064\":\"2\"}", "field \"id\" occurs twice"},
    {BASE "\"args\":null,\"args\":[]}", "field \"args\" occurs twice"},
    {BASE "\"unknown\":0,\"unknown\":0}", "field \"unknown\" occurs twice"},
    /* Wrong types. */
    {"{\"id\":1}", "field \"id\": a number, must be a string"},
    {"{\"id\":null}", "field \"id\": null, must be a string"},
    {"{\"id\":\"1\",\"name\":null}", "field \"name\": null, must be a string"},
    {BASE "\"args\":{}}", "field \"args\": an object, must be an array"},
    {BASE "\"kwargs\":[]}", "field \"kwargs\": an array, must be an object"},
    {BASE "\"max_retries\":\"3\"}",
     "field \"max_retries\": a string, must be a whole number"},
    {BASE "\"retry_delay\":\"1s\"}",
     "field \"retry_delay\": a string, must be a number of seconds"},
    {BASE "\"current_retry\":true}",
     "field \"current_retry\": true, must be a whole number"},
    {BASE "\"priority\":[]}",
     "field \"priority\": an array, must be a whole number"},
    {BASE "\"cpu_bound\":0}",
     "field \"cpu_bound\": a number, must be true or false"},
    {BASE "\"queue\":false}", "field \"queue\": false, must be a string"},
    {BASE "\"submitted_at\":1700000000}",
     "field \"submitted_at\": a number, must be a time, as a string"},
    {BASE "\"timeout\":{}}",
     "field \"timeout\": an object, must be a number of seconds"},
    {BASE "\"retry_backoff\":\"2\"}",
     "field \"retry_backoff\": a string, must be a number"},
    /* Out of range. */
    {BASE "\"max_retries\":-1}", "field \"max_retries\": -1, must be a whole "
				 "number from 0 to 1000000"},
    {BASE "\"max_retries\":1000001}",
     "field \"max_retries\": 1000001, must be a whole number from 0 to "
     "1000000"},
    {BASE "\"max_retries\":1.5}", "field \"max_retries\": 1.5, must be a "
				  "whole number from 0 to 1000000"},
    {BASE "\"current_retry\":1e3}",
     "field \"current_retry\": 1e3, must be a whole number from 0 to "
     "1000000000"},
    {BASE "\"crashes\":-1}", "field \"crashes\": -1, must be a whole number "
			     "from 0 to 1000000000"},
    {BASE "\"priority\":2147483648}",
     "field \"priority\": 2147483648, must be a whole number from "
     "-2147483648 to 2147483647"},
    {BASE "\"priority\":" HUNDRED HUNDRED "}", "not JSON: a number may not "
					       "begin with 0 (byte 32)"},
    {BASE "\"priority\":1" HUNDRED "}",
     "field \"priority\": 1" TEN TEN TEN "012345678, must be a whole number "
     "from -2147483648 to 2147483647"},
    {BASE "\"retry_delay\":-0.1}", "field \"retry_delay\": -0.1, must be a "
				   "number of seconds from 0 to 316224000"},
    {BASE "\"timeout\":316224001}",
     "field \"timeout\": 316224001, must be a number of seconds from 0 to "
     "316224000"},
    {BASE "\"timeout\":1e999}", "field \"timeout\": 1e999, must be a number "
				"of seconds from 0 to 316224000"},
    {BASE "\"retry_backoff\":0.5}",
     "field \"retry_backoff\": 0.5, must be a number from 1 to 1000"},
    {BASE "\"retry_backoff\":1001}",
     "field \"retry_backoff\": 1001, must be a number from 1 to 1000"},
    {BASE "\"retry_jitter\":1.1}",
     "field \"retry_jitter\": 1.1, must be a number from 0 to 1"},
    /* Texts that are none. */
    {"{\"id\":\"\",\"name\":\"n\"}",
     "field \"id\": \"\", must be 1 to 200 bytes of printable ASCII without "
     "spaces"},
    {"{\"id\":\"a b\",\"name\":\"n\"}",
     "field \"id\": \"a b\", must be 1 to 200 bytes of printable ASCII "
     "without spaces"},
    {"{\"id\":\"" HUNDRED HUNDRED "x\",\"name\":\"n\"}",
     "field \"id\": \"" TEN TEN TEN TEN "\", must be 1 to 200 bytes of "
     "printable ASCII without spaces"},
    {"{\"id\":\"a\\u0000b\",\"name\":\"n\"}",
     "field \"id\": \"a\", must be 1 to 200 bytes of printable ASCII without "
     "spaces"},
    {"{\"id\":\"1\",\"name\":\"na\\u00efve\"}",
     "field \"name\": \"na\xC3\xAFve\", must be 1 to 200 bytes of " NAME_BYTES},
    {BASE "\"queue\":\"a:b\"}",
     "field \"queue\": \"a:b\", must be 1 to 128 bytes of " NAME_BYTES},
    {BASE "\"queue\":\"\"}",
     "field \"queue\": \"\", must be 1 to 128 bytes of " NAME_BYTES},
    {BASE "\"submitted_at\":\"yesterday\"}",
     "field \"submitted_at\": \"yesterday\" is not a time; write it as "
     "2026-11-23T11:53:08+00:00"},
    {BASE "\"expires_at\":\"9999-12-31T23:59:59-00:01\"}",
     "field \"expires_at\": \"9999-12-31T23:59:59-00:01\" is outside the years "
     "1970 to 9999 in UTC"},
    {BASE "\"expires_at\":\"2026-11-23T11:53:08" HUNDRED "\"}",
     "field \"expires_at\": \"2026-11-23T11:53:08" TEN TEN TEN TEN
     "01234\" is not a time; write it as 2026-11-23T11:53:08+00:00"},
};

START_TEST(what_is_no_task_is_refused_and_the_reason_named)
{
	struct task *task = NULL;
	struct err err = ERR_INIT;

	ck_assert_int_eq(task_decode(slice_of(refused[_i].text), &task, &err),
			 -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_str_eq(err.msg, refused[_i].message);
	ck_assert_ptr_null(task);
}
END_TEST

static int
decode_levels(size_t levels, struct err *err)
{
	struct buf text = BUF_INIT;
	struct task *task = NULL;
	size_t i;
	int rc;

	buf_adds(&text, BASE "\"args\":");
	for (i = 0; i < levels; i++)
		buf_addc(&text, '[');
	for (i = 0; i < levels; i++)
		buf_addc(&text, ']');
	buf_addc(&text, '}');
	rc = task_decode((struct slice){text.data, text.len}, &task, err);
	buf_done(&text);
	task_free(task);
	return rc;
}

START_TEST(a_task_may_be_500_levels_deep_and_no_more)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(decode_levels(TASK_DEPTH_MAX - 1, &err), 0);
	ck_assert_int_eq(decode_levels(TASK_DEPTH_MAX, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "too deep"));
	ck_assert_int_eq(decode_levels(100000, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "too deep"));
}
END_TEST

START_TEST(a_time_that_is_no_number_of_ours_is_not_ours)
{
	static const char *const times[] = {
	    "-1", "1.5", "1e3", "\"1\"", "[1]", "null", "1234567890123456"};
	char text[200];
	struct task *task;
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		snprintf(text, sizeof(text), BASE "\"due_ms\":%s}", times[i]);
		task = task_text_decode(text);
		ck_assert_int_eq(task->due_ms, 0);
		task_free(task);
	}
	task = task_text_decode(BASE "\"due_ms\":1764416000123}");
	ck_assert_int_eq(task->due_ms, INT64_C(1764416000123));
	task_free(task);
}
END_TEST

START_TEST(freeing_no_task_is_safe)
{
	task_free(NULL);
}
END_TEST

#define N(array) (sizeof(array) / sizeof((array)[0]))

SUITE("task_json")
{
	TEST(a_task_of_the_python_package_is_understood);
	TEST(all_of_our_own_fields_are_understood);
	TEST(a_step_says_of_which_workflow_it_is_and_why_it_is_not_to_run);
	TEST(a_workflow_that_is_no_id_is_not_ours);
	TEST_LOOP(an_address_for_replies_that_is_none_is_not_ours, 0,
		  N(no_addresses));
	TEST(a_field_that_is_null_counts_as_absent);
	TEST(escapes_in_names_of_fields_and_texts_mean_what_they_stand_for);
	TEST(numbers_are_taken_up_to_the_ends_of_their_ranges);
	TEST_LOOP(what_is_no_task_is_refused_and_the_reason_named, 0,
		  N(refused));
	TEST(a_task_may_be_500_levels_deep_and_no_more);
	TEST(a_time_that_is_no_number_of_ours_is_not_ours);
	TEST(freeing_no_task_is_safe);
}
