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
