/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: the question who can run a task.
 */
#include <stdlib.h>

#include "store/redis/broker.h"
#include "store/redis/ops.h"

/*
 * Three plain commands, to one server that leave together, since a script would have to be
 * loaded first: what time it is, until when the last of the workers is good for,
 * and until when this task is. In this order: a name that comes between the
 * last two is known.
 */
enum rserved_question {
	SERVED_TIME,
	SERVED_ANY,
	SERVED_NAME,
	SERVED_QUESTIONS
};

struct served_query {
	struct rserved_request {
		struct redis_request request;
		struct served_query *query;
	} requests[SERVED_QUESTIONS];
	unsigned int open; /* of these */
	struct rbroker *broker;
	double now_ms, any_ms, name_ms; /* until when */
	struct err err;
	broker_value_fn *on_value;
	void *arg;
};

static void
rserved_drop(struct redis_request *request)
{
	struct served_query *s =
	    container_of(request, struct rserved_request, request)->query;

	if (--s->open == 0)
		free(s);
}

/* Scores are milliseconds since 1970: whole numbers. */
static double
rserved_number(const struct redis_reply *reply)
{
	const struct slice text = redis_reply_string(reply);

	return text.p != NULL ? strtod(text.p, NULL) : 0;
}

static void
rserved_note(struct served_query *s, enum rserved_question question,
	     const struct redis_reply *reply)
{
	switch (question) {
	case SERVED_TIME:
		s->now_ms = rserved_number(redis_reply_at(reply, 0)) * 1000 +
			    rserved_number(redis_reply_at(reply, 1)) / 1000;
		break;
	case SERVED_ANY: /* the member, and its score */
		s->any_ms = rserved_number(redis_reply_at(reply, 1));
		break;
	case SERVED_NAME:
		s->name_ms = rserved_number(reply);
		break;
	case SERVED_QUESTIONS:
		break;
	}
}

static struct slice
rserved_answer(const struct served_query *s)
{
	if (s->name_ms > s->now_ms)
		return SLICE("known");
	return s->any_ms > s->now_ms ? SLICE("unknown")
				     : (struct slice){NULL, 0};
}

static void
rserved_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	const struct rserved_request *one =
	    container_of(request, struct rserved_request, request);
	struct served_query *s = one->query;

	if (redis_fault(reply) == REDIS_FAULT_NONE)
		rserved_note(s, (enum rserved_question)(one - s->requests),
			     reply);
	else if (s->err.code == ERR_NONE)
		redis_fault_err(s->broker->redis, "asking who runs a task",
				reply, &s->err);
	if (--s->open > 0)
		return;
	if (s->err.code != ERR_NONE)
		s->on_value((struct slice){NULL, 0}, &s->err, s->arg);
	else
		s->on_value(rserved_answer(s), NULL, s->arg);
	free(s);
}

static void
rserved_send(struct served_query *s, struct slice key, struct slice name)
{
	const struct slice time[] = {SLICE("TIME")};
	const struct slice any[] = {SLICE("ZRANGE"), key, SLICE("-1"),
				    SLICE("-1"), SLICE("WITHSCORES")};
	const struct slice one[] = {SLICE("ZSCORE"), key, name};
	const struct redis_args commands[SERVED_QUESTIONS] = {
	    [SERVED_TIME] = REDIS_ARGS(time),
	    [SERVED_ANY] = REDIS_ARGS(any),
	    [SERVED_NAME] = REDIS_ARGS(one)};
	unsigned int i;

	for (i = 0; i < SERVED_QUESTIONS; i++) {
		struct redis_request *request = &s->requests[i].request;

		*request = (struct redis_request){.queue = s->broker->requests,
						  .on_reply = rserved_on_reply,
						  .drop = rserved_drop};
		s->requests[i].query = s;
		/* Out of reach: the answer is an error, and comes from the
		 * loop. */
		if (redis_request_near(request, key, commands[i]) != 0)
			redis_request_later(request);
	}
}

void
rbroker_served(struct broker *broker, const struct broker_served *question,
	       broker_value_fn *on_value, void *arg)
{
	struct rbroker *b = (struct rbroker *)broker;
	struct served_query *s = calloc(1, sizeof(*s));
	struct buf key = BUF_INIT;
	struct err err;

	rqueue_add_key(&key, b, question->queue, KEY_SERVED);
	if (s == NULL || key.failed) {
		free(s);
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
	} else {
		s->broker = b;
		s->open = SERVED_QUESTIONS;
		s->on_value = on_value;
		s->arg = arg;
		rserved_send(s, (struct slice){key.data, key.len},
			     question->name);
	}
	buf_done(&key);
}
