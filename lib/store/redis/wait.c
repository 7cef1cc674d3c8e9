/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: waiting for the next task of a queue that is empty.
 *
 * Few connections, the waiters, block in BLMOVE, each for one queue. It takes one
 * task, the moment it is there, and an EXISTS behind it tells whether there were
 * others; then the claim script goes on. So a busy queue costs few commands a
 * task, and an idle one answers without polling. A pause cannot stop a BLMOVE that
 * is under way: so the EXISTS looks at the pause, too, and what came in a pause is
 * given back (RQUEUE_MOVE_RETURNS).
 *
 * A worker of more queues than waiters has the server watch the others (track.c),
 * which takes a round trip more. So a waiter that has brought nothing for a while
 * goes to a queue that was just busy.
 *
 * Who puts a task where neither looks (another priority, the delayed set) sends
 * a wake order.
 */
#include "store/redis/wait.h"

#include <inttypes.h>

#include "codec/task_json.h"
#include "store/redis/broker.h"
#include "store/redis/ops.h"
#include "util/clock.h"

/* How long BLMOVE waits, in both spellings. Its end costs the server two
 * commands; a connection that is dead shows that much later than others. */
#define BLOCK_S "5"
#define BLOCK_MS 5000
/* A waiter without a task for so long may go to a queue whose last task came less
 * long ago than BUSY_MS: some looks, where there is one a second. */
#define DULL_MS 1000
#define BUSY_MS 3000

/* Who stops waits for the last answer of all queues. */
void
rqueue_tell_quiet(const struct rqueue *q)
{
	const struct rbroker *b = q->broker;

	if (q->wanted == 0 && rbroker_idle(&b->pub))
		b->opt.on_idle(b->opt.arg);
}

/* --- BLMOVE ------------------------------------------------------------ */

/* Whether this task was found in flight before its BLMOVE reply came. */
static bool
rqueue_already_adopted(struct rqueue *q, struct slice task)
{
	struct rclaim *c;

	TAILQ_FOREACH (c, &q->shards[0].claims, link) {
		if (c->adopted && slice_eq(c->pub.bytes, task)) {
			c->adopted = false;
			return true;
		}
	}
	return false;
}

/* Takes the task of a BLMOVE that need not be given back, or nothing. */
static void
rqueue_take_moved(struct rqueue *q, const struct redis_reply *reply)
{
	enum redis_fault fault = redis_fault(reply);
	struct slice task = redis_reply_string(reply);

	if (rqueue_reply_lost(reply)) {
		/* What it may have brought is looked for when the waiter, or
		 * another one, is back. */
		q->waiter->lost = q;
	} else if (fault == REDIS_FAULT_FULL) {
		/* The claim script may what BLMOVE may not. */
		rqueue_retry_later(q);
	} else if (fault != REDIS_FAULT_NONE) {
		rqueue_refused(q, "BLMOVE", reply);
	} else if (redis_reply_type(reply) == REDIS_STRING) {
		q->task_ms = clock_mono_ms();
		/* The look does away with what is too large, or withdrawn. */
		if (task.len > q->broker->opt.max_task ||
		    slice_eq(task, slice_of(RBROKER_WITHDRAWN)))
			rqueue_reconcile_shard(q, 0);
		else if (!rqueue_already_adopted(q, task))
			q->held = rqueue_keep(q, 0, task, false);
	}
}

static void
rqueue_on_released(struct broker_settle *settle)
{
	struct rqueue *q = settle->arg;

	q->move = RQUEUE_MOVE_NONE;
	rqueue_pump(q);
}

/* It goes where it came from: among those of priority 0. */
static void
rqueue_release(struct rqueue *q, struct rclaim *c)
{
	q->releasing = (struct broker_settle){.disposition = BROKER_RELEASE,
					      .claim = &c->pub,
					      .on_done = rqueue_on_released,
					      .arg = q};
	/* Whether the pause lasts, the script says. */
	q->content = RQUEUE_MAYBE;
	q->move = RQUEUE_MOVE_RETURNS;
	rbroker_settle(&q->broker->pub, &q->releasing);
}

/* The waiter is free, or kept for the queue that it was taken away for. */
static void
rqueue_leave_waiter(struct rqueue *q)
{
	struct rqueue *next = q->waiter->next;

	q->waiter->queue = NULL;
	q->waiter = NULL;
	if (next != NULL)
		rqueue_pump(next);
}

