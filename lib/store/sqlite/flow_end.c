/* SPDX-License-Identifier: MIT */
/*
 * Workflows in the database: how they end. What is left to be done of one that is
 * being cancelled, since one transaction does not do it all, is a state that the
 * database has; so housekeeping finds it if nobody else does.
 */
#include <stdio.h>
#include <string.h>

#include "store/sqlite/broker.h"
#include "store/sqlite/flows.h"
#include "store/sqlite/record.h"
#include "store/sqlite/statements.h"
#include "util/err.h"
#include "util/sat.h"

/* --- callbacks ------------------------------------------------------------- */

static bool
is_called(enum flow_role role, enum flow_state state)
{
	switch (role) {
	case FLOW_ON_SUCCESS:
		return state == FLOW_SUCCEEDED;
	case FLOW_ON_FAILURE:
		return state != FLOW_SUCCEEDED;
	case FLOW_ON_COMPLETE:
		return true;
	case FLOW_STEP:
		break;
	}
	return false;
}

/* From now on it is found by its ID, as all tasks are. */
static int
callback_begin(struct tx *tx, const struct sstep *step, int64_t number,
	       struct err *err)
{
	char id[TASK_ID_MAX + 1];
	struct slice text;

	if (tx_first(tx, err, SQL_STEP_ID, step->flow, step->place) < 0)
		return -1;
	text = tx_bytes(tx, SQL_STEP_ID, 0);
	snprintf(id, sizeof(id), "%.*s", (int)text.len, text.p);
	tx_end(tx, SQL_STEP_ID);
	/* It may have run before. */
	if (srecord_forget_run(tx, slice_of(id), err) < 0)
		return -1;
	return srecord_begin_run(
		   tx,
		   &(struct srecord_birth){.id = slice_of(id), .task = number},
		   err) < 0
		   ? -1
		   : 0;
}

static int
callback_end(struct tx *tx, const struct sstep *step, enum flow_state state,
	     struct err *err)
{
	enum sstep_state then = SSTEP_DROPPED;
	struct swaits_row row;
	int queued = 0;

	if (is_called(step->role, state))
		queued = ssteps_queue_run(tx, step, false, &row, err);
	if (queued < 0)
		return -1;
	if (queued == 1) {
		then = SSTEP_RELEASED;
		if (callback_begin(tx, step, row.number, err) != 0)
			return -1;
	}
	return tx_run(tx, err, SQL_STEP_STATE, step->flow, step->place,
		      (int64_t)then) < 0
		   ? -1
		   : 0;
}

static int
end_callbacks(struct tx *tx, int64_t flow, enum flow_state state,
	      struct err *err)
{
	struct sstep step = {.flow = flow};
	int more;

	while ((more = tx_first(tx, err, SQL_CALLBACK_NEXT, flow,
				step.place)) == 1) {
		step.place = tx_int(tx, SQL_CALLBACK_NEXT, 0);
		step.role = (enum flow_role)tx_int(tx, SQL_CALLBACK_NEXT, 1);
		tx_end(tx, SQL_CALLBACK_NEXT);
		if (callback_end(tx, &step, state, err) != 0)
			return -1;
	}
	return more;
}

/* --- the end --------------------------------------------------------------- */

int64_t
sflow_gone_ms(const struct tx *tx, const struct sflow *flow)
{
	return sat_add(tx_now(tx), sat_mul(flow->life_s, 1000));
}

static int
end_flow(struct tx *tx, const struct sflow *flow, struct err *err)
{
	const enum flow_state state = flow->state == FLOW_CANCELLING
					  ? FLOW_CANCELLED
				      : flow->failed > 0 ? FLOW_FAILED
							 : FLOW_SUCCEEDED;

	if (tx_run(tx, err, SQL_FLOW_END, flow->number, (int64_t)state,
		   tx_now(tx), sflow_gone_ms(tx, flow)) < 0)
		return -1;
	return end_callbacks(tx, flow->number, state, err);
}

/* As it is now. */
static int
look_at(struct tx *tx, const struct sflow *flow, struct err *err)
{
	if (flow->state == FLOW_OPEN || flow_state_has_ended(flow->state) ||
	    flow->waiting > 0 || flow->released > 0)
		return 0;
	return end_flow(tx, flow, err);
}

int
sflow_look_run(struct tx *tx, int64_t number, struct err *err)
{
	struct sflow flow;
	const int found = sflow_get_run(tx, number, &flow, err);

	return found == 1 ? look_at(tx, &flow, err) : found;
}

/* --- cancelling ------------------------------------------------------------- */

int
sflow_cancel_run(struct tx *tx, struct sflow *flow, struct err *err)
{
	if (flow_state_has_ended(flow->state) || flow->state == FLOW_CANCELLING)
		return 0;
	flow->state = FLOW_CANCELLING;
	return tx_run(tx, err, SQL_FLOW_STATE, flow->number,
		      (int64_t)flow->state, tx_now(tx)) < 0
		   ? -1
		   : 0;
}

/* The row of `waits` that tells of its task; one that has none waits no more, though
 * it was not told so. */
static int
find_row(struct tx *tx, struct slice id, struct swaits_row *row,
	 struct err *err)
{
	struct srecord r;
	int found = srecord_find_run(tx, id, &r, err);

