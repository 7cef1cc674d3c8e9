/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: task events, on a channel.
 *
 * They are for people who look on (flowrractl events, a dashboard): they may be
 * lost, and nothing waits for them. A worker sends none while nobody listens.
 */
#include <event2/event.h>
#include <stdlib.h>

#include "store/redis/results.h"

/* A subscriber is noticed within this time; a worker without one is spared the
 * events, at the price of one PUBSUB a second. */
#define SUBSCRIBER_CHECK_S 1

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

void
rresults_events_down(struct rresults *r, const struct err *why)
{
	if (r->on_event == NULL || r->listening || r->told_deaf)
		return;
	r->told_deaf = true;
	/* At last: it may close the backend. */
	r->on_event((struct slice){NULL, 0}, why, r->on_event_arg);
}

bool
rresults_event_message(struct rresults *r, struct slice channel,
		       struct slice payload)
{
	if (!slice_eq(channel, slice_of(RRESULTS_EVENTS)))
		return false;
	/* NULL: a message that was under way when the listener left. */
	if (r->on_event != NULL)
		r->on_event(payload, NULL, r->on_event_arg);
	return true;
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
	r->told_deaf = false;
	if (redis_subscribe(r->listener, channel, on_subscribed, r) != 0)
		return err_nomem(err);
	r->on_event = on_event;
	r->on_event_arg = arg;
	return 0;
}
