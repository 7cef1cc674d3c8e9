/* SPDX-License-Identifier: MIT */
/*
 * Workflows in the database: lists of them, and of their steps. The I/O thread copies
 * rows with their texts into the page; the loop makes what is shown of them, which
 * points into those texts.
 */
#include <stdlib.h>
#include <string.h>

#include "store/admin.h"
#include "store/cursor.h"
#include "store/sqlite/broker.h"
#include "store/sqlite/flows.h"
#include "util/err.h"
#include "util/sat.h"

/* One page holds no more than this, and a row: see list.c. */
#define PAGE_BYTES (4u << 20)

/* A page of workflows, or of steps of one. */
struct flow_row {
	struct flow_info info; /* of a workflow, without its label */
	struct flow_step step; /* or a step, without what are slices */
	size_t first, second;  /* the lengths of its texts */
};
struct flow_list {
	struct database_job job;
	broker_flows_fn *on_flows;
	broker_steps_fn *on_steps;
	void *arg;
	char id[TASK_FLOW_MAX + 1]; /* "": all workflows */
	bool released;		    /* only steps that are */
	int64_t from;		    /* the cursor */
	int64_t limit;
	/* The answer. */
	struct err wrong; /* with what was asked */
	struct flow_row *rows;
	size_t n;
	struct buf text;
	int64_t next; /* 0: that was all */
};

/* --- in the I/O thread -------------------------------------------------------- */

static int
list_reset(struct flow_list *l, struct err *err)
{
	l->n = 0;
	l->next = 0;
	buf_reset(&l->text);
	if (l->rows == NULL)
		l->rows = calloc((size_t)l->limit, sizeof(*l->rows));
	return l->rows == NULL ? err_nomem(err) : 0;
}

static void
list_texts(struct flow_list *l, struct tx *tx, enum statement_index sql,
	   int column)
{
	struct flow_row *row = &l->rows[l->n];
	const struct slice first = tx_bytes(tx, sql, column),
			   second = tx_bytes(tx, sql, column + 1);

	row->first = first.len;
	row->second = second.len;
	buf_add(&l->text, first.p, first.len);
	buf_add(&l->text, second.p, second.len);
	l->n++;
}

/* Counts and times are ours, and yet anybody's to change. */
static int64_t
number_at(struct tx *tx, enum statement_index sql, int column)
{
	return sat_clamp(tx_int(tx, sql, column), 0, INT64_MAX);
}

static void
add_flow(struct flow_list *l, struct tx *tx, enum statement_index sql)
{
	struct flow_info *f = &l->rows[l->n].info;
	int i;

	*f = (struct flow_info){
	    .state = (enum flow_state)sat_clamp(tx_int(tx, sql, 1), 0,
						FLOW_CANCELLED),
	    .on_failure = tx_int(tx, sql, 2) != 0 ? FLOW_CANCEL : FLOW_CONTINUE,
	    .whole = tx_int(tx, sql, 3) != 0,
	    .life_s = number_at(tx, sql, 4),
	    .begun_ms = number_at(tx, sql, 5),
	    .moved_ms = number_at(tx, sql, 6),
	    .ended_ms = number_at(tx, sql, 7),
	    .waiting = number_at(tx, sql, 8),
	    .released = number_at(tx, sql, 9)};
	f->steps = sat_add(f->waiting, f->released);
	for (i = 0; i < FLOW_OUTCOMES; i++) {
		f->ended[i] = number_at(tx, sql, 10 + i);
		sat_count(&f->steps, f->ended[i]);
	}
	list_texts(l, tx, sql, 13);
}

static int
flow_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct flow_list *l = container_of(job, struct flow_list, job);
	int found;

	if (list_reset(l, err) != 0)
		return -1;
	found = tx_first(tx, err, SQL_FLOW_SHOW, slice_of(l->id), tx_now(tx));
	if (found == 1) {
		add_flow(l, tx, SQL_FLOW_SHOW);
		tx_end(tx, SQL_FLOW_SHOW);
	} else if (found == 0) {
		err_set(&l->wrong, ERR_NOT_FOUND, "no workflow %s", l->id);
	}
	return found < 0 ? -1 : l->text.failed ? err_nomem(err) : 0;
}

