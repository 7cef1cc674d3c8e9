/* SPDX-License-Identifier: MIT */
/* flowrra/testing.h: handlers in a test program, by the real executor. */
#include <flowrra/testing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

static char error[512];

/* Opens a module below $BUILD_DIR. */
static struct flowrra_test *
open_file(const char *file, const char *config)
{
	struct flowrra_test_options options = FLOWRRA_TEST_OPTIONS_INIT;
	struct flowrra_test *test = NULL;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", getenv("BUILD_DIR"), file);
	options.file = path;
	options.config = config;
	ck_assert_msg(
	    flowrra_test_open(&options, &test, error, sizeof(error)) == 0, "%s",
	    error);
	return test;
}

static struct flowrra_test_result *
run_call(struct flowrra_test *test, const struct flowrra_test_call *call)
{
	struct flowrra_test_result *result = NULL;

	ck_assert_msg(
	    flowrra_test_run(test, call, &result, error, sizeof(error)) == 0,
	    "%s", error);
	return result;
}

static struct flowrra_test_result *
run_one(struct flowrra_test *test, const char *task, const char *args)
{
	struct flowrra_test_call call = FLOWRRA_TEST_CALL_INIT;

	call.task = task;
	call.args = args;
	return run_call(test, &call);
}

START_TEST(a_module_is_opened_again_and_again)
{
	struct flowrra_test_result *r;
	struct flowrra_test *test;
	int i, k;

	for (i = 0; i < 5; i++) {
		test = open_file("lib/flowrra/demo.so", NULL);
		for (k = 0; k < 100; k++) {
			r = run_one(test, "add", "[2,3]");
			ck_assert(r->success);
			ck_assert_str_eq(r->result, "5");
			ck_assert_ptr_null(r->error);
			flowrra_test_result_free(r);
		}
		flowrra_test_close(test);
	}
}
END_TEST

/* Each way to fail, and what a worker would do after it. */
static const struct {
	const char *task, *args;
	unsigned int attempt;
	const char *error;
	bool retry;
} failures[] = {
    {"fail", "[\"why\"]", 1, "why", true},
    {"fail", "[\"why\"]", 3, "why", true},
    {"fail", "[\"why\"]", 4, "why", false},
    {"add", "[\"x\"]", 1, "add needs two numbers", false},
    {"flaky", "[9]", 2, "attempt 2 of 9", true},
};

START_TEST(a_failure_says_whether_it_is_tried_again)
{
	struct flowrra_test *test = open_file("lib/flowrra/demo.so", NULL);
	struct flowrra_test_call call = FLOWRRA_TEST_CALL_INIT;
	struct flowrra_test_result *r;

	call.task = failures[_i].task;
	call.args = failures[_i].args;
	call.attempt = failures[_i].attempt;
	r = run_call(test, &call);
	ck_assert(!r->success);
	ck_assert_ptr_null(r->result);
	ck_assert_str_eq(r->error, failures[_i].error);
	ck_assert_int_eq(r->retry, failures[_i].retry);
	ck_assert(r->retry_delay_s == (failures[_i].retry ? 1.0 : 0.0));
	ck_assert(!r->told_to_end);
	flowrra_test_result_free(r);
	flowrra_test_close(test);
}
END_TEST

START_TEST(progress_and_submitted_tasks_are_kept)
{
	struct flowrra_test *test = open_file("lib/flowrra/demo.so", NULL);
	struct flowrra_test_result *r = run_one(test, "progress", "[2,0]");

	ck_assert_uint_eq(r->n_progress, 2);
	ck_assert_str_eq(r->progress[0], "{\"step\":1,\"of\":2}");
	ck_assert_str_eq(r->progress[1], "{\"step\":2,\"of\":2}");
	flowrra_test_result_free(r);
	r = run_one(test, "fanout", "[3]");
	ck_assert(r->success);
	ck_assert_uint_eq(r->n_submitted, 3);
	ck_assert_ptr_nonnull(strstr(r->submitted[2], "\"args\":[3,3]"));
	flowrra_test_result_free(r);
	flowrra_test_close(test);
}
END_TEST

