/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: the state of its queues and of its workers, and what the
 * other admin files need.
 *
 * The I/O thread fills the structs of the contract, within the query; the loop
 * hands them to the caller and frees them.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/salvage.h"
#include "codec/scan.h"
#include "codec/task_json.h"
#include "store/sqlite/admin.h"
#include "util/sat.h"

/* To find who has waited longest, the first task of each level is looked at: at
 * most this many, and this many bytes, which take some milliseconds. Of
 * more levels than that, the others are left out. */
#define LEVELS_MAX 64
#define LEVELS_BYTES (4u << 20)
/* Room for as many rows at first: most installations have fewer queues and
 * workers. */
#define FIRST_ROWS 16

/* --- queues and tasks -------------------------------------------------- */

int
sadmin_queue_run(struct tx *tx, struct slice name, int64_t *ret_id,
		 struct err *err)
{
	int more = tx_first(tx, err, SQL_QUEUE_FIND, name);

	if (more != 1)
		return more;
	*ret_id = tx_int(tx, SQL_QUEUE_FIND, 0);
	tx_end(tx, SQL_QUEUE_FIND);
	return 1;
}

/* Reads one field of a task without decoding the rest: tasks may be large, and
 * other programs' tasks may lack what task_decode() insists on. */
static int
read_field(const struct field *field, struct slice bytes, struct buf *scratch,
	   void *ret)
{
	const struct fields_in in = {.table = field,
				     .n = 1,
				     .max_depth = TASK_DEPTH_MAX,
				     .scratch = scratch};

	return fields_read(&in, bytes, ret, NULL);
}

int64_t
sadmin_submitted_us(struct slice bytes)
{
	static const struct field field = {.name = {"submitted_at", 12},
					   .type = FIELD_TIME};
	struct buf scratch = BUF_INIT;
	int64_t us = 0;

	if (read_field(&field, bytes, &scratch, &us) != 0)
		us = 0;
	buf_done(&scratch);
	return us;
}

bool
sadmin_has_id(struct slice bytes, struct slice id)
{
	static const struct field field = {.name = {"id", 2},
					   .type = FIELD_TEXT};
	struct buf scratch = BUF_INIT;
	struct slice found = {NULL, 0};
	struct task *task;
	bool has;

	/* Most can be told apart without a look at the whole. */
	if (memmem(bytes.p, bytes.len, id.p, id.len) == NULL &&
	    memchr(bytes.p, '\\', bytes.len) == NULL)
		return false;
	if (read_field(&field, bytes, &scratch, &found) == 0) {
		has = slice_eq(found, id);
	} else {
		/* No task that a worker takes, but it may be this one. */
		task = task_salvage(bytes, (struct slice){NULL, 0});
		has = task != NULL && slice_eq(slice_of(task->id), id);
		task_free(task);
	}
	buf_done(&scratch);
	return has;
}

/* --- queues ------------------------------------------------------------ */

/* Columns of QUEUES_SURVEY and QUEUE_SURVEY. */
enum {
	ID,
	NAME,
	WAITING,
	DELAYED,
	DEAD,
	PAUSED,
	DUE,
	IN_FLIGHT,
	SET_ASIDE,
	HELD
};

/* The I/O thread's while the job is under way; `stats` grows there. */
struct queue_query {
	struct database_job job;
	broker_queues_fn *on_queues;
	void *arg;
	char queue[TASK_QUEUE_MAX + 1]; /* empty: all */
	/* The answer. */
	struct queue_stats *stats;
	size_t n, size;
};

/* When the one that has waited longest in its level was submitted; 0: none, or
 * it does not say. */
static int
find_oldest(struct tx *tx, int64_t queue, int64_t *ret_us, struct err *err)
{
	int64_t priority = INT64_MIN, us;
	size_t looked_at = 0;
	struct slice bytes;
	int i, more = 1;

	*ret_us = 0;
	for (i = 0; i < LEVELS_MAX && looked_at < LEVELS_BYTES; i++) {
		more = tx_first(tx, err, SQL_WAITING_HEAD, queue, priority);
		if (more != 1)
			break;
		priority = tx_int(tx, SQL_WAITING_HEAD, 0);
		bytes = tx_bytes(tx, SQL_WAITING_HEAD, 1);
		us = sadmin_submitted_us(bytes);
		looked_at += bytes.len;
		tx_end(tx, SQL_WAITING_HEAD);
		if (us > 0 && (*ret_us == 0 || us < *ret_us))
			*ret_us = us;
	}
	return more < 0 ? -1 : 0;
}

/* The array, moved if it must be to have room for n + 1 items; NULL with *err:
 * it is as it was. */
