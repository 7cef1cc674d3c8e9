/* SPDX-License-Identifier: MIT */
/* The verb cancel. The work is manager/cancel.h; this file reports it, one task
 * after the other. */
#include "manager/cancel.h"

#include <stdio.h>

#include "manager/member.h"
#include "util/err.h"
#include "verb.h"

/* The exit status of one task. With --json each ID has one line of output, also
 * where it was refused, so that a program can match lines with IDs; the
 * complaint goes to standard error all the same. */
static int
cancel_one(struct ctl *ctl, const char *id)
{
	struct err err = ERR_INIT;
	json_t *answer = cancel_task(ctl->client, id, &err);
	int status = 0;

	if (answer == NULL) {
		status = complain_of_err(ctl, &err);
		answer =
		    json_pack("{s:o,s:i,s:o}", "id", member_of_text(id), "code",
			      status, "error", member_of_text(err.msg));
	}
	if (ctl->globals.json)
		print_json_line(answer);
	else
		json_decref(answer);
	return status;
}

static int
run_cancel(struct ctl *ctl, int argc, char **argv, void *options)
{
	int status, one, i;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	/* One that cannot be cancelled does not keep the others from it. The
	 * highest status wins: those of servers (69) are above those of tasks
	 * (2), and a person looks at those first. */
	for (i = 0; i < argc; i++)
		if ((one = cancel_one(ctl, argv[i])) > status)
			status = one;
	return status;
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
