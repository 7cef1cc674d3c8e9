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

#include "store/redis/broker.h"

/* After the server refused: it is full, loading, or being repaired, which takes
 * seconds at least. */
#define RETRY_MS 500

struct rclaim *
rqueue_keep(struct rqueue *q, unsigned int shard, struct slice bytes,
	    bool recovered)
{
	struct rclaim *c = malloc(sizeof(*c) + bytes.len);

	if (c == NULL)
		return NULL; /* reconciling finds it again */
	*c = (struct rclaim){.queue = q, .shard = shard, .seen = true};
	memcpy(c->bytes, bytes.p, bytes.len);
	c->pub = (struct broker_claim){.queue = q->index,
				       .bytes = {c->bytes, bytes.len},
				       .recovered = recovered};
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

struct rclaim *
rqueue_deliver(struct rqueue *q, unsigned int shard, struct slice bytes,
	       bool recovered)
{
	struct rclaim *c = rqueue_keep(q, shard, bytes, recovered);

	if (c != NULL)
		rqueue_hand_over(c);
	return c;
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
