/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: claims in memory, and what a server's refusal means for a
 * queue. Each file that brings tasks (claim.c, reconcile.c, takeover.c) notes
 * them here and hands them to the worker.
 *
 * Each claim mirrors one entry of a shard of the in-flight list, from the reply
 * that brought it until its settlement is confirmed (settle.c).
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "codec/task_json.h"
#include "store/redis/broker.h"
#include "store/redis/fence.h"
#include "store/redis/ops.h"

/* After the server refused: it is full, loading, or being repaired, which takes
 * seconds at least. */
#define RETRY_MS 500

struct rclaim *
rqueue_keep(struct rqueue *q, unsigned int shard, struct slice bytes,
	    bool recovered)
{
	struct rclaim *c = NULL;

	/* What was asked before another process had the ID is answered, and is
	 * the other one's: it finds it when it reconciles. */
	if (q->broker->entering != RENTER_REFUSED)
		c = malloc(sizeof(*c) + bytes.len);
	if (c == NULL)
		return NULL; /* reconciling finds it again */
	*c = (struct rclaim){.queue = q, .shard = shard};
	memcpy(c->bytes, bytes.p, bytes.len);
	c->pub = (struct broker_claim){.queue = q->broker->first + q->index,
				       .bytes = {c->bytes, bytes.len},
				       .recovered = recovered};
	memcpy(c->mark, q->mark, sizeof(c->mark));
	c->serial = ++q->shards[shard].serial;
	TAILQ_INSERT_TAIL(&q->shards[shard].claims, c, link);
	if (q->shards[shard].oldest == NULL)
		q->shards[shard].oldest = c;
	q->shards[shard].count++;
	return c;
}

void
rqueue_hand_over(struct rclaim *c)
{
	struct rqueue *q = c->queue;

	if (q->wanted > 0)
		q->wanted--;
	q->broker->opt.on_claim(&c->pub, q->broker->opt.arg);
}

int
rclaim_free_key(struct rclaim *c, redis_reply_fn *on_reply, void *arg)
{
	const struct slice bytes = c->pub.bytes;
	const struct slice keys[] = {slice_of(c->queue->keys[KEY_UNIQUES])};
	const struct slice args[] = {
	    {bytes.p, bytes.len < UNIQUE_HEAD ? bytes.len : UNIQUE_HEAD}};

	return rbroker_eval(c->queue->broker, SCRIPT_START, on_reply, arg, 1,
			    keys, 1, args);
}

struct rclaim *
rqueue_deliver(struct rqueue *q, unsigned int shard, struct slice bytes,
	       bool recovered)
{
	struct rclaim *c = rqueue_keep(q, shard, bytes, recovered);

	/* Its worker may have died, or lost the connection, before it freed the
	 * key; what claims by the script has freed it. */
	if (c != NULL && recovered && task_unique_until(bytes) == UNIQUE_START)
		rclaim_free_key(c, NULL, NULL);
	if (c != NULL)
		rqueue_hand_over(c);
	return c;
}

/* --- claims that another worker has --------------------------------------- */

struct slice
rclaim_mark_key(const struct broker_claim *claim)
{
	return slice_of(
	    container_of(claim, const struct rclaim, pub)->queue->mark_key);
}

struct slice
rclaim_mark(const struct broker_claim *claim)
{
	return slice_of(container_of(claim, const struct rclaim, pub)->mark);
}

bool
rclaim_is_sure(const struct broker_claim *claim)
{
	const struct rclaim *c = container_of(claim, const struct rclaim, pub);

	return !c->lost && rbroker_is_sure_for(c->queue->broker,
					       REDIS_BRISK_MS + REDIS_STALE_MS);
}

void
rclaim_lose(struct rclaim *c)
{
	struct shard *shard = &c->queue->shards[c->shard];
	struct rbroker *b = c->queue->broker;

	c->lost = true;
	shard->count--;
	rclaim_leave(c);
	b->opt.on_lost(&c->pub, b->opt.arg);
}

void
rbroker_drop(struct broker *broker, struct broker_claim *claim)
{
	struct rclaim *c = container_of(claim, struct rclaim, pub);

	TAILQ_REMOVE(&c->queue->shards[c->shard].claims, c, link);
	free(c);
}

/* The whole queue is looked at: what was taken over was so together. */
void
rbroker_doubt(struct broker *broker, struct broker_claim *claim)
{
	struct rclaim *c = container_of(claim, struct rclaim, pub);

	c->doubted = true;
	rqueue_doubt(c->queue);
}

/* Those whose settlement was sent, or is about to be, end by themselves; one that was
 * not handed over is nothing to the worker. */
void
rqueue_lose_all(struct rqueue *q)
{
	struct rclaim *c, *next;
	unsigned int i;

	for (i = 0; i < SHARDS; i++) {
		for (c = TAILQ_FIRST(&q->shards[i].claims); c != NULL;
		     c = next) {
			next = TAILQ_NEXT(c, link);
			if (!c->leaving && !c->ending && c != q->held)
				rclaim_lose(c);
		}
	}
}

/* `oldest` only moves forward, so that all claims together cost one walk. */
void
rclaim_leave(struct rclaim *c)
{
	struct shard *shard = &c->queue->shards[c->shard];

	c->leaving = true;
	while (shard->oldest != NULL && shard->oldest->leaving)
		shard->oldest = TAILQ_NEXT(shard->oldest, link);
	if (shard->reconciling && c->seen)
		rshard_entry_leaves(shard, c->pub.bytes);
}

/* --- replies that are errors ---------------------------------------------- */

void
rqueue_retry_later(struct rqueue *q)
{
	const struct timeval tv = {.tv_usec = RETRY_MS * 1000};

	if (!evtimer_pending(q->retry, NULL))
		evtimer_add(q->retry, &tv);
}

void
rqueue_refused(struct rqueue *q, const char *what,
	       const struct redis_reply *reply)
{
	struct err why;

	redis_fault_err(q->broker->redis, what, reply, &why);
	err_prefix(&why, "queue %s", q->name);
	q->broker->opt.on_state(true, false, &why, q->broker->opt.arg);
	rqueue_retry_later(q);
}

bool
rqueue_reply_lost(const struct redis_reply *reply)
{
	return redis_fault(reply) == REDIS_FAULT_LOST ||
	       redis_fault(reply) == REDIS_FAULT_READONLY;
}
