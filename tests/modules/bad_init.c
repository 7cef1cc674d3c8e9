/* SPDX-License-Identifier: MIT */
/* A module whose init fails. */
#include <stdio.h>

#include "plain.h"

static int
init(char *error, size_t error_size)
{
	snprintf(error, error_size, "no licence for the moon");
	return -1;
}

static const struct flowrra_task_type tasks[] = {
    {.name = "bad_init.task", .run = plain_run, FLOWRRA_TASK_DEFAULTS},
};

const struct flowrra_module *
flowrra_module(void)
{
	static const struct flowrra_module module = {
	    .abi_major = FLOWRRA_MODULE_ABI_MAJOR,
	    .name = "bad_init",
	    .tasks = tasks,
	    .n_tasks = 1,
	    .task_size = sizeof(tasks[0]),
	    .init = init,
	};

	return &module;
}
