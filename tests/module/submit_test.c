/* SPDX-License-Identifier: MIT */
/* The options of flowrra_task_submit(), as modules of several versions of the
 * interface have them. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "executor/driver.h"
#include "suite.h"
#include "util/err.h"

#define GIVEN                                                                  \
	"{s:s, s:i, s:f, s:i, s:f, s:f}", "queue", "q", "priority", 3,         \
	    "delay", 1.5, "max_retries", 4, "retry_delay", 2.5, "timeout", 6.5

#define GIVEN_SINCE_1_5                                                        \
	"{s:s, s:b, s:s, s:f, s:s, s:f, s:f, s:f, s:b, s:s, s:[s], s:s}",      \
	    "id", "an-id-of-its-own-of-thirty-six-bytes", "exclusive", 1,      \
	    "unique", "key", "unique_ttl", 7.5, "expires_at",                  \
	    "2030-03-17T17:46:40.000000+00:00", "retry_backoff", 1.25,         \
	    "retry_delay_max", 8.5, "retry_jitter", 0.5, "cpu_bound", 1,       \
	    "flow", "flow", "after", "a:complete", "on", "failure"

/* Runs a task; what it submits, without its id. */
static json_t *
submitted_by(struct driver *d, const char *name)
{
	struct ipc_submitted answer = {.code = ERR_NONE};
	struct ipc_message m;
	json_t *task;

	driver_run(d, 1, name, "[]");
	m = driver_expect(d, IPC_SUBMIT);
	task = json_loadb(m.rest.p, m.rest.len, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(task, "name")),
			 "plain");
	if (json_object_get(task, "exclusive") == NULL)
		json_object_del(task, "id");
	json_object_del(task, "name");
	json_object_del(task, "args");
	json_object_del(task, "kwargs");
	answer.request = ((const struct ipc_submit *)m.fixed)->request;
	ipc_put(&d->channel.out, IPC_SUBMITTED, 1, &answer, NULL, 0);
	driver_flush(d);
	/* Queued, and the id is a UUID. */
	ck_assert_str_eq(driver_end(d).text, "[0,36]");
	return task;
}

static const struct {
	const char *name;
	bool given; /* else all are the defaults */
	bool new;   /* those of 1.5, too */
} tasks[] = {
    {"today", true, true},	{"tomorrow", true, true},
    {"default", false, false},	{"yesterday", true, false},
    {"1.1", true, false},	{"1.1.default", false, false},
    {"1.1.none", false, false},
};

START_TEST(the_options_of_each_version_arrive)
{
	json_t *wanted = tasks[_i].given ? json_pack(GIVEN) : json_object();
	json_t *task, *more = json_pack(GIVEN_SINCE_1_5);
	struct driver d;

	if (tasks[_i].new)
		json_object_update(wanted, more);
	json_decref(more);
	driver_start(&d, 1, "submit_options submit_1_1");
	task = submitted_by(&d, tasks[_i].name);
	ck_assert_msg(json_equal(task, wanted), "%s", json_dumps(task, 0));
	driver_stop(&d);
	json_decref(task);
	json_decref(wanted);
}
END_TEST

START_TEST(options_that_are_too_short_are_refused)
{
	struct ipc_message m;
	struct driver d;

	driver_start(&d, 1, "submit_options");
	driver_run(&d, 1, "sizeless", "[]");
	m = driver_expect(&d, IPC_LOG);
	ck_assert_ptr_nonnull(
	    memmem(m.rest.p, m.rest.len, "FLOWRRA_SUBMIT_OPTIONS_INIT", 27));
	ck_assert_str_eq(driver_end(&d).text, "[-1,0]");
	driver_stop(&d);
}
END_TEST

START_TEST(an_option_out_of_its_range_is_refused_at_once)
{
	static const char *const fields[] = {
	    "max_retries", "retry_backoff",	"retry_jitter", "retry_delay",
	    "delay",	   "possible",		"at",		"unique_ttl",
	    "cpu_bound",   "both delay and at",
	};
	struct ipc_message m;
	struct driver d;
	char args[16];

	snprintf(args, sizeof(args), "[%d]", _i);
	driver_start(&d, 1, "submit_options");
	driver_run(&d, 1, "bad", args);
	m = driver_expect(&d, IPC_LOG);
	ck_assert_msg(memmem(m.rest.p, m.rest.len, fields[_i],
			     strlen(fields[_i])) != NULL,
		      "%.*s", (int)m.rest.len, m.rest.p);
	ck_assert_str_eq(driver_end(&d).text, "[-1,0]");
	driver_stop(&d);
}
END_TEST

/* The worker answers with the id of the task that has the key. */
START_TEST(the_id_is_that_of_the_task_with_the_same_key)
{
	struct ipc_submitted answer = {.code = ERR_NONE};
	struct slice other = SLICE("another-task");
	struct ipc_message m;
	struct driver d;

	driver_start(&d, 1, "submit_options");
	driver_run(&d, 1, "today", "[]");
	m = driver_expect(&d, IPC_SUBMIT);
	answer.request = ((const struct ipc_submit *)m.fixed)->request;
	ipc_put(&d.channel.out, IPC_SUBMITTED, 1, &answer, &other, 1);
	driver_flush(&d);
	ck_assert_str_eq(driver_end(&d).text, "[0,12]");
	driver_stop(&d);
}
END_TEST

SUITE("module-submit")
{
	TEST_LOOP(the_options_of_each_version_arrive, 0,
		  sizeof(tasks) / sizeof(tasks[0]));
	TEST_LOOP(an_option_out_of_its_range_is_refused_at_once, 0, 10);
	TEST(the_id_is_that_of_the_task_with_the_same_key);
	TEST(options_that_are_too_short_are_refused);
}
