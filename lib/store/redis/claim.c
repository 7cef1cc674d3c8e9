/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: taking tasks from one queue.
 *
 * While the queue may hold something (RQUEUE_MAYBE), the claim script takes as
 * many as are wanted. Once it came back with fewer, BLMOVE waits for the next,
 * and an EXISTS behind it tells whether there were others. Who puts a task
 * where these do not look (another priority, the delayed set) sends a wake
 * order.
 *
 * The script takes many tasks in one round trip, but the worker has to ask;
 * BLMOVE takes one, but the moment it is there. So a busy queue costs few
 * commands a task, and an idle one answers without polling.
 *
 * While the queue is paused (RQUEUE_PAUSED) the script takes nothing, and
 * BLMOVE is not called. One that was under way cannot know: so the EXISTS looks
 * at the pause, too, and what came in a pause is given back
 * (RQUEUE_MOVE_RETURNS). The end of a pause is a wake order.
 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"

/* How long BLMOVE waits, in both spellings. Its end costs the server two
 * commands; a connection that is dead shows that much later than others. */
#define BLOCK_S "5"
#define BLOCK_MS 5000
/*
 * One claim. 512 tasks keep the executors busy while the next claim is on its
 * way, and are a short stop of the server; so are the bytes, which it copies
 * several times.
 */
#define CLAIM_MAX 512
#define CLAIM_BYTES (1u << 20)
/* Of its script, before the lists of levels and the lanes. */
#define CLAIM_KEYS 6

/* Who stops waits for the last answer of all queues. */
static void
rqueue_tell_quiet(const struct rqueue *q)
{
	const struct rbroker *b = q->broker;

	if (q->wanted == 0 && rbroker_idle(&b->pub))
		b->opt.on_idle(b->opt.arg);
}

/* --- the claim script -------------------------------------------------- */

/*
 * Behind the tasks the script may have told the levels: there is more, or it did
 * not know a list. Returns the number of tasks. When there was none, and nothing
 * new was told, the next claim would end the same way: it is put off.
 */
static size_t
take_levels(struct rqueue *q, const struct redis_reply *reply, size_t n)
{
	const struct redis_reply *last =
	    n > 0 ? redis_reply_at(reply, n - 1) : NULL;
	bool news;

	if (redis_reply_type(last) != REDIS_ARRAY)
		return n;
	news = rlevels_learn(&q->levels, last);
	if (!news && n == 1) {
		q->content = RQUEUE_EMPTY;
		rqueue_retry_later(q);
	}
	return n - 1;
}

/*
 * At the very end it may have told of lanes. Returns the number of what is before
 * them; sets *ret_news if this worker has to come back for one.
 */
static size_t
take_lanes(struct rqueue *q, const struct redis_reply *reply, bool *ret_news)
{
	const size_t n = redis_reply_count(reply);
	const struct redis_reply *last =
	    n > 0 ? redis_reply_at(reply, n - 1) : NULL;

	if (redis_reply_type(last) != REDIS_ARRAY ||
	    !slice_eq(redis_reply_string(redis_reply_at(last, 0)),
		      SLICE("lanes")))
		return n;
	*ret_news = rqueue_learn_lanes(q, last);
	return n - 1;
}

/*
 * The script says what the queue held when it ran. News that came since it was
 * sent (a wake order, due tasks) may be of later, so they win over "nothing
 * left".
 */
static void
take_claimed(struct rqueue *q, const struct redis_reply *reply)
{
	size_t i, n, all;
	enum redis_fault fault = redis_fault(reply);
	bool more = false;
	unsigned int asked = q->asked;
	const bool news = q->content != RQUEUE_LOOKING;
	struct slice task;

	q->asked = 0;
	q->content = RQUEUE_MAYBE;
	if (rqueue_reply_lost(reply))
		return; /* recovery finds what was claimed */
	if (fault == REDIS_FAULT_SCRIPT) {
		rqueue_pump(q);
		return;
	}
	if (fault != REDIS_FAULT_NONE) {
		q->content = RQUEUE_EMPTY;
		rqueue_refused(q, "claiming", reply);
		return;
	}
	all = take_lanes(q, reply, &more);
	n = take_levels(q, reply, all);
	more = more || n < all;
	/* All that it knew are empty now; they may have a new life. */
	if (n < asked && !more)
		rlanes_done(&q->lanes);
	/* Instead of tasks, a word: the queue is paused. */
	if (n < asked && !news && !more)
		q->content = redis_reply_type(reply) == REDIS_STRING
				 ? RQUEUE_PAUSED
				 : RQUEUE_EMPTY;
	for (i = 0; i < n; i++) {
		task = redis_reply_string(redis_reply_at(reply, i));
		if (task.len == 0) {
			q->content = RQUEUE_MAYBE;
			rqueue_reconcile_shard(q, q->asked_shard);
		} else {
			rqueue_deliver(q, q->asked_shard, task, false);
		}
	}
	rqueue_pump(q);
}

