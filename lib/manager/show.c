/* SPDX-License-Identifier: MIT */
/*
 * One task, and where it is.
 *
 * No store can say in one step where a task is: so the record is read, then the
 * queues are searched in the order in which tasks move, and the dead list last.
 * A task that moves meanwhile is met at the next place.
 */
#include <string.h>

#include "client/load.h"
#include "codec/task_json.h"
#include "core/task.h"
#include "manager/dead.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "manager/show_private.h"
#include "manager/tasks.h"
#include "util/err.h"

const char *
task_search_where(enum broker_location place)
{
	static const char *const words[] = {[BROKER_WAITING] = "waiting",
					    [BROKER_DELAYED] = "delayed",
					    [BROKER_IN_FLIGHT] = "in_flight",
					    [BROKER_DEAD] = "dead"};

	return words[place];
}

/* A dead one with its bytes, and the attempts that its worker noted. */
static int
search_take(struct task_search *s, const struct broker_item *item,
	    enum broker_location place, const char *queue)
{
	if (place != BROKER_DEAD) {
		s->info = task_info_of(item, place, queue);
		return s->info != NULL ? 0 : -1;
	}
	s->info = task_info_of_dead(item, queue);
	if (s->info == NULL || task_info_add_bytes(s->info, item) != 0)
		return -1;
	s->attempts = json_incref(
	    json_object_get(json_object_get(s->info, "info"), "history"));
	return 0;
}

static bool
search_is_it(struct task_search *s, const struct broker_item *item,
	     enum broker_location place)
{
	struct task *task;
	struct err why;
	bool is_it;

	/* Where the task cannot be read, its key has the ID. */
	if (place == BROKER_DEAD && slice_eq(item->key, slice_of(s->id)))
		return true;
	/* Decoding is dear, and few have it in them. */
	if (memmem(item->bytes.p, item->bytes.len, s->id, strlen(s->id)) ==
		NULL ||
	    (task = load_task(item, &why)) == NULL)
		return false;
	is_it = strcmp(task->id, s->id) == 0;
	if (is_it && place != BROKER_DEAD && task->history.len > 0)
		s->attempts = load_json(task->history, NULL);
	task_free(task);
	return is_it;
}

int
task_search_item(struct task_search *s, const struct broker_item *item,
		 enum broker_location place, const char *queue, struct err *err)
{
	s->looked_at++;
	/* Of several pages under way, one may have had it. */
	if (s->info != NULL || !search_is_it(s, item, place))
		return s->info != NULL;
	if (search_take(s, item, place, queue) != 0)
		return err_nomem(err);
	s->where = task_search_where(place);
	return 1;
}

static int
search_on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct task_search *s = arg;

	return task_search_item(s, item, s->place, s->queue, err);
}

/* As deep as `depth`: a long queue is not read to its end for one task. */
static int
search_place(struct task_search *s, enum broker_location place, struct err *err)
{
	struct query_walk walk = {.queue = s->queue,
				  .place = place,
				  .depth = s->depth,
				  .on_item = search_on_item,
				  .arg = s};

	s->place = place;
	if (query_walk(s->client, &walk, err) != 0)
		return -1;
	s->stopped |= walk.more;
	return 0;
}

/* By its ID or, where the task cannot be read, by its key. */
static int
search_dead(struct task_search *s, const char *queue, struct err *err)
{
	struct dead_query query = {
	    .filter = {.tasks = {.queue = queue}, .ids = &s->id, .n_ids = 1},
	    .limit = 1,
	    .depth = s->depth,
	    .bytes = true};
	json_t *list = dead_list(s->client, &query, err);

	if (list == NULL)
		return -1;
	if (json_array_size(list) > 0) {
		s->info = json_incref(json_array_get(list, 0));
		s->attempts = json_incref(json_object_get(
		    json_object_get(s->info, "info"), "history"));
		s->where = "dead";
	}
	s->stopped |= query.stopped;
	json_decref(list);
	return 0;
}

/* In the order in which tasks move, for it may move meanwhile. */
static const enum broker_location places[] = {BROKER_DELAYED, BROKER_WAITING,
					      BROKER_IN_FLIGHT};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

/* In one queue, or in all. One whose record says that it runs is looked for there
 * first: elsewhere it is only if it moves just now. */
