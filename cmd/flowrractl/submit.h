/* SPDX-License-Identifier: MIT */
/* The verb submit, and its way for many tasks. */
#ifndef FLOWRRACTL_SUBMIT_H
#define FLOWRRACTL_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowrra/client.h"

struct ctl;
struct err;

/*
 * Submits the tasks on standard input, one JSON object a line; what a line
 * does not say is taken from `base`. For each line that is not empty, in their
 * order, prints the id, or an empty line for a task that was not queued; with
 * --json an object. Complaints name the line. Returns the highest exit status
 * of all.
 */
int submit_stream(struct ctl *ctl, const struct flowrra_request *base);
/* The same, but waits for the tasks, `timeout_s` at most (below 0: without end),
 * and prints their results as awaiting.h says. */
int submit_stream_and_wait(struct ctl *ctl, const struct flowrra_request *base,
			   double timeout_s);

/* Bytes of a line, where the limit of the server is not known: above what any takes for a
 * task ([worker] max_task_size). */
#define SUBMIT_LINE_MAX ((size_t)48 << 20)

/* The line of a task that was queued, and that of one that was not: the nth
 * line belongs to the nth task. Without --json the ID, or an empty line and a
 * complaint that names the line; with --json {"id"}, or {"line", "code",
 * "error"}. */
void submit_print_id(struct ctl *ctl, const char *id);
/* How far lines have had the same problem, zeroed at first: after the third, the
 * rest of those that follow one another is one complaint. */
struct submit_problems {
	char last[512];
	size_t number; /* of the last line with it */
	size_t same, more;
};
void submit_print_problem(struct ctl *ctl, struct submit_problems *problems,
			  size_t number, int status, const char *problem);
/* At the end: complains of those that were not told yet. */
void submit_end_problems(struct ctl *ctl, struct submit_problems *problems);

/* $TRACEPARENT, unless it is not valid or not there: NULL. */
const char *submit_trace(void);
/* Continues the trace of $TRACEPARENT and $TRACESTATE, unless the request names one
 * itself; what is not valid there counts as absent. */
void submit_take_trace(struct flowrra_request *request);
/* Whether a time to run at makes sense: long past, it is a mistake, unless that was
 * thought of. -1 with *err. */
int submit_check_at(int64_t at_us, bool now_if_past, struct err *err);

/* Within a command that a task runs, by its worker (ctl->own): one task; 0 with its id,
 * or the exit status after a complaint. */
int submit_by_task(struct ctl *ctl, const struct flowrra_request *request,
		   char id[FLOWRRA_ID_SIZE]);
/* The same through the gateway. */
int submit_by_gateway(struct ctl *ctl, const struct flowrra_request *request,
		      char id[FLOWRRA_ID_SIZE]);
/* As submit_stream(); with `wait`, each task is waited for when all are queued. */
int submit_stream_by_gateway(struct ctl *ctl,
			     const struct flowrra_request *base,
			     double timeout_s, bool wait);
int submit_stream_by_task(struct ctl *ctl, const struct flowrra_request *base,
			  double timeout_s, bool wait);

#endif
