/* SPDX-License-Identifier: MIT */
/* Tasks as JSON, as they are written: the first time, and for a retry. */
#include "codec/task_json.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "codec/task_text.h"
#include "suite.h"

#define S INT64_C(1000000)

static const struct task full = {
    .id = "8fb37713",
    .name = "resize",
    .queue = "cpu",
    .args = {"[1,\"a\"]", 7},
    .kwargs = {"{\"w\":640}", 9},
    .priority = -1,
    .cpu_bound = true,
    .max_retries = 5,
    .retry = {.delay_us = 1500000,
	      .backoff = 1.1,
	      .delay_max_us = 60 * S,
	      .jitter = 0.1},
    .current_retry = 2,
    .timeout_us = 1,
    .submitted_us = INT64_C(1795434788846827),
    .expires_us = INT64_C(1795434789000000),
    .crashes = 1,
    .suspected = 2,
    .unknown = 3,
    .unknown_since = 1795434788,
    .reply_to = {"a-1", 3},
    .flow = {"f-1", 3},
};

static const struct task bare = {
    .id = "1",
    .name = "n",
    .max_retries = TASK_UNSET,
    .retry = {TASK_UNSET, TASK_UNSET, TASK_UNSET, TASK_UNSET},
    .timeout_us = TASK_UNSET,
};

static void
assert_encodes(const struct task *task, const char *wanted)
{
	struct buf out = BUF_INIT;

	task_encode(task, &out);
	ck_assert_str_eq(out.data, wanted);
	buf_done(&out);
}

START_TEST(a_task_is_written_with_all_that_is_set_of_it)
{
	/* Not installed everywhere; where it is, it writes 1,1. */
	setlocale(LC_ALL, "de_DE.UTF-8");
	assert_encodes(
	    &full,
	    "{\"id\":\"8fb37713\",\"name\":\"resize\",\"args\":[1,\"a\"],"
	    "\"kwargs\":{\"w\":640},\"max_retries\":5,\"retry_delay\":1.5,"
	    "\"current_retry\":2,\"priority\":-1,\"cpu_bound\":true,"
	    "\"queue\":\"cpu\","
	    "\"submitted_at\":\"2026-11-23T11:53:08.846827+00:00\","
	    "\"expires_at\":\"2026-11-23T11:53:09.000000+00:00\","
	    "\"timeout\":0.000001,\"retry_backoff\":1.1,"
	    "\"retry_delay_max\":60.0,\"retry_jitter\":0.1,"
	    "\"reply_to\":\"a-1\",\"flow\":\"f-1\",\"crashes\":1,"
	    "\"suspected\":2,\"unknown\":3,\"unknown_since\":1795434788}");
	/* The fields that the Python package wants are always there. */
	assert_encodes(&bare,
		       "{\"id\":\"1\",\"name\":\"n\",\"args\":[],\"kwargs\":{},"
		       "\"max_retries\":0,\"retry_delay\":0.0,"
		       "\"current_retry\":0,\"priority\":0,"
		       "\"cpu_bound\":false}");
}
END_TEST

START_TEST(a_task_that_is_written_reads_back_the_same)
{
	struct buf out = BUF_INIT;
	struct task *task;

	task_encode(&full, &out);
	task = task_text_decode(out.data);
	ck_assert_str_eq(task->id, full.id);
	ck_assert_str_eq(task->name, full.name);
	ck_assert_str_eq(task->queue, full.queue);
	ck_assert(slice_eq(task->args, full.args));
	ck_assert(slice_eq(task->kwargs, full.kwargs));
	ck_assert_int_eq(task->priority, full.priority);
	ck_assert(task->cpu_bound);
	ck_assert_int_eq(task->max_retries, full.max_retries);
	ck_assert_int_eq(task->retry.delay_us, full.retry.delay_us);
	ck_assert(task->retry.backoff == full.retry.backoff);
	ck_assert_int_eq(task->retry.delay_max_us, full.retry.delay_max_us);
	ck_assert(task->retry.jitter == full.retry.jitter);
	ck_assert_int_eq(task->current_retry, full.current_retry);
	ck_assert_int_eq(task->timeout_us, full.timeout_us);
	ck_assert_int_eq(task->submitted_us, full.submitted_us);
	ck_assert_int_eq(task->expires_us, full.expires_us);
	ck_assert_int_eq(task->crashes, full.crashes);
	ck_assert_int_eq(task->suspected, full.suspected);
	ck_assert_int_eq(task->unknown, full.unknown);
	ck_assert_int_eq(task->unknown_since, full.unknown_since);
	ck_assert(slice_eq(task->reply_to, full.reply_to));
	ck_assert(slice_eq(task->flow, full.flow));
	task_free(task);
	buf_done(&out);
}
END_TEST

