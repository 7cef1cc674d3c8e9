/* SPDX-License-Identifier: MIT */
/* A module whose constructor ends the process that loads it. */
#include <stdlib.h>

#include "plain.h"

__attribute__((constructor)) static void
bad_start(void)
{
	abort();
}

static const struct flowrra_task_type tasks[] = {
    {.name = "bad_start.task", .run = plain_run, FLOWRRA_TASK_DEFAULTS},
};

FLOWRRA_MODULE("bad_start", "1", tasks)
