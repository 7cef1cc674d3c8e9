/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what only a worker has. Its queues are opened here, and it
 * says what makes them look for tasks: orders, timers, the end of a recovery.
 *
 * This file is above those that take tasks (claim.c, delay.c, reconcile.c,
 * takeover.c); they reach it by callbacks alone.
 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/order.h"
#include "codec/scan.h"
#include "store/redis/admin.h"
#include "store/redis/broker.h"
#include "store/redis/limit.h"
#include "store/redis/wait.h"

/* How often what is in flight is compared with memory. A reply that was lost
 * with its connection is found at once, when that is back: this is for the
 * rest, and costs 17 lengths a queue. */
#define RECONCILE_S 10
/* How often the other workers are looked at. The key of a heartbeat lives a
 * second less than BROKER_HEARTBEAT_TTL_S, to make up for it. That of the watcher
 * (claim_limited.lua) lives half a second longer than this. */
#define LIVENESS_S 1
/* Of a control message, which names a queue or a task. */
#define REPLY_SLACK (64u << 10)

/* --- one queue ---------------------------------------------------------- */

/* Also while the claim script is under way: RQUEUE_MAYBE then says that its
 * answer may be older than the news. */
void
rqueue_wake(struct rqueue *q)
{
	q->content = RQUEUE_MAYBE;
	/* Its own tasks, which end meanwhile, are to be counted. */
	if (q->wanted == 0 && !q->limited)
		rlimit_look(q);
	rqueue_promote(q);
	rqueue_pump(q);
}

/*
 * The connection for commands is gone, and with it all answers that were due.
 */
void
rqueue_stall(struct rqueue *q)
{
	q->phase = RQUEUE_DOWN;
	evtimer_del(q->due);
	evtimer_del(q->retry);
	evtimer_del(q->rested);
}

/* The server has refused something RETRY_MS ago. */
static void
rqueue_on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct rqueue *q = arg;

	if (q->phase == RQUEUE_READY)
		rqueue_wake(q);
	else if (q->broker->entering == RENTER_IN &&
		 redis_state(q->broker->redis) == REDIS_UP)
		rqueue_start(q);
}

/* A shard was compared with memory; `last`: it was the last of a recovery, so
 * tasks may be taken now, and nobody knows what came meanwhile. */
static void
rqueue_on_compared(struct rqueue *q, bool last)
{
	if (last)
		rqueue_wake(q);
	else
		rqueue_pump(q);
}

static int
rqueue_open(struct rqueue *q, struct err *err)
{
	struct rbroker *b = q->broker;

	q->due = evtimer_new(b->opt.base, rqueue_on_due, q);
	q->retry = evtimer_new(b->opt.base, rqueue_on_retry, q);
	q->rested = evtimer_new(b->opt.base, rqueue_on_rested, q);
	if (q->due == NULL || q->retry == NULL || q->rested == NULL ||
	    rqueue_name_shards(q) != 0)
		return err_nomem(err);
	q->on_compared = rqueue_on_compared;
	return 0;
}

/* --- orders ------------------------------------------------------------ */

void
rqueue_on_order(struct rqueue *q, struct slice channel)
{
	if (slice_eq(channel, slice_of(RBROKER_CONTROL)))
		rqueue_wake(q);
	else
		rlimit_woken(q);
}

static void
wake_queue(struct rbroker *b, struct slice channel, struct slice name)
{
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		if (slice_eq(name, slice_of(b->queues[i].name)))
			rqueue_on_order(&b->queues[i], channel);
}

int
rbroker_hear(struct redis *r, const char *worker, redis_ready_fn *on_ready,
	     void *arg, struct err *err)
{
	struct buf own = BUF_INIT;
	int result = 0;

	buf_addf(&own, "%s:%s", RBROKER_CONTROL, worker);
	if (own.failed ||
	    redis_subscribe(r, (struct slice){own.data, own.len}, NULL, NULL) !=
		0 ||
	    redis_subscribe(r, slice_of(RBROKER_CONTROL), on_ready, arg) != 0)
		result = err_nomem(err);
	buf_done(&own);
	return result;
}

static void
on_control_message(struct redis *r, struct slice channel, struct slice payload,
		   void *arg)
{
	struct rbroker *b = arg;
	struct buf scratch = BUF_INIT;
	struct order order;

	if (order_read(payload, &scratch, &order, NULL) == 0 &&
	    order.kind == ORDER_WAKE)
		wake_queue(b, channel, order.subject);
	else if (b->opt.on_control != NULL)
		b->opt.on_control(payload, b->opt.arg);
	buf_done(&scratch);
}

static void
rbroker_wake_all(struct rbroker *b)
{
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		rqueue_wake(&b->queues[i]);
}

