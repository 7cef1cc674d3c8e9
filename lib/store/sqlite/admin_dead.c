/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: changing the dead list. Tasks of it are put back into their
 * queue, or deleted; and those of another list are added. Flushed to disk before it
 * is answered.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/admin.h"
#include "store/sqlite/record.h"
#include "store/sqlite/schema.h"

struct dead_job;

/* What the two kinds of batches differ in. */
struct dead_kind {
	int (*run)(struct database_job *job, struct tx *tx, struct err *err);
	bool frees;
	void (*fail)(const struct dead_job *x, size_t i, const struct err *err);
	void (*tell)(const struct dead_job *x);
};

/* The batch is the caller's, and stays until it is told. */
struct dead_job {
	struct database_job job;
	const struct dead_kind *kind;
	char queue[TASK_QUEUE_MAX + 1];
	size_t n;
	void *arg;
	/* Of one kind, or the other. */
	struct broker_requeue *requeue;
	broker_requeued_fn *on_requeued;
	struct broker_dead *dead;
	broker_dead_fn *on_dead;
};

/* --- both ---------------------------------------------------------------- */

static void
dead_fail(const struct dead_job *x, const struct err *err)
{
	size_t i;

	for (i = 0; i < x->n; i++)
		x->kind->fail(x, i, err);
}

static void
dead_drop(struct database_job *job)
{
	free(container_of(job, struct dead_job, job));
}

/* The job is freed before the callback, which may begin the next batch. */
static void
dead_done(struct database_job *job, const struct err *err)
{
	const struct dead_job x = *container_of(job, struct dead_job, job);

	dead_drop(job);
	if (err != NULL)
		dead_fail(&x, err);
	x.kind->tell(&x);
}

/* Takes a copy. */
static void
dead_begin(struct broker *broker, struct slice queue,
	   const struct dead_job *what)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct dead_job *x = malloc(sizeof(*x));
	struct err err;

	if (x == NULL) {
		err_nomem(&err);
		dead_fail(what, &err);
		what->kind->tell(what);
		return;
	}
	*x = *what;
	x->job = (struct database_job){.run = x->kind->run,
				       .done = dead_done,
				       .drop = dead_drop,
				       .sync = DATABASE_NOW,
				       .absent = DATABASE_FAIL,
				       .frees = x->kind->frees,
				       .rows = (unsigned int)x->n};
	memcpy(x->queue, queue.p, queue.len);
	database_post(&b->user, &x->job);
}

/* --- putting back -------------------------------------------------------- */

/* A dead task without an ID is shown as "#" and its number. 0: the key is
 * not such a name; rows are counted from 1. */
static int64_t
made_up(struct slice key)
{
	const struct slice digits = {key.p + 1, key.len - 1};
	int64_t number;

	if (key.len < 2 || key.p[0] != '#' ||
	    cursor_read(digits, &number, 1, NULL) != 0)
		return 0;
	return number;
}

/* The row in `dead`: 1, 0 if there is none, or -1. The ID goes first: a task
 * may have been given one that looks like a made-up name. */
static int
find_dead(struct tx *tx, int64_t queue, struct slice key, int64_t *ret_number,
	  struct err *err)
{
	enum statement_index sql = SQL_DEAD_FIND;
	int more = tx_first(tx, err, sql, queue, key);

	if (more == 0) {
		sql = SQL_DEAD_NAMELESS;
		more = tx_first(tx, err, sql, queue, made_up(key));
	}
	if (more == 1) {
		*ret_number = tx_int(tx, sql, 0);
		tx_end(tx, sql);
	}
	return more;
}

/* Behind those that wait in its level: it is a new task to the queue. Its
 * record goes with it, so that a search by ID finds it. */
static int
put_again(struct tx *tx, int64_t queue, const struct broker_requeue *e,
	  struct err *err)
{
	const int64_t serial = sdelay_serial_run(tx, queue, err);
	int64_t number;

	if (serial < 0)
		return -1;
	number = schema_number(queue, serial);
	if (tx_run(tx, err, SQL_TASK_ADD, number, e->retry_bytes) < 0 ||
	    tx_run(tx, err, SQL_WAITING_ADD, queue, (int64_t)e->priority,
		   serial, number, INT64_C(0)) < 0 ||
	    tx_run(tx, err, SQL_QUEUE_GROW, queue, INT64_C(1)) < 0 ||
	    srecord_move_run(tx, e->key, number, err) < 0)
		return -1;
	return 0;
}

