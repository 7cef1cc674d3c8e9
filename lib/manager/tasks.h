/* SPDX-License-Identifier: MIT */
/*
 * Tasks by their state. The shapes are those of task_info.h, and of records as they
 * are stored.
 */
#ifndef MANAGER_TASKS_H
#define MANAGER_TASKS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "manager/task_info.h"

struct err;
struct flowrra_client;

enum tasks_state {
	TASKS_PENDING,	 /* waiting or delayed at the broker */
	TASKS_RUNNING,	 /* in flight at the broker, with their records */
	TASKS_COMPLETED, /* the records of those that succeeded */
	TASKS_FAILED	 /* and of those that failed */
};

#define TASKS_DEPTH_STANDARD 10000
struct tasks_query {
	struct task_filter filter;
	size_t limit; /* at most so many, at least 1 */
	/* How many of the newest of a queue, or of all records, are looked at.
	 */
	size_t depth;
	bool stopped; /* the answer: there are more that were not looked at,
			 and fewer than `limit` were found */
};

/* An array, newest first. NULL with *err. */
json_t *tasks_list(struct flowrra_client *c, enum tasks_state state,
		   struct tasks_query *query, struct err *err);

/* The records of `n` tasks in one question: rets[i] is a new value, or NULL where
 * there is none or it cannot be understood. 0, or -1 with *err. */
int tasks_records(struct flowrra_client *c, const char *const *ids, size_t n,
		  json_t **rets, struct err *err);

/*
 * One task, and where it is:
 *	{"task_id": …, "where": "waiting" | "delayed" | "in_flight" | "dead" |
 *	 "finished" | "unknown", "queue": …,
 *	 "record": its record, or null,
 *	 "entry": as it lies at the broker (task_info.h), or null}
 * The entry of a dead one has info, task and bytes as well. "unknown" is what was
 * not found among the newest `depth` of a queue. ERR_NOT_FOUND.
 */
json_t *tasks_show(struct flowrra_client *c, const char *id, size_t depth,
		   struct err *err);

#endif
