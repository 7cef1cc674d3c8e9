/* SPDX-License-Identifier: MIT */
/*
 * Moving tasks to another queue.
 *
 * The record of a task says in which queue it is, and may be in a store of its own. It
 * is stored before the task leaves: should this end in between, it names a queue
 * where the task is not yet, which does no harm, since the next record of the task
 * says what is so. A worker that claims the task just then stores such a one.
 *
 * Tasks of one queue go in batches, whose calls are under way at the same time.
 */
#include "manager/move.h"

#include <stdlib.h>
#include <string.h>

#include "client/deliver.h"
#include "client/put.h"
#include "codec/restate.h"
#include "codec/result_json.h"
#include "core/result.h"
#include "core/task.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "store/admin.h"
#include "util/err.h"

#define MOVE_BATCH 100

/* One of a batch. */
struct parcel {
	const char *id;
	struct query record; /* as it is */
	struct put_query put;
	struct buf text;   /* as it becomes; empty: it stays */
	struct query off;  /* key: the queue */
	struct slice from; /* where to search */
	struct buf next;   /* where to go on, or a later one may be */
	const char *to;
	bool found;
	struct err err;
};

/* A batch; `near` is where the last one was found. */
struct batch {
	struct flowrra_client *client;
	const char *queue, *to;
	struct parcel parcels[MOVE_BATCH];
	size_t n;
	struct buf near;
};

/* --- records ------------------------------------------------------------- */

/* That of a task that waits names the other queue. What is not understood stays: it
 * is another program's. */
static void
parcel_restate(struct parcel *p)
{
	const struct slice record = {p->record.value.data, p->record.value.len};
	enum result_status status;

	if (record.len == 0 || result_decode_status(record, &status) != 0 ||
	    (status != RESULT_PENDING && status != RESULT_RETRYING) ||
	    restate_text(record, "queue", slice_of(p->to), &p->text, NULL) != 0)
		buf_reset(&p->text);
}

static int
batch_load_records(struct batch *b, struct err *err)
{
	struct parcel *p;
	int r = 0;

	for (p = b->parcels; p < b->parcels + b->n; p++) {
		p->record = (struct query){.client = b->client,
					   .send = query_send_record,
					   .of_results = true,
					   .key = slice_of(p->id)};
		query_begin(&p->record);
	}
	for (p = b->parcels; p < b->parcels + b->n; p++)
		if (query_finish(&p->record, r == 0 ? err : NULL) != 0)
			r = -1;
		else
			parcel_restate(p);
	return r;
}

static int
batch_put_records(struct batch *b, struct err *err)
{
	struct parcel *p;
	int r = 0;

	for (p = b->parcels; p < b->parcels + b->n; p++) {
		if (p->text.len == 0)
			continue;
		p->put =
		    (struct put_query){.q = {.client = b->client,
					     .send = put_send_open,
					     .of_results = true,
					     .key = slice_of(p->id)},
				       .record = {p->text.data, p->text.len}};
		query_begin(&p->put.q);
	}
	for (p = b->parcels; p < b->parcels + b->n; p++)
		if (p->text.len > 0 &&
		    query_finish(&p->put.q, r == 0 ? err : NULL) != 0)
			r = -1;
	return r;
}

/* --- sending off --------------------------------------------------------- */

static void
parcel_on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	struct parcel *p =
	    container_of((struct query *)arg, struct parcel, off);

	if (page != NULL) {
		p->found = page->n > 0;
		buf_reset(&p->next);
		buf_add(&p->next, page->next.p, page->next.len);
	}
	query_end(&p->off, err);
}

static void
parcel_send(struct query *q)
{
	struct parcel *p = container_of(q, struct parcel, off);
	const struct broker_send_off s = {.queue = q->key,
					  .id = slice_of(p->id),
					  .to = slice_of(p->to),
					  .cursor = p->from};

	broker_send_off(q->client->broker, &s, parcel_on_page, q);
}

/* Not sent twice: the second time it would be reported as gone. */
static void
parcel_begin(struct batch *b, struct parcel *p, struct slice from)
{
	p->from = from;
	p->off = (struct query){.client = b->client,
				.send = parcel_send,
				.once = true,
				.key = slice_of(b->queue)};
	query_begin(&p->off);
}

/* From a place to the end. */
static int
parcel_search(struct batch *b, struct parcel *p, const struct buf *start)
{
	struct buf from = BUF_INIT;
	int r;

	buf_add(&from, start->data, start->len);
	do {
		parcel_begin(b, p, (struct slice){from.data, from.len});
		r = query_finish(&p->off, &p->err);
		buf_reset(&from);
		buf_add(&from, p->next.data, p->next.len);
	} while (r == 0 && !p->found && from.len > 0);
	buf_done(&from);
	return r;
}

