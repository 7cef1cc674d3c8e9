/* SPDX-License-Identifier: MIT */
/*
 * Many tasks that are waited for one after the other, where there is no client that
 * could be told of all of them: through the gateway, or by the worker of the task that
 * runs this command. What is printed is as awaiting.h says.
 */
#ifndef FLOWRRACTL_WAIT_EACH_H
#define FLOWRRACTL_WAIT_EACH_H

#include <stddef.h>
#include <stdint.h>

#include "submit.h"

struct ctl;
struct err;

struct wait_each {
	struct ctl *ctl;
	double timeout_s; /* for all together; below 0: without end */
	int64_t begun_us;
	int status; /* the highest of all */
	struct submit_problems problems;
};

void wait_each_begin(struct wait_each *w, struct ctl *ctl, double timeout_s);
/* Waits for the task of a line, and prints it. */
void wait_each_id(struct wait_each *w, size_t line, const char *id);
/* Prints a line that has no task. */
void wait_each_problem(struct wait_each *w, size_t line,
		       const struct err *problem);

/* At the end; the exit status. */
int wait_each_end(struct wait_each *w);

/* --- for tasks that have to be submitted before --------------------------- */

/* What the lines of a stream have become, in their order; zeroed at first. */
struct outcomes {
	struct outcome *list;
	size_t n;
};
/* Either an ID or a problem, which are copied. -1 with *err: no memory. */
int outcomes_add(struct outcomes *o, size_t line, const char *id,
		 const struct err *problem, struct err *err);
/* Waits for all of them. */
void wait_each_outcome(struct wait_each *w, const struct outcomes *o);
void outcomes_done(struct outcomes *o);

#endif
