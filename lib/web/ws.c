/* SPDX-License-Identifier: MIT */
/* The WebSocket of the Python package: each change of a task, as it happens. */
#include <stdlib.h>
#include <string.h>

#include "web/access.h"
#include "web/frame.h"
#include "web/hub.h"
#include "web/state.h"

struct listener {
	struct http_ws *ws;
	struct hub_subscriber *subscriber;
};

static void
on_listener_gone(struct http_ws *ws, void *arg)
{
	struct listener *listener = arg;

	if (listener->subscriber != NULL)
		hub_leave(listener->subscriber);
	free(listener);
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

/* A page of another site may open one, and its browser adds the credentials. */
static bool
listener_is_foreign(const struct visit *v)
{
	const char *origin = http_header(v->request, "Origin");
	const struct auth_request who = visit_auth_request(v->request);

	return v->who.ambient && origin != NULL &&
	       !csrf_same_origin(origin, http_header(v->request, "Host"),
				 auth_is_https(v->web->auth, &who));
}

int
frame_ws(struct web_call *call, struct err *err)
{
	static char *const topics[] = {(char *)"feed", NULL};
	struct visit *v = call->visit;
	struct listener *listener;
	struct hub_reader reader = {.on_event = on_listener_event,
				    .masked = v->who.role != WEB_OPERATOR};
	struct http_ws_user user = {.on_text = on_listener_text,
				    .on_gone = on_listener_gone};
	struct http_request *request = v->request;

	if (listener_is_foreign(v)) {
		respond_refuse(v, 403, "the request comes from another site",
			       NULL);
		return 0;
	}
	if ((listener = calloc(1, sizeof(*listener))) == NULL)
		return err_nomem(err);
	reader.arg = user.arg = listener;
	v->request = NULL;
	http_set_data(request, NULL);
	if ((listener->ws = http_ws_begin(request, &user)) == NULL)
		free(listener);
	else if ((listener->subscriber = hub_subscribe(v->web->hub, &reader,
						       topics, err)) == NULL) {
		http_ws_close(listener->ws, 1013, "try again later");
		free(listener);
	}
	visit_release(v);
	return 0;
}
