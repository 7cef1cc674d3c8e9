/* SPDX-License-Identifier: MIT */
/*
 * Tasks that handlers submit: executors have no way to the broker, and no
 * password of it, since they run the code of others.
 *
 * A request lives until the stores have answered. Where broker and backend are
 * two stores, the record is made first: a task that ran before its record was
 * there could have its result replaced by `pending`.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "codec/scan.h"
#include "core/limit.h"
#include "dispatch/state.h"
#include "store/steps.h"
#include "util/clock.h"
#include "util/name.h"

/* One submission under way; its asker may be gone when it is answered. */
struct request {
	struct dispatch *dispatch;
	struct submit_request asker;
	struct task *task;
	struct buf bytes, record, unique, until;
	struct buf parent; /* a JSON string */
	struct steps_after after;
	struct broker_submit submit;
};

static void
request_free(struct request *q)
{
	task_free(q->task);
	buf_done(&q->bytes);
	buf_done(&q->record);
	buf_done(&q->unique);
	buf_done(&q->until);
	buf_done(&q->parent);
	steps_after_done(&q->after);
	free(q);
}

/* Answers the handler, if its executor is still there. */
static void
request_finish(struct request *q, const struct err *err)
{
	pool_submitted(q->dispatch->pool, q->asker.executor, q->asker.job,
		       q->asker.number, err);
	request_free(q);
}

static void
on_request_submitted(struct broker_submit *batch, size_t n, void *arg)
{
	struct request *q = arg;
	struct err err = batch[0].err;

	/* With no error, the message names the task that was there before. */
	if (err.code == ERR_NONE)
		snprintf(err.msg, sizeof(err.msg), "%s",
			 batch[0].duplicate && batch[0].flow.len == 0
			     ? batch[0].owner
			     : "");

	/* The record of a task that does not exist would pend for ever. */
	if (!q->dispatch->one_store && broker_submit_left_nothing(&batch[0]))
		results_forget(q->dispatch->results, &q->submit.id, 1);
	request_finish(q, &err);
}

static void
on_request_created(struct err *errs, size_t n, void *arg)
{
	struct request *q = arg;

	if (errs->code == ERR_NONE)
		broker_submit(q->dispatch->broker, &q->submit, 1,
			      on_request_submitted, q);
	else
		request_finish(q, errs);
}

/* What the handler leaves open, the task's module says. */
static int
request_complete(struct request *q, struct task *t, struct err *err)
{
	struct dispatch *d = q->dispatch;
	const struct handlers *handlers = pool_handlers(d->pool);
	const struct handler *h =
	    handlers != NULL ? handlers_find(handlers, t->name) : NULL;
	/* The rest is left out: the worker that runs it knows its module. */
	struct task_settings module = TASK_SETTINGS_UNSET;

	if (name_check_submitted(t->name, err) != 0 ||
	    (t->group != NULL &&
	     limit_check_group(slice_of(t->group), ERR_DATA, err) != 0))
		return -1;
	if (h == NULL && t->queue == NULL)
		return err_set(err, ERR_DATA,
			       "no module of this worker handles \"%s\"; to "
			       "submit to another worker, name the queue",
			       t->name);
	if (t->queue == NULL && h != NULL)
		t->queue = h->queue.p;
	if (h != NULL)
		t->cpu_bound = h->cpu_bound;
	if (h != NULL) {
		module.max_retries = h->max_retries;
		module.retry.delay_us = h->retry.delay_us;
	}
	task_resolve(t, &module, &d->conf->executor);
	if (t->submitted_us == 0)
		t->submitted_us = clock_wall_us();
	return 0;
}

/* Fields of a submission that are not part of the task. */
struct request_extras {
	double delay_s, unique_s, debounce_s;
	int64_t at_us;
	bool exclusive;
	enum flow_role role;
	struct buf *unique, *until; /* the request's */
	struct steps_after *after;  /* the same */
};

/* A number of the request, of seconds. */
static int
request_seconds(const struct scan_value *key, const struct scan_value *value,
		double *ret, struct err *err)
{
	if (scan_double(value, ret, err) != 0)
		return -1;
	if (*ret < 0 || *ret * 1e6 > (double)TASK_DURATION_MAX_US)
		return err_set(err, ERR_DATA,
			       "%.*s is not a number of seconds up to ten "
			       "years",
			       (int)key->text.len, key->text.p);
	return 0;
}

