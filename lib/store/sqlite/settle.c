/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: ending claims, where a task's way ends or turns back.
 * Every settlement begins by taking the task off the record of what is in
 * flight with this worker, and does nothing if it is not there: another worker
 * took us for dead and has put it back, or the settlement was carried out
 * before.
 *
 * That a task is done with, or goes back as it was, need not be flushed before
 * it is confirmed: what a power cut takes back is found in flight by the
 * worker's next start, which knows by the record that it had finished.
 */
#include <stdlib.h>

#include "store/sqlite/broker.h"
#include "store/sqlite/record.h"

/* As many as the I/O thread puts into one transaction. */
#define SETTLE_MAX 1000

/* --- in the I/O thread ------------------------------------------------- */

/*
 * The task itself goes. Its final record was stored before, most of the time; where
 * it was not, by this process at least, the record may still be made of the task's
 * bytes, and is kept: a producer may have its records here though this worker has
 * not.
 */
static int
settle_drop_task(struct tx *tx, const struct sclaim *c, struct err *err)
{
	struct slice bytes = c->pub.bytes;
	int kept = 0;

	if (!c->recorded) {
		/* Of a large one the claim has the ends alone. */
		if (c->pub.whole > 0) {
			if (tx_first(tx, err, SQL_TASK_GET, c->number) < 0)
				return -1;
			bytes = tx_bytes(tx, SQL_TASK_GET, 0);
		}
		kept = srecord_keep_run(tx, c->number, bytes, err);
		if (c->pub.whole > 0)
			tx_end(tx, SQL_TASK_GET);
	}
	return kept < 0 || tx_run(tx, err, SQL_TASK_DROP, c->number) < 0 ? -1
									 : 0;
}

static int
settle_ack(struct tx *tx, struct sclaim *c, struct err *err)
{
	int changed =
	    tx_run(tx, err, SQL_INFLIGHT_DROP, c->broker->worker_id, c->number);

	if (changed <= 0)
		return changed;
	return settle_drop_task(tx, c, err);
}

/*
 * The new bytes (they count the attempts) go into the task's row. Without a
 * delay it goes back under its old seq: there is nobody before it, so it is
 * first again. If the task is not ours any more, its bytes stay as they are.
 */
static int
settle_retry(struct tx *tx, struct sclaim *c, const struct broker_settle *s,
	     struct err *err)
{
	const int64_t worker_id = c->broker->worker_id;
	int changed;

	if ((changed = sclaim_find_run(tx, &c->pub, err)) <= 0)
		return changed;
	if (tx_run(tx, err, SQL_TASK_SET, c->number, s->retry_bytes) < 0)
		return -1;
	if (s->delay_ms <= 0)
		return sclaim_put_back_run(tx, err, worker_id, c, s->priority,
					   false);
	changed = tx_run(tx, err, SQL_INFLIGHT_DROP, worker_id, c->number);
	if (changed <= 0)
		return changed;
	if (sdelay_add_run(tx,
			   &(struct sdelayed){.queue = c->queue,
					      .number = c->number,
					      .priority = c->priority,
					      .delay_ms = s->delay_ms},
			   err) < 0 ||
	    tx_run(tx, err, SQL_QUEUE_GROW, c->queue, (int64_t)1) < 0)
		return -1;
	/* The workers that wait set their timers for it. */
	return swake_queue_run(tx, c->queue, err);
}

/* The dead list keeps a copy, under the task's ID, until it is purged. */
static int
settle_bury(struct tx *tx, struct sclaim *c, const struct broker_settle *s,
	    struct err *err)
{
	struct slice id = s->id;
	int changed =
	    tx_run(tx, err, SQL_INFLIGHT_DROP, c->broker->worker_id, c->number);

	if (changed <= 0)
		return changed;
	if (s->salvaged) {
		if ((changed = tx_first(tx, err, SQL_DEAD_FIND, c->queue, id)) <
		    0)
			return -1;
		if (changed == 1) {
			tx_end(tx, SQL_DEAD_FIND);
			id = SLICE("");
		}
	}
	/* What was too large to be read is copied within the database. */
	changed = c->pub.whole > 0
		      ? tx_run(tx, err, SQL_DEAD_COPY, c->queue, tx_now(tx), id,
			       s->info, c->number)
		      : tx_run(tx, err, SQL_DEAD_ADD, c->queue, tx_now(tx), id,
			       c->pub.bytes, s->info);
	return changed < 0 ? -1 : settle_drop_task(tx, c, err);
}

/* Who can run it, the database tells: in the same transaction. */
static int
settle_aside(struct tx *tx, struct sclaim *c, const struct broker_settle *s,
	     struct err *err)
{
	bool served;
	int changed = slanes_set_aside_run(tx, c, s->lane, &served, err);

	return changed < 0 || served ? changed : settle_retry(tx, c, s, err);
}

