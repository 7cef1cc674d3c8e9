/* SPDX-License-Identifier: MIT */
/* Result records as JSON: the agreed format, every error, round trips. */
#include "codec/result_json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "suite.h"
#include "util/err.h"

/* As the Python package writes it. */
#define PYTHON_RECORD                                                          \
	"{\"task_id\": \"8fb37713-716f-438c-884e-c73492692d08\", "             \
	"\"status\": \"pending\", \"task_name\": \"add\", \"result\": null, "  \
	"\"error\": null, \"submitted_at\": \"2026-11-23T11:53:08.846827\", "  \
	"\"started_at\": null, \"finished_at\": null, \"retries\": 0, "        \
	"\"args\": [1, 2], \"kwargs\": {}}"

static void
assert_slice(struct slice slice, const char *wanted)
{
	ck_assert_ptr_nonnull(slice.p);
	ck_assert_uint_eq(slice.len, strlen(wanted));
	ck_assert_mem_eq(slice.p, wanted, slice.len);
}

static void
decode(const char *text, struct buf *scratch, struct result *ret)
{
	struct err err = ERR_INIT;

	ck_assert_msg(result_decode(slice_of(text), scratch, ret, &err) == 0,
		      "%s", err.msg);
}

START_TEST(a_record_of_the_python_package_is_understood)
{
	struct buf scratch = BUF_INIT;
	struct result r;

	decode(PYTHON_RECORD, &scratch, &r);
	assert_slice(r.task_id, "8fb37713-716f-438c-884e-c73492692d08");
	ck_assert_int_eq(r.status, RESULT_PENDING);
	assert_slice(r.task_name, "add");
	ck_assert_ptr_null(r.result.p);
	ck_assert_ptr_null(r.error.p);
	/* No offset: UTC. */
	ck_assert_int_eq(r.submitted_us, INT64_C(1795434788846827));
	ck_assert_int_eq(r.started_us, 0);
	ck_assert_int_eq(r.finished_us, 0);
	ck_assert_int_eq(r.retries, 0);
	assert_slice(r.args, "[1, 2]");
	assert_slice(r.kwargs, "{}");
	ck_assert_ptr_null(r.queue.p);
	ck_assert_ptr_null(r.worker.p);
	ck_assert_int_eq(r.attempts, 0);
	ck_assert_ptr_null(r.reason.p);
	ck_assert_ptr_null(r.progress.p);
	buf_done(&scratch);
}
END_TEST

static const struct result full = {
    .task_id = {"8fb37713", 8},
    .status = RESULT_FAILED,
    .task_name = {"resize", 6},
    .result = {"{\"w\": 1}", 8},
    .error = {"no \"disk\"\nleft \xC3\xA9", 17},
    .submitted_us = INT64_C(1795434788846827),
    .started_us = INT64_C(1795434788900000),
    .finished_us = INT64_C(1795434789000001),
    .retries = 2,
    .args = {"[1]", 3},
    .kwargs = {"{\"a\":2}", 7},
    .queue = {"io", 2},
    .worker = {"host:default", 12},
    .attempts = 3,
    .reason = {"timeout", 7},
    .flow = {"f-1", 3},
    .progress = {"0.5", 3},
};

#define FULL_TEXT                                                              \
	"{\"task_id\":\"8fb37713\",\"status\":\"failed\","                     \
	"\"task_name\":\"resize\",\"result\":{\"w\": 1},"                      \
	"\"error\":\"no \\\"disk\\\"\\nleft \xC3\xA9\","                       \
	"\"submitted_at\":\"2026-11-23T11:53:08.846827+00:00\","               \
	"\"started_at\":\"2026-11-23T11:53:08.900000+00:00\","                 \
	"\"finished_at\":\"2026-11-23T11:53:09.000001+00:00\","                \
	"\"retries\":2,\"args\":[1],\"kwargs\":{\"a\":2},\"queue\":\"io\","    \
	"\"worker\":\"host:default\",\"attempts\":3,\"reason\":\"timeout\","   \
	"\"flow\":\"f-1\",\"progress\":0.5}"

