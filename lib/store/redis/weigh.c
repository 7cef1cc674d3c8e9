/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: dead lists that have too many bytes.
 *
 * The server keeps no sum of them, since what other programs delete would make it
 * wrong for ever: they are weighed (weigh.lua), from the newest on, some at each
 * call, until their limit is met. How many that were then may stay, and the list is
 * trimmed to them as by their number. Most lists are far from the limit, which a
 * sample tells.
 */
#include "store/redis/broker.h"
#include "store/redis/tidy.h"
#include "util/sat.h"

enum weigh_answer { WEIGH_ALL, WEIGH_MORE, WEIGH_FIT };

static int weigh_send(struct rbroker *b, bool first);

/* A place that is not before the last one would be weighed for ever. */
static bool
weigh_go_on(struct rbroker *b, const struct redis_reply *reply)
{
	const int64_t rank = redis_reply_integer(redis_reply_at(reply, 1));
	const int64_t left = redis_reply_integer(redis_reply_at(reply, 2));

	if (rank < 0 || rank >= b->tidy.rank || left < 0 || left > b->tidy.left)
		return false;
	b->tidy.rank = rank;
	b->tidy.left = left;
	return weigh_send(b, false) == 0;
}

/* What cannot be weighed, as a key of the wrong type, is left as it is. */
static void
weigh_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	const enum redis_fault fault = redis_fault(reply);
	const int64_t answer =
	    fault == REDIS_FAULT_NONE && redis_reply_count(reply) > 0
		? redis_reply_integer(redis_reply_at(reply, 0))
		: WEIGH_ALL;

	if (fault != REDIS_FAULT_NONE && fault != REDIS_FAULT_OTHER) {
		rbroker_tidy_end(b);
		return;
	}
	if (answer == WEIGH_MORE && weigh_go_on(b, reply))
		return;
	if (answer == WEIGH_FIT) {
		b->tidy.fit =
		    sat_clamp(redis_reply_integer(redis_reply_at(reply, 1)), 1,
			      INT64_MAX);
		if (rbroker_trim(b) != 0)
			rbroker_tidy_end(b);
		return;
	}
	rbroker_tidy_rest(b);
}

static int
weigh_send(struct rbroker *b, bool first)
{
	static const enum rqueue_key which[] = {KEY_DEAD, KEY_DEAD_TASKS,
						KEY_DEAD_INFO};
	char rank[ARG_NUMBER_SIZE], left[ARG_NUMBER_SIZE],
	    step[ARG_NUMBER_SIZE];
	const struct slice args[] = {
	    first ? SLICE("") : arg_number(rank, b->tidy.rank),
	    arg_number(left, b->tidy.left), arg_number(step, BROKER_TIDY_STEP)};

	b->tidy.request.on_reply = weigh_on_reply;
	return rbroker_tidy_eval(b, SCRIPT_WEIGH, which, 3, REDIS_ARGS(args));
}

int
rbroker_weigh(struct rbroker *b)
{
	b->tidy.weighed = true;
	b->tidy.rank = INT64_MAX;
	b->tidy.left = b->tidy.limits.dead_max_bytes;
	return weigh_send(b, true);
}
