/* SPDX-License-Identifier: MIT */
/*
 * Submitting: a batch of tasks on its way to the broker.
 *
 * Its way, once it is full: on_batch_start() waits for the broker and, if the
 * records have a store of their own, for that one too. There the records are
 * created first (results_create()), then the tasks whose records could be made
 * are submitted: a task that can be claimed must have a record, or a program
 * that waits for it would be told that there is none. In one store, broker.h
 * does both in one step. In the end each task has its answer.
 *
 * A submission of a single task is a batch of one on the caller's stack.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/encode.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/pending.h"

/* What a caller must at least know of a request: the members of the first
 * published version. Those that came later follow `force`. */
#define REQUEST_MIN                                                            \
	(offsetof(struct flowrra_request, force) +                             \
	 sizeof(((struct flowrra_request *)0)->force))

/* A batch goes from one state to the next, and back to the first by a reset.
 * While it is under way it is the loop's: nobody else may look at it. */
enum batch_state {
	FILLING,   /* tasks may be added */
	UNDER_WAY, /* sent; loop_finish() has not been called */
	ANSWERED   /* the answers can be read */
};

/* How many of each array there is room for is `cap`. */
struct flowrra_batch {
	struct flowrra_client *client;
	enum batch_state state;
	bool adhoc; /* as of struct encoder */
	/* Of the tasks that are added from now on. */
	const struct broker_after *after;
	size_t n_after;
	bool follows;
	struct slice blob_name, blob;
	struct buf text; /* all parts of all tasks */
	struct encoded *tasks;
	size_t n, cap;
	/* Made when it is sent. */
	struct op op;
	const struct submission *single; /* see client_submit(), or NULL */
	struct readiness_waiter waiter;
	struct broker_submit *submits; /* those that got so far */
	size_t n_submits;
	size_t *place; /* of a task among the submits; NOWHERE */
	/* Where results live apart: their ids, records and answers. */
	struct slice *ids, *records;
	struct err *created;
	bool failed; /* the whole batch, with op.err */
};
/* In `place`: the record could not be made, and the task was not sent. */
#define NOWHERE SIZE_MAX

static void
batch_init(struct flowrra_batch *b, struct flowrra_client *c)
{
	*b = (struct flowrra_batch){.client = c};
}

static void
batch_drop_afters(struct flowrra_batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		steps_after_done(&b->tasks[i].own);
}

static void
batch_done(struct flowrra_batch *b)
{
	batch_drop_afters(b);
	buf_done(&b->text);
	free(b->tasks);
	free(b->submits);
	free(b->place);
	free(b->ids);
	free(b->records);
	free(b->created);
}

/* --- filling ----------------------------------------------------------- */

static int
batch_grow_array(void *array, size_t n, size_t size)
{
	void *p = reallocarray(*(void **)array, n, size);

	if (p == NULL)
		return -1;
	*(void **)array = p;
	return 0;
}

/* All arrays at once, so that sending cannot run out of memory. */
static int
batch_reserve(struct flowrra_batch *b, struct err *err)
{
	/* Doubled, so that adding n tasks copies each of them about once. */
	size_t cap = b->cap > 0 ? 2 * b->cap : 1;

	if (b->n < b->cap)
		return 0;
	if (batch_grow_array(&b->tasks, cap, sizeof(*b->tasks)) != 0 ||
	    batch_grow_array(&b->submits, cap, sizeof(*b->submits)) != 0 ||
	    batch_grow_array(&b->place, cap, sizeof(*b->place)) != 0)
		return err_nomem(err);
	if (!b->client->one_store &&
	    (batch_grow_array(&b->ids, cap, sizeof(*b->ids)) != 0 ||
	     batch_grow_array(&b->records, cap, sizeof(*b->records)) != 0 ||
	     batch_grow_array(&b->created, cap, sizeof(*b->created)) != 0))
		return err_nomem(err);
	b->cap = cap;
	return 0;
}

