/* SPDX-License-Identifier: MIT */
/*
 * One run of a command: from the task that wants it to what came of it.
 *
 * Standard output becomes the result, standard error goes to the log line by
 * line, and its last lines into the error of a run that fails.
 */
#ifndef EXEC_RUN_H
#define EXEC_RUN_H

#include <stdbool.h>

#include "flowrra/module.h"
#include "module/shipped/exec/declared.h"
#include "util/buf.h"

struct event_base;
struct run;
struct spawner;

/* What came of it. */
struct run_outcome {
	bool success;
	bool final;	    /* if not: another try would not help */
	bool lost;	    /* if not: the spawner died, see module/lost.h */
	bool unbegun;	    /* not started, for want of something */
	json_t *result;	    /* borrowed; NULL unless success */
	struct slice exact; /* the same as text, or empty (module/exact.h) */
	const char *error;  /* NULL if success */
};

struct run_options {
	struct flowrra_task *task;
	const struct declared *declared; /* NULL: exec.run */
	const json_t *kwargs;		 /* of exec.run; borrowed to the end */
	const struct declarations *all;
	struct spawner *spawner;
	struct event_base *base;
	/* Called once, not from within run_start(), unless that fails; the run
	 * is freed after it. */
	void (*on_end)(const struct run_outcome *outcome, void *arg);
	void *arg;
};

/* NULL if on_end has been called already. */
struct run *run_start(const struct run_options *o);

/* A signal to the command; what does not run gets none. */
void run_signal(struct run *r, int sig);

/* SIGTERM to the command, and SIGKILL a while later. */
void run_cancel(struct run *r);

#endif
