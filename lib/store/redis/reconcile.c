/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: finding claims that nobody knows of.
 *
 * A claim can be on record while no worker knows of it: the worker died, or
 * the reply that told of the claim was lost. So each shard of the in-flight
 * list is compared with memory when the connection comes up, and every few
 * seconds its length is; what is there too much is handed out as `recovered`.
 *
 * For the shards that the script fills this is exact, since script, look and
 * settlement follow one another on one connection. In shard 0 a task may lie
 * whose BLMOVE reply is still on its way over another connection: while a
 * BLMOVE is under way, an unknown entry is adopted only when it is met a second
 * time, RECONCILE_S later; should the reply come after all, it is dropped.
 *
 * A list may be long, and its tasks large: it is read from its tail on in
 * stretches that keep the server for some milliseconds. What is settled in
 * between moves all that lies before it; its own settlements a worker knows, and
 * each stretch begins with a look at whether the last one ended where it should.
 *
 * It goes the other way, too: a claim in memory that is not on record was taken
 * over by another worker, while this one was frozen or cut off. The worker is
 * told (rclaim_lose()), and so nothing is stored or settled for it. A claim
 * that came after the look was asked for may well be missing in it: BLMOVE's
 * replies come over another connection.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "store/redis/limit.h"

/* One stretch. */
#define STRETCH_BYTES (512u << 10)

static void rshard_look(struct shard *shard);

/* All claims are compared. Something may have waited for that. */
static void
rqueue_trust(struct rqueue *q)
{
	struct rbroker *b = q->broker;

	if (!q->doubtful)
		return;
	q->doubtful = false;
	b->n_doubtful--;
	b->opt.on_kept(NULL, b->opt.arg);
}

/*
 * The last shard of a recovery makes the queue ready, and not sooner: what is
 * found counts against what the worker wants, so that it does not take more
 * than it can run.
 */
static void
rshard_reconciled(struct shard *shard)
{
	struct rqueue *q = shard->queue;
	bool last = false;

	shard->reconciling = false;
	if (q->phase == RQUEUE_RECOVERING) {
		if (--q->uncompared > 0)
			return;
		q->phase = RQUEUE_READY;
		if (q->doubted_again) {
			rqueue_doubt(q);
			return;
		}
		last = true;
		rqueue_trust(q);
	}
	q->on_compared(q, last);
}

/* The server cannot say now: nothing is claimed before it can. */
static void
rshard_failed(struct shard *shard, const struct redis_reply *reply)
{
	shard->reconciling = false;
	if (redis_fault(reply) == REDIS_FAULT_SCRIPT)
		rqueue_reconcile_shard(
		    shard->queue, (unsigned int)(shard - shard->queue->shards));
	else if (redis_fault(reply) != REDIS_FAULT_LOST)
		rqueue_refused(shard->queue, "looking at what is in flight",
			       reply);
}

/* A task may be in the list twice, byte for byte (a producer may push it so):
 * each entry needs a claim of its own, hence `seen`. */
static struct rclaim *
rshard_find(struct shard *shard, struct slice task, size_t whole)
{
	struct rclaim *c;

	TAILQ_FOREACH (c, &shard->claims, link)
		if (!c->seen && !c->lost && c->pub.whole == whole &&
		    slice_eq(c->pub.bytes, task))
			return c;
	return NULL;
}

/* It is on record, and ours: whatever was taken over before, it was not. */
static void
rclaim_see(struct rclaim *c)
{
	struct rbroker *b = c->queue->broker;

	c->seen = true;
	memcpy(c->mark, c->queue->mark, sizeof(c->mark));
	if (!c->doubted)
		return;
	c->doubted = false;
	b->opt.on_kept(&c->pub, b->opt.arg);
}

/* Those that were not seen. Those whose settlement was sent, or is about to be, end by
 * themselves; one that was not handed over yet is met again. */
