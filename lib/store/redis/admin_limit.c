/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: limits of queues, set and shown. The workers are told of a
 * change by a wake order; limit.c says what they do.
 */
#include <stdlib.h>

#include "store/limit_texts.h"
#include "store/redis/admin.h"

/* What limits.lua tells of each rule. */
#define RULE_WIDTH 6

struct limit_query {
	struct rquery query;
	struct rqueue queue;
	struct limit_texts
	    texts; /* a change; or what the limits' keys are in */
	int64_t answer;
	struct broker_limit *limits;
	size_t n;
	broker_value_fn *on_value;
	broker_limits_fn *on_limits;
	void *arg;
};

static void
rlimits_free(struct rquery *i)
{
	struct limit_query *l = container_of(i, struct limit_query, query);

	rqueue_done(&l->queue);
	limit_texts_done(&l->texts);
	free(l->limits);
	free(l);
}

static struct limit_query *
rlimits_new(struct broker *b, struct slice queue, const struct rquery *query,
	    void *arg)
{
	struct limit_query *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->query = *query;
	l->query.broker = (struct rbroker *)b;
	l->query.free = rlimits_free;
	l->arg = arg;
	rqueue_of_name(&l->queue, l->query.broker, queue, &l->query.err);
	return l;
}

/* --- changing ----------------------------------------------------------- */

static void
rlimits_take_change(struct rquery *i, size_t none,
		    const struct redis_reply *reply)
{
	container_of(i, struct limit_query, query)->answer =
	    redis_reply_integer(reply);
}

static void
rlimits_ask_change(struct rquery *i)
{
	const struct limit_query *l =
	    container_of(i, struct limit_query, query);
	char most[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(l->queue.keys[KEY_LIMITS]),
				     slice_of(l->queue.keys[KEY_RUNNING]),
				     slice_of(l->queue.keys[KEY_TATS]),
				     slice_of(l->queue.keys[KEY_RESTING])};
	const struct slice args[] = {slice_of(RBROKER_CONTROL),
				     slice_of(l->queue.wake),
				     {l->texts.scope.data, l->texts.scope.len},
				     {l->texts.rule.data, l->texts.rule.len},
				     {l->texts.by.data, l->texts.by.len},
				     arg_number(most, LIMIT_RULES_MAX)};

	rbroker_name_queue(i->broker, l->queue.name);
	rquery_eval(i, rlimits_take_change, 0, SCRIPT_LIMIT, REDIS_ARGS(keys),
		    REDIS_ARGS(args));
}

static void
rlimits_on_change(struct rquery *i)
{
	struct limit_query *l = container_of(i, struct limit_query, query);
	struct slice value = {NULL, 0};

	if (i->err.code == ERR_NONE && l->answer < 0)
		limits_set_full(&i->err, l->queue.name);
	if (l->answer > 0)
		value = SLICE("1");
	l->on_value(value, i->err.code != ERR_NONE ? &i->err : NULL, l->arg);
	rlimits_free(i);
}

void
radmin_limits_change(struct broker *b, const struct broker_limit_change *change,
		     broker_value_fn *on_value, void *arg)
{
	const struct rquery query = {.what = "changing a limit",
				     .ask = rlimits_ask_change,
				     .answered = rlimits_on_change};
	struct limit_query *l = rlimits_new(b, change->queue, &query, arg);
	struct err err;

	if (l == NULL) {
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
		return;
	}
	limit_texts_write(&l->texts, change, &l->query.err);
	l->on_value = on_value;
	rquery_begin(&l->query);
}

/* --- showing ------------------------------------------------------------ */

/* The texts of a rule that outlive the reply: its scope, and by whom it was
 * declared, and disputed. */
#define RULE_TEXTS 3

static void
rlimits_texts(const struct redis_reply *reply, size_t k,
	      struct slice ret[RULE_TEXTS])
{
	const size_t at = RULE_WIDTH * k + 1;

	ret[0] = redis_reply_string(redis_reply_at(reply, at));
	ret[1] = limit_rule_worker(
	    redis_reply_string(redis_reply_at(reply, at + 1)));
	ret[2] = redis_reply_string(redis_reply_at(reply, at + 5));
}

