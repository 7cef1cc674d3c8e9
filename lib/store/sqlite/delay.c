/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: tasks for later.
 *
 * A task is due at a time of the wall clock. Whether that is what was asked for
 * (run it at eight), or only what it came to when somebody asked for a delay,
 * is on record; when the clock is set, the due times of the latter are set
 * with it, so that a delay is neither shorter nor longer for it.
 *
 * That the clock was set is seen by how far it is ahead of the time since the
 * machine started, which nobody can set: the table `clock` says how far it was
 * when the delays were last right. Whoever adds a delay or looks for what is
 * due compares, in the same transaction; so the first one after the step moves
 * them all, and nobody moves them twice. (After a start of the machine there is
 * nothing to compare with: the clock counts, as it is.)
 */
#include "store/sqlite/broker.h"

/* Less is not worth a change: two clocks cannot be read at the same moment. */
#define STEP_MIN_US 10000

static int64_t
distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/* Moves the delays along if the clock was set since somebody last looked. */
static int
follow_clock(struct tx *tx, struct err *err)
{
	int64_t ahead = tx_ahead(tx), before = ahead, step_ms;
	bool same_boot = false;
	int known = tx_first(tx, err, SQL_CLOCK_GET);

	if (known < 0)
		return -1;
	if (known == 1) {
		before = tx_int(tx, SQL_CLOCK_GET, 0);
		same_boot =
		    slice_eq(tx_bytes(tx, SQL_CLOCK_GET, 1), tx_boot(tx));
		tx_end(tx, SQL_CLOCK_GET);
	}
	if (same_boot && distance(ahead, before) < STEP_MIN_US)
		return 0;
	if (same_boot) {
		/* Rounded up; what is too much is left for the next time. */
		step_ms = (ahead - before + (ahead > before ? 999 : 0)) / 1000;
		ahead = before + step_ms * 1000;
		if (tx_run(tx, err, SQL_DELAYED_SHIFT, step_ms) < 0)
			return -1;
	}
	return tx_run(tx, err, SQL_CLOCK_SET, ahead, tx_boot(tx)) < 0 ? -1 : 0;
}

int
sdelay_add_run(struct tx *tx, const struct sdelayed *d, struct err *err)
{
	const bool relative = d->at_ms == 0;
	/* The time has been rounded down. */
	const int64_t due = relative ? tx_now(tx) + 1 + d->delay_ms : d->at_ms;

	if (relative && follow_clock(tx, err) != 0)
		return -1;
	return tx_run(tx, err, SQL_DELAYED_ADD, d->queue, due, d->number,
		      d->priority, (int64_t)relative);
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

int
sdelay_promote_run(struct tx *tx, int64_t queue, struct err *err)
{
	int64_t due, number, priority, seq;
	int n, more;

	/* Mostly there is nothing, and no clock to look at. */
	if ((more = sdelay_next_run(tx, queue, &due, err)) <= 0)
		return more;
	if (follow_clock(tx, err) != 0)
		return -1;
	for (n = 0; n < SDELAY_PROMOTE_MAX; n++) {
		more = tx_first(tx, err, SQL_DELAYED_DUE, queue, tx_now(tx));
		if (more <= 0)
			return more < 0 ? -1 : n;
		due = tx_int(tx, SQL_DELAYED_DUE, 0);
		number = tx_int(tx, SQL_DELAYED_DUE, 1);
		priority = tx_int(tx, SQL_DELAYED_DUE, 2);
		tx_end(tx, SQL_DELAYED_DUE);
		if (tx_first(tx, err, SQL_QUEUE_NEXT, queue) < 0)
			return -1;
		seq = tx_int(tx, SQL_QUEUE_NEXT, 0);
		tx_end(tx, SQL_QUEUE_NEXT);
		if (tx_run(tx, err, SQL_DELAYED_DROP, queue, due, number) < 0 ||
		    tx_run(tx, err, SQL_WAITING_ADD, queue, priority, seq,
			   number, (int64_t)0) < 0)
			return -1;
	}
	return n;
}