static void *
grow(void *array, size_t n, size_t *size, size_t each, struct err *err)
{
	const size_t more = *size > 0 ? 2 * *size : FIRST_ROWS;
	void *moved;

	if (n < *size)
		return array;
	if ((moved = reallocarray(array, more, each)) == NULL)
		err_nomem(err);
	else
		*size = more;
	return moved;
}

static struct queue_stats *
add_stats(struct queue_query *q, struct slice name, struct err *err)
{
	struct queue_stats *all =
	    grow(q->stats, q->n, &q->size, sizeof(*all), err);
	struct queue_stats *s;

	if (all == NULL)
		return NULL;
	q->stats = all;
	s = &all[q->n++];
	*s = (struct queue_stats){.waiting = 0};
	memcpy(s->name, name.p, name.len);
	return s;
}

/* How many there are, of what the database counts. */
static int64_t
count_of(struct tx *tx, enum statement_index sql, int column)
{
	return sat_clamp(tx_int(tx, sql, column), 0, INT64_MAX);
}

static int
add_queue(struct queue_query *q, struct tx *tx, enum statement_index sql,
	  struct err *err)
{
	const struct slice name = tx_bytes(tx, sql, NAME);
	struct queue_stats *s;
	int64_t due_ms;

	/* Another program may have put anything there. */
	if (!task_name_valid(name, TASK_QUEUE_MAX))
		return 0;
	if ((s = add_stats(q, name, err)) == NULL)
		return -1;
	s->waiting = count_of(tx, sql, WAITING);
	s->delayed = count_of(tx, sql, DELAYED);
	s->in_flight = count_of(tx, sql, IN_FLIGHT);
	s->dead = count_of(tx, sql, DEAD);
	/* A task that waits for others has no time. */
	due_ms = sat_clamp(tx_int(tx, sql, DUE), 0, BROKER_HELD_MS);
	s->next_due_us = due_ms < BROKER_HELD_MS ? due_ms * 1000 : 0;
	s->paused = tx_int(tx, sql, PAUSED) != 0;
	s->set_aside = count_of(tx, sql, SET_ASIDE);
	s->held = count_of(tx, sql, HELD);
	if (slanes_unknown_run(tx, tx_int(tx, sql, ID), &s->unknown, err) != 0)
		return -1;
	return find_oldest(tx, tx_int(tx, sql, ID), &s->oldest_us, err);
}

static void
drop_stats(struct queue_query *q)
{
	while (q->n > 0)
		free((char *)q->stats[--q->n].unknown.p);
}

static int
queues_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct queue_query *q = container_of(job, struct queue_query, job);
	const struct slice name = slice_of(q->queue);
	const enum statement_index sql =
	    name.len > 0 ? SQL_QUEUE_SURVEY : SQL_QUEUES_SURVEY;
	int more;

	/* A job may run again from the start. */
	drop_stats(q);
	more = name.len > 0 ? tx_first(tx, err, sql, name)
			    : tx_first(tx, err, sql);
	for (; more == 1; more = tx_next(tx, err, sql))
		if (add_queue(q, tx, sql, err) != 0)
			return -1;
	/* One that nobody has named is empty. */
	if (more == 0 && q->n == 0 && name.len > 0 &&
	    add_stats(q, name, err) == NULL)
		return -1;
	return more;
}

static void
queues_drop(struct database_job *job)
{
	struct queue_query *q = container_of(job, struct queue_query, job);

	drop_stats(q);
	free(q->stats);
	free(q);
}

static void
queues_done(struct database_job *job, const struct err *err)
{
	struct queue_query *q = container_of(job, struct queue_query, job);

	if (err == NULL)
		q->on_queues(q->stats, q->n, NULL, q->arg);
	else
		q->on_queues(NULL, 0, err, q->arg);
	queues_drop(job);
}

static void
sadmin_queues(struct broker *b, struct slice queue, broker_queues_fn *on_queues,
	      void *arg)
{
	struct queue_query *q = calloc(1, sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_queues(NULL, 0, &err, arg);
		return;
	}
	q->job = (struct database_job){.run = queues_run,
				       .done = queues_done,
				       .drop = queues_drop,
				       .reads = true};
	q->on_queues = on_queues;
	q->arg = arg;
	if (queue.len > 0)
		memcpy(q->queue, queue.p, queue.len);
	database_post(&((struct sbroker *)b)->user, &q->job);
}

/* --- workers ----------------------------------------------------------- */

/* As struct queue_query. */
struct worker_query {
	struct database_job job;
	broker_workers_fn *on_workers;
	void *arg;
	/* The answer; the descriptions are ours to free. */
	struct worker_info *workers;
	size_t n, size;
};

static void
forget_workers(struct worker_query *q)
{
	while (q->n > 0)
		free((char *)q->workers[--q->n].description.p);
}