/* `kept` is where these texts are. false: it is none. */
static bool
rlimits_take_rule(const struct redis_reply *reply, size_t k, const char **kept,
		  struct broker_limit *ret)
{
	const size_t at = RULE_WIDTH * k + 1;
	struct slice texts[RULE_TEXTS];
	size_t i;

	rlimits_texts(reply, k, texts);
	for (i = 0; i < RULE_TEXTS; i++) {
		texts[i].p = *kept;
		*kept += texts[i].len;
	}
	ret->declared_by = texts[1];
	ret->disputed_by = texts[2];
	ret->running = redis_reply_integer(redis_reply_at(reply, at + 2));
	ret->held = redis_reply_integer(redis_reply_at(reply, at + 3));
	ret->held_since_ms = redis_reply_integer(redis_reply_at(reply, at + 4));
	return limit_scope_read(texts[0], &ret->rule) &&
	       limit_rule_read(
		   redis_reply_string(redis_reply_at(reply, at + 1)),
		   &ret->rule);
}

/* The rules point into `scope`, which keeps their texts. */
static void
rlimits_take(struct rquery *i, size_t none, const struct redis_reply *reply)
{
	struct limit_query *l = container_of(i, struct limit_query, query);
	const size_t n = redis_reply_count(reply) / RULE_WIDTH;
	struct slice texts[RULE_TEXTS],
	    by = redis_reply_string(redis_reply_at(reply, 0));
	const char *kept;
	size_t k, t;

	buf_reset(&l->texts.scope);
	buf_reset(&l->texts.by);
	buf_add(&l->texts.by, by.p, by.len);
	for (k = 0; k < n; k++) {
		rlimits_texts(reply, k, texts);
		for (t = 0; t < RULE_TEXTS; t++)
			buf_add(&l->texts.scope, texts[t].p, texts[t].len);
	}
	free(l->limits);
	l->limits = calloc(n + 1, sizeof(*l->limits));
	l->n = 0;
	if (l->limits == NULL || l->texts.scope.failed || l->texts.by.failed) {
		err_nomem(&i->err);
		return;
	}
	kept = l->texts.scope.data;
	/* What others have put there is not shown. */
	for (k = 0; k < n; k++)
		l->n += rlimits_take_rule(reply, k, &kept, &l->limits[l->n]);
	limits_sort(l->limits, l->n);
}

static void
rlimits_ask(struct rquery *i)
{
	const struct limit_query *l =
	    container_of(i, struct limit_query, query);
	const struct slice keys[] = {slice_of(l->queue.keys[KEY_LIMITS]),
				     slice_of(l->queue.keys[KEY_RUNNING]),
				     slice_of(l->queue.keys[KEY_HELD_INDEX]),
				     slice_of(l->queue.keys[KEY_DECLARED])};

	rquery_eval(i, rlimits_take, 0, SCRIPT_LIMITS, REDIS_ARGS(keys),
		    (struct redis_args){NULL, 0});
}

static void
rlimits_on_answer(struct rquery *i)
{
	struct limit_query *l = container_of(i, struct limit_query, query);

	if (i->err.code != ERR_NONE)
		l->on_limits(NULL, 0, (struct slice){NULL, 0}, &i->err, l->arg);
	else
		l->on_limits(l->limits, l->n,
			     (struct slice){l->texts.by.data, l->texts.by.len},
			     NULL, l->arg);
	rlimits_free(i);
}

void
radmin_limits_get(struct broker *b, struct slice queue,
		  broker_limits_fn *on_limits, void *arg)
{
	const struct rquery query = {.what = "asking for limits",
				     .ask = rlimits_ask,
				     .answered = rlimits_on_answer};
	struct limit_query *l = rlimits_new(b, queue, &query, arg);
	struct err err;

	if (l == NULL) {
		err_nomem(&err);
		on_limits(NULL, 0, (struct slice){NULL, 0}, &err, arg);
		return;
	}
	l->on_limits = on_limits;
	rquery_begin(&l->query);
}
