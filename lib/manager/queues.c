/* SPDX-License-Identifier: MIT */
/*
 * Queues: their state, and what may be done to one.
 *
 * To the stores an unknown queue is an empty one, since a producer may name it
 * at any time. To an operator it is more likely a spelling mistake: so what is
 * empty is looked up in the list of all.
 */
#include "manager/queues.h"

#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "codec/task_json.h"
#include "core/task.h"
#include "manager/cancel.h"
#include "manager/member.h"
#include "manager/page.h"
#include "manager/query.h"
#include "manager/workers.h"
#include "util/closest.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/name.h"
#include "util/sat.h"

/* A queue that holds something is known, which saves the query for the list.
 * Paused counts: it was done to this queue. */
static bool
is_used(const json_t *queue)
{
	static const char *const counts[] = {"waiting", "delayed", "in_flight",
					     "dead"};
	size_t i;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (json_integer_value(json_object_get(queue, counts[i])) > 0)
			return true;
	return json_is_true(json_object_get(queue, "paused"));
}

/* --- names ------------------------------------------------------------- */

/*
 * The stores know the queues that one of our programs has named. A producer of
 * another kind names none: it pushes. So those that are configured here, and
 * those that workers serve, belong to the list in any case.
 */

/* Where `name` belongs in an array that is sorted by name. */
static size_t
queue_place(const json_t *queues, const char *name, bool *ret_found)
{
	size_t i, place = json_array_size(queues);
	const char *one;
	json_t *queue;
	int order;

	*ret_found = false;
	json_array_foreach (queues, i, queue) {
		one = member_text(queue, "queue");
		order = one != NULL ? strcmp(one, name) : -1;
		if (order == 0)
			*ret_found = true;
		if (order > 0 && i < place)
			place = i;
	}
	return place;
}

/* Adds a queue that is not there yet. 0, or -1 with *err. */
static int
add_queue(struct flowrra_client *c, json_t *queues, const char *name,
	  struct err *err)
{
	json_t *one;
	bool found;
	size_t at = queue_place(queues, name, &found);

	/* What a worker says of itself may be anything. */
	if (found || name_check_queue(slice_of(name), ERR_DATA, NULL) != 0)
		return 0;
	if ((one = query_queues(c, name, err)) == NULL)
		return -1;
	if (json_array_insert(queues, at, json_array_get(one, 0)) != 0) {
		json_decref(one);
		return err_nomem(err);
	}
	json_decref(one);
	return 0;
}

static int
add_configured(struct flowrra_client *c, json_t *queues, struct err *err)
{
	char **names = conf_list(c->conf->worker.queues);
	int result = 0;
	size_t i;

	if (names == NULL)
		return err_nomem(err);
	for (i = 0; result == 0 && names[i] != NULL; i++)
		result = add_queue(c, queues, names[i], err);
	conf_list_free(names);
	return result;
}

/* What living workers say they serve; `workers` as query_workers() tells them. */
static int
add_served(struct flowrra_client *c, json_t *queues, const json_t *workers,
	   struct err *err)
{
	json_t *worker, *name;
	int result = 0;
	size_t i, k;

	json_array_foreach (workers, i, worker) {
		if (!json_is_true(json_object_get(worker, "alive")))
			continue;
		json_array_foreach (
		    json_object_get(json_object_get(worker, "description"),
				    "queues"),
		    k, name)
			if (result == 0 && json_is_string(name))
				result = add_queue(
				    c, queues, json_string_value(name), err);
	}
	return result;
}

/* All of them; *ret_workers is as query_workers() tells it, NULL if there is an
 * error. */
static json_t *
all_queues(struct flowrra_client *c, json_t **ret_workers, struct err *err)
{
	json_t *all = query_queues(c, NULL, err), *workers = NULL;

	*ret_workers = NULL;
	if (all != NULL && add_configured(c, all, err) == 0 &&
	    (workers = query_workers(c, err)) != NULL &&
	    add_served(c, all, workers, err) == 0) {
		*ret_workers = workers;
		return all;
	}
	json_decref(workers);
	json_decref(all);
	return NULL;
}

