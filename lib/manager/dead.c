/* SPDX-License-Identifier: MIT */
/*
 * The dead list: which tasks of it are meant, and what is shown of them.
 *
 * A task comes here from a worker, which gives its bytes back untouched with a
 * note (`info`) of why. Neither need be readable: what cannot be decoded is
 * shown by its key, and can be deleted by it.
 */
#include "manager/dead.h"

#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "codec/task_json.h"
#include "core/task.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "util/err.h"

#define US_PER_MS 1000

/* --- which ------------------------------------------------------------- */

/* By a linear search: operators name a few, and a decoded task costs more than
 * all comparisons. */
static bool
is_listed(struct slice name, const struct dead_filter *filter)
{
	size_t i;

	for (i = 0; i < filter->n_ids; i++)
		if (slice_eq(name, slice_of(filter->ids[i])))
			return true;
	return false;
}

/* Reason and error stand in the note, which is parsed only for filters that
 * need it. */
static bool
info_matches(const struct broker_item *item, const struct dead_filter *filter)
{
	const char *reason, *error;
	bool matches;
	json_t *info;

	if (filter->reason == NULL && filter->error == NULL)
		return true;
	info = load_json(item->info, NULL);
	reason = member_text(info, "reason");
	error = member_text(info, "error");
	matches = (filter->reason == NULL ||
		   (reason != NULL && strcmp(reason, filter->reason) == 0)) &&
		  (filter->error == NULL ||
		   (error != NULL && strstr(error, filter->error) != NULL));
	json_decref(info);
	return matches;
}

/* By the task itself. A task that cannot be read has no name and no ID, so it
 * matches neither. */
static bool
task_matches(const struct broker_item *item, const struct dead_filter *filter)
{
	const bool by_key = filter->ids == NULL || is_listed(item->key, filter);
	struct task *task;
	struct err why;
	bool matches;

	if (by_key && filter->tasks.task == NULL)
		return true;
	if ((task = load_task(item, &why)) == NULL)
		return false;
	matches = (by_key || is_listed(slice_of(task->id), filter)) &&
		  (filter->tasks.task == NULL ||
		   strcmp(task->name, filter->tasks.task) == 0);
	task_free(task);
	return matches;
}

/* The cheap tests come first: a page has up to BROKER_PAGE_MAX items, of any
 * size. */
bool
dead_matches(const struct broker_item *item, const struct dead_filter *filter)
{
	return (filter->before_us == 0 ||
		item->time_ms * US_PER_MS < filter->before_us) &&
	       info_matches(item, filter) && task_matches(item, filter);
}

/* --- the list ---------------------------------------------------------- */

/* A walk through the lists of all queues. `limit` holds for each queue, since
 * the newest of all may lie in one of them; dead_list() sorts and cuts. */
struct found {
	json_t *list;
	struct dead_query *query;
	const char *queue;
	size_t n; /* of this queue */
};

static int
on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct found *f = arg;
	json_t *info;

	if (!dead_matches(item, &f->query->filter))
		return 0;
	if ((info = task_info_of_dead(item, f->queue)) == NULL ||
	    (f->query->bytes && task_info_add_bytes(info, item) != 0)) {
		json_decref(info);
		return err_nomem(err);
	}
	if (json_array_append_new(f->list, info) != 0)
		return err_nomem(err);
	return ++f->n == f->query->limit ? 1 : 0;
}

/* Without a filter each item counts, and a page need not be longer than the
 * limit. */
static bool
any_filter(const struct dead_filter *f)
{
	return f->tasks.task != NULL || f->error != NULL || f->reason != NULL ||
	       f->before_us != 0 || f->ids != NULL;
}

/* One queue's list, the newest first, as deep as the query says. */
static int
walk_dead(struct flowrra_client *c, struct found *f, struct err *err)
{
	struct query_walk walk = {
	    .queue = f->queue,
	    .place = BROKER_DEAD,
	    .depth = f->query->depth,
	    .page = any_filter(&f->query->filter) ? 0 : f->query->limit,
	    .on_item = on_item,
	    .arg = f};

	f->n = 0;
	if (query_walk(c, &walk, err) != 0)
		return -1;
	f->query->stopped |= walk.more;
	return 0;
}

json_t *
dead_list(struct flowrra_client *c, struct dead_query *query, struct err *err)
{
	json_t *queues = queues_list(c, query->filter.tasks.queue, err), *queue;
	struct found f = {.list = json_array(), .query = query};
	int result = queues != NULL ? 0 : -1;
	size_t i;

	query->stopped = false;
	json_array_foreach (queues, i, queue) {
		f.queue = member_text(queue, "queue");
		/* An empty list costs a query to the broker, and most are
		 * empty. */
		if (result == 0 &&
		    json_integer_value(json_object_get(queue, "dead")) > 0)
			result = walk_dead(c, &f, err);
	}
	/* It pointed into the list of queues. */
	f.queue = NULL;
	json_decref(queues);
	if (result != 0) {
		json_decref(f.list);
		return NULL;
	}
	f.list = task_info_newest(f.list, "died_at", query->limit, err);
	/* There is as much as was asked for: that not all was looked at does
	 * not matter. */
	if (json_array_size(f.list) >= query->limit)
		query->stopped = false;
	return f.list;
}
