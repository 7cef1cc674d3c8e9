/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: taking over what dead workers had in flight.
 *
 * A worker that is listed, but whose heartbeat is missing, is only suspected.
 * If it is still missing a heartbeat's life later, and our connection has not
 * broken in between, it is dead: had Redis been paused or the network slow, our
 * own connection would have noticed, or its heartbeat would have come back.
 *
 * A worker raises its fence, in each of its queues, with each heartbeat, and
 * when it comes back, before it looks at what it has in flight. We remember the
 * fence from the time when the worker was first missed, and take nothing if it
 * has moved since; so it does no harm either if the server's clock is set and
 * heartbeats are gone too soon.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "util/clock.h"

#define TAKE_MAX 100

/* A listed worker whose heartbeat is missing. */
struct missing {
	TAILQ_ENTRY(missing) link;
	struct rbroker *broker;
	char *id;
	int64_t since_ms; /* monotonic */
	char *fences[];	  /* of each queue; NULL: not known yet */
};

static void
forget(struct missing *m)
{
	unsigned int i;

	TAILQ_REMOVE(&m->broker->missing, m, link);
	for (i = 0; i < m->broker->n_queues; i++)
		free(m->fences[i]);
	free(m->id);
	free(m);
}

void
rbroker_forget_missing(struct rbroker *b)
{
	struct missing *m;

	while ((m = TAILQ_FIRST(&b->missing)) != NULL)
		forget(m);
}

static struct missing *
find(struct rbroker *b, struct slice id)
{
	struct missing *m;

	TAILQ_FOREACH (m, &b->missing, link)
		if (slice_eq(slice_of(m->id), id))
			return m;
	return NULL;
}

/* --- taking over --------------------------------------------------------- */

/* A question about a worker, of one of our queues or of none. */
struct asking {
	struct redis_request request;
	struct rbroker *broker;
	struct rqueue *queue;
	char *id;
	char *fence;
};

static void
asking_free(struct asking *a)
{
	free(a->id);
	free(a->fence);
	free(a);
}

static void
drop(struct redis_request *request)
{
	asking_free(container_of(request, struct asking, request));
}

/* NULL when memory runs out: it is asked again soon. */
static struct asking *
asking_new(struct rbroker *b, struct rqueue *q, struct slice id,
	   const char *fence)
{
	struct asking *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->request = (struct redis_request){.queue = b->requests, .drop = drop};
	a->broker = b;
	a->queue = q;
	a->id = strndup(id.p, id.len);
	a->fence = fence != NULL ? strdup(fence) : NULL;
	if (a->id == NULL || (fence != NULL && a->fence == NULL)) {
		asking_free(a);
		return NULL;
	}
	return a;
}

static void take(struct asking *a);

/* What was taken lies in part 1 of our own list. */
static void
on_taken(struct redis_request *request, const struct redis_reply *reply)
{
	struct asking *a = container_of(request, struct asking, request);
	struct rqueue *q = a->queue;
	struct rbroker *b = a->broker;
	size_t i, n = redis_reply_count(reply);
	struct slice task;
	struct err what;

	/* After a lost reply, the look at our own list finds what was taken;
	 * anything else is tried again, a heartbeat's life later. */
	if (redis_fault(reply) != REDIS_FAULT_NONE || n == 0) {
		asking_free(a);
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
			rqueue_look(q, 1);
	}
	if (n == TAKE_MAX)
		take(a);
	else
		asking_free(a);
}

/* Takes a stretch; `a` is freed in the end. */
static void
take(struct asking *a)
{
	struct rqueue *q = a->queue;
	char most[ARG_NUMBER_SIZE], largest[ARG_NUMBER_SIZE];
	const struct slice args[] = {
	    slice_of(a->fence), arg_number(most, TAKE_MAX),
	    arg_number(largest, (int64_t)q->broker->opt.max_task),
	    slice_of(RBROKER_WITHDRAWN)};
	struct slice keys[2 + PARTS];
	char *names[1 + PARTS] = {rqueue_fence_key(q, a->id)};
	bool ok = names[0] != NULL;
	unsigned int i;

	for (i = 0; i < PARTS; i++)
		ok =
		    (names[1 + i] = rqueue_part_key(q, a->id, i)) != NULL && ok;
	if (ok) {
		keys[0] = slice_of(names[0]);
		keys[1] = slice_of(q->parts[1].key);
		for (i = 0; i < PARTS; i++)
			keys[2 + i] = slice_of(names[1 + i]);
		a->request.on_reply = on_taken;
		ok = redis_request_eval(
			 &a->request, &a->broker->scripts[SCRIPT_TAKEOVER],
			 REDIS_ARGS(keys), REDIS_ARGS(args)) == 0;
	}
	if (!ok)
		asking_free(a);
	for (i = 0; i <= PARTS; i++)
		free(names[i]);
}