/* Accepts the first only. */
static int
refuse_later(const char *json, void *arg)
{
	return (*(int *)arg)++ > 0;
}

START_TEST(a_refused_task_fails_the_call_of_the_handler)
{
	struct flowrra_test *test = open_file("lib/flowrra/demo.so", NULL);
	struct flowrra_test_call call = FLOWRRA_TEST_CALL_INIT;
	struct flowrra_test_result *r;
	int n = 0;

	call.task = "fanout";
	call.args = "[3]";
	call.on_submit = refuse_later;
	call.arg = &n;
	r = run_call(test, &call);
	ck_assert(!r->success);
	ck_assert_int_eq(n, 2);
	/* What went wrong is logged, as on a worker. */
	ck_assert_uint_eq(r->n_log, 1);
	ck_assert_int_eq(r->log[0].level, 3);
	ck_assert_str_eq(r->log[0].text,
			 "cannot submit add: the test refuses it");
	flowrra_test_result_free(r);
	flowrra_test_close(test);
}
END_TEST

static const char *
record_of(const char *id, void *arg)
{
	return strcmp(id, "x") == 0 ? "{\"status\":\"success\"}" : NULL;
}

START_TEST(a_handler_waits_for_what_the_test_says)
{
	struct flowrra_test *test = open_file("tests/modules/waits.so", NULL);
	struct flowrra_test_call call = FLOWRRA_TEST_CALL_INIT;
	struct flowrra_test_result *r;

	call.task = "waiter";
	call.args = "[\"x\",-1]";
	call.on_await = record_of;
	r = run_call(test, &call);
	ck_assert_str_eq(r->result, "{\"status\":\"success\"}");
	flowrra_test_result_free(r);
	call.args = "[\"y\",-1]";
	r = run_call(test, &call);
	ck_assert_str_eq(r->result, "-1");
	ck_assert_uint_eq(r->n_log, 1);
	ck_assert_str_eq(r->log[0].text,
			 "cannot wait for y: the task has no record");
	flowrra_test_result_free(r);
	flowrra_test_close(test);
}
END_TEST

START_TEST(a_handler_is_cancelled_and_runs_out_of_time)
{
	struct flowrra_test *test = open_file("lib/flowrra/demo.so", NULL);
	struct flowrra_test_call call = FLOWRRA_TEST_CALL_INIT;
	struct flowrra_test_result *r;

	call.task = _i & 1 ? "timer" : "sleep";
	call.args = "[60]";
	if (_i & 2)
		call.timeout_s = 0.02;
	else
		call.cancel_after_s = 0;
	r = run_call(test, &call);
	ck_assert(!r->success && r->told_to_end);
	/* As on a worker: a person does not cancel what then goes on. */
	ck_assert_int_eq(r->retry, (_i & 2) != 0);
	flowrra_test_result_free(r);
	flowrra_test_close(test);
}
END_TEST

START_TEST(a_handler_that_never_ends_is_given_up)
{
	struct flowrra_test *test = open_file("tests/modules/hostile.so", NULL);
	struct flowrra_test_call call = FLOWRRA_TEST_CALL_INIT;
	struct flowrra_test_result *r;

	call.task = "loop";
	call.give_up_s = 0.05;
	ck_assert_int_eq(
	    flowrra_test_run(test, &call, &r, error, sizeof(error)), -1);
	ck_assert_str_eq(error, "the handler of loop has not ended");
	flowrra_test_close(test);
}
END_TEST

/* A module of this program. */
static int
say(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
    json_t **result)
{
	flowrra_task_log(
	    task, 6, "attempt %u of %u of %s", flowrra_task_attempt(task),
	    flowrra_task_max_attempts(task), flowrra_task_id(task));
	*result = json_copy((json_t *)kwargs);
	return 0;
}

static char configured[64];

static int
configure(const json_t *config, char *reason, size_t reason_size)
{
	const char *word = json_string_value(json_object_get(config, "word"));

	snprintf(configured, sizeof(configured), "%s", word ? word : "");
	if (word != NULL)
		return 0;
	snprintf(reason, reason_size, "there is no word");
	return -1;
}

