/* SPDX-License-Identifier: MIT */
/* A module of another ABI; all but the version would crash a reader. */
#include <flowrra/module.h>

const struct flowrra_module *
flowrra_module(void)
{
	static const struct flowrra_module module = {
	    .abi_major = 0,
	    .name = (const char *)1,
	    .tasks = (const struct flowrra_task_type *)1,
	    .n_tasks = 1,
	};

	return &module;
}
