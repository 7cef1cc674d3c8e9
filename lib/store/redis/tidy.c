/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: housekeeping. The worker whose id is in a key that expires
 * (keep.lua) goes through the queues, one after the other, a page of names at a
 * time, and has the server delete from each dead list what is too much (trim.lua;
 * of its bytes, weigh.c).
 *
 * Names of queues that nobody has used for long leave the set (idle.lua). A dead
 * worker may have tasks in flight in any queue, and is looked for in those that are
 * named: so none leaves while one is missing. A producer says its queue's name
 * again each hour (queue.c).
 *
 * What nobody has registered for long is forgotten (registry.lua).
 *
 * One request is under way at a time, so other commands have their turn between
 * two steps. What goes wrong ends the round: the next one begins with it again.
 * Should two workers do it at once, since the key has gone, they only share the
 * work.
 */
#include "store/redis/tidy.h"

#include <stdlib.h>
#include <string.h>

#include "store/redis/admin.h"
#include "store/redis/broker.h"
#include "store/redis/ops.h"
#include "util/name.h"
#include "util/sat.h"

/* The keeper says every BROKER_TIDY_S that it is there: one that is late by two
 * has lost its office. */
#define KEEPER_LIFE_S (3 * BROKER_TIDY_S)
static void rtidy_next(struct rbroker *b);
static int rtidy_ask_idle(struct rbroker *b);

void
rbroker_tidy_end(struct rbroker *b)
{
	free(b->tidy.names);
	free(b->tidy.cursor);
	b->tidy.names = b->tidy.cursor = NULL;
	b->tidy.len = b->tidy.at = 0;
	b->tidy.under_way = false;
}

/* The broker is closed, which frees all of it. */
static void
rtidy_drop(struct redis_request *request)
{
}

/* The next queue. */
static void
rtidy_pass(struct rbroker *b)
{
	b->tidy.at += strlen(b->tidy.names + b->tidy.at) + 1;
	rtidy_next(b);
}

/* --- a queue ------------------------------------------------------------- */

/* What a step has deleted; 0 in an error. */
static int64_t
rtidy_count(const struct redis_reply *reply, size_t i)
{
	return sat_clamp(redis_reply_integer(redis_reply_at(reply, i)), 0,
			 BROKER_TIDY_STEP);
}

/* The dead list is as it should be. */
void
rbroker_tidy_rest(struct rbroker *b)
{
	if (!b->tidy.idles)
		rtidy_pass(b);
	else if (rtidy_ask_idle(b) != 0)
		rbroker_tidy_end(b);
}

static void
rtidy_on_trimmed(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	const char *name = b->tidy.names + b->tidy.at;
	const struct broker_trimmed trimmed = {.queue = slice_of(name),
					       .beyond = rtidy_count(reply, 0),
					       .expired =
						   rtidy_count(reply, 1)};
	const bool went = trimmed.beyond + trimmed.expired > 0;
	const enum redis_fault fault = redis_fault(reply);

	/* A key of the wrong type is one queue's trouble. */
	if (fault != REDIS_FAULT_NONE && fault != REDIS_FAULT_OTHER) {
		rbroker_tidy_end(b);
		return;
	}
	if (went && b->opt.on_trimmed != NULL)
		b->opt.on_trimmed(&trimmed, b->opt.arg);
	/* Where nothing went, the next step would find the same. */
	if (went && redis_reply_integer(redis_reply_at(reply, 2)) != 0) {
		if (rbroker_trim(b) != 0)
			rbroker_tidy_end(b);
	} else if (fault == REDIS_FAULT_NONE && !b->tidy.weighed &&
		   b->tidy.limits.dead_max_bytes > 0) {
		if (rbroker_weigh(b) != 0)
			rbroker_tidy_end(b);
	} else {
		rbroker_tidy_rest(b);
	}
}

int
rbroker_tidy_eval(struct rbroker *b, enum rscript script,
		  const enum rqueue_key *which, size_t n,
		  struct redis_args args)
{
	const struct slice name = slice_of(b->tidy.names + b->tidy.at);
	struct buf names[4] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
	struct slice keys[4];
	bool ok = n <= 4;
	size_t i;
	int r;

	for (i = 0; ok && i < n; i++) {
		rqueue_add_key(&names[i], b, name, which[i]);
		keys[i] = (struct slice){names[i].data, names[i].len};
		ok = !names[i].failed;
	}
	r = ok ? redis_request_eval(&b->tidy.request, &b->scripts[script],
				    (struct redis_args){keys, n}, args)
	       : -1;
	for (i = 0; i < 4; i++)
		buf_done(&names[i]);
	return r;
}

/* The lesser of two limits, of which 0 is none. */
static int64_t
rtidy_most(const struct rtidy *t)
{
	const int64_t most = t->limits.dead_max;

	if (t->fit == 0 || most == 0)
		return most + t->fit;
	return t->fit < most ? t->fit : most;
}

