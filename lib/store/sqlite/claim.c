/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: taking tasks.
 *
 * One job at a time takes what is wanted from all queues that may hold
 * something. A queue that had less, or is paused, is `drained`: in the same
 * transaction this worker's wake socket was written among those that wait for
 * the queue, so a process that puts something in, or resumes it, wakes us. Due
 * tasks are promoted in the transaction that claims them.
 *
 * Claims are not flushed to disk before they are handed over. One that a power
 * cut takes back leaves its task waiting, as if it had never been claimed; and
 * all that follows from the claim, a result or a retry, is a later commit in
 * the same log, so it cannot be on disk without the claim.
 */
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "store/sqlite/blobs.h"
#include "store/sqlite/broker.h"
#include "store/sqlite/unique.h"
#include "util/clock.h"

/* What one claim of a queue takes at most, and the bytes of one job: half the
 * rows, and all the bytes, that the I/O thread puts into a transaction (io.c).
 */
#define CLAIM_MAX 512
#define CLAIM_BYTES (4u << 20)

/* --- in the I/O thread ------------------------------------------------- */

/* Columns of WAITING_FIRST and INFLIGHT_OF; the fourth is whether the task was
 * recovered, or its queue. */
enum { PRIORITY, SEQ, NUMBER, FOURTH, SIZE, BYTES };

/* 0 for a task that can be read as a whole, else how many bytes of each end. */
static size_t
large_end(const struct sbroker *b, uint64_t size)
{
	if (size <= b->opt.max_task)
		return 0;
	return size / 2 < BROKER_SAMPLE ? (size_t)size / 2 : BROKER_SAMPLE;
}

/* Appends both ends of the task to its claim, which has room for them. */
static int
read_ends(struct tx *tx, struct sclaim *c, size_t size, struct err *err)
{
	struct slice part;
	int i;

	if (tx_first(tx, err, SQL_TASK_ENDS, c->number, (int64_t)size) < 0)
		return -1;
	for (i = 0; i < 2; i++) {
		part = tx_bytes(tx, SQL_TASK_ENDS, i);
		/* Of a text, which another program has stored, SQLite counts
		 * characters, and these may be more bytes. */
		if (part.len > size && i > 0)
			part.p += part.len - size;
		if (part.len > size)
			part.len = size;
		if (part.len == 0)
			continue;
		memcpy(c->bytes + c->pub.bytes.len, part.p, part.len);
		c->pub.bytes.len += part.len;
	}
	tx_end(tx, SQL_TASK_ENDS);
	return 0;
}

/* With what is behind it in memory: the bytes, both ends of what is too large, what
 * the task shares. */
static struct sclaim *
claim_new(struct sbroker *b, struct slice bytes, size_t end,
	  const struct buf *blob)
{
	struct sclaim *c = malloc(sizeof(*c) + bytes.len + 2 * end + blob->len);

	if (c == NULL || blob->failed) {
		free(c);
		return NULL;
	}
	*c = (struct sclaim){.broker = b};
	if (bytes.len > 0)
		memcpy(c->bytes, bytes.p, bytes.len);
	c->pub.bytes = (struct slice){c->bytes, bytes.len};
	if (blob->len > 0) {
		memcpy(c->bytes + bytes.len, blob->data, blob->len);
		c->pub.blob = (struct slice){c->bytes + bytes.len, blob->len};
	}
	return c;
}

struct sclaim *
sclaim_from_row(struct sbroker *b, struct tx *tx, enum statement_index row,
		struct err *err)
{
	const int64_t size = tx_int(tx, row, SIZE);
	struct slice bytes = {NULL, 0};
	struct buf blob = BUF_INIT;
	struct sclaim *c;

	/* Of what is too large only the ends are read, which may be half of it
	 * each. */
	const size_t end = large_end(b, (uint64_t)size);

	if (end == 0)
		bytes = tx_bytes(tx, row, BYTES);
	if (sblobs_of_run(tx, bytes, &blob, err) < 0) {
		buf_done(&blob);
		return NULL;
	}
	c = claim_new(b, bytes, end, &blob);
	buf_done(&blob);
	if (c == NULL) {
		err_nomem(err);
		return NULL;
	}
	c->number = tx_int(tx, row, NUMBER);
	c->priority = tx_int(tx, row, PRIORITY);
	c->seq = tx_int(tx, row, SEQ);
	if (end == 0)
		return c;
	c->pub.whole = (size_t)size;
	if (read_ends(tx, c, end, err) == 0)
		return c;
	free(c);
	return NULL;
}

