/* SPDX-License-Identifier: MIT */
/*
 * SQLite: who waits for a change, and is woken by it: once, but for listeners to
 * events.
 *
 * They are read, and removed if there were any. DELETE … RETURNING would do both
 * at once, but SQLite opens two tables for what it may return, and closes them
 * again if that is nothing, as it is most of the time: that took a third of all
 * that a task costs.
 */
#include "store/sqlite/broker.h"
#include "store/sqlite/results.h"

int
swake_queue_run(struct tx *tx, int64_t queue, struct err *err)
{
	const int more = tx_first(tx, err, SQL_QUEUE_WAITERS, queue);

	if (more <= 0)
		return more;
	if (tx_wake_all(tx, err, SQL_QUEUE_WAITERS, more) != 0)
		return -1;
	return tx_run(tx, err, SQL_QUEUE_WAITERS_DROP, queue) < 0 ? -1 : 0;
}

/* One that was killed is passed over, with its row: to wake it is to learn that. They
 * are woken at once, and wait for the end of the transaction. */
int
swake_some_run(struct tx *tx, int64_t queue, size_t n, struct err *err)
{
	struct buf port = BUF_INIT;
	struct slice name;
	int more = 0;

	while (n > 0 &&
	       (more = tx_first(tx, err, SQL_QUEUE_WAITER_FIRST, queue)) == 1) {
		name = tx_bytes(tx, SQL_QUEUE_WAITER_FIRST, 0);
		buf_reset(&port);
		buf_add(&port, name.p, name.len);
		tx_end(tx, SQL_QUEUE_WAITER_FIRST);
		name = (struct slice){port.data, port.len};
		more = port.failed ? err_nomem(err)
				   : tx_run(tx, err, SQL_QUEUE_WAITER_DROP,
					    queue, name);
		if (more < 0)
			break;
		n -= tx_reaches(tx, name);
	}
	buf_done(&port);
	return more < 0 ? -1 : 0;
}

int
swake_hung_run(struct tx *tx, struct err *err)
{
	int64_t queue = 0;
	int more;

	while ((more = tx_first(tx, err, SQL_QUEUE_HUNG, queue)) == 1) {
		queue = tx_int(tx, SQL_QUEUE_HUNG, 0);
		tx_end(tx, SQL_QUEUE_HUNG);
		if (swake_some_run(tx, queue, 1, err) != 0)
			return -1;
	}
	return more;
}

int
swake_record_run(struct tx *tx, struct slice id, struct err *err)
{
	const int more = tx_first(tx, err, SQL_RECORD_WAITERS, id);

	if (more <= 0)
		return more;
	if (tx_wake_all(tx, err, SQL_RECORD_WAITERS, more) != 0)
		return -1;
	return tx_run(tx, err, SQL_RECORD_WAITERS_DROP, id) < 0 ? -1 : 0;
}

int
swake_listeners_run(struct tx *tx, struct err *err)
{
	return tx_wake_all(tx, err, SQL_LISTENERS,
			   tx_first(tx, err, SQL_LISTENERS));
}
