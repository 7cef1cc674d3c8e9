/* SPDX-License-Identifier: MIT */
/* The task types that an executor describes, as the pool reads them. */
#include "pool/handlers.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "util/err.h"

static struct handlers
read_all(const char *json)
{
	struct handlers h;
	struct err err;

	ck_assert_msg(handlers_read(slice_of(json), &h, &err) == 0, "%s",
		      err.msg);
	return h;
}

static void
expect_error(const char *json, enum err_code code, const char *text)
{
	struct handlers h = {.n = 7};
	struct err err;

	ck_assert_int_eq(handlers_read(slice_of(json), &h, &err), -1);
	ck_assert_int_eq(err.code, code);
	ck_assert_ptr_nonnull(strstr(err.msg, text));
	ck_assert_uint_eq(h.n, 7); /* untouched */
}

START_TEST(durations_are_microseconds)
{
	struct handlers h =
	    read_all("{\"tasks\":[{\"name\":\"a\",\"queue\":\"q\","
		     "\"max_retries\":4,\"retry_delay\":1.5,"
		     "\"retry_backoff\":2,\"retry_delay_max\":60,"
		     "\"retry_jitter\":0.25,\"timeout\":0.000001}]}");
	const struct handler *a = handlers_find(&h, "a");

	ck_assert_int_eq(a->max_retries, 4);
	ck_assert_int_eq(a->retry.delay_us, 1500000);
	ck_assert_double_eq(a->retry.backoff, 2);
	ck_assert_int_eq(a->retry.delay_max_us, 60000000);
	ck_assert_double_eq(a->retry.jitter, 0.25);
	ck_assert_int_eq(a->timeout_us, 1);
	handlers_done(&h);
}
END_TEST

START_TEST(what_is_null_or_missing_is_unset)
{
	struct handlers h =
	    read_all("{\"tasks\":[{\"name\":\"a\",\"queue\":\"q\","
		     "\"max_retries\":null,\"retry_delay\":null,"
		     "\"retry_backoff\":null}]}");
	const struct handler *a = handlers_find(&h, "a");

	ck_assert_int_eq(a->max_retries, TASK_UNSET);
	ck_assert_int_eq(a->retry.delay_us, TASK_UNSET);
	ck_assert_double_eq(a->retry.backoff, TASK_UNSET);
	ck_assert_int_eq(a->retry.delay_max_us, TASK_UNSET);
	ck_assert_double_eq(a->retry.jitter, TASK_UNSET);
	ck_assert_int_eq(a->timeout_us, TASK_UNSET);
	ck_assert(!a->cpu_bound && !a->async);
	handlers_done(&h);
}
END_TEST

START_TEST(handlers_are_found_by_name)
{
	struct handlers h = read_all(
	    "{\"tasks\":[{\"name\":\"c\",\"queue\":\"q1\",\"async\":true},"
	    "{\"name\":\"a\",\"queue\":\"q2\"},"
	    "{\"name\":\"b\",\"queue\":\"q3\",\"cpu_bound\":true}]}");

	ck_assert_uint_eq(h.n, 3);
	ck_assert_str_eq(handlers_find(&h, "a")->queue.p, "q2");
	ck_assert(handlers_find(&h, "b")->cpu_bound);
	ck_assert(handlers_find(&h, "c")->async);
	ck_assert_ptr_null(handlers_find(&h, "aa"));
	ck_assert_ptr_null(handlers_find(&h, ""));
	handlers_done(&h);
}
END_TEST

START_TEST(the_description_is_what_was_sent)
{
	static const char json[] = "{\"name\":\"a\",\"queue\":\"q\",\"x\":1}";
	char text[128];
	struct handlers h;

	snprintf(text, sizeof(text), "{\"tasks\":[%s]}", json);
	h = read_all(text);
	ck_assert_str_eq(h.list[0].description.p, json);
	ck_assert_uint_eq(h.list[0].description.len, strlen(json));
	handlers_done(&h);
}
END_TEST

