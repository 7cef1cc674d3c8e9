/* SPDX-License-Identifier: MIT */
/* A module whose tasks are those that the configuration names: {"tasks":
 * ["…"]}; with none it refuses, and says why. */
#include <stdio.h>

#include "plain.h"

#define TASKS_MAX 8

static struct flowrra_task_type tasks[TASKS_MAX];

static int configure(const json_t *config, char *error, size_t error_size);

static struct flowrra_module module = {
    .abi_major = FLOWRRA_MODULE_ABI_MAJOR,
    .abi_minor = FLOWRRA_MODULE_ABI_MINOR,
    .name = "configured",
    .version = "1",
    .tasks = tasks,
    .task_size = sizeof(tasks[0]),
    .configure = configure,
};

static int
configure(const json_t *config, char *error, size_t error_size)
{
	static const struct flowrra_task_type type = {.run = plain_run,
						      FLOWRRA_TASK_DEFAULTS};
	static char names[TASKS_MAX][32];
	const json_t *list = json_object_get(config, "tasks"), *name;
	size_t i;

	if (!json_is_object(config) || json_array_size(list) == 0) {
		snprintf(error, error_size, "it wants the names of its tasks");
		return -1;
	}
	module.n_tasks = 0;
	json_array_foreach (list, i, name) {
		snprintf(names[i], sizeof(names[i]), "%s",
			 json_string_value(name));
		tasks[i] = type;
		tasks[i].name = names[i];
		module.n_tasks++;
	}
	return 0;
}

const struct flowrra_module *
flowrra_module(void)
{
	return &module;
}
