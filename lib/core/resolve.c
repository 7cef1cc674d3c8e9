/* SPDX-License-Identifier: MIT */
/*
 * What a task leaves open: who says it instead, and in which order.
 *
 * The task itself comes first, then its module (by the registry or, in a
 * worker, directly), then the configuration, then the standard. It happens in
 * two steps, since a submitter knows the registry and a worker knows its
 * modules: task_resolve() may run on both sides, task_set_standards() only
 * where the task is about to run.
 */
#include "core/task.h"
#include "util/conf.h"

void
task_resolve(struct task *task, const struct task_settings *registered,
	     const struct conf_executor *conf)
{
	/* Written so that what is not a number stays as it is. */
#define TASK_SETTING(field, type, member, ...)                                 \
	if (task->member < 0)                                                  \
		task->member = registered->member;
#include "core/task_options.def"
	if (task->max_retries < 0)
		task->max_retries = conf->max_retries;
	if (task->retry.delay_us < 0)
		task->retry.delay_us = conf->retry_delay;
}

void
task_set_standards(struct task *task)
{
#define TASK_SETTING(field, type, member, request, low, high, standard, ...)   \
	if (task->member < 0)                                                  \
		task->member = (standard);
#include "core/task_options.def"
}
