/* SPDX-License-Identifier: MIT */
/*
 * Tasks by their state. The shapes are those of task_info.h, and of records as
 * they are stored.
 */
#ifndef MANAGER_TASKS_H
#define MANAGER_TASKS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "manager/page.h"
#include "manager/task_filter.h"
#include "manager/task_info.h"

struct err;
struct flowrra_client;

enum tasks_state {
	TASKS_PENDING,	 /* waiting, delayed or to be retried */
	TASKS_WAITING,	 /* in their queues */
	TASKS_DELAYED,	 /* not due yet, and never tried */
	TASKS_RETRYING,	 /* not due yet, and tried before */
	TASKS_RUNNING,	 /* in flight at the broker, with their records */
	TASKS_COMPLETED, /* the records of those that succeeded */
	TASKS_FAILED	 /* and of those that failed */
};

#define TASKS_DEPTH_STANDARD 10000
struct tasks_query {
	struct task_filter filter;
	size_t limit; /* of tasks, at least 1 */
	/* How many of the newest of a queue, or of all records, are looked at.
	 */
	size_t depth;
	bool stopped; /* the answer: there are more that were not looked at,
			 and fewer than `limit` were found */
};

/* An array, newest first. NULL with *err. */
json_t *tasks_list(struct flowrra_client *c, enum tasks_state state,
		   struct tasks_query *query, struct err *err);

/* The records of `n` tasks in one question: rets[i] is a new value, or NULL
 * where there is none or it cannot be understood. 0, or -1 with *err. */
int tasks_records(struct flowrra_client *c, const char *const *ids, size_t n,
		  json_t **rets, struct err *err);

/*
 * One step of a list (page.h), of any state but TASKS_PENDING. An item has the
 * members of a task's info and of a record, null where they do not apply, among
 * them max_retries, due_at and worker, and "state": "pending" (it waits),
 * "delayed", "running", "retrying", "success" or "failed".
 *
 * The order is that of the stores: what waits or runs comes queue by queue,
 * what is delayed or to be retried by when it is due, the last first, what has
 * ended by when its record was stored, the last first. With a filter by error,
 * worker or reason, of what is to be retried, a step may tell fewer than it
 * could.
 */
json_t *tasks_page(struct flowrra_client *c, enum tasks_state state,
		   const struct task_filter *filter, struct page_query *query,
		   struct err *err);

/*
 * One task, and where it is:
 *	{"task_id": …, "where": "waiting" | "delayed" | "in_flight" | "dead" |
 *	 "finished" | "unknown", "queue": …,
 *	 "record": its record, or null,
 *	 "entry": as it lies at the broker (task_info.h), or null}
 * and "attempts": those that it has behind it there (codec/history.h), or had before
 * the one that succeeded. The entry of
 * a dead one has info, task and bytes as well. "unknown" is what was not found among
 * the newest `depth` of a queue; with TASKS_DEPTH_QUICK, among as many of the newest
 * as can be looked at in PAGE_QUICK_US, some of each queue. ERR_NOT_FOUND, which
 * says how much was looked at if that was not all.
 */
#define TASKS_DEPTH_QUICK 0
json_t *tasks_show(struct flowrra_client *c, const char *id, size_t depth,
		   struct err *err);

/*
 * A task with all that began with the same one: an array of records, without what has
 * not ended having all of a record's members, each with "depth". A task comes behind
 * the one that submitted it, and children of the same one come in the order in which
 * they were submitted. ERR_NOT_FOUND: the task has no record.
 */
struct tasks_tree {
	size_t depth; /* how many of the newest of each list are looked at */
	bool stopped; /* the answer: there are more */
};
json_t *tasks_tree(struct flowrra_client *c, const char *id,
		   struct tasks_tree *tree, struct err *err);

/*
 * Makes a delayed task, or one that is to be retried, due now: {"task_id",
 * "outcome": "due"}. ERR_NOT_FOUND: there is no record of it; ERR_REFUSED: it
 * is not delayed (any more).
 */
json_t *tasks_run(struct flowrra_client *c, const char *id, struct err *err);

/*
 * Puts a dead task back into its queue (dead_change()), and deletes one that
 * has ended: from the dead list, and its record. {"task_id", "outcome":
 * "retried" or "deleted"}. ERR_NOT_FOUND: it is not on the dead list, or has no
 * record either; ERR_REFUSED: it cannot be put back, or has not ended.
 */
json_t *tasks_retry(struct flowrra_client *c, const char *id, struct err *err);
json_t *tasks_delete(struct flowrra_client *c, const char *id, struct err *err);

#endif
