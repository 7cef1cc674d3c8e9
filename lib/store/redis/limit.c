/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: a worker's queues that have limits.
 *
 * What is limited is what is in flight: the in-flight lists are the only truth,
 * and `running` counts them by what each task counts against, in the steps that
 * fill and empty them. A worker that dies leaves its tasks in flight, and counted,
 * until another one has taken them over; nothing leaks, and nothing expires.
 *
 * What may not run yet is set aside when it is met, into one lane of all that is
 * held (so all that shows, finds and removes waiting tasks finds it there), and
 * stands in an index by the scope that holds it. So it is not in the way of what
 * is behind it, and the step that frees a place of a scope knows whether any
 * waits for it. The worker that frees it usually has the room to look: it claims
 * next, and only if it wants nothing the others are woken.
 *
 * A queue with limits is not waited for in BLMOVE, which could not look at them:
 * the server tells when its list changes (track.c), but only the watcher, which is
 * one of the workers that wait, or all would look for each task. The watcher, and any
 * worker that takes all that it wants and leaves some, wakes the next one; so does a
 * worker that frees a place (wake.lua). The one that is woken may be dead or frozen,
 * and so may the watcher: therefore the watcher looks again every second, and the
 * others see every second whether there is one.
 *
 * Acknowledgements, which lower the counts, are collected and sent together: at the
 * end of the loop's turn, or before the next script.
 *
 * Where the counts cannot be right (the limits have changed, a worker has come
 * that was not counted, something was taken out by hand) they are deleted; then
 * nothing is claimed before they are made of the lists (recount.c).
 */
#include "store/redis/limit.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "store/redis/lanes.h"
#include "store/redis/levels.h"
#include "store/redis/wait.h"

/* Tasks that one call looks at, about: a few ms of the server. */
#define LOOK_MAX "500"
/* Bytes that one call brings; see claim.c. */
#define CLAIM_BYTES (1u << 20)
#define CLAIM_KEYS 17
/* What the script tells before the tasks. */
#define CLAIM_HEAD 5

/* Acknowledgements in one call, and about how many bytes. */
#define ACKS_MAX 256
#define ACKS_BYTES (512u << 10)

struct ack {
	struct rclaim *claim;
	struct slice direction; /* static */
	redis_reply_fn *on_reply;
	void *arg;
};

/* They wait to be sent, or for the answer; the broker may go before that. */
struct racks {
	struct redis_request request; /* that it begins with */
	struct rqueue *queue;
	size_t n, bytes;
	struct ack acks[ACKS_MAX];
};

/* --- acknowledgements ------------------------------------------------------ */

/* The reply of one command is that of each of them. */
static void
racks_end(struct racks *a, struct redis *r, const struct redis_reply *reply)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		a->acks[i].on_reply(r, reply, a->acks[i].arg);
	free(a);
}

/* A claim that is under way was sent behind them: it has found what they freed. */
static void
racks_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct racks *a = container_of(request, struct racks, request);
	struct rqueue *q = a->queue;

	if (redis_fault(reply) == REDIS_FAULT_NONE &&
	    redis_reply_integer(reply) != 0 && q->asked == 0 &&
	    (q->content == RQUEUE_EMPTY || q->content == RQUEUE_FULL))
		q->content = RQUEUE_MAYBE;
	racks_end(a, q->broker->redis, reply);
	rqueue_pump(q);
}

/* A call under construction: the shards that it names, and where; and the run of
 * tasks of one shard and direction that it ends with. */
struct racks_call {
	struct slice keys[RLIMIT_N_WAKE_KEYS + 1 + SHARDS];
	size_t n_keys;
	char at[SHARDS][ARG_NUMBER_SIZE];
	struct slice args[3 + 4 * ACKS_MAX];
	size_t n_args;
	const struct ack *run; /* its first */
	size_t n_runs, run_size;
	char run_sizes[ACKS_MAX][ARG_NUMBER_SIZE];
};

