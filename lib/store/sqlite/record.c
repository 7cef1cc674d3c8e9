/* SPDX-License-Identifier: MIT */
/* The record of an ID in the database; see schema.c for how it is kept. */
#include "store/sqlite/record.h"

#include <string.h>

#include "codec/result_json.h"
#include "codec/task_json.h"
#include "core/task.h"
#include "sqlite/tx.h"
#include "store/sqlite/flows.h"
#include "store/sqlite/statements.h"
#include "store/sqlite/waits.h"
#include "util/err.h"
#include "util/sat.h"

/* What stands in `totals` is anybody's to change, so half of the numbers of a kind is
 * where a count is not believed any more. */
#define KIND_BITS SRECORD_KIND_BITS
#define SERIAL_MASK ((INT64_C(1) << KIND_BITS) - 1)
#define SERIAL_BELIEVED (INT64_C(1) << (KIND_BITS - 1))

int64_t
srecord_first(bool failed)
{
	return INT64_C(1) << KIND_BITS << (int)failed;
}

int64_t
srecord_last(bool failed)
{
	return srecord_first(failed) + SERIAL_MASK;
}

/* --- totals ------------------------------------------------------------ */

/* One row: it was made with its table. */
int
stotals_get_run(struct tx *tx, struct stotals *totals, struct err *err)
{
	int i;

	if (tx_first(tx, err, SQL_TOTALS_GET) < 0)
		return -1;
	for (i = 0; i < 2; i++) {
		totals->ended[i] = tx_int(tx, SQL_TOTALS_GET, i);
		totals->latest[i] = tx_int(tx, SQL_TOTALS_GET, 2 + i);
		totals->passed[i] = tx_int(tx, SQL_TOTALS_GET, 4 + i);
	}
	tx_end(tx, SQL_TOTALS_GET);
	totals->waited = totals->stepped = true;
	totals->behind = NULL;
	return 0;
}

int
stotals_set_run(struct tx *tx, const struct stotals *totals, struct err *err)
{
	return tx_run(tx, err, SQL_TOTALS_SET, totals->ended[false],
		      totals->ended[true], totals->latest[false],
		      totals->latest[true], totals->passed[false],
		      totals->passed[true]) < 0
		   ? -1
		   : 0;
}

/* --- looking ----------------------------------------------------------- */

/* The row that a place names; numbers come from the database, and may be any. */
static int64_t
row_of(int64_t place)
{
	return place > INT64_MIN ? -place : 0;
}

/* A place that names nothing is that of no record. */
int
srecord_find_run(struct tx *tx, struct slice id, struct srecord *ret,
		 struct err *err)
{
	int64_t place;
	int more;

	if ((more = tx_first(tx, err, SQL_ID_FIND, id)) <= 0)
		return more;
	place = tx_int(tx, SQL_ID_FIND, 0);
	tx_end(tx, SQL_ID_FIND);
	*ret = (struct srecord){.task = place};
	if (place > 0)
		return tx_any(tx, err, SQL_TASK_THERE, place);
	ret->row = row_of(place);
	if ((more = tx_first(tx, err, SQL_RECORD_STATE, ret->row)) <= 0)
		return more;
	ret->final = tx_int(tx, SQL_RECORD_STATE, 0);
	ret->expires = tx_int(tx, SQL_RECORD_STATE, 1);
	ret->task = tx_int(tx, SQL_RECORD_STATE, 2);
	tx_end(tx, SQL_RECORD_STATE);
	return 1;
}

/* What its producer would say of a task: 0, or -1 if it cannot be read, and nothing
 * was appended. *ret_id: the task's, with room for the longest. */
static int
pending_text(struct slice bytes, struct buf *out, char ret_id[TASK_ID_MAX + 1])
{
	struct result pending;
	struct task *task;
	size_t len;

	if (task_decode(bytes, &task, NULL) != 0)
		return -1;
	len = strlen(task->id);
	memcpy(ret_id, task->id, len + 1);
	pending = result_pending(task);
	result_encode(&pending, out);
	task_free(task);
	return 0;
}

int
srecord_text_run(struct tx *tx, const struct srecord *r, struct buf *out,
		 struct err *err)
{
	const enum statement_index sql =
	    r->row != 0 ? SQL_RECORD_BYTES : SQL_TASK_GET;
	char id[TASK_ID_MAX + 1];
	struct slice bytes;
	int more;

	more = tx_first(tx, err, sql, r->row != 0 ? r->row : r->task);
	if (more <= 0)
		return more;
	bytes = tx_bytes(tx, sql, 0);
	if (r->row != 0)
		buf_add(out, bytes.p, bytes.len);
	else
		more = pending_text(bytes, out, id) == 0;
	tx_end(tx, sql);
	return out->failed ? err_nomem(err) : more;
}

static bool
has_expired(const struct tx *tx, const struct srecord *r)
{
	return r->expires != 0 && r->expires <= tx_now(tx);
}

