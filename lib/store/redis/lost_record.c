/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: records of tasks that may be lost, each in a call of its own.
 * What has ended is listed among the tasks that failed, all of a queue at once:
 * should that be lost, it is missing there, and nothing else is.
 */
#include <stdlib.h>
#include <string.h>

#include "store/redis/lost.h"
#include "store/results.h"
#include "util/name.h"

/* Calls at once: each may bring a record of the largest size. */
#define LOST_CALLS 16

struct rlost_call {
	struct redis_request request;
	struct rbroker *broker;
	size_t at; /* its id, in `ids`; or which case it is about */
};

/* The broker is closed, which frees all of it. */
static void
rlost_drop_call(struct redis_request *request)
{
}

void
rlost_drop_cases(struct rlost *l)
{
	size_t i;

	for (i = 0; i < l->n_cases; i++) {
		free(l->cases[i].queue);
		buf_done(&l->cases[i].ended);
	}
	l->n_cases = 0;
}

bool
rlost_has_gone(const struct rlost *l)
{
	size_t i;

	for (i = 0; i < l->n_cases; i++)
		if (l->cases[i].gone)
			return true;
	return false;
}

/* Those that are over are of one queue. */
static void
rlost_list_ended(struct rbroker *b)
{
	struct rlost *l = &b->lost;
	const bool cluster = b->url.cluster;
	const struct slice keys[] = {arg_index_list(cluster, true),
				     arg_index_totals(cluster)};
	struct broker_trimmed trimmed = {.lost = 0};
	struct slice *args = reallocarray(NULL, 2 + l->n_cases, sizeof(*args));
	char most[ARG_NUMBER_SIZE];
	struct rlost_case *c;
	size_t n = 2;

	for (c = l->cases; c < l->cases + l->n_cases; c++) {
		if (!c->over)
			continue;
		c->over = false;
		trimmed.lost++;
		trimmed.queue = slice_of(c->queue);
		if (args != NULL)
			args[n++] = slice_of(rlost_id(l, c));
	}
	if (args != NULL && n > 2) {
		args[0] = arg_index_field(true);
		args[1] = arg_number(most, RESULTS_LIST_MAX);
		rbroker_eval(b, SCRIPT_INDEX, NULL, NULL, 2, keys, n, args);
	}
	free(args);
	if (trimmed.lost > 0 && b->opt.on_trimmed != NULL)
		b->opt.on_trimmed(&trimmed, b->opt.arg);
}

/* --- calls --------------------------------------------------------------- */

/* Free for the next one; NULL: there is none. */
static struct rlost_call *
rlost_new_call(struct rbroker *b, redis_request_fn *on_reply, size_t at)
{
	struct rlost *l = &b->lost;
	struct rlost_call *call;

	if (l->calls == NULL &&
	    (l->calls = calloc(LOST_CALLS, sizeof(*l->calls))) == NULL)
		return NULL;
	if (l->under_way == LOST_CALLS)
		return NULL;
	call = &l->calls[l->under_way];
	*call = (struct rlost_call){.request = {.queue = b->requests,
						.on_reply = on_reply,
						.drop = rlost_drop_call},
				    .broker = b,
				    .at = at};
	return call;
}

/* About the record of that id. What cannot be sent fails. */
static void
rlost_send(struct rlost_call *call, enum rscript script, const char *id,
	   struct redis_args args)
{
	struct rbroker *b = call->broker;
	struct buf name = BUF_INIT;
	const struct slice key = arg_key(&name, ARG_RECORD, slice_of(id));

	if (!name.failed &&
	    redis_request_eval(&call->request, &b->scripts[script],
			       (struct redis_args){&key, 1}, args) == 0)
		b->lost.under_way++;
	else
		b->lost.failed = true;
	buf_done(&name);
}

/* The next step comes when all are answered. */
static void
rlost_answered(struct rbroker *b)
{
	struct rlost *l = &b->lost;

	if (--l->under_way > 0)
		return;
	if (l->failed || !rlost_has_gone(l))
		rlost_list_ended(b);
	if (l->failed)
		rlost_end(b);
	else
		rlost_next(b);
}

/* 0, or -1: none is under way. */
static int
rlost_sent(struct rlost *l)
{
	return l->under_way > 0 ? 0 : -1;
}

/* --- is it final? -------------------------------------------------------- */

/* Whose queue the record says, and how it would end. What is another record by now
 * than that of the suspect is of a task that goes on. */
