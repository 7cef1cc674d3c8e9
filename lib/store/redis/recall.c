/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks that were put back since no living worker had their
 * name, as one has now.
 *
 * serve.lua, which comes with each heartbeat, finds such names; here they are
 * searched for, call by call, between which the server does other things. The
 * place where the next call goes on is a score, and how many of it were passed:
 * what lies before it, and comes or goes, moves nothing. A name stays unknown
 * until the last call: should this worker die before, the next heartbeat of
 * another one begins from the start, and finds due what was made due.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "store/redis/lanes.h"

/* Tasks that one call looks at, and their bytes, which are copied. */
#define RECALL_MAX 200
#define RECALL_BYTES (256u << 10)
/* More names than are kept are not ours (set_aside.lua). */
#define RECALL_NAMES 100
/* A score as the server writes it. */
#define SCORE_SIZE 40

enum recall_answer { RECALL_MOVED, RECALL_BEGAN, RECALL_SCORE, RECALL_PASSED };

struct recall {
	struct redis_request request;
	struct rqueue *queue;
	char began[SCORE_SIZE], score[SCORE_SIZE];
	int64_t passed;
	struct buf names; /* each with a NUL behind it */
	size_t n_names;
};

static void
recall_free(struct redis_request *request)
{
	struct recall *r = container_of(request, struct recall, request);

	r->queue->recalling = false;
	buf_done(&r->names);
	free(r);
}

static int
recall_send(struct recall *r)
{
	struct rqueue *q = r->queue;
	const struct slice keys[] = {slice_of(q->keys[KEY_DELAYED]),
				     slice_of(q->keys[KEY_UNKNOWN]),
				     slice_of(q->keys[KEY_SERVED])};
	char passed[ARG_NUMBER_SIZE], within[ARG_NUMBER_SIZE],
	    most[ARG_NUMBER_SIZE], bytes[ARG_NUMBER_SIZE];
	struct slice args[6 + RECALL_NAMES] = {
	    slice_of(r->began),
	    slice_of(r->score),
	    arg_number(passed, r->passed),
	    arg_number(within, BROKER_ASIDE_MAX_MS),
	    arg_number(most, RECALL_MAX),
	    arg_number(bytes, RECALL_BYTES)};
	const char *name = r->names.data;
	size_t i;

	for (i = 0; i < r->n_names; i++, name += strlen(name) + 1)
		args[6 + i] = slice_of(name);
	return redis_request_eval(
	    &r->request, &q->broker->scripts[SCRIPT_RECALL], REDIS_ARGS(keys),
	    (struct redis_args){args, 6 + r->n_names});
}

static bool
recall_copy(char out[SCORE_SIZE], const struct redis_reply *reply)
{
	const struct slice text = redis_reply_string(reply);

	if (text.p == NULL || text.len >= SCORE_SIZE)
		return false;
	memcpy(out, text.p, text.len);
	out[text.len] = '\0';
	return true;
}

/* Where it goes on; false: it has ended, or the answer is none of ours, as one is
 * that says the same place again without having done anything. */
static bool
recall_take_place(struct recall *r, const struct redis_reply *reply, bool moved)
{
	const int64_t passed =
	    redis_reply_integer(redis_reply_at(reply, RECALL_PASSED));
	char score[SCORE_SIZE];

	if (redis_reply_count(reply) <= RECALL_PASSED ||
	    !recall_copy(r->began, redis_reply_at(reply, RECALL_BEGAN)) ||
	    !recall_copy(score, redis_reply_at(reply, RECALL_SCORE)))
		return false;
	moved = moved || passed != r->passed || strcmp(score, r->score) != 0;
	r->passed = passed;
	memcpy(r->score, score, strlen(score) + 1);
	return moved;
}

/* What fails is tried again with the next heartbeat. */
static void
recall_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct recall *r = container_of(request, struct recall, request);
	const enum redis_fault fault = redis_fault(reply);
	const bool moved =
	    fault == REDIS_FAULT_NONE &&
	    redis_reply_integer(redis_reply_at(reply, RECALL_MOVED)) > 0;
	bool more = fault == REDIS_FAULT_SCRIPT;

	if (moved)
		rqueue_promote(r->queue);
	if (fault == REDIS_FAULT_NONE)
		more = recall_take_place(r, reply, moved);
	if (!more || recall_send(r) != 0)
		recall_free(request);
}

static struct recall *
recall_new(struct rqueue *q, const struct redis_reply *names)
{
	struct recall *r = calloc(1, sizeof(*r));
	struct slice name;
	size_t i;

	if (r == NULL)
		return NULL;
	r->request = (struct redis_request){.queue = q->broker->requests,
					    .on_reply = recall_on_reply,
					    .drop = recall_free};
	r->queue = q;
	q->recalling = true;
	for (i = 0; i < redis_reply_count(names); i++) {
		name = redis_reply_string(redis_reply_at(names, i));
		if (name.p == NULL || r->n_names == RECALL_NAMES ||
		    memchr(name.p, '\0', name.len) != NULL)
			continue;
		buf_add(&r->names, name.p, name.len);
		buf_addc(&r->names, '\0');
		r->n_names++;
	}
	return r;
}

void
rqueue_recall(struct rqueue *q, const struct redis_reply *names)
{
	struct recall *r;

	if (redis_reply_count(names) == 0 || q->recalling ||
	    (r = recall_new(q, names)) == NULL)
		return;
	if (r->n_names == 0 || r->names.failed || recall_send(r) != 0)
		recall_free(&r->request);
}
