/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: which queues have tasks at a place. Each worker names its
 * queues when it starts, so that none is missing here.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/admin.h"
#include "util/sat.h"

_Static_assert(BROKER_WAITING == 0 && BROKER_DELAYED == 1 && BROKER_DEAD == 3,
	       "the numbers that the statement has");

/* The I/O thread's while the job is under way; `found` grows there. */
struct find_query {
	struct database_job job;
	broker_found_fn *on_found;
	void *arg;
	enum broker_location place;
	/* The answer. */
	struct queue_found *found;
	size_t n, size;
};

static int
find_add(struct find_query *q, struct tx *tx, struct err *err)
{
	const struct slice name = tx_bytes(tx, SQL_QUEUES_FIND, 0);
	const size_t size = q->size > 0 ? 2 * q->size : 64;
	struct queue_found *one;

	/* Another program may have put anything there. */
	if (!task_name_valid(name, TASK_QUEUE_MAX))
		return 0;
	if (q->n == q->size) {
		one = reallocarray(q->found, size, sizeof(*one));
		if (one == NULL)
			return err_nomem(err);
		q->found = one;
		q->size = size;
	}
	one = &q->found[q->n++];
	*one = (struct queue_found){
	    .newest_ms = sat_clamp(tx_int(tx, SQL_QUEUES_FIND, 1), 0,
				   BROKER_TIME_MAX_MS)};
	memcpy(one->name, name.p, name.len);
	return 0;
}

static int
find_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct find_query *q = container_of(job, struct find_query, job);
	int more;

	/* A job may run again from the start. */
	q->n = 0;
	more = tx_first(tx, err, SQL_QUEUES_FIND, (int64_t)q->place);
	for (; more == 1; more = tx_next(tx, err, SQL_QUEUES_FIND))
		if (find_add(q, tx, err) != 0)
			return -1;
	return more;
}

static void
find_drop(struct database_job *job)
{
	struct find_query *q = container_of(job, struct find_query, job);

	free(q->found);
	free(q);
}

static void
find_done(struct database_job *job, const struct err *err)
{
	struct find_query *q = container_of(job, struct find_query, job);

	if (err == NULL)
		q->on_found(q->found, q->n, NULL, q->arg);
	else
		q->on_found(NULL, 0, err, q->arg);
	find_drop(job);
}

void
sadmin_find(struct broker *b, enum broker_location place,
	    broker_found_fn *on_found, void *arg)
{
	struct find_query *q = calloc(1, sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_found(NULL, 0, &err, arg);
		return;
	}
	q->job = (struct database_job){.run = find_run,
				       .done = find_done,
				       .drop = find_drop,
				       .reads = true};
	q->on_found = on_found;
	q->arg = arg;
	q->place = place;
	database_post(&((struct sbroker *)b)->user, &q->job);
}
