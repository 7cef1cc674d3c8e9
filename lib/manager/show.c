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
#include "manager/tasks.h"
#include "util/err.h"

/* `info` is what is looked for; it ends the search. */
struct search {
	struct flowrra_client *client;
	const char *id;
	size_t depth;
	const char *where;
	json_t *info;	  /* as it lies at the broker */
	json_t *attempts; /* that it has behind it there; NULL: none */
	/* Of the walk. */
	const char *queue;
	enum broker_location place;
};

static int
on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct search *s = arg;
	struct task *task;
	struct err why;
	bool is_it;

	/* Decoding is dear, and few have it in them. */
	if (memmem(item->bytes.p, item->bytes.len, s->id, strlen(s->id)) ==
		NULL ||
	    (task = load_task(item, &why)) == NULL)
		return 0;
	is_it = strcmp(task->id, s->id) == 0;
	if (is_it && task->history.len > 0)
		s->attempts = load_json(task->history, NULL);
	task_free(task);
	if (!is_it)
		return 0;
	s->info = task_info_of(item, s->place, s->queue);
	return s->info != NULL ? 1 : err_nomem(err);
}

/* As deep as `depth`: a long queue is not read to its end for one task. */
static int
search_place(struct search *s, enum broker_location place, const char *where,
	     struct err *err)
{
	struct query_walk walk = {.queue = s->queue,
				  .place = place,
				  .depth = s->depth,
				  .on_item = on_item,
				  .arg = s};

	s->place = place;
	if (query_walk(s->client, &walk, err) != 0)
		return -1;
	if (s->info != NULL)
		s->where = where;
	return 0;
}

/* By its ID or, where the task cannot be read, by its key. */
static int
search_dead(struct search *s, const char *queue, struct err *err)
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
	json_decref(list);
	return 0;
}

/* In the order in which tasks move, for it may move meanwhile. */
static const struct {
	enum broker_location place;
	const char *where;
} places[] = {{BROKER_DELAYED, "delayed"},
	      {BROKER_WAITING, "waiting"},
	      {BROKER_IN_FLIGHT, "in_flight"}};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

/* In one queue, or in all. One whose record says that it runs is looked for there
 * first: elsewhere it is only if it moves just now. */
static int
search_queues(struct search *s, const char *only, bool runs, struct err *err)
{
	json_t *queues = queues_list(s->client, only, err), *queue;
	int result = queues != NULL ? 0 : -1;
	size_t i, k;

	json_array_foreach (queues, i, queue) {
		s->queue = member_text(queue, "queue");
		if (runs && result == 0 && s->info == NULL)
			result =
			    search_place(s, BROKER_IN_FLIGHT, "in_flight", err);
		for (k = 0; k < N_PLACES && result == 0 && s->info == NULL; k++)
			result = search_place(s, places[k].place,
					      places[k].where, err);
	}
	s->queue = NULL;
	json_decref(queues);
	return result;
}

/* A record that says how the task ended saves the search. Of a failed one the
 * dead list may have it still, with its bytes. A queue that does not exist
 * (ERR_NOT_FOUND) is none that holds it. */
static int
search(struct search *s, const json_t *record, struct err *err)
{
	const char *status = member_text(record, "status");
	const char *queue = member_text(record, "queue");
	const bool failed = status != NULL && strcmp(status, "failed") == 0;
	const bool runs = status != NULL && strcmp(status, "running") == 0;

	if (status != NULL && strcmp(status, "success") == 0) {
		s->where = "finished";
		return 0;
	}
	if (!failed && search_queues(s, queue, runs, err) != 0 &&
	    err->code != ERR_NOT_FOUND)
		return -1;
	if (s->info == NULL && search_dead(s, queue, err) != 0 &&
	    err->code != ERR_NOT_FOUND)
		return -1;
	if (s->where == NULL)
		s->where = failed ? "finished" : "unknown";
	return 0;
}

/* What a producer has put there may be anything: only objects are attempts. */
static json_t *
attempts_of(const struct search *s, const json_t *record)
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

json_t *
tasks_show(struct flowrra_client *c, const char *id, size_t depth,
	   struct err *err)
{
	struct search s = {.client = c, .id = id, .depth = depth};
	json_t *record = NULL, *answer = NULL;
	const char *queue;

	/* The key of a dead one that has no id is none, either; but it has no
	 * record. */
	if (!task_id_valid(slice_of(id)))
		err_set(err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
	else
		record = query_record(c, id, err);
	if (record != NULL && search(&s, record, err) == 0) {
		if (json_is_null(record) && s.info == NULL) {
			err_set(err, ERR_NOT_FOUND,
				"no record of task %s, and no queue holds it",
				id);
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
