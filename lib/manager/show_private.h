/* SPDX-License-Identifier: MIT */
/* The search for a task at the broker. For lib/manager only. */
#ifndef MANAGER_SHOW_PRIVATE_H
#define MANAGER_SHOW_PRIVATE_H

#include "manager/tasks.h"

/* `info` is what is looked for; it ends the search. */
struct task_search {
	struct flowrra_client *client;
	const char *id;
	size_t depth;
	/* The answer. */
	const char *where;
	json_t *info;	  /* as it lies at the broker */
	json_t *attempts; /* that it has behind it there; NULL: none */
	size_t looked_at;
	bool stopped; /* there are more that were not looked at */
	/* Of the walk. */
	const char *queue;
	enum broker_location place;
};

/* Notes an item, on the loop, if it is the task: 1, else 0; -1 with *err. */
int task_search_item(struct task_search *s, const struct broker_item *item,
		     enum broker_location place, const char *queue,
		     struct err *err);
/* Where it says that a task is which lies at that place. */
const char *task_search_where(enum broker_location place);
/* Looks at the newest of all queues, or of one, for about PAGE_QUICK_US; `dead`: on the
 * dead list only. */
int task_search_quick(struct task_search *s, const char *queue, bool dead,
		      struct err *err);

#endif
