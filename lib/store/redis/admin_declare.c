/* SPDX-License-Identifier: MIT */
/* The Redis broker: limits as the configurations of workers have them. What holds is
 * decided by declare.lua. */
#include <stdlib.h>

#include "store/limit_texts.h"
#include "store/redis/admin.h"

struct declare_query {
	struct rquery query;
	struct rqueue queue;
	struct limit_texts texts;
	struct buf worker; /* whose it is; then, who had declared it before */
	bool anew;
	enum broker_declared_how how;
	bool full;
	broker_declared_fn *on_declared;
	void *arg;
};

static void
rdeclare_free(struct rquery *i)
{
	struct declare_query *q = container_of(i, struct declare_query, query);

	rqueue_done(&q->queue);
	limit_texts_done(&q->texts);
	buf_done(&q->worker);
	free(q);
}

static void
rdeclare_take(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	static const char *const words[] = {
	    [BROKER_DECLARED_SET] = "set",
	    [BROKER_DECLARED_SAME] = "same",
	    [BROKER_DECLARED_KEPT] = "kept",
	    [BROKER_DECLARED_CHANGED] = "changed",
	    [BROKER_DECLARED_GONE] = "gone",
	    [BROKER_DECLARED_NONE] = "none"};
	struct declare_query *q = container_of(i, struct declare_query, query);
	const struct slice word = redis_reply_string(redis_reply_at(reply, 0)),
			   worker =
			       redis_reply_string(redis_reply_at(reply, 1));
	size_t k;

	q->full = true;
	for (k = 0; k < sizeof(words) / sizeof(words[0]); k++)
		if (slice_eq(word, slice_of(words[k]))) {
			q->how = (enum broker_declared_how)k;
			q->full = false;
		}
	buf_reset(&q->worker);
	buf_add(&q->worker, worker.p, worker.len);
}

static void
rdeclare_ask(struct rquery *i)
{
	const struct declare_query *q =
	    container_of(i, struct declare_query, query);
	char most[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(q->queue.keys[KEY_LIMITS]),
				     slice_of(q->queue.keys[KEY_RUNNING]),
				     slice_of(q->queue.keys[KEY_TATS]),
				     slice_of(q->queue.keys[KEY_RESTING]),
				     slice_of(q->queue.keys[KEY_DECLARED])};
	const struct slice args[] = {slice_of(RBROKER_CONTROL),
				     slice_of(q->queue.wake),
				     {q->texts.scope.data, q->texts.scope.len},
				     {q->texts.rule.data, q->texts.rule.len},
				     {q->texts.by.data, q->texts.by.len},
				     arg_number(most, LIMIT_RULES_MAX),
				     {q->worker.data, q->worker.len},
				     q->anew ? SLICE("1") : SLICE("0")};

	rbroker_name_queue(i->broker, q->queue.name);
	rquery_eval(i, rdeclare_take, 0, SCRIPT_DECLARE, REDIS_ARGS(keys),
		    REDIS_ARGS(args));
}

static void
rdeclare_on_answer(struct rquery *i)
{
	struct declare_query *q = container_of(i, struct declare_query, query);

	if (i->err.code == ERR_NONE && q->full)
		limits_set_full(&i->err, q->queue.name);
	q->on_declared(q->how, (struct slice){q->worker.data, q->worker.len},
		       i->err.code != ERR_NONE ? &i->err : NULL, q->arg);
	rdeclare_free(i);
}

void
radmin_limits_declare(struct broker *b,
		      const struct broker_declaration *declaration,
		      broker_declared_fn *on_declared, void *arg)
{
	struct declare_query *q = calloc(1, sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_nomem(&err);
		on_declared(BROKER_DECLARED_NONE, (struct slice){NULL, 0}, &err,
			    arg);
		return;
	}
	q->query = (struct rquery){.broker = (struct rbroker *)b,
				   .what = "declaring a limit",
				   .ask = rdeclare_ask,
				   .answered = rdeclare_on_answer,
				   .free = rdeclare_free};
	q->anew = declaration->anew;
	q->on_declared = on_declared;
	q->arg = arg;
	rqueue_of_name(&q->queue, q->query.broker, declaration->queue,
		       &q->query.err);
	if (declaration->worker != NULL)
		buf_adds(&q->worker, declaration->worker);
	if (limit_texts_declare(&q->texts, declaration, &q->query.err) == 0 &&
	    q->worker.failed)
		err_nomem(&q->query.err);
	rquery_begin(&q->query);
}