/* No time needs an escape; clock_parse() refuses the backslash of one. */
static int
request_time(const struct scan_value *value, int64_t *ret, struct err *err)
{
	char text[CLOCK_TEXT_SIZE];

	if (value->text.len >= sizeof(text))
		return err_set(err, ERR_DATA, "at: not a time");
	memcpy(text, value->text.p, value->text.len);
	text[value->text.len] = '\0';
	return clock_parse(text, ret, err) == 0 ? 0 : err_prefix(err, "at");
}

/* Members of other types are those of other things. */
static int
on_request_member(void *arg, const struct scan_value *key,
		  const struct scan_value *value, struct err *err)
{
	struct request_extras *x = arg;
	const struct slice name = key->text;

	if (slice_eq(name, SLICE("exclusive")))
		x->exclusive = value->type == SCAN_TRUE;
	if (slice_eq(name, SLICE("unique")) && value->type == SCAN_STRING)
		scan_unescape(value, x->unique);
	if (slice_eq(name, SLICE("unique_until")) && value->type == SCAN_STRING)
		scan_unescape(value, x->until);
	if (slice_eq(name, SLICE("on")) && value->type == SCAN_STRING)
		return steps_read_on(value->text, &x->role, err);
	if (slice_eq(name, SLICE("after")) && value->type == SCAN_ARRAY)
		return steps_read_after(value->text, x->after, err);
	if (slice_eq(name, SLICE("at")) && value->type == SCAN_STRING)
		return request_time(value, &x->at_us, err);
	if (value->type != SCAN_NUMBER)
		return 0;
	if (slice_eq(name, SLICE("delay")))
		return request_seconds(key, value, &x->delay_s, err);
	if (slice_eq(name, SLICE("unique_ttl")))
		return request_seconds(key, value, &x->unique_s, err);
	if (slice_eq(name, SLICE("debounce")))
		return request_seconds(key, value, &x->debounce_s, err);
	return 0;
}

/* What it says of its key, for the task and for the broker. */
static int
request_unique(struct request *q, const struct request_extras *x,
	       struct task *t, struct unique *ret, struct err *err)
{
	const struct unique_wish wish = {.key = q->unique.data,
					 .until = q->until.data,
					 .ttl_s = x->unique_s,
					 .debounce_s = x->debounce_s,
					 .delayed =
					     x->delay_s > 0 || x->at_us != 0};

	if (q->unique.failed || q->until.failed)
		return err_nomem(err);
	if (unique_read(&wish, ret, err) != 0)
		return -1;
	t->unique = wish.key;
	t->unique_until = ret->until;
	return 0;
}

/* Makes the task's bytes and its record. */
static int
request_encode(struct request *q, const struct task *t, struct err *err)
{
	const int64_t max = q->dispatch->conf->worker.max_task_size;
	struct result record = result_pending(t);

	record.times = q->dispatch->conf->worker.foreign_times;
	task_encode(t, &q->bytes);
	result_encode(&record, &q->record);
	if (q->bytes.failed || q->record.failed || q->parent.failed)
		return err_nomem(err);
	if (q->bytes.len > (size_t)max)
		return err_set(err, ERR_DATA,
			       "it has %zu bytes as JSON, more than %" PRId64
			       " ([worker] max_task_size)",
			       q->bytes.len, max);
	return 0;
}

/* The task is a child of the asker's, whatever that says; the first of a family has
 * no root of its own. */
static void
request_adopt(struct request *q, const struct task *parent, struct task *t)
{
	scan_quote(&q->parent, slice_of(parent->id));
	t->parent = (struct slice){q->parent.data, q->parent.len};
	t->root = parent->root.len > 0 ? parent->root : t->parent;
}

/* What a step of a workflow adds to that may come after its seal, while the step
 * runs. */
static struct slice
request_within(const struct request *q, const struct task *t)
{
	const struct job *job = job_find(q->dispatch, q->asker.job);

	return job != NULL && t->flow.len > 0 &&
		       slice_eq(job->task->flow, t->flow)
		   ? slice_of(job->task->id)
		   : SLICE("");
}

