/* SPDX-License-Identifier: MIT */
/* A module with a task of its own, and one that plain.c has, too. */
#include "plain.h"

static const struct flowrra_task_type tasks[] = {
    {.name = "twin.own", .run = plain_run, FLOWRRA_TASK_DEFAULTS},
    {.name = "plain", .run = plain_run, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("twin", "1", tasks)
