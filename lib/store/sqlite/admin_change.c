/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: pausing queues, and taking tasks out of them. Each is
 * flushed to disk before it is answered: an operator who has read that a task
 * is gone must not meet it again after a power cut.
 */
#include <string.h>

#include "codec/restate.h"
#include "store/sqlite/admin.h"
#include "store/sqlite/flows.h"
#include "store/sqlite/record.h"
#include "store/sqlite/schema.h"
#include "util/sat.h"

/* What one job of a search for an id looks at: some milliseconds, in which no
 * other job runs. The caller goes on with a cursor. */
#define SEARCH_ROWS 4000
#define SEARCH_BYTES (4u << 20)

/* --- pausing ----------------------------------------------------------- */

/* A queue that is not there yet is made: it may be paused before its first
 * task. Workers that wait for it are woken when it is resumed. */
static int
set_paused(struct database_job *job, struct tx *tx, bool paused,
	   struct err *err)
{
	const struct slice name =
	    squestion_text(container_of(job, struct squestion, job));
	int64_t queue;

	if (tx_run(tx, err, SQL_QUEUE_ADD, name) < 0 ||
	    tx_run(tx, err, SQL_QUEUE_PAUSE, name, (int64_t)paused) < 0 ||
	    sadmin_queue_run(tx, name, &queue, err) < 0)
		return -1;
	if (paused)
		return 0;
	return swake_queue_run(tx, queue, err);
}

/* Two functions, since a question carries a text and no more. */
static int
pause_run(struct database_job *job, struct tx *tx, struct err *err)
{
	return set_paused(job, tx, true, err);
}

static int
resume_run(struct database_job *job, struct tx *tx, struct err *err)
{
	return set_paused(job, tx, false, err);
}

void
sadmin_pause(struct broker *b, struct slice queue, bool paused,
	     broker_value_fn *on_value, void *arg)
{
	const struct database_job job = {.run = paused ? pause_run : resume_run,
					 .sync = DATABASE_NOW};

	squestion_ask(b, &job, queue, on_value, arg);
}

/* --- taking out -------------------------------------------------------- */

/* A view shows tasks of lanes among those that wait: a row that is not in the
 * one table is in the other. */
static int
drop_waiting(struct tx *tx, int64_t queue, const struct spage_row *row,
	     struct err *err)
{
	int dropped =
	    tx_run(tx, err, SQL_WAITING_DROP, queue, row->priority, row->at[1]);

	return dropped != 0 ? dropped
			    : tx_run(tx, err, SQL_SET_ASIDE_DROP, row->number);
}

/* What a row has of the page's text. */
static size_t
row_len(const struct spage_row *row)
{
	size_t len = 0;
	int i;

	for (i = 0; i < SPAGE_PIECES; i++)
		len += row->lens[i];
	return len;
}

/* Takes what was read of a place, the rows from `first` on, out of the queue,
 * and the tasks out of the file. Who asked for it stores their final records then:
 * until that is done, those that are made of the tasks' bytes are kept. */
static int
drop(struct spage *page, struct tx *tx, int64_t queue,
     enum broker_location place, size_t first, struct err *err)
{
	const struct spage_row *row;
	size_t at = 0, i;
	int dropped;

	for (i = 0; i < page->n; at += row_len(row), i++) {
		row = &page->rows[i];
		if (i < first)
			continue;
		if (place == BROKER_WAITING)
			dropped = drop_waiting(tx, queue, row, err);
		else
			dropped = tx_run(tx, err, SQL_DELAYED_DROP, queue,
					 row->time_ms, row->number);
		if (dropped < 0 ||
		    srecord_keep_run(tx, row->number,
				     (struct slice){page->text.data + at,
						    row->lens[SPAGE_BYTES]},
				     err) < 0 ||
		    tx_run(tx, err, SQL_TASK_DROP, row->number) < 0)
			return -1;
	}
	return tx_run(tx, err, SQL_QUEUE_GROW, queue,
		      -(int64_t)(page->n - first)) < 0
		   ? -1
		   : 0;
}