static void
rshard_lose(struct shard *shard)
{
	struct rclaim *c, *next;

	for (c = TAILQ_FIRST(&shard->claims); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!c->seen && !c->lost && !c->leaving && !c->ending &&
		    c->serial <= shard->comparison.asked_serial &&
		    c != shard->queue->held)
			rclaim_lose(c);
	}
}

static struct rclaim *
rshard_deliver(struct shard *shard, struct slice task, size_t whole)
{
	struct rqueue *q = shard->queue;
	struct rclaim *c =
	    rqueue_keep(q, (unsigned int)(shard - q->shards), task, true);

	if (c != NULL) {
		c->pub.whole = whole;
		c->seen = true;
		rqueue_hand_over(c);
	}
	return c;
}

/* One that is too large is an array: its ends, and its length. */
static struct slice
rshard_entry(const struct redis_reply *reply, size_t *ret_whole)
{
	*ret_whole = 0;
	if (redis_reply_type(reply) != REDIS_ARRAY)
		return redis_reply_string(reply);
	*ret_whole = (size_t)redis_reply_integer(redis_reply_at(reply, 1));
	return redis_reply_string(redis_reply_at(reply, 0));
}

/* How the next stretch begins, if all goes well. */
static void
rshard_pass(struct shard *shard, struct slice task)
{
	struct comparison *k = &shard->comparison;

	k->passed++;
	k->last_len = task.len < sizeof(k->last) ? task.len : sizeof(k->last);
	memcpy(k->last, task.p, k->last_len);
}

void
rshard_entry_leaves(struct shard *shard, struct slice task)
{
	struct comparison *k = &shard->comparison;

	k->passed--;
	/* Where the last stretch ended cannot be told any more. */
	if (task.len >= k->last_len &&
	    memcmp(task.p, k->last, k->last_len) == 0)
		k->again = true;
}

/* An entry is passed before its task is handed over, which may end at once. */
static void
rshard_take_entry(struct shard *shard, const struct redis_reply *reply)
{
	struct rqueue *q = shard->queue;
	const bool certain = shard != q->shards || q->move != RQUEUE_MOVE_WAITS;
	size_t whole;
	const struct slice task = rshard_entry(reply, &whole);
	struct rclaim *c = rshard_find(shard, task, whole);

	/* Settled since this was asked for: it has left the list. */
	if (c == NULL || !c->leaving)
		rshard_pass(shard, task);
	if (c != NULL) {
		rclaim_see(c);
	} else if (certain || shard->comparison.unknown_before > 0 ||
		   whole > 0) {
		c = rshard_deliver(shard, task, whole);
		/* What is too large comes no other way. */
		if (c != NULL)
			c->adopted = !certain && whole == 0;
	} else {
		shard->unknown++;
	}
}

static void
rshard_on_entries(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct shard *shard = arg;
	size_t i;

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		rshard_failed(shard, reply);
		return;
	}
	const int64_t more = redis_reply_integer(redis_reply_at(reply, 0));
	for (i = 1; i < redis_reply_count(reply); i++)
		rshard_take_entry(shard, redis_reply_at(reply, i));
	if (more < 0 || shard->comparison.again) {
		shard->reconciling = false;
		rqueue_reconcile_shard(
		    shard->queue, (unsigned int)(shard - shard->queue->shards));
	} else if (more > 0) {
		rshard_look(shard);
	} else {
		rshard_lose(shard);
		rshard_reconciled(shard);
	}
}

/* The script also buries what is empty, and removes what was withdrawn: both lie
 * in the list, and no worker could settle them. */