static int
batch_add(struct flowrra_batch *b, const struct flowrra_request *given,
	  struct err *err)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	const struct encoder encoder = {
	    .client = b->client,
	    .reply_to = b->single != NULL ? b->single->reply_to : NULL,
	    .adhoc = b->adhoc || (b->single != NULL && b->single->adhoc),
	    .out = &b->text};
	struct encoded *task;

	if (client_check(b->client, err) != 0)
		return -1;
	/* The loop may be reading the arrays that would grow. */
	if (b->state != FILLING)
		return err_set(err, ERR_USAGE,
			       "the batch has been sent; reset it first");
	if (given->size < REQUEST_MIN)
		return err_set(err, ERR_USAGE,
			       "begin with FLOWRRA_REQUEST_INIT");
	/* An older program's request is shorter, a newer one's longer. */
	memcpy(&request, given,
	       given->size < sizeof(request) ? given->size : sizeof(request));
	if (batch_reserve(b, err) != 0 ||
	    encode_request(&encoder, &request, &b->tasks[b->n], err) != 0)
		return -1;
	task = &b->tasks[b->n++];
	task->after = b->single != NULL ? b->single->after : b->after;
	task->n_after = b->single != NULL ? b->single->n_after : b->n_after;
	task->follows = b->follows;
	task->blob_name =
	    b->single != NULL ? b->single->blob_name : b->blob_name;
	task->blob = b->single != NULL ? b->single->blob : b->blob;
	return 0;
}

/* --- on the loop ------------------------------------------------------- */

static struct slice
batch_slice(const struct flowrra_batch *b, size_t at, size_t len)
{
	return (struct slice){b->text.data + at, len};
}

/* Nothing was sent: all tasks have the same answer. */
static void
batch_fail(struct flowrra_batch *b, const struct err *why)
{
	b->failed = true;
	b->op.err = *why;
	loop_done(b->client->loop, &b->op);
}

/* Whether nothing was queued since another task has the key. */
static bool
is_another(const struct broker_submit *submit)
{
	return submit->flow.len == 0 && submit->err.code == ERR_NONE &&
	       submit->duplicate &&
	       !slice_eq(slice_of(submit->owner), submit->id);
}

/* The pending records of tasks that were not queued would wait for ever. Where
 * a task may have been queued all the same, its record stays. */
static void
forget_refused(struct flowrra_batch *b)
{
	size_t n = 0, i;

	for (i = 0; i < b->n_submits; i++)
		if (broker_submit_left_nothing(&b->submits[i]))
			b->ids[n++] = b->submits[i].id;
	if (n > 0)
		results_forget(b->client->results, b->ids, n);
}

static void
on_batch_submitted(struct broker_submit *submits, size_t n, void *arg)
{
	struct flowrra_batch *b = arg;
	size_t i;

	/* The records of those that failed are being taken away. */
	for (i = 0; i < n && !b->op.flush; i++)
		b->op.flush =
		    submits[i].err.code != ERR_NONE || is_another(&submits[i]);
	if (!b->client->one_store)
		forget_refused(b);
	loop_done(b->client->loop, &b->op);
}

static void
batch_push_task(struct flowrra_batch *b, size_t i)
{
	const struct encoded *task = &b->tasks[i];
	struct broker_submit *submit = &b->submits[b->n_submits];

	/* The tasks whose records failed leave no holes among the submits. */
	b->place[i] = b->n_submits++;
	/* Not by an initializer, which would clear the texts of the answer, too. */
	memset(submit, 0, offsetof(struct broker_submit, owner));
	submit->queue = b->text.data + task->queue;
	submit->id = batch_slice(b, task->id, task->id_len);
	submit->bytes = batch_slice(b, task->bytes, task->bytes_len);
	submit->record = batch_slice(b, task->record, task->record_len);
	submit->derived = task->derived;
	submit->priority = task->priority;
	submit->delay_ms = task->delay_ms;
	submit->at_ms = task->at_ms;
	submit->exclusive = task->exclusive;
	submit->unique = batch_slice(b, task->unique, task->unique_len);
	submit->unique_s = task->unique_s;
	submit->unique_until = task->unique_until;
	submit->debounces = task->debounces;
	submit->after = task->after;
	submit->n_after = task->n_after;
	if (task->own.n > 0) {
		submit->after = task->own.items;
		submit->n_after = task->own.n;
	}
	submit->flow = batch_slice(b, task->flow, task->flow_len);
	submit->role = task->role;
	submit->within = SLICE("");
	submit->follows = task->follows;
	submit->blob_name = task->blob_name;
	submit->blob = task->blob;
	submit->owner[0] = '\0';
	submit->err.code = ERR_NONE;
}

