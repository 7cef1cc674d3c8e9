/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: which tasks workers have registered, and commands to them.
 *
 * What is registered is read in steps: there may be names by the hundred thousand,
 * and the server does nothing else during a step.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "store/redis/ops.h"

/* Of a step. What is registered of a task is some hundred bytes long. */
#define PAGE "250"

struct registry_query {
	struct redis_request request; /* that it begins with */
	struct rbroker *broker;
	/* One of them is not NULL, at most. */
	broker_value_fn *on_value;
	broker_names_fn *on_names;
	broker_entries_fn *on_entries;
	void *arg;
	/* Of names and entries: what is read, each text behind its length, and
	 * where the server has more. */
	struct buf read;
	size_t n;
	char cursor[ARG_NUMBER_SIZE];
};

static void
rregistry_free(struct registry_query *q)
{
	buf_done(&q->read);
	free(q);
}

static void
rregistry_drop(struct redis_request *request)
{
	rregistry_free(container_of(request, struct registry_query, request));
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

/* --- what is registered -------------------------------------------------- */

/* A name with its value, side by side while they are sorted. */
struct entry {
	struct slice name, value;
};

static int
compare_entries(const void *a, const void *b)
{
	const struct slice *x = &((const struct entry *)a)->name;
	const struct slice *y = &((const struct entry *)b)->name;
	size_t len = x->len < y->len ? x->len : y->len;
	int c = memcmp(x->p, y->p, len);

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

static void
rregistry_add(struct buf *read, struct slice text)
{
	buf_add(read, &text.len, sizeof(text.len));
	buf_add(read, text.p, text.len);
}

/* The text that begins at *at, which moves behind it. */
static struct slice
rregistry_cut(const struct buf *read, size_t *at)
{
	struct slice text;

	memcpy(&text.len, read->data + *at, sizeof(text.len));
	text.p = read->data + *at + sizeof(text.len);
	*at += sizeof(text.len) + text.len;
	return text;
}

/* Sorted, and each name once: the server may tell one twice when its table grows
 * between two steps. */
static size_t
rregistry_sort(const struct registry_query *q, struct entry *entries)
{
	size_t i, at = 0, n = 0;

	for (i = 0; i < q->n; i++) {
		entries[i].name = rregistry_cut(&q->read, &at);
		entries[i].value = rregistry_cut(&q->read, &at);
	}
	qsort(entries, q->n, sizeof(*entries), compare_entries);
	for (i = 0; i < q->n; i++)
		if (n == 0 || compare_entries(&entries[n - 1], &entries[i]))
			entries[n++] = entries[i];
	return n;
}

static void
rregistry_tell(const struct registry_query *q)
{
	struct entry *entries = calloc(q->n + 1, sizeof(*entries));
	struct slice *slices = calloc(2 * q->n + 1, sizeof(*slices));
	struct err err;
	size_t i, n;

	if (entries == NULL || slices == NULL || q->read.failed) {
		err_nomem(&err);
		rregistry_fail(q, &err);
		goto out;
	}
	n = rregistry_sort(q, entries);
	for (i = 0; i < n; i++) {
		slices[i] = entries[i].name;
		slices[n + i] = entries[i].value;
	}
	if (q->on_names != NULL)
		q->on_names(slices, n, NULL, q->arg);
	else
		q->on_entries(slices, slices + n, n, NULL, q->arg);
out:
	free(entries);
	free(slices);
}

static int
rregistry_ask_page(struct registry_query *q)
{
	const struct slice argv[] = {SLICE("HSCAN"), slice_of(RBROKER_REGISTRY),
				     slice_of(q->cursor), SLICE("COUNT"),
				     SLICE(PAGE)};

	return redis_request_command(&q->request, REDIS_ARGS(argv));
}

/* The cursor, and names and values by turns. Returns whether there is more. */
static bool
rregistry_take_page(struct registry_query *q, const struct redis_reply *reply)
{
	const struct redis_reply *page = redis_reply_at(reply, 1);
	const size_t n = redis_reply_count(page) / 2;
	const struct slice cursor =
	    redis_reply_string(redis_reply_at(reply, 0));
	size_t i;

	for (i = 0; i < 2 * n; i++)
		rregistry_add(&q->read,
			      redis_reply_string(redis_reply_at(page, i)));
	q->n += n;
	if (cursor.len == 0 || cursor.len >= sizeof(q->cursor) ||
	    slice_eq(cursor, SLICE("0")) || q->read.failed)
		return false;
	memcpy(q->cursor, cursor.p, cursor.len);
	q->cursor[cursor.len] = '\0';
	return true;
}

static void
rregistry_on_page(struct redis_request *request,
		  const struct redis_reply *reply)
{
	struct registry_query *q =
	    container_of(request, struct registry_query, request);
	struct err err;

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		redis_fault_err(q->broker->redis, "asking", reply, &err);
		rregistry_fail(q, &err);
	} else if (!rregistry_take_page(q, reply)) {
		rregistry_tell(q);
	} else if (rregistry_ask_page(q) == 0) {
		return;
	} else {
		err_set(&err, ERR_UNAVAILABLE, "asking: %s is unreachable",
			q->broker->url_name);
		rregistry_fail(q, &err);
	}
	rregistry_free(q);
}

/* --- one value ----------------------------------------------------------- */

/* HGET has a string or nothing, PUBLISH a number that nobody needs. */
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
	} else {
		if (redis_reply_type(reply) == REDIS_STRING)
			value = redis_reply_string(reply);
		q->on_value(value, NULL, q->arg);
	}
	rregistry_free(q);
}

/* `query` has the callback; NULL without memory, which that is told. */
static struct registry_query *
rregistry_new(struct broker *broker, const struct registry_query *query)
{
	struct registry_query *q = malloc(sizeof(*q));
	struct rbroker *b = (struct rbroker *)broker;
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		rregistry_fail(query, &err);
		return NULL;
	}
	*q = *query;
	q->request = (struct redis_request){.queue = b->requests,
					    .on_reply = rregistry_on_answer,
					    .drop = rregistry_drop};
	q->broker = b;
	strcpy(q->cursor, "0");
	return q;
}

/* Out of reach: the answer is an error, and comes from the loop as all do. */
static void
rregistry_send(struct broker *broker, const struct registry_query *query,
	       struct redis_args argv)
{
	struct registry_query *q = rregistry_new(broker, query);

	if (q != NULL && redis_request_command(&q->request, argv) != 0)
		redis_request_later(&q->request);
}

static void
rregistry_read(struct broker *broker, const struct registry_query *query)
{
	struct registry_query *q = rregistry_new(broker, query);

	if (q == NULL)
		return;
	q->request.on_reply = rregistry_on_page;
	if (rregistry_ask_page(q) != 0)
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
	rregistry_read(
	    b, &(struct registry_query){.on_names = on_names, .arg = arg});
}

void
rbroker_registry(struct broker *b, broker_entries_fn *on_entries, void *arg)
{
	rregistry_read(
	    b, &(struct registry_query){.on_entries = on_entries, .arg = arg});
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
