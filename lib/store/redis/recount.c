/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: counting what is in flight in a queue with limits, from the
 * in-flight lists of all workers, a stretch of them in each call (recount.lua).
 *
 * It is needed where no counts are known; and every CHECK_MS one worker compares
 * them with the lists, since a worker of an older version does not keep them.
 */
#include "store/redis/limit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/names.h"
#include "util/clock.h"

#define CHECK_MS "9000"
/* Of one call, so that the server has a few ms to do: tasks, the bytes of these,
 * and workers, whose lists are looked at one by one. */
#define READ_MAX "250"
#define READ_BYTES "524288"
#define WORKERS_MAX 32
/* Of the script, before the workers. */
#define N_ARGS 6

struct recount {
	struct redis_request request;
	struct rqueue *queue;
	enum rrecount_why why;
	bool begun;
	struct buf name;
	struct rnames names; /* of the workers */
	/* Of those: this one and all that are listed; NULL: it is not known whether
	 * they are needed. */
	char **ids;
	size_t n_ids;
	size_t at; /* the first of those that are not counted */
	bool last; /* no others follow those that are asked about */
};

static void rrecount_ask(struct recount *c);
static void rrecount_on_workers(struct redis_request *request,
				const struct redis_reply *reply);

static void
rrecount_free(struct recount *c)
{
	buf_done(&c->name);
	rnames_done(&c->names);
	free(c->ids);
	free(c);
}

static void
rrecount_drop(struct redis_request *request)
{
	rrecount_free(container_of(request, struct recount, request));
}

static int
rrecount_ask_workers(struct recount *c)
{
	struct slice argv[RNAMES_ARGS];

	c->request.on_reply = rrecount_on_workers;
	rnames_command(&c->names, slice_of(c->queue->broker->workers_key),
		       argv);
	return redis_request_command(&c->request, REDIS_ARGS(argv));
}

/* Nothing more is done; without `retry`, since it has been. */
static void
rrecount_end(struct recount *c, bool retry)
{
	struct rqueue *q = c->queue;
	const bool check = c->why == RRECOUNT_CHECK;

	rrecount_free(c);
	q->counting = q->counting && check;
	if (!retry) {
		q->content = RQUEUE_MAYBE;
		rqueue_pump(q);
	} else if (!check) {
		rqueue_retry_later(q);
	}
}

static void
rrecount_on_step(struct redis_request *request, const struct redis_reply *reply)
{
	struct recount *c = container_of(request, struct recount, request);
	const enum redis_fault fault = redis_fault(reply);
	const struct slice word = redis_reply_string(reply);
	struct rqueue *q = c->queue;

	if (rqueue_reply_lost(reply)) {
		q->counting = q->counting && c->why == RRECOUNT_CHECK;
		rrecount_free(c);
	} else if (fault == REDIS_FAULT_SCRIPT) {
		rrecount_ask(c);
	} else if (fault != REDIS_FAULT_NONE) {
		q->counting = q->counting && c->why == RRECOUNT_CHECK;
		rrecount_free(c);
		rqueue_refused(q, "counting what is in flight", reply);
	} else if (slice_eq(word, SLICE("done"))) {
		rrecount_end(c, false);
	} else if (slice_eq(word, SLICE("due"))) {
		if (rrecount_ask_workers(c) != 0)
			rrecount_end(c, true);
	} else if (slice_eq(word, SLICE("more"))) {
		c->begun = true;
		rrecount_ask(c);
	} else if (slice_eq(word, SLICE("next")) && !c->last) {
		c->begun = true;
		c->at += WORKERS_MAX; /* those that were asked about */
		rrecount_ask(c);
	} else {
		rrecount_end(c, true);
	}
}

/* A call under construction: the keys of lists are allocated. */
struct recount_call {
	struct slice keys[RLIMIT_N_KEYS + WORKERS_MAX * SHARDS];
	struct slice args[N_ARGS + WORKERS_MAX];
	size_t n_lists, n_workers;
};

