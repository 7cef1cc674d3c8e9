/* SPDX-License-Identifier: MIT */
/* A server on the loop of its peers (peer.c). */
#include "site.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/err.h"

#define SITE_BIG 1048576
#define SITE_WAIT_US (10 * INT64_C(1000000))

static char big[SITE_BIG];

int64_t
site_deadline(void)
{
	return clock_mono_us() + SITE_WAIT_US;
}

bool
site_late(int64_t deadline)
{
	return clock_mono_us() > deadline;
}

static void
site_on_release(void *arg)
{
	struct site *site = arg;

	site->released++;
}

static void
site_reply(struct http_request *request, unsigned int status, struct slice body)
{
	http_reply(request, &(struct http_reply){.status = status,
						 .type = "text/plain",
						 .body = body});
}

static int64_t
site_on_head(struct http_request *request, void *arg)
{
	struct site *site = arg;

	site->heads++;
	memcpy(site->id, http_id(request), sizeof(site->id));
	if (strcmp(http_path(request), "/refused") == 0) {
		site_reply(request, 401, SLICE("who are you?"));
		return -1;
	}
	return strcmp(http_path(request), "/upload") == 0 ? 100000 : 1000;
}

static void
site_on_stream_gone(struct http_stream *stream, void *arg)
{
	struct site *site = arg;

	unsigned int i;

	site->streams_gone++;
	site->stream = NULL;
	for (i = 0; site->streams[i] != stream; i++)
		ck_assert_uint_lt(i, site->n_streams);
	site->streams[i] = site->streams[--site->n_streams];
}

static void
site_on_drained(struct http_stream *stream, void *arg)
{
	struct site *site = arg;

	site->drained++;
}

static void
site_on_ws_text(struct http_ws *ws, struct slice text, void *arg)
{
	struct site *site = arg;

	buf_add(&site->text, text.p, text.len);
	buf_addc(&site->text, '\n');
	if (slice_eq(text, SLICE("close me")))
		http_ws_close(ws, 4000, "as you like");
	else
		http_ws_send(ws, text);
}

static void
site_on_ws_gone(struct http_ws *ws, void *arg)
{
	struct site *site = arg;

	site->ws_gone++;
	site->ws = NULL;
}

static void
site_open_stream(struct site *site, struct http_request *request)
{
	static const struct http_stream_user user = {
	    .on_gone = site_on_stream_gone, .on_drained = site_on_drained};
	struct http_stream_user mine = user;
	struct http_stream *stream;

	mine.arg = site;
	stream = http_stream_begin(request, NULL, &mine);
	if (stream != NULL)
		site->streams[site->n_streams++] = site->stream = stream;
}

static void
site_open_ws(struct site *site, struct http_request *request)
{
	const struct http_ws_user user = {.on_text = site_on_ws_text,
					  .on_gone = site_on_ws_gone,
					  .arg = site};
	struct http_ws *ws = http_ws_begin(request, &user);

	if (ws != NULL)
		site->ws = ws;
}

static void
site_tell(struct http_request *request, const char *a, const char *b)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "%s %s", a, b);

	site_reply(request, 200, (struct slice){text, (size_t)len});
}

static void
site_on_request(struct http_request *request, void *arg)
{
	const char *path = http_path(request);
	struct site *site = arg;
	char uid[32];

	site->requests++;
	if (strcmp(path, "/hold") == 0) {
		site->held = request;
	} else if (strcmp(path, "/stream") == 0) {
		site_open_stream(site, request);
	} else if (strcmp(path, "/ws") == 0) {
		site_open_ws(site, request);
	} else if (strcmp(path, "/echo") == 0) {
		site_reply(request, 200, http_body(request));
	} else if (strcmp(path, "/upload") == 0) {
		site_reply(request, 200, SLICE("all"));
	} else if (strcmp(path, "/empty") == 0) {
		http_reply(request, &(struct http_reply){.status = 204});
	} else if (strcmp(path, "/close") == 0) {
		http_reply(request, &(struct http_reply){.status = 200,
							 .type = "text/plain",
							 .body = SLICE("bye"),
							 .close = true});
	} else if (strcmp(path, "/big") == 0) {
		http_reply(request,
			   &(struct http_reply){.status = 200,
						.type = "text/plain",
						.body = {big, sizeof(big)},
						.release = site_on_release,
						.arg = site});
	} else if (strcmp(path, "/peer") == 0) {
		snprintf(uid, sizeof(uid), "%lld",
			 (long long)http_peer_uid(request));
		site_tell(request, http_peer(request), uid);
	} else if (strcmp(path, "/hello") == 0) {
		site_reply(request, 200, SLICE("hello"));
	} else {
		site_tell(request, path, http_query(request));
	}
}

static void
site_on_gone(struct http_request *request, void *arg)
{
	struct site *site = arg;

	site->gone++;
	if (site->held == request)
		site->held = NULL;
}

void
site_release(struct site *site)
{
	struct http_request *held = site->held;

	site->held = NULL;
	site_reply(held, 200, SLICE("released"));
}

void
site_init(struct site *site)
{
	*site = (struct site){
	    .base = event_base_new(),
	    .limits = {.head_timeout_us = 5000000,
		       .idle_timeout_us = 5000000,
		       .max_head = 8192,
		       .max_connections = 600,
		       .max_per_peer = 0,
		       .max_streams = 600,
		       .max_backlog = 65536},
	};
	memset(big, 'b', sizeof(big));
}

static int
site_listen_tcp(struct site *site)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(fd, 1024), 0);
	getsockname(fd, (struct sockaddr *)&in, &len);
	site->port = ntohs(in.sin_port);
	return fd;
}

static int
site_listen_unix(struct site *site)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(site->socket_path, sizeof(site->socket_path),
		 "/tmp/http-test-%d.sock", (int)getpid());
	strcpy(un.sun_path, site->socket_path);
	unlink(un.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	ck_assert_int_eq(listen(fd, 1024), 0);
	return fd;
}

static void
site_on_short(int sys, void *arg)
{
	struct site *site = arg;

	ck_assert_int_eq(sys, EMFILE);
	site->shortages++;
}

void
site_start(struct site *site)
{
	static const struct http_field fields[] = {{"X-Site", "yes"},
						   {NULL, NULL}};
	const struct http_user user = {.on_head = site_on_head,
				       .on_request = site_on_request,
				       .on_gone = site_on_gone,
				       .on_short = site_on_short,
				       .refusal_fields = fields,
				       .arg = site};
	struct err err;

	site->server = http_server_new(site->base, &site->limits, &user, &err);
	ck_assert_ptr_nonnull(site->server);
	ck_assert_int_eq(
	    http_server_listen(site->server, site_listen_tcp(site), NULL, &err),
	    0);
	ck_assert_int_eq(http_server_listen(site->server,
					    site_listen_unix(site), NULL, &err),
			 0);
}

void
site_listen_tls(struct site *site, const struct http_tls *tls)
{
	struct err err;

	ck_assert_int_eq(
	    http_server_listen(site->server, site_listen_tcp(site), tls, &err),
	    0);
}

void
site_stop(struct site *site)
{
	http_server_free(site->server);
	unlink(site->socket_path);
	buf_done(&site->text);
	event_base_free(site->base);
}

/* At most a millisecond of waiting, so that peers are looked at, too. */
void
site_turn(struct site *site)
{
	const struct timeval soon = {.tv_usec = 1000};

	event_base_loopexit(site->base, &soon);
	event_base_loop(site->base, EVLOOP_ONCE);
}
