/* SPDX-License-Identifier: MIT */
/* The Redis backend: records. */
#include "results/redis.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EARS_S 3

const char RRESULTS_RECORD[] = "flowrra:task:";
const char RRESULTS_COMPLETE[] = "flowrra:complete:";
static const char EVENTS[] = "flowrra:events";

struct slice
rresults_key(struct buf *key, const char *prefix, struct slice id)
{
	size_t start = key->len;

	buf_adds(key, prefix);
	buf_add(key, id.p, id.len);
	if (key->failed)
		return (struct slice){NULL, 0};
	return (struct slice){key->data + start, key->len - start};
}

/* --- questions --------------------------------------------------------- */

static void
on_reply(struct redis *redis, const struct redis_reply *reply, void *arg)
{
	struct rcall *call = arg;

	(void)redis;
	TAILQ_REMOVE(&call->results->asked, call, link);
	call->fn(call, reply);
}

/* There is no server to ask: the loop answers, soon. */
static void
answer_later(struct rcall *call)
{
	TAILQ_INSERT_TAIL(&call->results->calls, call, link);
	event_active(call->results->later, EV_TIMEOUT, 0);
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	struct rresults *r = arg;
	struct rcall *call;

	(void)fd;
	(void)what;
	while ((call = TAILQ_FIRST(&r->calls)) != NULL) {
		TAILQ_REMOVE(&r->calls, call, link);
		call->fn(call, NULL);
	}
}

void
rresults_ask(struct rcall *call, size_t argc, const struct slice *argv)
{
	struct rresults *r = call->results;

	if (redis_command(r->redis, on_reply, call, argc, argv) == 0)
		TAILQ_INSERT_TAIL(&r->asked, call, link);
	else
		answer_later(call);
}

static void
on_got(struct rcall *call, const struct redis_reply *reply)
{
	struct err err;

	if (redis_fault(reply) == REDIS_FAULT_NONE) {
		call->on_record(redis_reply_string(reply), NULL, call->arg);
	} else {
		redis_fault_err(call->results->redis, "reading a result", reply,
				&err);
		call->on_record((struct slice){NULL, 0}, &err, call->arg);
	}
	free(call);
}

static void
get(struct results *results, struct slice id, results_record_fn *on_record,
    void *arg)
{
	struct rcall *call = malloc(sizeof(*call));
	struct buf key = BUF_INIT;
	struct slice argv[] = {SLICE("GET"),
			       rresults_key(&key, RRESULTS_RECORD, id)};
	struct err err;

	if (call == NULL || key.failed) {
		free(call);
		err_nomem(&err);
		on_record((struct slice){NULL, 0}, &err, arg);
		return;
	}
	*call = (struct rcall){.results = (struct rresults *)results,
			       .fn = on_got,
			       .on_record = on_record,
			       .arg = arg};
	rresults_ask(call, 2, argv);
	buf_done(&key);
}

/* --- storing ----------------------------------------------------------- */

static const struct redis_script store_oom = {.name = "store", .text =
#include "store.lua.inc"
};

static const struct redis_script store_note = {.name = "note", .text =
#include "note.lua.inc"
};

static int
send_set(const struct rresults *r, const struct results_put *put,
	 struct slice key, redis_reply_fn *fn, void *arg)
{
	char ttl[24];
	int n = snprintf(ttl, sizeof(ttl), "%" PRId64, put->ttl_s);
	const struct slice set[] = {
	    SLICE("SET"), key, put->record, SLICE("EX"), {ttl, (size_t)n}};
	const struct slice args[] = {put->record, {ttl, (size_t)n}};

	if (!put->final)
		return redis_eval(r->redis, &store_note, fn, arg, 1, &key, 1,
				  args);
	if (r->full)
		return redis_eval(r->redis, &store_oom, fn, arg, 1, &key, 2,
				  args);
	return redis_command(r->redis, fn, arg, put->ttl_s > 0 ? 5 : 3, set);
}

static int
send_put(const struct rresults *r, struct results_put *put, redis_reply_fn *fn,
	 void *arg)
{
	struct buf key = BUF_INIT;
	struct slice publish[] = {SLICE("PUBLISH"), {NULL, 0}, SLICE("done")};
	const struct slice name = rresults_key(&key, RRESULTS_RECORD, put->id);
	int sent = key.failed ? -1 : send_set(r, put, name, fn, arg);

	if (sent == 0 && put->final) {
		buf_reset(&key);
		publish[1] = rresults_key(&key, RRESULTS_COMPLETE, put->id);
		/* Should the SET be refused, it only wakes somebody early. */
		if (!key.failed)
			redis_command(r->redis, NULL, NULL, 3, publish);
	}
	buf_done(&key);
	return sent;
}

