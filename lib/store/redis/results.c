/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: opening, closing, and reading one record.
 *
 * There is one connection for commands from the start, and one that listens from
 * when somebody does: a worker does not.
 */
#include "store/redis/results.h"

#include <event2/event.h>
#include <stdlib.h>

const char RRESULTS_COMPLETE[] = "flowrra:complete:";

/* --- requests ---------------------------------------------------------- */

void
rresults_command(struct redis_request *request, struct redis_args argv)
{
	if (redis_request_command(request, argv) != 0)
		redis_request_later(request);
}

void
rresults_eval(struct redis_request *request, const struct redis_script *script,
	      struct redis_args keys, struct redis_args args)
{
	if (redis_request_eval(request, script, keys, args) != 0)
		redis_request_later(request);
}

struct rresults_request *
rresults_request_new(struct rresults *r, redis_request_fn *on_reply, void *arg)
{
	struct rresults_request *request = malloc(sizeof(*request));

	if (request != NULL)
		*request = (struct rresults_request){
		    .request = {.queue = r->requests, .on_reply = on_reply},
		    .results = r,
		    .arg = arg};
	return request;
}

struct rresults_request *
rresults_request_record(struct results *results, redis_request_fn *on_reply,
			results_record_fn *on_record, void *arg)
{
	struct rresults_request *request =
	    rresults_request_new((struct rresults *)results, on_reply, arg);
	struct err err;

	if (request == NULL) {
		err_nomem(&err);
		on_record((struct slice){NULL, 0}, &err, arg);
		return NULL;
	}
	request->on_record = on_record;
	return request;
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
on_got(struct redis_request *request, const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
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
	struct rresults_request *call =
	    rresults_request_record(results, on_got, on_record, arg);
	struct buf key = BUF_INIT;
	const struct slice argv[] = {SLICE("GET"),
				     arg_key(&key, ARG_RECORD, id)};

	if (call == NULL)
		return;
	rresults_command(&call->request, REDIS_ARGS(argv));
	buf_done(&key);
}

/* --- opening and closing ----------------------------------------------- */

static void
rresults_on_state(struct redis *redis, enum redis_state state,
		  const struct err *why, void *arg)
{
	struct rresults *r = arg;

	if (state == REDIS_UP) {
		/* Records first, on the same connection: what watches ask for
		 * then is in them. */
		outbox_push(&r->outbox);
		rresults_watches_up(r);
	}
	r->opt.on_state(state == REDIS_UP, state == REDIS_REFUSED, why,
			r->opt.arg);
}

static const char *
rresults_name(const struct results *results)
{
	return ((const struct rresults *)results)->url_name;
}

static bool
rresults_is_up(const struct results *results)
{
	return redis_state(((const struct rresults *)results)->redis) ==
	       REDIS_UP;
}

static void
rresults_close(struct results *results)
{
	struct rresults *r = (struct rresults *)results;

	/* Connections first: after that nothing calls back. */
	redis_free(r->redis);
	redis_free(r->listener);
	rresults_watches_free(r);
	outbox_done(&r->outbox);
	redis_requests_free(r->requests);
	if (r->subscriber_check != NULL)
		event_free(r->subscriber_check);
	rresults_index_close(r);
	rresults_reply_close(r);
	buf_done(&r->key);
	redis_url_done(&r->url);
	free(r->url_name);
	free(r);
}

static struct results *
rresults_open(const struct results_options *options, struct err *err)
{
	struct rresults *r = calloc(1, sizeof(*r));
	struct redis_options redis = {.client_name = "flowrra-results",
				      .timeout_ms = options->timeout_ms,
				      .on_state = rresults_on_state};

	if (r == NULL) {
		err_nomem(err);
		return NULL;
	}
	r->pub.ops = &results_redis;
	r->opt = *options;
	rresults_watches_init(r);
	if (redis_url_parse(options->url, &r->url, err) != 0) {
		err_prefix(err, "[backend] url");
		goto fail;
	}
	r->url_name = redis_url_name(&r->url);
	if (r->url_name == NULL) {
		err_nomem(err);
		goto fail;
	}
	redis.url = &r->url;
	redis.arg = r;
	if (rresults_index_open(r, err) != 0 ||
	    outbox_init(&r->outbox, options->base, &rresults_records, r, err) !=
		0 ||
	    (r->redis = redis_new(options->base, &redis, err)) == NULL ||
	    (r->requests = redis_requests_new(options->base, r->redis, err)) ==
		NULL)
		goto fail;
	r->outbox.redis = r->redis;
	return &r->pub;
fail:
	rresults_close(&r->pub);
	return NULL;
}

const struct results_ops results_redis = {
    .open = rresults_open,
    .close = rresults_close,
    .name = rresults_name,
    .is_up = rresults_is_up,
    .put = rresults_put,
    .unconfirmed = rresults_unconfirmed,
    .get = get,
    .create = rresults_create,
    .forget = rresults_forget,
    .watch = rresults_watch,
    .unwatch = watches_unwatch,
    .reply_to = rresults_reply_to,
    .await = rresults_await,
    .event = rresults_event,
    .heard = rresults_has_subscribers,
    .listen = rresults_listen,
    .list = rresults_list,
    .counts = rresults_counts,
    .reopen = rresults_reopen,
};