/* Reads as for a view, then takes out what was read. */
static int
purge_place(struct spage *page, struct tx *tx, int64_t queue,
	    enum broker_location place, struct err *err)
{
	const size_t first = page->n;
	int n = spage_read_run(page, tx, queue, place, err);

	return n <= 0 ? n : drop(page, tx, queue, place, first, err);
}

/* In one transaction: what the page shows is what is gone. */
static int
purge_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct spage *page = container_of(job, struct spage, job);
	int64_t queue;
	int known;

	spage_reset(page);
	known = sadmin_queue_run(tx, slice_of(page->queue), &queue, err);
	if (known <= 0)
		return known;
	if (purge_place(page, tx, queue, BROKER_WAITING, err) != 0)
		return -1;
	if (!page->more &&
	    purge_place(page, tx, queue, BROKER_DELAYED, err) != 0)
		return -1;
	/* The next page is always the first: the cursor only says that there
	 * is one. */
	page->n_next = page->more ? 1 : 0;
	return 0;
}

void
sadmin_purge(struct broker *b, struct slice queue, unsigned int n,
	     broker_page_fn *on_page, void *arg)
{
	struct spage *page = spage_new(purge_run, queue, n, on_page, arg);

	if (page == NULL)
		return;
	page->job.sync = DATABASE_NOW;
	page->job.absent = DATABASE_FAIL;
	page->job.frees = true;
	page->job.rows = n;
	spage_post(b, page);
}

/* Where a task waits, with the keys by which it is taken out there. Returns 1,
 * 0 if it does not wait (it is in flight, or gone), or -1. */
static int
locate(struct tx *tx, int64_t queue, struct spage_row *row,
       enum broker_location *ret_place, struct err *err)
{
	const int64_t serial =
	    row->number & ((INT64_C(1) << SCHEMA_SERIAL_BITS) - 1);
	int more =
	    tx_first(tx, err, SQL_TASK_WAITS, queue, serial, row->number);

	if (more == 1) {
		row->priority = tx_int(tx, SQL_TASK_WAITS, 0);
		row->at[1] = tx_int(tx, SQL_TASK_WAITS, 1);
		tx_end(tx, SQL_TASK_WAITS);
		*ret_place = BROKER_WAITING;
		return 1;
	}
	if (more == 0)
		more = tx_first(tx, err, SQL_TASK_DELAYED, row->number);
	if (more == 1) {
		row->time_ms = tx_int(tx, SQL_TASK_DELAYED, 0);
		tx_end(tx, SQL_TASK_DELAYED);
		*ret_place = BROKER_DELAYED;
	}
	return more;
}

/* A delayed task is due now; workers that wait for the queue look again. It
 * stays delayed until one of them promotes it: this process need not know the
 * seq that it gets. */
static int
hasten(struct tx *tx, int64_t queue, struct slice id,
       const struct spage_row *row, struct err *err)
{
	int more = tx_first(tx, err, SQL_TASK_DELAYED, row->number);
	int64_t priority;

	if (more != 1)
		return -1;
	priority = tx_int(tx, SQL_TASK_DELAYED, 1);
	tx_end(tx, SQL_TASK_DELAYED);
	if (tx_run(tx, err, SQL_DELAYED_DROP, queue, row->time_ms,
		   row->number) < 0 ||
	    tx_run(tx, err, SQL_DELAYED_ADD, queue, tx_now(tx), row->number,
		   priority) < 0 ||
	    ssteps_hasten_run(tx, id, err) != 0)
		return -1;
	return swake_queue_run(tx, queue, err);
}

/* Its row in the other queue, as in this one. */
static int
enter_place(struct tx *tx, int64_t queue, int64_t serial,
	    const struct spage_row *row, enum broker_location place,
	    struct err *err)
{
	const int64_t number = schema_number(queue, serial);

	if (place == BROKER_WAITING)
		return tx_run(tx, err, SQL_WAITING_ADD, queue, row->priority,
			      serial, number, INT64_C(0));
	return tx_run(tx, err, SQL_DELAYED_ADD, queue, row->time_ms, number,
		      row->priority);
}

