/* SPDX-License-Identifier: MIT */
/* Questions to the servers, and orders: one message, one answer. */
#include "client/client.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/conf.h"
#include "util/pending.h"

static bool
may_ask_again(const struct question *q)
{
	const struct conf *conf = q->client->conf;

	return !q->once && (q->of_results ? conf->backend.retry_on_timeout
					  : conf->broker.retry_on_timeout);
}

static void
enter(struct question *q)
{
	struct flowrra_client *c = q->client;

	if (q->of_results && client_results(c, &q->op.err) == NULL)
		loop_done(c->loop, &q->op);
	else
		gate_enter(q->of_results ? &c->results_gate : &c->broker_gate,
			   &q->pass);
}

void
question_end(struct question *q, const struct err *err)
{
	if (err != NULL && err->code == ERR_UNAVAILABLE && may_ask_again(q)) {
		q->once = true;
		enter(q);
		return;
	}
	if (err != NULL)
		q->op.err = *err;
	loop_done(q->client->loop, &q->op);
}

void
question_answer(struct slice value, const struct err *err, void *arg)
{
	struct question *q = arg;

	if (err == NULL && value.len > 0) {
		q->present = true;
		buf_add(&q->value, value.p, value.len);
		if (q->value.failed)
			err_nomem(&q->op.err);
	}
	question_end(q, err);
}

static void
on_pass(struct gate_pass *pass, const struct err *why)
{
	struct question *q = container_of(pass, struct question, pass);

	if (why == NULL) {
		q->ask(q);
		return;
	}
	q->op.err = *why;
	loop_done(q->client->loop, &q->op);
}

static void
on_start(struct op *op)
{
	enter(container_of(op, struct question, op));
}

void
question_ask_registered(struct question *q)
{
	broker_registered(q->client->broker, q->key, question_answer, q);
}

void
question_ask_names(struct question *q)
{
	broker_registered_names(q->client->broker, question_answer, q);
}

void
question_ask_control(struct question *q)
{
	broker_control(q->client->broker, q->key, question_answer, q);
}

void
question_ask_record(struct question *q)
{
	results_get(q->client->results, q->key, question_answer, q);
}

static void
prepare(struct question *q)
{
	q->op.start = on_start;
	q->pass.on_pass = on_pass;
}

static int
outcome(struct question *q, struct err *err)
{
	if (q->op.err.code == ERR_NONE)
		return 0;
	buf_done(&q->value);
	if (err != NULL)
		*err = q->op.err;
	return -1;
}

int
question_put(struct question *q, struct err *err)
{
	prepare(q);
	loop_call(q->client->loop, &q->op);
	return outcome(q, err);
}

void
question_begin(struct question *q)
{
	prepare(q);
	loop_begin(q->client->loop, &q->op);
}

int
question_finish(struct question *q, struct err *err)
{
	loop_finish(q->client->loop, &q->op);
	return outcome(q, err);
}
