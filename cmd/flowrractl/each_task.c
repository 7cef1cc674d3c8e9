/* SPDX-License-Identifier: MIT */
/* The same for each task of a list, as cancel does it, and the verb tasks run. */
#include "each_task.h"

#include "gateway.h"
#include "manager/member.h"
#include "manager/tasks.h"
#include "util/err.h"
#include "verb.h"

/* Returns the exit status of one task. A task that is refused has a line of JSON as well,
 * so that a program can match lines with IDs; the complaint goes to standard error all
 * the same. `member` is the name of the ID in this verb's answers. Of the verbs that come
 * here, only cancel can use the gateway. */
static int
each_task_one(struct ctl *ctl, const char *id, const char *member,
	      each_task_fn *fn)
{
	struct err err = ERR_INIT;
	json_t *answer = ctl->gateway != NULL
			     ? gateway_cancel(ctl->gateway, id, &err)
			     : fn(ctl->client, id, &err);
	int status = 0;

	if (answer == NULL) {
		status = complain_of_err(ctl, &err);
		answer =
		    json_pack("{s:o,s:i,s:o}", member, member_of_text(id),
			      "code", status, "error", member_of_text(err.msg));
	}
	print_if_json(ctl, answer);
	return status;
}

/* One refusal does not stop the rest. The highest status wins: those of servers (69) are
 * above those of tasks (2), and matter more. */
int
each_task(struct ctl *ctl, int argc, char **argv, const char *member,
	  each_task_fn *fn)
{
	int status, one, i;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	for (i = 0; i < argc; i++)
		if ((one = each_task_one(ctl, argv[i], member, fn)) > status)
			status = one;
	return status;
}

static int
run_tasks_run(struct ctl *ctl, int argc, char **argv, void *options)
{
	return each_task(ctl, argc, argv, "task_id", tasks_run);
}

const struct verb verb_tasks_run = {
    .name = "tasks run",
    .summary = "Run delayed tasks, or those to be retried, now",
    .usage = "ID...",
    .min_args = 1,
    .max_args = -1,
    .words = WORD_TASK_ID,
    .run = run_tasks_run,
};
