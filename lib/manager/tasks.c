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
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/tasks_private.h"
#include "util/err.h"

/* In flight are no more tasks than there are slots. All are read, since the
 * newest may be with any worker; this many are sorted. */
#define RUNNING_MAX 10000

/* What a walk has found. */
struct found {
	json_t *list;
	struct tasks_query *query;
	enum tasks_state state;
	enum broker_location place;
	const char *queue;
	size_t n, limit; /* of this walk */
	bool joined;	 /* the filter waits for the records */
};

/* By which a filter means them. */
static const char *const time_of[] = {
    [TASKS_PENDING] = "submitted_at", [TASKS_WAITING] = "submitted_at",
    [TASKS_DELAYED] = "due_at",	      [TASKS_RETRYING] = "due_at",
    [TASKS_RUNNING] = "started_at",
};

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
	const struct task_filter *filter = &f->query->filter;
	json_t *info;

	if (!tasks_is_of_state(item, f->state) ||
	    !task_filter_item(filter, item))
		return 0;
	info = task_info_of(item, f->place, f->queue);
	if (info != NULL && !f->joined &&
	    !task_filter_info(filter, info, time_of[f->state])) {
		json_decref(info);
		return 0;
	}
	return keep(f, info, err);
}

/* The limit counts for each place: the newest of all may lie in one of them. */
static int
walk_place(struct flowrra_client *c, struct found *f, struct err *err)
{
	struct query_walk walk = {
	    .queue = f->queue,
	    .place = f->place,
	    .depth = f->query->depth,
	    .page = task_filter_is_any(&f->query->filter) ? f->limit : 0,
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

/* Drops what the filter does not mean, now that the records are there. */
static void
drop_others(struct found *f)
{
	size_t i;

	for (i = json_array_size(f->list); i > 0; i--)
		if (!task_filter_info(&f->query->filter,
				      json_array_get(f->list, i - 1),
				      time_of[f->state]))
			json_array_remove(f->list, i - 1);
}

/* Waiting and delayed ones together: to a user both are tasks that have not
 * begun. */
static json_t *
list_unfinished(struct flowrra_client *c, enum tasks_state state,
		struct tasks_query *query, struct err *err)
{
	static const enum broker_location places[] = {
	    BROKER_WAITING, BROKER_DELAYED, BROKER_IN_FLIGHT};
	static const struct {
		size_t first, n;
	} of[] = {
	    [TASKS_PENDING] = {0, 2}, [TASKS_WAITING] = {0, 1},
	    [TASKS_DELAYED] = {1, 1}, [TASKS_RETRYING] = {1, 1},
	    [TASKS_RUNNING] = {2, 1},
	};
	struct found f = {.list = json_array(),
			  .query = query,
			  .state = state,
			  .limit = query->limit};
	bool join = state == TASKS_RUNNING || state == TASKS_RETRYING;

	f.joined = tasks_need_record(state, &query->filter);
	join |= f.joined;
	if (f.joined || state == TASKS_RUNNING)
		f.limit = RUNNING_MAX;
	if (walk_queues(c, &f, &places[of[state].first], of[state].n, err) !=
		0 ||
	    (join && tasks_join_records(c, f.list, state, err) != 0)) {
		json_decref(f.list);
		return NULL;
	}
	if (f.joined)
		drop_others(&f);
	return task_info_newest(
	    f.list, state == TASKS_PENDING ? "submitted_at" : time_of[state],
	    query->limit, err);
}

/* --- at the backend ---------------------------------------------------- */

static int
on_record(struct slice record, void *arg, struct err *err)
{
	struct found *f = arg;
	int64_t finished_us;
	json_t *json;

	if (!task_filter_record(&f->query->filter, record, &finished_us))
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
	    task_filter_is_any(&query->filter) && query->filter.queue == NULL;
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
	if (task_filter_check(&query->filter, err) != 0)
		return NULL;
	if (state != TASKS_COMPLETED && state != TASKS_FAILED)
		list = list_unfinished(c, state, query, err);
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