static const struct {
	const char *text;
	struct task_counters counters;
	const char *wanted;
} again[] = {
    /* A counter that is there gets its new value where it stands. */
    {PYTHON_TASK,
     {.current_retry = 12},
     "{\"id\": \"8fb37713-716f-438c-884e-c73492692d08\", "
     "\"name\": \"add\", \"args\": [1, 2], \"kwargs\": {}, "
     "\"max_retries\": 3, \"retry_delay\": 1.0, \"current_retry\": 12, "
     "\"priority\": 0, \"cpu_bound\": false}"},
    /* One that is not comes last, or stays away if it is 0. */
    {BASE "\"x\":1}", {0}, BASE "\"x\":1,\"current_retry\":0}"},
    {BASE "\"x\":1}",
     {1, 2, 3, 4, 5, 6, {NULL, 0}},
     BASE "\"x\":1,\"current_retry\":1,\"crashes\":2,\"suspected\":3,"
	  "\"unknown\":4,\"unknown_since\":5,\"due_ms\":6}"},
    /* A time that is none of ours stays. */
    {BASE "\"current_retry\":1,\"due_ms\":\"monday\"}",
     {.current_retry = 2, .due_ms = 0},
     BASE "\"current_retry\":2,\"due_ms\":\"monday\"}"},
    {BASE "\"current_retry\":1,\"due_ms\":1}",
     {.current_retry = 2, .due_ms = INT64_C(1764416000123)},
     BASE "\"current_retry\":2,\"due_ms\":1764416000123}"},
    {BASE "\"crashes\":7,\"current_retry\":9}",
     {.current_retry = 10, .crashes = 0},
     BASE "\"crashes\":0,\"current_retry\":10}"},
    /* Unknown fields and the layout stay. */
    {"\n{ \"id\" : \"1\" ,\r\n\t\"name\":\"n\",\"crashes\" :\t1 , \"y\": "
     "[1.50, {\"crashes\": 9}], \"y\" : \"}\"\n} \n",
     {.current_retry = 1, .crashes = 2},
     "\n{ \"id\" : \"1\" ,\r\n\t\"name\":\"n\",\"crashes\" :\t2 , \"y\": "
     "[1.50, {\"crashes\": 9}], \"y\" : \"}\"\n,\"current_retry\":1} \n"},
    /* So does a name in escapes, and null is not a number. */
    {BASE "\"cr\\u0061shes\":1,\"current_retry\":null}",
     {.current_retry = 3, .crashes = 2},
     BASE "\"cr\\u0061shes\":2,\"current_retry\":3}"},
    /* A history takes the place of the one before. */
    {BASE "\"x\":1}",
     {.history = {"[5]", 3}},
     BASE "\"x\":1,\"current_retry\":0,\"history\":[5]}"},
    {BASE "\"current_retry\":1,\"history\":[{}, 2],\"x\":1}",
     {.history = {"[5]", 3}},
     BASE "\"current_retry\":0,\"history\":[5],\"x\":1}"},
    /* One that begins again has none. */
    {BASE "\"current_retry\":1,\"history\":[{}],\"crashes\":2}",
     {0},
     BASE "\"current_retry\":0,\"history\":[],\"crashes\":0}"},
    /* This is somebody else's. */
    {BASE "\"current_retry\":1,\"history\":\"long\"}",
     {.history = {"[5]", 3}},
     BASE "\"current_retry\":0,\"history\":\"long\"}"},
};

START_TEST(a_retry_changes_the_counters_and_nothing_else)
{
	struct task *task = task_text_decode(again[_i].text);
	struct buf out = BUF_INIT;
	struct task *next;

	task_encode_again(task, &again[_i].counters, &out);
	ck_assert_str_eq(out.data, again[_i].wanted);
	next = task_text_decode(out.data);
	ck_assert_str_eq(next->id, task->id);
	ck_assert_int_eq(next->current_retry, again[_i].counters.current_retry);
	ck_assert_int_eq(next->crashes, again[_i].counters.crashes);
	ck_assert_int_eq(next->suspected, again[_i].counters.suspected);
	ck_assert_int_eq(next->unknown, again[_i].counters.unknown);
	ck_assert_int_eq(next->unknown_since, again[_i].counters.unknown_since);
	ck_assert_int_eq(next->due_ms, again[_i].counters.due_ms);
	task_free(next);
	task_free(task);
	buf_done(&out);
}
END_TEST

#define N(array) (sizeof(array) / sizeof((array)[0]))

SUITE("task_write")
{
	TEST(a_task_is_written_with_all_that_is_set_of_it);
	TEST(a_task_that_is_written_reads_back_the_same);
	TEST_LOOP(a_retry_changes_the_counters_and_nothing_else, 0, N(again));
}
