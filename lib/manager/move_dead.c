/* SPDX-License-Identifier: MIT */
/*
 * Moving tasks of the dead list to that of another queue, or of another store.
 *
 * Nobody runs a dead task, so it may be in two lists for a while: it is added to the
 * other one, in another store its record too, and only then taken out here. Killed in
 * between, the next call finds both and takes out the first. If it has left this list
 * meanwhile, since it is to run again, it is taken out of the other one again.
 *
 * Within a store the record stays as it is: it says in which queue the task has
 * failed, until it runs again.
 */
#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "codec/restate.h"
#include "core/task.h"
#include "manager/member.h"
#include "manager/move_between.h"
#include "manager/query.h"
#include "manager/queues.h"
#include "util/err.h"

#define DEAD_BATCH 100

/* One of a batch. */
struct corpse {
	const char *id;
	struct buf bytes, info; /* as this store has them */
	struct buf moved;	/* the bytes, with the name of its new queue */
	int64_t time_ms;
	json_t *task;	     /* the bytes */
	struct query record; /* in this store; another one is asked only then */
	json_t *there;	     /* in the other one; NULL: none */
	bool found;	     /* in the list */
	bool revived;	     /* it was moved before, and is not dead any more */
	bool added, left;
	struct err err;
};

struct dead_move {
	struct move_between *m;
	const char *queue, *to;
	struct corpse batch[DEAD_BATCH];
	size_t n;
};

static bool
is_within(const struct dead_move *d)
{
	return d->m->from == d->m->to;
}

static void
dead_move_reset(struct dead_move *d)
{
	struct corpse *x;

	while (d->n > 0) {
		x = &d->batch[--d->n];
		buf_done(&x->bytes);
		buf_done(&x->info);
		buf_done(&x->moved);
		buf_done(&x->record.value);
		json_decref(x->task);
		json_decref(x->there);
		*x = (struct corpse){.id = NULL};
	}
}

/* Those that go on: they were found, and nothing has refused them. */
static size_t
dead_move_gather(struct dead_move *d, struct corpse **ret)
{
	size_t i, n = 0;

	for (i = 0; i < d->n; i++)
		if (d->batch[i].found && d->batch[i].err.code == ERR_NONE)
			ret[n++] = &d->batch[i];
	return n;
}

/* --- looking ------------------------------------------------------------- */

static int
corpse_on_item(const struct broker_item *item, void *arg, struct err *err)
{
	struct corpse *x = ((struct query_cursor *)arg)->arg;

	x->found = true;
	x->time_ms = item->time_ms;
	buf_reset(&x->bytes);
	buf_reset(&x->info);
	buf_add(&x->bytes, item->bytes.p, item->bytes.len);
	buf_add(&x->info, item->info.p, item->info.len);
	return x->bytes.failed || x->info.failed ? err_nomem(err) : 0;
}

/* One whose bytes do not tell its ID has a key that only its own list knows. */
static void
corpse_read(struct dead_move *d, struct corpse *x)
{
	const struct slice bytes = {x->bytes.data, x->bytes.len};
	const char *id;

	x->task = load_json(bytes, NULL);
	id = member_text(x->task, "id");
	if (id == NULL || strcmp(id, x->id) != 0)
		err_set(&x->err, ERR_REFUSED,
			"cannot read task %.200s; it is not moved", x->id);
	else if (is_within(d) && strcmp(d->queue, d->to) == 0)
		err_set(&x->err, ERR_REFUSED,
			"task %.200s is in the dead list of queue %.64s "
			"already",
			x->id, d->to);
	else if (!is_within(d) && json_object_get(x->task, "flow") != NULL)
		err_set(&x->err, ERR_REFUSED,
			"task %.200s is a step of a workflow, and cannot be "
			"moved to another store",
			x->id);
	else if (d->m->queue != NULL)
		restate_text(bytes, "queue", slice_of(d->to), &x->moved,
			     &x->err);
	else
		buf_add(&x->moved, bytes.p, bytes.len);
	if (x->moved.failed)
		err_nomem(&x->err);
}

static int
dead_move_look(struct dead_move *d, struct err *err)
{
	struct query_cursor at[DEAD_BATCH];
	size_t i;
	int r;

	for (i = 0; i < d->n; i++)
		at[i] = (struct query_cursor){.queue = d->queue,
					      .place = BROKER_DEAD,
					      .n = 1,
					      .key = d->batch[i].id,
					      .arg = &d->batch[i]};
	r = query_next_all(d->m->from, at, d->n, corpse_on_item, err);
	for (i = 0; i < d->n; i++) {
		query_cursor_done(&at[i]);
		if (r == 0 && d->batch[i].found)
			corpse_read(d, &d->batch[i]);
	}
	return r;
}

/* --- records ------------------------------------------------------------- */

