/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: taking tasks from one queue.
 *
 * While the queue may hold something (RQUEUE_MAYBE), the claim script takes as
 * many as are wanted. Once it came back with fewer, the queue waits for the next
 * (wait.c). While it is paused (RQUEUE_PAUSED) the script takes nothing; the end
 * of a pause is a wake order. A queue with limits has a script of its own
 * (limit.c).
 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "store/redis/lanes.h"
#include "store/redis/levels.h"
#include "store/redis/limit.h"
#include "store/redis/ops.h"
#include "store/redis/wait.h"
#include "util/clock.h"

/*
 * One claim. 512 tasks keep the executors busy while the next claim is on its
 * way, and are a short stop of the server; so are the bytes, which it copies
 * several times.
 */
#define CLAIM_MAX 512
#define CLAIM_BYTES (1u << 20)
/* What the script may read at once, before it knows how much that is: by what the
 * last tasks of the queue had. Small ones are taken by the hundred, and reading
 * them costs as much by each command as by each task. */
#define READ_BYTES (256u << 10)
#define READ_MAX 128
#define READ_FIRST 4
/* Of its script, before the lists of levels and the lanes. */
#define CLAIM_KEYS 9

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

void
rqueue_take_tasks(struct rqueue *q, const struct redis_reply *reply,
		  size_t from, size_t to)
{
	struct slice task;
	size_t i, size;

	if (from < to) {
		q->task_ms = clock_mono_ms();
		q->task_size = 0;
	}
	for (i = from; i < to; i++) {
		task = redis_reply_string(redis_reply_at(reply, i));
		size = task.len > 0 ? task.len : q->broker->opt.max_task;
		if (size > q->task_size)
			q->task_size = size;
		if (task.len == 0) {
			q->content = RQUEUE_MAYBE;
			rqueue_reconcile_shard(q, q->asked_shard);
		} else {
			rqueue_deliver(q, q->asked_shard, task, false);
		}
	}
}

/*
 * The script says what the queue held when it ran. News that came since it was
 * sent (a wake order, due tasks) may be of later, so they win over "nothing
 * left".
 */
static void
take_claimed(struct rqueue *q, const struct redis_reply *reply)
{
	size_t n, all;
	enum redis_fault fault = redis_fault(reply);
	bool more = false;
	unsigned int asked = q->asked;
	const bool news = q->content != RQUEUE_LOOKING;

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
	if (slice_eq(redis_reply_string(reply), SLICE("limited"))) {
		rlimit_begin(q);
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
	rqueue_take_tasks(q, reply, 0, n);
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

static unsigned int
rqueue_read_size(const struct rqueue *q)
{
	const size_t n =
	    q->task_size > 0 ? READ_BYTES / q->task_size : READ_FIRST;

	return n == 0 ? 1 : n < READ_MAX ? (unsigned int)n : READ_MAX;
}

static int
rqueue_claim_any(struct rqueue *q, unsigned int count, unsigned int shard)
{
	char n[ARG_NUMBER_SIZE], largest[ARG_NUMBER_SIZE],
	    budget[ARG_NUMBER_SIZE], read_size[ARG_NUMBER_SIZE];
	struct rbroker *b = q->broker;
	const struct slice args[] = {
	    arg_number(n, count), arg_number(largest, (int64_t)b->opt.max_task),
	    arg_number(budget, CLAIM_BYTES), slice_of(RBROKER_WITHDRAWN),
	    arg_number(read_size, rqueue_read_size(q))};
	const struct slice keys[] = {
	    slice_of(q->keys[KEY_WAITING]),   slice_of(q->keys[KEY_LEVELS]),
	    slice_of(q->shards[shard].key),   slice_of(q->keys[KEY_PAUSED]),
	    slice_of(q->keys[KEY_WITHDRAWN]), slice_of(q->keys[KEY_LANES]),
	    slice_of(q->keys[KEY_LIMITS]),    slice_of(q->keys[KEY_HELD]),
	    slice_of(q->keys[KEY_UNIQUES])};
	const size_t n_lists = CLAIM_KEYS + q->levels.n;
	struct slice *all =
	    rlevels_join(&q->levels, q, keys, CLAIM_KEYS, q->lanes.n);
	size_t i;
	int sent = -1;

	for (i = 0; all != NULL && i < q->lanes.n; i++)
		all[n_lists + i] = slice_of(q->lanes.keys[i]);
	if (all != NULL)
		sent = rbroker_eval(b, SCRIPT_CLAIM, on_claimed, q,
				    n_lists + q->lanes.n, all, 5, args);
	free(all);
	return sent;
}

static void
rqueue_claim(struct rqueue *q, unsigned int count)
{
	const unsigned int shard = choose_shard(q);

	if ((q->limited ? rlimit_claim : rqueue_claim_any)(q, count, shard) !=
	    0)
		return;
	q->content = RQUEUE_LOOKING;
	q->asked = count;
	q->asked_shard = shard;
}

/* --- the queue --------------------------------------------------------- */

void
rqueue_pump(struct rqueue *q)
{
	unsigned int want;

	if (q->phase != RQUEUE_READY || q->counting ||
	    q->broker->gather.holds ||
	    redis_state(q->broker->redis) != REDIS_UP)
		return;
	if (q->wanted == 0 || q->content == RQUEUE_PAUSED ||
	    q->content == RQUEUE_FULL) {
		rqueue_stop_waiting(q);
		return;
	}
	/* One claim at a time: what is freed meanwhile makes the next larger.
	 */
	if (q->content == RQUEUE_MAYBE && q->asked == 0) {
		want = q->wanted < CLAIM_MAX ? q->wanted : CLAIM_MAX;
		rqueue_claim(q, want);
	} else if (q->content == RQUEUE_EMPTY &&
		   !evtimer_pending(q->retry, NULL)) {
		rqueue_wait(q);
	}
}

unsigned int
rbroker_coming(const struct broker *broker, unsigned int queue)
{
	return ((const struct rbroker *)broker)->queues[queue].asked;
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
		    b->queues[i].move == RQUEUE_MOVE_WAITS ||
		    b->queues[i].move == RQUEUE_MOVE_FREES)
			return false;
	return true;
}
