/* SPDX-License-Identifier: MIT */
/* The verb tasks signal. */
#include "manager/signal.h"
#include "util/err.h"
#include "verb.h"

static int
run_signal_verb(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	const char *name = signal_name(argv[1], &err);
	json_t *answer;
	int status;

	if (name == NULL)
		return complain_of_err(ctl, &err);
	if ((status = ctl_open(ctl)) != 0)
		return status;
	answer = signal_task(ctl->client, argv[0], name, &err);
	if (answer == NULL)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json)
		print_json_line(answer);
	else
		json_decref(answer);
	return 0;
}

const struct verb verb_tasks_signal = {
    .name = "tasks signal",
    .summary = "Send a signal to the command of a running task",
    .usage = "ID SIGNAL",
    .min_args = 2,
    .max_args = 2,
    .words = WORD_TASK_ID,
    .run = run_signal_verb,
};