static void
on_claimed(struct redis *r, const struct redis_reply *reply, void *arg)
{
	take_claimed(arg, reply);
	rqueue_tell_quiet(arg);
}

/* Shards take turns, so that none grows long while others are empty. */
static unsigned int
choose_shard(struct rqueue *q)
{
	unsigned int i, shard = 1 + q->next_shard++ % (SHARDS - 1),
			best = shard;

	for (i = 1; i < SHARDS && q->shards[best].count > 0; i++)
		if (q->shards[i].count < q->shards[best].count)
			best = i;
	return best;
}

static void
rqueue_claim(struct rqueue *q, unsigned int count)
{
	char n[ARG_NUMBER_SIZE], largest[ARG_NUMBER_SIZE],
	    budget[ARG_NUMBER_SIZE];
	struct rbroker *b = q->broker;
	const struct slice args[] = {
	    arg_number(n, count), arg_number(largest, (int64_t)b->opt.max_task),
	    arg_number(budget, CLAIM_BYTES), slice_of(RBROKER_WITHDRAWN)};
	const unsigned int shard = choose_shard(q);
	const struct slice keys[] = {
	    slice_of(q->keys[KEY_WAITING]),   slice_of(q->keys[KEY_LEVELS]),
	    slice_of(q->shards[shard].key),   slice_of(q->keys[KEY_PAUSED]),
	    slice_of(q->keys[KEY_WITHDRAWN]), slice_of(q->keys[KEY_LANES])};
	const size_t n_lists = CLAIM_KEYS + q->levels.n;
	struct slice *all =
	    rlevels_join(&q->levels, q, keys, CLAIM_KEYS, q->lanes.n);
	size_t i;
	int sent = -1;

	for (i = 0; all != NULL && i < q->lanes.n; i++)
		all[n_lists + i] = slice_of(q->lanes.keys[i]);
	if (all != NULL)
		sent = rbroker_eval(b, SCRIPT_CLAIM, on_claimed, q,
				    n_lists + q->lanes.n, all, 4, args);
	free(all);
	if (sent != 0)
		return;
	q->content = RQUEUE_LOOKING;
	q->asked = count;
	q->asked_shard = shard;
}

/* --- BLMOVE ------------------------------------------------------------ */