static bool
rlost_read_case(struct rbroker *b, struct rlost_case *c, struct slice record)
{
	struct rlost *l = &b->lost;
	const struct lost_suspect *suspect;
	struct buf queue = BUF_INIT;

	if (l->taken > 0) {
		suspect = lost_find(&l->suspects, slice_of(rlost_id(l, c)));
		if (suspect == NULL || strcmp(suspect->digest, c->digest) != 0)
			return false;
	}
	if (b->opt.on_pending(record, &queue, &c->ended, b->opt.arg) &&
	    name_valid((struct slice){queue.data, queue.len}, NAME_QUEUE_MAX) &&
	    !c->ended.failed) {
		buf_addc(&queue, '\0');
		c->queue = buf_take(&queue);
	}
	buf_done(&queue);
	return c->queue != NULL;
}

static void
rlost_add_case(struct rbroker *b, size_t id_at, struct slice digest,
	       struct slice record)
{
	struct rlost *l = &b->lost;
	struct rlost_case c = {.id_at = id_at, .ended = BUF_INIT}, *more;

	if (digest.len != LOST_DIGEST_SIZE - 1)
		return;
	memcpy(c.digest, digest.p, digest.len);
	more = reallocarray(l->cases, l->n_cases + 1, sizeof(*more));
	if (more == NULL)
		return;
	l->cases = more;
	if (!rlost_read_case(b, &c, record)) {
		buf_done(&c.ended);
		return;
	}
	/* A page may have hundreds, most of which do not end. */
	if (l->taken == 0)
		buf_done(&c.ended);
	l->cases[l->n_cases++] = c;
}

static void
rlost_on_shown(struct redis_request *request, const struct redis_reply *reply)
{
	struct rlost_call *call =
	    container_of(request, struct rlost_call, request);
	struct rbroker *b = call->broker;

	if (redis_fault(reply) != REDIS_FAULT_NONE)
		b->lost.failed = true;
	else if (redis_reply_count(reply) == 2)
		rlost_add_case(b, call->at,
			       redis_reply_string(redis_reply_at(reply, 0)),
			       redis_reply_string(redis_reply_at(reply, 1)));
	rlost_answered(b);
}

int
rlost_look(struct rbroker *b)
{
	const struct redis_args none = {NULL, 0};
	struct rlost *l = &b->lost;
	struct rlost_call *call;

	l->failed = false;
	while (l->at < l->ids.len && !l->failed &&
	       (call = rlost_new_call(b, rlost_on_shown, l->at)) != NULL) {
		const char *id = l->ids.data + l->at;

		rlost_send(call, SCRIPT_PENDING, id, none);
		l->at += strlen(id) + 1;
	}
	return rlost_sent(l);
}

/* --- it ends --------------------------------------------------------------- */

static void
rlost_on_ended(struct redis_request *request, const struct redis_reply *reply)
{
	struct rlost_call *call =
	    container_of(request, struct rlost_call, request);
	struct rbroker *b = call->broker;

	if (redis_fault(reply) != REDIS_FAULT_NONE)
		b->lost.failed = true;
	else
		b->lost.cases[call->at].over = redis_reply_integer(reply) == 1;
	rlost_answered(b);
}

static void
rlost_end_record(struct rlost_call *call, const struct rlost_case *c)
{
	struct rbroker *b = call->broker;
	const char *id = rlost_id(&b->lost, c);
	struct buf channel = BUF_INIT;
	char life[ARG_NUMBER_SIZE];
	const struct slice args[] = {
	    slice_of(c->digest),
	    {c->ended.data, c->ended.len},
	    arg_number(life, b->tidy.limits.record_ttl_s),
	    arg_key(&channel, RRESULTS_COMPLETE, slice_of(id))};

	if (channel.failed)
		b->lost.failed = true;
	else
		rlost_send(call, SCRIPT_END_LOST, id, REDIS_ARGS(args));
	buf_done(&channel);
}

int
rlost_end_records(struct rbroker *b)
{
	struct rlost *l = &b->lost;
	struct rlost_call *call;
	size_t i;

	l->failed = false;
	for (i = 0; i < l->n_cases && !l->failed; i++) {
		if (!l->cases[i].gone)
			continue;
		if ((call = rlost_new_call(b, rlost_on_ended, i)) == NULL)
			break;
		l->cases[i].gone = false;
		rlost_end_record(call, &l->cases[i]);
	}
	return rlost_sent(l);
}
