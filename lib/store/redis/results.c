/* SPDX-License-Identifier: MIT */
/* The Redis backend: opening, closing, and questions. */
#include "store/redis/results.h"

#include <event2/event.h>
#include <stdlib.h>

const char RRESULTS_RECORD[] = "flowrra:task:";
const char RRESULTS_COMPLETE[] = "flowrra:complete:";

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

	TAILQ_REMOVE(&call->results->asked, call, link);
	call->fn(call, reply);
}

void
rresults_answer_later(struct rcall *call)
{
	TAILQ_INSERT_TAIL(&call->results->calls, call, link);
	event_active(call->results->later, EV_TIMEOUT, 0);
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	struct rresults *r = arg;
	struct rcall *call;

	r->answering = true;
	while (!r->dead && (call = TAILQ_FIRST(&r->calls)) != NULL) {
		TAILQ_REMOVE(&r->calls, call, link);
		call->fn(call, NULL);
	}
	r->answering = false;
	if (r->dead)
		free(r);
}

static void
asked(struct rcall *call, int sent)
{
	if (sent == 0)
		TAILQ_INSERT_TAIL(&call->results->asked, call, link);
	else
		rresults_answer_later(call);
}

void
rresults_ask(struct rcall *call, size_t argc, const struct slice *argv)
{
	asked(call,
	      redis_command(call->results->redis, on_reply, call, argc, argv));
}

void
rresults_ask_script(struct rcall *call, const struct rscript_call *s)
{
	asked(call, redis_eval(call->results->redis, s->script, on_reply, call,
			       s->n_keys, s->keys, s->n_args, s->args));
}

struct rcall *
rresults_call(struct results *results, results_record_fn *on_record, void *arg)
{
	struct rcall *call = malloc(sizeof(*call));
	struct err err;

	if (call == NULL) {
		err_nomem(&err);
		on_record((struct slice){NULL, 0}, &err, arg);
		return NULL;
	}
	*call = (struct rcall){.results = (struct rresults *)results,
			       .on_record = on_record,
			       .arg = arg};
	return call;
}

/* --- one record -------------------------------------------------------- */

struct slice
rresults_record(const struct redis_reply *reply)
{
	if (redis_reply_type(reply) != REDIS_STRING)
		return (struct slice){NULL, 0};
	return redis_reply_string(reply);
}

static void
on_got(struct rcall *call, const struct redis_reply *reply)
{
	struct err err;

	if (redis_fault(reply) == REDIS_FAULT_NONE) {
		call->on_record(rresults_record(reply), NULL, call->arg);
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
	struct rcall *call = rresults_call(results, on_record, arg);
	struct buf key = BUF_INIT;
	const struct slice argv[] = {SLICE("GET"),
				     rresults_key(&key, RRESULTS_RECORD, id)};

	if (call == NULL)
		return;
	call->fn = on_got;
	rresults_ask(call, 2, argv);
	buf_done(&key);
}

/* --- opening and closing ----------------------------------------------- */

static void
on_redis_state(struct redis *redis, enum redis_state state,
	       const struct err *why, void *arg)
{
	struct rresults *r = arg;

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
	rresults_index_close(r);
	rresults_reply_close(r);
	buf_done(&r->key);
	redis_url_done(&r->url);
	free(r->url_name);
	if (r->answering)
		r->dead = true;
	else
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
	TAILQ_INIT(&r->awaited);
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
	if (rresults_index_open(r, err) != 0 ||
	    outbox_init(&r->outbox, options->base, &rresults_records, r, err) !=
		0 ||
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
    .put = rresults_put,
    .unconfirmed = rresults_unconfirmed,
    .get = get,
    .create = rresults_create,
    .forget = rresults_forget,
    .watch = rresults_watch,
    .unwatch = rresults_unwatch,
    .reply_to = rresults_reply_to,
    .await = rresults_await,
    .event = rresults_event,
    .heard = rresults_heard,
    .listen = rresults_listen,
    .list = rresults_list,
    .counts = rresults_counts,
    .reopen = rresults_reopen,
};