int
rbroker_trim(struct rbroker *b)
{
	static const enum rqueue_key which[] = {KEY_DEAD, KEY_DEAD_TASKS,
						KEY_DEAD_INFO, KEY_UNIQUES};
	char most[ARG_NUMBER_SIZE], life[ARG_NUMBER_SIZE],
	    step[ARG_NUMBER_SIZE], bytes[ARG_NUMBER_SIZE];
	const struct slice args[] = {
	    arg_number(most, rtidy_most(&b->tidy)),
	    arg_number(life, b->tidy.limits.dead_ttl_ms),
	    arg_number(step, BROKER_TIDY_STEP),
	    arg_number(bytes, BROKER_TIDY_BYTES)};

	b->tidy.request.on_reply = rtidy_on_trimmed;
	return rbroker_tidy_eval(b, SCRIPT_TRIM, which, 4, REDIS_ARGS(args));
}

/* --- a queue that nobody uses -------------------------------------------- */

/* No answer is awaited: the next look makes up for what was lost. */
static void
rtidy_name(struct rbroker *b, bool add)
{
	const struct slice argv[] = {add ? SLICE("SADD") : SLICE("SREM"),
				     slice_of(b->queues_key),
				     slice_of(b->tidy.names + b->tidy.at)};

	redis_command(b->redis, NULL, NULL, 3, argv);
	b->tidy.gone = !add;
}

/* Somebody may have begun to use it before its name went: so it is looked at once
 * more, and the name comes back. */
static void
rtidy_on_idle(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	const bool idle = redis_reply_integer(reply) == 1;

	if (redis_fault(reply) == REDIS_FAULT_LOST) {
		rbroker_tidy_end(b);
		return;
	}
	if (b->tidy.gone && !idle)
		rtidy_name(b, true);
	if (!b->tidy.gone && idle) {
		rtidy_name(b, false);
		if (rtidy_ask_idle(b) != 0)
			rbroker_tidy_end(b);
		return;
	}
	b->tidy.gone = false;
	rtidy_pass(b);
}

static int
rtidy_ask_idle(struct rbroker *b)
{
	const int64_t kept_s = 2 * b->tidy.limits.idle_ms / 1000 + 1;
	char idle[ARG_NUMBER_SIZE], kept[ARG_NUMBER_SIZE];
	const struct slice args[] = {arg_number(idle, b->tidy.limits.idle_ms),
				     arg_number(kept, kept_s)};
	static const enum rqueue_key which[] = {
	    KEY_WAITING, KEY_LEVELS,  KEY_DELAYED, KEY_DEAD,
	    KEY_PAUSED,	 KEY_LANES,   KEY_SERVED,  KEY_LEAVING,
	    KEY_LIMITS,	 KEY_UNIQUES, KEY_IDLE};
	struct rqueue q;
	struct slice keys[sizeof(which) / sizeof(which[0])];
	size_t i;
	int r;

	if (rqueue_init(&q, b, b->tidy.names + b->tidy.at, 0) != 0)
		return -1;
	for (i = 0; i < sizeof(which) / sizeof(which[0]); i++)
		keys[i] = slice_of(q.keys[which[i]]);
	b->tidy.request.on_reply = rtidy_on_idle;
	r = redis_request_eval(&b->tidy.request, &b->scripts[SCRIPT_IDLE],
			       REDIS_ARGS(keys), REDIS_ARGS(args));
	rqueue_done(&q);
	return r;
}

/* --- names --------------------------------------------------------------- */

static void
rtidy_on_names(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	const struct redis_reply *names = redis_reply_at(reply, 1);
	const struct slice cursor =
	    redis_reply_string(redis_reply_at(reply, 0));
	struct buf out = BUF_INIT;
	struct slice name;
	size_t i;

	free(b->tidy.cursor);
	free(b->tidy.names);
	b->tidy.cursor =
	    cursor.p != NULL ? strndup(cursor.p, cursor.len) : NULL;
	/* What no queue can be called, or a NUL would cut off, is left out. */
	for (i = 0; i < redis_reply_count(names); i++) {
		name = redis_reply_string(redis_reply_at(names, i));
		if (!name_valid(name, NAME_QUEUE_MAX))
			continue;
		buf_add(&out, name.p, name.len);
		buf_addc(&out, '\0');
	}
	b->tidy.at = 0;
	b->tidy.len = out.failed ? 0 : out.len;
	b->tidy.names = buf_take(&out);
	if (redis_fault(reply) != REDIS_FAULT_NONE || b->tidy.cursor == NULL)
		rbroker_tidy_end(b);
	else
		rtidy_next(b);
}

static int
rtidy_ask_names(struct rbroker *b)
{
	const struct slice argv[] = {SLICE("SSCAN"), slice_of(b->queues_key),
				     slice_of(b->tidy.cursor), SLICE("COUNT"),
				     SLICE(RNAMES_PAGE)};

	b->tidy.request.on_reply = rtidy_on_names;
	return redis_request_command(&b->tidy.request, REDIS_ARGS(argv));
}