static void
rshard_look(struct shard *shard)
{
	const struct rqueue *q = shard->queue;
	const struct comparison *k = &shard->comparison;
	struct rbroker *b = q->broker;
	char largest[ARG_NUMBER_SIZE], ends[ARG_NUMBER_SIZE],
	    bytes[ARG_NUMBER_SIZE], passed[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(shard->key),
				     slice_of(q->keys[KEY_DEAD]),
				     slice_of(q->keys[KEY_DEAD_TASKS]),
				     slice_of(q->keys[KEY_DEAD_INFO]),
				     slice_of(q->keys[KEY_WITHDRAWN]),
				     slice_of(q->keys[KEY_RUNNING])};
	const struct slice args[] = {
	    arg_number(largest, (int64_t)b->opt.max_task),
	    slice_of(b->worker_json),
	    slice_of(RBROKER_WITHDRAWN),
	    arg_number(ends, BROKER_SAMPLE),
	    arg_number(bytes, STRETCH_BYTES),
	    arg_number(passed, k->passed),
	    {k->last, k->last_len}};

	shard->reconciling = rbroker_eval(b, SCRIPT_INFLIGHT, rshard_on_entries,
					  shard, 6, keys, 7, args) == 0;
}

void
rqueue_reconcile_shard(struct rqueue *q, unsigned int index)
{
	struct shard *shard = &q->shards[index];
	struct rclaim *c;

	if (shard->reconciling)
		return;
	shard->comparison = (struct comparison){
	    .asked_serial = shard->serial, .unknown_before = shard->unknown};
	shard->unknown = 0;
	TAILQ_FOREACH (c, &shard->claims, link)
		c->seen = false;
	rshard_look(shard);
}

/*
 * The answers to settlements come over the same connection, so memory is as
 * long as the list, or something is wrong; but for shard 0, where the answer to
 * a BLMOVE may have come first. Then the look finds that all is well.
 */
static void
rshard_compare(struct shard *shard, int64_t length)
{
	if (length != shard->count)
		rqueue_reconcile_shard(
		    shard->queue, (unsigned int)(shard - shard->queue->shards));
	else
		shard->unknown = 0;
	if (!shard->reconciling)
		rshard_reconciled(shard);
}

static void
rshard_on_length(struct redis *r, const struct redis_reply *reply, void *arg)
{
	if (redis_fault(reply) != REDIS_FAULT_NONE)
		rshard_failed(arg, reply);
	else
		rshard_compare(arg, redis_reply_integer(reply));
}

static void
rqueue_compare_lengths(struct rqueue *q)
{
	unsigned int i;

	for (i = 0; i < SHARDS; i++) {
		const struct slice argv[] = {SLICE("LLEN"),
					     slice_of(q->shards[i].key)};

		redis_command(q->broker->redis, rshard_on_length, &q->shards[i],
			      2, argv);
	}
}

/* Of a queue that has nothing in flight, as most of many have: no shard is
 * there. */
static void
rqueue_on_existence(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;
	unsigned int i;

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		for (i = 0; i < SHARDS; i++)
			rshard_failed(&q->shards[i], reply);
	} else if (redis_reply_integer(reply) != 0) {
		rqueue_compare_lengths(q);
	} else {
		for (i = 0; i < SHARDS; i++)
			rshard_compare(&q->shards[i], 0);
	}
}

static bool
rqueue_has_claims(const struct rqueue *q)
{
	unsigned int i;

	for (i = 0; i < SHARDS; i++)
		if (!TAILQ_EMPTY(&q->shards[i].claims))
			return true;
	return false;
}

void
rqueue_compare(struct rqueue *q)
{
	struct slice argv[1 + SHARDS] = {SLICE("EXISTS")};
	unsigned int i;

	rlimit_flush(q->broker);
	if (rqueue_has_claims(q)) {
		rqueue_compare_lengths(q);
		return;
	}
	for (i = 0; i < SHARDS; i++)
		argv[1 + i] = slice_of(q->shards[i].key);
	redis_command(q->broker->redis, rqueue_on_existence, q, 1 + SHARDS,
		      argv);
}

