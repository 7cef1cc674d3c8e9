/* SPDX-License-Identifier: MIT */
/* What the verbs about workflows share. */
#ifndef FLOWRRACTL_WORKFLOW_H
#define FLOWRRACTL_WORKFLOW_H

#include <stdbool.h>

struct ctl;

/*
 * Waits until a workflow has ended, `timeout_s` at most (below 0: without end), and
 * prints its state, with the ID and a tab before it if `with_id`, or the whole of it
 * with --json. Returns the exit status: 0 only if it has succeeded.
 */
int workflow_wait(struct ctl *ctl, const char *id, double timeout_s,
		  bool with_id);

/* The longest time to wait that an option takes, in seconds: ten years. */
#define WORKFLOW_WAIT_MAX_S 316224000

#endif