/* An empty queue is one if somebody has named it. 1 or 0; -1 with *err. */
static int
is_known(struct flowrra_client *c, const char *name, struct err *err)
{
	json_t *workers, *all = all_queues(c, &workers, err);
	bool found = false;

	if (all == NULL)
		return -1;
	queue_place(all, name, &found);
	json_decref(workers);
	json_decref(all);
	return found;
}

json_t *
queues_list(struct flowrra_client *c, const char *name, struct err *err)
{
	json_t *list, *workers = NULL;
	int known = 1;

	if (name != NULL &&
	    name_check_queue(slice_of(name), ERR_DATA, err) != 0)
		return NULL;
	list = name != NULL ? query_queues(c, name, err)
			    : all_queues(c, &workers, err);
	json_decref(workers);
	if (list == NULL)
		return NULL;
	if (name != NULL && !is_used(json_array_get(list, 0)))
		known = is_known(c, name, err);
	if (known > 0)
		return list;
	if (known == 0)
		err_set(err, ERR_NOT_FOUND,
			"no such queue \"%s\": it has never held a task, and "
			"no worker serves it",
			name);
	json_decref(list);
	return NULL;
}

json_t *
queues_and_workers(struct flowrra_client *c, json_t **ret_workers,
		   struct err *err)
{
	json_t *known, *queues = all_queues(c, &known, err);

	if (queues == NULL)
		return NULL;
	*ret_workers = workers_describe(known);
	json_decref(known);
	return queues;
}

/* --- where tasks are --------------------------------------------------- */

/* Those that are configured here, if they are not there yet: tasks of a foreign
 * producer may be in them. The caller reads the queues next, and sees. */
static int
find_add_configured(struct flowrra_client *c, json_t *queues, struct err *err)
{
	char **names = conf_list(c->conf->worker.queues);
	int result = 0;
	size_t i, at;
	bool found;

	if (names == NULL)
		return err_nomem(err);
	for (i = 0; result == 0 && names[i] != NULL; i++) {
		at = queue_place(queues, names[i], &found);
		if (!found && json_array_insert_new(
				  queues, at,
				  json_pack("{s:s,s:i}", "queue", names[i],
					    "newest_ms", 0)) != 0)
			result = err_nomem(err);
	}
	conf_list_free(names);
	return result;
}

/* One: its state tells whether there are any. */
static json_t *
find_in_one(struct flowrra_client *c, const char *name, const char *count,
	    struct err *err)
{
	json_t *list = queues_list(c, name, err), *found;
	const json_t *queue = json_array_get(list, 0);

	if (list == NULL)
		return NULL;
	found = json_integer_value(json_object_get(queue, count)) > 0
		    ? json_pack("[{s:s,s:i}]", "queue", name, "newest_ms", 0)
		    : json_array();
	json_decref(list);
	if (found == NULL)
		err_nomem(err);
	return found;
}

json_t *
queues_find(struct flowrra_client *c, const char *name,
	    enum broker_location place, struct err *err)
{
	static const char *const counts[] = {[BROKER_WAITING] = "waiting",
					     [BROKER_DELAYED] = "delayed",
					     [BROKER_IN_FLIGHT] = "in_flight",
					     [BROKER_DEAD] = "dead"};
	json_t *found;

	if (name != NULL)
		return find_in_one(c, name, counts[place], err);
	found = query_find(c, place, err);
	if (found != NULL && find_add_configured(c, found, err) != 0) {
		json_decref(found);
		found = NULL;
	}
	return found;
}

/* --- changes ------------------------------------------------------------- */

/* An unknown queue can be paused before its first task comes. */
json_t *
queues_pause(struct flowrra_client *c, const char *name, bool paused,
	     struct err *err)
{
	if (name_check_queue(slice_of(name), ERR_DATA, err) != 0 ||
	    query_pause(c, name, paused, err) != 0)
		return NULL;
	return json_pack("{s:s,s:b}", "queue", name, "paused", paused);
}

