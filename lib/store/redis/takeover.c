/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: taking over what dead workers had in flight.
 *
 * Workers are listed by the time of their last heartbeat, so that one question
 * tells who may be missing. Only the key of the heartbeat decides: who is listed,
 * but whose heartbeat is missing, is only suspected.
 * If it is still missing a heartbeat's life later, and our connection has not
 * broken in between, it is dead: had Redis been paused or the network slow, our
 * own connection would have noticed, or its heartbeat would have come back.
 *
 * A worker bumps its epoch, in each of its queues, with each heartbeat, and
 * when it comes back, before it looks at what it has in flight. We remember the
 * epoch from the time when the worker was first missed, and take nothing if it
 * has moved since; so it does no harm either if the server's clock is set and
 * heartbeats are gone too soon.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "util/clock.h"

/* Tasks a call. The rest follows at once. */
#define TAKE_MAX 100

/* Of those that are missing, this many are asked for in a second; it takes longer to
 * learn of the rest. */
#define ASK_MAX 50

/*
 * A listed worker whose heartbeat is missing. It is on the list from the first
 * answer that said so until it is seen again, taken over, or our own connection
 * breaks; an epoch, once noted, is never replaced by a later one.
 */
struct suspect {
	TAILQ_ENTRY(suspect) link;
	struct rbroker *broker;
	char *id;
	int64_t since_ms; /* monotonic */
	char *epochs[];	  /* of each queue; NULL: not known yet */
};

static void
rsuspect_free(struct suspect *m)
{
	unsigned int i;

	TAILQ_REMOVE(&m->broker->suspects, m, link);
	for (i = 0; i < m->broker->n_queues; i++)
		free(m->epochs[i]);
	free(m->id);
	free(m);
}

/* The time without a connection proves nothing about the others: Redis itself
 * may have been away, and their heartbeats with it. */
void
rbroker_forget_suspects(struct rbroker *b)
{
	struct suspect *m;

	while ((m = TAILQ_FIRST(&b->suspects)) != NULL)
		rsuspect_free(m);
}

static struct suspect *
rsuspect_find(struct rbroker *b, struct slice id)
{
	struct suspect *m;

	TAILQ_FOREACH (m, &b->suspects, link)
		if (slice_eq(slice_of(m->id), id))
			return m;
	return NULL;
}

/* --- taking over --------------------------------------------------------- */

/* A question about a worker, of one of our queues or of none. */
struct liveness_request {
	struct redis_request request;
	struct rbroker *broker;
	struct rqueue *queue;
	char *id;
	char *epoch;
};

static void
rliveness_free(struct liveness_request *a)
{
	free(a->id);
	free(a->epoch);
	free(a);
}

static void
rtakeover_drop(struct redis_request *request)
{
	rliveness_free(container_of(request, struct liveness_request, request));
}

/* NULL when memory runs out: it is asked again soon. */
static struct liveness_request *
rliveness_new(struct rbroker *b, struct rqueue *q, struct slice id,
	      const char *epoch)
{
	struct liveness_request *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->request = (struct redis_request){.queue = b->requests,
					    .drop = rtakeover_drop};
	a->broker = b;
	a->queue = q;
	a->id = strndup(id.p, id.len);
	a->epoch = epoch != NULL ? strdup(epoch) : NULL;
	if (a->id == NULL || (epoch != NULL && a->epoch == NULL)) {
		rliveness_free(a);
		return NULL;
	}
	return a;
}

static void rtakeover_take(struct liveness_request *a);

/* What was taken lies in shard 1 of our own list. */
static void
rtakeover_on_taken(struct redis_request *request,
		   const struct redis_reply *reply)
{
	struct liveness_request *a =
	    container_of(request, struct liveness_request, request);
	struct rqueue *q = a->queue;
	struct rbroker *b = a->broker;
	size_t i, n = redis_reply_count(reply);
	struct slice task;
	struct err what;

	/* After a lost reply, the look at our own list finds what was taken;
	 * anything else is tried again, a heartbeat's life later. */
	if (redis_fault(reply) != REDIS_FAULT_NONE || n == 0) {
		rliveness_free(a);
		return;
	}
	err_set(&what, ERR_UNAVAILABLE,
		"queue %s: worker %s is dead; this worker takes over %zu of "
		"its tasks",
		q->name, a->id, n);
	b->opt.on_state(true, false, &what, b->opt.arg);
	for (i = 0; i < n; i++) {
		task = redis_reply_string(redis_reply_at(reply, i));
		if (task.len > 0)
			rqueue_deliver(q, 1, task, true);
		else
			rqueue_reconcile_shard(q, 1);
	}
	rtakeover_take(a);
}

