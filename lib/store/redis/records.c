/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: records of tasks that run, or have run.
 *
 * A final record must be kept and goes through the outbox. One that says that a
 * task runs may get lost, and must never replace a final one: a script sets it
 * (note.lua).
 */
#include <stdlib.h>

#include "store/redis/results.h"
#include "store/redis/scripts.h"

static int
send_set(const struct rresults *r, const struct results_put *put,
	 struct slice key, redis_reply_fn *fn, void *arg)
{
	char text[ARG_NUMBER_SIZE];
	const struct slice ttl = arg_number(text, put->ttl_s);
	const struct slice set[] = {SLICE("SET"), key, put->record, SLICE("EX"),
				    ttl};
	const struct slice args[] = {put->record, ttl};

	if (!put->final)
		return redis_eval(r->redis, &rscripts[SCRIPT_NOTE], fn, arg, 1,
				  &key, 1, args);
	/* A full server refuses SET but not a script that is allowed to write
	 * all the same; SET is cheaper while it is not. */
	if (r->full)
		return redis_eval(r->redis, &rscripts[SCRIPT_STORE], fn, arg, 1,
				  &key, 2, args);
	return redis_command(r->redis, fn, arg, put->ttl_s > 0 ? 5 : 3, set);
}

/* Who waits for it is told, and it is noted for those who ask for lists. */
static void
announce(struct rresults *r, const struct results_put *put)
{
	struct slice publish[] = {SLICE("PUBLISH"), {NULL, 0}, SLICE("done")};

	buf_reset(&r->key);
	publish[1] = arg_key(&r->key, RRESULTS_COMPLETE, put->id);
	/* Should the SET be refused, it only wakes somebody early. */
	if (!r->key.failed)
		redis_command(r->redis, NULL, NULL, 3, publish);
	if (put->reply_to.len > 0)
		rresults_reply(r, put);
	rresults_index(r, put);
}

static int
send_pending(struct pending *p, struct redis *redis, redis_reply_fn *fn,
	     void *arg)
{
	struct outbox *o = p->owner;
	struct rresults *r = container_of(o, struct rresults, outbox);
	const struct results_put *put =
	    container_of(p, struct results_put, pending);
	struct slice key;

	buf_reset(&r->key);
	key = arg_key(&r->key, ARG_RECORD, put->id);
	if (r->key.failed || send_set(r, put, key, fn, arg) != 0)
		return -1;
	if (put->final)
		announce(r, put);
	return 0;
}

static void
stored(struct pending *p, const struct redis_reply *reply, void *arg)
{
	struct results_put *put = container_of(p, struct results_put, pending);

	if (put->final)
		rresults_echo(arg, put);
	put->on_done(put);
}

static void
rrecords_on_trouble(const struct err *why, void *arg)
{
	struct rresults *r = arg;

	/* Should the script be what the server does not like: SET again. */
	r->full = why->code == ERR_FULL;
	r->opt.on_state(true, false, why, r->opt.arg);
}

const struct outbox_ops rresults_records = {
    .send = send_pending, .done = stored, .on_trouble = rrecords_on_trouble};

/* Stored or not, it is over. */
static void
on_lossy(struct redis_request *request, const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	struct results_put *put = call->arg;

	free(call);
	put->on_done(put);
}

static void
put_lossy(struct rresults *r, struct results_put *put)
{
	struct rresults_request *call = rresults_request_new(r, on_lossy, put);
	struct buf key = BUF_INIT;
	const struct slice name = arg_key(&key, ARG_RECORD, put->id);

	if (call == NULL || key.failed) {
		free(call);
		put->on_done(put);
	} else {
		rresults_eval(&call->request, &rscripts[SCRIPT_NOTE],
			      (struct redis_args){&name, 1},
			      (struct redis_args){&put->record, 1});
	}
	buf_done(&key);
}

void
rresults_put(struct results *results, struct results_put *put)
{
	struct rresults *r = (struct rresults *)results;

	if (put->lossy)
		put_lossy(r, put);
	else
		outbox_add(&r->outbox, &put->pending);
}

size_t
rresults_unconfirmed(const struct results *results)
{
	return ((const struct rresults *)results)->outbox.count;
}