/* --- levels ------------------------------------------------------------ */

/* Of a long queue: a page of one queue asks for more than its levels. */
#define LEVELS_DEPTH (PAGE_DEPTH / 2)

/* The levels of a queue as they are met: the one that runs last first. */
struct level_count {
	json_t *levels;
	json_int_t waiting; /* of the last of them */
	int32_t priority;
	size_t seen;
};

static int
level_end(struct level_count *l)
{
	return l->seen == 0
		   ? 0
		   : json_array_insert_new(l->levels, 0,
					   json_pack("{s:i,s:I}", "priority",
						     (int)l->priority,
						     "waiting", l->waiting));
}

static int
level_on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct level_count *l = arg;

	if (l->seen > 0 && item->priority != l->priority) {
		if (level_end(l) != 0)
			return err_nomem(err);
		l->waiting = 0;
	}
	l->priority = item->priority;
	l->waiting++;
	l->seen++;
	return 0;
}

/* No store counts levels, and most queues are short, or have one. */
json_t *
queues_levels(struct flowrra_client *c, const char *name, struct err *err)
{
	struct level_count l = {.levels = json_array()};
	struct query_cursor at = {
	    .queue = name, .place = BROKER_WAITING, .n = BROKER_PAGE_MAX};
	const int64_t end_us = clock_mono_us() + PAGE_QUICK_US;
	json_t *answer = NULL;
	int result;

	do
		result = query_next(c, &at, level_on_item, &l, err);
	while (result == 0 && at.more && l.seen < LEVELS_DEPTH &&
	       clock_mono_us() < end_us);
	if (result == 0) {
		answer = level_end(&l) == 0
			     ? json_pack("{s:O,s:b}", "levels", l.levels,
					 "complete", !at.more)
			     : NULL;
		if (answer == NULL)
			err_nomem(err);
	}
	query_cursor_done(&at);
	json_decref(l.levels);
	return answer;
}

/* --- purging ----------------------------------------------------------- */

/* The records of a page of tasks that are gone. They are made on the loop and
 * stored after it: the page's bytes live no longer, and a store must not be
 * asked from its own callback. */
struct purged {
	struct query_put puts[BROKER_PAGE_MAX];
	struct {
		size_t id, record, record_len;
	} at[BROKER_PAGE_MAX]; /* in `text`, which moves while it grows */
	struct buf text;
	size_t n;      /* records */
	int64_t items; /* tasks, with those that could not be read */
	const char *queue;
	enum clock_form times; /* of the records */
};

static int
on_purged(const struct broker_item *item, void *arg, struct err *err)
{
	struct purged *p = arg;
	struct task *task;
	struct err why;

	p->items++;
	if (p->n == BROKER_PAGE_MAX || (task = load_task(item, &why)) == NULL)
		return 0;
	p->at[p->n].id = p->text.len;
	buf_add(&p->text, task->id, strlen(task->id) + 1);
	p->at[p->n].record = p->text.len;
	cancel_record(task, p->queue, p->times, &p->text);
	p->at[p->n].record_len = p->text.len - p->at[p->n].record;
	p->n++;
	task_free(task);
	return 0;
}

/* Only now the text does not move any more. */
static int
store_purged(struct flowrra_client *c, struct purged *p, struct err *err)
{
	size_t i;

	if (p->text.failed)
		return err_nomem(err);
	for (i = 0; i < p->n; i++)
		p->puts[i] = (struct query_put){
		    .id = p->text.data + p->at[i].id,
		    .record = {p->text.data + p->at[i].record,
			       p->at[i].record_len}};
	return query_put_failed(c, p->puts, p->n, err);
}

/* Page by page: a purge that is interrupted has taken out whole pages, and
 * stored what became of them, but for one. Waiting programs are told with each
 * page. */
