/* SPDX-License-Identifier: MIT */
/* The verb tasks run: delayed tasks are due now. The work is manager/tasks.h; as
 * with cancel, one that refuses does not keep the others from it. */
#include "manager/member.h"
#include "manager/tasks.h"
#include "util/err.h"
#include "verb.h"

/* The exit status of one task. With --json each ID has one line of output, also
 * where it was refused. */
static int
run_one(struct ctl *ctl, const char *id)
{
	struct err err = ERR_INIT;
	json_t *answer = tasks_run(ctl->client, id, &err);
	int status = 0;

	if (answer == NULL) {
		status = complain_of_err(ctl, &err);
		answer =
		    json_pack("{s:o,s:i,s:o}", "task_id", member_of_text(id),
			      "code", status, "error", member_of_text(err.msg));
	}
	if (ctl->globals.json)
		print_json_line(answer);
	else
		json_decref(answer);
	return status;
}

static int
run_run(struct ctl *ctl, int argc, char **argv, void *options)
{
	int status, one, i;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	/* The highest wins: those of servers are above those of tasks. */
	for (i = 0; i < argc; i++)
		if ((one = run_one(ctl, argv[i])) > status)
			status = one;
	return status;
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
