/* SPDX-License-Identifier: MIT */
/*
 * Lists of tasks by their state.
 *
 * What has not ended is read from the broker, which alone knows; what has ended
 * from the backend's lists. Both are looked at from the newest on, up to a
 * depth, since either may hold millions.
 */
#include "manager/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "codec/result_json.h"
#include "codec/task_json.h"
#include "core/result.h"
#include "core/task.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "util/err.h"

/* In flight are no more tasks than there are slots. All are read, since the
 * newest may be with any worker; this many are sorted. */
#define RUNNING_MAX 10000

/* What a walk has found. */
struct found {
	json_t *list;
	struct tasks_query *query;
	enum broker_location place;
	const char *queue;
	size_t n, limit; /* of this walk */
};

/* NULL is any name. */
static bool
is_name(struct slice name, const char *wanted)
{
	return wanted == NULL || slice_eq(name, slice_of(wanted));
}

/* Cheaper than to make an info of each. */
static bool
item_matches(const struct broker_item *item, const struct task_filter *filter)
{
	struct task *task;
	struct err why;
	bool matches;

	if (filter->task == NULL)
		return true;
	if ((task = load_task(item, &why)) == NULL)
		return false;
	matches = is_name(slice_of(task->name), filter->task);
	task_free(task);
	return matches;
}

/* Takes the info. 1: the list is full, which ends the walk. */
static int
keep(struct found *f, json_t *info, struct err *err)
{
	if (info == NULL || json_array_append_new(f->list, info) != 0)
		return err_nomem(err);
	return ++f->n == f->limit ? 1 : 0;
}

/* The queue needs no test: only those queues are walked through. */
static int
on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct found *f = arg;

	if (!item_matches(item, &f->query->filter))
		return 0;
	return keep(f, task_info_of(item, f->place, f->queue), err);
}

/* The limit counts for each place: the newest of all may lie in one of them. */
static int
walk_place(struct flowrra_client *c, struct found *f, struct err *err)
{
	struct query_walk walk = {
	    .queue = f->queue,
	    .place = f->place,
	    .depth = f->query->depth,
	    .page = f->query->filter.task == NULL ? f->limit : 0,
	    .on_item = on_item,
	    .arg = f};

	f->n = 0;
	if (query_walk(c, &walk, err) != 0)
		return -1;
	f->query->stopped |= walk.more;
	return 0;
}

/* One queue, or all. The names are those of the beginning: a queue that is new
 * since then has no old tasks. */
static int
walk_queues(struct flowrra_client *c, struct found *f,
	    const enum broker_location *places, size_t n_places,
	    struct err *err)
{
	json_t *queues = queues_list(c, f->query->filter.queue, err), *queue;
	int result = queues != NULL ? 0 : -1;
	size_t i, k;

	json_array_foreach (queues, i, queue) {
		f->queue = member_text(queue, "queue");
		for (k = 0; k < n_places && result == 0; k++) {
			f->place = places[k];
			result = walk_place(c, f, err);
		}
	}
	f->queue = NULL;
	json_decref(queues);
	return result;
}

/* --- at the broker ----------------------------------------------------- */

/* Waiting and delayed ones together: to a user both are tasks that have not
 * begun. */
static json_t *
list_pending(struct flowrra_client *c, struct tasks_query *query,
	     struct err *err)
{
	static const enum broker_location places[] = {BROKER_WAITING,
						      BROKER_DELAYED};
	struct found f = {
	    .list = json_array(), .query = query, .limit = query->limit};

	if (walk_queues(c, &f, places, 2, err) != 0) {
		json_decref(f.list);
		return NULL;
	}
	return task_info_newest(f.list, "submitted_at", query->limit, err);
}

/* What the record says goes before what the task says; but who has it now, only
 * the broker knows. */
static void
join(json_t *info, json_t *record)
{
	static const char *const brokers[] = {"queue", "worker"};
	size_t i;

	for (i = 0; i < 2; i++)
		json_object_del(record, brokers[i]);
	json_object_update(info, record);
}