static int
purge_pages(struct flowrra_client *c, const struct queues_purge *purge,
	    int64_t *ret_n, bool *ret_stopped, struct err *err)
{
	struct purged *p = calloc(1, sizeof(*p));
	bool more = true;
	int result = 0;

	if (p == NULL)
		return err_nomem(err);
	p->queue = purge->queue;
	p->times = c->conf->worker.foreign_times;
	while (result == 0 && more) {
		p->n = 0;
		buf_reset(&p->text);
		result = query_purge(c, purge->queue, on_purged, p, &more, err);
		if (result == 0)
			result = store_purged(c, p, err);
		if (purge->on_progress != NULL &&
		    purge->on_progress(p->items, purge->arg) != 0)
			break;
	}
	*ret_stopped = result == 0 && more;
	/* That much is done for good. */
	if (result != 0 && p->items > 0)
		err_prefix(err, "after %lld tasks", (long long)p->items);
	*ret_n = p->items;
	buf_done(&p->text);
	free(p);
	return result;
}

/* The count of a dry run is that of the moment; more may come before the real
 * one. */
json_t *
queues_purge(struct flowrra_client *c, const struct queues_purge *purge,
	     struct err *err)
{
	json_t *queues = queues_list(c, purge->queue, err), *queue, *answer;
	bool stopped = false;
	int64_t n;
	int result = 0;

	if (queues == NULL)
		return NULL;
	queue = json_array_get(queues, 0);
	n = sat_add(json_integer_value(json_object_get(queue, "waiting")),
		    json_integer_value(json_object_get(queue, "delayed")));
	json_decref(queues);
	if (!purge->dry_run)
		result = purge_pages(c, purge, &n, &stopped, err);
	if (result != 0)
		return NULL;
	answer = json_pack("{s:s,s:I,s:b}", "queue", purge->queue, "purged",
			   (json_int_t)n, "dry_run", purge->dry_run);
	if (stopped)
		json_object_set_new(answer, "stopped", json_true());
	return answer;
}

/* --- tasks that nobody has --------------------------------------------- */

/* So many names tell what kind of mistake it is. */
#define UNKNOWN_SHOWN 3

/* What is registered, a JSON array; NULL if that is not known. */
static json_t *
registered_names(struct flowrra_client *c)
{
	struct query q = {.client = c, .send = query_send_names};
	json_t *names;

	if (query_run(&q, NULL) != 0)
		return NULL;
	names =
	    q.present ? json_loadb(q.value.data, q.value.len, 0, NULL) : NULL;
	buf_done(&q.value);
	return names;
}

/* The registered names that are close to one, without itself: that it was
 * registered is what has to be said then. */
static void
add_close_names(const json_t *registered, const char *name, struct buf *text)
{
	struct closest close = CLOSEST_INIT(name);
	char names[CLOSEST_TEXT_SIZE];
	const char *candidate;
	bool was = false;
	size_t i;

	for (i = 0; i < json_array_size(registered); i++) {
		candidate = json_string_value(json_array_get(registered, i));
		if (candidate != NULL && strcmp(candidate, name) == 0)
			was = true;
		else if (candidate != NULL)
			closest_offer(&close, candidate);
	}
	if (was)
		buf_adds(text, " (a worker had it before)");
	else if (closest_write(&close, names) > 0)
		buf_addf(text, " (similar names: %s)", names);
}

bool
queues_unknown(struct flowrra_client *c, const json_t *queue, struct buf *text)
{
	const json_t *unknown = json_object_get(queue, "unknown");
	const size_t n = json_array_size(unknown);
	const char *name, *of = member_text(queue, "queue");
	json_t *registered;
	size_t i;

	if (n == 0 || of == NULL)
		return false;
	registered = registered_names(c);
	buf_addf(text, "queue %s: no living worker has ", of);
	for (i = 0; i < n && i < UNKNOWN_SHOWN; i++) {
		name = json_string_value(json_array_get(unknown, i));
		buf_addf(text, "%s\"%s\"", i > 0 ? ", " : "task ",
			 name != NULL ? name : "?");
		if (name != NULL)
			add_close_names(registered, name, text);
	}
	if (n > UNKNOWN_SHOWN)
		buf_addf(text, " and %zu more", n - UNKNOWN_SHOWN);
	json_decref(registered);
	return !text->failed;
}