static int
send_pending(struct pending *p, struct redis *redis, redis_reply_fn *fn,
	     void *arg)
{
	const struct outbox *o = p->owner;

	(void)redis;
	return send_put(container_of(o, const struct rresults, outbox),
			container_of(p, struct results_put, pending), fn, arg);
}

static void
stored(struct pending *p, const struct redis_reply *reply, void *arg)
{
	struct results_put *put = container_of(p, struct results_put, pending);

	(void)reply;
	(void)arg;
	put->on_done(put);
}

static void
on_trouble(const struct err *why, void *arg)
{
	struct rresults *r = arg;

	/* Should the script be what the server does not like: SET again. */
	r->full = why->code == ERR_FULL;
	r->opt.on_state(true, false, why, r->opt.arg);
}

static const struct outbox_ops records = {
    .send = send_pending, .done = stored, .on_trouble = on_trouble};

/* Stored or not, it is over. */
static void
on_lossy(struct rcall *call, const struct redis_reply *reply)
{
	struct results_put *put = call->arg;

	(void)reply;
	free(call);
	put->on_done(put);
}

static void
put_lossy(struct rresults *r, struct results_put *put)
{
	struct rcall *call = malloc(sizeof(*call));

	if (call == NULL) {
		put->on_done(put);
		return;
	}
	*call = (struct rcall){.results = r, .fn = on_lossy, .arg = put};
	if (send_put(r, put, on_reply, call) == 0)
		TAILQ_INSERT_TAIL(&r->asked, call, link);
	else
		answer_later(call);
}

static void
put_record(struct results *results, struct results_put *put)
{
	struct rresults *r = (struct rresults *)results;

	if (put->lossy)
		put_lossy(r, put);
	else
		outbox_add(&r->outbox, &put->pending);
}

static size_t
unconfirmed(const struct results *results)
{
	return ((const struct rresults *)results)->outbox.count;
}

/* --- pending records --------------------------------------------------- */

struct creation {
	struct rresults *results;
	const struct slice *ids;
	struct err *errs;
	size_t n;
	size_t left; /* to be answered */
	results_created_fn *on_done;
	void *arg;
};

static void
created(struct creation *c)
{
	if (--c->left > 0)
		return;
	c->on_done(c->errs, c->n, c->arg);
	free(c);
}

static void
on_created(struct rcall *call, const struct redis_reply *reply)
{
	struct creation *c = call->arg;
	const size_t i = call->index;

	free(call);
	if (redis_fault(reply) != REDIS_FAULT_NONE)
		redis_fault_err(c->results->redis, "storing a pending record",
				reply, &c->errs[i]);
	else if (redis_reply_type(reply) == REDIS_NIL)
		err_set(&c->errs[i], ERR_REFUSED,
			"there is a task with the id %.*s already",
			(int)c->ids[i].len, c->ids[i].p);
	created(c);
}

static void
create_one(struct creation *c, size_t i, struct slice record)
{
	struct rcall *call = malloc(sizeof(*call));
	struct buf key = BUF_INIT;
	const struct slice argv[] = {
	    SLICE("SET"), rresults_key(&key, RRESULTS_RECORD, c->ids[i]),
	    record, SLICE("NX")};

	c->errs[i] = (struct err)ERR_INIT;
	if (call == NULL || key.failed) {
		free(call);
		err_nomem(&c->errs[i]);
	} else {
		*call = (struct rcall){.results = c->results,
				       .fn = on_created,
				       .arg = c,
				       .index = i};
		c->left++;
		rresults_ask(call, 4, argv);
	}
	buf_done(&key);
}

static void
create(struct results *results, const struct slice *ids,
       const struct slice *new_records, struct err *errs, size_t n,
       results_created_fn *on_done, void *arg)
{
	struct creation *c = malloc(sizeof(*c));
	size_t i;

	if (c == NULL) {
		for (i = 0; i < n; i++)
			err_nomem(&errs[i]);
		on_done(errs, n, arg);
		return;
	}
	*c = (struct creation){.results = (struct rresults *)results,
			       .ids = ids,
			       .errs = errs,
			       .n = n,
			       .left = 1,
			       .on_done = on_done,
			       .arg = arg};
	for (i = 0; i < n; i++)
		create_one(c, i, new_records[i]);
	created(c);
}

static void
forget(struct results *results, const struct slice *ids, size_t n)
{
	struct rresults *r = (struct rresults *)results;
	struct buf key = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++) {
		buf_reset(&key);
		const struct slice argv[] = {
		    SLICE("UNLINK"),
		    rresults_key(&key, RRESULTS_RECORD, ids[i])};

		if (!key.failed)
			redis_command(r->redis, NULL, NULL, 2, argv);
	}
	buf_done(&key);
}