/* Behind the one before, where most are that were not found at once; or anywhere. */
static void
parcel_search_all(struct batch *b, struct parcel *p)
{
	const struct buf none = BUF_INIT;
	int r = 0;

	if (b->near.len > 0)
		r = parcel_search(b, p, &b->near);
	if (r == 0 && !p->found)
		parcel_search(b, p, &none);
}

static void
batch_keep_near(struct batch *b, const struct parcel *p)
{
	buf_reset(&b->near);
	buf_add(&b->near, p->next.data, p->next.len);
}

/* At first all of them, near the last one of the batch before; then the rest, one by
 * one. An error that is not of one task ends it. */
static int
batch_send_off(struct batch *b, struct err *err)
{
	const struct slice near = {b->near.data, b->near.len};
	struct parcel *p;
	int r = 0;

	for (p = b->parcels; p < b->parcels + b->n; p++)
		parcel_begin(b, p, near);
	for (p = b->parcels; p < b->parcels + b->n; p++)
		query_finish(&p->off, &p->err);
	for (p = b->parcels; p < b->parcels + b->n; p++) {
		if (!p->found && p->err.code == ERR_NONE && r == 0)
			parcel_search_all(b, p);
		if (p->found)
			batch_keep_near(b, p);
		if (r == 0 && p->err.code != ERR_NONE &&
		    p->err.code != ERR_REFUSED) {
			*err = p->err;
			r = -1;
		}
	}
	return r;
}

/* --- a batch ------------------------------------------------------------- */

static void
batch_reset(struct batch *b)
{
	struct parcel *p;

	for (p = b->parcels; p < b->parcels + b->n; p++) {
		buf_done(&p->record.value);
		buf_done(&p->put.q.value);
		buf_done(&p->off.value);
		buf_done(&p->text);
		buf_done(&p->next);
	}
	b->n = 0;
}

static void
batch_tell(struct batch *b, struct move *m)
{
	const struct parcel *p;
	const char *outcome;

	for (p = b->parcels; p < b->parcels + b->n; p++) {
		outcome = p->found		       ? "moved"
			  : p->err.code == ERR_REFUSED ? "refused"
						       : "gone";
		m->moved += p->found;
		m->refused += !p->found && p->err.code == ERR_REFUSED;
		m->gone += !p->found && p->err.code == ERR_NONE;
		if (m->on_outcome != NULL &&
		    (p->found || p->err.code == ERR_NONE ||
		     p->err.code == ERR_REFUSED))
			m->on_outcome(p->id, outcome, &p->err, m->arg);
	}
}

/* What has left is brought in, whatever came of the others. */
static int
batch_run(struct batch *b, struct move *m, struct err *err)
{
	struct err late = ERR_INIT;
	int r;

	if (b->n == 0)
		return 0;
	r = batch_load_records(b, err);
	if (r == 0)
		r = batch_put_records(b, err);
	if (r == 0) {
		r = batch_send_off(b, err);
		batch_tell(b, m);
		if (client_deliver(b->client, b->queue, r == 0 ? err : &late) <
		    0)
			r = -1;
	}
	batch_reset(b);
	return r;
}

static int
batch_add(struct batch *b, struct move *m, const char *id, struct err *err)
{
	b->parcels[b->n++] = (struct parcel){.id = id, .to = b->to};
	return b->n == MOVE_BATCH ? batch_run(b, m, err) : 0;
}

static struct batch *
batch_new(struct flowrra_client *c, const char *to, struct err *err)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		err_nomem(err);
		return NULL;
	}
	b->client = c;
	b->to = to;
	return b;
}

static void
batch_free(struct batch *b)
{
	batch_reset(b);
	buf_done(&b->near);
	free(b);
}

/* --- many ---------------------------------------------------------------- */

static bool
is_of(const json_t *task, const char *queue, bool waiting)
{
	const char *name = member_text(task, "queue"),
		   *state = member_text(task, "state");

	return name != NULL && strcmp(name, queue) == 0 &&
	       (state != NULL && strcmp(state, "pending") == 0) == waiting;
}

/* Lists show the newest first, and it has to go last. The delayed have an order of
 * their own. */
static int
move_queue(struct batch *b, struct move *m, const json_t *tasks,
	   const char *queue, struct err *err)
{
	const size_t n = json_array_size(tasks);
	const json_t *one;
	int r = 0;
	size_t i;

	b->queue = queue;
	buf_reset(&b->near);
	for (i = n; i > 0 && r == 0; i--) {
		one = json_array_get(tasks, i - 1);
		if (is_of(one, queue, true))
			r = batch_add(b, m, member_text(one, "task_id"), err);
	}
	if (r == 0)
		r = batch_run(b, m, err);
	buf_reset(&b->near);
	for (i = 0; i < n && r == 0; i++) {
		one = json_array_get(tasks, i);
		if (is_of(one, queue, false))
			r = batch_add(b, m, member_text(one, "task_id"), err);
	}
	return r == 0 ? batch_run(b, m, err) : r;
}

