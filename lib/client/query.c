/* SPDX-License-Identifier: MIT */
/*
 * Queries and commands to the servers: one message, one answer.
 *
 * A query is an operation of the loop. Its way: query_enter() waits until the
 * server is in reach, on_query_ready() sends it, the store calls query_answer()
 * or a callback that ends in query_end(), and the thread that waits in
 * query_run() goes on. If the connection breaks after it was sent, it goes the
 * same way once more.
 */
#include "client/client.h"
#include "codec/scan.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/pending.h"

/* Whether it broke since the server said nothing, rather than at once. */
static bool
was_silent(const struct query *q)
{
	const int64_t deadline_ms = q->client->deadline_ms;

	return deadline_ms > 0 &&
	       clock_mono_ms() - q->begun_ms >= deadline_ms / 4;
}

/* A query that the server may have carried out is harmless to repeat, unless
 * it says `once`; the user can forbid it too, and then sees every fault. With a
 * deadline there is no time for it after a silence. */
static bool
may_repeat(const struct query *q)
{
	const struct conf *conf = q->client->conf;

	return !q->once && !was_silent(q) &&
	       (q->of_results ? conf->backend.retry_on_timeout
			      : conf->broker.retry_on_timeout);
}

/* Which server to wait for: its own; but after a silence, with one server for
 * both, that of the connection that is known to be broken. */
static struct readiness *
query_readiness(const struct query *q)
{
	struct flowrra_client *c = q->client;

	if (c->silent && c->one_store && !c->broker_ready.up)
		return &c->broker_ready;
	if (c->silent && c->one_store && c->results != NULL &&
	    !c->results_ready.up)
		return &c->results_ready;
	return q->of_results ? &c->results_ready : &c->broker_ready;
}

/* Waits for the server. The results are opened here, by the first query for
 * them; an error in their URL ends the query. */
static void
query_enter(struct query *q)
{
	struct flowrra_client *c = q->client;

	if (q->of_results && client_results(c, &q->op.err) == NULL)
		loop_done(c->loop, &q->op);
	else
		readiness_await(query_readiness(q), &q->waiter);
}

void
query_end(struct query *q, const struct err *err)
{
	if (err != NULL && err->code == ERR_UNAVAILABLE && may_repeat(q)) {
		/* Once: a server that breaks every connection would otherwise
		 * hold the caller for ever. */
		q->once = true;
		query_enter(q);
		return;
	}
	q->client->silent = err != NULL && err->code == ERR_UNAVAILABLE
				? q->client->silent || was_silent(q)
				: false;
	/* Without `err`, one that the callback has set stays. */
	if (err != NULL)
		q->op.err = *err;
	loop_done(q->client->loop, &q->op);
}

void
query_answer(struct slice value, const struct err *err, void *arg)
{
	struct query *q = arg;

	/* The value is the store's, and gone when we return. */
	if (err == NULL && value.len > 0) {
		q->present = true;
		buf_add(&q->value, value.p, value.len);
		if (q->value.failed)
			err_nomem(&q->op.err);
	}
	query_end(q, err);
}

/* Not repeated when the wait fails: it has taken socket_timeout already. */
static void
on_query_ready(struct readiness_waiter *waiter, const struct err *why)
{
	struct query *q = container_of(waiter, struct query, waiter);

	if (why == NULL) {
		q->send(q);
		return;
	}
	q->op.err = *why;
	loop_done(q->client->loop, &q->op);
}

static void
on_query_start(struct op *op)
{
	query_enter(container_of(op, struct query, op));
}

void
query_send_registered(struct query *q)
{
	broker_registered(q->client->broker, q->key, query_answer, q);
}

/* As flowrra_registered_names() gives them: a JSON array. */
static void
query_on_names(const struct slice *names, size_t n, const struct err *err,
	       void *arg)
{
	struct query *q = arg;
	size_t i;

	/* It may be the second attempt. */
	buf_reset(&q->value);
	buf_addc(&q->value, '[');
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(&q->value, ',');
		scan_quote(&q->value, names[i]);
	}
	buf_addc(&q->value, ']');
	q->present = true;
	if (q->value.failed)
		err_nomem(&q->op.err);
	query_end(q, err);
}

void
query_send_names(struct query *q)
{
	broker_registered_names(q->client->broker, query_on_names, q);
}

void
query_send_served(struct query *q)
{
	const struct broker_served question = {.queue = q->queue,
					       .name = q->key};

	broker_served(q->client->broker, &question, query_answer, q);
}

void
query_send_control(struct query *q)
{
	broker_control(q->client->broker, q->key, query_answer, q);
}

void
query_send_record(struct query *q)
{
	results_get(q->client->results, q->key, query_answer, q);
}

static void
query_prepare(struct query *q)
{
	q->begun_ms = q->client->deadline_ms > 0 ? clock_mono_ms() : 0;
	q->op.start = on_query_start;
	q->waiter.on_ready = on_query_ready;
}

/* What the caller gets, on the caller's thread: the loop is done with it. */
static int
query_outcome(struct query *q, struct err *err)
{
	if (q->op.err.code == ERR_NONE)
		return 0;
	buf_done(&q->value);
	if (err != NULL)
		*err = q->op.err;
	return -1;
}

/* With a deadline, the answer must not wait for a lock. */
static bool
query_blocks(const struct query *q)
{
	return q->client->deadline_ms == 0;
}

int
query_run(struct query *q, struct err *err)
{
	query_prepare(q);
	q->op.blocks = query_blocks(q);
	loop_call(q->client->loop, &q->op);
	return query_outcome(q, err);
}

int
query_run_two(struct query *q, struct query *also, struct err *err)
{
	query_prepare(q);
	query_prepare(also);
	q->op.blocks = also->op.blocks = query_blocks(q);
	loop_call_two(q->client->loop, &q->op, &also->op);
	return query_outcome(q, err);
}

void
query_begin(struct query *q)
{
	query_prepare(q);
	loop_begin(q->client->loop, &q->op);
}

int
query_finish(struct query *q, struct err *err)
{
	loop_finish(q->client->loop, &q->op);
	return query_outcome(q, err);
}