/* Sends the tasks whose records could be made. */
static void
batch_push(struct flowrra_batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		b->place[i] = NOWHERE;
		if (b->client->one_store || b->created[i].code == ERR_NONE)
			batch_push_task(b, i);
	}
	if (b->n_submits > 0)
		broker_submit(b->client->broker, b->submits, b->n_submits,
			      on_batch_submitted, b);
	else
		loop_done(b->client->loop, &b->op);
}

/* A callback of a workflow has no record before it runs. */
static bool
has_record(const struct encoded *task)
{
	return task->role == FLOW_STEP;
}

/* Each error is in b->created, which was handed over: those of the tasks that have
 * records, one behind the other, go to their places. */
static void
on_batch_created(struct err *errs, size_t n, void *arg)
{
	struct flowrra_batch *b = arg;
	size_t i;

	for (i = b->n; i-- > n;) {
		if (n > 0 && has_record(&b->tasks[i]))
			b->created[i] = b->created[--n];
		else
			b->created[i].code = ERR_NONE;
	}
	batch_push(b);
}

/* The results' server is in reach. */
static void
on_batch_results_ready(struct readiness_waiter *waiter, const struct err *why)
{
	struct flowrra_batch *b =
	    container_of(waiter, struct flowrra_batch, waiter);
	const struct encoded *task;
	size_t n = 0;

	if (why != NULL) {
		batch_fail(b, why);
		return;
	}
	/* Only now: the text does not move any more. */
	for (task = b->tasks; task < b->tasks + b->n; task++) {
		if (!has_record(task))
			continue;
		b->ids[n] = batch_slice(b, task->id, task->id_len);
		b->records[n] = batch_slice(b, task->record, task->record_len);
		b->created[n++].code = ERR_NONE;
	}
	if (n > 0)
		results_create(b->client->results, b->ids, b->records,
			       b->created, n, on_batch_created, b);
	else
		on_batch_created(b->created, 0, b);
}

/* The broker is in reach. */
static void
on_batch_broker_ready(struct readiness_waiter *waiter, const struct err *why)
{
	struct flowrra_batch *b =
	    container_of(waiter, struct flowrra_batch, waiter);

	if (why != NULL) {
		batch_fail(b, why);
	} else if (b->client->one_store) {
		batch_push(b);
	} else {
		b->waiter.on_ready = on_batch_results_ready;
		readiness_await(&b->client->results_ready, &b->waiter);
	}
}

static void
on_batch_start(struct op *op)
{
	struct flowrra_batch *b = container_of(op, struct flowrra_batch, op);

	/* Before anything is sent, so that a call awaits the record before a
	 * fast worker can send it. */
	if (b->single != NULL && b->single->before != NULL)
		b->single->before(b->text.data + b->tasks[0].id,
				  b->single->arg);
	b->waiter.on_ready = on_batch_broker_ready;
	readiness_await(&b->client->broker_ready, &b->waiter);
}

/* --- answers ----------------------------------------------------------- */

static void
batch_prepare(struct flowrra_batch *b)
{
	b->op.start = on_batch_start;
	b->op.err.code = ERR_NONE;
	b->op.flush = false;
	b->n_submits = 0;
	b->failed = false;
}

static const struct err *
batch_answer(const struct flowrra_batch *b, size_t i)
{
	if (b->failed)
		return &b->op.err;
	return b->place[i] == NOWHERE ? &b->created[i]
				      : &b->submits[b->place[i]].err;
}

/* The id of the task that was queued, or of the one that has its key. */
static const char *
batch_id(const struct flowrra_batch *b, size_t i)
{
	if (!b->failed && b->place[i] != NOWHERE &&
	    is_another(&b->submits[b->place[i]]))
		return b->submits[b->place[i]].owner;
	return b->text.data + b->tasks[i].id;
}

int
client_submit(struct flowrra_client *c, const struct submission *s,
	      char id[FLOWRRA_ID_SIZE], struct err *err)
{
	struct flowrra_batch b;
	int result;

	batch_init(&b, c);
	b.single = s;
	if ((result = batch_add(&b, s->request, err)) == 0) {
		batch_prepare(&b);
		/* Records that live apart have a connection of their own. */
		b.op.direct = c->one_store;
		b.op.blocks = c->deadline_ms == 0;
		loop_call(c->loop, &b.op);
		/* ERR_NONE as well: it says that the task is queued. */
		*err = *batch_answer(&b, 0);
		result = err->code == ERR_NONE ? 0 : -1;
	}
	if (result == 0 && id != NULL)
		snprintf(id, FLOWRRA_ID_SIZE, "%s", batch_id(&b, 0));
	batch_done(&b);
	return result;
}

