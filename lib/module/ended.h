/* SPDX-License-Identifier: MIT */
/*
 * What the shipped module exec needs of an executor beyond flowrra/module.h: how
 * the command of a task ended, for its record.
 *
 * Like the functions of that header it is the executor's own; modules of others
 * are not promised that it is there.
 */
#ifndef MODULE_ENDED_H
#define MODULE_ENDED_H

#include <stddef.h>
#include <stdint.h>

struct flowrra_task;

/* To be called before the task ends: the status as of waitpid(), and how many bytes
 * of its output are not in the result, since that would be too long. */
void flowrra_task_command_ended(struct flowrra_task *task, int status,
				int64_t truncated);
/* Before the task ends: the end of what it printed, for its record, in the place of
 * what the record has from the log. UTF-8, without a NUL. */
void flowrra_task_command_printed(struct flowrra_task *task, const char *text,
				  size_t len);

#endif
