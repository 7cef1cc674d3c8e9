/* SPDX-License-Identifier: MIT */
/* A module that calls nothing of the executor's: any program can load it. */
#include "plain.h"

static const struct flowrra_task_type tasks[] = {
    {.name = "plain", .run = plain_run, FLOWRRA_TASK_DEFAULTS},
    {.name = "plain_cpu",
     .run = plain_run,
     .cpu_bound = true,
     FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("plain", "1", tasks)