/* Of this store, as they are stored. */
static int
dead_move_load_records(struct dead_move *d, struct corpse **xs, size_t n,
		       struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n; i++) {
		xs[i]->record = (struct query){.client = d->m->from,
					       .send = query_send_record,
					       .of_results = true,
					       .key = slice_of(xs[i]->id)};
		query_begin(&xs[i]->record);
	}
	for (i = 0; i < n; i++)
		if (query_finish(&xs[i]->record, r == 0 ? err : NULL) != 0)
			r = -1;
	return r;
}

/* What the other store has: nothing, the same task, or another with this ID. */
static int
dead_move_look_there(struct dead_move *d, struct corpse **xs, size_t n,
		     struct err *err)
{
	const char *ids[DEAD_BATCH], *status;
	json_t *there[DEAD_BATCH] = {NULL};
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		ids[i] = xs[i]->id;
	r = query_records(d->m->to, ids, n, there, err);
	for (i = 0; i < n; i++) {
		xs[i]->there = there[i];
		status = member_text(there[i], "status");
		xs[i]->revived =
		    there[i] != NULL &&
		    (status == NULL || strcmp(status, "failed") != 0);
		if (there[i] != NULL && !move_is_same(xs[i]->task, there[i]))
			err_set(&xs[i]->err, ERR_REFUSED,
				"the other store has another task with the ID "
				"%.200s",
				xs[i]->id);
	}
	return r;
}

/* One that is not final is not carried: it says that the task waits. */
static int
dead_move_put_records(struct dead_move *d, struct corpse **xs, size_t n,
		      struct err *err)
{
	struct query_put puts[DEAD_BATCH];
	size_t i, n_puts = 0;
	const char *status;
	json_t *record;

	for (i = 0; i < n; i++) {
		const struct slice text = {xs[i]->record.value.data,
					   xs[i]->record.value.len};

		if (xs[i]->there != NULL || text.len == 0)
			continue;
		record = load_json(text, NULL);
		status = member_text(record, "status");
		if (status != NULL && strcmp(status, "failed") == 0)
			puts[n_puts++] = (struct query_put){xs[i]->id, text};
		json_decref(record);
	}
	return n_puts > 0 ? query_put_failed(d->m->to, puts, n_puts, err) : 0;
}

/* --- moving -------------------------------------------------------------- */

static int
dead_move_add(struct dead_move *d, struct corpse **xs, size_t n,
	      struct err *err)
{
	struct broker_dead batch[DEAD_BATCH];
	struct corpse *of[DEAD_BATCH];
	size_t i, n_add = 0;

	for (i = 0; i < n; i++) {
		if (xs[i]->revived)
			continue;
		of[n_add] = xs[i];
		batch[n_add++] = (struct broker_dead){
		    .key = slice_of(xs[i]->id),
		    .bytes = {xs[i]->moved.data, xs[i]->moved.len},
		    .info = {xs[i]->info.data, xs[i]->info.len},
		    .time_ms = xs[i]->time_ms};
	}
	if (n_add == 0)
		return 0;
	if (query_add_dead(d->m->to, d->to, batch, n_add, err) != 0)
		return -1;
	for (i = 0; i < n_add; i++) {
		of[i]->added = batch[i].added;
		of[i]->err = batch[i].err;
	}
	return 0;
}

/* Takes them out of a list. Whether they were in it says `left`. */
static int
dead_move_delete(struct flowrra_client *c, const char *queue,
		 struct corpse **xs, size_t n, bool *left, struct err *err)
{
	struct broker_requeue batch[DEAD_BATCH];
	size_t i;

	for (i = 0; i < n; i++)
		batch[i] = (struct broker_requeue){.key = slice_of(xs[i]->id)};
	if (n == 0)
		return 0;
	if (query_requeue(c, queue, batch, n, err) != 0)
		return -1;
	for (i = 0; i < n; i++) {
		left[i] = batch[i].found;
		if (batch[i].err.code != ERR_NONE)
			xs[i]->err = batch[i].err;
	}
	return 0;
}

/* What has left this list meanwhile is to run here. */
static int
dead_move_undo(struct dead_move *d, struct corpse **xs, size_t n,
	       struct err *err)
{
	struct corpse *back[DEAD_BATCH];
	const char *ids[DEAD_BATCH];
	bool left[DEAD_BATCH];
	size_t i, n_back = 0, n_ids = 0;

	for (i = 0; i < n; i++) {
		if (xs[i]->left || !xs[i]->added || xs[i]->err.code != ERR_NONE)
			continue;
		if (!is_within(d) && xs[i]->there == NULL)
			ids[n_ids++] = xs[i]->id;
		back[n_back++] = xs[i];
	}
	if (dead_move_delete(d->m->to, d->to, back, n_back, left, err) != 0)
		return -1;
	return query_forget(d->m->to, ids, n_ids, err);
}

static int
dead_move_leave(struct dead_move *d, struct corpse **xs, size_t n,
		struct err *err)
{
	const char *ids[DEAD_BATCH];
	bool left[DEAD_BATCH];
	size_t i, n_ids = 0;

