/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: pending records, made and taken away, where the queues
 * live in another store. (If they live here, the broker stores the records with
 * the tasks: submit.c.)
 */
#include <stdlib.h>

#include "store/redis/results.h"
#include "util/clock.h"

#define SAY_MS (INT64_C(3600) * 1000)

/* The batch of one rresults_create(): the arrays are the caller's, who keeps
 * them until on_done. An error stays with its record; the others go on. */
struct creation {
	struct rresults *results;
	const struct slice *ids;
	struct err *errs;
	size_t n;
	size_t left; /* to be answered */
	results_created_fn *on_done;
	void *arg;
};

static void
created(struct creation *c)
{
	if (--c->left > 0)
		return;
	c->on_done(c->errs, c->n, c->arg);
	free(c);
}

/* NX makes an ID that was used before an error instead of a lost record. */
static void
rpending_on_created(struct redis_request *request,
		    const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	struct creation *c = call->arg;
	const size_t i = call->index;

	free(call);
	if (redis_fault(reply) != REDIS_FAULT_NONE)
		redis_fault_err(c->results->redis, "storing a pending record",
				reply, &c->errs[i]);
	else if (redis_reply_type(reply) == REDIS_NIL)
		err_set(&c->errs[i], ERR_REFUSED,
			"a task with the ID %.*s exists already",
			(int)c->ids[i].len, c->ids[i].p);
	created(c);
}

/* The backend is closed: nobody is told, and the last one frees the batch. */
static void
rpending_drop(struct redis_request *request)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	struct creation *c = call->arg;

	free(call);
	if (--c->left == 0)
		free(c);
}

static void
create_one(struct creation *c, size_t i, struct slice record)
{
	struct rresults_request *call =
	    rresults_request_new(c->results, rpending_on_created, c);
	struct buf key = BUF_INIT;
	const struct slice argv[] = {SLICE("SET"),
				     arg_key(&key, ARG_RECORD, c->ids[i]),
				     record, SLICE("NX")};

	c->errs[i] = (struct err)ERR_INIT;
	if (call == NULL || key.failed) {
		free(call);
		err_nomem(&c->errs[i]);
	} else {
		call->index = i;
		call->request.drop = rpending_drop;
		c->left++;
		rresults_command(&call->request, REDIS_ARGS(argv));
	}
	buf_done(&key);
}

/* That there are records of queues that are elsewhere, for who looks for their
 * tasks here (lost.c); no answer is awaited. Once an hour is enough. */
static void
rcreate_say_elsewhere(struct rresults *r)
{
	const struct slice argv[] = {SLICE("SADD"), slice_of(RBROKER_KEYS),
				     SLICE("")};
	const int64_t now_ms = clock_mono_ms();

	if (r->opt.has_queues)
		return;
	if (r->elsewhere_ms != 0 && now_ms - r->elsewhere_ms < SAY_MS)
		return;
	if (redis_command(r->redis, NULL, NULL, 3, argv) == 0)
		r->elsewhere_ms = now_ms;
}

void
rresults_create(struct results *results, const struct slice *ids,
		const struct slice *records, struct err *errs, size_t n,
		results_created_fn *on_done, void *arg)
{
	struct creation *c = malloc(sizeof(*c));
	size_t i;

	if (c == NULL) {
		for (i = 0; i < n; i++)
			err_nomem(&errs[i]);
		on_done(errs, n, arg);
		return;
	}
	/* One more than there are records, so that the answer cannot come before
	 * all are sent; created() below takes it off. */
	*c = (struct creation){.results = (struct rresults *)results,
			       .ids = ids,
			       .errs = errs,
			       .n = n,
			       .left = 1,
			       .on_done = on_done,
			       .arg = arg};
	rcreate_say_elsewhere((struct rresults *)results);
	for (i = 0; i < n; i++)
		create_one(c, i, records[i]);
	created(c);
}

/*
 * For tasks whose submission failed after their records were stored. A record
 * that stays behind looks pending for ever, which misleads but loses nothing:
 * so no answer is awaited. UNLINK frees the memory in the background.
 */
void
rresults_forget(struct results *results, const struct slice *ids, size_t n)
{
	struct rresults *r = (struct rresults *)results;
	struct buf key = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++) {
		buf_reset(&key);
		const struct slice argv[] = {SLICE("UNLINK"),
					     arg_key(&key, ARG_RECORD, ids[i])};

		if (!key.failed)
			redis_command(r->redis, NULL, NULL, 2, argv);
	}
	buf_done(&key);
}

/* The record that is handed over is empty: only success or failure counts. */
static void
on_reopened(struct redis_request *request, const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	const struct slice none = {NULL, 0};
	struct err err;

	if (redis_fault(reply) == REDIS_FAULT_NONE) {
		call->on_record(none, NULL, call->arg);
	} else {
		redis_fault_err(call->results->redis,
				"storing a pending record", reply, &err);
		call->on_record(none, &err, call->arg);
	}
	free(call);
}

void
rresults_reopen(struct results *results, struct slice id, struct slice record,
		results_record_fn *on_done, void *arg)
{
	struct rresults_request *call =
	    rresults_request_record(results, on_reopened, on_done, arg);
	struct rresults *r = (struct rresults *)results;
	struct buf key = BUF_INIT, channel = BUF_INIT;
	const struct slice tell[] = {SLICE("PUBLISH"),
				     arg_key(&channel, RRESULTS_CHANGED, id),
				     SLICE("changed")};
	/* SET takes away the time to live, which the final record had: the task
	 * is under way again, for as long as it takes. */
	const struct slice argv[] = {SLICE("SET"),
				     arg_key(&key, ARG_RECORD, id), record};

	/* Without a key, it is answered as if there were no server. */
	if (call != NULL && key.failed)
		redis_request_later(&call->request);
	else if (call != NULL)
		rresults_command(&call->request, REDIS_ARGS(argv));
	/* Those who follow the task; without memory they find it later. */
	if (call != NULL && !key.failed && !channel.failed)
		redis_command_near(r->redis, argv[1], NULL, NULL, 3, tell);
	buf_done(&key);
	buf_done(&channel);
}
