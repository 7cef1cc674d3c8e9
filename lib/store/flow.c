/* SPDX-License-Identifier: MIT */
/*
 * The workflows' part of the broker contract: checks what is asked, and calls the
 * store. As in admin.c, a refusal comes from the loop, like all answers.
 */
#include "store/flow.h"

#include <stdlib.h>

#include "store/admin.h"
#include "util/name.h"
#include "util/utf8.h"

const char *const flow_policy_words[] = {
    [FLOW_CONTINUE] = "continue", [FLOW_CANCEL] = "cancel"};

static const struct {
	struct slice word;
	bool has_ended;
} states[] = {
#define X(name, state_word, ended)                                             \
	[FLOW_##name] = {.word = {state_word, sizeof(state_word) - 1},         \
			 .has_ended = (ended)},
    FLOW_STATES(X)
#undef X
};

const char *
flow_state_word(enum flow_state state)
{
	return states[state].word.p;
}

int
flow_state_parse(struct slice word, enum flow_state *ret)
{
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (slice_eq(word, states[i].word)) {
			*ret = (enum flow_state)i;
			return 0;
		}
	return -1;
}

bool
flow_state_has_ended(enum flow_state state)
{
	return states[state].has_ended;
}

bool
flow_id_valid(struct slice text)
{
	return name_valid(text, TASK_FLOW_MAX);
}

/* --- refusing ---------------------------------------------------------- */

/* The answer to a call that needs no store, until it can be given: an error, or, with
 * ERR_NONE, that there is nothing. One of the callbacks is set. */
struct flow_refusal {
	struct err err;
	broker_value_fn *on_value;
	broker_names_fn *on_names;
	broker_flows_fn *on_flows;
	broker_steps_fn *on_page;
	void *arg;
};

static void
flow_refusal_tell(const struct flow_refusal *r)
{
	const struct slice none = {NULL, 0};
	const struct flow_page no_steps = {.n = 0};
	const struct err *err = r->err.code != ERR_NONE ? &r->err : NULL;

	if (r->on_value != NULL)
		r->on_value(none, err, r->arg);
	else if (r->on_names != NULL)
		r->on_names(err != NULL ? NULL : &none, 0, err, r->arg);
	else if (r->on_flows != NULL)
		r->on_flows(NULL, 0, none, err, r->arg);
	else if (r->on_page != NULL)
		r->on_page(err != NULL ? NULL : &no_steps, err, r->arg);
}

/* After broker_close() nobody may be called back. */
static void
flow_refusal_end(void *arg, bool closed)
{
	struct flow_refusal *r = arg;

	if (!closed)
		flow_refusal_tell(r);
	free(r);
}

/* Takes a copy of the refusal. */
static void
flow_refuse(struct broker *b, const struct flow_refusal *refusal)
{
	struct flow_refusal *r = malloc(sizeof(*r));

	if (r != NULL) {
		*r = *refusal;
		if (b->ops->admin->defer(b, flow_refusal_end, r) == 0)
			return;
	}
	/* There is no memory to wait with: see broker.h. */
	free(r);
	flow_refusal_tell(refusal);
}

/* --- checking ---------------------------------------------------------- */

/* 40 bytes of what is wrong are enough to find it. */
static int
flow_bad_id(const char *what, struct slice id, const char *wanted,
	    struct err *err)
{
	return err_set(err, ERR_DATA, "\"%.*s\" is not a valid %s: %s",
		       (int)(id.len < 40 ? id.len : 40), id.p, what, wanted);
}

static int
flow_check_store(struct broker *b, struct err *err)
{
	return b->ops->flow != NULL
		   ? 0
		   : err_set(err, ERR_CONFIG, "%s has no workflows",
			     broker_name(b));
}

/* Nothing has an ID that no workflow, or task, may have; but who asks for it has
 * mistaken something else for one. */