static int
rrecount_add_worker(struct recount_call *call, const struct rqueue *q,
		    const char *id)
{
	unsigned int shard;
	char *key;

	call->args[N_ARGS + call->n_workers++] = slice_of(id);
	for (shard = 0; shard < SHARDS; shard++) {
		if ((key = rqueue_shard_key(q, id, shard)) == NULL)
			return -1;
		call->keys[RLIMIT_N_KEYS + call->n_lists++] = slice_of(key);
	}
	return 0;
}

static int
rrecount_send(struct recount *c, struct recount_call *call)
{
	static const char *const words[] = {[RRECOUNT_CHECK] = "check",
					    [RRECOUNT_BEGIN] = "begin",
					    [RRECOUNT_ANEW] = "anew"};
	struct rqueue *q = c->queue;
	const struct slice keys[RLIMIT_N_KEYS] = {RLIMIT_KEYS(q)};
	size_t i;

	memcpy(call->keys, keys, sizeof(keys));
	for (i = c->at; i < c->n_ids && call->n_workers < WORKERS_MAX; i++)
		if (rrecount_add_worker(call, q, c->ids[i]) != 0)
			return -1;
	c->last = i == c->n_ids;
	call->args[0] = slice_of(c->ids == NULL ? "due"
				 : c->begun	? "on"
						: words[c->why]);
	call->args[1] = (struct slice){c->name.data, c->name.len};
	call->args[2] = c->last ? SLICE("1") : SLICE("0");
	call->args[3] = SLICE(CHECK_MS);
	call->args[4] = SLICE(READ_MAX);
	call->args[5] = SLICE(READ_BYTES);
	return redis_request_eval(
	    &c->request, &q->broker->scripts[SCRIPT_RECOUNT],
	    (struct redis_args){call->keys, RLIMIT_N_KEYS + call->n_lists},
	    (struct redis_args){call->args, N_ARGS + call->n_workers});
}

static void
rrecount_ask(struct recount *c)
{
	struct recount_call *call = calloc(1, sizeof(*call));
	int sent = -1;
	size_t i;

	c->request.on_reply = rrecount_on_step;
	if (call != NULL) {
		sent = rrecount_send(c, call);
		for (i = 0; i < call->n_lists; i++)
			free((char *)call->keys[RLIMIT_N_KEYS + i].p);
		free(call);
	}
	if (sent != 0)
		rrecount_end(c, true);
}

static void
rrecount_on_workers(struct redis_request *request,
		    const struct redis_reply *reply)
{
	struct recount *c = container_of(request, struct recount, request);

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		rrecount_on_step(request, reply);
	} else if (rnames_take(&c->names, reply)) {
		if (rrecount_ask_workers(c) != 0)
			rrecount_end(c, true);
	} else if ((c->ids = rnames_sorted(&c->names, &c->n_ids)) == NULL) {
		rrecount_end(c, true);
	} else {
		rrecount_ask(c);
	}
}

static struct recount *
rrecount_new(struct rqueue *q, enum rrecount_why why)
{
	struct recount *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	*c = (struct recount){
	    .request = {.queue = q->broker->requests, .drop = rrecount_drop},
	    .queue = q,
	    .why = why,
	    .names = RNAMES_INIT};
	/* This one counts also if it is not listed. */
	rnames_add(&c->names, slice_of(q->broker->opt.worker));
	buf_addf(&c->name, "%s %" PRId64, q->broker->opt.worker,
		 clock_wall_us());
	if (!c->name.failed)
		return c;
	rrecount_free(c);
	return NULL;
}

void
rrecount_begin(struct rqueue *q, enum rrecount_why why)
{
	struct recount *c = rrecount_new(q, why);

	rlimit_flush(q->broker);
	if (c == NULL) {
		rqueue_retry_later(q);
		return;
	}
	q->counting = q->counting || why != RRECOUNT_CHECK;
	if (why == RRECOUNT_CHECK)
		rrecount_ask(c);
	else if (rrecount_ask_workers(c) != 0)
		rrecount_end(c, true);
}

void
rrecount_check(struct rqueue *q)
{
	if (q->limited && !q->counting)
		rrecount_begin(q, RRECOUNT_CHECK);
}
