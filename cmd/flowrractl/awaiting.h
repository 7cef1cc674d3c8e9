/* SPDX-License-Identifier: MIT */
/* Many tasks that are waited for, and their results in the order of the input:
 * what wait --stdin and submit --stdin --wait share. */
#ifndef FLOWRRACTL_AWAITING_H
#define FLOWRRACTL_AWAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "submit.h"

struct await;
struct ctl;
struct err;

/*
 * For each task, in their order, there is one line: the ID, a tab, and the result,
 * which is empty if the task failed; a line that held no task gets an empty one.
 * With --json it is the record, or {"line", "code", "error"}. Complaints go to standard
 * error.
 */
struct awaiting {
	struct ctl *ctl;
	struct await *await;
	size_t total;  /* added so far */
	bool complete; /* no more are coming */
	int status;    /* the highest of all */
	struct submit_problems problems;
	int64_t begun_us, shown_us;
};

/* Begins; the client must be open. 0, or the exit status after a complaint. */
int awaiting_begin(struct awaiting *a, struct ctl *ctl, double timeout_s);
/* Adds a task, or a line that is none; waits for room, and prints what has come
 * until then. 0, or the exit status after a complaint. */
int awaiting_add(struct awaiting *a, size_t line, const char *id);
int awaiting_add_problem(struct awaiting *a, size_t line,
			 const struct err *problem);
/* Waits until standard input is readable, or the time is over, and prints what has
 * come. */
int awaiting_until_input(struct awaiting *a);
/* Waits for all. Returns the exit status. */
int awaiting_finish(struct awaiting *a);
void awaiting_done(struct awaiting *a);

#endif