static int
flows_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct flow_list *l = container_of(job, struct flow_list, job);
	int more;

	if (list_reset(l, err) != 0)
		return -1;
	if (l->wrong.code != ERR_NONE)
		return 0;
	more = tx_first(tx, err, SQL_FLOWS_PAGE, l->from, l->limit, tx_now(tx));
	for (; more == 1; more = tx_next(tx, err, SQL_FLOWS_PAGE)) {
		l->next = tx_int(tx, SQL_FLOWS_PAGE, 0);
		add_flow(l, tx, SQL_FLOWS_PAGE);
	}
	if ((int64_t)l->n < l->limit)
		l->next = 0;
	return more == 0 && l->text.failed ? err_nomem(err) : more;
}

/* false: it is not shown. */
static bool
step_read(struct flow_list *l, struct tx *tx, struct flow_step *ret)
{
	const int64_t state = tx_int(tx, SQL_STEPS_PAGE, 2);

	*ret = (struct flow_step){
	    .role = (enum flow_role)sat_clamp(tx_int(tx, SQL_STEPS_PAGE, 1), 0,
					      FLOW_ON_COMPLETE),
	    .place = state == SSTEP_WAITING    ? FLOW_WAITS
		     : state == SSTEP_RELEASED ? FLOW_RELEASED
					       : FLOW_ENDED};
	if (ret->place == FLOW_ENDED)
		ret->outcome = (enum flow_outcome)sat_clamp(
		    state - SSTEP_SUCCEEDED, 0, FLOW_STEP_SKIPPED);
	return state != SSTEP_DROPPED &&
	       (!l->released || ret->place == FLOW_RELEASED);
}

static int
steps_read_run(struct flow_list *l, struct tx *tx, int64_t flow,
	       struct err *err)
{
	int64_t seen = 0;
	int more = tx_first(tx, err, SQL_STEPS_PAGE, flow, l->from, l->limit);

	for (; more == 1; more = tx_next(tx, err, SQL_STEPS_PAGE)) {
		if (l->text.len >= PAGE_BYTES) {
			tx_end(tx, SQL_STEPS_PAGE);
			return l->text.failed ? err_nomem(err) : 0;
		}
		l->next = tx_int(tx, SQL_STEPS_PAGE, 0);
		seen++;
		if (step_read(l, tx, &l->rows[l->n].step))
			list_texts(l, tx, SQL_STEPS_PAGE, 3);
	}
	if (seen < l->limit)
		l->next = 0;
	return more == 0 && l->text.failed ? err_nomem(err) : more;
}

static int
steps_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct flow_list *l = container_of(job, struct flow_list, job);
	struct sflow flow;
	int found;

	if (list_reset(l, err) != 0)
		return -1;
	if (l->wrong.code != ERR_NONE)
		return 0;
	found = sflow_find_run(tx, slice_of(l->id), &flow, err);
	if (found == 0)
		err_set(&l->wrong, ERR_NOT_FOUND, "no workflow %s", l->id);
	return found == 1 ? steps_read_run(l, tx, flow.number, err) : found;
}

/* --- on the loop ---------------------------------------------------------------- */

static void
list_drop(struct database_job *job)
{
	struct flow_list *l = container_of(job, struct flow_list, job);

	buf_done(&l->text);
	free(l->rows);
	free(l);
}

static struct slice
list_piece(const char **p, size_t len)
{
	const struct slice text = {len > 0 ? *p : "", len};

	if (len > 0)
		*p += len;
	return text;
}

static void
tell_flows(struct flow_list *l, struct slice next)
{
	struct flow_info *flows = calloc(l->n + 1, sizeof(*flows));
	const char *p = l->text.data;
	struct slice id;
	struct err err;
	size_t i;

	if (flows == NULL) {
		err_nomem(&err);
		l->on_flows(NULL, 0, next, &err, l->arg);
		return;
	}
	for (i = 0; i < l->n; i++) {
		flows[i] = l->rows[i].info;
		id = list_piece(&p, l->rows[i].first);
		sflow_text(flows[i].id, sizeof(flows[i].id), id);
		flows[i].label = list_piece(&p, l->rows[i].second);
	}
	l->on_flows(flows, l->n, next, NULL, l->arg);
	free(flows);
}