static int
search_queues(struct task_search *s, const char *only, bool runs,
	      struct err *err)
{
	json_t *queues = queues_list(s->client, only, err), *queue;
	int result = queues != NULL ? 0 : -1;
	size_t i, k;

	json_array_foreach (queues, i, queue) {
		s->queue = member_text(queue, "queue");
		if (runs && result == 0 && s->info == NULL)
			result = search_place(s, BROKER_IN_FLIGHT, err);
		for (k = 0; k < N_PLACES && result == 0 && s->info == NULL; k++)
			result = search_place(s, places[k], err);
	}
	s->queue = NULL;
	json_decref(queues);
	return result;
}

/* What runs is looked for to the end: there are no more than slots. */
static int
search_quickly(struct task_search *s, const char *queue, bool failed, bool runs,
	       struct err *err)
{
	if (runs && queue != NULL) {
		s->depth = TASKS_DEPTH_STANDARD;
		s->queue = queue;
		if (search_place(s, BROKER_IN_FLIGHT, err) != 0)
			return -1;
		s->queue = NULL;
	}
	return s->info == NULL ? task_search_quick(s, queue, failed, err) : 0;
}

/* A record that says how the task ended saves the search. Of a failed one the
 * dead list may have it still, with its bytes. A queue that does not exist
 * (ERR_NOT_FOUND) is none that holds it. */
static int
search(struct task_search *s, const json_t *record, struct err *err)
{
	const char *status = member_text(record, "status");
	const char *queue = member_text(record, "queue");
	const bool failed = status != NULL && strcmp(status, "failed") == 0;
	const bool runs = status != NULL && strcmp(status, "running") == 0;

	if (status != NULL && strcmp(status, "success") == 0) {
		s->where = "finished";
		return 0;
	}
	if (s->depth == TASKS_DEPTH_QUICK) {
		if (search_quickly(s, queue, failed, runs, err) != 0)
			return -1;
	} else if (!failed && search_queues(s, queue, runs, err) != 0 &&
		   err->code != ERR_NOT_FOUND) {
		return -1;
	} else if (s->info == NULL && search_dead(s, queue, err) != 0 &&
		   err->code != ERR_NOT_FOUND) {
		return -1;
	}
	if (s->where == NULL)
		s->where = failed ? "finished" : "unknown";
	return 0;
}

/* What a producer has put there may be anything: only objects are attempts. */
static json_t *
attempts_of(const struct task_search *s, const json_t *record)
{
	json_t *attempts = json_array(), *one;
	const json_t *history = s->attempts;
	size_t i;

	/* One that succeeded lies nowhere any more. */
	if (history == NULL)
		history = json_object_get(record, "history");
	json_array_foreach (history, i, one)
		if (json_is_object(one))
			json_array_append(attempts, one);
	return attempts;
}

/* That it is nowhere can be said only if all was looked at. */
static void
search_not_found(const struct task_search *s, struct err *err)
{
	if (s->stopped)
		err_set(err, ERR_NOT_FOUND,
			"no record of task %s, and it is not among the %zu "
			"tasks that were looked at, the newest of each queue",
			s->id, s->looked_at);
	else
		err_set(err, ERR_NOT_FOUND,
			"no record of task %s, and no queue holds it", s->id);
}

json_t *
tasks_show(struct flowrra_client *c, const char *id, size_t depth,
	   struct err *err)
{
	struct task_search s = {.client = c, .id = id, .depth = depth};
	json_t *record = NULL, *answer = NULL;
	const char *queue;

	/* The key of a dead task that cannot be read is not an ID either; it has
	 * no record. */
	if (!task_id_valid(slice_of(id)))
		err_set(err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
	else
		record = query_record(c, id, err);
	if (record != NULL && search(&s, record, err) == 0) {
		if (json_is_null(record) && s.info == NULL) {
			search_not_found(&s, err);
		} else {
			/* Where it lies counts; the record may name the queue
			 * of its submission. */
			queue = member_text(s.info, "queue");
			if (queue == NULL)
				queue = member_text(record, "queue");
			answer =
			    json_pack("{s:s,s:s,s:s?,s:O,s:O?,s:o}", "task_id",
				      id, "where", s.where, "queue", queue,
				      "record", record, "entry", s.info,
				      "attempts", attempts_of(&s, record));
			/* It would be told twice. */
			json_object_del(record, "history");
		}
	}
	json_decref(record);
	json_decref(s.info);
	json_decref(s.attempts);
	return answer;
}
