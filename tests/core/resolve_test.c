/* SPDX-License-Identifier: MIT */
/* Who says what a task leaves open. */
#include "core/task.h"
#include "suite.h"
#include "util/conf.h"

static const struct conf_executor conf = {.max_retries = 3,
					  .retry_delay = 1000000};
static const struct task_settings unset = TASK_SETTINGS_UNSET;
static const struct task_settings registered = {
    .max_retries = 5,
    .retry = {.delay_us = 2, .backoff = 2.5, .delay_max_us = 9, .jitter = 0.5},
    .timeout_us = 7};

/* A task in which each setting is `number`. */
static struct task
task_of(int number)
{
	return (struct task){.max_retries = number,
			     .retry = {.delay_us = number,
				       .backoff = number,
				       .delay_max_us = number,
				       .jitter = number},
			     .timeout_us = number};
}

START_TEST(what_the_task_says_stands)
{
	struct task task = task_of(0);

	task_resolve(&task, &registered, &conf);
	task_set_standards(&task);
#define TASK_SETTING(field, type, member, ...)                                 \
	ck_assert_msg(task.member == 0, "%s", #field);
#include "core/task_options.def"
}
END_TEST

START_TEST(what_it_leaves_open_is_as_registered)
{
	struct task task = task_of(TASK_UNSET);

	task_resolve(&task, &registered, &conf);
#define TASK_SETTING(field, type, member, ...)                                 \
	ck_assert_msg(task.member == registered.member, "%s", #field);
#include "core/task_options.def"
}
END_TEST

START_TEST(then_retries_are_as_configured_and_the_rest_stays_open)
{
	struct task task = task_of(TASK_UNSET);

	task_resolve(&task, &unset, &conf);
	ck_assert_int_eq(task.max_retries, conf.max_retries);
	ck_assert_int_eq(task.retry.delay_us, conf.retry_delay);
	ck_assert(task.retry.backoff == TASK_UNSET);
	ck_assert_int_eq(task.retry.delay_max_us, TASK_UNSET);
	ck_assert(task.retry.jitter == TASK_UNSET);
	ck_assert_int_eq(task.timeout_us, TASK_UNSET);
}
END_TEST

START_TEST(what_runs_has_no_setting_open)
{
	struct task task = task_of(TASK_UNSET);

	task_resolve(&task, &unset, &conf);
	task_set_standards(&task);
	ck_assert(task.retry.backoff == 1);
	ck_assert_int_eq(task.retry.delay_max_us, 0);
	ck_assert(task.retry.jitter == 0);
	ck_assert_int_eq(task.timeout_us, 0);
}
END_TEST

SUITE("resolve")
{
	TEST(what_the_task_says_stands);
	TEST(what_it_leaves_open_is_as_registered);
	TEST(then_retries_are_as_configured_and_the_rest_stays_open);
	TEST(what_runs_has_no_setting_open);
}
