/* SPDX-License-Identifier: MIT */
/* run --wait: a command that is shown, and whose exit code becomes ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/capture.h"
#include "flowrra/client.h"
#include "result.h"
#include "run.h"
#include "show_output.h"
#include "util/err.h"
#include "verb.h"

/* A failure that is not the command's: with --wait, the status of that must not be
 * taken for it. */
int
run_own_status(const struct run_options *o, int status)
{
	return o->wait && status != 0 ? COMMAND_ITSELF : status;
}

/* The worker may die while the command waits for its turn. */
static void
run_tick(struct ctl *ctl)
{
	run_ensure_worker(ctl, NULL);
}

static void
run_follow_end(struct run_following *f)
{
	if (f->fd >= 0)
		capture_follow_end(f->fd, f->directory, f->id);
	f->fd = -1;
}

void
run_following_end(struct run_following *f)
{
	run_follow_end(f);
	free(f->directory);
	f->directory = NULL;
}

/* Without it the command is shown all the same, but does not wait for us. */
void
run_following_begin(const char *id, void *arg)
{
	struct run_following *f = arg;
	struct err err = ERR_INIT;

	run_follow_end(f);
	if (f->directory == NULL &&
	    (f->directory = capture_directory(f->ctl->conf)) == NULL)
		return;
	snprintf(f->id, sizeof(f->id), "%s", id);
	f->fd = capture_follow_begin(f->directory, id, &err);
	if (f->fd < 0)
		complain(f->ctl, "%s", err.msg);
}

/* What is said here beside the command's own words goes to standard error. That it
 * has failed, its exit code says. */
int
run_wait(struct ctl *ctl, const char *id, struct run_following *f)
{
	struct show_output s = {.ctl = ctl,
				.directory = f->directory,
				.id = id,
				.apart = true,
				.follow_fd = f->fd};
	struct flowrra_record *record = NULL;
	int status = COMMAND_ITSELF;

	if (f->directory == NULL)
		complain(ctl, "out of memory");
	else if (show_following(&s, 1, run_tick, &record) == 0)
		status = command_status(record);
	if (record != NULL && record->state == FLOWRRA_FAILED &&
	    (record->error == NULL ||
	     strncmp(record->error, "exit code ", 10) != 0))
		complain(ctl, "command %s %s: %s", id,
			 record->reason != NULL ? record->reason : "failed",
			 record->error != NULL ? record->error : "no reason");
	flowrra_record_free(record);
	return status;
}
