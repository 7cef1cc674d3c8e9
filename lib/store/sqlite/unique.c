/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: keys of unique tasks. A key that lasts until its task ends goes
 * with the task's row, by a trigger (schema.c): so no way in which a task may end
 * needs to know of it.
 */
#include "store/sqlite/unique.h"

#include <stdio.h>

#include "codec/restate.h"
#include "codec/task_json.h"
#include "store/admin.h"
#include "store/sqlite/broker.h"
#include "store/sqlite/record.h"
#include "util/sat.h"

int
sunique_owner_run(struct tx *tx, int64_t queue, struct broker_submit *task,
		  struct sunique_owner *ret, struct err *err)
{
	const int more =
	    tx_first(tx, err, SQL_UNIQUE_GET, queue, task->unique, tx_now(tx));
	struct slice id;

	if (more != 1)
		return more;
	id = tx_bytes(tx, SQL_UNIQUE_GET, 0);
	snprintf(task->owner, sizeof(task->owner), "%.*s", (int)id.len, id.p);
	ret->number = tx_int(tx, SQL_UNIQUE_GET, 1);
	ret->until = (enum unique_until)tx_int(tx, SQL_UNIQUE_GET, 2);
	tx_end(tx, SQL_UNIQUE_GET);
	return 1;
}

/* From when the task is due, if it may free the key itself. */
static int64_t
sunique_expires(const struct tx *tx, const struct broker_submit *task)
{
	const int64_t life_ms = sat_mul(task->unique_s, 1000);
	int64_t begin = tx_now(tx);

	if (task->unique_until != UNIQUE_TIME)
		begin = sat_add(begin, task->delay_ms);
	if (task->unique_until != UNIQUE_TIME && task->at_ms > begin)
		begin = task->at_ms;
	return sat_add(begin, life_ms);
}

static int
sunique_set_run(struct tx *tx, int64_t queue, const struct broker_submit *task,
		struct slice id, int64_t number, struct err *err)
{
	const bool frees = task->unique_until != UNIQUE_TIME;

	return tx_run(tx, err, SQL_UNIQUE_SET, queue, task->unique, id,
		      sunique_expires(tx, task), frees ? number : INT64_C(0),
		      (int64_t)task->unique_until);
}

/* Expired keys go on the way, some with each new one: nothing else looks. */
int
sunique_note_run(struct tx *tx, int64_t queue, const struct broker_submit *task,
		 int64_t number, struct err *err)
{
	int expired;

	if (task->unique.len == 0)
		return 0;
	/* Looks first, as wake.c does. */
	if ((expired = tx_any(tx, err, SQL_UNIQUES_EXPIRED, tx_now(tx))) < 0 ||
	    (expired == 1 &&
	     tx_run(tx, err, SQL_UNIQUES_EXPIRE, tx_now(tx)) < 0))
		return -1;
	return sunique_set_run(tx, queue, task, task->id, number, err) < 0 ? -1
									   : 0;
}

/* --- putting off --------------------------------------------------------- */

/* The bytes; and the record, where it is not made of them. */
static int
sunique_replace_run(struct tx *tx, const struct broker_submit *task,
		    struct slice id, int64_t number, struct err *err)
{
	struct buf bytes = BUF_INIT, record = BUF_INIT;
	int r = -1;

	if (restate_text(task->bytes, "id", id, &bytes, err) != 0 ||
	    (!task->derived && task->record.p != NULL &&
	     restate_text(task->record, "task_id", id, &record, err) != 0))
		goto out;
	if (bytes.failed || record.failed)
		err_nomem(err);
	else if (tx_run(tx, err, SQL_TASK_SET, number,
			(struct slice){bytes.data, bytes.len}) >= 0 &&
		 (record.len == 0 ||
		  srecord_note_run(tx, id,
				   (struct slice){record.data, record.len},
				   err) >= 0))
		r = 0;
out:
	buf_done(&bytes);
	buf_done(&record);
	return r;
}

int
sunique_put_off_run(struct tx *tx, int64_t queue,
		    const struct broker_submit *task, int64_t number,
		    struct err *err)
{
	const struct sdelayed again = {.queue = queue,
				       .number = number,
				       .priority = task->priority,
				       .delay_ms = task->delay_ms};
	const struct slice id = slice_of(task->owner);
	int64_t due;
	int more = tx_first(tx, err, SQL_TASK_DELAYED, number);

	if (more != 1)
		return more;
	due = tx_int(tx, SQL_TASK_DELAYED, 0);
	tx_end(tx, SQL_TASK_DELAYED);
	if (due == BROKER_HELD_MS)
		return 0;
	if (sunique_replace_run(tx, task, id, number, err) != 0 ||
	    tx_run(tx, err, SQL_DELAYED_DROP, queue, due, number) < 0 ||
	    sdelay_add_run(tx, &again, err) < 0 ||
	    sunique_set_run(tx, queue, task, id, number, err) < 0)
		return -1;
	return 1;
}

int
sunique_start_run(struct tx *tx, const struct sclaim *c, struct err *err)
{
	return task_unique_until(c->pub.bytes) == UNIQUE_START &&
		       tx_run(tx, err, SQL_UNIQUE_LEAVE, c->number) < 0
		   ? -1
		   : 0;
}
