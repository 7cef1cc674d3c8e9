/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: opening, closing, and reading one record. The files below
 * it do the rest; the table at the end names all operations.
 *
 * There is one connection for commands from the start, and one that listens
 * from when somebody does: a worker does not.
 */
#include "store/redis/results.h"

#include <event2/event.h>
#include <stdlib.h>

/* --- one record -------------------------------------------------------- */

/* A record that does not exist is an answer, not an error: p == NULL. */
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

	/* Without a key, it is answered as if there were no server. */
	if (call != NULL && key.failed)
		redis_request_later(&call->request);
	else if (call != NULL)
		rresults_command(&call->request, REDIS_ARGS(argv));
	buf_done(&key);
}

/* --- opening and closing ----------------------------------------------- */

/*
 * Called by the connection for commands; the listener's state is listener.c's.
 */
static void
rresults_on_state(struct redis *redis, enum redis_state state,
		  const struct err *why, void *arg)
{
	struct rresults *r = arg;

	if (state == REDIS_UP) {
		/* Records first, on the same connection: what watches ask for
		 * then is in them. */
		outbox_push(&r->outbox);
		rfinals_flush(r);
		rresults_watches_up(r);
		rexamine_up(r);
	}
	r->opt.on_state(state == REDIS_UP, state == REDIS_REFUSED, why,
			r->opt.arg);
}

/* The channel says whose a message is. Replies come first: they are the most
 * frequent where there are any. */
static void
rresults_on_message(struct rresults *r, struct slice channel,
		    struct slice payload)
{
	if (!rresults_reply_message(r, channel, payload) &&
	    !rresults_event_message(r, channel, payload))
		rresults_watches_message(r, channel);
}

/* Where there is a server that answers, it may be for want of a right. */
static void
rresults_on_deaf(struct rresults *r, const struct err *why)
{
	if (redis_state(r->redis) != REDIS_UP)
		return;
	rresults_watches_down(r);
	rresults_events_down(r, why);
}

static const char *
rresults_name(const struct results *results)
{
	return ((const struct rresults *)results)->url_name;
}

/* The listener does not count: those who wait hear of its errors themselves. */
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
	rresults_events_close(r);
	rresults_index_close(r);
	rfinals_close(r);
	rresults_reply_close(r);
	rresults_echo_close(r);
	buf_done(&r->key);
	redis_url_done(&r->url);
	free(r->url_name);
	free(r);
}

/* Connections are made at last: what they call back must be complete. The
 * server need not be up; nothing here waits for it. */
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
	r->heard.on_message = rresults_on_message;
	r->heard.on_down = rresults_on_deaf;
	r->heard.on_refused = rresults_watches_refused;
	TAILQ_INIT(&r->awaited);
	rresults_watches_init(r);
	if (redis_url_parse(options->url, &r->url, err) != 0) {
		err_prefix(err, "[backend] url");
		goto fail;
	}
	r->cluster = r->url.cluster;
	r->url_name = redis_url_name(&r->url);
	if (r->url_name == NULL) {
		err_nomem(err);
		goto fail;
	}
	redis.url = &r->url;
	redis.arg = r;
	if (rresults_index_open(r, err) != 0 || rfinals_open(r, err) != 0 ||
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

static void
rresults_hurry(struct results *results)
{
	rresults_index_hurry(results);
	rresults_events_hurry((struct rresults *)results);
}

const struct results_ops results_redis = {
    .open = rresults_open,
    .close = rresults_close,
    .name = rresults_name,
    .is_up = rresults_is_up,
    .put = rresults_put,
    .unconfirmed = rresults_unconfirmed,
    .hurry = rresults_hurry,
    .get = get,
    .create = rresults_create,
    .forget = rresults_forget,
    .watch = rresults_watch,
    .follow = rresults_follow,
    .unwatch = watches_unwatch,
    .reply_to = rresults_reply_to,
    .await = rresults_await,
    .event = rresults_event,
    .heard = rresults_heard,
    .expect = rresults_expect,
    .listen = rresults_listen,
    .list = rresults_list,
    .counts = rresults_counts,
    .reopen = rresults_reopen,
    .measure = rresults_measure,
    .measures = rresults_measures,
    .examine = rresults_examine,
};
