/* SPDX-License-Identifier: MIT */
/*
 * The dead list: tasks that failed for good, or could not be understood. They
 * can be looked at, put back into their queues, and deleted.
 */
#ifndef MANAGER_DEAD_H
#define MANAGER_DEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "manager/page.h"
#include "manager/task_filter.h"
#include "manager/task_info.h"

struct err;
struct flowrra_client;

/* Which of them; all that is said must hold. */
struct dead_filter {
	struct task_filter tasks; /* its times: when they died */
	const char *const *ids;	  /* ids, or keys; NULL: of any */
	size_t n_ids;
	bool sorted; /* the ids, by strcmp(): then there may be many */
};

struct dead_query {
	struct dead_filter filter;
	size_t limit;
	size_t depth; /* how many of a queue are looked at */
	bool stopped; /* as in tasks.h */
	bool bytes;   /* with info, task and bytes (task_info.h) */
};
/* An array of entries as task_info_of_dead() makes them, the newest first. */
json_t *dead_list(struct flowrra_client *c, struct dead_query *query,
		  struct err *err);
/* One step of the list, the newest of all queues first: page.h. An item is as
 * above, with args and kwargs (null if they cannot be read). */
json_t *dead_page(struct flowrra_client *c, const struct dead_filter *filter,
		  struct page_query *query, struct err *err);

/*
 * What they died of: {"items", "complete", "looked_at"}, where an item is
 *	{"task", "reason", "error", "count", "first_at", "last_at", "queue"}
 * of all with the same task, reason and first line of the error; those with the
 * most first. "queue" is null if they are of several. Looks at as many of the
 * newest as a step may, and tells at most DEAD_GROUPS_MAX.
 */
#define DEAD_GROUPS_MAX 500
json_t *dead_groups(struct flowrra_client *c, const struct dead_filter *filter,
		    struct err *err);

/*
 * Puts dead tasks back into their queues, to be run again with all their
 * attempts, or deletes them. Answers
 *	{"dry_run", "matched": n, "done": n, "refused": n, "missing": [id, …],
 *	 "tasks": [{"key", "task_id", "task_name", "queue", "outcome",
 *		    "message"}, …]}
 * where outcome is "retried", "deleted", "matched" (a dry run), "gone"
 *(somebody else was faster), or "refused" with the message why: it stays as it
 *is then. What cannot be read can be deleted, but not be put back. Of those
 *that were refused, and of the others, the first DEAD_TASKS_MAX are listed.
 *`missing` are ids that were not found.
 */
#define DEAD_TASKS_MAX 1000
struct dead_change {
	struct dead_filter filter;
	bool retry; /* else delete */
	bool dry_run;
	/* May be NULL; not 0: it ends here, and the answer says how far it
	 * came. */
	int (*on_progress)(int64_t done, void *arg);
	void *arg;
};
json_t *dead_change(struct flowrra_client *c, const struct dead_change *change,
		    struct err *err);

/* Whether an item of the dead list is one of these. */
bool dead_matches(const struct broker_item *item,
		  const struct dead_filter *filter);

#endif