START_TEST(modules_that_were_refused_say_why)
{
	struct handlers h =
	    read_all("{\"tasks\":[],\"refused\":[{\"module\":\"a.so\","
		     "\"error\":\"too old\"},{\"module\":\"b.so\"}]}");

	ck_assert_uint_eq(h.n_refused, 2);
	ck_assert_str_eq(h.refused[0], "too old");
	ck_assert_str_eq(h.refused[1], "");
	handlers_done(&h);
	ck_assert_uint_eq(h.n_refused, 0);
}
END_TEST

START_TEST(an_executor_without_modules_has_no_handlers)
{
	struct handlers h = read_all("{}");

	ck_assert_uint_eq(h.n, 0);
	ck_assert_ptr_null(handlers_find(&h, "a"));
	handlers_done(&h);
	handlers_done(&h); /* it is empty now */
}
END_TEST

START_TEST(what_is_not_json_is_an_error)
{
	expect_error("{\"tasks\":[", ERR_DATA, "invalid JSON");
	expect_error("", ERR_DATA, "invalid JSON");
}
END_TEST

/* Those before the invalid one are let go. */
START_TEST(names_and_queues_are_checked)
{
	expect_error("{\"tasks\":[{\"name\":\"a\",\"queue\":\"q\"},"
		     "{\"name\":\"with space\",\"queue\":\"q\"}]}",
		     ERR_DATA, "invalid name");
	expect_error("{\"tasks\":[{\"name\":\"a\",\"queue\":\"\"}]}", ERR_DATA,
		     "invalid name");
	expect_error("{\"tasks\":[{\"queue\":\"q\"}]}", ERR_DATA,
		     "invalid name");
}
END_TEST

START_TEST(a_task_must_be_an_object)
{
	expect_error("{\"tasks\":[17]}", ERR_DATA, "not an object");
}
END_TEST

static struct handlers
read_tasks(const char *json)
{
	struct handlers h;
	struct err err;

	ck_assert_msg(handlers_read(slice_of(json), &h, &err) == 0, "%s",
		      err.msg);
	return h;
}

/* Of modules and of commands, which other executors describe. */
START_TEST(handlers_of_both_sides_are_found_and_a_twin_is_refused)
{
	struct handlers h = {.n = 0};
	struct handlers modules =
	    read_tasks("{\"tasks\":[{\"name\":\"m\",\"queue\":\"io\"},"
		       "{\"name\":\"both\",\"queue\":\"io\"}],"
		       "\"refused\":[{\"module\":\"x\",\"error\":\"no x\"}]}");
	struct handlers commands =
	    read_tasks("{\"tasks\":[{\"name\":\"both\",\"queue\":\"q\"},"
		       "{\"name\":\"a\",\"queue\":\"io\"}]}");

	ck_assert_int_eq(handlers_reserve(&h, 2, 1, NULL), 0);
	ck_assert_int_eq(handlers_reserve(&h, 2, 0, NULL), 0);
	handlers_add(&h, &modules, false);
	handlers_add(&h, &commands, true);
	ck_assert_uint_eq(h.n, 3);
	ck_assert(handlers_find(&h, "a")->command);
	ck_assert(!handlers_find(&h, "m")->command);
	ck_assert(!handlers_find(&h, "both")->command);
	ck_assert_uint_eq(h.n_refused, 2);
	ck_assert_str_eq(h.refused[0], "no x");
	ck_assert_ptr_nonnull(strstr(h.refused[1], "[task both]"));
	ck_assert_uint_eq(modules.n + commands.n, 0);
	handlers_done(&h);
}
END_TEST

SUITE("pool-handlers")
{
	TEST(durations_are_microseconds);
	TEST(what_is_null_or_missing_is_unset);
	TEST(handlers_are_found_by_name);
	TEST(the_description_is_what_was_sent);
	TEST(modules_that_were_refused_say_why);
	TEST(an_executor_without_modules_has_no_handlers);
	TEST(what_is_not_json_is_an_error);
	TEST(names_and_queues_are_checked);
	TEST(a_task_must_be_an_object);
	TEST(handlers_of_both_sides_are_found_and_a_twin_is_refused);
}