int
srecord_read_run(struct tx *tx, struct slice id, struct buf *out,
		 bool *ret_final, struct err *err)
{
	struct srecord r;
	int found = srecord_find_run(tx, id, &r, err);

	if (found <= 0)
		return found;
	*ret_final = r.final != SRECORD_OPEN;
	return has_expired(tx, &r) ? 0 : srecord_text_run(tx, &r, out, err);
}

/* --- rows -------------------------------------------------------------- */

/* The last number between two; the first one of them if there is none. -1 with
 * *err. */
static int64_t
last_number(struct tx *tx, int64_t from, int64_t to, struct err *err)
{
	int64_t number = from;
	int more = tx_first(tx, err, SQL_RECORD_LAST, from + 1, to);

	if (more == 1) {
		number = tx_int(tx, SQL_RECORD_LAST, 0);
		tx_end(tx, SQL_RECORD_LAST);
	}
	return more < 0 ? -1 : number;
}

/* The text of a record that has not ended. */
static int
add_open(struct tx *tx, struct slice id, struct slice record, int64_t task,
	 struct err *err)
{
	const int64_t none = 0;
	const int64_t last = last_number(tx, 0, SRECORD_OPEN_LAST, err);

	if (last < 0 || tx_run(tx, err, SQL_RECORD_ADD, last + 1, id, record,
			       (int64_t)SRECORD_OPEN, none, none, task) < 0)
		return -1;
	return tx_run(tx, err, SQL_ID_SET, id, -(last + 1)) < 0 ? -1 : 1;
}

static int
drop_row(struct tx *tx, const struct srecord *r, struct err *err)
{
	return r->row == 0 ? 0 : tx_run(tx, err, SQL_RECORD_DROP, r->row);
}

/* In the place of what is there, which `r` says. */
static int
put_open(struct tx *tx, struct slice id, struct slice record,
	 const struct srecord *r, struct err *err)
{
	if (r->row != 0 && r->final == SRECORD_OPEN)
		return tx_run(tx, err, SQL_RECORD_SET, r->row, record,
			      r->task) < 0
			   ? -1
			   : 1;
	return drop_row(tx, r, err) < 0
		   ? -1
		   : add_open(tx, id, record, r->task, err);
}

/* --- before the end ---------------------------------------------------- */

/* There is a record of the ID already, which `r` says. */
static int
begin_again(struct tx *tx, const struct srecord_birth *birth,
	    const struct srecord *r, struct err *err)
{
	if (r->final == SRECORD_OPEN && birth->record.len == 0)
		return drop_row(tx, r, err) < 0 ||
			       tx_run(tx, err, SQL_ID_SET, birth->id,
				      birth->task) < 0
			   ? -1
			   : 1;
	if (r->final == SRECORD_OPEN)
		return put_open(
		    tx, birth->id, birth->record,
		    &(struct srecord){.row = r->row, .task = birth->task}, err);
	/* It stays, and says where the task is. */
	return tx_run(tx, err, SQL_RECORD_SET_TASK, r->row, birth->task) < 0
		   ? -1
		   : 0;
}

/* Most IDs are new, and the first statement is all. */
int
srecord_begin_run(struct tx *tx, const struct srecord_birth *birth,
		  struct err *err)
{
	const bool row = birth->record.len > 0;
	struct srecord r = {.row = 0};
	int found = 0;

	if (!row) {
		found = tx_run(tx, err, SQL_ID_ADD, birth->id, birth->task);
		if (found != 0)
			return found;
	}
	if ((found = srecord_find_run(tx, birth->id, &r, err)) < 0)
		return -1;
	if (found == 1 && birth->replaces)
		return begin_again(tx, birth, &r, err);
	if (found == 1 && !has_expired(tx, &r))
		return 0;
	if (found == 1 && drop_row(tx, &r, err) < 0)
		return -1;
	if (row)
		return add_open(tx, birth->id, birth->record, birth->task, err);
	return tx_run(tx, err, SQL_ID_SET, birth->id, birth->task) < 0 ? -1 : 1;
}

int
srecord_note_run(struct tx *tx, struct slice id, struct slice record,
		 struct err *err)
{
	struct srecord r = {.row = 0};

	if (srecord_find_run(tx, id, &r, err) < 0)
		return -1;
	if (r.final == SRECORD_FINAL)
		return 0;
	return put_open(tx, id, record, &r, err);
}

int
srecord_reopen_run(struct tx *tx, struct slice id, struct slice record,
		   struct err *err)
{
	struct srecord r = {.row = 0};

	if (srecord_find_run(tx, id, &r, err) < 0 ||
	    put_open(tx, id, record, &r, err) < 0)
		return -1;
	return ssteps_reopened_run(tx, id, err);
}

int
srecord_forget_run(struct tx *tx, struct slice id, struct err *err)
{
	struct srecord r = {.row = 0};

	if (srecord_find_run(tx, id, &r, err) < 0 || drop_row(tx, &r, err) < 0)
		return -1;
	return tx_run(tx, err, SQL_ID_DROP, id);
}

