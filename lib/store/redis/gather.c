/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what a worker does at a server that was not used before.
 *
 * Replication sends what it has later than the master answers, and a log is
 * written later than that; so after a failover, or a restart, the end of what was
 * done may be missing. If that is a claim, the task waits again while it runs
 * here, and another worker would run it a second time. So all workers come to
 * such a server before one of them claims: each puts its claims back that are not
 * on record (reclaim.lua), and takes itself off the list of those who are awaited
 * (gather.lua), which the first of them has made of the workers that were alive.
 * Those that do not come are dead, or cut off, and are awaited for as long as a
 * heartbeat is good. Who comes later than that finds its claims gone to others,
 * as after a takeover.
 *
 * A settlement may be missing: the task is found in flight, and its record is
 * final, or it runs again. So it must not be sent to this server if the record was
 * confirmed by the one before (rbroker_settle_anew()). A submission may be missing:
 * its sender is to ask for replicas (confirm.c).
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "store/redis/admin.h"
#include "store/redis/broker.h"
#include "store/redis/levels.h"

/* Between two looks at whether the others have come: doubled, up to LOOK_MAX_MS. All
 * stand still meanwhile, and those who come at all come within seconds. */
#define LOOK_MIN_MS 20
#define LOOK_MAX_MS 100

/* What one call brings; the server does nothing else meanwhile. */
#define RECLAIM_TASKS 500
#define RECLAIM_BYTES (256u << 10)
/* A claim that was lost came lately: so far is looked for the task. More than all
 * workers together claim in a second. */
#define RECLAIM_DEPTH "20000"
#define RECLAIM_KEYS (5 + SHARDS)
/* Workers whose last heartbeat was so long before the time until which others are
 * awaited: their life, and what clocks differ by (gather.lua). */
#define EVICT_MS (2 * BROKER_HEARTBEAT_TTL_S * 1000 + 30000)

static void rgather_done(struct rbroker *b);

/* --- claims that others have had ------------------------------------------- */

/* Tasks that go back on record though this server had them nowhere: another worker
 * may have had them in flight, and given back, and that is lost, too. */
struct evict {
	struct redis_request request;
	struct rqueue *queue;
	size_t n;
	struct slice tasks[];
};

static void
rgather_on_evicted(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rbroker *b = arg;

	if (redis_fault(reply) != REDIS_FAULT_LOST &&
	    --b->gather.under_way == 0)
		rgather_done(b);
}

static void
evict_from(const struct evict *e, const char *worker)
{
	struct rqueue *q = e->queue;
	struct slice keys[1 + SHARDS] = {slice_of(q->keys[KEY_RUNNING])};
	char *names[SHARDS];
	bool ok = true;
	unsigned int i;

	for (i = 0; i < SHARDS; i++) {
		names[i] = rqueue_shard_key(q, worker, i);
		keys[1 + i] = slice_of(names[i] != NULL ? names[i] : "");
		ok = ok && names[i] != NULL;
	}
	if (ok &&
	    rbroker_eval(q->broker, SCRIPT_EVICT, rgather_on_evicted, q->broker,
			 1 + SHARDS, keys, e->n, e->tasks) == 0)
		q->broker->gather.under_way++;
	for (i = 0; i < SHARDS; i++)
		free(names[i]);
}

static void
evict_on_workers(struct redis_request *request, const struct redis_reply *reply)
{
	struct evict *e = container_of(request, struct evict, request);
	struct rbroker *b = e->queue->broker;
	char id[TASK_ID_MAX + 1];
	size_t i;

	for (i = 0; i < redis_reply_count(reply); i++) {
		const struct slice name =
		    redis_reply_string(redis_reply_at(reply, i));

		if (name.len == 0 || name.len >= sizeof(id) ||
		    slice_eq(name, slice_of(b->opt.worker)))
			continue;
		snprintf(id, sizeof(id), "%.*s", (int)name.len, name.p);
		evict_from(e, id);
	}
	free(e);
	if (redis_fault(reply) != REDIS_FAULT_LOST &&
	    --b->gather.under_way == 0)
		rgather_done(b);
}