static void
racks_call_add(struct racks_call *call, const struct ack *ack)
{
	const struct rclaim *c = ack->claim;
	char *at = call->at[c->shard];

	if (at[0] == '\0') {
		call->keys[call->n_keys++] =
		    slice_of(c->queue->shards[c->shard].key);
		arg_number(at, (int64_t)call->n_keys);
	}
	if (call->run == NULL || call->run->claim->shard != c->shard ||
	    !slice_eq(call->run->direction, ack->direction)) {
		call->run = ack;
		call->run_size = 0;
		call->n_runs++;
		call->args[call->n_args++] = slice_of(at);
		call->args[call->n_args++] = ack->direction;
		call->n_args++;
	}
	call->args[call->n_args++] = c->pub.bytes;
	call->run_size++;
	call->args[call->n_args - call->run_size - 1] = arg_number(
	    call->run_sizes[call->n_runs - 1], (int64_t)call->run_size);
}

static void
racks_send(struct rqueue *q)
{
	const struct slice fixed[] = {RLIMIT_WAKE_KEYS(q),
				      slice_of(q->keys[KEY_UNIQUES])};
	struct rbroker *b = q->broker;
	struct racks *a = q->acks;
	struct racks_call *call;
	int sent = -1;
	size_t i;

	q->acks = NULL;
	if ((call = calloc(1, sizeof(*call))) != NULL) {
		call->n_keys = sizeof(fixed) / sizeof(fixed[0]);
		memcpy(call->keys, fixed, sizeof(fixed));
		call->args[0] = slice_of(b->opt.worker);
		call->args[1] = slice_of(RBROKER_CONTROL);
		/* Who wants something looks itself. */
		call->args[2] = q->wanted > 0 && q->phase == RQUEUE_READY
				    ? SLICE("")
				    : slice_of(q->wake);
		call->n_args = 3;
		for (i = 0; i < a->n; i++)
			racks_call_add(call, &a->acks[i]);
		sent = redis_request_eval(
		    &a->request, &b->scripts[SCRIPT_ACK],
		    (struct redis_args){call->keys, call->n_keys},
		    (struct redis_args){call->args, call->n_args});
		free(call);
	}
	if (sent != 0)
		racks_end(a, b->redis, NULL);
}

void
rlimit_flush(struct rbroker *b)
{
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		if (b->queues[i].acks != NULL)
			racks_send(&b->queues[i]);
}

void
rlimit_drop(struct rbroker *b)
{
	struct racks *a;
	unsigned int i;

	for (i = 0; i < b->n_queues; i++) {
		a = b->queues[i].acks;
		b->queues[i].acks = NULL;
		b->queues[i].counting = false;
		if (a != NULL)
			racks_end(a, b->redis, NULL);
	}
}

static void
rlimit_on_flush(evutil_socket_t fd, short what, void *arg)
{
	rlimit_flush(arg);
}

int
rlimit_ack(struct rclaim *c, struct slice direction, redis_reply_fn *on_reply,
	   void *arg)
{
	struct rqueue *q = c->queue;
	struct rbroker *b = q->broker;
	struct racks *a = q->acks;

	if (a != NULL && (a->n == ACKS_MAX || a->bytes >= ACKS_BYTES)) {
		racks_send(q);
		a = NULL;
	}
	if (redis_state(b->redis) != REDIS_UP)
		return -1;
	if (a == NULL) {
		if ((a = malloc(sizeof(*a))) == NULL)
			return -1;
		a->request = (struct redis_request){.queue = b->requests,
						    .on_reply = racks_on_reply};
		a->queue = q;
		a->n = a->bytes = 0;
		q->acks = a;
		event_active(b->flush, EV_TIMEOUT, 0);
	}
	a->acks[a->n++] = (struct ack){c, direction, on_reply, arg};
	a->bytes += c->pub.bytes.len;
	return 0;
}

/* --- claiming ---------------------------------------------------------------- */

/* Tasks that have ended so far may have been taken out uncounted: all that was
 * sent before this is counted. */
void
rlimit_begin(struct rqueue *q)
{
	struct rbroker *b = q->broker;
	struct err err;

	q->content = RQUEUE_MAYBE;
	if (q->limited) {
		rqueue_pump(q);
		return;
	}
	q->limited = true;
	rqueue_stop_waiting(q);
	b->watch_needed = true;
	if (rbroker_open_watch(b, &err) != 0)
		b->opt.on_state(true, false, &err, b->opt.arg);
	rrecount_begin(q, RRECOUNT_ANEW);
}