int
srecord_move_run(struct tx *tx, struct slice id, int64_t task, struct err *err)
{
	struct srecord r;
	int found = srecord_find_run(tx, id, &r, err);

	if (found <= 0 || r.row == 0)
		return found;
	return tx_run(tx, err, SQL_RECORD_SET_TASK, r.row, task);
}

int
srecord_keep_run(struct tx *tx, int64_t task, struct slice bytes,
		 struct err *err)
{
	char text[TASK_ID_MAX + 1];
	struct buf record = BUF_INIT;
	struct srecord r;
	struct slice id;
	int found = pending_text(bytes, &record, text) == 0;

	id = slice_of(text);
	if (found == 1)
		found = srecord_find_run(tx, id, &r, err);
	/* The ID may be another task's by now. */
	if (found == 1 && r.row == 0 && r.task == task)
		found = record.failed
			    ? err_nomem(err)
			    : add_open(tx, id,
				       (struct slice){record.data, record.len},
				       task, err);
	buf_done(&record);
	return found < 0 ? -1 : 0;
}

/* --- the end ----------------------------------------------------------- */

/* The place of the next one of its kind: as many as there have been, unless what is
 * said of that is not so. -1 with *err. */
static int64_t
next_place(struct tx *tx, const struct stotals *totals, bool failed, bool taken,
	   struct err *err)
{
	const int64_t ended = totals->ended[failed],
		      last = srecord_last(failed);
	int64_t number;

	if (!taken && ended >= 0 && ended < SERIAL_BELIEVED)
		return srecord_first(failed) + ended + 1;
	number = last_number(tx, srecord_first(failed), last, err);
	if (number < 0 || number < last)
		return number < 0 ? -1 : number + 1;
	return err_set(err, ERR_DATA, "the table of results is damaged");
}

/* Behind the others. One that expires before one that has ended earlier goes by its
 * own time: an index has it. */
static int
add_final(struct tx *tx, const struct srecord_end *e, int64_t task,
	  struct stotals *totals, int64_t number, struct err *err)
{
	const bool failed = e->failed;
	const bool early =
	    e->expires != 0 && (e->expires < totals->latest[failed] ||
				number <= totals->passed[failed]);
	const int added =
	    tx_run(tx, err, SQL_RECORD_ADD, number, e->id, e->record, e->final,
		   e->expires, (int64_t)early, task);

	if (added > 0) {
		sat_count(&totals->ended[failed], 1);
		if (e->expires > totals->latest[failed])
			totals->latest[failed] = e->expires;
	}
	return added;
}

/* In the place of what was there, if it gives way. */
static int
end_slowly(struct tx *tx, const struct srecord_end *e, struct stotals *totals,
	   struct err *err)
{
	struct srecord r = {.row = 0};
	int64_t number;
	int added = 0, tries;

	if (srecord_find_run(tx, e->id, &r, err) < 0)
		return -1;
	if (r.final == SRECORD_FINAL && !has_expired(tx, &r))
		return 0;
	if (drop_row(tx, &r, err) < 0)
		return -1;
	for (tries = 0; added == 0; tries++) {
		number = next_place(tx, totals, e->failed, tries > 0, err);
		if (number < 0)
			return -1;
		added = add_final(tx, e, r.task, totals, number, err);
	}
	if (added < 0 || tx_run(tx, err, SQL_ID_SET, e->id, -number) < 0)
		return -1;
	return 1;
}

/* Of most tasks the record is made of their bytes until then: it takes two
 * statements. */
int
srecord_end_alone_run(struct tx *tx, const struct srecord_end *e,
		      struct stotals *totals, struct err *err)
{
	int64_t number;
	int moved = 0;

	if (e->task > 0) {
		number = next_place(tx, totals, e->failed, false, err);
		if (number < 0)
			return -1;
		moved = tx_run(tx, err, SQL_ID_MOVE, e->id, e->task, -number);
	}
	if (moved == 1) {
		moved = add_final(tx, e, e->task, totals, number, err);
		if (moved != 0)
			return moved;
		/* The number is taken: that row is not this task's. */
		if (tx_run(tx, err, SQL_ID_SET, e->id, e->task) < 0)
			return -1;
	}
	return moved < 0 ? -1 : end_slowly(tx, e, totals, err);
}

/* In one transaction: whenever the record is there, so is what follows from it. */
int
srecord_end_run(struct tx *tx, const struct srecord_end *e,
		struct stotals *totals, struct err *err)
{
	const int stored = srecord_end_alone_run(tx, e, totals, err);
	const struct swaits_end end = {.outcome = e->failed ? SWAITS_FAILED
							    : SWAITS_SUCCEEDED,
				       .expires = e->expires};

	if (stored != 1 || !(totals->waited || totals->stepped))
		return stored;
	return swaits_end_run(tx, e->id, &end, totals, err) != 0 ? -1 : 1;
}