int
sclaim_put_back_run(struct tx *tx, struct err *err, int64_t worker_id,
		    const struct sclaim *c, int64_t priority, bool recovered)
{
	int changed;

	if (slimits_leave_run(tx, worker_id, c->number, c->queue, err) != 0)
		return -1;
	changed = tx_run(tx, err, SQL_INFLIGHT_DROP, worker_id, c->number);

	if (changed <= 0) /* 0: it went back before */
		return changed;
	if (tx_run(tx, err, SQL_WAITING_ADD, c->queue, priority, c->seq,
		   c->number, (int64_t)recovered) < 0 ||
	    tx_run(tx, err, SQL_QUEUE_GROW, c->queue, (int64_t)1) < 0)
		return -1;
	return swake_queue_run(tx, c->queue, err);
}

/* The queue's id; 0 with *err. A queue that does not exist yet is made: a
 * worker must be able to wait for it. */
static int64_t
claim_queue_id(struct tx *tx, const char *name, bool *ret_paused,
	       int64_t *ret_set_aside, bool *ret_limited, struct err *err)
{
	const struct slice key = slice_of(name);
	int64_t id;

	if (tx_first(tx, err, SQL_QUEUE_FIND, key) == 0 &&
	    (tx_run(tx, err, SQL_QUEUE_ADD, key) < 0 ||
	     tx_first(tx, err, SQL_QUEUE_FIND, key) < 0))
		return 0;
	id = tx_int(tx, SQL_QUEUE_FIND, 0);
	*ret_paused = tx_int(tx, SQL_QUEUE_FIND, 3) != 0;
	*ret_set_aside = tx_int(tx, SQL_QUEUE_FIND, 4);
	*ret_limited = tx_int(tx, SQL_QUEUE_FIND, 5) > 0 ||
		       tx_int(tx, SQL_QUEUE_FIND, 6) > 0;
	tx_end(tx, SQL_QUEUE_FIND);
	return id;
}

/* Reads the first tasks of a queue into `found`; how many, or -1. */
static int
claim_read_first(struct sbroker *b, struct tx *tx, unsigned int index,
		 int64_t queue, struct sclaims *found, struct err *err)
{
	struct claiming *claiming = &b->claiming;
	const int64_t asked = b->queues[index].asked;
	struct sclaim *c;
	int n = 0, more;

	more = tx_first(tx, err, SQL_WAITING_FIRST, queue, asked);
	while (more == 1 && claiming->budget > 0) {
		c = sclaim_from_row(b, tx, SQL_WAITING_FIRST, err);
		if (c == NULL)
			return -1;
		c->queue = queue;
		c->pub.queue = index;
		c->pub.recovered = tx_int(tx, SQL_WAITING_FIRST, FOURTH) != 0;
		TAILQ_INSERT_TAIL(found, c, link);
		/* The last one may exceed it, so that any task can be read. */
		claiming->budget -= c->pub.bytes.len < claiming->budget
					? c->pub.bytes.len
					: claiming->budget;
		n++;
		more = tx_next(tx, err, SQL_WAITING_FIRST);
	}
	if (more == 1)
		tx_end(tx, SQL_WAITING_FIRST);
	return more < 0 ? -1 : n;
}

/* Puts what was read on record as this worker's. From this commit on the task
 * is in `inflight`, so it is never lost: it is settled, or recovered. */
static int
record_claims(struct sbroker *b, struct tx *tx, struct sclaims *read,
	      struct err *err)
{
	const struct sclaim *c;

	if (sclaims_take_run(b, tx, read, err) != 0)
		return -1;
	TAILQ_FOREACH (c, read, link)
		if (sunique_start_run(tx, c, err) != 0)
			return -1;
	TAILQ_CONCAT(&b->claiming.found, read, link);
	return 0;
}

/* Those that were set aside for this worker, too: what is too much then stays
 * where it is. */
static int
claim_read_aside(struct sbroker *b, struct tx *tx, unsigned int index,
		 int64_t queue, struct sclaims *found, struct err *err)
{
	const int64_t asked = b->queues[index].asked;
	struct sclaims aside = TAILQ_HEAD_INITIALIZER(aside);
	struct sclaim *c, *next;
	int n = 0;

	if (slanes_read_run(b, tx, queue, asked, &aside, err) != 0) {
		sclaims_free(&aside);
		return -1;
	}
	TAILQ_FOREACH (c, &aside, link)
		c->pub.queue = index;
	sclaims_merge(found, &aside);
	for (c = TAILQ_FIRST(found); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (++n <= asked)
			continue;
		TAILQ_REMOVE(found, c, link);
		free(c);
	}
	return n < asked ? n : (int)asked;
}