/* --- events ------------------------------------------------------------ */

static void
on_listeners(struct rcall *call, const struct redis_reply *reply)
{
	struct rresults *r = call->results;
	const struct timeval tv = {.tv_sec = EARS_S};

	free(call);
	if (redis_fault(reply) == REDIS_FAULT_NONE)
		r->heard = redis_reply_integer(redis_reply_at(reply, 1)) > 0;
	evtimer_add(r->ears, &tv);
}

static void
on_ears(evutil_socket_t fd, short what, void *arg)
{
	struct rresults *r = arg;
	struct rcall *call = malloc(sizeof(*call));
	const struct slice argv[] = {SLICE("PUBSUB"), SLICE("NUMSUB"),
				     slice_of(EVENTS)};

	(void)fd;
	(void)what;
	if (call == NULL)
		return;
	*call = (struct rcall){.results = r, .fn = on_listeners};
	rresults_ask(call, 3, argv);
}

static bool
heard(const struct results *results)
{
	struct rresults *r = (struct rresults *)results;

	if (r->ears == NULL &&
	    (r->ears = evtimer_new(r->opt.base, on_ears, r)) != NULL)
		event_active(r->ears, EV_TIMEOUT, 0);
	return r->heard;
}

static void
publish_event(struct results *results, struct slice event)
{
	const struct slice argv[] = {SLICE("PUBLISH"), slice_of(EVENTS), event};

	redis_command(((struct rresults *)results)->redis, NULL, NULL, 3, argv);
}

/* --- opening and closing ----------------------------------------------- */

static void
on_redis_state(struct redis *redis, enum redis_state state,
	       const struct err *why, void *arg)
{
	struct rresults *r = arg;

	(void)redis;
	if (state == REDIS_UP) {
		outbox_push(&r->outbox);
		rresults_watches_up(r);
	}
	r->opt.on_state(state == REDIS_UP, state == REDIS_REFUSED, why,
			r->opt.arg);
}

static const char *
name(const struct results *results)
{
	return ((const struct rresults *)results)->url_name;
}

static bool
is_up(const struct results *results)
{
	return redis_state(((const struct rresults *)results)->redis) ==
	       REDIS_UP;
}

static void
close_results(struct results *results)
{
	struct rresults *r = (struct rresults *)results;
	struct rcall *call;

	redis_free(r->redis);
	redis_free(r->listener);
	rresults_watches_free(r);
	outbox_done(&r->outbox);
	TAILQ_CONCAT(&r->calls, &r->asked, link);
	while ((call = TAILQ_FIRST(&r->calls)) != NULL) {
		TAILQ_REMOVE(&r->calls, call, link);
		free(call);
	}
	if (r->later != NULL)
		event_free(r->later);
	if (r->ears != NULL)
		event_free(r->ears);
	redis_url_done(&r->url);
	free(r->url_name);
	free(r);
}

static struct results *
open_results(const struct results_options *options, struct err *err)
{
	struct rresults *r = calloc(1, sizeof(*r));
	struct redis_options redis = {.client_name = "flowrra-results",
				      .timeout_ms = options->timeout_ms,
				      .on_state = on_redis_state};
	size_t i;

	if (r == NULL) {
		err_nomem(err);
		return NULL;
	}
	r->pub.ops = &results_redis;
	r->opt = *options;
	TAILQ_INIT(&r->calls);
	TAILQ_INIT(&r->asked);
	for (i = 0; i < TOPIC_BUCKETS; i++)
		TAILQ_INIT(&r->topics[i]);
	if (redis_url_parse(options->url, &r->url, err) != 0) {
		err_prefix(err, "[backend] url");
		goto fail;
	}
	r->url_name = redis_url_name(&r->url);
	r->later = evtimer_new(options->base, on_later, r);
	if (r->url_name == NULL || r->later == NULL) {
		err_nomem(err);
		goto fail;
	}
	redis.url = &r->url;
	redis.arg = r;
	if (outbox_init(&r->outbox, options->base, &records, r, err) != 0 ||
	    (r->redis = redis_new(options->base, &redis, err)) == NULL)
		goto fail;
	r->outbox.redis = r->redis;
	return &r->pub;
fail:
	close_results(&r->pub);
	return NULL;
}

const struct results_ops results_redis = {
    .schemes = (const char *const[]){"redis://", "rediss://", "unix://", NULL},
    .open = open_results,
    .close = close_results,
    .name = name,
    .is_up = is_up,
    .put = put_record,
    .unconfirmed = unconfirmed,
    .get = get,
    .create = create,
    .forget = forget,
    .watch = rresults_watch,
    .unwatch = rresults_unwatch,
    .event = publish_event,
    .heard = heard,
};