/*
 * Takes a stretch, until there is none; `a` is freed in the end. Our own epoch is
 * raised first, for who takes is alive: else two workers whose heartbeats are both
 * missing would take each other's tasks, and those that they have just taken, again
 * and again.
 */
static void
rtakeover_take(struct liveness_request *a)
{
	struct rqueue *q = a->queue;
	char most[ARG_NUMBER_SIZE], largest[ARG_NUMBER_SIZE],
	    life[ARG_NUMBER_SIZE], bytes[ARG_NUMBER_SIZE];
	const struct slice args[] = {
	    slice_of(a->epoch),
	    arg_number(most, TAKE_MAX),
	    arg_number(largest, (int64_t)q->broker->opt.max_task),
	    slice_of(RBROKER_WITHDRAWN),
	    arg_number(life, RQUEUE_MARK_TTL_S),
	    arg_number(bytes, RTAKEOVER_BYTES)};
	struct slice keys[4 + SHARDS];
	char *names[2 + SHARDS] = {rqueue_epoch_key(q, a->id),
				   rqueue_mark_key(q, a->id)};
	bool ok = names[0] != NULL && names[1] != NULL;
	unsigned int i;

	for (i = 0; i < SHARDS; i++)
		ok = (names[2 + i] = rqueue_shard_key(q, a->id, i)) != NULL &&
		     ok;
	if (ok) {
		rqueue_bump_epoch(q);
		keys[0] = slice_of(names[0]);
		keys[1] = slice_of(names[1]);
		keys[2] = slice_of(q->shards[1].key);
		keys[3] = slice_of(q->keys[KEY_RUNNING]);
		for (i = 0; i < SHARDS; i++)
			keys[4 + i] = slice_of(names[2 + i]);
		a->request.on_reply = rtakeover_on_taken;
		ok = redis_request_eval(
			 &a->request, &a->broker->scripts[SCRIPT_TAKEOVER],
			 REDIS_ARGS(keys), REDIS_ARGS(args)) == 0;
	}
	if (!ok)
		rliveness_free(a);
	for (i = 0; i < 2 + SHARDS; i++)
		free(names[i]);
}

/* All queues of this worker; those that the dead one had and we have not are
 * for the workers that have them. */
static void
rtakeover_start(struct suspect *m)
{
	struct rbroker *b = m->broker;
	struct liveness_request *a;
	unsigned int i;

	/* A queue whose epoch was never answered, or whose own list has not been
	 * read, is left for the next time: what is taken lands in that list. */
	for (i = 0; i < b->n_queues; i++)
		if (m->epochs[i] != NULL &&
		    b->queues[i].phase == RQUEUE_READY &&
		    (a = rliveness_new(b, &b->queues[i], slice_of(m->id),
				       m->epochs[i])) != NULL)
			rtakeover_take(a);
}

/* --- who is missing ------------------------------------------------------ */

/* No epoch counts as an empty one: the worker died before it had counted. */
static void
rtakeover_on_epoch(struct redis_request *request,
		   const struct redis_reply *reply)
{
	struct liveness_request *a =
	    container_of(request, struct liveness_request, request);
	struct suspect *m = rsuspect_find(a->broker, slice_of(a->id));
	struct slice epoch = redis_reply_string(reply);

	if (redis_fault(reply) == REDIS_FAULT_NONE && m != NULL &&
	    m->epochs[a->queue->index] == NULL)
		m->epochs[a->queue->index] =
		    strndup(epoch.p != NULL ? epoch.p : "", epoch.len);
	rliveness_free(a);
}

/* When memory or the connection fails, the queue stays without an epoch and is
 * not taken over this time. */
