/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: whether tasks that may be lost are anywhere. Those of one queue
 * are asked about together (places.h). A queue with more in it than can be read in one
 * step is left: its records are looked at again in the next round.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/lost.h"
#include "store/redis/places.h"

size_t
rlost_choose(struct rlost *l)
{
	const struct rlost_case *first = NULL;
	struct rlost_case *c;
	size_t n = 0;

	for (c = l->cases; c < l->cases + l->n_cases; c++) {
		c->asked =
		    !c->settled && n < RPLACES_BATCH &&
		    (first == NULL || strcmp(c->queue, first->queue) == 0);
		if (!c->asked)
			continue;
		if (first == NULL)
			first = c;
		n++;
	}
	l->asked = first;
	return n;
}

/* Those of the call that are nowhere: suspects, or they end. */
static void
rlost_take_answers(struct rlost *l, const struct redis_reply *reply)
{
	struct rlost_case *c;
	size_t i = 0;

	for (c = l->cases; c < l->cases + l->n_cases; c++) {
		if (!c->asked)
			continue;
		if (!rplaces_is_missing(reply, i++))
			continue;
		if (l->taken > 0)
			c->gone = true;
		else
			lost_add(&l->suspects, slice_of(rlost_id(l, c)),
				 c->digest);
	}
}

/* Whether the queue is asked once more. */
static bool
rlost_learn(struct rbroker *b, const struct redis_reply *reply)
{
	struct rqueue q;
	bool again = false;

	if (rqueue_init(&q, b, b->lost.asked->queue, 0) == 0) {
		again = rplaces_learn(&b->lost.places, &q, reply);
		rqueue_done(&q);
	}
	return again;
}

static void
rlost_on_checked(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	struct rlost *l = &b->lost;
	const enum redis_fault fault = redis_fault(reply);
	struct rlost_case *c;

	/* Keys of the wrong type are one queue's trouble. */
	if (fault != REDIS_FAULT_NONE && fault != REDIS_FAULT_OTHER) {
		rlost_end(b);
		return;
	}
	if (rlost_learn(b, reply)) {
		rlost_next(b);
		return;
	}
	rlost_take_answers(l, reply);
	rplaces_forget(&l->places);
	for (c = l->cases; c < l->cases + l->n_cases; c++)
		c->settled = c->settled || c->asked;
	rlost_next(b);
}

static int
rlost_ask(struct rbroker *b, const struct rqueue *q, size_t n)
{
	struct rlost *l = &b->lost;
	struct slice *ids = calloc(n, sizeof(*ids));
	const struct rlost_case *c;
	struct rplaces_call call;
	size_t i = 0;
	int sent = -1;

	if (ids == NULL)
		return -1;
	for (c = l->cases; c < l->cases + l->n_cases; c++)
		if (c->asked)
			ids[i++] = slice_of(rlost_id(l, c));
	b->tidy.request.on_reply = rlost_on_checked;
	if (rplaces_call_init(&call, &l->places, q, ids, n) == 0)
		sent = redis_request_eval(&b->tidy.request,
					  &b->scripts[SCRIPT_LOST], call.keys,
					  call.args);
	rplaces_call_done(&call);
	free(ids);
	return sent;
}

int
rlost_check(struct rbroker *b, size_t n)
{
	struct rqueue q;
	int sent;

	if (rqueue_init(&q, b, b->lost.asked->queue, 0) != 0)
		return -1;
	sent = rlost_ask(b, &q, n);
	rqueue_done(&q);
	return sent;
}