START_TEST(a_brief_record_is_short_whatever_the_task_carries)
{
	struct result r = full;
	struct buf whole = BUF_INIT, out = BUF_INIT;
	char text[1000];

	result_encode_both(&r, &whole, &out);
	ck_assert_str_eq(
	    out.data, "{\"task_id\":\"8fb37713\",\"status\":\"failed\","
		      "\"task_name\":\"resize\","
		      "\"error\":\"no \\\"disk\\\"\\nleft \xC3\xA9\","
		      "\"submitted_at\":\"2026-11-23T11:53:08.846827+00:00\","
		      "\"started_at\":\"2026-11-23T11:53:08.900000+00:00\","
		      "\"finished_at\":\"2026-11-23T11:53:09.000001+00:00\","
		      "\"retries\":2,\"queue\":\"io\","
		      "\"worker\":\"host:default\",\"attempts\":3,"
		      "\"reason\":\"timeout\",\"flow\":\"f-1\","
		      "\"progress\":0.5}");
	/* 199 bytes, and then a character of two: it is not cut in half. */
	memset(text, 'x', sizeof(text));
	memcpy(text + RESULT_BRIEF_TEXT - 1, "\xC3\xA9", 2);
	r = (struct result){.task_id = SLICE("1"),
			    .status = RESULT_FAILED,
			    .error = {text, sizeof(text)},
			    .progress = {text, sizeof(text)}};
	buf_reset(&out);
	result_encode_both(&r, &whole, &out);
	ck_assert_uint_eq(out.len,
			  strlen("{\"task_id\":\"1\",\"status\":\"failed\","
				 "\"task_name\":null,"
				 "\"error\":\"\",\"submitted_at\":null,"
				 "\"started_at\":null,\"finished_at\":null,"
				 "\"retries\":0}") +
			      RESULT_BRIEF_TEXT - 1);
	ck_assert_ptr_null(strstr(out.data, "progress"));
	buf_done(&out);
	buf_done(&whole);
}
END_TEST

START_TEST(a_record_is_written_in_the_agreed_order)
{
	const struct result bare = {.task_id = SLICE("1"),
				    .status = RESULT_PENDING};
	struct buf out = BUF_INIT;

	result_encode(&full, &out);
	ck_assert_str_eq(out.data, FULL_TEXT);
	buf_reset(&out);
	/* What the Python package wants is always there. */
	result_encode(&bare, &out);
	ck_assert_str_eq(
	    out.data,
	    "{\"task_id\":\"1\",\"status\":\"pending\",\"task_name\":null,"
	    "\"result\":null,\"error\":null,\"submitted_at\":null,"
	    "\"started_at\":null,\"finished_at\":null,\"retries\":0,"
	    "\"args\":[],\"kwargs\":{}}");
	buf_done(&out);
}
END_TEST

START_TEST(times_can_be_written_and_read_without_an_offset)
{
	struct buf scratch = BUF_INIT, out = BUF_INIT;
	struct result naive = full, r;

	setenv("TZ", "XXX-2", 1);
	tzset();
	naive.times = CLOCK_FORM_NAIVE;
	result_encode(&naive, &out);
	ck_assert_ptr_nonnull(strstr(
	    out.data, "\"submitted_at\":\"2026-11-23T13:53:08.846827\","
		      "\"started_at\":\"2026-11-23T13:53:08.900000\","
		      "\"finished_at\":\"2026-11-23T13:53:09.000001\","));
	ck_assert_int_eq(result_decode_as(CLOCK_FORM_NAIVE,
					  (struct slice){out.data, out.len},
					  &scratch, &r, NULL),
			 0);
	ck_assert_int_eq(r.finished_us, full.finished_us);
	unsetenv("TZ");
	tzset();
	buf_done(&out);
	buf_done(&scratch);
}
END_TEST

START_TEST(a_record_that_is_written_reads_back_the_same)
{
	struct buf scratch = BUF_INIT;
	struct buf out = BUF_INIT;
	struct result r;

	decode(FULL_TEXT, &scratch, &r);
	ck_assert_int_eq(r.status, full.status);
	ck_assert(slice_eq(r.error, full.error));
	result_encode(&r, &out);
	ck_assert_str_eq(out.data, FULL_TEXT);
	buf_done(&out);
	buf_done(&scratch);
}
END_TEST