/* Reads all of a queue's tasks before it changes any: a statement must not lose
 * the rows that it is showing. */
static int
claim_from(struct sbroker *b, struct tx *tx, unsigned int index,
	   struct err *err)
{
	struct sclaims read = TAILQ_HEAD_INITIALIZER(read);
	struct squeue *q = &b->queues[index];
	struct slimits_answer limits = {.more = false};
	bool paused = false, limited = false;
	int64_t aside = 0;
	const int64_t queue =
	    claim_queue_id(tx, q->name, &paused, &aside, &limited, err);
	int promoted, n = 0;
	struct slice sock;

	if (queue == 0 || (promoted = sdelay_promote_run(tx, queue, err)) < 0)
		return -1;
	q->limited = limited;
	if (!paused && limited)
		n = slimits_claim_run(b, tx, index, queue, &limits, err);
	else if (!paused)
		n = claim_read_first(b, tx, index, queue, &read, err);
	if (!paused && !limited && n >= 0 && aside > 0)
		n = claim_read_aside(b, tx, index, queue, &read, err);
	if (n < 0 || record_claims(b, tx, &read, err) != 0 ||
	    (n > 0 &&
	     tx_run(tx, err, SQL_QUEUE_GROW, queue, (int64_t)-n) < 0)) {
		sclaims_free(&read);
		return -1;
	}
	/* Not drained if a limit ended it: the next claim goes on at once. */
	q->drained = n < (int)q->asked && !limits.more &&
		     promoted < SDELAY_PROMOTE_MAX && b->claiming.budget > 0;
	if (q->drained &&
	    ((sock = tx_wake_socket(tx, err)).p == NULL ||
	     tx_run(tx, err, SQL_QUEUE_WAITER_ADD, queue, sock) < 0))
		return -1;
	if (sdelay_next_run(tx, queue, &q->next_due_ms, err) < 0)
		return -1;
	if (limits.next_ms > 0 &&
	    (q->next_due_ms == 0 || limits.next_ms < q->next_due_ms))
		q->next_due_ms = limits.next_ms;
	return 0;
}

static int
claim_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct sbroker *b = container_of(job, struct sbroker, claiming.job);
	unsigned int i;

	/* What an attempt before this one found was rolled back. */
	sclaims_free(&b->claiming.found);
	b->claiming.budget = CLAIM_BYTES;
	for (i = 0; i < b->n_queues; i++)
		if (b->queues[i].asked > 0 && claim_from(b, tx, i, err) != 0)
			return -1;
	return 0;
}

/* --- on the loop ------------------------------------------------------- */

void
sclaims_free(struct sclaims *claims)
{
	struct sclaim *c;

	while ((c = TAILQ_FIRST(claims)) != NULL) {
		TAILQ_REMOVE(claims, c, link);
		free(c);
	}
}

/* From here on they are in b->claims, until they are settled. What was taken up
 * at the start may be more than is wanted. */
void
sclaim_deliver(struct sbroker *b, struct sclaims *found)
{
	struct squeue *q;
	struct sclaim *c;

	while ((c = TAILQ_FIRST(found)) != NULL) {
		TAILQ_REMOVE(found, c, link);
		TAILQ_INSERT_TAIL(&b->claims, c, link);
		q = &b->queues[c->pub.queue];
		if (q->wanted > 0) {
			q->wanted--;
			b->wanted--;
		}
		b->opt.on_claim(&c->pub, b->opt.arg);
	}
}

/* The timer is the wall clock's, as delayed tasks are, and it also expires when
 * that is set: then what is due has changed. */
static void
claim_set_timer(struct sbroker *b)
{
	struct itimerspec at = {.it_value = {0, 0}};
	int64_t due = 0;
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		if (b->queues[i].due_ms > 0 &&
		    (due == 0 || b->queues[i].due_ms < due))
			due = b->queues[i].due_ms;
	at.it_value.tv_sec = due / 1000;
	at.it_value.tv_nsec = due % 1000 * 1000000;
	if (b->timer_fd >= 0)
		timerfd_settime(b->timer_fd,
				TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
				&at, NULL);
}