static void
make_steps(struct flow_list *l, struct flow_step *steps,
	   struct broker_after *after)
{
	const char *p = l->text.data;
	size_t i;

	for (i = 0; i < l->n; i++) {
		steps[i] = l->rows[i].step;
		steps[i].id = list_piece(&p, l->rows[i].first);
		steps[i].after = after;
		steps[i].n_after =
		    ssteps_after_read(list_piece(&p, l->rows[i].second), after);
		after += steps[i].n_after;
	}
}

static void
tell_steps(struct flow_list *l, struct slice next)
{
	const size_t n_after =
	    ssteps_after_count((struct slice){l->text.data, l->text.len});
	struct flow_step *steps = calloc(l->n + 1, sizeof(*steps));
	struct broker_after *after = calloc(n_after + 1, sizeof(*after));
	const struct flow_page page = {.steps = steps, .n = l->n, .next = next};
	struct err err;

	if (steps == NULL || after == NULL) {
		err_nomem(&err);
		l->on_steps(NULL, &err, l->arg);
	} else {
		make_steps(l, steps, after);
		l->on_steps(&page, NULL, l->arg);
	}
	free(steps);
	free(after);
}

static void
list_fail(const struct flow_list *l, const struct err *err)
{
	if (l->on_flows != NULL)
		l->on_flows(NULL, 0, SLICE(""), err, l->arg);
	else if (l->on_steps != NULL)
		l->on_steps(NULL, err, l->arg);
}

static void
list_done(struct database_job *job, const struct err *err)
{
	struct flow_list *l = container_of(job, struct flow_list, job);
	struct slice next = {NULL, 0};
	char cursor[CURSOR_SIZE];

	if (err == NULL && l->wrong.code != ERR_NONE)
		err = &l->wrong;
	if (err == NULL && l->next != 0)
		next = cursor_write(cursor, &l->next, 1);
	if (err != NULL)
		list_fail(l, err);
	else if (l->on_flows != NULL)
		tell_flows(l, next);
	else
		tell_steps(l, next);
	list_drop(job);
}

/* What is asked; a copy is posted. A wrong cursor is answered from the loop, too. */
static void
list_ask(struct broker *broker, const struct flow_list *asked,
	 struct slice cursor)
{
	struct flow_list *l = malloc(sizeof(*l));
	struct err err;

	if (l == NULL) {
		err_nomem(&err);
		list_fail(asked, &err);
		return;
	}
	*l = *asked;
	l->job.done = list_done;
	l->job.drop = list_drop;
	l->job.reads = true;
	if (cursor.len > 0)
		cursor_read(cursor, &l->from, 1, &l->wrong);
	database_post(&((struct sbroker *)broker)->user, &l->job);
}

void
sflow_get(struct broker *b, struct slice flow, broker_flows_fn *on_flows,
	  void *arg)
{
	struct flow_list l = {.job = {.run = flow_run},
			      .on_flows = on_flows,
			      .arg = arg,
			      .limit = 1};

	sflow_text(l.id, sizeof(l.id), flow);
	list_ask(b, &l, SLICE(""));
}

void
sflow_list(struct broker *b, struct slice cursor, unsigned int n,
	   broker_flows_fn *on_flows, void *arg)
{
	const struct flow_list l = {.job = {.run = flows_run},
				    .on_flows = on_flows,
				    .arg = arg,
				    .from = INT64_MAX,
				    .limit = n};

	list_ask(b, &l, cursor);
}

void
sflow_steps(struct broker *b, struct slice flow, struct slice cursor,
	    unsigned int n, broker_steps_fn *on_page, void *arg)
{
	struct flow_list l = {.job = {.run = steps_run},
			      .on_steps = on_page,
			      .arg = arg,
			      .limit = n};

	sflow_text(l.id, sizeof(l.id), flow);
	list_ask(b, &l, cursor);
}

void
sflow_repair(struct broker *b, struct slice flow, struct slice cursor,
	     broker_steps_fn *on_page, void *arg)
{
	struct flow_list l = {.job = {.run = steps_run},
			      .on_steps = on_page,
			      .arg = arg,
			      .released = true,
			      .limit = BROKER_PAGE_MAX};

	sflow_text(l.id, sizeof(l.id), flow);
	list_ask(b, &l, cursor);
}