static int
settle_one(struct tx *tx, const struct broker_settle *s, struct err *err)
{
	struct sclaim *c = container_of(s->claim, struct sclaim, pub);

	switch (s->disposition) {
	case BROKER_ACK:
		return settle_ack(tx, c, err);
	case BROKER_RETRY:
		return settle_retry(tx, c, s, err);
	case BROKER_RELEASE:
		return sclaim_put_back_run(tx, err, c->broker->worker_id, c,
					   s->priority, false);
	case BROKER_BURY:
		return settle_bury(tx, c, s, err);
	case BROKER_SET_ASIDE:
		return settle_aside(tx, c, s, err);
	}
	return 0;
}

/* Those that are done with, and whose records are on record: together, as far as
 * they follow one another. */
static int
settle_together(struct tx *tx, struct sclaim **claims, size_t n,
		struct err *err)
{
	size_t dropped;

	sclaims_sort(claims, n);
	while (n > 0) {
		if (sclaims_drop_run(tx, claims, n, &dropped, err) != 0)
			return -1;
		/* Not all are ours any more: one by one. */
		if (dropped == 0) {
			if (settle_ack(tx, claims[0], err) < 0)
				return -1;
			dropped = 1;
		}
		claims += dropped;
		n -= dropped;
	}
	return 0;
}

static int
settle_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct settling *settling = container_of(job, struct settling, job);
	struct sclaim *claims[SETTLE_MAX], *c;
	const struct broker_settle *s;
	struct pending *p;
	size_t n = 0;

	TAILQ_FOREACH (p, &settling->sent, link) {
		s = container_of(p, struct broker_settle, pending);
		claims[n++] = container_of(s->claim, struct sclaim, pub);
	}
	if (slimits_leave_all_run(tx, claims, n, err) != 0)
		return -1;
	n = 0;
	TAILQ_FOREACH (p, &settling->sent, link) {
		s = container_of(p, struct broker_settle, pending);
		c = container_of(s->claim, struct sclaim, pub);
		if (s->disposition == BROKER_ACK && c->recorded)
			claims[n++] = c;
		else if (settle_one(tx, s, err) < 0)
			return -1;
	}
	return settle_together(tx, claims, n, err);
}

/* --- on the loop ------------------------------------------------------- */

/* Posts what waits as one job, unless one is under way: what comes meanwhile is
 * collected for the next, so a busy worker settles in large batches. */
static void
settle_push(struct sbroker *b)
{
	struct settling *settling = &b->settling;
	struct broker_settle *s;
	struct pending *p;

	if (settling->under_way || TAILQ_EMPTY(&settling->waiting))
		return;
	settling->job.rows = 0;
	settling->job.sync = DATABASE_SOON;
	while (settling->job.rows < SETTLE_MAX &&
	       (p = TAILQ_FIRST(&settling->waiting)) != NULL) {
		TAILQ_REMOVE(&settling->waiting, p, link);
		TAILQ_INSERT_TAIL(&settling->sent, p, link);
		settling->job.rows++;
		s = container_of(p, struct broker_settle, pending);
		/* These say more than what is on record already. */
		if (s->disposition == BROKER_RETRY ||
		    s->disposition == BROKER_BURY)
			settling->job.sync = DATABASE_NOW;
	}
	settling->under_way = true;
	database_post(&b->user, &settling->job);
}

static void
settle_done(struct database_job *job, const struct err *err)
{
	struct settling *settling = container_of(job, struct settling, job);
	struct sbroker *b = container_of(settling, struct sbroker, settling);
	struct pending_list sent = TAILQ_HEAD_INITIALIZER(sent);
	struct broker_settle *s;
	struct pending *p;
	struct sclaim *c;

	(void)err; /* it is tried until it succeeds */
	settling->under_way = false;
	/* Off the list before callbacks settle more, which settle_push() would
	 * send. */
	TAILQ_CONCAT(&sent, &settling->sent, link);
	settle_push(b);
	while ((p = TAILQ_FIRST(&sent)) != NULL) {
		TAILQ_REMOVE(&sent, p, link);
		settling->count--;
		s = container_of(p, struct broker_settle, pending);
		c = container_of(s->claim, struct sclaim, pub);
		TAILQ_REMOVE(&b->claims, c, link);
		free(c);
		s->claim = NULL;
		s->on_done(s);
	}
}

void
ssettle_init(struct sbroker *b)
{
	TAILQ_INIT(&b->settling.waiting);
	TAILQ_INIT(&b->settling.sent);
	b->settling.job.run = settle_run;
	b->settling.job.done = settle_done;
	b->settling.job.must = true;
}

void
sbroker_settle(struct broker *broker, struct broker_settle *settle)
{
	struct sbroker *b = (struct sbroker *)broker;

	container_of(settle->claim, struct sclaim, pub)->settling = true;
	TAILQ_INSERT_TAIL(&b->settling.waiting, &settle->pending, link);
	b->settling.count++;
	settle_push(b);
}

size_t
sbroker_unsettled(const struct broker *broker)
{
	return ((const struct sbroker *)broker)->settling.count;
}
