/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: whether tasks that may be lost are anywhere. Those of one queue
 * go to lost.lua together, which reads all places of the queue: at first without
 * their names, which it tells. A queue with more in it than can be read in one step
 * is left: its records are looked at again in the next round.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/lost.h"
#include "store/results.h"

/* Records in one call. */
#define LOST_BATCH 500
/* What one call reads of a queue: it takes the server some 10 ms. */
#define LOST_TASKS "3000"
#define LOST_BYTES "524288"
/* Of workers, each of which has a list in as many parts as it has shards. */
#define LOST_WORKERS 200
/* How often in a row the names of a queue's lists may have changed. */
#define LOST_TRIES 3

void
rlost_drop_lists(struct rlost *l)
{
	buf_reset(&l->lists);
	l->n_lists = l->tries = 0;
}

size_t
rlost_choose(struct rlost *l)
{
	const struct rlost_case *first = NULL;
	struct rlost_case *c;
	size_t n = 0;

	for (c = l->cases; c < l->cases + l->n_cases; c++) {
		c->asked =
		    !c->settled && n < LOST_BATCH &&
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

/* An array of names, each with what stands before and behind it in its key. */
static void
rlost_add_lists(struct rlost *l, const char *queue, const char *kind,
		const struct redis_reply *names, unsigned int shards)
{
	struct slice name;
	unsigned int shard;
	size_t i;

	for (i = 0; i < redis_reply_count(names); i++)
		for (shard = 0; shard < shards; shard++) {
			name = redis_reply_string(redis_reply_at(names, i));
			buf_addf(&l->lists, "{%s}:%s:%.*s", queue, kind,
				 (int)name.len, name.p != NULL ? name.p : "");
			if (shard > 0)
				buf_addf(&l->lists, "#%u", shard);
			buf_addc(&l->lists, '\0');
			l->n_lists++;
		}
}

/* Whether it may be asked again, with these. */
static bool
rlost_learn_lists(struct rbroker *b, const struct redis_reply *told)
{
	struct rlost *l = &b->lost;
	const struct redis_reply *workers = redis_reply_at(told, 2);
	const unsigned int tries = l->tries + 1;
	struct buf queue = BUF_INIT;

	rlost_drop_lists(l);
	l->tries = tries;
	if (tries > LOST_TRIES || redis_reply_count(workers) > LOST_WORKERS)
		return false;
	buf_addf(&queue, "%s:%s", b->queue_key, l->asked->queue);
	buf_addc(&queue, '\0');
	if (!queue.failed) {
		rlost_add_lists(l, queue.data, "p", redis_reply_at(told, 0), 1);
		rlost_add_lists(l, queue.data, "lane", redis_reply_at(told, 1),
				1);
		rlost_add_lists(l, queue.data, "inflight", workers, SHARDS);
	}
	buf_done(&queue);
	return !queue.failed && !l->lists.failed;
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
		if (redis_reply_integer(redis_reply_at(reply, i++)) != 1)
			continue;
		if (l->taken > 0)
			c->gone = true;
		else
			lost_add(&l->suspects, slice_of(rlost_id(l, c)),
				 c->digest);
	}
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
	if (redis_reply_type(redis_reply_at(reply, 0)) == REDIS_ARRAY &&
	    rlost_learn_lists(b, reply)) {
		rlost_next(b);
		return;
	}
	if (redis_reply_type(redis_reply_at(reply, 0)) == REDIS_INTEGER)
		rlost_take_answers(l, reply);
	rlost_drop_lists(l);
	for (c = l->cases; c < l->cases + l->n_cases; c++)
		c->settled = c->settled || c->asked;
	rlost_next(b);
}

#define LOST_KEYS 7
#define LOST_ARGS 2

static int
rlost_ask(struct rbroker *b, const struct rqueue *q, size_t n)
{
	struct rlost *l = &b->lost;
	const struct rlost_case *c;
	struct buf workers = BUF_INIT;
	const struct slice head[LOST_KEYS] = {
	    slice_of(q->keys[KEY_WAITING]), slice_of(q->keys[KEY_LEVELS]),
	    slice_of(q->keys[KEY_DELAYED]), slice_of(q->keys[KEY_DEAD]),
	    slice_of(q->keys[KEY_LANES]),   rqueue_add_workers(&workers, q),
	    slice_of(q->keys[KEY_LEAVING])};
	const size_t n_keys = LOST_KEYS + l->n_lists;
	struct slice *all = calloc(n_keys + LOST_ARGS + n, sizeof(*all));
	struct slice *at = all;
	const char *p = l->lists.data;
	int sent = -1;
	size_t i;

	if (all != NULL && !workers.failed) {
		at = mempcpy(at, head, sizeof(head));
		for (i = 0; i < l->n_lists; i++, p += strlen(p) + 1)
			*at++ = slice_of(p);
		*at++ = SLICE(LOST_TASKS);
		*at++ = SLICE(LOST_BYTES);
		for (c = l->cases; c < l->cases + l->n_cases; c++)
			if (c->asked)
				*at++ = slice_of(rlost_id(l, c));
		b->tidy.request.on_reply = rlost_on_checked;
		sent = redis_request_eval(
		    &b->tidy.request, &b->scripts[SCRIPT_LOST],
		    (struct redis_args){all, n_keys},
		    (struct redis_args){all + n_keys, LOST_ARGS + n});
	}
	buf_done(&workers);
	free(all);
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