/* Those that were nowhere stand behind the first. Of workers that may be alive. */
static void
rgather_evict(struct rqueue *q, const struct redis_reply *reply)
{
	const size_t n = redis_reply_count(reply) - 1;
	struct rbroker *b = q->broker;
	char since[ARG_NUMBER_SIZE];
	const struct slice workers[] = {
	    SLICE("ZRANGEBYSCORE"), slice_of(b->workers_key),
	    arg_number(since, b->gather.until_ms - EVICT_MS), SLICE("+inf")};
	struct evict *e;
	size_t i, size = 0;
	char *text;

	for (i = 1; i <= n; i++)
		size += redis_reply_string(redis_reply_at(reply, i)).len;
	if (n == 0 ||
	    (e = malloc(sizeof(*e) + n * sizeof(e->tasks[0]) + size)) == NULL)
		return;
	*e = (struct evict){
	    .request = {.queue = b->requests, .on_reply = evict_on_workers},
	    .queue = q,
	    .n = n};
	text = (char *)&e->tasks[n];
	for (i = 0; i < n; i++) {
		const struct slice task =
		    redis_reply_string(redis_reply_at(reply, i + 1));

		memcpy(text, task.p, task.len);
		e->tasks[i] = (struct slice){text, task.len};
		text += task.len;
	}
	if (redis_request_command(&e->request, REDIS_ARGS(workers)) == 0)
		b->gather.under_way++;
	else
		free(e);
}

/* --- claims go back on record ---------------------------------------------- */

static void rgather_reclaim(struct rqueue *q);

/* Lists that were needed are named the second time; if there are more than can be
 * known, it is done without them. */
static void
rgather_on_reclaimed(struct redis *r, const struct redis_reply *reply,
		     void *arg)
{
	struct rqueue *q = arg;
	struct rbroker *b = q->broker;
	const enum redis_fault fault = redis_fault(reply);
	struct err what;

	if (fault == REDIS_FAULT_LOST)
		return; /* the next connection begins again */
	b->gather.under_way--;
	if (fault == REDIS_FAULT_SCRIPT || rlevels_told(reply)) {
		if (rlevels_told(reply) &&
		    (!rlevels_learn(&q->levels, redis_reply_at(reply, 0)) ||
		     !rlevels_know(&q->levels, redis_reply_at(reply, 0))))
			b->gather.insists = true;
		rgather_reclaim(q);
	} else if (fault != REDIS_FAULT_NONE) {
		redis_fault_err(r, "putting claims back on record", reply,
				&what);
		b->opt.on_state(true, false, &what, b->opt.arg);
	} else if (redis_reply_integer(redis_reply_at(reply, 0)) > 0) {
		rgather_evict(q, reply);
		err_set(&what, ERR_UNAVAILABLE,
			"queue %s: %s did not know of %d tasks that this "
			"worker has claimed; they are on record again",
			q->name, b->url_name,
			(int)redis_reply_integer(redis_reply_at(reply, 0)));
		b->opt.on_state(true, false, &what, b->opt.arg);
	}
	if (b->gather.under_way == 0)
		rgather_done(b);
}

/* A call under construction. */
struct reclaim {
	struct slice args[4 + 3 * RECLAIM_TASKS];
	char parts[SHARDS][ARG_NUMBER_SIZE];
	char until[ARG_NUMBER_SIZE], n_parts[ARG_NUMBER_SIZE];
	size_t n, bytes;
};