int
flowrra_submit(struct flowrra_client *c, const struct flowrra_request *request,
	       char id[FLOWRRA_ID_SIZE], struct flowrra_error *error)
{
	const struct submission s = {.request = request};
	struct err err = ERR_INIT;

	return client_submit(c, &s, id, &err) == 0 ? 0
						   : client_fail(error, &err);
}

/* --- the public side --------------------------------------------------- */

int
flowrra_batch_new(struct flowrra_client *c, struct flowrra_batch **batch,
		  struct flowrra_error *error)
{
	struct flowrra_batch *b = malloc(sizeof(*b));
	struct err err = ERR_INIT;

	if (b == NULL) {
		err_nomem(&err);
		return client_fail(error, &err);
	}
	batch_init(b, c);
	*batch = b;
	return 0;
}

void
client_batch_allow_adhoc(struct flowrra_batch *b)
{
	b->adhoc = true;
}

void
client_batch_wait_for(struct flowrra_batch *b, const struct broker_after *after,
		      size_t n, bool follows)
{
	b->after = after;
	b->n_after = n;
	b->follows = follows;
}

void
client_batch_share(struct flowrra_batch *b, struct slice name,
		   struct slice blob)
{
	b->blob_name = name;
	b->blob = blob;
}

int
flowrra_batch_add(struct flowrra_batch *b,
		  const struct flowrra_request *request,
		  struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	return batch_add(b, request, &err) == 0 ? 0 : client_fail(error, &err);
}

size_t
flowrra_batch_count(const struct flowrra_batch *b)
{
	return b->n;
}

size_t
flowrra_batch_bytes(const struct flowrra_batch *b)
{
	return b->text.len;
}

int
flowrra_batch_send(struct flowrra_batch *b, struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	if (client_check(b->client, &err) != 0)
		return client_fail(error, &err);
	if (b->state != FILLING || b->n == 0) {
		err_set(&err, ERR_USAGE,
			b->n == 0 ? "the batch is empty"
				  : "the batch was sent before; reset it");
		return client_fail(error, &err);
	}
	batch_prepare(b);
	/* Before the loop can end it. */
	b->state = UNDER_WAY;
	loop_begin(b->client->loop, &b->op);
	return 0;
}

int
flowrra_batch_wait(struct flowrra_batch *b, struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	if (client_check(b->client, &err) != 0)
		return client_fail(error, &err);
	if (b->state == FILLING) {
		err_set(&err, ERR_USAGE, "the batch was not sent");
		return client_fail(error, &err);
	}
	/* A second wait has nothing to wait for, and is not an error. */
	if (b->state == UNDER_WAY)
		loop_finish(b->client->loop, &b->op);
	b->state = ANSWERED;
	return 0;
}

bool
flowrra_batch_answered(const struct flowrra_batch *b)
{
	struct err err;

	if (client_check(b->client, &err) != 0)
		return false;
	return b->state == ANSWERED ||
	       (b->state == UNDER_WAY && loop_is_done(b->client->loop, &b->op));
}

const char *
flowrra_batch_id(const struct flowrra_batch *b, size_t i)
{
	if (i >= b->n)
		return NULL;
	return b->state == ANSWERED ? batch_id(b, i)
				    : b->text.data + b->tasks[i].id;
}

int
flowrra_batch_answer(const struct flowrra_batch *b, size_t i,
		     struct flowrra_error *error)
{
	struct err err = ERR_INIT;

	if (b->state != ANSWERED || i >= b->n)
		err_set(&err, ERR_USAGE,
			"the batch does not have this answer (yet)");
	else if (batch_answer(b, i)->code == ERR_NONE)
		return 0;
	else
		err = *batch_answer(b, i);
	return client_fail(error, &err);
}

void
flowrra_batch_reset(struct flowrra_batch *b)
{
	/* What the loop uses must not be freed or filled again. */
	if (b->state == UNDER_WAY)
		flowrra_batch_wait(b, NULL);
	b->state = FILLING;
	batch_drop_afters(b);
	b->n = 0;
	b->n_after = 0;
	b->follows = false;
	b->blob = b->blob_name = SLICE("");
	buf_reset(&b->text);
}

void
flowrra_batch_free(struct flowrra_batch *b)
{
	if (b == NULL)
		return;
	flowrra_batch_reset(b);
	batch_done(b);
	free(b);
}