int
move_tasks(struct flowrra_client *c, struct move *m, const json_t *tasks,
	   struct err *err)
{
	struct batch *b = batch_new(c, m->to, err);
	json_t *queues = json_object();
	const char *queue;
	json_t *one;
	int r = b != NULL && queues != NULL ? 0 : -1;
	size_t i;

	json_array_foreach (tasks, i, one)
		if ((queue = member_text(one, "queue")) != NULL &&
		    strcmp(queue, m->to) != 0)
			json_object_set_new(queues, queue, json_true());
	json_object_foreach (queues, queue, one)
		if (r == 0)
			r = move_queue(b, m, tasks, queue, err);
	json_decref(queues);
	if (b != NULL)
		batch_free(b);
	return r;
}

/* --- one ----------------------------------------------------------------- */

/* 1, 0 if it is not there, or -1 with *err. */
static int
move_from(struct flowrra_client *c, const char *queue, const char *id,
	  struct move *m, struct err *err)
{
	struct batch *b = batch_new(c, m->to, err);
	int r = -1;

	if (b != NULL) {
		b->queue = queue;
		b->parcels[b->n++] = (struct parcel){.id = id, .to = m->to};
		r = batch_run(b, m, err);
		batch_free(b);
	}
	return r != 0 ? -1 : m->moved > 0;
}

/* Why it could not be moved. */
static void
on_one(const char *id, const char *outcome, const struct err *why, void *arg)
{
	if (why->code != ERR_NONE)
		*(struct err *)arg = *why;
}

static int
move_from_any(struct flowrra_client *c, const char *first, const char *id,
	      struct move *m, struct err *err)
{
	json_t *queues, *one;
	const char *queue;
	int found = 0;
	size_t i;

	if (first != NULL && strcmp(first, m->to) != 0)
		found = move_from(c, first, id, m, err);
	if (found != 0 || m->refused > 0)
		return found;
	if ((queues = queues_list(c, NULL, err)) == NULL)
		return -1;
	json_array_foreach (queues, i, one) {
		queue = member_text(one, "queue");
		if (found == 0 && m->refused == 0 &&
		    strcmp(queue, m->to) != 0 &&
		    (first == NULL || strcmp(queue, first) != 0) &&
		    json_integer_value(json_object_get(one, "waiting")) +
			    json_integer_value(
				json_object_get(one, "delayed")) >
			0)
			found = move_from(c, queue, id, m, err);
	}
	json_decref(queues);
	return found;
}

json_t *
move_task(struct flowrra_client *c, const char *id, const char *to,
	  struct err *err)
{
	struct err why = ERR_INIT;
	struct move m = {.to = to, .on_outcome = on_one, .arg = &why};
	const char *queue, *status;
	json_t *record;
	int found;

	if (!task_id_valid(slice_of(id))) {
		err_set(err, ERR_DATA, "\"%.64s\" is not a valid task ID", id);
		return NULL;
	}
	if ((record = query_record(c, id, err)) == NULL)
		return NULL;
	queue = member_text(record, "queue");
	status = member_text(record, "status");
	found = move_from_any(c, queue, id, &m, err);
	if (found == 0 && m.refused > 0)
		*err = why;
	else if (found == 0 && queue != NULL && strcmp(queue, to) == 0)
		err_set(err, ERR_REFUSED,
			"task %.200s is in queue %.64s already", id, to);
	else if (found == 0 && status == NULL)
		err_set(err, ERR_NOT_FOUND, "no task with ID %.200s waits", id);
	else if (found == 0)
		err_set(err, ERR_REFUSED,
			"task %.200s does not wait; its status is %.32s", id,
			status);
	json_decref(record);
	return found > 0 ? json_pack("{s:s,s:s,s:s}", "task_id", id, "outcome",
				     "moved", "queue", to)
			 : NULL;
}

int64_t
move_deliver(struct flowrra_client *c, const char *queue, struct err *err)
{
	json_t *queues = queues_list(c, queue, err), *one;
	int64_t all = 0, n = queues != NULL ? 0 : -1;
	size_t i;

	json_array_foreach (queues, i, one) {
		if (n >= 0)
			n = client_deliver(c, member_text(one, "queue"), err);
		all += n > 0 ? n : 0;
	}
	json_decref(queues);
	return n < 0 ? -1 : all;
}
