/* SPDX-License-Identifier: MIT */
/*
 * Workflows in the database: they are made, sealed and cancelled. What one
 * transaction does not finish is done by further ones before it is answered; if this
 * process dies between two, housekeeping goes on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite/broker.h"
#include "store/sqlite/flows.h"
#include "store/sqlite/record.h"
#include "util/err.h"

/* A call that is answered with a value. */
struct flow_call {
	struct database_job job;
	struct sbroker *broker;
	broker_value_fn *on_value;
	void *arg;
	char id[TASK_FLOW_MAX + 1], step[TASK_ID_MAX + 1];
	char label[FLOW_LABEL_MAX + 1];
	struct flow_begin begin; /* its slices are not looked at */
	enum flow_outcome outcome;
	/* The answer. */
	struct err wrong; /* ERR_NONE: nothing */
	const char *value;
	bool more; /* to be done first */
};

/* --- in the I/O thread ------------------------------------------------------ */

/* 1; or 0, and the call has its answer. */
static int
call_find(struct flow_call *c, struct tx *tx, struct sflow *ret,
	  struct err *err)
{
	const int found = sflow_find_run(tx, slice_of(c->id), ret, err);

	c->wrong.code = ERR_NONE;
	c->value = "";
	c->more = false;
	if (found == 0)
		err_set(&c->wrong, ERR_NOT_FOUND, "no workflow %s", c->id);
	return found;
}

static int
begin_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct flow_call *c = container_of(job, struct flow_call, job);
	const struct flow_begin *b = &c->begin;
	const int added =
	    tx_run(tx, err, SQL_FLOW_ADD, slice_of(c->id), slice_of(c->label),
		   (int64_t)(b->on_failure == FLOW_CANCEL), (int64_t)b->whole,
		   b->life_s, tx_now(tx));

	c->wrong.code = ERR_NONE;
	c->value = "";
	if (added == 0)
		err_set(&c->wrong, ERR_REFUSED,
			"a workflow with the ID %s exists already", c->id);
	return added < 0 ? -1 : 0;
}

/* The state that it is in now. */
static int
call_state(struct flow_call *c, struct tx *tx, int64_t number, struct err *err)
{
	struct sflow flow;
	const int found = sflow_get_run(tx, number, &flow, err);

	if (found == 1)
		c->value = flow_state_word(flow.state);
	return found < 0 ? -1 : 0;
}

/* Some of those that wait for it go on. */
static int
seal_some(struct flow_call *c, struct tx *tx, int64_t flow, struct err *err)
{
	const struct swaits_end end = {.outcome = SWAITS_SUCCEEDED};
	char text[SSTEPS_NAME_SIZE];
	const struct slice name = ssteps_name_seal(text, slice_of(c->id));
	struct stotals totals;
	int more;

	if (stotals_get_run(tx, &totals, err) != 0 ||
	    swaits_end_run(tx, name, &end, &totals, err) != 0 ||
	    stotals_set_run(tx, &totals, err) != 0 ||
	    sflow_look_run(tx, flow, err) != 0 ||
	    (more = tx_any(tx, err, SQL_WAITS_AMONG, name, name)) < 0)
		return -1;
	c->more = more == 1;
	return 0;
}

static int
seal_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct flow_call *c = container_of(job, struct flow_call, job);
	struct sflow flow;
	const int found = call_find(c, tx, &flow, err);

	if (found <= 0)
		return found;
	if (flow.state == FLOW_OPEN) {
		flow.state = FLOW_RUNNING;
		if (tx_run(tx, err, SQL_FLOW_STATE, flow.number,
			   (int64_t)flow.state, tx_now(tx)) < 0)
			return -1;
	}
	if (flow.state == FLOW_RUNNING &&
	    seal_some(c, tx, flow.number, err) != 0)
		return -1;
	return call_state(c, tx, flow.number, err);
}

static int
cancel_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct flow_call *c = container_of(job, struct flow_call, job);
	struct sflow flow;
	int found = call_find(c, tx, &flow, err);

	if (found <= 0)
		return found;
	if (sflow_cancel_run(tx, &flow, err) != 0)
		return -1;
	if (flow.state == FLOW_CANCELLING) {
		if (sflow_skip_some_run(tx, flow.number, err) != 0)
			return -1;
		found = tx_any(tx, err, SQL_STEP_WAITING, flow.number);
		c->more = found == 1;
	}
	return found < 0 ? -1 : call_state(c, tx, flow.number, err);
}

/* Those behind it are told what its record says of its life. */
static int
end_at(struct flow_call *c, struct tx *tx, const struct sflow *flow,
       struct err *err)
{
	static const enum swaits_outcome outcomes[] = {
	    [FLOW_STEP_SUCCEEDED] = SWAITS_SUCCEEDED,
	    [FLOW_STEP_FAILED] = SWAITS_FAILED,
	    [FLOW_STEP_SKIPPED] = SWAITS_SKIPPED};
	struct swaits_end end = {.outcome = outcomes[c->outcome],
				 .expires = sflow_gone_ms(tx, flow)};
	struct stotals totals;

