/* SPDX-License-Identifier: MIT */
/*
 * The public functions of a Redis connection, and how it is made and freed.
 *
 * None of them calls back: what they start goes on from the loop, and on_state
 * reports what goes wrong. So a caller never finds its own state changed when a
 * function returns.
 */
#include "redis/redis.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"
#include "redis/reader.h"
#include "redis/tls.h"

/* A string in Redis is not longer (proto-max-bulk-len), unless the limit was
 * raised. */
#define MAX_REPLY_DEFAULT (512UL * 1024 * 1024)

/* The user's URL and name may go once redis_new() has returned: both are needed
 * again with each attempt to connect. */
static int
copy_options(struct redis *r, const struct redis_options *options)
{
	r->options = *options;
	r->options.url = NULL;
	r->options.client_name = NULL;
	r->options.key = NULL;
	if (options->max_reply == 0)
		r->options.max_reply = MAX_REPLY_DEFAULT;
	if (redis_url_copy(&r->url, options->url) != 0)
		return -1;
	r->name = redis_url_name(&r->url);
	if (r->name == NULL)
		return -1;
	snprintf(r->db, sizeof(r->db), "%u", r->url.db);
	if (options->client_name == NULL)
		return 0;
	r->client_name = strdup(options->client_name);
	return r->client_name != NULL ? 0 : -1;
}

struct redis *
redis_new(struct event_base *base, const struct redis_options *options,
	  struct err *err)
{
	struct redis *r = calloc(1, sizeof(*r));

	if (r == NULL || copy_options(r, options) != 0 ||
	    (r->retry = evtimer_new(base, redis_conn_on_retry, r)) == NULL ||
	    (r->deadline = evtimer_new(base, redis_conn_on_deadline, r)) ==
		NULL ||
	    (r->flusher = evtimer_new(base, redis_transport_on_flush, r)) ==
		NULL) {
		err_nomem(err);
		goto fail;
	}
	r->base = base;
	if (options->timeout_ms <= 0) {
		err_set(err, ERR_CONFIG, "%s: the timeout must be positive",
			r->name);
		goto fail;
	}
	if (redis_reader_load(err) != 0) {
		err_prefix(err, "%s", r->name);
		goto fail;
	}
	if (r->url.tls && (r->tls = redis_tls_new(&r->url, err)) == NULL) {
		err_prefix(err, "%s", r->name);
		goto fail;
	}
	if (r->url.cluster && options->key == NULL && !options->any_node) {
		r->router = redis_router_new(r, base, &r->url, options, err);
		if (r->router == NULL)
			goto fail;
		return r;
	}
	r->member.slot = options->key != NULL
			     ? (int)redis_slot_of(slice_of(options->key))
			     : -1;
	if (redis_find_open(r, err) != 0)
		goto fail;
	/* The first attempt runs from the loop: the caller must have stored the
	 * pointer before on_state is called. */
	redis_conn_schedule(r, 0);
	return r;

fail:
	redis_conn_destroy(r);
	return NULL;
}

/*
 * Also frees what redis_new() made before it failed: every pointer may be NULL.
 */
void
redis_conn_destroy(struct redis *r)
{
	if (r == NULL)
		return;
	redis_router_free(r->router);
	redis_find_close(r);
	if (r->retry != NULL)
		event_free(r->retry);
	if (r->deadline != NULL)
		event_free(r->deadline);
	if (r->flusher != NULL)
		event_free(r->flusher);
	redis_pubsub_done(r);
	redis_script_done(r);
	redis_ring_done(&r->due);
	redis_reader_free(r->reader);
	redis_tls_free(r->tls);
	redis_url_done(&r->url);
	free(r->client_name);
	free(r->name);
	free(r);
}

void
redis_free(struct redis *r)
{
	if (r == NULL)
		return;
	/* One of its own callbacks may have called: then the memory goes when
	 * the last hold ends. */
	redis_conn_hold(r);
	redis_router_free(r->router);
	r->router = NULL;
	redis_conn_close(r);
	redis_find_close(r);
	event_del(r->retry);
	r->phase = REDIS_PHASE_REFUSED; /* for the callback that is running */
	r->freed = true;
	redis_conn_release(r);
}

/* The phases on the way up are one state to the user, who can do the same in
 * all of them: wait. */
