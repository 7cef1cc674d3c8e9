/* SPDX-License-Identifier: MIT */
/*
 * The WebSocket of the Python package: each change of a task, as it happens.
 *
 * It is the topic "feed" in another wrapping, for programs that were written
 * against the package, and want whole records; pages use server-sent events. A
 * listener makes each worker publish those (feeder.c), so one that nobody reads any more is closed.
 */
#include <stdlib.h>
#include <string.h>

#include "util/timer.h"
#include "web/access.h"
#include "web/frame.h"
#include "web/hub.h"
#include "web/state.h"

/* How often it is asked whether the listener may still listen. */
#define BEAT_MS 15000

struct listener {
	struct web *web;
	struct web_identity who;
	struct timer *beat;
	struct http_ws *ws;
	struct hub_subscriber *subscriber;
};

/* The hub first: it must not call a listener that is half gone. */
static void
listener_free(struct listener *listener)
{
	if (listener->subscriber != NULL)
		hub_leave(listener->subscriber);
	timer_free(listener->beat);
	free(listener);
}

/* 1008 is "policy violation" (RFC 6455, section 7.4.1): the package's clients
 * connect again, and are asked who they are. */
static void
on_listener_beat(void *arg)
{
	struct listener *listener = arg;

	if (auth_holds(listener->web->auth, &listener->who)) {
		timer_set_ms(listener->beat, BEAT_MS);
		return;
	}
	http_ws_close(listener->ws, 1008, "log in again");
	listener_free(listener);
}

/* The peer is gone. After http_ws_close() this is not called any more, so that each
 * listener is freed once. */
static void
on_listener_gone(struct http_ws *ws, void *arg)
{
	listener_free(arg);
}

/* A listener has nothing to say; the seed's send "ping". */
static void
on_listener_text(struct http_ws *ws, struct slice text, void *arg)
{
	if (slice_eq(text, SLICE("ping")))
		http_ws_send(ws, SLICE("pong"));
}

/* What finds no room is left out: it is a feed, not a log. */
static int
on_listener_event(const char *name, uint64_t id, struct slice json, void *arg)
{
	struct listener *listener = arg;

	if (strcmp(name, "feed") == 0)
		http_ws_send(listener->ws, json);
	return 0;
}

/* A page of another site may open a WebSocket: no rule of browsers forbids it, and
 * they add the credentials. Only Origin tells (RFC 6455, section 10.2). */
static bool
listener_is_foreign(const struct visit *v)
{
	const char *origin = http_header(v->request, "Origin");
	const struct auth_request who = visit_auth_request(v->request);

	return v->who.ambient && origin != NULL &&
	       !csrf_same_origin(origin, http_header(v->request, "Host"),
				 auth_is_https(v->web->auth, &who));
}

/* The socket is there before the subscription, which may send at once; 1013 is "try
 * again later", of the IANA registry of close codes. */
int
frame_ws(struct web_call *call, struct err *err)
{
	static char *const topics[] = {(char *)"feed", NULL};
	struct visit *v = call->visit;
	struct listener *listener;
	struct hub_reader reader = {.on_event = on_listener_event,
				    .whole = true,
				    .masked = v->who.role != WEB_OPERATOR};
	struct http_ws_user user = {.on_text = on_listener_text,
				    .on_gone = on_listener_gone};
	struct http_request *request = v->request;

	if (listener_is_foreign(v)) {
		respond_refuse(v, 403, "the request comes from another site",
			       NULL);
		return 0;
	}
	listener = calloc(1, sizeof(*listener));
	if (listener == NULL ||
	    (listener->beat =
		 timer_new(v->web->base, on_listener_beat, listener)) == NULL) {
		free(listener);
		return err_nomem(err);
	}
	listener->web = v->web;
	listener->who = v->who;
	timer_set_ms(listener->beat, BEAT_MS);
	reader.arg = user.arg = listener;
	v->request = NULL;
	http_set_data(request, NULL);
	if ((listener->ws = http_ws_begin(request, &user)) == NULL)
		listener_free(listener);
	else if ((listener->subscriber = hub_subscribe(v->web->hub, &reader,
						       topics, err)) == NULL) {
		http_ws_close(listener->ws, 1013, "try again later");
		listener_free(listener);
	}
	visit_release(v);
	return 0;
}
