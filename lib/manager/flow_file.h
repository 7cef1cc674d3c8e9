/* SPDX-License-Identifier: MIT */
/*
 * Files that say what a workflow does: its steps, each a task as flowrractl
 * submit --stdin takes it.
 *
 * One object with the steps in it:
 *	{"label": "nightly", "on_failure": "cancel", "life": "2d",
 *	 "steps": [{"id": "fetch", "name": "http.get", "args": ["…"]},
 *		   {"id": "parse", "name": "parse", "after": ["fetch"],
 *		    "args": [{"$from": "fetch"}]},
 *		   {"id": "tell", "name": "mail", "on": "failure"}]}
 * or only the array of steps, or a step a line. The ID of a step is its name
 * within the workflow (without one, its number); `after`, "$from" and "$all"
 * mean those names. What is made of them are the IDs of tasks: that of the
 * workflow, a dot, and the name.
 */
#ifndef MANAGER_FLOW_FILE_H
#define MANAGER_FLOW_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "flowrra/client.h"
#include "store/broker.h"
#include "util/buf.h"

struct err;

/* Beyond it a batch in an open workflow is the better way. */
#define FLOW_FILE_MAX 10000
/* Bytes of the name of a step, of the characters of task names; and of the ID
 * of a workflow that has such steps: both and the dot fit into a task's ID. */
#define FLOW_STEP_NAME_MAX 99
#define FLOW_FILE_ID_MAX 100

/* Another step that has to end first. */
struct flow_file_need {
	size_t step;
	enum broker_after_how how;
};

struct flow_file_step {
	/* With the IDs of tasks in `id`, `after`, `args` and `kwargs`; `flow` is
	 * the workflow's. */
	struct flowrra_request request;
	const char *name;
	int line;
	struct slice text; /* in the file */
	struct flow_file_need *needs;
	size_t n_needs;
	/* What the request points into. */
	struct buf scratch, id, after, args, kwargs;
};

/* Begin with zeroes. */
struct flow_file {
	const char *label;	/* NULL: not said */
	const char *on_failure; /* the same */
	double life_s;		/* 0: not said */
	struct flow_file_step *steps;
	size_t n, cap;
	size_t *order; /* of all steps: each behind those that it needs */
	struct buf scratch;
};
void flow_file_done(struct flow_file *file);

/* Called for each mistake, with the line that it is in; 0: in none. */
typedef void flow_tell_fn(void *arg, int line, const char *text);

/*
 * Reads and checks a file for a workflow of this ID, whose steps take from
 * `base` what they do not say. `text` must outlast the steps, and so must `id`
 * and `base`'s texts. -1 with *err (ERR_DATA), after each mistake was told.
 */
int flow_file_read(struct flow_file *file, const char *text, const char *id,
		   const struct flowrra_request *base, flow_tell_fn *tell,
		   void *arg, struct err *err);

/* --- for its own files ------------------------------------------------------ */

/* What is needed where a mistake is found. */
struct flow_reading {
	struct flow_file *file;
	const char *text, *id;
	const struct flowrra_request *base;
	flow_tell_fn *tell;
	void *arg;
	bool wrong; /* a mistake was told */
};
/* Tells it with the step before it: `step "a": …`. */
void flow_file_tell(struct flow_reading *r, const struct flow_file_step *step,
		    int line, const char *text);
/* The line of a member of the step; that of the step if it has none such. */
int flow_file_line(const struct flow_reading *r,
		   const struct flow_file_step *step, const char *member);
/* The names become IDs, and the order is found. Mistakes are told. */
void flow_graph_check(struct flow_reading *r);

#endif
