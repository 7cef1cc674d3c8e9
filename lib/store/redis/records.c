/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: records of tasks that run, or have run.
 *
 * A final record must be kept and goes through the outbox. One that says that a
 * task runs may get lost. Neither ever replaces a final one, and a record that
 * follows from a claim is stored only while that is on record (fence.h): a
 * script looks, and stores, in one step (store.lua, note.lua).
 *
 * That costs the server as much as all the rest of a short task, even if final
 * records go together (finals.c). While nobody can have taken the claim over,
 * there is nothing to look for, and SET does: a claim is one worker's, and a
 * final record would have been found when it was claimed again.
 * What is sent so must not lie about until that has changed: the connection
 * drops what it could not send for a while (redis_drops_stale()).
 *
 * A backend that is another server than the broker has no mark to look for, and
 * trusts nobody's clock: it always looks at the record that is there. In a Cluster
 * the mark is on another node, so that such a look is all, but a claim that is sure
 * there is sure.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/fence.h"
#include "store/redis/results.h"
#include "store/redis/scripts.h"

/* The key of the record, and, if it follows from a claim, that of the mark. */
static struct redis_args
rrecords_keys(const struct rresults *r, struct slice keys[2],
	      struct slice record, const struct results_put *put)
{
	keys[0] = record;
	if (!rresults_is_fenced(r, put))
		return (struct redis_args){keys, 1};
	keys[1] = rclaim_mark_key(put->claim);
	return (struct redis_args){keys, 2};
}

static struct slice
rrecords_mark(const struct rresults *r, const struct results_put *put)
{
	return rresults_is_fenced(r, put) ? rclaim_mark(put->claim) : SLICE("");
}

/* Those who wait for the record are told behind it: should the server refuse
 * it, that only wakes somebody early. */
static int
rrecords_send_sure(struct rresults *r, const struct results_put *put,
		   redis_reply_fn *fn, void *arg)
{
	char ttl[ARG_NUMBER_SIZE];
	size_t done_at, reply_at;

	/* One buffer for all three names, which moves as it grows. */
	buf_reset(&r->key);
	buf_adds(&r->key, ARG_RECORD);
	buf_add(&r->key, put->id.p, put->id.len);
	done_at = r->key.len;
	buf_adds(&r->key, RRESULTS_COMPLETE);
	buf_add(&r->key, put->id.p, put->id.len);
	reply_at = r->key.len;
	rresults_reply_channel(&r->key, put);
	if (r->key.failed)
		return -1;

	const struct slice set[] = {SLICE("SET"),
				    {r->key.data, done_at},
				    put->record,
				    SLICE("EX"),
				    arg_number(ttl, put->ttl_s)};
	const struct slice done[] = {
	    SLICE("PUBLISH"),
	    {r->key.data + done_at, reply_at - done_at},
	    SLICE("done")};
	const struct slice reply[] = {
	    SLICE("PUBLISH"),
	    {r->key.data + reply_at, r->key.len - reply_at},
	    put->record};

	if (redis_command_brisk(r->redis, fn, arg, put->ttl_s > 0 ? 5 : 3,
				set) != 0)
		return -1;
	redis_command_near(r->redis, set[1], NULL, NULL, 3, done);
	if (put->reply_to.len > 0)
		redis_command_near(r->redis, set[1], NULL, NULL, 3, reply);
	return 0;
}

static int
rrecords_send_final(struct rresults *r, const struct results_put *put,
		    redis_reply_fn *fn, void *arg)
{
	rresults_index_flush(r);
	if (put->claim != NULL && !r->full && redis_drops_stale(r->redis) &&
	    rclaim_is_sure(put->claim))
		return rrecords_send_sure(r, put, fn, arg);
	return rfinals_add(
	    r, (struct rfinal){.put = put, .on_reply = fn, .arg = arg});
}

/* What note.lua is called with. The names lie in the buffer. */
struct note {
	struct slice keys[2], args[3];
	struct redis_args key;
};

/* 0, or -1: there is no memory for the names. */
static int
rrecords_note(const struct rresults *r, struct note *note,
	      const struct results_put *put, struct buf *names)
{
	size_t channel_at;

	buf_reset(names);
	buf_adds(names, ARG_RECORD);
	buf_add(names, put->id.p, put->id.len);
	channel_at = names->len;
	buf_adds(names, RRESULTS_CHANGED);
	buf_add(names, put->id.p, put->id.len);
	if (names->failed)
		return -1;
	note->key = rrecords_keys(r, note->keys,
				  (struct slice){names->data, channel_at}, put);
	note->args[0] = put->record;
	note->args[1] =
	    (struct slice){names->data + channel_at, names->len - channel_at};
	note->args[2] = rrecords_mark(r, put);
	return 0;
}

static int
rrecords_send_note(struct rresults *r, const struct results_put *put,
		   redis_reply_fn *fn, void *arg)
{
	struct note note;

	if (rrecords_note(r, &note, put, &r->key) != 0)
		return -1;
	return redis_eval(r->redis, &rscripts[SCRIPT_NOTE], fn, arg, note.key.n,
			  note.key.v, 3, note.args);
}

static enum results_answer
rrecords_answer(const struct redis_reply *reply)
{
	if (redis_reply_type(reply) != REDIS_INTEGER)
		return RESULTS_STORED; /* a lossy one, which was given up */
	if (redis_reply_integer(reply) < 0)
		return RESULTS_FENCED;
	return redis_reply_integer(reply) == 0 ? RESULTS_ENDED : RESULTS_STORED;
}

static int
send_pending(struct pending *p, struct redis *redis, redis_reply_fn *fn,
	     void *arg)
{
	struct outbox *o = p->owner;
	struct rresults *r = container_of(o, struct rresults, outbox);
	const struct results_put *put =
	    container_of(p, struct results_put, pending);

	return put->final ? rrecords_send_final(r, put, fn, arg)
			  : rrecords_send_note(r, put, fn, arg);
}

/* What has ended is noted for those who ask for lists. */
static void
stored(struct pending *p, const struct redis_reply *reply, void *arg)
{
	struct results_put *put = container_of(p, struct results_put, pending);

	put->answer = rrecords_answer(reply);
	if (put->final && put->answer == RESULTS_STORED) {
		rresults_index(arg, put);
		rresults_echo(arg, put);
	}
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
	put->answer = rrecords_answer(reply);
	put->on_done(put);
}

static void
put_lossy(struct rresults *r, struct results_put *put)
{
	struct rresults_request *call = rresults_request_new(r, on_lossy, put);
	struct buf names = BUF_INIT;
	struct note note;

	if (call == NULL || rrecords_note(r, &note, put, &names) != 0) {
		free(call);
		put->on_done(put);
	} else {
		rresults_eval(&call->request, &rscripts[SCRIPT_NOTE], note.key,
			      REDIS_ARGS(note.args));
	}
	buf_done(&names);
}

void
rresults_put(struct results *results, struct results_put *put)
{
	struct rresults *r = (struct rresults *)results;

	put->answer = RESULTS_STORED;
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