static int
request_check_flow(const struct request *q, const struct task *t,
		   enum flow_role role, struct err *err)
{
	if (t->flow.len == 0 && (q->after.n > 0 || role != FLOW_STEP))
		return err_set(err, ERR_DATA,
			       "after and on need a workflow (flow)");
	if (q->after.n > 0 && role != FLOW_STEP)
		return err_set(err, ERR_DATA,
			       "cannot use after with on: a step with on runs "
			       "when all others have ended");
	if (t->flow.len > 0 && q->unique.len > 0)
		return err_set(err, ERR_DATA,
			       "a step of a workflow cannot have a unique key");
	return 0;
}

/* What a task submits is part of its trace, unless it says of another. */
static void
request_inherit(struct request *q, struct task *t)
{
	const struct job *job = job_find(q->dispatch, q->asker.job);

	if (job == NULL)
		return;
	request_adopt(q, job->task, t);
	if (t->traceparent.len > 0)
		return;
	t->traceparent = job->run.traceparent;
	t->tracestate = job->run.tracestate;
}

/* Makes task and record of what the handler sent, as a client would; -1 with
 * *err if it is not a task, or not one that a worker would take. */
static int
request_prepare(struct request *q, struct slice json, struct err *err)
{
	struct request_extras x = {.unique = &q->unique,
				   .until = &q->until,
				   .after = &q->after,
				   .role = FLOW_STEP};
	struct unique unique = {.until = UNIQUE_TIME};
	struct task t;

	if (task_decode(json, &q->task, err) != 0 ||
	    scan_object(json, TASK_DEPTH_MAX, on_request_member, &x, err) != 0)
		return -1;
	t = *q->task;
	request_inherit(q, &t);
	if (request_unique(q, &x, &t, &unique, err) != 0)
		return -1;
	x.delay_s += (double)unique.debounce_ms / 1000;
	if (x.delay_s > 0)
		t.due_ms = clock_wall_us() / 1000 + (int64_t)(x.delay_s * 1000);
	else if (x.at_us > 0)
		t.due_ms = x.at_us / 1000;
	if (request_check_flow(q, &t, x.role, err) != 0 ||
	    request_complete(q, &t, err) != 0 ||
	    request_encode(q, &t, err) != 0)
		return -1;
	q->submit = (struct broker_submit){
	    .queue = t.queue,
	    .id = slice_of(t.id),
	    .bytes = {q->bytes.data, q->bytes.len},
	    .priority = t.priority,
	    .delay_ms = (int64_t)ceil(x.delay_s * 1000),
	    .at_ms = x.at_us / 1000,
	    .exclusive = x.exclusive && t.flow.len == 0,
	    .after = q->after.items,
	    .n_after = q->after.n,
	    .flow = t.flow,
	    .role = x.role,
	    .within = request_within(q, &t),
	    .unique = {q->unique.data, q->unique.len},
	    .unique_s = unique.ttl_s,
	    .unique_until = unique.until,
	    .debounces = unique.debounce_ms > 0,
	    .record = {q->record.data, q->record.len},
	    .derived =
		q->dispatch->conf->worker.foreign_times == CLOCK_FORM_UTC};
	return 0;
}

void
submit_for(struct dispatch *d, const struct submit_request *request,
	   struct slice json)
{
	struct request *q;
	struct err err;

	if (flow_ask_is_one(json)) {
		flow_ask_for(d, request, json);
		return;
	}
	if ((q = calloc(1, sizeof(*q))) == NULL) {
		err_nomem(&err);
		pool_submitted(d->pool, request->executor, request->job,
			       request->number, &err);
		return;
	}
	q->dispatch = d;
	q->asker = *request;
	if (request_prepare(q, json, &err) != 0)
		request_finish(q, &err);
	else if (d->one_store || q->submit.role != FLOW_STEP)
		broker_submit(d->broker, &q->submit, 1, on_request_submitted,
			      q);
	else
		results_create(d->results, &q->submit.id, &q->submit.record,
			       &q->submit.err, 1, on_request_created, q);
}