/* --- what nobody registers any more ---------------------------------------- */

static int rtidy_trim_registry(struct rbroker *b, struct slice cursor);

/* The last step before lost tasks have their turn (lost.c). */
static void
rtidy_on_registry(struct redis_request *request,
		  const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);
	const struct slice cursor = redis_reply_string(reply);

	if (redis_fault(reply) == REDIS_FAULT_LOST)
		rbroker_tidy_end(b);
	else if (cursor.len == 0 || slice_eq(cursor, SLICE("0")))
		rbroker_find_lost(b);
	else if (rtidy_trim_registry(b, cursor) != 0)
		rbroker_tidy_end(b);
}

static int
rtidy_trim_registry(struct rbroker *b, struct slice cursor)
{
	char life[ARG_NUMBER_SIZE], step[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(RBROKER_REGISTRY),
				     slice_of(b->registered_key)};
	const struct slice args[] = {
	    arg_number(life, b->tidy.limits.registry_ms),
	    arg_number(step, BROKER_TIDY_STEP), cursor};

	if (b->tidy.limits.registry_ms == 0) {
		rbroker_find_lost(b);
		return 0;
	}
	b->tidy.request.on_reply = rtidy_on_registry;
	return redis_request_eval(&b->tidy.request,
				  &b->scripts[SCRIPT_REGISTRY],
				  REDIS_ARGS(keys), REDIS_ARGS(args));
}

static int
rtidy_begin_queue(struct rbroker *b)
{
	b->tidy.weighed = false;
	b->tidy.fit = 0;
	rbroker_deliver(b, b->tidy.names + b->tidy.at);
	return rbroker_trim(b);
}

/* The next queue, the next page, or the end. */
static void
rtidy_next(struct rbroker *b)
{
	int sent = -1;

	if (b->tidy.at < b->tidy.len)
		sent = rtidy_begin_queue(b);
	else if (strcmp(b->tidy.cursor, "0") != 0)
		sent = rtidy_ask_names(b);
	else
		sent = rtidy_trim_registry(b, SLICE("0"));
	if (sent != 0)
		rbroker_tidy_end(b);
}

/* --- who does it --------------------------------------------------------- */

/* Behind the number there are names of those who may be missing. */
static void
rtidy_on_missing(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);

	b->tidy.idles = redis_fault(reply) == REDIS_FAULT_NONE &&
			redis_reply_count(reply) == 1;
	if (redis_fault(reply) == REDIS_FAULT_LOST || rtidy_ask_names(b) != 0)
		rbroker_tidy_end(b);
}

static int
rtidy_ask_missing(struct rbroker *b)
{
	char life[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(b->workers_key)};
	const struct slice args[] = {
	    arg_number(life, BROKER_HEARTBEAT_TTL_S * 1000), SLICE("1"),
	    SLICE("0")};

	b->tidy.request.on_reply = rtidy_on_missing;
	return redis_request_eval(&b->tidy.request, &b->scripts[SCRIPT_MISSING],
				  REDIS_ARGS(keys), REDIS_ARGS(args));
}

static void
rtidy_on_kept(struct redis_request *request, const struct redis_reply *reply)
{
	struct rbroker *b = container_of(request, struct rbroker, tidy.request);

	if (redis_reply_integer(reply) != 1 ||
	    (b->tidy.cursor = strdup("0")) == NULL ||
	    (b->tidy.limits.idle_ms > 0 ? rtidy_ask_missing(b)
					: rtidy_ask_names(b)) != 0)
		rbroker_tidy_end(b);
}

void
rbroker_tidy(struct broker *broker, const struct broker_limits *limits)
{
	struct rbroker *b = (struct rbroker *)broker;
	char life[ARG_NUMBER_SIZE];
	const struct slice args[] = {slice_of(b->keeper),
				     arg_number(life, KEEPER_LIFE_S)};
	struct buf name = BUF_INIT;
	struct slice key;

	if (b->tidy.under_way ||
	    (b->part == RBROKER_WHOLE && b->entering != RENTER_IN) ||
	    redis_state(b->redis) != REDIS_UP)
		return;
	buf_adds(&name, RBROKER_KEEPER);
	buf_adds(&name, b->queue_key);
	key = (struct slice){name.data, name.len};
	b->tidy.limits = *limits;
	b->tidy.idles = b->tidy.gone = false;
	b->tidy.request = (struct redis_request){.queue = b->requests,
						 .on_reply = rtidy_on_kept,
						 .drop = rtidy_drop};
	b->tidy.under_way =
	    !name.failed &&
	    redis_request_eval(&b->tidy.request, &b->scripts[SCRIPT_KEEP],
			       (struct redis_args){&key, 1},
			       REDIS_ARGS(args)) == 0;
	buf_done(&name);
}

void
rbroker_tidy_done(struct rbroker *b)
{
	rbroker_tidy_end(b);
}
