/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: claims together. A worker that is busy claims, records and
 * settles hundreds of tasks in a transaction, most of which follow one another: by
 * their seq when they are claimed, by their numbers later. Between two whole numbers
 * that follow one another there is no third, so a statement on all from the first to
 * the last is about these claims and no other, and SQLite goes from row to row
 * instead of looking for each.
 */
#include <stdlib.h>

#include "store/sqlite/broker.h"

static int
by_number(const void *a, const void *b)
{
	const struct sclaim *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

void
sclaims_sort(struct sclaim **claims, size_t n)
{
	qsort(claims, n, sizeof(void *), by_number);
}

/* How many of the claims follow one another, from the first on. */
static size_t
stretch(struct sclaim *const *claims, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++)
		if (claims[i]->number != claims[i - 1]->number + 1)
			break;
	return i;
}

/* How many of a stretch are on record; -1 with *err. */
static int64_t
count_run(struct tx *tx, struct sclaim *const *claims, size_t n,
	  struct err *err)
{
	int64_t count = 0;
	int more;

	more =
	    tx_first(tx, err, SQL_INFLIGHT_COUNT, claims[0]->broker->worker_id,
		     claims[0]->number, claims[n - 1]->number);
	if (more == 1) {
		count = tx_int(tx, SQL_INFLIGHT_COUNT, 0);
		tx_end(tx, SQL_INFLIGHT_COUNT);
	}
	return more < 0 ? -1 : count;
}

int
sclaims_find_run(struct tx *tx, struct sclaim **claims, size_t n,
		 struct err *err)
{
	int64_t count;
	size_t at, len, i;

	sclaims_sort(claims, n);
	for (at = 0; at < n; at += len) {
		len = stretch(claims + at, n - at);
		if ((count = count_run(tx, claims + at, len, err)) < 0)
			return -1;
		for (i = at; i < at + len; i++)
			claims[i]->found = count == (int64_t)len;
	}
	return 0;
}

int
sclaims_drop_run(struct tx *tx, struct sclaim **claims, size_t n,
		 size_t *ret_dropped, struct err *err)
{
	const size_t len = stretch(claims, n);
	const int64_t first = claims[0]->number, last = claims[len - 1]->number;
	const int64_t count = count_run(tx, claims, len, err);

	*ret_dropped = 0;
	if (count != (int64_t)len)
		return count < 0 ? -1 : 0;
	if (tx_run(tx, err, SQL_INFLIGHT_DROP_ALL, claims[0]->broker->worker_id,
		   first, last) < 0 ||
	    tx_run(tx, err, SQL_TASKS_DROP_ALL, first, last) < 0)
		return -1;
	*ret_dropped = len;
	return 0;
}

/* The last claim of those that wait one behind the other, from `c` on. */
static struct sclaim *
last_behind(struct sclaim *c)
{
	struct sclaim *next;

	while ((next = TAILQ_NEXT(c, link)) != NULL && !next->aside &&
	       next->priority == c->priority && next->seq == c->seq + 1)
		c = next;
	return c;
}

/* Those from `c` to `last`, which wait one behind the other. */
static int
take_run(const struct sbroker *b, struct tx *tx, const struct sclaim *c,
	 const struct sclaim *last, struct err *err)
{
	if (tx_run(tx, err, SQL_INFLIGHT_ADD_ALL, b->worker_id, c->queue,
		   c->priority, c->seq, last->seq) < 0)
		return -1;
	return tx_run(tx, err, SQL_WAITING_DROP_ALL, c->queue, c->priority,
		      c->seq, last->seq) < 0
		   ? -1
		   : 0;
}

static int
take_aside_run(const struct sbroker *b, struct tx *tx, const struct sclaim *c,
	       struct err *err)
{
	if (tx_run(tx, err, SQL_SET_ASIDE_DROP, c->number) < 0)
		return -1;
	return tx_run(tx, err, SQL_INFLIGHT_ADD, b->worker_id, c->number,
		      c->queue, c->priority, c->seq) < 0
		   ? -1
		   : 0;
}

int
sclaims_take_run(const struct sbroker *b, struct tx *tx,
		 const struct sclaims *claims, struct err *err)
{
	struct sclaim *c, *last;
	int taken;

	for (c = TAILQ_FIRST(claims); c != NULL; c = TAILQ_NEXT(last, link)) {
		last = c->aside ? c : last_behind(c);
		taken = c->aside ? take_aside_run(b, tx, c, err)
				 : take_run(b, tx, c, last, err);
		if (taken != 0)
			return -1;
	}
	return 0;
}