static void
reclaim_send(struct reclaim *c, struct rqueue *q)
{
	struct rbroker *b = q->broker;
	const size_t n_lists = RECLAIM_KEYS + q->levels.n;
	/* Those that a limit holds are in one more. */
	const size_t n_lanes = q->lanes.n + 1;
	struct slice keys[RECLAIM_KEYS], *all;
	unsigned int i;
	int sent = -1;

	keys[0] = slice_of(q->keys[KEY_WAITING]);
	keys[1] = slice_of(q->keys[KEY_LEVELS]);
	keys[2] = slice_of(q->keys[KEY_DELAYED]);
	keys[3] = slice_of(q->keys[KEY_LANES]);
	keys[4] = slice_of(q->keys[KEY_RUNNING]);
	for (i = 0; i < SHARDS; i++)
		keys[5 + i] = slice_of(q->shards[i].key);
	c->args[0] = arg_number(c->until, b->gather.until_ms);
	c->args[1] = arg_number(c->n_parts, SHARDS);
	c->args[2] = SLICE(RECLAIM_DEPTH);
	c->args[3] = b->gather.insists ? SLICE("1") : SLICE("0");
	all = rlevels_join(&q->levels, q, keys, RECLAIM_KEYS, n_lanes);
	for (i = 0; all != NULL && i < q->lanes.n; i++)
		all[n_lists + i] = slice_of(q->lanes.keys[i]);
	if (all != NULL) {
		all[n_lists + q->lanes.n] = slice_of(q->keys[KEY_HELD]);
		sent =
		    rbroker_eval(b, SCRIPT_RECLAIM, rgather_on_reclaimed, q,
				 n_lists + n_lanes, all, 4 + 3 * c->n, c->args);
	}
	if (sent == 0)
		b->gather.under_way++;
	free(all);
	c->n = c->bytes = 0;
}

/* What is too large is here in part only: it is found again where it waits. */
static void
reclaim_add(struct reclaim *c, const struct rclaim *claim)
{
	struct slice *args = &c->args[4 + 3 * c->n];

	if (claim->lost || claim->pub.whole > 0)
		return;
	args[0] = arg_number(c->parts[claim->shard], claim->shard + 1);
	args[1] = claim->leaving ? SLICE("0") : SLICE("1");
	args[2] = claim->pub.bytes;
	c->bytes += claim->pub.bytes.len;
	c->n++;
}

static void
rgather_reclaim(struct rqueue *q)
{
	struct reclaim *c = malloc(sizeof(*c));
	const struct rclaim *claim;
	unsigned int i;

	if (c == NULL)
		return; /* what is not on record is told to be lost */
	c->n = c->bytes = 0;
	for (i = 0; i < SHARDS; i++)
		TAILQ_FOREACH (claim, &q->shards[i].claims, link) {
			if (c->n == RECLAIM_TASKS ||
			    (c->n > 0 &&
			     c->bytes + claim->pub.bytes.len > RECLAIM_BYTES))
				reclaim_send(c, q);
			reclaim_add(c, claim);
		}
	if (c->n > 0)
		reclaim_send(c, q);
	free(c);
}

/* --- who has come ----------------------------------------------------------- */

static int
rgather_ask(struct rbroker *b, bool done, redis_reply_fn *on_reply)
{
	char life[ARG_NUMBER_SIZE], number[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(b->workers_key),
				     slice_of(b->server_key),
				     slice_of(b->absent_key)};
	const struct slice args[] = {
	    slice_of(b->run_id),
	    arg_number(life, BROKER_HEARTBEAT_TTL_S * 1000),
	    slice_of(b->opt.worker), done ? SLICE("1") : SLICE("0"),
	    arg_number(number, b->gather.number)};

	return rbroker_eval(b, SCRIPT_GATHER, on_reply, b, 3, keys, 5, args);
}

/* All have come. */
static void
rgather_end(struct rbroker *b)
{
	b->gather.holds = false;
	if (b->gather.moved)
		rbroker_settle_anew(b);
	b->gather.moved = false;
	rbroker_start(b);
}

static void
rgather_look_later(struct rbroker *b)
{
	const struct timeval tv = {.tv_sec = b->gather.look_ms / 1000,
				   .tv_usec = b->gather.look_ms % 1000 * 1000};

	evtimer_add(b->gather.look, &tv);
	b->gather.look_ms *= 2;
	if (b->gather.look_ms > LOOK_MAX_MS)
		b->gather.look_ms = LOOK_MAX_MS;
}