static void
rlimit_on_look(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;

	if (redis_reply_integer(reply) > 0 && !q->limited &&
	    q->phase == RQUEUE_READY)
		rlimit_begin(q);
}

static void
rlimit_resign(struct rqueue *q)
{
	const struct slice keys[] = {slice_of(q->keys[KEY_IDLERS]),
				     slice_of(q->keys[KEY_WATCHER])};
	const struct slice args[] = {slice_of(q->broker->opt.worker),
				     slice_of(RBROKER_CONTROL),
				     slice_of(q->wake)};

	q->watches = false;
	rbroker_eval(q->broker, SCRIPT_RESIGN, NULL, NULL, 2, keys, 3, args);
}

void
rlimit_woken(struct rqueue *q)
{
	q->content = RQUEUE_MAYBE;
	if (q->limited && q->wanted == 0 && q->phase == RQUEUE_READY)
		rlimit_resign(q);
	else
		rqueue_pump(q);
}

void
rlimit_look(struct rqueue *q)
{
	const struct slice argv[] = {SLICE("HLEN"),
				     slice_of(q->keys[KEY_LIMITS])};

	if (q->phase == RQUEUE_READY)
		redis_command(q->broker->redis, rlimit_on_look, q, 2, argv);
}

static bool
rlimit_waits(const struct rqueue *q)
{
	return q->limited && q->phase == RQUEUE_READY && q->wanted > 0 &&
	       q->asked == 0 && !evtimer_pending(q->retry, NULL) &&
	       (q->content == RQUEUE_EMPTY || q->content == RQUEUE_FULL);
}

static void
rlimit_look_again(struct rqueue *q)
{
	q->content = RQUEUE_MAYBE;
	rqueue_pump(q);
}

/* No reply, or an error: this is asked again in a second. */
static void
rlimit_on_watcher(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;

	if (redis_reply_type(reply) == REDIS_INTEGER &&
	    redis_reply_integer(reply) == 0 && rlimit_waits(q))
		rlimit_look_again(q);
}

void
rlimit_watch(struct rqueue *q)
{
	const struct slice argv[] = {SLICE("EXISTS"),
				     slice_of(q->keys[KEY_WATCHER])};

	if (!rlimit_waits(q))
		return;
	if (q->watches)
		rlimit_look_again(q);
	else
		redis_command(q->broker->redis, rlimit_on_watcher, q, 2, argv);
}

/* What the script says at the beginning: what is to be done next. */
struct rlimit_word {
	const char *text;
	enum rqueue_content content;
};

static void
rlimit_take_word(struct rqueue *q, struct slice word, bool news)
{
	static const struct rlimit_word words[] = {
	    {"more", RQUEUE_MAYBE},    {"levels", RQUEUE_MAYBE},
	    {"empty", RQUEUE_EMPTY},   {"full", RQUEUE_FULL},
	    {"paused", RQUEUE_PAUSED}, {"none", RQUEUE_MAYBE},
	    {"count", RQUEUE_MAYBE}};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_eq(word, slice_of(words[i].text)))
			break;
	if (i < sizeof(words) / sizeof(words[0]) && !news)
		q->content = words[i].content;
	else
		q->content = RQUEUE_MAYBE;
	if (slice_eq(word, SLICE("none")))
		q->limited = false;
	else if (slice_eq(word, SLICE("count")))
		rrecount_begin(q, RRECOUNT_BEGIN);
}

void
rqueue_on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct rqueue *q = arg;

	q->content = RQUEUE_MAYBE;
	rqueue_pump(q);
}

/* The script is asked again when a rate has room. */
static void
rlimit_set_timer(struct rqueue *q, int64_t ms)
{
	const struct timeval tv = {.tv_sec = ms / 1000,
				   .tv_usec = ms % 1000 * 1000};

	if (ms < 0)
		evtimer_del(q->rested);
	else
		evtimer_add(q->rested, &tv);
}

