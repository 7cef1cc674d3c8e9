/* SPDX-License-Identifier: MIT */
/* One task, and where it is. */
#include <string.h>

#include "codec/task_json.h"
#include "core/task.h"
#include "manager/ask.h"
#include "manager/dead.h"
#include "manager/load.h"
#include "manager/queues.h"
#include "manager/tasks.h"
#include "util/err.h"

struct search {
	struct flowrra_client *client;
	const char *id;
	size_t depth;
	const char *where;
	json_t *entry;
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
	task_free(task);
	if (!is_it)
		return 0;
	s->entry = entry_of(item, s->place, s->queue);
	return s->entry != NULL ? 1 : err_nomem(err);
}

static int
search_place(struct search *s, enum broker_location place, const char *where,
	     struct err *err)
{
	struct ask_walk walk = {.queue = s->queue,
				.place = place,
				.depth = s->depth,
				.on_item = on_item,
				.arg = s};

	s->place = place;
	if (ask_walk(s->client, &walk, err) != 0)
		return -1;
	if (s->entry != NULL)
		s->where = where;
	return 0;
}

static int
search_dead(struct search *s, const char *queue, struct err *err)
{
	struct dead_query query = {
	    .filter = {.entry = {.queue = queue}, .ids = &s->id, .n_ids = 1},
	    .limit = 1,
	    .depth = s->depth,
	    .bytes = true};
	json_t *list = dead_list(s->client, &query, err);

	if (list == NULL)
		return -1;
	if (json_array_size(list) > 0) {
		s->entry = json_incref(json_array_get(list, 0));
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
enum { ALL_PLACES = 0, ONLY_IN_FLIGHT = 2, N_PLACES = 3 };

/* From that place on; in one queue, or in all. */
static int
search_queues(struct search *s, const char *only, size_t first, struct err *err)
{
	json_t *queues = queues_list(s->client, only, err), *queue;
	int result = queues != NULL ? 0 : -1;
	size_t i, k;

	json_array_foreach (queues, i, queue) {
		s->queue = entry_text(queue, "queue");
		for (k = first; k < N_PLACES && result == 0 && s->entry == NULL;
		     k++)
			result = search_place(s, places[k].place,
					      places[k].where, err);
	}
	s->queue = NULL;
	json_decref(queues);
	return result;
}

static int
search(struct search *s, const json_t *record, struct err *err)
{
	const char *status = entry_text(record, "status");
	const char *queue = entry_text(record, "queue");
	const bool failed = status != NULL && strcmp(status, "failed") == 0;

	if (status != NULL && strcmp(status, "success") == 0) {
		s->where = "finished";
		return 0;
	}
	if (!failed && search_queues(s, queue, ALL_PLACES, err) != 0 &&
	    err->code != ERR_NOT_FOUND)
		return -1;
	if (s->entry == NULL && search_dead(s, queue, err) != 0 &&
	    err->code != ERR_NOT_FOUND)
		return -1;
	if (s->where == NULL)
		s->where = failed ? "finished" : "unknown";
	return 0;
}

int
tasks_in_flight(struct flowrra_client *c, const char *queue, const char *id,
		bool *ret_held, struct err *err)
{
	struct search s = {.client = c, .id = id, .depth = SIZE_MAX};
	struct err why = ERR_INIT;
	int result = search_queues(&s, queue, ONLY_IN_FLIGHT, &why);

	if (result != 0 && why.code == ERR_NOT_FOUND)
		result = 0;
	else if (result != 0 && err != NULL)
		*err = why;
	*ret_held = s.entry != NULL;
	json_decref(s.entry);
	return result;
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
		record = ask_record(c, id, err);
	if (record != NULL && search(&s, record, err) == 0) {
		if (json_is_null(record) && s.entry == NULL) {
			err_set(err, ERR_NOT_FOUND,
				"no record of task %s, and no queue holds it",
				id);
		} else {
			queue = entry_text(s.entry, "queue");
			if (queue == NULL)
				queue = entry_text(record, "queue");
			answer = json_pack("{s:s,s:s,s:s?,s:O,s:O?}", "task_id",
					   id, "where", s.where, "queue", queue,
					   "record", record, "entry", s.entry);
		}
	}
	json_decref(record);
	json_decref(s.entry);
	return answer;
}