/* Listening (again): what was said meanwhile has to be found out. */
static void
on_control_ready(struct redis *r, void *arg)
{
	struct rbroker *b = arg;

	b->deaf = 0;
	b->listening = true;
	rbroker_wake_all(b);
}

/* That we are deaf is worth a word when it is not for want of a server: once
 * the other connection has stood through two attempts. */
static void
on_control_state(struct redis *r, enum redis_state state, const struct err *why,
		 void *arg)
{
	struct rbroker *b = arg;

	b->listening = b->listening && state == REDIS_UP;
	if (state == REDIS_REFUSED)
		b->opt.on_state(false, true, why, b->opt.arg);
	else if (state == REDIS_DOWN && redis_state(b->redis) == REDIS_UP &&
		 ++b->deaf > 1)
		b->opt.on_state(true, false, why, b->opt.arg);
}

/* --- timers ------------------------------------------------------------- */

static void
rqueue_reconcile(struct rqueue *q)
{
	if (q->phase != RQUEUE_READY)
		return;
	rqueue_compare(q);
	rrecount_check(q);
	/* A producer may lack the right to wake us, and the word of a pause's
	 * end may have been lost. */
	rqueue_wake(q);
}

static void
rbroker_on_reconcile(evutil_socket_t fd, short what, void *arg)
{
	struct rbroker *b = arg;
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		rqueue_reconcile(&b->queues[i]);
	if (b->entering == RENTER_IN && redis_state(b->redis) == REDIS_UP)
		rbroker_prune_workers(b);
}

static void
rbroker_on_liveness(evutil_socket_t fd, short what, void *arg)
{
	struct rbroker *b = arg;
	unsigned int i;

	if (b->entering != RENTER_IN || redis_state(b->redis) != REDIS_UP)
		return;
	rbroker_check_liveness(b);
	rbroker_move_waiters(b);
	/* Nobody can tell us what has come: we look. */
	if (!b->listening || (b->watch_needed && !b->tracking))
		rbroker_wake_all(b);
	for (i = 0; i < b->n_queues; i++)
		rlimit_watch(&b->queues[i]);
}

/* --- opening ------------------------------------------------------------ */

static int
open_control(struct rbroker *b, struct err *err)
{
	const struct redis_options options = {.url = &b->url,
					      .client_name = "flowrrad-control",
					      .timeout_ms = b->opt.timeout_ms,
					      .max_reply = REPLY_SLACK,
					      .on_state = on_control_state,
					      .on_message = on_control_message,
					      .arg = b};

	b->control = redis_new(b->opt.base, &options, err);
	if (b->control == NULL)
		return -1;
	return rbroker_hear(b->control, b->opt.worker, on_control_ready, b,
			    err);
}

int
rbroker_open_worker(struct rbroker *b, struct err *err)
{
	const struct timeval tv = {.tv_sec = RECONCILE_S};
	const struct timeval liveness = {.tv_sec = LIVENESS_S};
	struct buf json = BUF_INIT;
	unsigned int i;

	scan_quote(&json, slice_of(b->opt.worker));
	b->worker_json = buf_take(&json);
	b->queues = calloc(b->opt.n_queues, sizeof(*b->queues));
	b->reconcile =
	    event_new(b->opt.base, -1, EV_PERSIST, rbroker_on_reconcile, b);
	b->liveness =
	    event_new(b->opt.base, -1, EV_PERSIST, rbroker_on_liveness, b);
	if (b->worker_json == NULL || b->queues == NULL ||
	    b->reconcile == NULL || b->liveness == NULL ||
	    asprintf(&b->worker_key, "%s%s", b->worker_prefix, b->opt.worker) <
		0)
		return err_nomem(err);
	/* n_queues counts what is made, for rbroker_close(); the connections
	 * follow when all names stand. */
	for (i = 0; i < b->opt.n_queues; i++, b->n_queues++)
		if (rqueue_init(&b->queues[i], b, b->opt.queues[i], i) != 0)
			return err_nomem(err);
	for (i = 0; i < b->n_queues; i++)
		if (rqueue_open(&b->queues[i], err) != 0)
			return -1;
	if (rbroker_open_waiters(b, err) != 0 ||
	    rbroker_open_watch(b, err) != 0 ||
	    rbroker_open_enter(b, err) != 0 || rgather_open(b, err) != 0 ||
	    rlimit_open(b, err) != 0 ||
	    (b->part == RBROKER_WHOLE && rbroker_open_producer(b, err) != 0))
		return -1;
	event_add(b->reconcile, &tv);
	event_add(b->liveness, &liveness);
	return b->part == RBROKER_WHOLE ? open_control(b, err) : 0;
}
