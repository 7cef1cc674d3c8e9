/* SPDX-License-Identifier: MIT */
/*
 * Workflows in the database: the end of a step is taken back, and that of those that
 * were skipped because of it; and which workflows may hang.
 *
 * Those that were skipped wait again, with the tasks that were kept of them, and also
 * until their records are reopened, which is for the caller.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/broker.h"
#include "store/sqlite/flows.h"
#include "store/sqlite/record.h"
#include "util/err.h"
#include "util/sat.h"

/* Workflows that are looked at, whether they hang, in one step. */
#define STALE_MAX 100

/* A question that is answered with IDs. */
struct flow_names {
	struct database_job job;
	broker_names_fn *on_names;
	void *arg;
	char id[TASK_FLOW_MAX + 1], step[TASK_ID_MAX + 1];
	/* The answer. */
	struct err wrong;
	struct buf text; /* each with a NUL behind it */
	size_t n;
};

static void
names_add(struct flow_names *q, const char *id)
{
	buf_add(&q->text, id, strlen(id) + 1);
	q->n++;
}

/* --- conditions ---------------------------------------------------------------- */

/* What can be said now of a step that was skipped. */
enum verdict {
	VERDICT_NEVER, /* it cannot run */
	VERDICT_MAYBE, /* others have to end first */
	VERDICT_NOW
};

static enum verdict
judge_one(const struct sstep *before, enum broker_after_how how)
{
	if (before->state <= SSTEP_RELEASED)
		return VERDICT_MAYBE;
	if (how == BROKER_AFTER_COMPLETE)
		return VERDICT_NOW;
	if (how == BROKER_AFTER_FAILURE)
		return before->state == SSTEP_FAILED ? VERDICT_NOW
						     : VERDICT_NEVER;
	return before->state == SSTEP_SUCCEEDED ? VERDICT_NOW : VERDICT_NEVER;
}

/* *ret: of all; those that have not ended come first in `after` then, *ret_open of
 * them. */
static int
judge(struct tx *tx, struct broker_after *after, size_t n, enum verdict *ret,
      size_t *ret_open, struct err *err)
{
	struct broker_after swap;
	struct sstep before;
	enum verdict one;
	size_t i;
	int found;

	*ret = VERDICT_NOW;
	*ret_open = 0;
	for (i = 0; i < n; i++) {
		found = sstep_find_run(tx, after[i].id, &before, err);
		if (found < 0)
			return -1;
		one = found == 1 ? judge_one(&before, after[i].how)
				 : VERDICT_NEVER;
		if (one < *ret)
			*ret = one;
		if (one != VERDICT_MAYBE)
			continue;
		swap = after[*ret_open];
		after[(*ret_open)++] = after[i];
		after[i] = swap;
	}
	return 0;
}

/* --- taking back ------------------------------------------------------------------ */

/* One that was skipped, and what it comes after. */
struct skipped {
	struct sstep step;
	char id[TASK_ID_MAX + 1];
	struct buf text; /* of `after` */
	struct broker_after *after;
	size_t n_after, n_open;
	enum verdict verdict;
};

static void
skipped_done(struct skipped *s)
{
	buf_done(&s->text);
	free(s->after);
}

static int
skipped_judge(struct skipped *s, struct tx *tx, struct err *err)
{
	const struct slice text = {s->text.data, s->text.len};

	s->after = calloc(ssteps_after_count(text) + 1, sizeof(*s->after));
	if (s->text.failed || s->after == NULL)
		return err_nomem(err);
	s->n_after = ssteps_after_read(text, s->after);
	return judge(tx, s->after, s->n_after, &s->verdict, &s->n_open, err);
}

/* Its record is final until the caller has reopened it, and names the task. One that
 * has none, since that has expired, gets one. */
static int
skipped_record(const struct skipped *s, struct tx *tx, int64_t number,
	       struct err *err)
{
	const struct slice id = slice_of(s->id);
	struct srecord r;
	const int found = srecord_find_run(tx, id, &r, err);

	if (found == 1)
		return srecord_move_run(tx, id, number, err) < 0 ? -1 : 0;
	return found < 0 || srecord_begin_run(tx,
					      &(struct srecord_birth){
						  .id = id, .task = number},
					      err) < 0
		   ? -1
		   : 0;
}

/* It waits for those that have not ended, and for its record. */
static int
skipped_hold(const struct skipped *s, struct tx *tx,
	     const struct swaits_row *row, struct err *err)
{
	char name[SSTEPS_NAME_SIZE];
	const struct broker_after record = {
	    .id = ssteps_name_reopen(name, slice_of(s->id))};
	size_t i;

	for (i = 0; i < s->n_open; i++)
		if (swaits_add_run(tx, row, &s->after[i], err) != 0)
			return -1;
	return swaits_add_run(tx, row, &record, err);
}

