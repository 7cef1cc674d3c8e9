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
#include "manager/page_merge.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "util/err.h"

#define US_PER_MS 1000

/* --- which ------------------------------------------------------------- */

static int
compare_name(const void *a, const void *b)
{
	const struct slice *name = a;
	const char *id = *(const char *const *)b;
	const size_t len = strlen(id);
	const int order =
	    memcmp(name->p, id, name->len < len ? name->len : len);

	return order != 0 ? order : (name->len > len) - (name->len < len);
}

/* A person names a few; a program that names thousands has them sorted. */
static bool
is_listed(struct slice name, const struct dead_filter *filter)
{
	size_t i;

	if (filter->sorted)
		return bsearch(&name, filter->ids, filter->n_ids,
			       sizeof(*filter->ids), compare_name) != NULL;
	for (i = 0; i < filter->n_ids; i++)
		if (slice_eq(name, slice_of(filter->ids[i])))
			return true;
	return false;
}

/* Worker, reason and error stand in the note, which is parsed only for filters
 * that need it. */
static bool
info_matches(const struct broker_item *item, const struct task_filter *filter)
{
	bool matches;
	json_t *info;

	if (filter->reason == NULL && filter->error == NULL &&
	    filter->worker == NULL && filter->exit_code == NULL)
		return true;
	info = load_json(item->info, NULL);
	matches = task_filter_info(filter, info, NULL);
	json_decref(info);
	return matches;
}

/* By its key or, where that is made up, by the id of the task itself. */
static bool
id_matches(const struct broker_item *item, const struct dead_filter *filter)
{
	struct task *task;
	struct err why;
	bool matches;

	if (filter->ids == NULL || is_listed(item->key, filter))
		return true;
	if ((task = load_task(item, &why)) == NULL)
		return false;
	matches = is_listed(slice_of(task->id), filter);
	task_free(task);
	return matches;
}

/* The cheap tests come first: a page has up to BROKER_PAGE_MAX items, of any
 * size. */
bool
dead_matches(const struct broker_item *item, const struct dead_filter *filter)
{
	return task_filter_time(&filter->tasks, item->time_ms * US_PER_MS) &&
	       info_matches(item, &filter->tasks) && id_matches(item, filter) &&
	       task_filter_item(&filter->tasks, item);
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
	const int64_t after_us = f->query->filter.tasks.after_us;
	json_t *info;

	/* The newest come first: so are all behind it. */
	if (after_us != 0 && item->time_ms * US_PER_MS <= after_us)
		return 1;
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
	return !task_filter_is_any(&f->tasks) || f->ids != NULL;
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

/* --- in steps ---------------------------------------------------------- */

/* Of TASKS_…, whose numbers are small: a cursor of one list is none of
 * another. */
#define DEAD_SEED 1000

static uint64_t
dead_hash(const struct dead_filter *filter)
{
	uint64_t hash = task_filter_hash(&filter->tasks, DEAD_SEED);
	size_t i;

	for (i = 0; i < filter->n_ids; i++)
		hash = task_filter_hash(
		    &(struct task_filter){.task = filter->ids[i]}, hash);
	return hash;
}

/* A member of the task, null where it cannot be read. */
static int
add_part(json_t *info, const char *name, struct slice part)
{
	json_t *json = part.p != NULL ? load_json(part, NULL) : NULL;

	return json_object_set_new(info, name,
				   json != NULL ? json : json_null());
}

static json_t *
dead_on_page_item(const struct broker_item *item, const char *queue, void *arg,
		  struct err *err)
{
	const struct dead_filter *filter = arg;
	const struct slice none = {NULL, 0};
	struct task *task;
	struct err why;
	json_t *info;
	int status;

	if (!dead_matches(item, filter))
		return NULL;
	task = load_task(item, &why);
	info = task_info_of_dead(item, queue);
	status = add_part(info, "args", task != NULL ? task->args : none);
	status |= add_part(info, "kwargs", task != NULL ? task->kwargs : none);
	task_free(task);
	if (info == NULL || status != 0) {
		json_decref(info);
		info = NULL;
		err_nomem(err);
	}
	return info;
}

json_t *
dead_page(struct flowrra_client *c, const struct dead_filter *filter,
	  struct page_query *query, struct err *err)
{
	struct dead_filter own = *filter;
	const struct page_merge merge = {.client = c,
					 .place = BROKER_DEAD,
					 .queue = filter->tasks.queue,
					 .hash = dead_hash(filter),
					 .after_us = filter->tasks.after_us,
					 .before_us = filter->tasks.before_us,
					 .any = !any_filter(filter),
					 .on_item = dead_on_page_item,
					 .arg = &own};

	return task_filter_check(&filter->tasks, err) == 0
		   ? page_merge(&merge, query, NULL, err)
		   : NULL;
}
