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
#include "store/sqlite/flows.h"
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
	char id[SSTEPS_NAME_SIZE];
	struct swaits_end end;
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

/* 1: it has ended so; 0: it has not; or -1. One without a record is gone, unless it
 * was a step. */
static int
swaits_look(struct tx *tx, struct slice id, struct swaits_end *end,
	    struct err *err)
{
	struct buf text = BUF_INIT;
	struct srecord r = {.row = 0};
	int found = 0;

	*end = (struct swaits_end){.outcome = SWAITS_GONE};
	if (!ssteps_is_name(id))
		found = srecord_find_run(tx, id, &r, err);
	if (found <= 0)
		return found < 0 ? -1 : ssteps_look_run(tx, id, end, err);
	if (r.final == SRECORD_OPEN)
		return 0;
	if ((found = ssteps_taken_back_run(tx, id, err)) != 0)
		return found < 0 ? -1 : 0;
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

/* Where it goes on: behind those that wait, or among those that are for later. */
static int
swaits_place(struct tx *tx, const struct swaits_row *row, struct sdelayed *held,
	     struct err *err)
{
	int64_t serial;

	held->at_ms = row->at_ms;
	held->delay_ms = row->delay_ms;
	if (held->delay_ms > 0)
		held->at_ms = 0;
	if (held->delay_ms > 0 || held->at_ms > tx_now(tx))
		return sdelay_add_run(tx, held, err);
	if ((serial = sdelay_serial_run(tx, held->queue, err)) < 0)
		return -1;
	return tx_run(tx, err, SQL_WAITING_ADD, held->queue, held->priority,
		      serial, held->number, INT64_C(0));
}

static int
swaits_release(struct tx *tx, const struct swaits_row *row, struct err *err)
{
	struct sdelayed held;
	const int taken = swaits_take(tx, row->number, &held, err);

	if (taken <= 0)
		return taken;
	if (row->flow != 0 && ssteps_release_run(tx, row, err) != 0)
		return -1;
	return swaits_place(tx, row, &held, err) < 0
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
swaits_end_task(struct tx *tx, const struct task *task, int64_t number,
		const char *why, int64_t expires, struct stotals *totals,
		struct err *err)
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
					    .expires = expires,
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

/* It is taken from where it waits: it, and its record, end. */
static int
swaits_drop(struct swaits_work *w, struct tx *tx, const struct swaits_row *row,
	    const struct task *task, const char *why, int64_t expires,
	    struct err *err)
{
	const struct swaits_end end = {.outcome = SWAITS_SKIPPED,
				       .expires = expires};
	struct sdelayed held;
	const int taken = swaits_take(tx, row->number, &held, err);

	if (taken <= 0)
		return taken;
	if (row->flow != 0 && ssteps_skip_run(tx, row, held.priority, err) != 0)
		return -1;
	if (swaits_end_task(tx, task, row->number, why, expires, w->totals,
			    err) != 0 ||
	    tx_run(tx, err, SQL_TASK_DROP, row->number) < 0 ||
	    tx_run(tx, err, SQL_QUEUE_GROW, held.queue, INT64_C(-1)) < 0 ||
	    swaits_note(w, task->id, &end, err) != 0)
		return -1;
	return row->flow != 0 ? sflow_look_run(tx, row->flow, err) : 0;
}

int
swaits_skip_run(struct swaits_work *w, struct tx *tx,
		const struct swaits_row *row, const char *why, int64_t expires,
		struct err *err)
{
	struct task *task = NULL;
	int r = swaits_read(tx, row->number, &task, err);

	if (r != 0)
		return r < 0 ? -1 : swaits_release(tx, row, err);
	r = swaits_drop(w, tx, row, task, why, expires, err);
	task_free(task);
	return r;
}

static int
swaits_skip(struct swaits_work *w, struct tx *tx, const struct swaits_row *row,
	    const struct swaits_ended *by, struct err *err)
{
	char why[TASK_ID_MAX + 128];

	swaits_explain(why, sizeof(why), by, row->wants);
	return swaits_skip_run(w, tx, row, why, by->end.expires, err);
}

/* --- all that wait for some ---------------------------------------------- */

/* Of a workflow that is being cancelled no step goes on, however many are left to be
 * skipped. */
static int
swaits_release_step(struct swaits_work *w, struct tx *tx,
		    const struct swaits_row *row, struct err *err)
{
	struct sflow flow = {.state = FLOW_RUNNING};
	int found = 0;

	if (row->flow != w->goes_on)
		found = sflow_get_run(tx, row->flow, &flow, err);
	if (found < 0)
		return -1;
	if (found == 1 && flow.state == FLOW_CANCELLING)
		return swaits_skip_run(w, tx, row, SFLOW_CANCELLED,
				       sflow_gone_ms(tx, &flow), err);
	return swaits_release(tx, row, err);
}

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
	if (waits != 0)
		return waits < 0 ? -1 : 0;
	return row->flow != 0 ? swaits_release_step(w, tx, row, err)
			      : swaits_release(tx, row, err);
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
				  .delay_ms = tx_int(tx, SQL_WAIT_NEXT, 3),
				  .flow = tx_int(tx, SQL_WAIT_NEXT, 4),
				  .place = tx_int(tx, SQL_WAIT_NEXT, 5)};
	tx_end(tx, SQL_WAIT_NEXT);
	return swaits_one(w, tx, &row, by, err) != 0 ? -1 : 1;
}

