/* SPDX-License-Identifier: MIT */
/*
 * Whatever a peer sends: the server gives no more replies than it has had
 * requests and refusals, and its user sees only what has passed the gate.
 *
 * The first byte of an input says how the rest is sent: behind a good request
 * (1), in two parts (2), as frames of a WebSocket (4).
 */
#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/http.h"
#include "util/err.h"
#include "util/utf8.h"

/* After its last byte the peer closes its half: the end comes in a few turns. */
#define TURNS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char good[] = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
static const char upgrade[] =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static struct event_base *base;
static struct http_server *server;
static int listener;
static unsigned int n_heads, n_replied;

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "not so: %s\n", #condition);           \
			abort();                                               \
		}                                                              \
	} while (0)

static void
check_text(const char *text, size_t left)
{
	size_t len;

	for (; left > 0; text += len, left -= len) {
		len = utf8_length(text, left);
		CHECK(len > 0);
	}
}

static int64_t
on_head(struct http_request *request, void *arg)
{
	const char *path = http_path(request);

	n_heads++;
	CHECK(path[0] == '/' && strstr(path, "/../") == NULL);
	CHECK(http_header_count(request, "Host") == 1);
	CHECK(http_header_count(request, "Transfer-Encoding") == 0);
	CHECK(http_header_count(request, "Content-Length") <= 1);
	check_text(path, strlen(path));
	return 1000;
}

static void
on_text(struct http_ws *ws, struct slice text, void *arg)
{
	check_text(text.p, text.len);
	http_ws_send(ws, text);
}

static void
on_request(struct http_request *request, void *arg)
{
	static const struct http_ws_user ws_user = {.on_text = on_text};
	const char *length = http_header(request, "Content-Length");

	n_replied++;
	CHECK(http_body(request).len ==
	      (length != NULL ? strtoull(length, NULL, 10) : 0));
	if (http_ws_asked(request))
		http_ws_begin(request, &ws_user);
	else
		http_reply(request, &(struct http_reply){.status = 200,
							 .type = "text/plain",
							 .body = SLICE("ok")});
}

static void
on_gone(struct http_request *request, void *arg)
{
}

static void
set_up(void)
{
	static const struct http_limits limits = {
	    .head_timeout_us = 1000000,
	    .idle_timeout_us = 1000000,
	    .max_head = 4096,
	    .max_connections = 10,
	    .max_streams = 10,
	    .max_backlog = 65536,
	};
	static const struct http_user user = {
	    .on_head = on_head, .on_request = on_request, .on_gone = on_gone};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct err err;

	base = event_base_new();
	server = http_server_new(base, &limits, &user, &err);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	/* An abstract name that the kernel chooses. */
	CHECK(bind(listener, (struct sockaddr *)&un, sizeof(sa_family_t)) == 0);
	CHECK(listen(listener, 10) == 0);
	CHECK(http_server_listen(server, listener, NULL, &err) == 0);
}

static int
connect_to(void)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(getsockname(listener, (struct sockaddr *)&un, &len) == 0);
	CHECK(connect(fd, (struct sockaddr *)&un, len) == 0);
	return fd;
}

static void
turn(int n)
{
	while (n-- > 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static unsigned int
count_replies(const char *text)
{
	unsigned int n = 0;

	while ((text = strstr(text, "HTTP/1.1 ")) != NULL) {
		/* What is asked for by Expect is not a reply. */
		n += text[9] >= '0' && text[9] <= '9' &&
		     strncmp(text + 9, "100 ", 4) != 0;
		text += 9;
	}
	return n;
}

static void
send_all(int fd, uint8_t how, const uint8_t *data, size_t size)
{
	struct buf bytes = BUF_INIT;
	size_t half = how & 2 ? size / 2 : size;

	if (how & 4)
		buf_add(&bytes, upgrade, sizeof(upgrade) - 1);
	else if (how & 1)
		buf_add(&bytes, good, sizeof(good) - 1);
	buf_add(&bytes, data, half);
	send(fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	turn(5);
	send(fd, data + half, size - half, MSG_DONTWAIT | MSG_NOSIGNAL);
	turn(5);
	shutdown(fd, SHUT_WR);
	buf_done(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[262144];
	size_t len = 0;
	ssize_t n = -1;
	int fd, i;

	if (size < 1)
		return 0;
	if (server == NULL)
		set_up();
	n_heads = n_replied = 0;
	fd = connect_to();
	send_all(fd, data[0], data + 1, size - 1);
	for (i = 0; i < TURNS && n != 0; i++) {
		turn(1);
		n = recv(fd, text + len, sizeof(text) - 1 - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	close(fd);
	turn(5);
	/* One refusal at most: it ends the connection. */
	if (!(data[0] & 4))
		CHECK(count_replies(text) <= n_replied + 1);
	return 0;
}
