/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: a step of a workflow has ended, and its claim is about to be
 * settled. First those that come after it are brought to their queues; the claim is
 * what leads here again if this process dies before.
 */
#include <stdlib.h>

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
settle_go_on(struct rbroker *owner, struct broker_settle *settle)
{
	owner->flow.settling--;
	settle_claim(settle)->ending = false;
	outbox_add(&owner->outbox, &settle->pending);
}

static void
settle_on_advanced(struct rflow_turn *t)
{
	struct rbroker *owner = t->owner;
	struct broker_settle *settle = t->settle;

	rflow_turn_free(t);
	settle_go_on(owner, settle);
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

/* Without memory it is left to housekeeping, which finds a final record. */
void
rflow_settle(struct rbroker *b, struct rbroker *owner,
	     struct broker_settle *settle)
{
	const struct slice args[] = {
	    settle->id, {&rflow_outcome_letters[settle->outcome], 1}};
	struct rflow_turn *t =
	    rflow_turn_new(b, settle->flow, SCRIPT_FLOW_ADVANCE, args, 2);

	owner->flow.settling++;
	settle_claim(settle)->ending = true;
	if (t == NULL) {
		settle_go_on(owner, settle);
		return;
	}
	t->insists = true;
	t->owner = owner;
	t->settle = settle;
	t->on_done = settle_on_advanced;
	rflow_turn_now(t);
}