/* All of a batch is one transaction, so that an error leaves each where it
 * was. */
static int
srequeue_one(struct tx *tx, int64_t queue, struct broker_requeue *e,
	     struct err *err)
{
	int64_t number;
	int found = find_dead(tx, queue, e->key, &number, err);

	if (found < 0)
		return -1;
	e->found = found == 1;
	if (!e->found)
		return 0;
	if (tx_run(tx, err, SQL_DEAD_DROP, number) < 0)
		return -1;
	return e->retry_bytes.len > 0 ? put_again(tx, queue, e, err) : 0;
}

/* Workers are woken once for the whole batch, and after it: they see all of
 * it. */
static int
srequeue_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct dead_job *x = container_of(job, struct dead_job, job);
	int64_t queue;
	int known;
	size_t i;

	/* A job may run again from the start. */
	for (i = 0; i < x->n; i++)
		x->requeue[i].found = false;
	known = sadmin_queue_run(tx, slice_of(x->queue), &queue, err);
	if (known <= 0)
		return known;
	for (i = 0; i < x->n; i++)
		if (srequeue_one(tx, queue, &x->requeue[i], err) != 0)
			return -1;
	return swake_queue_run(tx, queue, err);
}

static void
requeue_fail(const struct dead_job *x, size_t i, const struct err *err)
{
	x->requeue[i].err = *err;
	x->requeue[i].found = false;
}

static void
requeue_tell(const struct dead_job *x)
{
	x->on_requeued(x->requeue, x->n, x->arg);
}

void
sadmin_requeue(struct broker *broker, struct slice queue,
	       struct broker_requeue *batch, size_t n,
	       broker_requeued_fn *on_done, void *arg)
{
	static const struct dead_kind kind = {srequeue_run, true, requeue_fail,
					      requeue_tell};
	const struct dead_job what = {.kind = &kind,
				      .n = n,
				      .arg = arg,
				      .requeue = batch,
				      .on_requeued = on_done};

	dead_begin(broker, queue, &what);
}

/* --- adding --------------------------------------------------------------- */

static int
sadd_dead_one(struct tx *tx, int64_t queue, struct broker_dead *e,
	      struct err *err)
{
	int found = tx_first(tx, err, SQL_DEAD_FIND, queue, e->key);

	if (found < 0)
		return -1;
	if (found == 1)
		tx_end(tx, SQL_DEAD_FIND);
	e->added = found == 0;
	return e->added && tx_run(tx, err, SQL_DEAD_ADD, queue, e->time_ms,
				  e->key, e->bytes, e->info) < 0
		   ? -1
		   : 0;
}

/* A queue that is not there yet is made. */
static int
sadd_dead_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct dead_job *x = container_of(job, struct dead_job, job);
	const struct slice name = slice_of(x->queue);
	int64_t queue;
	size_t i;

	if (tx_run(tx, err, SQL_QUEUE_ADD, name) < 0 ||
	    sadmin_queue_run(tx, name, &queue, err) < 0)
		return -1;
	for (i = 0; i < x->n; i++)
		if (sadd_dead_one(tx, queue, &x->dead[i], err) != 0)
			return -1;
	return 0;
}

static void
add_dead_fail(const struct dead_job *x, size_t i, const struct err *err)
{
	x->dead[i].err = *err;
	x->dead[i].added = false;
}

static void
add_dead_tell(const struct dead_job *x)
{
	x->on_dead(x->dead, x->n, x->arg);
}

void
sadmin_add_dead(struct broker *broker, struct slice queue,
		struct broker_dead *batch, size_t n, broker_dead_fn *on_done,
		void *arg)
{
	static const struct dead_kind kind = {sadd_dead_run, false,
					      add_dead_fail, add_dead_tell};
	const struct dead_job what = {.kind = &kind,
				      .n = n,
				      .arg = arg,
				      .dead = batch,
				      .on_dead = on_done};

	dead_begin(broker, queue, &what);
}