int
swaits_leave_cancel(struct swaits_work *w, int64_t flow, struct err *err)
{
	const struct swaits_end none = {.outcome = SWAITS_SKIPPED};
	char name[SSTEPS_NAME_SIZE];

	ssteps_name_cancel(name, flow);
	return swaits_note(w, name, &none, err);
}

/* What was left of that. What is left now is noted once more. */
static int
swaits_cancel(struct swaits_work *w, struct tx *tx, int64_t number,
	      struct err *err)
{
	struct sflow flow;
	const int found = sflow_get_run(tx, number, &flow, err);

	return found == 1 ? sflow_skip_run(w, tx, &flow, err) : found;
}

static int
swaits_work(struct swaits_work *w, struct tx *tx, struct err *err)
{
	struct swaits_ended by;
	int64_t flow;
	int more = 0;

	while (w->left > 0 && w->at < w->ended.len) {
		/* A copy: the list may move while it grows. */
		memcpy(&by, w->ended.data + w->at, sizeof(by));
		if (ssteps_is_cancel(by.id, &flow))
			more = swaits_cancel(w, tx, flow, err);
		else
			while (w->left > 0 &&
			       (more = swaits_next(w, tx, &by, err)) > 0)
				;
		if (more < 0)
			return -1;
		if (more == 0)
			w->at += sizeof(by);
	}
	return 0;
}

/* What is left is for who called; else for housekeeping. */
static int
swaits_leave(const struct swaits_work *w, struct err *err)
{
	struct buf *behind = w->totals->behind;

	if (behind == NULL || w->at == w->ended.len)
		return 0;
	buf_add(behind, w->ended.data + w->at, w->ended.len - w->at);
	return behind->failed ? err_nomem(err) : 0;
}

int
swaits_work_run(struct swaits_work *w, struct tx *tx, struct err *err)
{
	int r = swaits_work(w, tx, err);

	if (r == 0)
		r = swaits_leave(w, err);
	buf_done(&w->ended);
	return r;
}

int
swaits_go_on_run(struct tx *tx, struct slice behind, struct stotals *totals,
		 struct err *err)
{
	struct swaits_work w = {.left = SWAITS_STEP, .totals = totals};

	buf_add(&w.ended, behind.p, behind.len);
	if (w.ended.failed) {
		buf_done(&w.ended);
		return err_nomem(err);
	}
	return swaits_work_run(&w, tx, err);
}

/* If any waits for it. */
static int
swaits_note_end(struct swaits_work *w, struct tx *tx, struct slice id,
		const struct swaits_end *end, struct err *err)
{
	char text[SSTEPS_NAME_SIZE];
	const int r = tx_any(tx, err, SQL_WAITS_AMONG, id, id);

	if (r <= 0)
		return r;
	snprintf(text, sizeof(text), "%.*s", (int)id.len, id.p);
	return swaits_note(w, text, end, err);
}

int
swaits_end_run(struct tx *tx, struct slice id, const struct swaits_end *end,
	       struct stotals *totals, struct err *err)
{
	struct swaits_work w = {.left = SWAITS_STEP, .totals = totals};
	int r = 0;

	if (totals->stepped)
		r = ssteps_end_run(&w, tx, id, end->outcome, err);
	if (r == 0 && totals->waited)
		r = swaits_note_end(&w, tx, id, end, err);
	return swaits_work_run(&w, tx, err) != 0 ? -1 : r;
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

int
swaits_add_run(struct tx *tx, const struct swaits_row *row,
	       const struct broker_after *after, struct err *err)
{
	return tx_run(tx, err, SQL_WAIT_ADD, after->id, row->number,
		      (int64_t)after->how, row->at_ms, row->delay_ms, row->flow,
		      row->place) < 0
		   ? -1
		   : 0;
}

/* It goes on, or not, for those of its that have ended. */
static int
swaits_try(struct tx *tx, const struct broker_submit *task,
	   struct stotals *totals, struct err *err)
{
	struct swaits_end end;
	int ended = 0;
	size_t i;

	for (i = 0; i < task->n_after; i++) {
		ended = swaits_look(tx, task->after[i].id, &end, err);
		if (ended < 0 ||
		    (ended == 1 && swaits_end_run(tx, task->after[i].id, &end,
						  totals, err) != 0))
			return -1;
	}
	return 0;
}

/* Of those that have ended already, too: there is one way to go on. */
int
swaits_begin_run(struct tx *tx, const struct broker_submit *task,
		 const struct swaits_row *row, struct err *err)
{
	const struct sdelayed held = {.queue =
					  row->number >> SCHEMA_SERIAL_BITS,
				      .number = row->number,
				      .priority = task->priority,
				      .at_ms = BROKER_HELD_MS};
	struct stotals totals;
	size_t i;

	if (sdelay_add_run(tx, &held, err) < 0 ||
	    stotals_get_run(tx, &totals, err) != 0)
		return -1;
	for (i = 0; i < task->n_after; i++)
		if (swaits_add_run(tx, row, &task->after[i], err) != 0)
			return -1;
	if (swaits_try(tx, task, &totals, err) != 0)
		return -1;
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
