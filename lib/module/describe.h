/* SPDX-License-Identifier: MIT */
/* Whether what a module says of itself makes sense. */
#ifndef MODULE_DESCRIBE_H
#define MODULE_DESCRIBE_H

#include "flowrra/module.h"

struct err;

/* Checks version and name; nothing but abi_major is read before that has been
 * found to be ours. */
int describe_check_version(const struct flowrra_module *m, struct err *err);

/* Checks the rest but the tasks themselves. */
int describe_check_module(const struct flowrra_module *m, struct err *err);

/*
 * Reads the module's task number `i`, which may be of an older or a newer
 * minor version, into *ret and checks it. Strings stay the module's.
 */
int describe_read_task(const struct flowrra_module *m, size_t i,
		       struct flowrra_task_type *ret, struct err *err);

#endif