/* The broker knows who has a task, the record when it began and how far it is.
 * Infos without an ID have no record. */
static int
join_records(struct flowrra_client *c, json_t *list, struct err *err)
{
	const size_t n = json_array_size(list);
	const char **ids = calloc(n + 1, sizeof(*ids));
	json_t **records = calloc(n + 1, sizeof(void *)), *info;
	size_t i, k = 0;
	int result = -1;

	if (ids == NULL || records == NULL) {
		err_nomem(err);
	} else {
		json_array_foreach (list, i, info)
			if ((ids[k] = member_text(info, "task_id")) != NULL)
				k++;
		result = query_records(c, ids, k, records, err);
		k = 0;
		json_array_foreach (list, i, info) {
			if (member_text(info, "task_id") == NULL)
				continue;
			if (result == 0 && records[k] != NULL)
				join(info, records[k]);
			json_decref(records[k++]);
		}
	}
	free(records);
	free(ids);
	return result;
}

static json_t *
list_running(struct flowrra_client *c, struct tasks_query *query,
	     struct err *err)
{
	static const enum broker_location places[] = {BROKER_IN_FLIGHT};
	struct found f = {
	    .list = json_array(), .query = query, .limit = RUNNING_MAX};

	if (walk_queues(c, &f, places, 1, err) != 0 ||
	    join_records(c, f.list, err) != 0) {
		json_decref(f.list);
		return NULL;
	}
	return task_info_newest(f.list, "started_at", query->limit, err);
}

/* --- at the backend ---------------------------------------------------- */

/* Decoded without making JSON: a filter drops most of them. */
static bool
record_matches(struct slice record, const struct task_filter *filter)
{
	struct buf scratch = BUF_INIT, repaired = BUF_INIT;
	struct result result;
	bool matches;

	if (filter->task == NULL && filter->queue == NULL)
		return true;
	matches = result_decode_repaired(record, &repaired, &scratch, &record,
					 &result, NULL) == 0 &&
		  is_name(result.task_name, filter->task) &&
		  is_name(result.queue, filter->queue);
	buf_done(&scratch);
	buf_done(&repaired);
	return matches;
}

static int
on_record(struct slice record, void *arg, struct err *err)
{
	struct found *f = arg;
	json_t *json;

	if (!record_matches(record, &f->query->filter))
		return 0;
	/* One that cannot be read does not hide the others. */
	if ((json = load_json(record, NULL)) == NULL)
		return 0;
	return keep(f, json, err);
}

/* The backend has its lists in order, so nothing is sorted. */
static json_t *
list_final(struct flowrra_client *c, bool failed, struct tasks_query *query,
	   struct err *err)
{
	const bool any =
	    query->filter.task == NULL && query->filter.queue == NULL;
	struct found f = {
	    .list = json_array(), .query = query, .limit = query->limit};
	struct query_list list = {.failed = failed,
				  .depth = query->depth,
				  .page = any ? query->limit : 0,
				  .on_record = on_record,
				  .arg = &f};

	if (query_list(c, &list, err) != 0) {
		json_decref(f.list);
		return NULL;
	}
	query->stopped = list.more;
	return f.list;
}

json_t *
tasks_list(struct flowrra_client *c, enum tasks_state state,
	   struct tasks_query *query, struct err *err)
{
	json_t *list;

	query->stopped = false;
	if (state == TASKS_PENDING)
		list = list_pending(c, query, err);
	else if (state == TASKS_RUNNING)
		list = list_running(c, query, err);
	else
		list = list_final(c, state == TASKS_FAILED, query, err);
	if (json_array_size(list) >= query->limit)
		query->stopped = false;
	return list;
}

int
tasks_records(struct flowrra_client *c, const char *const *ids, size_t n,
	      json_t **rets, struct err *err)
{
	return query_records(c, ids, n, rets, err);
}