START_TEST(many_escaped_texts_all_stay_where_they_are)
{
	struct buf scratch = BUF_INIT;
	struct buf text = BUF_INIT;
	struct result r;
	int i;

	buf_adds(&text, "{\"task_id\":\"\\u0031\",\"status\":\"\\u0066ailed\","
			"\"task_name\":\"\\u006e\",\"error\":\"\\n");
	for (i = 0; i < 10000; i++)
		buf_addc(&text, 'x');
	buf_adds(&text, "\",\"queue\":\"\\u0071\",\"reason\":\"\\u0072\"}");
	decode(text.data, &scratch, &r);
	/* Again, with the same scratch. */
	decode(text.data, &scratch, &r);
	assert_slice(r.task_id, "1");
	ck_assert_int_eq(r.status, RESULT_FAILED);
	assert_slice(r.task_name, "n");
	ck_assert_uint_eq(r.error.len, 10001);
	assert_slice(r.queue, "q");
	assert_slice(r.reason, "r");
	buf_done(&text);
	buf_done(&scratch);
}
END_TEST

#define BASE "{\"task_id\":\"1\",\"status\":\"success\","

static const struct {
	const char *text;
	const char *message;
} refused[] = {
    {"", "not JSON: the text ends where a value is expected (byte 0)"},
    {"3", "the text is a number, must be an object"},
    {PYTHON_RECORD ",",
     "not JSON: something follows the end of the value (byte 254)"},
    {"{}", "field \"task_id\" is missing"},
    {"{\"task_id\":\"1\"}", "field \"status\" is missing"},
    {"{\"task_id\":\"1\",\"status\":null}",
     "field \"status\": null, must be a string"},
    {"{\"task_id\":\"1\",\"status\":\"done\"}",
     "field \"status\": \"done\", must be one of pending, running, success, "
     "failed, retrying"},
    {BASE "\"status\":\"failed\"}", "field \"status\" occurs twice"},
    {BASE "\"error\":{}}", "field \"error\": an object, must be a string"},
    {BASE "\"args\":3}", "field \"args\": a number, must be an array"},
    {BASE "\"kwargs\":[]}", "field \"kwargs\": an array, must be an object"},
    {BASE "\"retries\":-1}",
     "field \"retries\": -1, must be a whole number from 0 to "
     "1000000000"},
    {BASE "\"attempts\":\"1\"}",
     "field \"attempts\": a string, must be a whole number"},
    {BASE "\"finished_at\":\"now\"}",
     "field \"finished_at\": \"now\" is not a time; write it as "
     "2026-11-23T11:53:08+00:00"},
};

START_TEST(what_is_no_record_is_refused_and_the_reason_named)
{
	struct buf scratch = BUF_INIT;
	struct err err = ERR_INIT;
	struct result r = {.retries = 77};

	ck_assert_int_eq(
	    result_decode(slice_of(refused[_i].text), &scratch, &r, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_str_eq(err.msg, refused[_i].message);
	ck_assert_int_eq(r.retries, 77);
	buf_done(&scratch);
}
END_TEST

START_TEST(unknown_fields_and_any_json_as_result_are_fine)
{
	static const char *const results[] = {
	    "3", "\"a\\n\"", "[1, [2]]", "{\"a\": {}}", "false",
	};
	struct buf scratch = BUF_INIT;
	struct buf text = BUF_INIT;
	struct result r;
	size_t i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		buf_reset(&text);
		buf_addf(&text, BASE "\"other\":[{}],\"result\":%s}",
			 results[i]);
		decode(text.data, &scratch, &r);
		if (results[i][0] == '"')
			assert_slice(r.result, "\"a\\n\"");
		else
			assert_slice(r.result, results[i]);
	}
	buf_done(&text);
	buf_done(&scratch);
}
END_TEST

SUITE("result_json")
{
	TEST(a_record_of_the_python_package_is_understood);
	TEST(a_record_is_written_in_the_agreed_order);
	TEST(a_brief_record_is_short_whatever_the_task_carries);
	TEST(times_can_be_written_and_read_without_an_offset);
	TEST(a_record_that_is_written_reads_back_the_same);
	TEST(many_escaped_texts_all_stay_where_they_are);
	TEST_LOOP(what_is_no_record_is_refused_and_the_reason_named, 0,
		  sizeof(refused) / sizeof(refused[0]));
	TEST(unknown_fields_and_any_json_as_result_are_fine);
}
