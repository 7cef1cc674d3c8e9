/* SPDX-License-Identifier: MIT */
/* What small modules have in common: a handler. */
#ifndef TESTS_MODULES_PLAIN_H
#define TESTS_MODULES_PLAIN_H

#include <flowrra/module.h>

static inline int
plain_run(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	  json_t **result)
{
	(void)task, (void)args, (void)kwargs, (void)result;
	return 0;
}

#endif
