/* SPDX-License-Identifier: MIT */
/* Printing what became of a task. */
#ifndef FLOWRRACTL_RESULT_H
#define FLOWRRACTL_RESULT_H

#include <stdbool.h>

struct ctl;
struct flowrra_record;

/*
 * Prints a record: its result, with `prefix` and a tab before it (NULL: none),
 * or the whole of it with --json; why the task failed goes to standard error.
 * Returns the exit status that suits it.
 */
int print_record(struct ctl *ctl, const struct flowrra_record *record,
		 const char *prefix);

/* The record of a task, by the client, the gateway or the worker of the task that runs
 * this command; 0, or -1 with *error. */
struct flowrra_error;
int fetch_record(struct ctl *ctl, const char *id, struct flowrra_record **ret,
		 struct flowrra_error *error);
/* The same when it has ended; waits for that, `timeout_s` at most (below 0: without
 * end). */
int wait_for_record(struct ctl *ctl, const char *id, double timeout_s,
		    struct flowrra_record **ret, struct flowrra_error *error);

/* Exit statuses beside those of the command: past its timeout, killed by a signal
 * (which is added), and failed for a reason of ours. */
enum { COMMAND_TIMEOUT = 124, COMMAND_ITSELF = 125, COMMAND_SIGNAL = 128 };
/* The exit status of the command that the task ran; of one that ran none, 0 or
 * COMMAND_ITSELF. FLOWRRA_TIMEOUT: it has not ended. */
int command_status(const struct flowrra_record *record);

/*
 * Waits for a task that this command has queued, `timeout_s` at most (below 0:
 * without end), and prints its record as above. Returns the exit status, with
 * `exit_code` that of command_status(), COMMAND_ITSELF for other failures.
 */
int print_when_finished(struct ctl *ctl, const char *id, double timeout_s,
			bool exit_code);

#endif
