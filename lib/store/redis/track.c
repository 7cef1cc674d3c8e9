/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: queues that the server watches: those with limits, which
 * BLMOVE cannot look at, and those of a worker that has more than waiters
 * (wait.c).
 *
 * An empty queue is armed by an EXISTS that is tracked (CLIENT TRACKING, with
 * OPTIN and REDIRECT: "Client-side caching" in the manual of Redis). The first
 * change of its list, by any client, is then a message for a connection of its
 * own, and disarms it: the claim script looks what has come.
 *
 * That connection is not the one for orders, since a user may lack the right to
 * its channel. Without it, worker.c looks at all queues once a second.
 */
#include "store/redis/broker.h"
#include "store/redis/limit.h"
#include "store/redis/wait.h"

/* From here on the server tells of a change, or the queue has something. */
static void
rqueue_on_armed(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		q->armed = false;
	} else if (redis_reply_integer(reply) != 0) {
		q->armed = false;
		q->content = RQUEUE_MAYBE;
		rqueue_pump(q);
	}
}

void
rqueue_arm(struct rqueue *q)
{
	const struct slice opt_in[] = {SLICE("CLIENT"), SLICE("CACHING"),
				       SLICE("YES")};
	const struct slice look[] = {SLICE("EXISTS"),
				     slice_of(q->keys[KEY_WAITING])};
	struct rbroker *b = q->broker;

	if (q->armed || !b->tracking)
		return;
	/* Both, or the second would answer, and track nothing. */
	if (redis_command(b->redis, NULL, NULL, 3, opt_in) == 0 &&
	    redis_command(b->redis, rqueue_on_armed, q, 2, look) == 0)
		q->armed = true;
}

/* Said once, until it works. */
static void
rbroker_track_fails(struct rbroker *b, struct err *why)
{
	b->tracking = false;
	if (b->watch_failed)
		return;
	b->watch_failed = true;
	err_prefix(why,
		   "queues beyond the first %u are looked at once a second",
		   b->n_waiters);
	b->opt.on_state(true, false, why, b->opt.arg);
}

static void
rbroker_on_tracking(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rbroker *b = arg;
	struct err why;

	if (redis_fault(reply) == REDIS_FAULT_NONE) {
		b->watch_failed = false;
	} else if (!rqueue_reply_lost(reply)) {
		redis_fault_err(b->redis, "CLIENT TRACKING", reply, &why);
		rbroker_track_fails(b, &why);
	}
}

/* What was armed before is so no more. Queues are armed when they are found
 * empty: here, or after the look that follows a reconnection. */
void
rbroker_track(struct rbroker *b)
{
	char id[ARG_NUMBER_SIZE];
	const struct slice argv[] = {
	    SLICE("CLIENT"),
	    SLICE("TRACKING"),
	    SLICE("ON"),
	    SLICE("REDIRECT"),
	    arg_number(id, b->watching ? redis_client_id(b->watch) : 0),
	    SLICE("OPTIN")};
	unsigned int i;

	b->tracking = false;
	if (!b->watching ||
	    redis_command(b->redis, rbroker_on_tracking, b, 6, argv) != 0)
		return;
	b->tracking = true;
	for (i = 0; i < b->n_queues; i++) {
		b->queues[i].armed = false;
		/* It said that it cannot be told of new tasks. */
		if (b->queues[i].limited)
			b->queues[i].content = RQUEUE_MAYBE;
		rqueue_pump(&b->queues[i]);
	}
}

static void
rbroker_on_watching(struct redis *r, void *arg)
{
	struct rbroker *b = arg;

	b->watching = true;
	rbroker_track(b);
}

static void
rbroker_on_watch_state(struct redis *r, enum redis_state state,
		       const struct err *why, void *arg)
{
	struct rbroker *b = arg;
	struct err copy;

	if (state == REDIS_UP)
		return;
	b->watching = false;
	b->tracking = false;
	/* Without a server, the other connections say so. */
	if (redis_state(b->redis) == REDIS_UP && ++b->watch_downs > 1) {
		copy = *why;
		rbroker_track_fails(b, &copy);
	}
}

/* The name of a list, or NULL: perhaps all have changed. */
static void
rbroker_on_change(struct redis *r, struct slice channel, struct slice key,
		  void *arg)
{
	struct rbroker *b = arg;
	struct rqueue *q;
	unsigned int i;

	for (i = 0; i < b->n_queues; i++) {
		q = &b->queues[i];
		if (!q->armed ||
		    (key.p != NULL &&
		     !slice_eq(key, slice_of(q->keys[KEY_WAITING]))))
			continue;
		q->armed = false;
		rlimit_woken(q);
	}
}

int
rbroker_open_watch(struct rbroker *b, struct err *err)
{
	const struct redis_options options = {.url = &b->url,
					      .key = b->pin,
					      .client_name = "flowrrad-watch",
					      .timeout_ms = b->opt.timeout_ms,
					      .want_id = true,
					      .on_state =
						  rbroker_on_watch_state,
					      .on_message = rbroker_on_change,
					      .arg = b};

	b->watch_needed = b->watch_needed || b->n_queues > b->n_waiters;
	if (!b->watch_needed || b->watch != NULL)
		return 0;
	b->watch = redis_new(b->opt.base, &options, err);
	if (b->watch == NULL)
		return -1;
	if (redis_subscribe(b->watch, SLICE("__redis__:invalidate"),
			    rbroker_on_watching, b) != 0)
		return err_nomem(err);
	return 0;
}

void
rbroker_close_watch(struct rbroker *b)
{
	redis_free(b->watch);
}
