/* SPDX-License-Identifier: MIT */
/* The ways of the verb wait that have files of their own. */
#ifndef FLOWRRACTL_WAIT_H
#define FLOWRRACTL_WAIT_H

#include <stdbool.h>

struct ctl;

/* --stdin: the IDs on standard input, one a line; see awaiting.h for what is
 * printed. Returns the highest exit status. */
int wait_stream(struct ctl *ctl, double timeout_s);

/* --queue: until nothing waits or runs in it; with `delayed`, until nothing is
 * delayed there either. 0, 2 for an unknown queue, 3 when the time is over. */
int wait_queue(struct ctl *ctl, const char *queue, bool delayed,
	       double timeout_s);

#endif