static int
flow_check(struct broker *b, struct slice flow, struct err *err)
{
	if (flow_check_store(b, err) != 0)
		return -1;
	return flow_id_valid(flow)
		   ? 0
		   : flow_bad_id("workflow ID", flow,
				 "1 to 64 bytes of A-Z a-z 0-9 _ . -", err);
}

static int
flow_check_step(struct broker *b, struct slice flow, struct slice step,
		struct err *err)
{
	if (flow_check(b, flow, err) != 0)
		return -1;
	return task_id_valid(step)
		   ? 0
		   : flow_bad_id("task ID", step,
				 "1 to 200 bytes of printable ASCII without "
				 "spaces",
				 err);
}

bool
flow_label_valid(struct slice label)
{
	size_t at = 0, len;

	for (; at < label.len; at += len)
		if (utf8_strange(label.p + at, label.len - at, &len))
			return false;
	return label.len <= FLOW_LABEL_MAX;
}

static int
flow_check_begin(struct broker *b, const struct flow_begin *begin,
		 struct err *err)
{
	if (flow_check(b, begin->id, err) != 0)
		return -1;
	if (!flow_label_valid(begin->label))
		return err_set(err, ERR_DATA,
			       "the label of a workflow must be at most %d "
			       "bytes of UTF-8, without control characters",
			       FLOW_LABEL_MAX);
	if (begin->life_s < 1 || begin->life_s > FLOW_LIFE_MAX_S)
		return err_set(err, ERR_DATA,
			       "a workflow must be kept for 1 to %d seconds "
			       "after its end",
			       FLOW_LIFE_MAX_S);
	return 0;
}

int
flow_check_task(struct broker_submit *task)
{
	size_t i;

	if (!flow_id_valid(task->flow))
		return flow_bad_id("workflow ID", task->flow,
				   "1 to 64 bytes of A-Z a-z 0-9 _ . -",
				   &task->err);
	if (!task_id_valid(task->id))
		return err_set(&task->err, ERR_DATA,
			       "the ID of a step must be a task ID");
	if (task->unique.len > 0)
		return err_set(&task->err, ERR_DATA,
			       "a step of a workflow has no unique key");
	/* As nothing has such an ID. */
	for (i = 0; i < task->n_after; i++)
		if (!task_id_valid(task->after[i].id))
			return err_set(&task->err, ERR_NOT_FOUND,
				       "workflow %.*s has no such step to "
				       "wait for",
				       (int)task->flow.len, task->flow.p);
	return 0;
}

/* A limit is about how many are shown, so one that is out of range is not worth
 * an error. */
static unsigned int
flow_page_limit(unsigned int n)
{
	return n < 1 ? 1 : n < BROKER_PAGE_MAX ? n : BROKER_PAGE_MAX;
}

void
broker_flow_begin(struct broker *b, const struct flow_begin *begin,
		  broker_value_fn *on_value, void *arg)
{
	struct flow_refusal r = {.on_value = on_value, .arg = arg};

	if (flow_check_begin(b, begin, &r.err) != 0)
		flow_refuse(b, &r);
	else
		b->ops->flow->begin(b, begin, on_value, arg);
}

void
broker_flow_seal(struct broker *b, struct slice flow, broker_value_fn *on_value,
		 void *arg)
{
	struct flow_refusal r = {.on_value = on_value, .arg = arg};

	if (flow_check(b, flow, &r.err) != 0)
		flow_refuse(b, &r);
	else
		b->ops->flow->seal(b, flow, on_value, arg);
}

void
broker_flow_cancel(struct broker *b, struct slice flow,
		   broker_value_fn *on_value, void *arg)
{
	struct flow_refusal r = {.on_value = on_value, .arg = arg};

	if (flow_check(b, flow, &r.err) != 0)
		flow_refuse(b, &r);
	else
		b->ops->flow->cancel(b, flow, on_value, arg);
}