static void
rgather_on_looked(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rbroker *b = arg;
	const enum redis_fault fault = redis_fault(reply);

	if (fault == REDIS_FAULT_LOST)
		return;
	if (fault == REDIS_FAULT_SCRIPT)
		rgather_done(b);
	else if (fault == REDIS_FAULT_LATER)
		rgather_look_later(b);
	else if (redis_reply_integer(redis_reply_at(reply, 0)) != 0)
		rgather_look_later(b);
	else
		rgather_end(b);
}

static void
rgather_on_look(evutil_socket_t fd, short what, void *arg)
{
	struct rbroker *b = arg;

	if (b->entering != RENTER_IN || redis_state(b->redis) != REDIS_UP)
		return;
	if (b->gather.begins_again)
		rgather_begin(b);
	else
		rgather_ask(b, true, rgather_on_looked);
}

/* All that it has claimed is on record, or another's. What it finds in flight and
 * does not know may be what another one is about to put back: it is not looked at
 * before all have come. */
static void
rgather_done(struct rbroker *b)
{
	rgather_ask(b, true, rgather_on_looked);
}

/* Each list is compared with memory then, whatever its length. */
static void
rgather_doubt_all(struct rbroker *b)
{
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		rqueue_doubt(&b->queues[i]);
}

/* That it has moved counts until that is dealt with, maybe by a later connection. */
static void
rgather_note(struct rbroker *b, const struct redis_reply *reply)
{
	const int64_t number = redis_reply_integer(redis_reply_at(reply, 2));

	b->gather.until_ms = redis_reply_integer(redis_reply_at(reply, 1));
	if (b->gather.number != 0 && b->gather.number != number)
		b->gather.moved = true;
	b->gather.number = number;
	if (b->gather.moved)
		rgather_doubt_all(b);
}

static void
rgather_on_begun(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rbroker *b = arg;
	const enum redis_fault fault = redis_fault(reply);
	unsigned int i;

	if (fault == REDIS_FAULT_LOST || b->entering != RENTER_IN)
		return;
	if (fault == REDIS_FAULT_SCRIPT) {
		rgather_begin(b);
		return;
	}
	if (fault == REDIS_FAULT_LATER) {
		b->gather.begins_again = true;
		rgather_look_later(b);
		return;
	}
	/* It may not ask: as before there was a question. */
	if (fault != REDIS_FAULT_NONE) {
		b->gather.holds = false;
		rbroker_start(b);
		return;
	}
	rgather_note(b, reply);
	for (i = 0; b->gather.until_ms != 0 && i < b->n_queues; i++)
		rgather_reclaim(&b->queues[i]);
	if (b->gather.under_way > 0)
		return;
	if (b->gather.until_ms == 0 &&
	    redis_reply_integer(redis_reply_at(reply, 0)) == 0) {
		rgather_end(b);
		return;
	}
	rgather_done(b);
}

void
rgather_begin(struct rbroker *b)
{
	b->gather.under_way = 0;
	b->gather.insists = b->gather.begins_again = false;
	b->gather.look_ms = LOOK_MIN_MS;
	b->gather.holds = b->run_id[0] != '\0';
	if (!b->gather.holds)
		rbroker_start(b);
	else
		rgather_ask(b, false, rgather_on_begun);
}

void
rgather_stop(struct rbroker *b)
{
	b->gather.holds = true;
	if (b->gather.look != NULL)
		evtimer_del(b->gather.look);
}

int
rgather_open(struct rbroker *b, struct err *err)
{
	b->gather.look = evtimer_new(b->opt.base, rgather_on_look, b);
	return b->gather.look != NULL ? 0 : err_nomem(err);
}

void
rgather_close(struct rbroker *b)
{
	if (b->gather.look != NULL)
		event_free(b->gather.look);
}
