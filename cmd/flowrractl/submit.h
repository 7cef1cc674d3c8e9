/* SPDX-License-Identifier: MIT */
/* The verb submit, and its way for many tasks. */
#ifndef FLOWRRACTL_SUBMIT_H
#define FLOWRRACTL_SUBMIT_H

struct ctl;
struct flowrra_request;

/*
 * Submits the tasks on standard input, one JSON object a line; what a line
 * does not say is taken from `base`. For each line that is not empty, in their
 * order, prints the id, or an empty line for a task that was not queued; with
 * --json an object. Complaints name the line. Returns the highest exit status
 * of all.
 */
int submit_stream(struct ctl *ctl, const struct flowrra_request *base);

#endif
