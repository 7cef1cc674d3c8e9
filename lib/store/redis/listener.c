/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: the connection that carries all subscriptions.
 *
 * A connection that subscribes can do nothing else (RESP2), so there is a
 * second one, made by the first who needs it: workers never do. What arrives
 * belongs to files above this one, so it goes to the callbacks that results.c
 * has set.
 */
#include "store/redis/results.h"

/* An event carries a record: arguments and a result of up to 32 MiB each, and
 * room for escapes and the rest. */
#define MESSAGE_MAX (80u << 20)

static void
rlistener_on_state(struct redis *redis, enum redis_state state,
		   const struct err *why, void *arg)
{
	struct rresults *r = arg;

	/* The server knows none of the subscriptions until they are confirmed
	 * again: nobody may be told an address that does not receive. */
	r->reply_ready = false;
	if (state == REDIS_DOWN)
		r->heard.on_down(r, why);
	if (state != REDIS_REFUSED)
		return;
	r->heard.on_refused(r, why);
	r->opt.on_state(false, true, why, r->opt.arg);
}

static void
rlistener_on_message(struct redis *redis, struct slice channel,
		     struct slice payload, void *arg)
{
	struct rresults *r = arg;

	r->heard.on_message(r, channel, payload);
}

int
rresults_open_listener(struct rresults *r, struct err *err)
{
	const struct redis_options options = {.url = &r->url,
					      .client_name = "flowrra-watch",
					      .timeout_ms = r->opt.timeout_ms,
					      .max_reply = MESSAGE_MAX,
					      .any_node = true,
					      .on_state = rlistener_on_state,
					      .on_message =
						  rlistener_on_message,
					      .arg = r};

	if (r->listener == NULL)
		r->listener = redis_new(r->opt.base, &options, err);
	return r->listener ? 0 : -1;
}
