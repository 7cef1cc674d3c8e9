/* SPDX-License-Identifier: MIT */
/* A module that gives away what it was told: the task returns it. It refuses a
 * configuration with the key "refuse". */
#include <stdio.h>

#include <flowrra/module.h>

static json_t *told;

static int
tell(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	(void)task, (void)args, (void)kwargs;
	*result = json_deep_copy(told);
	return 0;
}

static int
configure(const json_t *config, char *error, size_t error_size)
{
	if (json_object_get(config, "refuse") != NULL) {
		snprintf(error, error_size, "it does not like its section");
		return -1;
	}
	told = json_deep_copy(config);
	return 0;
}

static const struct flowrra_task_type tasks[] = {
    FLOWRRA_TASK("told", tell, "Returns what the module was told"),
};

const struct flowrra_module *
flowrra_module(void)
{
	static const struct flowrra_module module = {
	    .abi_major = FLOWRRA_MODULE_ABI_MAJOR,
	    .abi_minor = FLOWRRA_MODULE_ABI_MINOR,
	    .name = "told",
	    .version = "1",
	    .tasks = tasks,
	    .n_tasks = 1,
	    .task_size = sizeof(tasks[0]),
	    .configure = configure,
	};

	return &module;
}
