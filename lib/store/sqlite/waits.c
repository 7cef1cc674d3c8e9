/* SPDX-License-Identifier: MIT */
/* Tasks that wait for others: rows of `waits`, while their task is delayed until
 * BROKER_HELD_MS; see schema.c. */
#include "store/sqlite/waits.h"

#include <stdio.h>
#include <string.h>

#include "codec/result_json.h"
#include "codec/task_json.h"
#include "core/result.h"
#include "core/task.h"
#include "sqlite/tx.h"
#include "store/admin.h"
#include "store/sqlite/broker.h"
#include "store/sqlite/record.h"
#include "store/sqlite/results.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/statements.h"
#include "util/clock.h"
#include "util/err.h"

/* The statements and the trigger have it as a number. */
_Static_assert(BROKER_HELD_MS == INT64_C(253402300799999), "as in the schema");

/* Tasks that have ended, and whose rows are to be looked at: a skipped one has ended,
 * too. A list, since a chain may be longer than the stack is deep. */
struct swaits_ended {
	char id[TASK_ID_MAX + 1];
	struct swaits_end end;
};
struct swaits_work {
	struct buf ended; /* struct swaits_ended */
	size_t at;
	int left; /* tasks that may still go on */
	struct stotals *totals;
};

/* A row. */
struct swaits_row {
	int64_t number, wants, at_ms, delay_ms;
};

/* --- how a task has ended ------------------------------------------------ */

static bool
swaits_is_met(int64_t wants, enum swaits_outcome outcome)
{
	switch (outcome) {
	case SWAITS_SUCCEEDED:
		return wants != BROKER_AFTER_FAILURE;
	case SWAITS_FAILED:
		return wants != BROKER_AFTER_SUCCESS;
	case SWAITS_SKIPPED:
		return wants == BROKER_AFTER_COMPLETE;
	case SWAITS_GONE:
		break;
	}
	return false;
}

/* The text of a record that failed says whether its task was skipped. */
static enum swaits_outcome
swaits_failed_how(struct slice record)
{
	struct buf scratch = BUF_INIT;
	struct result r = {.task_id = {NULL, 0}};
	enum swaits_outcome outcome = SWAITS_FAILED;

	if (result_decode(record, &scratch, &r, NULL) == 0 &&
	    slice_eq(r.reason, SLICE(BROKER_SKIPPED)))
		outcome = SWAITS_SKIPPED;
	buf_done(&scratch);
	return outcome;
}

/* 1: it has ended so; 0: it has not; or -1. One without a record is gone. */
static int
swaits_look(struct tx *tx, struct slice id, struct swaits_end *end,
	    struct err *err)
{
	struct buf text = BUF_INIT;
	struct srecord r = {.row = 0};
	int found = srecord_find_run(tx, id, &r, err);

	*end = (struct swaits_end){.outcome = SWAITS_GONE};
	if (found <= 0)
		return found < 0 ? -1 : 1;
	if (r.final == SRECORD_OPEN)
		return 0;
	end->expires = r.expires;
	end->outcome = SWAITS_SUCCEEDED;
	if (r.row > srecord_last(false)) {
		found = srecord_text_run(tx, &r, &text, err);
		end->outcome =
		    swaits_failed_how((struct slice){text.data, text.len});
		buf_done(&text);
	}
	return found < 0 ? -1 : 1;
}

/* --- going on, or not ---------------------------------------------------- */

/* Takes it from where it waits, with all its rows. 1, 0 if it is not there any more,
 * or -1. */
static int
swaits_take(struct tx *tx, int64_t number, struct sdelayed *held,
	    struct err *err)
{
	int found = tx_first(tx, err, SQL_HELD_FIND, number);

	if (found <= 0)
		return found;
	*held = (struct sdelayed){.queue = tx_int(tx, SQL_HELD_FIND, 0),
				  .number = number,
				  .priority = tx_int(tx, SQL_HELD_FIND, 1)};
	tx_end(tx, SQL_HELD_FIND);
	return tx_run(tx, err, SQL_DELAYED_DROP, held->queue, BROKER_HELD_MS,
		      number);
}

/* It is due, or will be at its own time: the next claim takes it from there. */
static int
swaits_release(struct tx *tx, const struct swaits_row *row, struct err *err)
{
	struct sdelayed held;
	const int taken = swaits_take(tx, row->number, &held, err);

	if (taken <= 0)
		return taken;
	held.delay_ms = row->delay_ms;
	if (row->delay_ms <= 0)
		held.at_ms = row->at_ms > tx_now(tx) ? row->at_ms : tx_now(tx);
	return sdelay_add_run(tx, &held, err) < 0
		   ? -1
		   : swake_queue_run(tx, held.queue, err);
}

