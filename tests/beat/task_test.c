/* SPDX-License-Identifier: MIT */
/* The task that a fire becomes. */
#include "beat/task.h"

#include "codec/task_json.h"
#include "schedules/schedules.h"
#include "suite.h"
#include "util/conf.h"
#include "util/err.h"

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define NOW_US INT64_C(1772323200000000) /* 2026-03-01T00:00:00Z */

static const struct conf conf = {
    .executor = {.max_retries = 3, .retry_delay = 1000000}};

static struct task *
fire(const struct schedule *s)
{
	const struct registered defaults = {
	    .queue = "io",
	    .settings = {.max_retries = 5,
			 .retry = {.delay_us = TASK_UNSET,
				   .backoff = TASK_UNSET,
				   .delay_max_us = TASK_UNSET,
				   .jitter = TASK_UNSET},
			 .timeout_us = TASK_UNSET}};
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	struct task *task;

	fire_encode(s, &defaults, &conf, "7", NOW_US, &text);
	ck_assert_msg(
	    task_decode((struct slice){text.data, text.len}, &task, &err) == 0,
	    "%s", err.msg);
	buf_done(&text);
	return task;
}

START_TEST(a_fired_task_carries_what_its_schedule_says)
{
	const struct schedule s = {
	    .task = "add",
	    .args = "[1]",
	    .kwargs = "{}",
	    .queue = "",
	    .group = "tenant 7",
	    .settings = {.max_retries = 7,
			 .retry = {.delay_us = 1500000,
				   .backoff = 1.25,
				   .delay_max_us = 60000000,
				   .jitter = 0.5},
			 .timeout_us = 9000000},
	    .expires_us = 90000000,
	    .traceparent = TRACE};
	struct task *task = fire(&s);

#define TASK_SETTING(field, type, member, ...)                                 \
	ck_assert_msg(task->member == s.settings.member, "%s", #field);
#include "core/task_options.def"
	ck_assert_str_eq(task->group, "tenant 7");
	ck_assert_int_eq(task->submitted_us, NOW_US);
	ck_assert_int_eq(task->expires_us, NOW_US + 90000000);
	/* The trace is over when it fires: it is no part of it. */
	ck_assert(slice_eq(task->trace_link, SLICE(TRACE)));
	ck_assert_uint_eq(task->traceparent.len, 0);
	task_free(task);
}
END_TEST

START_TEST(what_its_schedule_leaves_open_is_registered_or_configured)
{
	const struct schedule s = {.task = "add",
				   .args = "[1]",
				   .kwargs = "{}",
				   .queue = "",
				   .group = "",
				   .settings = TASK_SETTINGS_UNSET,
				   .traceparent = ""};
	struct task *task = fire(&s);

	ck_assert_str_eq(task->queue, "io");
	ck_assert_int_eq(task->max_retries, 5);
	ck_assert_int_eq(task->retry.delay_us, 1000000);
	/* The worker knows its module. */
	ck_assert(task->retry.backoff == TASK_UNSET);
	ck_assert_int_eq(task->retry.delay_max_us, TASK_UNSET);
	ck_assert(task->retry.jitter == TASK_UNSET);
	ck_assert_int_eq(task->timeout_us, TASK_UNSET);
	ck_assert_int_eq(task->expires_us, 0);
	ck_assert_ptr_null(task->group);
	ck_assert_uint_eq(task->trace_link.len, 0);
	task_free(task);
}
END_TEST

SUITE("beat_task")
{
	TEST(a_fired_task_carries_what_its_schedule_says);
	TEST(what_its_schedule_leaves_open_is_registered_or_configured);
}
