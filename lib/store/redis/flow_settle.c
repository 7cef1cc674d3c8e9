/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: a step of a workflow has ended, and its claim is about to be
 * settled. First those that come after it are brought to their queues; the claim is
 * what leads here again if this process dies before.
 */
#include <event2/event.h>

#include "store/redis/flow.h"
#include "store/redis/ops.h"

bool
rflow_settles(const struct broker_settle *settle)
{
	return settle->flow.len > 0 && settle->id.len > 0 &&
	       (settle->disposition == BROKER_ACK ||
		settle->disposition == BROKER_BURY);
}

static struct rclaim *
settle_claim(const struct broker_settle *settle)
{
	return container_of(settle->claim, struct rclaim, pub);
}

static void
settle_go_on(struct broker_settle *settle)
{
	struct rclaim *claim = settle_claim(settle);
	struct rbroker *owner = claim->queue->broker;

	owner->flow.settling--;
	claim->ending = false;
	outbox_add(&owner->outbox, &settle->pending);
}

static void
settle_on_advanced(struct rflow_turn *t)
{
	struct pending_list ends = TAILQ_HEAD_INITIALIZER(ends);
	struct pending *p;

	TAILQ_CONCAT(&ends, &t->ends, link);
	rflow_turn_free(t);
	while ((p = TAILQ_FIRST(&ends)) != NULL) {
		TAILQ_REMOVE(&ends, p, link);
		settle_go_on(container_of(p, struct broker_settle, pending));
	}
}

/* For so long somebody may still send what `out` said before its end. */
#define FORGET_S 600

void
rflow_forget_key(const struct rqueue *q, const struct broker_settle *settle)
{
	struct buf key = BUF_INIT;
	char life[ARG_NUMBER_SIZE];
	struct slice argv[3] = {
	    SLICE("EXPIRE"), {NULL, 0}, arg_number(life, FORGET_S)};

	buf_addf(&key, "{%s}:unique:", q->keys[KEY_WAITING]);
	rflow_unique(&key, settle->flow, settle->id, 0);
	argv[1] = (struct slice){key.data, key.len};
	if (!key.failed)
		redis_command(q->broker->redis, NULL, NULL, 3, argv);
	buf_done(&key);
}

/* --- ends of a turn ----------------------------------------------------------- */

/* Of so many workflows at once: each end is looked for among them. */
#define GATHERING_MAX 64

static struct rflow_turn *
gather_find(struct rbroker *b, const struct broker_settle *settle)
{
	const struct rqueue *q = settle_claim(settle)->queue;
	struct rflow_turn *t;

	TAILQ_FOREACH (t, &b->flow.gathering, link)
		if (t->queue == q && slice_eq(slice_of(t->flow), settle->flow))
			return t;
	return NULL;
}

/* Where the home and the queue may be in one call, what needs no more than to be
 * pushed goes to that queue at once. */
static struct rflow_turn *
gather_new(struct rbroker *b, const struct broker_settle *settle)
{
	const struct rqueue *q = settle_claim(settle)->queue;
	const struct slice name =
	    b->flow.together ? slice_of(q->name) : SLICE("");
	struct rflow_turn *t =
	    rflow_turn_new(b, settle->flow, SCRIPT_FLOW_ADVANCE, &name, 1);

	if (t == NULL)
		return NULL;
	if (name.len > 0)
		t->home.keys[t->home.n_keys++] = slice_of(q->keys[KEY_WAITING]);
	t->insists = true;
	t->queue = q;
	t->on_done = settle_on_advanced;
	TAILQ_INSERT_TAIL(&b->flow.gathering, t, link);
	b->flow.n_gathering++;
	event_active(b->flow.flush, EV_TIMEOUT, 0);
	return t;
}

static void
gather_send(struct rbroker *b, struct rflow_turn *t)
{
	TAILQ_REMOVE(&b->flow.gathering, t, link);
	b->flow.n_gathering--;
	rflow_turn_now(t);
}

void
rflow_on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct rbroker *b = arg;
	struct rflow_turn *t;

	while ((t = TAILQ_FIRST(&b->flow.gathering)) != NULL)
		gather_send(b, t);
}

/* Without memory it is left to housekeeping, which finds a final record. */
void
rflow_settle(struct rbroker *b, struct broker_settle *settle)
{
	struct rclaim *claim = settle_claim(settle);
	struct rflow_turn *t = gather_find(b, settle);

	claim->queue->broker->flow.settling++;
	claim->ending = true;
	if (t == NULL && (t = gather_new(b, settle)) == NULL) {
		settle_go_on(settle);
		return;
	}
	TAILQ_INSERT_TAIL(&t->ends, &settle->pending, link);
	if (++t->n_ends == RFLOW_ENDS_MAX)
		gather_send(b, t);
	else if (b->flow.n_gathering > GATHERING_MAX)
		gather_send(b, TAILQ_FIRST(&b->flow.gathering));
}
