/* SPDX-License-Identifier: MIT */
/* A module of version 1.0, whose description has no function `configure`:
 * what lies there must not be called. */
#include <stdlib.h>

#include "plain.h"

static int
never(const json_t *config, char *error, size_t error_size)
{
	(void)config, (void)error, (void)error_size;
	abort();
}

const struct flowrra_module *
flowrra_module(void)
{
	static const struct flowrra_task_type tasks[] = {
	    {.name = "unconfigured", .run = plain_run, FLOWRRA_TASK_DEFAULTS}};
	static const struct flowrra_module module = {
	    .abi_major = FLOWRRA_MODULE_ABI_MAJOR,
	    .abi_minor = 0,
	    .name = "unconfigured",
	    .version = "1",
	    .tasks = tasks,
	    .n_tasks = 1,
	    .task_size = sizeof(tasks[0]),
	    .configure = never,
	};

	return &module;
}
