/* SPDX-License-Identifier: MIT */
/*
 * Workflows for those who operate them (store/flow.h): each function returns when
 * it has its answer. Of a store that has no workflows: ERR_CONFIG.
 */
#ifndef MANAGER_FLOWS_H
#define MANAGER_FLOWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "store/flow.h"

struct err;
struct flowrra_client;

/* What a workflow is begun with; what is NULL or 0 is as it is by default. */
struct flows_begin {
	const char *id;		/* a new UUID */
	const char *label;	/* none */
	const char *on_failure; /* "continue" */
	double life_s;		/* as long as a result is kept */
	bool whole;
};
/* 0 with its ID; ERR_DATA for a value, ERR_REFUSED for an ID that is in use. */
int flows_begin(struct flowrra_client *c, const struct flows_begin *begin,
		char id[TASK_FLOW_MAX + 1], struct err *err);

/* {"workflow": ID, "state": "running"}; NULL with *err. */
json_t *flows_seal(struct flowrra_client *c, const char *id, struct err *err);
json_t *flows_cancel(struct flowrra_client *c, const char *id, struct err *err);

/*
 * A workflow, as a new object:
 *	{"workflow": ID, "label": null, "state": "running", "on_failure":
 *	 "continue", "begun_at": time, "moved_at": time, "ended_at": null,
 *	 "life": 86400, "steps": 12, "waiting": 3, "released": 2,
 *	 "succeeded": 7, "failed": 0, "skipped": 0}
 */
json_t *flows_get(struct flowrra_client *c, const char *id, struct err *err);
/* Those that were begun last, at most `max`, as an array of such objects;
 * *ret_more (may be NULL): there are others. */
json_t *flows_list(struct flowrra_client *c, size_t max, bool *ret_more,
		   struct err *err);

/*
 * The steps and callbacks of one, at most `max`, in the order of their IDs, as an
 * array of
 *	{"task_id": ID, "role": "step", "place": "ended", "outcome": "failed",
 *	 "after": ["ID", "ID:complete"]}
 * where role is "step", or "success", "failure" or "complete" of a callback; place
 * is "waiting", "released" or "ended"; and outcome is null before the end.
 */
json_t *flows_steps(struct flowrra_client *c, const char *id, size_t max,
		    bool *ret_more, struct err *err);

/*
 * The same with the state of their tasks, each behind those that it comes after, and
 * callbacks last. Each has in addition: "step": its name, without "ID." before it;
 * "task_name"; "state": "waiting", "pending", "running", "retrying", "success",
 * "failed" or "skipped"; and "after_steps": what it waits for, by their names.
 */
json_t *flows_graph(struct flowrra_client *c, const char *id, size_t max,
		    bool *ret_more, struct err *err);

/*
 * What flows_graph() answers as the rows of a tree, `max` at most: each step below the
 * first of those that it comes after, with "depth". Below the others there is a row with
 * "step", "depth" and "again": true. One that alone comes after the row above it, and
 * after nothing else, is no deeper, but has "chained": true. *ret_cut is whether `max` left out rows, and
 * *ret_left_out how many of the steps have none.
 * A new array, whose rows are the steps themselves; NULL: no memory.
 */
json_t *flows_tree(const json_t *steps, size_t max, bool *ret_cut,
		   size_t *ret_left_out);

/* Gives those rows of a tree whose tasks have begun "started_at", and "took": the seconds
 * for which one ran, or has run so far. */
int flows_tree_times(struct flowrra_client *c, json_t *rows, struct err *err);

/*
 * Waits until it has ended, `timeout_s` at most (below 0: without end; 0: looks
 * once), and returns it as flows_get() does; ERR_TIMEOUT.
 */
json_t *flows_wait(struct flowrra_client *c, const char *id, double timeout_s,
		   struct err *err);

/*
 * Takes back the end of a step that failed, and of those that were skipped because
 * of it; the records of these say pending again, that of the step itself is the
 * caller's (manager/dead.h). ERR_REFUSED: it has not failed. A workflow that is gone
 * is no error.
 */
int flows_reopen_step(struct flowrra_client *c, struct slice flow,
		      const char *step, struct err *err);

/* Puts all steps that have failed back into their queues, from the dead list:
 *	{"workflow": ID, "retried": 2, "refused": 0, "gone": 1}
 * where those are gone that are not on the list. NULL with *err. */
json_t *flows_retry(struct flowrra_client *c, const char *id, struct err *err);

/* Looks at all steps that have been released, and tells the workflow of those whose
 * tasks have ended, or are gone: {"workflow": ID, "ended": 3}. */
json_t *flows_repair(struct flowrra_client *c, const char *id, struct err *err);

#endif