enum redis_state
redis_state(const struct redis *r)
{
	if (r->router != NULL)
		return redis_router_state(r->router);
	switch (r->phase) {
	case REDIS_PHASE_UP:
		return REDIS_UP;
	case REDIS_PHASE_REFUSED:
		return REDIS_REFUSED;
	case REDIS_PHASE_WAITING:
	case REDIS_PHASE_FINDING:
	case REDIS_PHASE_DIALING:
	case REDIS_PHASE_SECURING:
	case REDIS_PHASE_LOGGING_IN:
		break;
	}
	return REDIS_DOWN;
}

int64_t
redis_client_id(const struct redis *r)
{
	return r->client_id;
}

const char *
redis_name(const struct redis *r)
{
	return r->name;
}

/* Bytes that the socket did not take yet. A caller that produces faster than
 * the server reads sees it grow. */
size_t
redis_backlog(const struct redis *r)
{
	if (r->router != NULL)
		return redis_router_backlog(r->router);
	return r->out.buf != NULL ? evbuffer_get_length(r->out.buf) : 0;
}

/* To the node that has its key, if it has one. */
static int
redis_send_routed(struct redis *r, redis_reply_fn *on_reply, void *arg,
		  bool brisk, size_t argc, const struct slice *argv)
{
	const struct redis_routed_call call = {
	    .on_reply = on_reply,
	    .arg = arg,
	    .brisk = brisk,
	    .key = redis_router_key(argc, argv)};

	return redis_router_send(r->router, &call,
				 &(struct redis_args){argv, argc}, 1);
}

int
redis_command_brisk(struct redis *r, redis_reply_fn *on_reply, void *arg,
		    size_t argc, const struct slice *argv)
{
	if (r->router == NULL)
		return redis_command(r, on_reply, arg, argc, argv);
	return redis_send_routed(r, on_reply, arg, true, argc, argv);
}

int
redis_command(struct redis *r, redis_reply_fn *on_reply, void *arg, size_t argc,
	      const struct slice *argv)
{
	return redis_command_blocking(r, 0, on_reply, arg, argc, argv);
}

int
redis_command_blocking(struct redis *r, int64_t block_ms,
		       redis_reply_fn *on_reply, void *arg, size_t argc,
		       const struct slice *argv)
{
	const struct redis_due due = {
	    .on_reply = on_reply,
	    .arg = arg,
	    .block_ms = block_ms,
	};

	if (r->router != NULL)
		return redis_send_routed(r, on_reply, arg, false, argc, argv);
	if (r->phase != REDIS_PHASE_UP || r->subscriber)
		return -1;
	return redis_conn_send(r, due, &(struct redis_args){argv, argc}, 1);
}

void
redis_get_nodes(const struct redis *r, struct redis_nodes *ret)
{
	*ret = (struct redis_nodes){.n = 0};
	if (r->router != NULL)
		redis_router_get_nodes(r->router, ret);
}

bool
redis_get_node(const struct redis *r, size_t n, struct redis_node *ret)
{
	return r->router != NULL && redis_router_get_node(r->router, n, ret);
}

int
redis_command_near(struct redis *r, struct slice key, redis_reply_fn *on_reply,
		   void *arg, size_t argc, const struct slice *argv)
{
	if (r->router == NULL)
		return redis_command(r, on_reply, arg, argc, argv);
	return redis_router_send(
	    r->router,
	    &(struct redis_routed_call){
		.on_reply = on_reply, .arg = arg, .key = key},
	    &(struct redis_args){argv, argc}, 1);
}

size_t
redis_command_all(struct redis *r, redis_reply_fn *on_reply, void *arg,
		  size_t argc, const struct slice *argv)
{
	if (r->router == NULL)
		return redis_command(r, on_reply, arg, argc, argv) == 0;
	return redis_router_send_all(
	    r->router,
	    &(struct redis_routed_call){.on_reply = on_reply, .arg = arg},
	    (struct redis_args){argv, argc});
}

int
redis_command_node(struct redis *r, size_t n, redis_reply_fn *on_reply,
		   void *arg, size_t argc, const struct slice *argv)
{
	if (r->router == NULL)
		return n == 0 ? redis_command(r, on_reply, arg, argc, argv)
			      : -1;
	return redis_router_send_node(
	    r->router, n,
	    &(struct redis_routed_call){.on_reply = on_reply, .arg = arg},
	    (struct redis_args){argv, argc});
}
