/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: ending claims.
 *
 * Every settlement begins by taking the task out of the in-flight list and does
 * nothing if it is not there, so it may be sent again after a lost reply: that
 * is what the outbox asks for. It also makes a worker harmless whose tasks
 * another has taken over: it settles nothing that is no longer its own.
 */
#include <stdlib.h>

#include "codec/task_json.h"
#include "store/redis/broker.h"
#include "store/redis/flow.h"
#include "store/redis/lanes.h"
#include "store/redis/levels.h"
#include "store/redis/limit.h"
#include "store/redis/ops.h"

/*
 * How LREM is to look for it: from the end that is nearer, as far as one can
 * tell without counting those between that have ended. Long tasks, of which
 * there may be thousands, stay behind at the tail; short ones end near the
 * head.
 */
static struct slice
direction(const struct rclaim *c)
{
	const struct shard *shard = &c->queue->shards[c->shard];

	if (shard->oldest != NULL &&
	    shard->serial - c->serial < c->serial - shard->oldest->serial)
		return SLICE("1");
	return SLICE("-1");
}

/* The only settlement that needs no script, and by far the most frequent. */
static int
send_ack(struct rclaim *c, struct broker_settle *s, struct rbroker *b,
	 redis_reply_fn *on_reply, void *arg)
{
	struct rqueue *q = c->queue;
	const struct slice argv[] = {SLICE("LREM"),
				     slice_of(q->shards[c->shard].key),
				     direction(c), c->pub.bytes};

	if (q->limited || task_unique_until(c->pub.bytes) == UNIQUE_END)
		return rlimit_ack(c, direction(c), on_reply, arg);
	return redis_command(b->redis, on_reply, arg, 4, argv);
}

/* A release puts the same bytes back, for at once; a retry other ones, for
 * later. */
static int
send_requeue(struct rclaim *c, struct broker_settle *s, struct rbroker *b,
	     redis_reply_fn *on_reply, void *arg)
{
	struct rqueue *q = c->queue;
	bool same = s->disposition == BROKER_RELEASE;
	char delay[ARG_NUMBER_SIZE], priority[ARG_NUMBER_SIZE];
	char *list = rqueue_level_key(q, s->priority);
	const struct slice keys[] = {
	    slice_of(q->shards[c->shard].key),
	    slice_of(list != NULL ? list : ""), slice_of(q->keys[KEY_LEVELS]),
	    slice_of(q->keys[KEY_DELAYED]), RLIMIT_WAKE_KEYS(q)};
	const struct slice args[] = {
	    c->pub.bytes,
	    same ? c->pub.bytes : s->retry_bytes,
	    arg_number(delay, same ? 0 : s->delay_ms),
	    arg_number(priority, s->priority),
	    slice_of(RBROKER_CONTROL),
	    slice_of(q->wake),
	    s == &q->releasing ? SLICE("") : slice_of(b->opt.worker)};
	int sent = -1;

	if (list != NULL)
		sent = rbroker_eval(b, SCRIPT_RELEASE, on_reply, arg, 10, keys,
				    7, args);
	free(list);
	return sent;
}

/* How many tasks lie before it, from the list's end. Those that leave have left
 * when the server comes to this. */
static int64_t
rclaim_place(const struct rclaim *c)
{
	const struct rclaim *before;
	int64_t n = 0;

	TAILQ_FOREACH (before, &c->queue->shards[c->shard].claims, link) {
		if (before == c)
			break;
		n += !before->leaving && !before->lost;
	}
	return n;
}

/*
 * The set orders the dead tasks by time; bytes and reason are in hashes by ID.
 */
static int
send_bury(struct rclaim *c, struct broker_settle *s, struct rbroker *b,
	  redis_reply_fn *on_reply, void *arg)
{
	struct rqueue *q = c->queue;
	const struct slice keys[] = {slice_of(q->shards[c->shard].key),
				     slice_of(q->keys[KEY_DEAD]),
				     slice_of(q->keys[KEY_DEAD_TASKS]),
				     slice_of(q->keys[KEY_DEAD_INFO]),
				     RLIMIT_WAKE_KEYS(q),
				     slice_of(q->keys[KEY_UNIQUES])};
	char whole[ARG_NUMBER_SIZE], place[ARG_NUMBER_SIZE];
	const struct slice args[] = {
	    c->pub.bytes,
	    s->id,
	    s->info,
	    s->salvaged ? SLICE("1") : SLICE("0"),
	    arg_number(whole, (int64_t)c->pub.whole),
	    arg_number(place, c->pub.whole > 0 ? rclaim_place(c) : 0),
	    slice_of(b->opt.worker),
	    slice_of(RBROKER_CONTROL),
	    slice_of(q->wake)};

	return rbroker_eval(b, SCRIPT_BURY, on_reply, arg, 11, keys, 9, args);
}