static void
take_over(struct missing *m)
{
	struct rbroker *b = m->broker;
	struct asking *a;
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		if (m->fences[i] != NULL && b->queues[i].recovered &&
		    (a = asking_new(b, &b->queues[i], slice_of(m->id),
				    m->fences[i])) != NULL)
			take(a);
}

/* --- who is missing ------------------------------------------------------ */

static void
on_fence(struct redis_request *request, const struct redis_reply *reply)
{
	struct asking *a = container_of(request, struct asking, request);
	struct missing *m = find(a->broker, slice_of(a->id));
	struct slice fence = redis_reply_string(reply);

	if (redis_fault(reply) == REDIS_FAULT_NONE && m != NULL &&
	    m->fences[a->queue->index] == NULL)
		m->fences[a->queue->index] =
		    strndup(fence.p != NULL ? fence.p : "", fence.len);
	asking_free(a);
}

static void
ask_fence(struct rqueue *q, const struct missing *m)
{
	struct asking *a = asking_new(q->broker, q, slice_of(m->id), NULL);
	char *key = rqueue_fence_key(q, m->id);
	const struct slice argv[] = {SLICE("GET"),
				     slice_of(key != NULL ? key : "")};

	if (a != NULL) {
		a->request.on_reply = on_fence;
		if (key == NULL ||
		    redis_request_command(&a->request, REDIS_ARGS(argv)) != 0)
			asking_free(a);
	}
	free(key);
}

static void
first_missed(struct rbroker *b, struct slice id)
{
	struct missing *m =
	    calloc(1, sizeof(*m) + b->n_queues * sizeof(m->fences[0]));
	unsigned int i;

	if (m == NULL)
		return;
	m->broker = b;
	m->since_ms = clock_mono_ms();
	if ((m->id = strndup(id.p, id.len)) == NULL) {
		free(m);
		return;
	}
	TAILQ_INSERT_TAIL(&b->missing, m, link);
	for (i = 0; i < b->n_queues; i++)
		ask_fence(&b->queues[i], m);
}

static void
on_alive(struct redis_request *request, const struct redis_reply *reply)
{
	struct asking *a = container_of(request, struct asking, request);
	struct rbroker *b = a->broker;
	struct missing *m = find(b, slice_of(a->id));

	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		asking_free(a);
		return;
	}
	if (redis_reply_integer(reply) != 0) {
		if (m != NULL)
			forget(m);
	} else if (m == NULL) {
		first_missed(b, slice_of(a->id));
	} else if (clock_mono_ms() - m->since_ms >= BROKER_LIFE_S * 1000) {
		take_over(m);
		/* If it did come back, it may be missed once more. */
		forget(m);
	}
	asking_free(a);
}

static void
ask_alive(struct rbroker *b, struct slice id)
{
	struct asking *a = asking_new(b, NULL, id, NULL);
	struct buf key = BUF_INIT;
	struct slice argv[] = {SLICE("EXISTS"), {NULL, 0}};

	buf_adds(&key, RBROKER_WORKER);
	buf_add(&key, id.p, id.len);
	argv[1] = (struct slice){key.data, key.len};
	if (a != NULL) {
		a->request.on_reply = on_alive;
		if (key.failed ||
		    redis_request_command(&a->request, REDIS_ARGS(argv)) != 0)
			asking_free(a);
	}
	buf_done(&key);
}

static void
on_list(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rbroker *b = arg;
	struct slice id;
	size_t i;

	for (i = 0; i < redis_reply_count(reply); i++) {
		id = redis_reply_string(redis_reply_at(reply, i));
		if (id.p != NULL && !slice_eq(id, slice_of(b->opt.worker)))
			ask_alive(b, id);
	}
}

void
rbroker_look_around(struct rbroker *b)
{
	const struct slice list[] = {SLICE("ZRANGE"), slice_of(RBROKER_WORKERS),
				     SLICE("0"), SLICE("-1")};

	redis_command(b->redis, on_list, b, 4, list);
}
