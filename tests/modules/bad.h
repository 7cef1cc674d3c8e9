/* SPDX-License-Identifier: MIT */
/* What the modules that are to be refused have in common. */
#ifndef TESTS_MODULES_BAD_H
#define TESTS_MODULES_BAD_H

#include <flowrra/module.h>

static inline int
bad_run(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
	json_t **result)
{
	(void)task, (void)args, (void)kwargs, (void)result;
	return 0;
}

static inline void
bad_start(struct flowrra_task *task, struct event_base *base,
	  const json_t *args, const json_t *kwargs)
{
	(void)base, (void)args, (void)kwargs;
	flowrra_finish(task, NULL);
}

#endif
