/* SPDX-License-Identifier: MIT */
/* What the lists of tasks share. For lib/manager only. */
#ifndef MANAGER_TASKS_PRIVATE_H
#define MANAGER_TASKS_PRIVATE_H

#include "manager/tasks.h"

/* Whether a delayed one is of TASKS_DELAYED, or of TASKS_RETRYING; true for all
 * other states. */
bool tasks_is_of_state(const struct broker_item *item, enum tasks_state state);
/* Whether the records have to be read before it can be said who is meant. */
bool tasks_need_record(enum tasks_state state, const struct task_filter *f);
/* Whether the records of what is shown are read in any case: states that mostly
 * live in them, or a filter of what they say. */
bool tasks_is_joined(enum tasks_state state, const struct task_filter *f);
/* The info of one at the broker, with what only its bytes say; members that a
 * state does not have are null. NULL with *err. */
json_t *tasks_info_of_item(const struct broker_item *item,
			   enum tasks_state state, const char *queue,
			   struct err *err);
/* A page of TASKS_DELAYED or TASKS_RETRYING, as tasks_page() gives. */
json_t *tasks_page_of_delayed(struct flowrra_client *c, enum tasks_state state,
			      const struct task_filter *filter,
			      struct page_query *query, struct err *err);
/* Adds to infos what their records say. Infos without an ID have none. */
int tasks_join_records(struct flowrra_client *c, json_t *infos,
		       enum tasks_state state, struct err *err);

#endif
