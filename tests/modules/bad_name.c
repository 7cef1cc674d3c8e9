/* SPDX-License-Identifier: MIT */
/* A module whose task has a name that is none. */
#include "plain.h"

static const struct flowrra_task_type tasks[] = {
    {.name = "bad name", .run = plain_run, FLOWRRA_TASK_DEFAULTS},
};
FLOWRRA_MODULE("bad_name", "1", tasks)
