/* SPDX-License-Identifier: MIT */
/* A module with a task of its own, and one that noop.c has, too. */
#include "bad.h"

static const struct flowrra_task_type tasks[] = {
    {.name = "twin.own", .run = bad_run, FLOWRRA_TASK_DEFAULTS},
    {.name = "noop", .run = bad_run, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("twin", "1", tasks)
