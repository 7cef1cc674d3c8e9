/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: delayed tasks.
 *
 * They wait in a sorted set by the time at which they are due, which the
 * scripts take from the server's clock: the clocks of producers and workers
 * need not agree. promote.lua moves what is due, and says how long the next one
 * still has; a timer asks again then.
 */
#include <event2/event.h>
#include <stdlib.h>

#include "store/redis/broker.h"
#include "store/redis/levels.h"
#include "util/clock.h"

/*
 * The longest time between two looks while a task is delayed. The timer here is
 * monotonic and does not notice that the server's clock was set forward: tasks
 * then start late by this at most. A look costs one script each.
 */
#define LOOK_MS 3000

/* What one look moves, about: it may not keep the server long. */
#define LOOK_BYTES (512u << 10)

/* A look has ended. Another one follows if something came meanwhile. */
static void
end_look(struct rqueue *q, bool again)
{
	again = again || q->look == RQUEUE_LOOK_AGAIN;
	q->look = RQUEUE_LOOK_NONE;
	if (again)
		rqueue_promote(q);
}

static bool
look_has_failed(struct rqueue *q, const struct redis_reply *reply)
{
	const enum redis_fault fault = redis_fault(reply);

	if (fault == REDIS_FAULT_NONE)
		return false;
	if (rqueue_reply_lost(reply)) {
		/* Another look follows when the connection is back. */
		q->look = RQUEUE_LOOK_NONE;
		return true;
	}
	if (fault != REDIS_FAULT_SCRIPT)
		rqueue_refused(q, "looking for due tasks", reply);
	end_look(q, fault == REDIS_FAULT_SCRIPT);
	return true;
}

static void
wait_until_due(struct rqueue *q, int64_t left_ms)
{
	const int64_t ms = left_ms < LOOK_MS ? left_ms : LOOK_MS;
	const struct timeval tv = {.tv_sec = ms / 1000,
				   .tv_usec = ms % 1000 * 1000};

	evtimer_add(q->due, &tv);
}

static void
on_promoted(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;
	int64_t moved, left_ms;

	if (look_has_failed(q, reply))
		return;
	moved = redis_reply_integer(redis_reply_at(reply, 0));
	left_ms = redis_reply_integer(redis_reply_at(reply, 1));
	/* Tasks whose list it did not know stay due: the next look moves them.
	 * If nothing was moved and nothing learnt, it would be the same. */
	if (!rlevels_learn(&q->levels, redis_reply_at(reply, 2)) &&
	    moved == 0 && left_ms == 0)
		left_ms = LOOK_MS;
	if (left_ms > 0)
		wait_until_due(q, left_ms);
	/* 0: more were due than one call moves. */
	end_look(q, left_ms == 0);
	if (moved > 0) {
		q->content = RQUEUE_MAYBE;
		rqueue_pump(q);
	}
}

void
rqueue_promote(struct rqueue *q)
{
	const struct slice keys[] = {slice_of(q->keys[KEY_DELAYED]),
				     slice_of(q->keys[KEY_WAITING]),
				     slice_of(q->keys[KEY_LEVELS])};
	char bytes[ARG_NUMBER_SIZE];
	const struct slice args[] = {slice_of(RBROKER_CONTROL),
				     slice_of(q->wake),
				     arg_number(bytes, LOOK_BYTES)};
	struct slice *all;

	if (q->phase != RQUEUE_READY)
		return;
	if (q->look != RQUEUE_LOOK_NONE) {
		q->look = RQUEUE_LOOK_AGAIN;
		return;
	}
	evtimer_del(q->due);
	all = rlevels_join(&q->levels, q, keys, 3, 0);
	if (all != NULL && rbroker_eval(q->broker, SCRIPT_PROMOTE, on_promoted,
					q, 3 + q->levels.n, all, 3, args) == 0)
		q->look = RQUEUE_LOOK_SENT;
	free(all);
}

void
rqueue_on_due(evutil_socket_t fd, short what, void *arg)
{
	rqueue_promote(arg);
}