/* A worker lives while its heartbeat has not expired, and its lock file is
 * held: a process that was killed is known to be dead at once. */
static int
add_worker(struct worker_query *q, struct tx *tx, struct err *err)
{
	const enum statement_index sql = SQL_WORKERS_SURVEY;
	const struct slice name = tx_bytes(tx, sql, 1);
	const struct slice description = tx_bytes(tx, sql, 2);
	struct scan_value value;
	struct worker_info *all, *w;
	char *copy;

	if (!task_id_valid(name))
		return 0;
	all = grow(q->workers, q->n, &q->size, sizeof(*all), err);
	if (all == NULL)
		return -1;
	q->workers = all;
	w = &all[q->n++];
	*w = (struct worker_info){.alive = false};
	memcpy(w->name, name.p, name.len);
	w->alive = tx_int(tx, sql, 3) > tx_now(tx) &&
		   !stakeover_is_dead(tx, tx_int(tx, sql, 0));
	w->frozen = !w->alive && stakeover_is_there(tx, tx_int(tx, sql, 0));
	w->in_flight = count_of(tx, sql, 4);
	if (scan_check(description, TASK_DEPTH_MAX, &value, NULL) != 0)
		return 0;
	if ((copy = strndup(description.p, description.len)) == NULL)
		return err_nomem(err);
	w->description = (struct slice){copy, description.len};
	return 0;
}

static int
workers_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct worker_query *q = container_of(job, struct worker_query, job);
	int more;

	/* A job may run again from the start. */
	forget_workers(q);
	more = tx_first(tx, err, SQL_WORKERS_SURVEY);
	for (; more == 1; more = tx_next(tx, err, SQL_WORKERS_SURVEY))
		if (add_worker(q, tx, err) != 0)
			return -1;
	return more;
}

static void
workers_drop(struct database_job *job)
{
	struct worker_query *q = container_of(job, struct worker_query, job);

	forget_workers(q);
	free(q->workers);
	free(q);
}

static void
workers_done(struct database_job *job, const struct err *err)
{
	struct worker_query *q = container_of(job, struct worker_query, job);

	if (err == NULL)
		q->on_workers(q->workers, q->n, NULL, q->arg);
	else
		q->on_workers(NULL, 0, err, q->arg);
	workers_drop(job);
}

static void
sadmin_workers(struct broker *b, broker_workers_fn *on_workers, void *arg)
{
	struct worker_query *q = calloc(1, sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_workers(NULL, 0, &err, arg);
		return;
	}
	q->job = (struct database_job){.run = workers_run,
				       .done = workers_done,
				       .drop = workers_drop,
				       .reads = true};
	q->on_workers = on_workers;
	q->arg = arg;
	database_post(&((struct sbroker *)b)->user, &q->job);
}

/* --- deferred calls ---------------------------------------------------- */

/* A call that waits for its turn behind the jobs that were posted before, so
 * that answers keep the order of the calls. */
struct sdeferred {
	struct database_job job;
	broker_deferred_fn *fn;
	void *arg;
};

/* The job asks nothing of the database: it only takes its turn. */
static int
sdeferred_run(struct database_job *job, struct tx *tx, struct err *err)
{
	return 0;
}

static void
sdeferred_done(struct database_job *job, const struct err *err)
{
	struct sdeferred *d = container_of(job, struct sdeferred, job);
	const struct sdeferred call = *d;

	free(d);
	call.fn(call.arg, false);
}

static void
sdeferred_drop(struct database_job *job)
{
	struct sdeferred *d = container_of(job, struct sdeferred, job);

	d->fn(d->arg, true);
	free(d);
}

static int
sadmin_defer(struct broker *b, broker_deferred_fn *fn, void *arg)
{
	struct sdeferred *d = malloc(sizeof(*d));

	if (d == NULL)
		return -1;
	*d = (struct sdeferred){.job = {.run = sdeferred_run,
					.done = sdeferred_done,
					.drop = sdeferred_drop,
					.reads = true},
				.fn = fn,
				.arg = arg};
	database_post(&((struct sbroker *)b)->user, &d->job);
	return 0;
}

const struct broker_admin_ops broker_sqlite_admin = {
    .defer = sadmin_defer,
    .queues = sadmin_queues,
    .workers = sadmin_workers,
    .find = sadmin_find,
    .view = sadmin_view,
    .examine = sadmin_examine,
    .try = sadmin_try,
    .pause = sadmin_pause,
    .limits_get = sadmin_limits_get,
    .limits_change = sadmin_limits_change,
    .limits_declare = sadmin_limits_declare,
    .purge = sadmin_purge,
    .remove = sadmin_remove,
    .hasten = sadmin_hasten,
    .send_off = sadmin_send_off,
    .requeue = sadmin_requeue,
    .add_dead = sadmin_add_dead,
};