/* Without an answer, nobody knows whether it is free: the claim script frees it. */
static void
rqueue_on_freed(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;
	struct rclaim *c = q->held;

	q->held = NULL;
	q->move = RQUEUE_MOVE_NONE;
	if (redis_fault(reply) != REDIS_FAULT_NONE)
		rqueue_release(q, c);
	else
		rqueue_hand_over(c);
	rqueue_tell_quiet(q);
	rqueue_pump(q);
}

/* What is submitted from now on with the key of a task that starts is to be queued:
 * so the task starts when its key is free. */
static void
rqueue_start_moved(struct rqueue *q, struct rclaim *c)
{
	if (task_unique_until(c->pub.bytes) != UNIQUE_START) {
		rqueue_hand_over(c);
	} else if (rclaim_free_key(c, rqueue_on_freed, q) == 0) {
		q->held = c;
		q->move = RQUEUE_MOVE_FREES;
	} else {
		rqueue_release(q, c);
	}
}

/* BLMOVE is over: hands over what it brought, if the queue is not paused, and has
 * no limits, which BLMOVE cannot look at. */
static void
rqueue_conclude(struct rqueue *q, bool barred)
{
	struct rclaim *c = q->held;

	q->held = NULL;
	q->move = RQUEUE_MOVE_NONE;
	rqueue_leave_waiter(q);
	if (c != NULL && barred)
		rqueue_release(q, c);
	else if (c != NULL)
		rqueue_start_moved(q, c);
	rqueue_tell_quiet(q);
}

static void
rqueue_on_moved(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;

	rqueue_take_moved(q, reply);
	if (q->asked_rest)
		return;
	rqueue_conclude(q, true); /* nobody knows */
	rqueue_pump(q);
}

/* This follows the BLMOVE's answer closely, usually in the same packet. */
static void
rqueue_on_rest(struct redis *r, const struct redis_reply *reply, void *arg)
{
	const int64_t n = redis_reply_integer(reply);
	struct rqueue *q = arg;

	if ((n & 1) != 0)
		q->content = RQUEUE_MAYBE;
	rqueue_conclude(q,
			redis_fault(reply) != REDIS_FAULT_NONE || (n & 6) != 0);
	rqueue_pump(q);
}

static void
rqueue_block(struct rqueue *q, struct rwaiter *waiter)
{
	const struct slice paused = slice_of(q->keys[KEY_PAUSED]);
	const struct slice waiting = slice_of(q->keys[KEY_WAITING]);
	const struct slice move[] = {
	    SLICE("BLMOVE"), waiting,	    slice_of(q->shards[0].key),
	    SLICE("RIGHT"),  SLICE("LEFT"), SLICE(BLOCK_S)};
	const struct slice limits = slice_of(q->keys[KEY_LIMITS]);
	/* A key that is named twice counts twice: 1 says that there are others,
	 * 2 that the queue is paused, 4 that it has limits, and their sum that
	 * several are so. */
	const struct slice rest[] = {SLICE("EXISTS"), waiting, paused, paused,
				     limits,	      limits,  limits, limits};

	if (redis_command_blocking(waiter->redis, BLOCK_MS, rqueue_on_moved, q,
				   6, move) != 0)
		return;
	waiter->queue = q;
	waiter->next = NULL;
	q->waiter = waiter;
	q->move = RQUEUE_MOVE_WAITS;
	q->asked_rest =
	    redis_command(waiter->redis, rqueue_on_rest, q, 8, rest) == 0;
}

static void
rqueue_on_unblocked(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;

	q->unblocking = false;
	/* The order may have met the server before the BLMOVE did. */
	rqueue_pump(q);
}

/* Takes a BLMOVE back that is under way. */
static void
rqueue_unblock(struct rqueue *q)
{
	char id[ARG_NUMBER_SIZE];
	const struct slice argv[] = {
	    SLICE("CLIENT"), SLICE("UNBLOCK"),
	    arg_number(id, redis_client_id(q->waiter->redis))};

	if (q->unblocking || redis_client_id(q->waiter->redis) == 0)
		return;
	if (redis_command(q->broker->redis, rqueue_on_unblocked, q, 3, argv) ==
	    0)
		q->unblocking = true;
}

/* --- waiters ------------------------------------------------------------ */

void
rqueue_stop_waiting(struct rqueue *q)
{
	if (q->move == RQUEUE_MOVE_WAITS)
		rqueue_unblock(q);
}

