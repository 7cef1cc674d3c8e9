/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: a place that a limit has freed is for one of the workers that wait
 * for the queue (limits_leave.c). One that was woken for it, but has no room any more,
 * wakes the next one.
 *
 * A wake-up does not say what it is for: the database does, since a worker that was
 * woken for a queue is not among those that wait for it.
 */
#include "store/sqlite/broker.h"

static int
spass_queue_run(struct tx *tx, struct squeue *q, struct err *err)
{
	const struct slice sock = tx_wake_socket(tx, err);
	int64_t queue;
	int waits;

	q->passed = false;
	if (sock.p == NULL)
		return -1;
	if ((waits = tx_first(tx, err, SQL_QUEUE_FIND, slice_of(q->name))) <= 0)
		return waits;
	queue = tx_int(tx, SQL_QUEUE_FIND, 0);
	tx_end(tx, SQL_QUEUE_FIND);
	waits = tx_any(tx, err, SQL_QUEUE_WAITER_IS, queue, sock);
	q->passed = waits == 0;
	return waits == 0  ? swake_some_run(tx, queue, 1, err)
	       : waits < 0 ? -1
			   : 0;
}

static int
spass_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct sbroker *b = container_of(job, struct sbroker, passing.job);
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		if (b->queues[i].passing &&
		    spass_queue_run(tx, &b->queues[i], err) != 0)
			return -1;
	return 0;
}

static void
spass_done(struct database_job *job, const struct err *err)
{
	struct sbroker *b = container_of(job, struct sbroker, passing.job);
	unsigned int i;

	(void)err; /* it is tried until it succeeds */
	b->passing.under_way = false;
	for (i = 0; i < b->n_queues; i++)
		if (b->queues[i].passing && b->queues[i].passed &&
		    b->queues[i].more)
			b->queues[i].drained = false;
	if (b->passing.again)
		spass_on(b);
}

void
spass_on(struct sbroker *b)
{
	struct squeue *q;
	unsigned int i, n = 0;

	b->passing.again = b->passing.under_way;
	if (b->passing.under_way)
		return;
	for (i = 0; i < b->n_queues; i++) {
		q = &b->queues[i];
		q->passing = q->limited && q->drained && q->wanted == 0;
		n += q->passing;
	}
	if (n == 0)
		return;
	b->passing.under_way = true;
	database_post(&b->user, &b->passing.job);
}

void
spass_init(struct sbroker *b)
{
	b->passing.job = (struct database_job){
	    .run = spass_run, .done = spass_done, .must = true};
}
