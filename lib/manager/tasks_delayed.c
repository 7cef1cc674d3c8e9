/* SPDX-License-Identifier: MIT */
/*
 * Lists of delayed tasks, and of those that wait for their next attempt: both lie
 * in one list of each queue, in the order of the time at which they are due, and
 * are merged by that (page_merge.h).
 */
#include "manager/page_merge.h"
#include "manager/tasks.h"
#include "manager/tasks_private.h"

struct delayed {
	enum tasks_state state;
	const struct task_filter *filter;
};

/* Without a record: whether it is retried is in its bytes. */
static json_t *
delayed_on_item(const struct broker_item *item, const char *queue, void *arg,
		struct err *err)
{
	const struct delayed *d = arg;

	if (!task_filter_time(d->filter, item->time_ms * 1000) ||
	    !tasks_is_of_state(item, d->state) ||
	    !task_filter_item(d->filter, item))
		return NULL;
	return tasks_info_of_item(item, d->state, queue, err);
}

/* An error and a worker are those of the last attempt, which the record has. */
static int
delayed_finish(const struct page_merge *merge, json_t *items, struct err *err)
{
	const struct delayed *d = merge->arg;
	size_t i;

	if (!tasks_is_joined(d->state, d->filter))
		return 0;
	if (tasks_join_records(merge->client, items, d->state, err) != 0)
		return -1;
	/* What the filter then drops makes a page shorter, and no other. */
	for (i = json_array_size(items); i > 0; i--)
		if (!task_filter_info(d->filter, json_array_get(items, i - 1),
				      NULL))
			json_array_remove(items, i - 1);
	return 0;
}

json_t *
tasks_page_of_delayed(struct flowrra_client *c, enum tasks_state state,
		      const struct task_filter *filter,
		      struct page_query *query, struct err *err)
{
	struct delayed d = {state, filter};
	const struct page_merge merge = {.client = c,
					 .place = BROKER_DELAYED,
					 .queue = filter->queue,
					 .hash =
					     task_filter_hash(filter, state),
					 .after_us = filter->after_us,
					 .before_us = filter->before_us,
					 .any = task_filter_is_any(filter),
					 .on_item = delayed_on_item,
					 .arg = &d};

	return page_merge(&merge, query, delayed_finish, err);
}