static int
skipped_take_back(const struct skipped *s, struct tx *tx, struct flow_names *q,
		  struct err *err)
{
	struct swaits_row row;
	const int queued = ssteps_queue_run(tx, &s->step, true, &row, err);

	if (queued <= 0)
		return queued;
	if (skipped_record(s, tx, row.number, err) != 0 ||
	    skipped_hold(s, tx, &row, err) != 0 ||
	    tx_run(tx, err, SQL_STEP_STATE, s->step.flow, s->step.place,
		   (int64_t)SSTEP_WAITING) < 0)
		return -1;
	names_add(q, s->id);
	return 0;
}

/* The next one behind s->step.place: 1, 0 or -1. */
static int
skipped_next(struct skipped *s, struct tx *tx, struct err *err)
{
	const enum statement_index sql = SQL_SKIPPED_NEXT;
	const int found = tx_first(tx, err, sql, s->step.flow, s->step.place);
	struct slice after;

	if (found <= 0)
		return found;
	s->step.place = tx_int(tx, sql, 0);
	sflow_text(s->id, sizeof(s->id), tx_bytes(tx, sql, 1));
	after = tx_bytes(tx, sql, 2);
	buf_add(&s->text, after.p, after.len);
	tx_end(tx, sql);
	return skipped_judge(s, tx, err) != 0 ? -1 : 1;
}

/* All that can run once the step has ended otherwise; of a workflow that was cancelled,
 * all that can run at all. Each comes after what it waits for, so one way through them is
 * enough. */
static int
take_back_all(struct flow_names *q, struct tx *tx, const struct sflow *flow,
	      const struct sstep *step, struct err *err)
{
	const bool whole =
	    flow->state == FLOW_CANCELLED || flow->state == FLOW_CANCELLING;
	struct skipped s = {.step = *step};
	int more = 1;

	if (whole)
		s.step.place = 0;
	while (more == 1) {
		s.text = (struct buf)BUF_INIT;
		s.after = NULL;
		more = skipped_next(&s, tx, err);
		if (more == 1 &&
		    (s.verdict == VERDICT_MAYBE ||
		     (whole && s.verdict == VERDICT_NOW)) &&
		    skipped_take_back(&s, tx, q, err) != 0)
			more = -1;
		skipped_done(&s);
	}
	return more;
}

/* Whether its end was taken back already, and its task was not put into its queue: by
 * one who died, or has not got the answer. Its record may be reopened by then. */
static int
was_taken_back(struct tx *tx, struct slice id, const struct sstep *step,
	       struct err *err)
{
	struct srecord r;
	const int found = step->state == SSTEP_RELEASED
			      ? srecord_find_run(tx, id, &r, err)
			      : 0;

	if (found != 1 || r.final != SRECORD_OPEN)
		return found;
	return r.task > 0 ? tx_any(tx, err, SQL_TASK_DEAD, r.task, id) : 0;
}

/* 1; 0: it is no failed step, or its workflow cannot go on, as q->wrong says; or -1. */
static int
check_step(struct flow_names *q, struct tx *tx, struct sflow *flow,
	   struct sstep *step, struct err *err)
{
	int found = sflow_find_run(tx, slice_of(q->id), flow, err);

	if (found == 0)
		err_set(&q->wrong, ERR_NOT_FOUND, "no workflow %s", q->id);
	if (found <= 0)
		return found;
	if ((found = sstep_find_run(tx, slice_of(q->step), step, err)) < 0)
		return -1;
	if (found == 0 || step->flow != flow->number ||
	    step->role != FLOW_STEP) {
		err_set(&q->wrong, ERR_NOT_FOUND, "workflow %s has no step %s",
			q->id, q->step);
		return 0;
	}
	found = step->state == SSTEP_FAILED
		    ? 1
		    : was_taken_back(tx, slice_of(q->step), step, err);
	if (found == 0)
		err_set(&q->wrong, ERR_REFUSED,
			"step %s of workflow %s has not failed", q->step,
			q->id);
	return found;
}

static int
take_back(struct flow_names *q, struct tx *tx, const struct sflow *flow,
	  const struct sstep *step, struct err *err)
{
	const enum flow_state state =
	    flow->state == FLOW_OPEN ? FLOW_OPEN : FLOW_RUNNING;

	names_add(q, q->step);
	if (tx_run(tx, err, SQL_STEP_STATE, step->flow, step->place,
		   (int64_t)SSTEP_RELEASED) < 0 ||
	    tx_run(tx, err, SQL_FLOW_AGAIN, flow->number, (int64_t)state,
		   tx_now(tx)) < 0 ||
	    tx_run(tx, err, SQL_CALLBACKS_AGAIN, flow->number) < 0 ||
	    take_back_all(q, tx, flow, step, err) != 0)
		return -1;
	return q->text.failed ? err_nomem(err) : 0;
}