static const struct flowrra_task_type own_tasks[] = {
    {.name = "say", .run = say, FLOWRRA_TASK_DEFAULTS},
};
static const struct flowrra_module own = {
    .abi_major = FLOWRRA_MODULE_ABI_MAJOR,
    .abi_minor = FLOWRRA_MODULE_ABI_MINOR,
    .name = "own",
    .version = "1",
    .tasks = own_tasks,
    .n_tasks = 1,
    .task_size = sizeof(own_tasks[0]),
    .configure = configure,
};

START_TEST(a_module_may_be_part_of_the_program)
{
	struct flowrra_test_options options = FLOWRRA_TEST_OPTIONS_INIT;
	struct flowrra_test_call call = FLOWRRA_TEST_CALL_INIT;
	struct flowrra_test_result *r;
	struct flowrra_test *test;

	options.module = &own;
	options.config = "{\"word\":\"yes\"}";
	ck_assert_msg(
	    flowrra_test_open(&options, &test, error, sizeof(error)) == 0, "%s",
	    error);
	ck_assert_str_eq(configured, "yes");
	call.task = "say";
	call.kwargs = "{\"a\":[1]}";
	call.id = "mine";
	call.attempt = 2;
	r = run_call(test, &call);
	ck_assert_str_eq(r->result, "{\"a\":[1]}");
	ck_assert_uint_eq(r->n_log, 1);
	ck_assert_int_eq(r->log[0].level, 6);
	ck_assert_str_eq(r->log[0].text, "attempt 2 of 4 of mine");
	flowrra_test_result_free(r);
	flowrra_test_close(test);
	/* It says why it does not like its configuration. */
	options.config = NULL;
	ck_assert_int_eq(
	    flowrra_test_open(&options, &test, error, sizeof(error)), -1);
	ck_assert_str_eq(error, "module (of this program): its configure "
				"failed: there is no word");
}
END_TEST

/* Calls that make no sense, and what is said of them. */
static const struct {
	const char *task, *args, *kwargs, *error;
} wrong[] = {
    {NULL, NULL, NULL, "begin with FLOWRRA_TEST_CALL_INIT"},
    {"nosuch", NULL, NULL, "the module has no task \"nosuch\""},
    {"add", "[1", NULL, "args: not JSON"},
    {"add", "{}", NULL, "args: not a JSON array"},
    {"add", NULL, "[]", "kwargs: not a JSON object"},
};

START_TEST(a_wrong_call_is_told_from_a_handler_that_fails)
{
	struct flowrra_test *test = open_file("lib/flowrra/demo.so", NULL);
	struct flowrra_test_call call = FLOWRRA_TEST_CALL_INIT;
	struct flowrra_test_result *r;

	call.task = wrong[_i].task;
	call.args = wrong[_i].args;
	call.kwargs = wrong[_i].kwargs;
	ck_assert_int_eq(
	    flowrra_test_run(test, &call, &r, error, sizeof(error)), -1);
	ck_assert_msg(strstr(error, wrong[_i].error) != NULL, "%s", error);
	flowrra_test_close(test);
}
END_TEST

SUITE("testing")
{
	TEST(a_module_is_opened_again_and_again);
	TEST_LOOP(a_failure_says_whether_it_is_tried_again, 0,
		  (int)(sizeof(failures) / sizeof(failures[0])));
	TEST(progress_and_submitted_tasks_are_kept);
	TEST(a_refused_task_fails_the_call_of_the_handler);
	TEST(a_handler_waits_for_what_the_test_says);
	TEST_LOOP(a_handler_is_cancelled_and_runs_out_of_time, 0, 4);
	TEST(a_handler_that_never_ends_is_given_up);
	TEST(a_module_may_be_part_of_the_program);
	TEST_LOOP(a_wrong_call_is_told_from_a_handler_that_fails, 0,
		  (int)(sizeof(wrong) / sizeof(wrong[0])));
}
