/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: which tasks workers have registered, and commands to them.
 * Each is one command to the server, whose answer is a value, or the names.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "store/redis/ops.h"

struct registry_query {
	struct redis_request request; /* that it begins with */
	struct rbroker *broker;
	/* One of them is not NULL, at most. */
	broker_value_fn *on_value;
	broker_names_fn *on_names;
	broker_entries_fn *on_entries;
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

static void
rregistry_fail(const struct registry_query *q, const struct err *err)
{
	if (q->on_names != NULL)
		q->on_names(NULL, 0, err, q->arg);
	else if (q->on_entries != NULL)
		q->on_entries(NULL, NULL, 0, err, q->arg);
	else if (q->on_value != NULL)
		q->on_value((struct slice){NULL, 0}, err, q->arg);
}

/* HKEYS has the names in the order of a hash, which changes. */
static void
answer_names(const struct registry_query *q, const struct redis_reply *reply)
{
	const size_t n = redis_reply_count(reply);
	struct slice *names = calloc(n + 1, sizeof(*names));
	struct err err;
	size_t i;

	if (names == NULL) {
		err_nomem(&err);
		rregistry_fail(q, &err);
		return;
	}
	for (i = 0; i < n; i++)
		names[i] = redis_reply_string(redis_reply_at(reply, i));
	qsort(names, n, sizeof(*names), compare_slices);
	q->on_names(names, n, NULL, q->arg);
	free(names);
}

/* A name with its value, side by side while they are sorted; compare_slices()
 * looks at the first. */
struct entry {
	struct slice name, value;
};

/* HGETALL has names and values by turns. */
static void
answer_entries(const struct registry_query *q, const struct redis_reply *reply)
{
	const size_t n = redis_reply_count(reply) / 2;
	struct entry *entries = calloc(n + 1, sizeof(*entries));
	struct slice *slices = calloc(2 * n + 1, sizeof(*slices));
	struct err err;
	size_t i;

	if (entries == NULL || slices == NULL) {
		err_nomem(&err);
		rregistry_fail(q, &err);
		goto out;
	}
	for (i = 0; i < n; i++)
		entries[i] = (struct entry){
		    redis_reply_string(redis_reply_at(reply, 2 * i)),
		    redis_reply_string(redis_reply_at(reply, 2 * i + 1))};
	qsort(entries, n, sizeof(*entries), compare_slices);
	for (i = 0; i < n; i++) {
		slices[i] = entries[i].name;
		slices[n + i] = entries[i].value;
	}
	q->on_entries(slices, slices + n, n, NULL, q->arg);
out:
	free(entries);
	free(slices);
}

/* The kind of the reply tells which question it answers: HKEYS and HGETALL have
 * an array, HGET a string or nothing, PUBLISH a number that nobody needs. */
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
		rregistry_fail(q, &err);
	} else if (q->on_names != NULL) {
		answer_names(q, reply);
	} else if (q->on_entries != NULL) {
		answer_entries(q, reply);
	} else {
		if (redis_reply_type(reply) == REDIS_STRING)
			value = redis_reply_string(reply);
		q->on_value(value, NULL, q->arg);
	}
	free(q);
}

/* `query` has the callback. */
static void
rregistry_send(struct broker *broker, const struct registry_query *query,
	       struct redis_args argv)
{
	struct rbroker *b = (struct rbroker *)broker;
	struct registry_query *q = malloc(sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		rregistry_fail(query, &err);
		return;
	}
	*q = *query;
	q->request = (struct redis_request){.queue = b->requests,
					    .on_reply = rregistry_on_answer};
	q->broker = b;
	/* Out of reach: the answer is an error, and comes from the loop as all
	 * do. */
	if (redis_request_command(&q->request, argv) != 0)
		redis_request_later(&q->request);
}

void
rbroker_registered(struct broker *b, struct slice name,
		   broker_value_fn *on_value, void *arg)
{
	const struct slice argv[] = {SLICE("HGET"), slice_of(RBROKER_REGISTRY),
				     name};
	const struct registry_query q = {.on_value = on_value, .arg = arg};

	rregistry_send(b, &q, REDIS_ARGS(argv));
}

void
rbroker_registered_names(struct broker *b, broker_names_fn *on_names, void *arg)
{
	const struct slice argv[] = {SLICE("HKEYS"),
				     slice_of(RBROKER_REGISTRY)};
	const struct registry_query q = {.on_names = on_names, .arg = arg};

	rregistry_send(b, &q, REDIS_ARGS(argv));
}

void
rbroker_registry(struct broker *b, broker_entries_fn *on_entries, void *arg)
{
	const struct slice argv[] = {SLICE("HGETALL"),
				     slice_of(RBROKER_REGISTRY)};
	const struct registry_query q = {.on_entries = on_entries, .arg = arg};

	rregistry_send(b, &q, REDIS_ARGS(argv));
}

/* Success says that the server has published the order, not that a worker has
 * obeyed it: the caller looks for the effect. */
void
rbroker_control(struct broker *b, struct slice message,
		broker_value_fn *on_sent, void *arg)
{
	const struct slice argv[] = {SLICE("PUBLISH"),
				     slice_of(RBROKER_CONTROL), message};
	const struct registry_query q = {.on_value = on_sent, .arg = arg};

	rregistry_send(b, &q, REDIS_ARGS(argv));
}
