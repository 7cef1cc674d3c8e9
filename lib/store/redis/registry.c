/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: which tasks workers have registered, and orders to them.
 * Each is one command whose answer is a value.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "store/redis/broker.h"

struct registry_query {
	struct redis_request request; /* that it begins with */
	struct rbroker *broker;
	broker_value_fn *on_value;
	void *arg;
};

static int
compare_slices(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int c = memcmp(x->p, y->p, len);

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* Names as a sorted JSON array: HKEYS has them in the order of a hash, which
 * changes. */
static void
answer_names(const struct registry_query *q, const struct redis_reply *reply)
{
	size_t i, n = redis_reply_count(reply);
	struct slice *names = calloc(n ? n : 1, sizeof(*names));
	struct buf json = BUF_INIT;
	struct err err;

	if (names != NULL) {
		for (i = 0; i < n; i++)
			names[i] = redis_reply_string(redis_reply_at(reply, i));
		qsort(names, n, sizeof(*names), compare_slices);
		buf_addc(&json, '[');
		for (i = 0; i < n; i++) {
			if (i > 0)
				buf_addc(&json, ',');
			scan_quote(&json, names[i]);
		}
		buf_addc(&json, ']');
	}
	if (names == NULL || json.failed) {
		err_nomem(&err);
		q->on_value((struct slice){NULL, 0}, &err, q->arg);
	} else {
		q->on_value((struct slice){json.data, json.len}, NULL, q->arg);
	}
	buf_done(&json);
	free(names);
}

/* The kind of the reply tells which question it answers: HKEYS has an array,
 * HGET a string or nothing, PUBLISH a number that nobody needs. */
static void
rregistry_on_answer(struct redis_request *request,
		    const struct redis_reply *reply)
{
	struct registry_query *q =
	    container_of(request, struct registry_query, request);
	struct slice value = {NULL, 0};
	struct err err;

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		redis_fault_err(q->broker->redis, "asking", reply, &err);
		q->on_value(value, &err, q->arg);
	} else if (redis_reply_type(reply) == REDIS_ARRAY) {
		answer_names(q, reply);
	} else {
		if (redis_reply_type(reply) == REDIS_STRING)
			value = redis_reply_string(reply);
		q->on_value(value, NULL, q->arg);
	}
	free(q);
}

static void
rregistry_ask(struct broker *broker, broker_value_fn *on_value, void *arg,
	      size_t argc, const struct slice *argv)
{
	struct rbroker *b = (struct rbroker *)broker;
	struct registry_query *q = malloc(sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
		return;
	}
	*q = (struct registry_query){
	    .request = {.queue = b->requests, .on_reply = rregistry_on_answer},
	    .broker = b,
	    .on_value = on_value,
	    .arg = arg};
	/* Out of reach: the answer is an error, and comes from the loop as all
	 * do. */
	if (redis_request_command(&q->request,
				  (struct redis_args){argv, argc}) != 0)
		redis_request_later(&q->request);
}

void
rbroker_registered(struct broker *b, struct slice name,
		   broker_value_fn *on_value, void *arg)
{
	const struct slice argv[] = {SLICE("HGET"), slice_of(RBROKER_REGISTRY),
				     name};

	rregistry_ask(b, on_value, arg, 3, argv);
}

void
rbroker_registered_names(struct broker *b, broker_value_fn *on_value, void *arg)
{
	const struct slice argv[] = {SLICE("HKEYS"),
				     slice_of(RBROKER_REGISTRY)};

	rregistry_ask(b, on_value, arg, 2, argv);
}

/* Success says that the server has published the order, not that a worker has
 * obeyed it: the caller looks for the effect. */
void
rbroker_control(struct broker *b, struct slice message,
		broker_value_fn *on_sent, void *arg)
{
	const struct slice argv[] = {SLICE("PUBLISH"),
				     slice_of(RBROKER_CONTROL), message};

	rregistry_ask(b, on_sent, arg, 3, argv);
}
