/* SPDX-License-Identifier: MIT */
/* Deleting the records of tasks that have ended, before their time. */
#ifndef MANAGER_RECORDS_DELETE_H
#define MANAGER_RECORDS_DELETE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct err;
struct flowrra_client;
struct task_filter;

struct records_delete {
	bool succeeded, failed;		  /* of which, or of both */
	const struct task_filter *filter; /* its times: when they ended */
	bool dry_run;
	/* May be NULL; not 0: it ends here. */
	int (*on_progress)(int64_t deleted, void *arg);
	void *arg;
};
/*
 * Deletes those that can be listed (results_list()): the last RESULTS_LIST_MAX of
 * each kind, at least. Answers {"dry_run", "matched": n, "done": n, "tasks":
 * [{"task_id", "task_name", "queue"}]}; of a dry run, the first DEAD_TASKS_MAX
 * (dead.h) are listed. NULL with *err.
 */
json_t *records_delete(struct flowrra_client *c,
		       const struct records_delete *what, struct err *err);

#endif