static void
swaits_explain(char *text, size_t size, const struct swaits_ended *by,
	       int64_t wants)
{
	static const char *const ended[] = {
	    [SWAITS_SUCCEEDED] = "succeeded",
	    [SWAITS_FAILED] = "failed",
	    [SWAITS_SKIPPED] = "was skipped",
	    [SWAITS_GONE] = "is gone, and its record with it"};

	snprintf(text, size,
		 "did not run: task %s %s, and this one runs after "
		 "its %s",
		 by->id, ended[by->end.outcome],
		 wants == BROKER_AFTER_COMPLETE
		     ? "end"
		     : broker_after_words[wants == BROKER_AFTER_FAILURE]);
}

/* Its final record. */
static int
swaits_end_task(struct tx *tx, const struct task *task,
		const struct swaits_ended *by, int64_t number, const char *why,
		struct stotals *totals, struct err *err)
{
	struct result r = result_pending(task);
	struct buf record = BUF_INIT;
	int ended;

	r.status = RESULT_FAILED;
	r.reason = SLICE(BROKER_SKIPPED);
	r.error = slice_of(why);
	r.finished_us = clock_wall_us();
	result_encode(&r, &record);
	ended =
	    record.failed
		? err_nomem(err)
		: srecord_end_alone_run(
		      tx,
		      &(struct srecord_end){.id = r.task_id,
					    .record = {record.data, record.len},
					    .final = SRECORD_FINAL,
					    .expires = by->end.expires,
					    .failed = true,
					    .task = number},
		      totals, err);
	buf_done(&record);
	if (ended < 0 || swake_record_run(tx, r.task_id, err) != 0 ||
	    swatch_changed_run(tx, r.task_id, err) != 0)
		return -1;
	return 0;
}

static int
swaits_note(struct swaits_work *w, const char *id, const struct swaits_end *end,
	    struct err *err)
{
	struct swaits_ended ended = {.end = *end};

	/* An ID is no longer, whoever wrote it. */
	snprintf(ended.id, sizeof(ended.id), "%s", id);
	buf_add(&w->ended, (const char *)&ended, sizeof(ended));
	return w->ended.failed ? err_nomem(err) : 0;
}

/* The ID is decoded from the task; who cannot read it leaves it to a worker, which
 * buries what is no task. 1: the caller releases it. */
static int
swaits_read(struct tx *tx, int64_t number, struct task **ret, struct err *err)
{
	int found = tx_first(tx, err, SQL_TASK_GET, number);

	if (found <= 0)
		return found < 0 ? -1 : 1;
	found = task_decode(tx_bytes(tx, SQL_TASK_GET, 0), ret, NULL) != 0;
	tx_end(tx, SQL_TASK_GET);
	return found;
}

static int
swaits_skip(struct swaits_work *w, struct tx *tx, const struct swaits_row *row,
	    const struct swaits_ended *by, struct err *err)
{
	const struct swaits_end end = {.outcome = SWAITS_SKIPPED,
				       .expires = by->end.expires};
	struct sdelayed held;
	struct task *task = NULL;
	char why[TASK_ID_MAX + 128];
	int r = swaits_read(tx, row->number, &task, err);

	if (r != 0)
		return r < 0 ? -1 : swaits_release(tx, row, err);
	swaits_explain(why, sizeof(why), by, row->wants);
	r = swaits_take(tx, row->number, &held, err);
	if (r > 0 &&
	    (swaits_end_task(tx, task, by, row->number, why, w->totals, err) !=
		 0 ||
	     tx_run(tx, err, SQL_TASK_DROP, row->number) < 0 ||
	     tx_run(tx, err, SQL_QUEUE_GROW, held.queue, INT64_C(-1)) < 0 ||
	     swaits_note(w, task->id, &end, err) != 0))
		r = -1;
	task_free(task);
	return r < 0 ? -1 : 0;
}

/* --- all that wait for some ---------------------------------------------- */

/* The row goes first: whatever is found, the next look is at another one. */
static int
swaits_one(struct swaits_work *w, struct tx *tx, const struct swaits_row *row,
	   const struct swaits_ended *by, struct err *err)
{
	int waits;

	w->left--;
	if (tx_run(tx, err, SQL_WAIT_DROP, slice_of(by->id), row->number) < 0)
		return -1;
	if (!swaits_is_met(row->wants, by->end.outcome))
		return swaits_skip(w, tx, row, by, err);
	waits = tx_any(tx, err, SQL_WAITS_OF, row->number);
	return waits != 0 ? (waits < 0 ? -1 : 0) : swaits_release(tx, row, err);
}

/* 1: one row of it was done; 0: it has none. */
static int
swaits_next(struct swaits_work *w, struct tx *tx, const struct swaits_ended *by,
	    struct err *err)
{
	struct swaits_row row;
	const int more = tx_first(tx, err, SQL_WAIT_NEXT, slice_of(by->id));

	if (more <= 0)
		return more;
	row = (struct swaits_row){.number = tx_int(tx, SQL_WAIT_NEXT, 0),
				  .wants = tx_int(tx, SQL_WAIT_NEXT, 1),
				  .at_ms = tx_int(tx, SQL_WAIT_NEXT, 2),
				  .delay_ms = tx_int(tx, SQL_WAIT_NEXT, 3)};
	tx_end(tx, SQL_WAIT_NEXT);
	return swaits_one(w, tx, &row, by, err) != 0 ? -1 : 1;
}

