/* SPDX-License-Identifier: MIT */
/* The verb cancel. */
#include "manager/cancel.h"

#include <stdio.h>

#include "manager/member.h"
#include "util/err.h"
#include "verb.h"

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
