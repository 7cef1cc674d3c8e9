/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server of a daemon's metrics, in a shared object (serve.h).
 *
 * Any user of this machine may connect, so connections are limited in number, since
 * the daemon needs descriptors for its stores, and in time.
 */
#include "metrics/serve.h"

#include <stdlib.h>
#include <string.h>

#include "http/http.h"
#include "util/err.h"

/* A monitor has one or two; the rest is for people. */
#define CONNECTIONS_MAX 16
#define HEAD_MAX 8192
#define HEAD_US 10000000
/* Monitors come every 15 s to a minute, and keep their connection. */
#define IDLE_US 90000000

#define OPENMETRICS_TYPE                                                       \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics_server {
	struct metrics_server_user user;
	struct http_server *http;
};

/* No request has a body. */
static int64_t
on_head(struct http_request *request, void *arg)
{
	if (http_method(request) == HTTP_GET)
		return 0;
	http_refuse(request, 405, "only GET and HEAD");
	return -1;
}

/* A client that does not say gets the older text: curl reads that as well. */
static void
answer_metrics(const struct metrics_server *s, struct http_request *request)
{
	const char *accept = http_header(request, "Accept");
	const bool openmetrics =
	    accept != NULL && strstr(accept, "openmetrics") != NULL;
	const struct http_reply reply = {
	    .status = 200,
	    .type = openmetrics ? OPENMETRICS_TYPE : TEXT_TYPE,
	    .body = s->user.text(openmetrics, s->user.arg)};

	if (reply.body.len == 0)
		http_refuse(request, 503, "out of memory");
	else
		http_reply(request, &reply);
}

/* A path that is misspelt is told what there is. */
static void
on_request(struct http_request *request, void *arg)
{
	static const struct http_reply healthy = {
	    .status = 200, .type = "text/plain", .body = {"ok\n", 3}};
	const char *path = http_path(request);

	if (strcmp(path, "/metrics") == 0)
		answer_metrics(arg, request);
	else if (strcmp(path, "/healthz") == 0)
		http_reply(request, &healthy);
	else
		http_refuse(request, 404, "there are /metrics and /healthz");
}

/* Nothing is kept of a request. */
static void
on_gone(struct http_request *request, void *arg)
{
}

/* No streams, no bodies: what is not listed here stays at 0. */
static struct metrics_server *
server_start(struct event_base *base, const struct metrics_server_user *user,
	     struct err *err)
{
	const struct http_limits limits = {.head_timeout_us = HEAD_US,
					   .idle_timeout_us = IDLE_US,
					   .max_head = HEAD_MAX,
					   .max_connections = CONNECTIONS_MAX,
					   .max_per_peer = CONNECTIONS_MAX};
	struct metrics_server *s = calloc(1, sizeof(*s));
	const struct http_user http = {.on_head = on_head,
				       .on_request = on_request,
				       .on_gone = on_gone,
				       .arg = s};

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	s->user = *user;
	if ((s->http = http_server_new(base, &limits, &http, err)) == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

static int
server_listen(struct metrics_server *s, int fd, struct err *err)
{
	return http_server_listen(s->http, fd, NULL, err);
}

static void
server_stop(struct metrics_server *s)
{
	http_server_free(s->http);
	free(s);
}

const struct metrics_serve metrics_serve = {
    .start = server_start, .listen = server_listen, .stop = server_stop};