/* Who can run it is known where the lanes are: so the script decides. */
static int
send_set_aside(struct rclaim *c, struct broker_settle *s, struct rbroker *b,
	       redis_reply_fn *on_reply, void *arg)
{
	struct rqueue *q = c->queue;
	char delay[ARG_NUMBER_SIZE], priority[ARG_NUMBER_SIZE];
	char *lane = rqueue_lane_key(q, s->lane);
	const struct slice keys[] = {slice_of(q->shards[c->shard].key),
				     slice_of(lane ? lane : ""),
				     slice_of(q->keys[KEY_LANES]),
				     slice_of(q->keys[KEY_SERVED]),
				     slice_of(q->keys[KEY_DELAYED]),
				     slice_of(q->keys[KEY_UNKNOWN]),
				     RLIMIT_WAKE_KEYS(q)};
	const struct slice args[] = {c->pub.bytes,
				     s->retry_bytes,
				     arg_number(delay, s->delay_ms),
				     arg_number(priority, s->priority),
				     s->lane,
				     slice_of(RBROKER_CONTROL),
				     slice_of(q->wake),
				     slice_of(b->opt.worker)};
	int sent = -1;

	if (lane != NULL)
		sent = rbroker_eval(b, SCRIPT_SET_ASIDE, on_reply, arg, 12,
				    keys, 8, args);
	free(lane);
	return sent;
}

static int
send_settlement(struct pending *p, struct redis *r, redis_reply_fn *on_reply,
		void *reply_arg)
{
	static int (*const senders[])(struct rclaim *, struct broker_settle *,
				      struct rbroker *, redis_reply_fn *,
				      void *) = {
	    [BROKER_ACK] = send_ack,
	    [BROKER_RETRY] = send_requeue,
	    [BROKER_RELEASE] = send_requeue,
	    [BROKER_BURY] = send_bury,
	    [BROKER_SET_ASIDE] = send_set_aside,
	};
	struct broker_settle *s =
	    container_of(p, struct broker_settle, pending);
	struct rclaim *c = container_of(s->claim, struct rclaim, pub);
	int sent;

	if (rflow_settles(s))
		rflow_forget_key(c->queue, s);
	sent = senders[s->disposition](c, s, c->queue->broker, on_reply,
				       reply_arg);
	/* After it was sent: direction() counts it among those that stay. */
	rclaim_leave(c);
	return sent;
}

/*
 * The reply is not looked at. 0 says that the task was not there: an earlier
 * try was carried out and its reply lost, or another worker has taken it over.
 * Both end the claim.
 */
static void
settled(struct pending *p, const struct redis_reply *reply, void *arg)
{
	struct broker_settle *s =
	    container_of(p, struct broker_settle, pending);
	struct rclaim *c = container_of(s->claim, struct rclaim, pub);
	struct shard *shard = &c->queue->shards[c->shard];

	if (!c->leaving)
		rclaim_leave(c);
	TAILQ_REMOVE(&shard->claims, c, link);
	shard->count--;
	free(c);
	s->claim = NULL;
	s->on_done(s);
}

/* Those that follow a final record. */
static bool
settle_ends_task(const struct pending *p)
{
	const struct broker_settle *s =
	    container_of(p, const struct broker_settle, pending);

	return s->disposition == BROKER_ACK || s->disposition == BROKER_BURY;
}

void
rbroker_settle_anew(struct rbroker *b)
{
	outbox_end(&b->outbox, settle_ends_task);
}

static void
rsettle_on_trouble(const struct err *why, void *arg)
{
	struct rbroker *b = arg;

	b->opt.on_state(true, false, why, b->opt.arg);
}

const struct outbox_ops rbroker_settlements = {
    .send = send_settlement, .done = settled, .on_trouble = rsettle_on_trouble};

void
rbroker_settle(struct broker *broker, struct broker_settle *settle)
{
	struct rbroker *b = (struct rbroker *)broker;

	if (rflow_settles(settle))
		rflow_settle(b, settle);
	else
		outbox_add(&b->outbox, &settle->pending);
}

size_t
rbroker_unsettled(const struct broker *broker)
{
	const struct rbroker *b = (const struct rbroker *)broker;

	return b->outbox.count + b->flow.settling;
}
