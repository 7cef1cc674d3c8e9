/* SPDX-License-Identifier: MIT */
/* The verb cancel. The work is manager/cancel.h; one that cannot be cancelled
 * does not keep the others from it. */
#include "manager/cancel.h"

#include "verb.h"

static int
run_cancel(struct ctl *ctl, int argc, char **argv, void *options)
{
	return ctl_each_task(ctl, argc, argv, "id", cancel_task);
}

const struct verb verb_cancel = {
    .name = "cancel",
    .summary = "Cancel waiting or running tasks",
    .usage = "ID...",
    .min_args = 1,
    .max_args = -1,
    .words = WORD_TASK_ID,
    .run = run_cancel,
};
