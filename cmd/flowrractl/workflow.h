/* SPDX-License-Identifier: MIT */
/* What the verbs about workflows share. */
#ifndef FLOWRRACTL_WORKFLOW_H
#define FLOWRRACTL_WORKFLOW_H

#include <stdbool.h>

struct ctl;
struct err;
struct flows_begin;
struct flows_way;

/*
 * Waits until a workflow has ended, `timeout_s` at most (below 0: without end), and
 * prints its state, with the ID and a tab before it if `with_id`, or the whole of it
 * with --json. Returns the exit status: 0 only if it has succeeded.
 */
int workflow_wait(struct ctl *ctl, const char *id, double timeout_s,
		  bool with_id);

/* Within a command that a task runs, by that task's worker: as those of
 * manager/flows.h; `arg` is the struct own_task. */
extern const struct flows_way workflow_way;
/* "seal" or "cancel": 0, or the exit status after a complaint. */
int workflow_tell_worker(struct ctl *ctl, const char *verb, const char *id);

/* The longest time to wait that an option takes, in seconds: ten years. */
#define WORKFLOW_WAIT_MAX_S 316224000

#endif
