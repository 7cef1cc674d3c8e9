/* SPDX-License-Identifier: MIT */
/* What the files of the verb run share. */
#ifndef FLOWRRACTL_RUN_H
#define FLOWRRACTL_RUN_H

#include <stdbool.h>

#include "flowrra/client.h"
#include "manager/value.h"

struct command;
struct ctl;
struct err;

struct run_options {
	struct flowrra_request request;
	const char *label, *directory, *line, *lock, *input_file, *on_failure;
	struct value_list variables, after;
	bool from_stdin, wait, each, null, now_if_past;
};

/* --- run_worker.c ---------------------------------------------------------- */

/*
 * Sees to it that a worker runs the commands of this store: if none is there, or
 * it is about to leave, starts one, which ends when it has had nothing to do for
 * ten minutes. Returns once it is there; -1 with *err (ERR_UNAVAILABLE) if it does
 * not come up. ctl->conf is loaded.
 */
int run_ensure_worker(struct ctl *ctl, struct err *err);

/* --- run_wait.c -------------------------------------------------------------- */

/* A failure that is not the command's: with --wait, its status must not be taken
 * for that of the command. */
int run_own_status(const struct run_options *o, int status);

/* From before it is queued on, the command waits for who shows its output. Begins
 * with .fd -1. */
struct run_following {
	struct ctl *ctl;
	char *directory;
	char id[FLOWRRA_ID_SIZE];
	int fd; /* -1: not yet, or it cannot be: then some may be left out */
};
/* As command_before_fn. */
void run_following_begin(const char *id, void *arg);
void run_following_end(struct run_following *f);

/* Shows what the command prints until it has ended; its exit status, or
 * COMMAND_ITSELF after a complaint. */
int run_wait(struct ctl *ctl, const char *id, struct run_following *f);

/* --- run_each.c -------------------------------------------------------------- */

/* Submits a command for each line of standard input, and prints their IDs; or waits
 * for all. The exit status. */
int run_each(struct ctl *ctl, const struct run_options *o,
	     const struct command *command);

#endif