static void
claim_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct sbroker *b = arg;
	const int64_t now = clock_wall_us() / 1000;
	bool set = true;
	uint64_t count;
	unsigned int i;

	/* ECANCELED: the clock was set (timerfd_create(2)). */
	if (read(fd, &count, sizeof(count)) < 0 && errno != ECANCELED)
		return;
	/* If nothing is due, the clock was set: other times may count now. */
	for (i = 0; i < b->n_queues; i++)
		set = set &&
		      (b->queues[i].due_ms == 0 || b->queues[i].due_ms > now);
	for (i = 0; i < b->n_queues; i++) {
		if (b->queues[i].due_ms == 0 ||
		    (b->queues[i].due_ms > now && !set))
			continue;
		b->queues[i].due_ms = 0; /* the next claim sets it again */
		b->queues[i].more = true;
		b->queues[i].woken = true;
	}
	claim_set_timer(b);
	sclaim_pump(b);
}

/* A queue from which nothing is wanted, while no claim is under way, stays so:
 * a worker that ends waits for that. */
static void
claim_tell_quiet(struct sbroker *b)
{
	unsigned int i;

	if (b->claiming.under_way || b->opt.on_idle == NULL)
		return;
	for (i = 0; i < b->n_queues; i++)
		if (b->queues[i].wanted == 0) {
			b->opt.on_idle(b->opt.arg);
			return;
		}
}

static void
claim_done(struct database_job *job, const struct err *err)
{
	struct sbroker *b = container_of(job, struct sbroker, claiming.job);
	struct squeue *q;
	unsigned int i;

	(void)err; /* it is tried until it succeeds */
	for (i = 0; i < b->n_queues; i++) {
		q = &b->queues[i];
		if (q->asked == 0)
			continue;
		/* Woken while it was under way: perhaps by what came after. */
		q->more = !q->drained || q->woken;
		q->due_ms = q->next_due_ms;
	}
	sclaim_deliver(b, &b->claiming.found);
	b->claiming.under_way = false;
	claim_set_timer(b);
	sclaim_pump(b);
	claim_tell_quiet(b);
}

void
sclaim_pump(struct sbroker *b)
{
	struct squeue *q;
	unsigned int i, asked = 0;

	if (!b->entered || b->claiming.under_way)
		return;
	for (i = 0; i < b->n_queues; i++) {
		q = &b->queues[i];
		q->asked = !q->more		   ? 0
			   : q->wanted < CLAIM_MAX ? q->wanted
						   : CLAIM_MAX;
		q->woken = false;
		asked += q->asked;
	}
	if (asked == 0)
		return;
	b->claiming.under_way = true;
	b->claiming.job.rows = asked;
	database_post(&b->user, &b->claiming.job);
}

/* A wake-up does not say which queue it is about. */
void
sclaim_wake(struct sbroker *b)
{
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		b->queues[i].more = b->queues[i].woken = true;
	sclaim_pump(b);
}

void
sclaim_check(struct sbroker *b, unsigned int asleep)
{
	unsigned int i, expected = 0;

	if (b->claiming.under_way)
		return; /* what it found is not ours yet */
	for (i = 0; i < b->n_queues; i++)
		expected += b->queues[i].drained && !b->queues[i].more;
	if (asleep < expected)
		sclaim_wake(b);
}

void
sclaim_init(struct sbroker *b)
{
	TAILQ_INIT(&b->claims);
	TAILQ_INIT(&b->claiming.found);
	b->claiming.job.run = claim_run;
	b->claiming.job.done = claim_done;
	b->claiming.job.sync = DATABASE_SOON;
	b->claiming.job.must = true;
	if (b->opt.worker == NULL)
		return;
	b->timer_fd =
	    timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (b->timer_fd >= 0)
		b->timer = event_new(b->opt.base, b->timer_fd,
				     EV_READ | EV_PERSIST, claim_on_timer, b);
	if (b->timer != NULL)
		event_add(b->timer, NULL);
}

void
sbroker_want(struct broker *broker, unsigned int queue, unsigned int n)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct squeue *q = &b->queues[queue];

	/* A worker with many queues says the same of most of them. */
	if (n == q->wanted)
		return;
	b->wanted += n - q->wanted;
	q->wanted = n;
	/* One that has not begun, since the disk is full, need not end. */
	if (b->wanted == 0 && b->claiming.under_way &&
	    database_cancel(&b->claiming.job))
		b->claiming.under_way = false;
	sclaim_pump(b);
}

/* The claim that is under way may have begun before this queue was wanted from; the
 * next one follows at once. */
unsigned int
sbroker_coming(const struct broker *broker, unsigned int queue)
{
	const struct sbroker *b = (const struct sbroker *)broker;
	const struct squeue *q = &b->queues[queue];

	if (!b->claiming.under_way)
		return 0;
	return q->asked > 0 ? q->asked : q->more ? q->wanted : 0;
}

bool
sbroker_idle(const struct broker *broker)
{
	return !((const struct sbroker *)broker)->claiming.under_way;
}
