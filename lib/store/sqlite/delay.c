/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: delayed tasks. They are due by the wall clock of this
 * machine: a delay is added to the time at which it is stored. All users of one
 * file run on one machine, so they agree on the clock, also after it was set.
 *
 * A due task is moved behind those that wait, under a new seq: it was not first
 * before, so it does not overtake. The mover is the claim that needs it; no
 * server process does it.
 */
#include "store/sqlite/broker.h"
#include "util/sat.h"

int
sdelay_add_run(struct tx *tx, const struct sdelayed *d, struct err *err)
{
	/* tx_now() is rounded down, and no delay is to be shorter than
	 * asked. */
	const int64_t due_ms =
	    d->at_ms != 0 ? d->at_ms : sat_add(tx_now(tx) + 1, d->delay_ms);

	return tx_run(tx, err, SQL_DELAYED_ADD, d->queue, due_ms, d->number,
		      d->priority);
}

int
sdelay_next_run(struct tx *tx, int64_t queue, int64_t *ret_due_ms,
		struct err *err)
{
	int n = tx_first(tx, err, SQL_DELAYED_NEXT, queue);

	if (n < 0)
		return -1;
	*ret_due_ms = n == 1 ? tx_int(tx, SQL_DELAYED_NEXT, 0) : 0;
	tx_end(tx, SQL_DELAYED_NEXT);
	return n;
}

int64_t
sdelay_serial_run(struct tx *tx, int64_t queue, struct err *err)
{
	int64_t serial;

	if (tx_first(tx, err, SQL_QUEUE_NEXT, queue) < 0)
		return -1;
	serial = tx_int(tx, SQL_QUEUE_NEXT, 0);
	tx_end(tx, SQL_QUEUE_NEXT);
	return tx_run(tx, err, SQL_QUEUE_NEXT_TAKE, queue) < 0 ? -1 : serial;
}

/* One at a time, since a statement that shows rows of `delayed` must not see
 * them go. The queue's size counts both tables, so it does not change. */
int
sdelay_promote_run(struct tx *tx, int64_t queue, struct err *err)
{
	int64_t due, number, priority, seq;
	int n, more;

	for (n = 0; n < SDELAY_PROMOTE_MAX; n++) {
		more = tx_first(tx, err, SQL_DELAYED_DUE, queue, tx_now(tx));
		if (more <= 0)
			return more < 0 ? -1 : n;
		due = tx_int(tx, SQL_DELAYED_DUE, 0);
		number = tx_int(tx, SQL_DELAYED_DUE, 1);
		priority = tx_int(tx, SQL_DELAYED_DUE, 2);
		tx_end(tx, SQL_DELAYED_DUE);
		if ((seq = sdelay_serial_run(tx, queue, err)) < 0 ||
		    tx_run(tx, err, SQL_DELAYED_DROP, queue, due, number) < 0 ||
		    tx_run(tx, err, SQL_WAITING_ADD, queue, priority, seq,
			   number, (int64_t)0) < 0)
			return -1;
	}
	return n;
}