/* Whether this task was found in flight before its BLMOVE reply came. */
static bool
already_adopted(struct rqueue *q, struct slice task)
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
take_moved(struct rqueue *q, const struct redis_reply *reply)
{
	enum redis_fault fault = redis_fault(reply);
	struct slice task = redis_reply_string(reply);

	if (rqueue_reply_lost(reply))
		return; /* pumped when the connection is back */
	if (fault == REDIS_FAULT_FULL) {
		/* The claim script may what BLMOVE may not. */
		rqueue_retry_later(q);
	} else if (fault != REDIS_FAULT_NONE) {
		rqueue_refused(q, "BLMOVE", reply);
	} else if (redis_reply_type(reply) == REDIS_STRING) {
		/* The look does away with what is too large, or withdrawn. */
		if (task.len > q->broker->opt.max_task ||
		    slice_eq(task, slice_of(RBROKER_WITHDRAWN)))
			rqueue_reconcile_shard(q, 0);
		else if (!already_adopted(q, task))
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

/* BLMOVE is over: hands over what it brought, if the queue is not paused. */
static void
conclude(struct rqueue *q, bool paused)
{
	struct rclaim *c = q->held;

	q->held = NULL;
	q->move = RQUEUE_MOVE_NONE;
	if (c != NULL && paused)
		rqueue_release(q, c);
	else if (c != NULL)
		rqueue_hand_over(c);
	rqueue_tell_quiet(q);
}

static void
on_moved(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;

	take_moved(q, reply);
	if (q->asked_rest)
		return;
	conclude(q, true); /* nobody knows */
	rqueue_pump(q);
}

/* This follows the BLMOVE's answer closely, usually in the same packet. */
static void
on_rest_told(struct redis *r, const struct redis_reply *reply, void *arg)
{
	const int64_t n = redis_reply_integer(reply);
	struct rqueue *q = arg;

	if ((n & 1) != 0)
		q->content = RQUEUE_MAYBE;
	conclude(q, redis_fault(reply) != REDIS_FAULT_NONE || (n & 2) != 0);
	rqueue_pump(q);
}

static void
wait_for_one(struct rqueue *q)
{
	const struct slice paused = slice_of(q->keys[KEY_PAUSED]);
	const struct slice waiting = slice_of(q->keys[KEY_WAITING]);
	const struct slice move[] = {
	    SLICE("BLMOVE"), waiting,	    slice_of(q->shards[0].key),
	    SLICE("RIGHT"),  SLICE("LEFT"), SLICE(BLOCK_S)};
	/* A key that is named twice counts twice: 1 says that there are others,
	 * 2 that the queue is paused, 3 both. */
	const struct slice rest[] = {SLICE("EXISTS"), waiting, paused, paused};

	if (redis_command_blocking(q->blocking, BLOCK_MS, on_moved, q, 6,
				   move) != 0)
		return;
	q->move = RQUEUE_MOVE_WAITS;
	q->asked_rest =
	    redis_command(q->blocking, on_rest_told, q, 4, rest) == 0;
}

static void
on_unblocked(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;

	q->unblocking = false;
	/* The order may have met the server before the BLMOVE did. */
	rqueue_pump(q);
}

/* Nothing is wanted for now: take the waiting BLMOVE back. */
static void
unblock(struct rqueue *q)
{
	char id[ARG_NUMBER_SIZE];
	const struct slice argv[] = {SLICE("CLIENT"), SLICE("UNBLOCK"),
				     arg_number(id, q->blocking_id)};

	if (redis_command(q->broker->redis, on_unblocked, q, 3, argv) == 0)
		q->unblocking = true;
}

static void
on_client_id(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;

	q->blocking_id = redis_reply_integer(reply);
}

void
rqueue_on_blocking_state(struct redis *r, enum redis_state state,
			 const struct err *why, void *arg)
{
	struct rqueue *q = arg;
	struct rbroker *b = q->broker;
	const struct slice argv[] = {SLICE("CLIENT"), SLICE("ID")};

	if (state == REDIS_REFUSED)
		b->opt.on_state(false, true, why, b->opt.arg);
	if (state != REDIS_UP)
		return;
	redis_command(r, on_client_id, q, 2, argv);
	/* What an answer that was lost has brought lies in shard 0. */
	if (q->phase == RQUEUE_READY)
		rqueue_reconcile_shard(q, 0);
	rqueue_pump(q);
}

/* --- the queue --------------------------------------------------------- */

void
rqueue_pump(struct rqueue *q)
{
	unsigned int want;

	if (q->phase != RQUEUE_READY ||
	    redis_state(q->broker->redis) != REDIS_UP)
		return;
	if (q->wanted == 0 || q->content == RQUEUE_PAUSED) {
		if (q->move == RQUEUE_MOVE_WAITS && !q->unblocking &&
		    q->blocking_id != 0)
			unblock(q);
		return;
	}
	/* One claim at a time: what is freed meanwhile makes the next larger.
	 */
	if (q->content == RQUEUE_MAYBE && q->asked == 0) {
		want = q->wanted < CLAIM_MAX ? q->wanted : CLAIM_MAX;
		rqueue_claim(q, want);
	} else if (q->content == RQUEUE_EMPTY && q->move == RQUEUE_MOVE_NONE &&
		   !q->unblocking && !q->shards[0].reconciling &&
		   !evtimer_pending(q->retry, NULL) &&
		   redis_state(q->blocking) == REDIS_UP) {
		wait_for_one(q);
	}
}

void
rbroker_want(struct broker *broker, unsigned int queue, unsigned int n)
{
	struct rqueue *q = &((struct rbroker *)broker)->queues[queue];

	q->wanted = n;
	rqueue_pump(q);
}

bool
rbroker_idle(const struct broker *broker)
{
	const struct rbroker *b = (const struct rbroker *)broker;
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		if (b->queues[i].asked > 0 ||
		    b->queues[i].move == RQUEUE_MOVE_WAITS)
			return false;
	return true;
}
