/* SPDX-License-Identifier: MIT */
/* Printing what became of a task. */
#ifndef FLOWRRACTL_RESULT_H
#define FLOWRRACTL_RESULT_H

struct ctl;
struct flowrra_record;

/*
 * Prints a record: its result, with `prefix` and a tab before it (NULL: none),
 * or the whole of it with --json; why the task failed goes to standard error.
 * Returns the exit status that suits it.
 */
int print_record(struct ctl *ctl, const struct flowrra_record *record,
		 const char *prefix);

/*
 * Waits for a task that this command has queued, `timeout_s` at most (below 0:
 * without end), and prints its record as above. Returns the exit status.
 */
int print_when_finished(struct ctl *ctl, const char *id, double timeout_s);

#endif