/* A task's number says in which queue it is: it gets another one, and its record
 * with it. Its bytes name the new queue. */
static int
enter_queue(struct tx *tx, const struct spage *page,
	    const struct spage_row *row, enum broker_location place,
	    struct err *err)
{
	/* The page has this one only. */
	const struct slice old = {page->text.data,
				  page->rows[0].lens[SPAGE_BYTES]};
	const struct slice to = slice_of(page->to), id = slice_of(page->id);
	struct buf new = BUF_INIT;
	int64_t queue, serial, number;
	int r = -1;

	/* What cannot be read stays as it is. */
	if (restate_text(old, "queue", to, &new, NULL) != 0) {
		buf_reset(&new);
		buf_add(&new, old.p, old.len);
	}
	if (tx_run(tx, err, SQL_QUEUE_ADD, to) < 0 ||
	    sadmin_queue_run(tx, to, &queue, err) < 0 ||
	    (serial = sdelay_serial_run(tx, queue, err)) < 0)
		goto out;
	number = schema_number(queue, serial);
	if (tx_run(tx, err, SQL_TASK_ADD, number,
		   (struct slice){new.data, new.len}) < 0 ||
	    enter_place(tx, queue, serial, row, place, err) < 0 ||
	    tx_run(tx, err, SQL_QUEUE_GROW, queue, INT64_C(1)) < 0 ||
	    tx_run(tx, err, SQL_ID_MOVE, id, row->number, number) < 0 ||
	    srecord_move_run(tx, id, number, err) < 0)
		goto out;
	r = swake_queue_run(tx, queue, err);
out:
	buf_done(&new);
	return r;
}

/* Rows of `waits` go with the delayed one, and would have to follow it. */
static int
send_off(struct spage *page, struct tx *tx, int64_t queue,
	 struct spage_row *row, enum broker_location place, struct err *err)
{
	if (place == BROKER_DELAYED && row->time_ms == BROKER_HELD_MS)
		return err_set(err, ERR_REFUSED,
			       "task %s waits for others, and cannot be moved",
			       page->id);
	if (place == BROKER_DELAYED) {
		if (tx_first(tx, err, SQL_TASK_DELAYED, row->number) != 1)
			return -1;
		row->priority = tx_int(tx, SQL_TASK_DELAYED, 1);
		tx_end(tx, SQL_TASK_DELAYED);
	}
	return enter_queue(tx, page, row, place, err) < 0
		   ? -1
		   : drop(page, tx, queue, place, 0, err);
}

/* Takes a task out, wherever it waits, and shows it. 1, 0 or -1 as above. */
static int
take(struct spage *page, struct tx *tx, int64_t queue, int64_t number,
     struct err *err)
{
	struct slice pieces[SPAGE_PIECES] = {{NULL, 0}};
	struct spage_row row = {.number = number};
	enum broker_location place = BROKER_WAITING;
	int found;

	if ((found = locate(tx, queue, &row, &place, err)) <= 0)
		return found;
	if (page->hastens && place != BROKER_DELAYED)
		return 0;
	if ((found = tx_first(tx, err, SQL_TASK_GET, number)) <= 0)
		return found;
	pieces[SPAGE_BYTES] = tx_bytes(tx, SQL_TASK_GET, 0);
	found = spage_add(page, &row, pieces, err);
	tx_end(tx, SQL_TASK_GET);
	if (found == 0 && page->hastens)
		found = hasten(tx, queue, slice_of(page->id), &row, err);
	else if (found == 0 && page->to[0] != '\0')
		found = send_off(page, tx, queue, &row, place, err);
	else if (found == 0)
		found = drop(page, tx, queue, place, 0, err);
	return found != 0 ? -1 : 1;
}

/* The number of the next task with the id, or 0. *after goes on; *left is what
 * may still be looked at. */