void
broker_flow_end_step(struct broker *b, const struct flow_end *end,
		     broker_value_fn *on_value, void *arg)
{
	struct flow_refusal r = {.on_value = on_value, .arg = arg};

	if (flow_check_step(b, end->flow, end->step, &r.err) != 0)
		flow_refuse(b, &r);
	else
		b->ops->flow->end_step(b, end, on_value, arg);
}

void
broker_flow_reopen(struct broker *b, struct slice flow, struct slice step,
		   broker_names_fn *on_names, void *arg)
{
	struct flow_refusal r = {.on_names = on_names, .arg = arg};

	if (flow_check_step(b, flow, step, &r.err) != 0)
		flow_refuse(b, &r);
	else
		b->ops->flow->reopen(b, flow, step, on_names, arg);
}

void
broker_flow_get(struct broker *b, struct slice flow, broker_flows_fn *on_flows,
		void *arg)
{
	struct flow_refusal r = {.on_flows = on_flows, .arg = arg};

	if (flow_check(b, flow, &r.err) != 0)
		flow_refuse(b, &r);
	else
		b->ops->flow->get(b, flow, on_flows, arg);
}

void
broker_flow_list(struct broker *b, struct slice cursor, unsigned int n,
		 broker_flows_fn *on_flows, void *arg)
{
	struct flow_refusal r = {.on_flows = on_flows, .arg = arg};

	if (flow_check_store(b, &r.err) != 0)
		flow_refuse(b, &r);
	else
		b->ops->flow->list(b, cursor, flow_page_limit(n), on_flows,
				   arg);
}

void
broker_flow_steps(struct broker *b, struct slice flow, struct slice cursor,
		  unsigned int n, broker_steps_fn *on_page, void *arg)
{
	struct flow_refusal r = {.on_page = on_page, .arg = arg};

	if (flow_check(b, flow, &r.err) != 0)
		flow_refuse(b, &r);
	else
		b->ops->flow->steps(b, flow, cursor, flow_page_limit(n),
				    on_page, arg);
}

/* --- repair -------------------------------------------------------------- */

/* A store in which nothing is ever left to repair, or that has no workflows. */
bool
broker_flow_may_hang(const struct broker *b)
{
	return b->ops->flow != NULL && b->ops->flow->stale != NULL;
}

void
broker_flow_stale(struct broker *b, broker_names_fn *on_names, void *arg)
{
	const struct flow_refusal none = {.on_names = on_names, .arg = arg};

	if (!broker_flow_may_hang(b))
		flow_refuse(b, &none);
	else
		b->ops->flow->stale(b, on_names, arg);
}

void
broker_flow_repair(struct broker *b, struct slice flow, struct slice cursor,
		   broker_steps_fn *on_page, void *arg)
{
	struct flow_refusal r = {.on_page = on_page, .arg = arg};

	if (flow_check(b, flow, &r.err) != 0 || !broker_flow_may_hang(b))
		flow_refuse(b, &r);
	else
		b->ops->flow->repair(b, flow, cursor, on_page, arg);
}

bool
broker_flow_hides_steps(const struct broker *b)
{
	return b->ops->flow != NULL && b->ops->flow->missing != NULL;
}

void
broker_flow_missing(struct broker *b, const struct flow_missing *ask,
		    broker_names_fn *on_names, void *arg)
{
	struct flow_refusal r = {.on_names = on_names, .arg = arg};

	if (ask->n > FLOW_MISSING_MAX ||
	    !task_name_valid(ask->queue, TASK_QUEUE_MAX))
		err_set(&r.err, ERR_DATA,
			"that is not a queue, with at most "
			"%d of its tasks",
			FLOW_MISSING_MAX);
	if (r.err.code != ERR_NONE || ask->n == 0 ||
	    !broker_flow_hides_steps(b))
		flow_refuse(b, &r);
	else
		b->ops->flow->missing(b, ask, on_names, arg);
}