static int
swaits_work(struct swaits_work *w, struct tx *tx, struct err *err)
{
	struct swaits_ended by;
	int more = 0;

	for (; w->left > 0 && w->at < w->ended.len; w->at += sizeof(by)) {
		/* A copy: the list may move while it grows. */
		memcpy(&by, w->ended.data + w->at, sizeof(by));
		while (w->left > 0 && (more = swaits_next(w, tx, &by, err)) > 0)
			;
		if (more < 0)
			return -1;
	}
	return 0;
}

int
swaits_end_run(struct tx *tx, struct slice id, const struct swaits_end *end,
	       struct stotals *totals, struct err *err)
{
	struct swaits_work w = {.left = SWAITS_STEP, .totals = totals};
	char text[TASK_ID_MAX + 1];
	int r = tx_any(tx, err, SQL_WAITS_AMONG, id, id);

	if (r <= 0)
		return r;
	snprintf(text, sizeof(text), "%.*s", (int)id.len, id.p);
	r = swaits_note(&w, text, end, err);
	if (r == 0)
		r = swaits_work(&w, tx, err);
	buf_done(&w.ended);
	return r;
}

/* --- submitting ------------------------------------------------------------ */

int
swaits_check_run(struct tx *tx, struct broker_submit *task, struct err *err)
{
	struct srecord r;
	size_t i;
	int found;

	for (i = 0; i < task->n_after; i++) {
		found = srecord_find_run(tx, task->after[i].id, &r, err);
		if (found < 0)
			return -1;
		if (found == 1)
			continue;
		err_set(&task->err, ERR_NOT_FOUND,
			"no record of task %.*s, which it is to wait for",
			(int)task->after[i].id.len, task->after[i].id.p);
		return 0;
	}
	return 0;
}

/* Of those that have ended already, too: there is one way to go on. */
int
swaits_begin_run(struct tx *tx, const struct broker_submit *task, int64_t queue,
		 int64_t number, struct err *err)
{
	const struct sdelayed held = {.queue = queue,
				      .number = number,
				      .priority = task->priority,
				      .at_ms = BROKER_HELD_MS};
	struct swaits_end end;
	struct stotals totals;
	size_t i;
	int ended = 0;

	if (sdelay_add_run(tx, &held, err) < 0 ||
	    stotals_get_run(tx, &totals, err) != 0)
		return -1;
	for (i = 0; i < task->n_after; i++)
		if (tx_run(tx, err, SQL_WAIT_ADD, task->after[i].id, number,
			   (int64_t)task->after[i].how, task->at_ms,
			   task->delay_ms) < 0)
			return -1;
	for (i = 0; i < task->n_after; i++) {
		ended = swaits_look(tx, task->after[i].id, &end, err);
		if (ended < 0 ||
		    (ended == 1 && swaits_end_run(tx, task->after[i].id, &end,
						  &totals, err) != 0))
			return -1;
	}
	return stotals_set_run(tx, &totals, err);
}

/* --- housekeeping ---------------------------------------------------------- */

/* The next one that is waited for: 1, 0 or -1. */
static int
swaits_behind(struct tx *tx, struct buf *after, struct err *err)
{
	const struct slice last = {after->len > 0 ? after->data : "",
				   after->len};
	const int more = tx_first(tx, err, SQL_WAITS_BEHIND, last);
	struct slice id;

	if (more != 1)
		return more;
	id = tx_bytes(tx, SQL_WAITS_BEHIND, 0);
	buf_reset(after);
	buf_add(after, id.p, id.len);
	tx_end(tx, SQL_WAITS_BEHIND);
	return after->failed ? err_nomem(err) : 1;
}

int
swaits_sweep_run(struct tx *tx, struct buf *after, int64_t ttl_s,
		 struct err *err)
{
	struct stotals totals;
	struct swaits_end end;
	int looked, ended, acted = 0, more = 1;

	if (stotals_get_run(tx, &totals, err) != 0)
		return -1;
	for (looked = 0; looked < SWAITS_STEP; looked++) {
		if ((more = swaits_behind(tx, after, err)) <= 0)
			break;
		ended = swaits_look(tx, (struct slice){after->data, after->len},
				    &end, err);
		if (ended < 0)
			return -1;
		if (ended == 0)
			continue;
		if (end.outcome == SWAITS_GONE && ttl_s > 0)
			end.expires = tx_now(tx) + ttl_s * 1000;
		if (swaits_end_run(tx, (struct slice){after->data, after->len},
				   &end, &totals, err) != 0)
			return -1;
		/* Its rows may be more than a step does: once more. */
		acted = 1;
		break;
	}
	if (more == 0 || acted)
		buf_reset(after);
	if (more < 0 || (acted && stotals_set_run(tx, &totals, err) != 0))
		return -1;
	return acted;
}