static int
reopen_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct flow_names *q = container_of(job, struct flow_names, job);
	struct sflow flow;
	struct sstep step;
	int can;

	q->wrong.code = ERR_NONE;
	q->n = 0;
	buf_reset(&q->text);
	can = check_step(q, tx, &flow, &step, err);
	return can == 1 ? take_back(q, tx, &flow, &step, err) : can;
}

int
ssteps_reopened_run(struct tx *tx, struct slice id, struct err *err)
{
	const struct swaits_end end = {.outcome = SWAITS_SUCCEEDED};
	char text[SSTEPS_NAME_SIZE];
	const struct slice name = ssteps_name_reopen(text, id);
	struct stotals totals;
	const int waits = tx_any(tx, err, SQL_WAITS_AMONG, name, name);

	if (waits <= 0)
		return waits;
	if (stotals_get_run(tx, &totals, err) != 0 ||
	    swaits_end_run(tx, name, &end, &totals, err) != 0)
		return -1;
	return stotals_set_run(tx, &totals, err);
}

/* --- those that may hang -------------------------------------------------------- */

/* Each is looked at now and then, and named if nothing has happened in it. */
static int
stale_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct flow_names *q = container_of(job, struct flow_names, job);
	const int64_t now = tx_now(tx),
		      until = now - FLOW_REPAIR_S * INT64_C(1000);
	int64_t numbers[STALE_MAX];
	size_t n = 0, i;
	int more =
	    tx_first(tx, err, SQL_FLOWS_STALE, until, (int64_t)STALE_MAX);

	q->n = 0;
	buf_reset(&q->text);
	for (; more == 1; more = tx_next(tx, err, SQL_FLOWS_STALE)) {
		numbers[n++] = tx_int(tx, SQL_FLOWS_STALE, 0);
		if (tx_int(tx, SQL_FLOWS_STALE, 1) > until)
			continue;
		sflow_text(q->id, sizeof(q->id),
			   tx_bytes(tx, SQL_FLOWS_STALE, 2));
		names_add(q, q->id);
	}
	for (i = 0; i < n && more == 0; i++)
		if (tx_run(tx, err, SQL_FLOW_LOOKED, numbers[i], now) < 0)
			return -1;
	return more == 0 && q->text.failed ? err_nomem(err) : more;
}

/* --- on the loop ------------------------------------------------------------------ */

static void
names_drop(struct database_job *job)
{
	struct flow_names *q = container_of(job, struct flow_names, job);

	buf_done(&q->text);
	free(q);
}

static void
names_done(struct database_job *job, const struct err *err)
{
	struct flow_names *q = container_of(job, struct flow_names, job);
	struct slice *names = calloc(q->n + 1, sizeof(*names));
	const char *p = q->text.data;
	struct err nomem;
	size_t i;

	if (err == NULL && q->wrong.code != ERR_NONE)
		err = &q->wrong;
	if (err == NULL && names == NULL) {
		err_nomem(&nomem);
		err = &nomem;
	}
	for (i = 0; err == NULL && i < q->n; i++) {
		names[i] = slice_of(p);
		p += names[i].len + 1;
	}
	q->on_names(err == NULL ? names : NULL, err == NULL ? q->n : 0, err,
		    q->arg);
	free(names);
	names_drop(job);
}

static void
names_ask(struct broker *broker, const struct flow_names *asked)
{
	struct flow_names *q = malloc(sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		asked->on_names(NULL, 0, &err, asked->arg);
		return;
	}
	*q = *asked;
	q->job.done = names_done;
	q->job.drop = names_drop;
	q->job.absent = DATABASE_FAIL;
	database_post(&((struct sbroker *)broker)->user, &q->job);
}

void
sflow_reopen(struct broker *b, struct slice flow, struct slice step,
	     broker_names_fn *on_names, void *arg)
{
	struct flow_names q = {
	    .job = {.run = reopen_run, .sync = DATABASE_NOW, .rows = 500},
	    .on_names = on_names,
	    .arg = arg};

	sflow_text(q.id, sizeof(q.id), flow);
	sflow_text(q.step, sizeof(q.step), step);
	names_ask(b, &q);
}

/* That they were looked at need not be on disk. */
void
sflow_stale(struct broker *b, broker_names_fn *on_names, void *arg)
{
	const struct flow_names q = {
	    .job = {.run = stale_run, .sync = DATABASE_LATER},
	    .on_names = on_names,
	    .arg = arg};

	names_ask(b, &q);
}