	if (found != 1 || r.final != SRECORD_OPEN || r.task <= 0)
		return found < 0 ? -1 : 0;
	row->number = r.task;
	if ((found = tx_first(tx, err, SQL_WAITS_OF, r.task)) != 1)
		return found;
	row->at_ms = tx_int(tx, SQL_WAITS_OF, 0);
	row->delay_ms = tx_int(tx, SQL_WAITS_OF, 1);
	tx_end(tx, SQL_WAITS_OF);
	return 1;
}

/* The next step that waits: 1, 0 or -1. */
static int
skip_next(struct swaits_work *w, struct tx *tx, const struct sflow *flow,
	  struct err *err)
{
	struct swaits_row row = {.flow = flow->number};
	char id[TASK_ID_MAX + 1];
	struct slice text;
	int found = tx_first(tx, err, SQL_STEP_WAITING, flow->number);

	if (found <= 0)
		return found;
	row.place = tx_int(tx, SQL_STEP_WAITING, 0);
	text = tx_bytes(tx, SQL_STEP_WAITING, 1);
	snprintf(id, sizeof(id), "%.*s", (int)text.len, text.p);
	tx_end(tx, SQL_STEP_WAITING);
	w->left--;
	if ((found = find_row(tx, slice_of(id), &row, err)) < 0)
		return -1;
	if (found == 1 && swaits_skip_run(w, tx, &row, SFLOW_CANCELLED,
					  sflow_gone_ms(tx, flow), err) != 0)
		return -1;
	return tx_run(tx, err, SQL_STEP_GIVE_UP, row.flow, row.place) < 0 ? -1
									  : 1;
}

int
sflow_skip_run(struct swaits_work *w, struct tx *tx, const struct sflow *flow,
	       struct err *err)
{
	int more = 1;

	if (flow->state != FLOW_CANCELLING)
		return look_at(tx, flow, err);
	while (w->left > 0 && more == 1)
		more = skip_next(w, tx, flow, err);
	if (more < 0 ||
	    (more == 1 && swaits_leave_cancel(w, flow->number, err) != 0))
		return -1;
	return sflow_look_run(tx, flow->number, err);
}

int
sflow_skip_some_run(struct tx *tx, int64_t number, struct err *err)
{
	struct stotals totals;
	struct swaits_work w = {.left = SWAITS_STEP, .totals = &totals};
	struct sflow flow;
	int r = sflow_get_run(tx, number, &flow, err);

	if (r < 0 || stotals_get_run(tx, &totals, err) != 0)
		return -1;
	r = sflow_skip_run(&w, tx, &flow, err);
	if (swaits_work_run(&w, tx, err) != 0 || r != 0)
		return -1;
	return stotals_set_run(tx, &totals, err);
}

/* --- housekeeping ------------------------------------------------------------ */

/* Nobody has done anything about it for long, and it was not sealed. */
static int
sweep_idle(struct tx *tx, int64_t number, struct err *err)
{
	struct sflow flow;

	if (sflow_get_run(tx, number, &flow, err) < 0 ||
	    sflow_cancel_run(tx, &flow, err) != 0)
		return -1;
	return sflow_skip_some_run(tx, number, err);
}

/* Some of its steps go, and with the last of them it does itself. */
static int
sweep_gone(struct tx *tx, int64_t number, struct err *err)
{
	const int found = tx_first(tx, err, SQL_STEP_FIRST, number);
	int64_t last;

	if (found <= 0)
		return found < 0 || tx_run(tx, err, SQL_FLOW_DROP, number) < 0
			   ? -1
			   : 0;
	last = sat_add(tx_int(tx, SQL_STEP_FIRST, 0), SWAITS_STEP - 1);
	tx_end(tx, SQL_STEP_FIRST);
	return tx_run(tx, err, SQL_STEPS_DROP, number, last) < 0 ||
		       tx_run(tx, err, SQL_SPARES_DROP, number, last) < 0
		   ? -1
		   : 0;
}

/* What a statement finds has its step. 1, 0 or -1. */
static int
sweep_found(struct tx *tx, int found, enum statement_index sql,
	    int (*step)(struct tx *, int64_t, struct err *), struct err *err)
{
	int64_t number;

	if (found <= 0)
		return found;
	number = tx_int(tx, sql, 0);
	tx_end(tx, sql);
	return step(tx, number, err) != 0 ? -1 : 1;
}

int
sflow_sweep_run(struct tx *tx, struct err *err)
{
	const int64_t now = tx_now(tx);
	int swept;

	swept = sweep_found(tx, tx_first(tx, err, SQL_FLOW_CANCELLING),
			    SQL_FLOW_CANCELLING, sflow_skip_some_run, err);
	if (swept == 0)
		swept = sweep_found(tx,
				    tx_first(tx, err, SQL_FLOW_IDLE,
					     now - FLOW_IDLE_S * INT64_C(1000)),
				    SQL_FLOW_IDLE, sweep_idle, err);
	if (swept == 0)
		swept = sweep_found(tx, tx_first(tx, err, SQL_FLOW_GONE, now),
				    SQL_FLOW_GONE, sweep_gone, err);
	return swept;
}
