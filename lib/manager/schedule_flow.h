/* SPDX-License-Identifier: MIT */
/*
 * Workflows that schedules begin: each fire begins one, as a whole.
 *
 * What people write is a file of a workflow (manager/flow_file.h), and is checked as
 * such. What is stored says the same as one JSON object, which is such a file, too:
 * its steps have names, each stands behind those that it comes after, and "after"
 * has all of these, with how they have to end.
 *
 *	{"label": "nightly", "on_failure": "cancel", "life": 86400,
 *	 "steps": [{"name": "fetch", "args": [], "kwargs": {}, "id": "a"},
 *		   {"name": "parse", "args": [{"$from": "a"}], "kwargs": {},
 *		    "id": "b", "after": ["a:success"]}]}
 *
 * Beside what a file may not say, a step of it cannot have "at", since that is the
 * same moment for each fire, an "expires_at" that is not a duration, or a trace.
 */
#ifndef MANAGER_SCHEDULE_FLOW_H
#define MANAGER_SCHEDULE_FLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "manager/flow_file.h"

struct err;
struct flowrra_client;
struct schedule_form;
struct schedule_run;

/* Appends what is stored of a file. Each mistake is told; the error (ERR_DATA) has
 * the first, with its line. `tell` may be NULL. */
int schedule_flow_write(const char *text, flow_tell_fn *tell, void *arg,
			struct buf *out, struct err *err);
/* Whether a form's text says that there is none: NULL, "" or an empty object. */
bool schedule_flow_is_none(const char *text);
/* The first member of a form that only a step of the workflow can say; NULL: the form
 * has none. */
const char *schedule_flow_stray(const struct schedule_form *form);

/* Whether all of its steps could be submitted now: their tasks are registered and
 * not too large. ERR_DATA names the step. `workflow` is as it is stored. */
int schedule_flow_check(struct flowrra_client *c, const char *workflow,
			struct err *err);
/* Begins it now, under that ID; `name` is its label if it has none. */
struct schedule_flow_run {
	const char *workflow, *id, *name;
	const char *traceparent, *tracestate; /* of who asks for it; or NULL */
};
int schedule_flow_run(struct flowrra_client *c,
		      const struct schedule_flow_run *run, struct err *err);

#endif