static int
search_next(const struct spage *page, struct tx *tx, int64_t end,
	    int64_t *after, size_t *left, int64_t *ret_number, struct err *err)
{
	const enum statement_index sql = SQL_TASKS_BETWEEN;
	size_t rows = SEARCH_ROWS;
	struct slice bytes;
	int more;

	*ret_number = 0;
	more = tx_first(tx, err, sql, *after, end, (int64_t)rows);
	for (; more == 1 && *left > 0; more = tx_next(tx, err, sql)) {
		*after = tx_int(tx, sql, 0);
		bytes = tx_bytes(tx, sql, 1);
		rows--;
		*left -= bytes.len < *left ? bytes.len : *left;
		if (sadmin_has_id(bytes, slice_of(page->id))) {
			*ret_number = *after;
			break;
		}
	}
	if (more < 0)
		return -1;
	tx_end(tx, sql);
	if (more == 0 && rows > 0)
		*after = end; /* that was all */
	else if (*ret_number == 0)
		*left = 0;
	return 0;
}

/* Looks at the tasks themselves: of this queue, in their order. */
static int
search(struct spage *page, struct tx *tx, int64_t queue, struct err *err)
{
	const int64_t end = schema_number(sat_add(queue, 1), 0);
	int64_t after = schema_number(queue, 0), number;
	size_t left = SEARCH_BYTES;
	int taken = 0;

	if (page->after[0] != INT64_MAX && page->after[0] > after)
		after = page->after[0];
	/* One that is in flight has the id, too, and is not removed. */
	while (taken == 0 && left > 0 && after < end) {
		if (search_next(page, tx, end, &after, &left, &number, err) !=
		    0)
			return -1;
		if (number != 0)
			taken = take(page, tx, queue, number, err);
	}
	if (taken == 0 && after < end) {
		page->next[0] = after;
		page->n_next = 1;
	}
	return taken < 0 ? -1 : 0;
}

/* By the record if there is one, which is one look; else by reading the queue.
 * A cursor means that the record was asked before. */
static int
sremove_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct spage *page = container_of(job, struct spage, job);
	struct srecord record = {.task = 0};
	int64_t queue, number = 0;
	int known;

	spage_reset(page);
	known = sadmin_queue_run(tx, slice_of(page->queue), &queue, err);
	if (known <= 0)
		return known;
	if (page->after[0] == INT64_MAX) {
		/* The record tells, if it is in this database, too. */
		if (srecord_find_run(tx, slice_of(page->id), &record, err) < 0)
			return -1;
		number = record.task;
	}
	if (number == 0)
		return search(page, tx, queue, err);
	if (number >> SCHEMA_SERIAL_BITS != queue)
		return 0;
	return take(page, tx, queue, number, err) < 0 ? -1 : 0;
}

/* `page` is NULL without memory; spage_new() has answered then. */
static void
sremove_post(struct broker *b, struct spage *page, struct slice id,
	     struct slice cursor)
{
	if (page == NULL)
		return;
	page->job.sync = DATABASE_NOW;
	page->job.absent = DATABASE_FAIL;
	page->job.frees = true;
	memcpy(page->id, id.p, id.len);
	spage_set_cursor(page, cursor, 1);
	spage_post(b, page);
}

void
sadmin_remove(struct broker *b, struct slice queue, struct slice id,
	      struct slice cursor, broker_page_fn *on_page, void *arg)
{
	sremove_post(b, spage_new(sremove_run, queue, 1, on_page, arg), id,
		     cursor);
}

void
sadmin_hasten(struct broker *b, struct slice queue, struct slice id,
	      struct slice cursor, broker_page_fn *on_page, void *arg)
{
	struct spage *page = spage_new(sremove_run, queue, 1, on_page, arg);

	if (page != NULL)
		page->hastens = true;
	sremove_post(b, page, id, cursor);
}

/* In one step, so that nothing is ever on its way. */
void
sadmin_send_off(struct broker *b, const struct broker_send_off *s,
		broker_page_fn *on_page, void *arg)
{
	struct spage *page = spage_new(sremove_run, s->queue, 1, on_page, arg);

	if (page != NULL)
		memcpy(page->to, s->to.p, s->to.len);
	sremove_post(b, page, s->id, s->cursor);
}