static void
rqueue_prolong(struct rqueue *q, const char *key)
{
	char life[ARG_NUMBER_SIZE];
	const struct slice expire[] = {SLICE("EXPIRE"), slice_of(key),
				       arg_number(life, RQUEUE_MARK_TTL_S)};

	redis_command(q->broker->redis, NULL, NULL, 3, expire);
}

/* A mark, or an epoch to be raised if there is no `value`: 0, or -1. */
static int
rqueue_note(struct rqueue *q, const char *key, const char *value)
{
	char life[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(key)};
	const struct slice args[] = {arg_number(life, RQUEUE_MARK_TTL_S),
				     slice_of(value)};

	return rbroker_eval(q->broker, SCRIPT_MARK, NULL, NULL, 1, keys, 2,
			    args);
}

void
rqueue_bump_epoch(struct rqueue *q)
{
	rqueue_note(q, q->epoch_key, "");
	rqueue_prolong(q, q->mark_key);
}

/* A process that had this ID before stores nothing any more, should it be frozen and
 * not dead. */
static void
rqueue_set_mark(struct rqueue *q)
{
	if (!q->marked &&
	    rqueue_note(q, q->mark_key, q->broker->opt.token) == 0)
		q->marked = true;
}

/* There is none (this worker was away for longer than it lives), or one that
 * nobody of ours has made, which no claim could remember: it becomes ours. */
static struct slice
rqueue_mend_mark(struct rqueue *q)
{
	q->marked = false;
	rqueue_set_mark(q);
	return slice_of(q->broker->opt.token);
}

/*
 * What a takeover leaves behind (fence.h). Only if it has changed, or if there
 * is another doubt, are lists looked at whose length is right: one task may
 * have gone and another one come.
 */
static void
rqueue_on_mark(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;
	const enum redis_fault fault = redis_fault(reply);
	struct slice mark = redis_reply_string(reply);
	bool mended = false;
	unsigned int i;

	if (q->phase != RQUEUE_RECOVERING)
		return;
	q->uncompared = SHARDS;
	/* With other faults, the lengths, which follow, fail as well. */
	if (fault != REDIS_FAULT_NONE && fault != REDIS_FAULT_OTHER)
		return;
	if (fault == REDIS_FAULT_OTHER || mark.len == 0 ||
	    mark.len >= sizeof(q->mark)) {
		mark = rqueue_mend_mark(q);
		mended = true;
	}
	if (!mended && slice_eq(mark, slice_of(q->mark)) && !q->doubtful)
		return;
	snprintf(q->mark, sizeof(q->mark), "%.*s", (int)mark.len, mark.p);
	/* Of those without claims, the lengths tell all. */
	for (i = 0; i < SHARDS; i++)
		if (!TAILQ_EMPTY(&q->shards[i].claims))
			rqueue_reconcile_shard(q, i);
}

void
rqueue_start(struct rqueue *q)
{
	const struct slice get[] = {SLICE("GET"), slice_of(q->mark_key)};
	unsigned int i;

	rbroker_name_queue(q->broker, q->name);
	q->phase = RQUEUE_RECOVERING;
	q->doubted_again = false;
	/* Answers to an earlier comparison come before that to GET. */
	q->uncompared = UINT_MAX;
	for (i = 0; i < SHARDS; i++)
		q->shards[i].reconciling = false;
	/* Before the list is read: a worker that believes this one dead must not
	 * take what this one is about to find. See takeover.c. */
	rqueue_bump_epoch(q);
	rqueue_set_mark(q);
	redis_command(q->broker->redis, rqueue_on_mark, q, 2, get);
	rqueue_compare(q);
}

void
rqueue_doubt(struct rqueue *q)
{
	if (!q->doubtful)
		q->broker->n_doubtful++;
	q->doubtful = true;
	/* Without a connection, the next one begins with a comparison. */
	if (q->phase == RQUEUE_READY)
		rqueue_start(q);
	else
		q->doubted_again = q->phase == RQUEUE_RECOVERING;
}