	if (stotals_get_run(tx, &totals, err) != 0 ||
	    swaits_end_run(tx, slice_of(c->step), &end, &totals, err) != 0)
		return -1;
	return stotals_set_run(tx, &totals, err);
}

static int
end_step_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct flow_call *c = container_of(job, struct flow_call, job);
	struct sflow flow;
	struct sstep step;
	int found = call_find(c, tx, &flow, err);

	if (found <= 0)
		return found;
	found = sstep_find_run(tx, slice_of(c->step), &step, err);
	if (found < 0)
		return -1;
	if (found == 0 || step.flow != flow.number) {
		err_set(&c->wrong, ERR_NOT_FOUND, "workflow %s has no step %s",
			c->id, c->step);
		return 0;
	}
	if (step.state > SSTEP_RELEASED)
		return 0;
	c->value = "1";
	return end_at(c, tx, &flow, err);
}

/* --- on the loop ---------------------------------------------------------------- */

void
sflow_text(char *to, size_t size, struct slice from)
{
	snprintf(to, size, "%.*s", (int)from.len, from.len > 0 ? from.p : "");
}

static void
call_drop(struct database_job *job)
{
	free(container_of(job, struct flow_call, job));
}

/* The callback may do anything, also close the broker. */
static void
call_done(struct database_job *job, const struct err *err)
{
	struct flow_call *c = container_of(job, struct flow_call, job);
	struct slice value = {NULL, 0};
	struct flow_call answer;

	if (err == NULL && c->wrong.code == ERR_NONE && c->more) {
		database_post(&c->broker->user, &c->job);
		return;
	}
	answer = *c;
	free(c);
	if (err == NULL && answer.wrong.code != ERR_NONE)
		err = &answer.wrong;
	if (err == NULL)
		value = slice_of(answer.value);
	answer.on_value(value, err, answer.arg);
}

/* NULL: the caller has been answered. */
static struct flow_call *
call_new(struct broker *broker,
	 int (*run)(struct database_job *, struct tx *, struct err *),
	 struct slice flow, broker_value_fn *on_value, void *arg)
{
	struct sbroker *b = (struct sbroker *)broker;
	struct flow_call *c = calloc(1, sizeof(*c));
	struct err err;

	if (c == NULL) {
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
		return NULL;
	}
	*c = (struct flow_call){.job = {.run = run,
					.done = call_done,
					.drop = call_drop,
					.sync = DATABASE_NOW,
					.absent = DATABASE_FAIL,
					.rows = SWAITS_STEP},
				.broker = b,
				.on_value = on_value,
				.arg = arg};
	sflow_text(c->id, sizeof(c->id), flow);
	return c;
}

static void
call_post(struct flow_call *c)
{
	if (c != NULL)
		database_post(&c->broker->user, &c->job);
}

/* Where records are elsewhere, no transaction has an end and what follows from
 * it. */
static int
nothing_run(struct database_job *job, struct tx *tx, struct err *err)
{
	return 0;
}

void
sflow_begin(struct broker *broker, const struct flow_begin *begin,
	    broker_value_fn *on_value, void *arg)
{
	const bool can = ((struct sbroker *)broker)->opt.with_results;
	struct flow_call *c = call_new(broker, can ? begin_run : nothing_run,
				       begin->id, on_value, arg);

	if (c == NULL)
		return;
	c->begin = *begin;
	c->value = "";
	c->job.rows = 1;
	c->job.absent = DATABASE_MAKE;
	sflow_text(c->label, sizeof(c->label), begin->label);
	if (!can)
		err_set(&c->wrong, ERR_CONFIG, SFLOW_APART);
	call_post(c);
}

void
sflow_seal(struct broker *b, struct slice flow, broker_value_fn *on_value,
	   void *arg)
{
	call_post(call_new(b, seal_run, flow, on_value, arg));
}

void
sflow_cancel(struct broker *b, struct slice flow, broker_value_fn *on_value,
	     void *arg)
{
	call_post(call_new(b, cancel_run, flow, on_value, arg));
}

void
sflow_end_step(struct broker *b, const struct flow_end *end,
	       broker_value_fn *on_value, void *arg)
{
	struct flow_call *c =
	    call_new(b, end_step_run, end->flow, on_value, arg);

	if (c != NULL) {
		c->outcome = end->outcome;
		sflow_text(c->step, sizeof(c->step), end->step);
	}
	call_post(c);
}

const struct broker_flow_ops broker_sqlite_flow = {
    .begin = sflow_begin,
    .seal = sflow_seal,
    .cancel = sflow_cancel,
    .end_step = sflow_end_step,
    .reopen = sflow_reopen,
    .get = sflow_get,
    .list = sflow_list,
    .steps = sflow_steps,
    .stale = sflow_stale,
    .repair = sflow_repair,
};