void
rqueue_wait(struct rqueue *q)
{
	struct rbroker *b = q->broker;
	struct rwaiter *waiter;
	unsigned int i;

	if (q->move != RQUEUE_MOVE_NONE || q->unblocking ||
	    q->shards[0].reconciling)
		return;
	if (q->limited) {
		if (q->watches)
			rqueue_arm(q);
		return;
	}
	for (i = 0; i < b->n_waiters; i++) {
		waiter = &b->waiters[i];
		if (waiter->queue == NULL &&
		    (waiter->next == NULL || waiter->next == q) &&
		    redis_state(waiter->redis) == REDIS_UP) {
			rqueue_block(q, waiter);
			return;
		}
	}
	rqueue_arm(q);
}

/* To those that wait without one. */
static void
rwaiter_offer(struct rwaiter *waiter)
{
	struct rbroker *b = waiter->broker;
	unsigned int i;

	for (i = 0; i < b->n_queues && waiter->queue == NULL; i++)
		if (b->queues[i].content == RQUEUE_EMPTY)
			rqueue_pump(&b->queues[i]);
}

/* The queue that brought a task most lately, of those that wait for one, but have
 * no waiter. */
static struct rqueue *
rbroker_find_busy(struct rbroker *b)
{
	struct rqueue *busiest = NULL, *q;
	unsigned int i;

	for (i = 0; i < b->n_queues; i++) {
		q = &b->queues[i];
		if (q->content == RQUEUE_EMPTY && q->waiter == NULL &&
		    q->wanted > 0 &&
		    (busiest == NULL || q->task_ms > busiest->task_ms))
			busiest = q;
	}
	return busiest;
}

/* One a second: enough for what is busy for longer than that. */
void
rbroker_move_waiters(struct rbroker *b)
{
	const int64_t now = clock_mono_ms();
	struct rwaiter *waiter, *dullest = NULL;
	struct rqueue *busy;
	unsigned int i;

	if (b->n_queues <= b->n_waiters)
		return;
	for (i = 0; i < b->n_waiters; i++) {
		waiter = &b->waiters[i];
		/* The one that it was kept for does not want it any more. */
		if (waiter->queue == NULL && waiter->next != NULL) {
			waiter->next = NULL;
			rwaiter_offer(waiter);
		}
		if (waiter->queue != NULL && waiter->next == NULL &&
		    (dullest == NULL ||
		     waiter->queue->task_ms < dullest->queue->task_ms))
			dullest = waiter;
	}
	if (dullest == NULL || now - dullest->queue->task_ms < DULL_MS)
		return;
	busy = rbroker_find_busy(b);
	if (busy == NULL || now - busy->task_ms >= BUSY_MS)
		return;
	dullest->next = busy;
	rqueue_unblock(dullest->queue);
}

static void
rwaiter_on_state(struct redis *r, enum redis_state state, const struct err *why,
		 void *arg)
{
	struct rwaiter *waiter = arg;
	struct rbroker *b = waiter->broker;

	if (state == REDIS_REFUSED)
		b->opt.on_state(false, true, why, b->opt.arg);
	if (state != REDIS_UP)
		return;
	/* What an answer that was lost has brought lies in shard 0. */
	if (waiter->lost != NULL && waiter->lost->phase == RQUEUE_READY)
		rqueue_reconcile_shard(waiter->lost, 0);
	waiter->lost = NULL;
	rwaiter_offer(waiter);
}

int
rbroker_open_waiters(struct rbroker *b, struct err *err)
{
	const struct redis_options options = {
	    .url = &b->url,
	    .key = b->pin,
	    .client_name = "flowrrad-queue",
	    .timeout_ms = b->opt.timeout_ms,
	    /* More than one task of the largest size: see inflight.lua. */
	    .max_reply = b->opt.max_task + (64u << 10),
	    .want_id = true,
	    .on_state = rwaiter_on_state};
	const int64_t room = b->opt.max_connections - RBROKER_OTHERS;
	const unsigned int n =
	    b->opt.n_queues < RWAITERS_MAX ? b->opt.n_queues : RWAITERS_MAX;
	struct redis_options own;
	struct rwaiter *waiter;

	for (; b->n_waiters < n && b->n_waiters < room; b->n_waiters++) {
		waiter = &b->waiters[b->n_waiters];
		waiter->broker = b;
		own = options;
		own.arg = waiter;
		waiter->redis = redis_new(b->opt.base, &own, err);
		if (waiter->redis == NULL)
			return -1;
	}
	return 0;
}

void
rbroker_close_waiters(struct rbroker *b)
{
	unsigned int i;

	for (i = 0; i < b->n_waiters; i++)
		redis_free(b->waiters[i].redis);
}
