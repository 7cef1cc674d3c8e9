/* SPDX-License-Identifier: MIT */
/* What can be read of bytes that are not a task. */
#include "codec/salvage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/task_json.h"
#include "core/task.h"
#include "suite.h"

/* A copy of its own size: a sanitizer sees what is read beyond it. */
static struct task *
salvage(const char *head, size_t head_len, const char *tail)
{
	const size_t tail_len = strlen(tail);
	char *a = malloc(head_len + 1), *b = malloc(tail_len + 1);
	struct task *task;

	memcpy(a, head, head_len);
	memcpy(b, tail, tail_len);
	a = realloc(a, head_len > 0 ? head_len : 1);
	b = realloc(b, tail_len > 0 ? tail_len : 1);
	task = task_salvage((struct slice){a, head_len},
			    (struct slice){b, tail_len});
	free(a);
	free(b);
	return task;
}

static const struct {
	const char *head, *tail;
	const char *id; /* NULL: none can be read */
	const char *name;
} cases[] = {
    {"{\"id\":\"a\",\"name\":\"add\",\"args\":[NaN]}", "", "a", "add"},
    {" {\"args\":[\"\\ud800\"],\"id\" : \"a\"}", "", "a", ""},
    {"{\"name\":\"a b\",\"id\":\"a\"}", "", "a", ""},
    {"{\"name\":5,\"id\":\"a\"}", "", "a", ""},
    {"{\"x\":\"\xFF\x01\",\"id\":\"a\"}", "", "a", ""},
    {"{\"i\\u0064\":\"\\u0061\"}", "", "a", ""},
    {"{\"id\":\"a\",\"id\":\"a\"}", "", "a", ""},
    {"{\"id\":\"a\",\"args\":[[[[", "", "a", ""},
    {"{\"id\":\"a\"}{\"id\":\"b\"}", "", "a", ""},
    {"{\"args\":[{\"id\":\"no\"}],\"kwargs\":{\"id\":\"no\"},\"id\":\"a\"}", "",
     "a", ""},
    {"{\"args\":[\"\\\"id\\\":\\\"no\\\"\"],\"id\":\"a\"}", "", "a", ""},
    {"{\"x\":\"id\",\"id\":\"a\"}", "", "a", ""},
    /* From the end. */
    {"{\"args\":[\"xxx", "xxx\"],\"id\":\"a\",\"name\":\"add\"}", "a", "add"},
    {"{\"args\":[\"xxx", "x\\\"],\"id\":\"a\"}  \n", "a", ""},
    {"{\"args\":[\"xxx", "\"id\":\"no\"}],\"id\":\"a\"}", "a", ""},
    {"{\"id\":\"a\",\"args\":[\"x", "xxx\"]}", "a", ""},
    {"{\"id\":\"a\",\"args\":[\"x", "xxx\"],\"id\":\"b\"}", NULL, NULL},
    {"{\"args\":[\"x", "xxx\\\",\\\"id\\\":\\\"no\\\"}", NULL, NULL},
    {"{\"args\":[\"x", "\"id\":\"no\"}]}", NULL, NULL},
    {"[{\"args\":[\"x", "\"],\"id\":\"no\"}", NULL, NULL},
    {"{\"args\":[\"x", "\"],\"id\":\"no\"}]", NULL, NULL},
    /* Nothing that one could rely on. */
    {"", "", NULL, NULL},
    {"{", "", NULL, NULL},
    {"{\"id\"", "", NULL, NULL},
    {"{\"id\":", "", NULL, NULL},
    {"{\"id\":\"a", "", NULL, NULL},
    {"{\"id\":7}", "", NULL, NULL},
    {"{\"id\":7,\"id\":\"a\"}", "", NULL, NULL},
    {"{\"id\":\"a b\"}", "", NULL, NULL},
    {"{\"id\":\"\"}", "", NULL, NULL},
    {"{\"id\":\"a\\u0000b\"}", "", NULL, NULL},
    {"{\"id\":\"a\",\"id\":\"b\"}", "", NULL, NULL},
    {"[\"id\",\"a\"]", "", NULL, NULL},
    {"[{\"id\":\"a\"}]", "", NULL, NULL},
    {"\"id\":\"a\"", "", NULL, NULL},
    {"hello", "", NULL, NULL},
    {"{\"kwargs\":{\"id\":\"a\"}}", "", NULL, NULL},
};

START_TEST(an_id_is_found_where_there_is_one)
{
	struct task *task =
	    salvage(cases[_i].head, strlen(cases[_i].head), cases[_i].tail);

	if (cases[_i].id == NULL) {
		ck_assert_msg(task == NULL, "%s", task->id);
		return;
	}
	ck_assert_ptr_nonnull(task);
	ck_assert_str_eq(task->id, cases[_i].id);
	ck_assert_str_eq(task->name, cases[_i].name);
	task_free(task);
}
END_TEST

START_TEST(the_address_of_the_one_that_waits_and_the_workflow_are_found)
{
	static const char text[] = "{\"reply_to\":\"r.1\",\"id\":\"a\","
				   "\"args\":5,\"flow\":\"f-1\"}";
	struct task *task = salvage(text, strlen(text), "");

	ck_assert(slice_eq(task->reply_to, SLICE("r.1")));
	ck_assert(slice_eq(task->flow, SLICE("f-1")));
	task_free(task);
}
END_TEST

START_TEST(an_id_as_long_as_one_may_be_is_found)
{
	char text[2 * TASK_ID_MAX], id[TASK_ID_MAX + 2];
	struct task *task;

	memset(id, 'x', sizeof(id));
	id[TASK_ID_MAX] = '\0';
	snprintf(text, sizeof(text), "{\"id\":\"%s\"}", id);
	task = salvage(text, strlen(text), "");
	ck_assert_str_eq(task->id, id);
	task_free(task);
	id[TASK_ID_MAX] = 'x';
	id[TASK_ID_MAX + 1] = '\0';
	snprintf(text, sizeof(text), "{\"id\":\"%s\"}", id);
	ck_assert_ptr_null(salvage(text, strlen(text), ""));
}
END_TEST

/* Any part of a task, and any part with another byte in it, is read without
 * harm; and an id that comes of it is one that stands there (with a backslash
 * more, it may stand there escaped). */
START_TEST(no_bytes_are_read_beyond_their_end)
{
	static const char text[] = "{\"a\":[\"\\\\\",{\"id\":\"n\"}],\"id\":"
				   "\"task\",\"name\":\"add\"}";
	static const char strange[] = "\"\\{}[]:\0\xFF ";
	char copy[sizeof(text)];
	struct task *task;
	size_t i, k, len;

	for (len = 0; len < sizeof(text); len++)
		for (i = 0; i < len; i++)
			for (k = 0; k < sizeof(strange); k++) {
				memcpy(copy, text, sizeof(text));
				copy[i] = strange[k];
				task = salvage(copy, len, "");
				ck_assert_msg(
				    task == NULL || strange[k] == '\\' ||
					memmem(copy, len, task->id,
					       strlen(task->id)),
				    "%.*s: %s", (int)len, copy, task->id);
				task_free(task);
				task = salvage("{", 1, copy + len);
				task_free(task);
			}
}
END_TEST

SUITE("salvage")
{
	TEST_LOOP(an_id_is_found_where_there_is_one, 0,
		  sizeof(cases) / sizeof(cases[0]));
	TEST(the_address_of_the_one_that_waits_and_the_workflow_are_found);
	TEST(an_id_as_long_as_one_may_be_is_found);
	TEST(no_bytes_are_read_beyond_their_end);
}
