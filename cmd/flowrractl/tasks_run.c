/* SPDX-License-Identifier: MIT */
/* The verb tasks run: delayed tasks are due now. The work is manager/tasks.h; as
 * with cancel, one that refuses does not keep the others from it. */
#include "manager/tasks.h"
#include "verb.h"

static int
run_run(struct ctl *ctl, int argc, char **argv, void *options)
{
	return ctl_each_task(ctl, argc, argv, "task_id", tasks_run);
}

const struct verb verb_tasks_run = {
    .name = "tasks run",
    .summary = "Run delayed tasks, or those to be retried, now",
    .usage = "ID...",
    .min_args = 1,
    .max_args = -1,
    .words = WORD_TASK_ID,
    .run = run_run,
};
