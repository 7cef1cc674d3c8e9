/* SPDX-License-Identifier: MIT */
/* Verbs that do the same to each task of a list: cancel, tasks run. */
#include "manager/member.h"
#include "util/err.h"
#include "verb.h"

/* The exit status of one task. Where it was refused there is a line as well, so
 * that a program can match lines with IDs; the complaint goes to standard error
 * all the same. */
static int
ctl_one_task(struct ctl *ctl, const char *id, const char *member,
	     ctl_task_fn *fn)
{
	struct err err = ERR_INIT;
	json_t *answer = fn(ctl->client, id, &err);
	int status = 0;

	if (answer == NULL) {
		status = complain_of_err(ctl, &err);
		answer =
		    json_pack("{s:o,s:i,s:o}", member, member_of_text(id),
			      "code", status, "error", member_of_text(err.msg));
	}
	if (ctl->globals.json)
		print_json_line(answer);
	else
		json_decref(answer);
	return status;
}

/* One that is refused does not keep the others from it. The highest status wins:
 * those of servers (69) are above those of tasks (2), and a person looks at those
 * first. */
int
ctl_each_task(struct ctl *ctl, int argc, char **argv, const char *member,
	      ctl_task_fn *fn)
{
	int status, one, i;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	for (i = 0; i < argc; i++)
		if ((one = ctl_one_task(ctl, argv[i], member, fn)) > status)
			status = one;
	return status;
}
