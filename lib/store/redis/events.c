/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: task events, on a channel; and the connection that carries
 * all subscriptions.
 */
#include <event2/event.h>
#include <stdlib.h>

#include "store/redis/results.h"

/* A subscriber is noticed within this time; a worker without one is spared the
 * events, at the price of one PUBSUB a second. */
#define SUBSCRIBER_CHECK_S 1
/* An event carries a record: arguments and a result of up to 32 MiB each, and
 * room for escapes and the rest. */
#define MESSAGE_MAX (80u << 20)

const char RRESULTS_EVENTS[] = "flowrra:events";

/* --- telling ----------------------------------------------------------- */

static void
on_listeners(struct redis_request *request, const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	struct rresults *r = call->results;
	const struct timeval tv = {.tv_sec = SUBSCRIBER_CHECK_S};

	free(call);
	if (redis_fault(reply) == REDIS_FAULT_NONE)
		r->has_subscribers =
		    redis_reply_integer(redis_reply_at(reply, 1)) > 0;
	/* Also after a failure: what is known stays until it is answered. */
	evtimer_add(r->subscriber_check, &tv);
}

static void
revents_on_check(evutil_socket_t fd, short what, void *arg)
{
	struct rresults *r = arg;
	struct rresults_request *call =
	    rresults_request_new(r, on_listeners, NULL);
	const struct slice argv[] = {SLICE("PUBSUB"), SLICE("NUMSUB"),
				     slice_of(RRESULTS_EVENTS)};

	if (call != NULL)
		rresults_command(&call->request, REDIS_ARGS(argv));
}

bool
rresults_has_subscribers(const struct results *results)
{
	struct rresults *r = (struct rresults *)results;

	if (r->subscriber_check == NULL &&
	    (r->subscriber_check =
		 evtimer_new(r->opt.base, revents_on_check, r)) != NULL)
		event_active(r->subscriber_check, EV_TIMEOUT, 0);
	return r->has_subscribers;
}

void
rresults_event(struct results *results, struct slice event)
{
	const struct slice argv[] = {SLICE("PUBLISH"),
				     slice_of(RRESULTS_EVENTS), event};

	redis_command(((struct rresults *)results)->redis, NULL, NULL, 3, argv);
}

/* --- listening --------------------------------------------------------- */

static void
on_listener_state(struct redis *redis, enum redis_state state,
		  const struct err *why, void *arg)
{
	struct rresults *r = arg;

	r->reply_ready = false;
	if (state != REDIS_REFUSED)
		return;
	rresults_watches_refused(r, why);
	r->opt.on_state(false, true, why, r->opt.arg);
}

static void
revents_on_message(struct redis *redis, struct slice channel,
		   struct slice payload, void *arg)
{
	struct rresults *r = arg;

	if (rresults_reply_message(r, channel, payload))
		return;
	if (!slice_eq(channel, slice_of(RRESULTS_EVENTS)))
		rresults_watches_message(r, channel);
	else if (r->on_event != NULL)
		r->on_event(payload, NULL, r->on_event_arg);
}

int
rresults_open_listener(struct rresults *r, struct err *err)
{
	const struct redis_options options = {.url = &r->url,
					      .client_name = "flowrra-watch",
					      .timeout_ms = r->opt.timeout_ms,
					      .max_reply = MESSAGE_MAX,
					      .on_state = on_listener_state,
					      .on_message = revents_on_message,
					      .arg = r};

	if (r->listener == NULL)
		r->listener = redis_new(r->opt.base, &options, err);
	return r->listener ? 0 : -1;
}

/* The server confirms the subscription: the first time, or once more, after it
 * was lost (a listener that is too slow is thrown out, too). */
static void
on_subscribed(struct redis *redis, void *arg)
{
	struct rresults *r = arg;
	const bool again = r->listening;
	struct err err;

	r->listening = true;
	if (!again || r->on_event == NULL)
		return;
	err_set(&err, ERR_UNAVAILABLE,
		"the connection to %s was lost for a while; events may have "
		"been missed",
		redis_name(redis));
	/* At last: it may close the backend. */
	r->on_event((struct slice){NULL, 0}, &err, r->on_event_arg);
}

int
rresults_listen(struct results *results, results_event_fn *on_event, void *arg,
		struct err *err)
{
	struct rresults *r = (struct rresults *)results;
	const struct slice channel = slice_of(RRESULTS_EVENTS);

	if (on_event == NULL) {
		if (r->on_event != NULL)
			redis_unsubscribe(r->listener, channel);
		r->on_event = NULL;
		return 0;
	}
	if (rresults_open_listener(r, err) != 0)
		return -1;
	r->listening = false;
	if (redis_subscribe(r->listener, channel, on_subscribed, r) != 0)
		return err_nomem(err);
	r->on_event = on_event;
	r->on_event_arg = arg;
	return 0;
}
