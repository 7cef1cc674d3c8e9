/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: finding claims that nobody knows of.
 *
 * A claim can be on record while no worker knows of it: the worker died, or
 * the reply that told of the claim was lost. So each part of the in-flight
 * list is compared with memory when the connection comes up, and every few
 * seconds its length is; what is there too much is handed out as `recovered`.
 *
 * For the parts that the script fills this is exact, since script, look and
 * settlement follow one another on one connection. In part 0 a task may lie
 * whose BLMOVE reply is still on its way over another connection: while a
 * BLMOVE is under way, a stranger is taken up only when it is met a second
 * time, a census later; should the reply come after all, it is dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"

static void
look_ended(struct part *part)
{
	struct rqueue *q = part->queue;

	part->looking = false;
	if (q->recovered || q->looks == 0) {
		rqueue_pump(q);
	} else if (--q->looks == 0) {
		q->recovered = true;
		rqueue_wake(q);
	}
}

/* The server cannot say now: nothing is claimed before it can. */
static void
look_failed(struct part *part, const struct redis_reply *reply)
{
	part->looking = false;
	if (redis_fault(reply) == REDIS_FAULT_SCRIPT)
		rqueue_look(part->queue,
			    (unsigned int)(part - part->queue->parts));
	else if (redis_fault(reply) != REDIS_FAULT_LOST)
		rqueue_refused(part->queue, "looking at what is in flight",
			       reply);
}

static struct rclaim *
find(struct part *part, struct slice task)
{
	struct rclaim *c;

	TAILQ_FOREACH (c, &part->claims, link)
		if (!c->seen && slice_eq(c->pub.bytes, task))
			return c;
	return NULL;
}

static void
on_look(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct part *part = arg;
	struct rqueue *q = part->queue;
	unsigned int index = (unsigned int)(part - q->parts);
	unsigned int left_before = part->strangers;
	bool certain = index != 0 || !q->blocked;
	struct rclaim *c;
	struct slice task;
	size_t i;

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		look_failed(part, reply);
		return;
	}
	part->strangers = 0;
	TAILQ_FOREACH (c, &part->claims, link)
		c->seen = false;
	/* The oldest task is the last; it is to run first. */
	for (i = redis_reply_count(reply); i-- > 0;) {
		task = redis_reply_string(redis_reply_at(reply, i));
		if (task.len == 0)
			continue;
		if ((c = find(part, task)) != NULL) {
			c->seen = true;
		} else if (certain || left_before > 0) {
			c = rqueue_deliver(q, index, task, true);
			if (c != NULL)
				c->adopted = !certain;
		} else {
			part->strangers++;
		}
	}
	look_ended(part);
}

void
rqueue_look(struct rqueue *q, unsigned int index)
{
	struct part *part = &q->parts[index];
	struct rbroker *b = q->broker;
	char largest[ARG_NUMBER_SIZE];
	const struct slice keys[] = {
	    slice_of(part->key), slice_of(q->keys[KEY_DEAD]),
	    slice_of(q->keys[KEY_DEAD_TASKS]), slice_of(q->keys[KEY_DEAD_INFO]),
	    slice_of(q->keys[KEY_WITHDRAWN])};
	const struct slice args[] = {
	    arg_number(largest, (int64_t)b->opt.max_task),
	    slice_of(b->worker_json), slice_of(RBROKER_WITHDRAWN)};

	if (part->looking)
		return;
	if (rbroker_eval(b, SCRIPT_INFLIGHT, on_look, part, 5, keys, 3, args) ==
	    0)
		part->looking = true;
}

static void
on_length(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct part *part = arg;
	struct rqueue *q = part->queue;

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		look_failed(part, reply);
		return;
	}
	if (redis_reply_integer(reply) > part->count)
		rqueue_look(q, (unsigned int)(part - q->parts));
	else
		part->strangers = 0;
	if (!part->looking)
		look_ended(part);
}

/* Asks for the lengths of all parts, and looks at those that are too long. */
static void
compare_lengths(struct rqueue *q)
{
	unsigned int i;

	for (i = 0; i < PARTS; i++) {
		const struct slice argv[] = {SLICE("LLEN"),
					     slice_of(q->parts[i].key)};

		redis_command(q->broker->redis, on_length, &q->parts[i], 2,
			      argv);
	}
}

void
rqueue_raise_fence(struct rqueue *q)
{
	const struct slice raise[] = {SLICE("INCR"), slice_of(q->fence)};

	redis_command(q->broker->redis, NULL, NULL, 2, raise);
}

void
rqueue_start(struct rqueue *q)
{
	unsigned int i;

	rbroker_name_queue(q->broker, q->name);
	q->recovered = false;
	q->looks = PARTS;
	for (i = 0; i < PARTS; i++)
		q->parts[i].looking = false;
	/* Whoever believes us dead has to think again; see redis_takeover.c. */
	rqueue_raise_fence(q);
	compare_lengths(q);
}

void
rqueue_census(struct rqueue *q)
{
	if (!q->recovered)
		return;
	compare_lengths(q);
	/* Should the word of its end have been lost. */
	if (q->paused)
		rqueue_wake(q);
}
