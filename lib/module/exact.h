/* SPDX-License-Identifier: MIT */
/*
 * What the shipped module exec needs of an executor beyond flowrra/module.h: a
 * result as it was written. As a json_t, `1.10` and `-0` would become 1.1 and 0.
 *
 * Like the functions of that header it is the executor's own; modules of others
 * are not promised that it is there.
 */
#ifndef MODULE_EXACT_H
#define MODULE_EXACT_H

#include <stddef.h>

struct flowrra_task;

/* The text of the result that the task is about to end with: the same value, as
 * JSON of `length` bytes (copied). Without memory, the value has to do. */
void flowrra_task_exact(struct flowrra_task *task, const char *json,
			size_t length);

#endif