	if (dead_move_delete(d->m->from, d->queue, xs, n, left, err) != 0)
		return -1;
	for (i = 0; i < n; i++) {
		xs[i]->left = xs[i]->err.code == ERR_NONE && left[i];
		if (xs[i]->left && !is_within(d))
			ids[n_ids++] = xs[i]->id;
	}
	if (dead_move_undo(d, xs, n, err) != 0)
		return -1;
	return query_forget(d->m->from, ids, n_ids, err);
}

static void
dead_move_tell(const struct dead_move *d)
{
	const struct corpse *x;
	const char *outcome;

	for (x = d->batch; x < d->batch + d->n; x++) {
		outcome = x->err.code != ERR_NONE ? "refused"
			  : x->left		  ? "moved"
						  : "gone";
		d->m->refused += x->err.code != ERR_NONE;
		d->m->moved += x->err.code == ERR_NONE && x->left;
		d->m->gone += x->err.code == ERR_NONE && !x->left;
		if (d->m->on_outcome != NULL)
			d->m->on_outcome(x->id, outcome, &x->err, d->m->arg);
	}
}

/* What a step refuses takes no part in the next one. */
static int
dead_move_flush(struct dead_move *d, struct err *err)
{
	struct corpse *xs[DEAD_BATCH];
	size_t n;
	int r = dead_move_look(d, err);

	n = dead_move_gather(d, xs);
	if (r == 0 && !is_within(d)) {
		r = dead_move_load_records(d, xs, n, err);
		if (r == 0)
			r = dead_move_look_there(d, xs, n, err);
		n = dead_move_gather(d, xs);
	}
	if (r == 0)
		r = dead_move_add(d, xs, n, err);
	n = dead_move_gather(d, xs);
	if (r == 0 && !is_within(d))
		r = dead_move_put_records(d, xs, n, err);
	if (r == 0)
		r = dead_move_leave(d, xs, n, err);
	if (r == 0)
		dead_move_tell(d);
	dead_move_reset(d);
	return r;
}

/* --- all ------------------------------------------------------------------ */

/* Those of one queue. */
static int
dead_move_queue(struct move_between *m, const json_t *tasks, const char *queue,
		struct err *err)
{
	struct dead_move *d = calloc(1, sizeof(*d));
	const char *of;
	json_t *one;
	size_t i;
	int r = 0;

	if (d == NULL)
		return err_nomem(err);
	d->m = m;
	d->queue = queue;
	d->to = m->queue != NULL ? m->queue : queue;
	json_array_foreach (tasks, i, one) {
		of = member_text(one, "queue");
		if (r != 0 || of == NULL || strcmp(of, queue) != 0)
			continue;
		d->batch[d->n++].id = member_text(one, "task_id");
		if (d->n == DEAD_BATCH)
			r = dead_move_flush(d, err);
	}
	if (r == 0 && d->n > 0)
		r = dead_move_flush(d, err);
	free(d);
	return r;
}

int
move_dead(struct move_between *m, const json_t *tasks, struct err *err)
{
	json_t *queues = json_object(), *one;
	const char *queue;
	size_t i;
	int r = queues != NULL ? 0 : err_nomem(err);

	json_array_foreach (tasks, i, one)
		if ((queue = member_text(one, "queue")) != NULL &&
		    member_text(one, "task_id") != NULL &&
		    (m->from != m->to || strcmp(queue, m->queue) != 0))
			json_object_set_new(queues, queue, json_true());
	json_object_foreach (queues, queue, one)
		if (r == 0)
			r = dead_move_queue(m, tasks, queue, err);
	json_decref(queues);
	return r;
}

static int
dead_move_one(struct move_between *m, const char *id, const char *queue,
	      struct err *err)
{
	json_t *tasks = json_pack("[{s:s,s:s}]", "task_id", id, "queue", queue);
	const int r = tasks != NULL ? dead_move_queue(m, tasks, queue, err)
				    : err_nomem(err);

	json_decref(tasks);
	return r;
}

/* The list where it goes to comes last: when a move was killed, both have it. */
int
move_dead_task(struct move_between *m, const char *id, struct err *err)
{
	json_t *queues = queues_list(m->from, NULL, err), *one;
	int r = queues != NULL ? 0 : -1;
	const char *queue;
	bool there = false;
	size_t i;

	json_array_foreach (queues, i, one) {
		queue = member_text(one, "queue");
		if (json_integer_value(json_object_get(one, "dead")) == 0)
			continue;
		if (m->from == m->to && strcmp(queue, m->queue) == 0)
			there = true;
		else if (r == 0 && m->moved + m->refused == 0)
			r = dead_move_one(m, id, queue, err);
	}
	json_decref(queues);
	if (r == 0 && there && m->moved + m->refused == 0)
		r = dead_move_one(m, id, m->queue, err);
	return r;
}