static void
rtakeover_ask_epoch(struct rqueue *q, const struct suspect *m)
{
	struct liveness_request *a =
	    rliveness_new(q->broker, q, slice_of(m->id), NULL);
	char *key = rqueue_epoch_key(q, m->id);
	const struct slice argv[] = {SLICE("GET"),
				     slice_of(key != NULL ? key : "")};

	if (a != NULL) {
		a->request.on_reply = rtakeover_on_epoch;
		if (key == NULL ||
		    redis_request_command(&a->request, REDIS_ARGS(argv)) != 0)
			rliveness_free(a);
	}
	free(key);
}

/* Without memory the worker is not suspected: a second later it is missed
 * again. */
static void
rsuspect_new(struct rbroker *b, struct slice id)
{
	struct suspect *m =
	    calloc(1, sizeof(*m) + b->n_queues * sizeof(m->epochs[0]));
	unsigned int i;

	if (m == NULL)
		return;
	m->broker = b;
	m->since_ms = clock_mono_ms();
	if ((m->id = strndup(id.p, id.len)) == NULL) {
		free(m);
		return;
	}
	TAILQ_INSERT_TAIL(&b->suspects, m, link);
	/* At once: an epoch that is asked for later would hide that the worker
	 * came back in between. */
	for (i = 0; i < b->n_queues; i++)
		rtakeover_ask_epoch(&b->queues[i], m);
}

/* Only the key of the heartbeat decides; the list is a hint of whom to ask. A
 * lost reply changes nothing. */
static void
rtakeover_on_alive(struct redis_request *request,
		   const struct redis_reply *reply)
{
	struct liveness_request *a =
	    container_of(request, struct liveness_request, request);
	struct rbroker *b = a->broker;
	struct suspect *m = rsuspect_find(b, slice_of(a->id));

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		rliveness_free(a);
		return;
	}
	if (redis_reply_integer(reply) != 0) {
		if (m != NULL)
			rsuspect_free(m);
	} else if (m == NULL) {
		rsuspect_new(b, slice_of(a->id));
	} else if (clock_mono_ms() - m->since_ms >=
		   BROKER_HEARTBEAT_TTL_S * 1000) {
		rtakeover_start(m);
		/* If it did come back, it may be missed once more. */
		rsuspect_free(m);
	}
	rliveness_free(a);
}

static void
rtakeover_ask_alive(struct rbroker *b, struct slice id)
{
	struct liveness_request *a = rliveness_new(b, NULL, id, NULL);
	struct buf key = BUF_INIT;
	struct slice argv[] = {SLICE("EXISTS"), {NULL, 0}};

	buf_adds(&key, b->worker_prefix);
	buf_add(&key, id.p, id.len);
	argv[1] = (struct slice){key.data, key.len};
	if (a != NULL) {
		a->request.on_reply = rtakeover_on_alive;
		if (key.failed ||
		    redis_request_command(&a->request, REDIS_ARGS(argv)) != 0)
			rliveness_free(a);
	}
	buf_done(&key);
}

/* The suspects are asked for in any case. */
static void
rtakeover_on_missing(struct redis *r, const struct redis_reply *reply,
		     void *arg)
{
	struct rbroker *b = arg;
	struct slice id;
	size_t i;

	if (redis_fault(reply) != REDIS_FAULT_NONE)
		return;
	b->long_missed = redis_reply_integer(redis_reply_at(reply, 0));
	for (i = 1; i < redis_reply_count(reply); i++) {
		id = redis_reply_string(redis_reply_at(reply, i));
		if (id.p != NULL && rsuspect_find(b, id) == NULL &&
		    !slice_eq(id, slice_of(b->opt.worker)))
			rtakeover_ask_alive(b, id);
	}
}

/* What this costs depends on how many have died, not on how many there are. */
void
rbroker_check_liveness(struct rbroker *b)
{
	char life[ARG_NUMBER_SIZE], most[ARG_NUMBER_SIZE],
	    start[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(b->workers_key)};
	const struct slice args[] = {
	    arg_number(life, BROKER_HEARTBEAT_TTL_S * 1000),
	    arg_number(most, ASK_MAX), arg_number(start, b->long_missed)};
	const struct suspect *m;

	TAILQ_FOREACH (m, &b->suspects, link)
		rtakeover_ask_alive(b, slice_of(m->id));
	rbroker_eval(b, SCRIPT_MISSING, rtakeover_on_missing, b, 1, keys, 3,
		     args);
}