static void
rlimit_take(struct rqueue *q, const struct redis_reply *reply)
{
	const size_t n = redis_reply_count(reply);
	const struct slice word = redis_reply_string(redis_reply_at(reply, 0));
	const bool news = q->content != RQUEUE_LOOKING;
	const enum redis_fault fault = redis_fault(reply);

	q->asked = 0;
	q->content = RQUEUE_MAYBE;
	if (rqueue_reply_lost(reply))
		return;
	if (fault != REDIS_FAULT_NONE && fault != REDIS_FAULT_SCRIPT) {
		q->content = RQUEUE_EMPTY;
		rqueue_refused(q, "claiming", reply);
		return;
	}
	if (fault == REDIS_FAULT_NONE)
		rlimit_take_word(q, word, news);
	if (rqueue_learn_lanes(q, redis_reply_at(reply, 2)))
		q->content = RQUEUE_MAYBE;
	/* What was not known is; or the same would be asked for ever. */
	if (slice_eq(word, SLICE("levels")) &&
	    !rlevels_learn(&q->levels, redis_reply_at(reply, 1)) &&
	    n <= CLAIM_HEAD) {
		q->content = RQUEUE_EMPTY;
		rqueue_retry_later(q);
	}
	if (slice_eq(word, SLICE("empty")) && q->content == RQUEUE_EMPTY)
		rlanes_done(&q->lanes);
	if (fault == REDIS_FAULT_NONE && n >= CLAIM_HEAD) {
		rlimit_set_timer(q,
				 redis_reply_integer(redis_reply_at(reply, 3)));
		q->watches = redis_reply_integer(redis_reply_at(reply, 4)) != 0;
	}
	rqueue_take_tasks(q, reply, CLAIM_HEAD, n);
	rqueue_pump(q);
}

static void
rlimit_on_claimed(struct redis *r, const struct redis_reply *reply, void *arg)
{
	rlimit_take(arg, reply);
	rqueue_tell_quiet(arg);
}

int
rlimit_claim(struct rqueue *q, unsigned int count, unsigned int shard)
{
	struct rbroker *b = q->broker;
	char n[ARG_NUMBER_SIZE], largest[ARG_NUMBER_SIZE],
	    budget[ARG_NUMBER_SIZE];
	const struct slice args[] = {
	    arg_number(n, count),
	    arg_number(largest, (int64_t)b->opt.max_task),
	    arg_number(budget, CLAIM_BYTES),
	    slice_of(RBROKER_WITHDRAWN),
	    slice_of(b->opt.worker),
	    SLICE(RLIMIT_LANE),
	    SLICE(LOOK_MAX),
	    slice_of(RBROKER_CONTROL),
	    slice_of(q->wake),
	    b->tracking ? SLICE("1") : SLICE("0")};
	const struct slice keys[CLAIM_KEYS] = {
	    slice_of(q->keys[KEY_WAITING]),   slice_of(q->keys[KEY_LEVELS]),
	    slice_of(q->shards[shard].key),   slice_of(q->keys[KEY_PAUSED]),
	    slice_of(q->keys[KEY_WITHDRAWN]), slice_of(q->keys[KEY_LANES]),
	    slice_of(q->keys[KEY_LIMITS]),    slice_of(q->keys[KEY_RUNNING]),
	    slice_of(q->keys[KEY_HELD]),      slice_of(q->keys[KEY_HELD_INDEX]),
	    slice_of(q->keys[KEY_READY]),     slice_of(q->keys[KEY_TATS]),
	    slice_of(q->keys[KEY_RESTING]),   slice_of(q->keys[KEY_COUNTING]),
	    slice_of(q->keys[KEY_UNIQUES]),   slice_of(q->keys[KEY_IDLERS]),
	    slice_of(q->keys[KEY_WATCHER])};
	const size_t n_lists = CLAIM_KEYS + q->levels.n;
	struct slice *all =
	    rlevels_join(&q->levels, q, keys, CLAIM_KEYS, q->lanes.n);
	int sent = -1;
	size_t i;

	for (i = 0; all != NULL && i < q->lanes.n; i++)
		all[n_lists + i] = slice_of(q->lanes.keys[i]);
	if (all != NULL)
		sent = rbroker_eval(b, SCRIPT_CLAIM_LIMITED, rlimit_on_claimed,
				    q, n_lists + q->lanes.n, all,
				    sizeof(args) / sizeof(args[0]), args);
	free(all);
	return sent;
}

int
rlimit_open(struct rbroker *b, struct err *err)
{
	b->flush = event_new(b->opt.base, -1, 0, rlimit_on_flush, b);
	return b->flush != NULL ? 0 : err_nomem(err);
}
