/* SPDX-License-Identifier: MIT */
/*
 * WebSockets (RFC 6455): libmicrohttpd upgrades, wslay frames.
 *
 * After the upgrade the socket is ours; libmicrohttpd keeps its connection
 * suspended until it is told that we are done with it. wslay checks what a peer
 * sends: masks, lengths, UTF-8 and the order of fragments.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "http/state.h"
#include "util/timer.h"

/* The longest message that a peer may send: what it has to say is short. */
#define WS_MESSAGE_MAX 65536
/* How often a peer is asked for a sign of life, if idle connections may wait as
 * long: proxies forget connections after a minute. If none came by the next time
 * the peer is gone. */
#define WS_PING_US 25000000
/* How long a peer has for its part of closing. */
#define WS_CLOSE_MS 5000

struct http_ws {
	struct http_request *request;
	struct http_ws_user user;
	struct MHD_UpgradeResponseHandle *handle; /* NULL: not upgraded yet */
	wslay_event_context_ptr frames;
	int fd;
	struct event readable;
	struct event writable;
	struct timer *timer; /* of pings, and of closing */
	struct buf early;    /* frames that came with the request */
	bool left;	     /* by the user, who is told nothing more */
	bool broken;	     /* the socket has ended */
	bool closing;	     /* the peer has WS_CLOSE_MS left */
	bool quiet;	     /* nothing came since the last ping */
};

/* --- the end ------------------------------------------------------------ */

/* Lets go of the socket; libmicrohttpd closes it, and ends the request. The user is
 * told before anything is freed: it may look at what it had. */
static void
ws_finish(struct http_ws *ws)
{
	struct http_request *request = ws->request;
	bool tell = !ws->left;

	ws->left = true;
	request->ws = NULL;
	request->conn->server->n_streams--;
	if (ws->handle != NULL) {
		event_del(&ws->readable);
		event_del(&ws->writable);
	}
	if (tell && ws->user.on_gone != NULL)
		ws->user.on_gone(ws, ws->user.arg);
	if (ws->handle != NULL) {
		MHD_upgrade_action(ws->handle, MHD_UPGRADE_ACTION_CLOSE);
		http_engine_wake(request->conn->engine);
	}
	if (ws->frames != NULL)
		wslay_event_context_free(ws->frames);
	timer_free(ws->timer);
	buf_done(&ws->early);
	free(ws);
}

/* One that was not upgraded yet ends with its request. */
void
http_ws_cut(struct http_ws *ws)
{
	if (ws->handle != NULL)
		ws_finish(ws);
}

/* --- frames --------------------------------------------------------------- */

/* Frames that came with the request are read before the socket. */
static ssize_t
ws_on_recv(wslay_event_context_ptr frames, uint8_t *p, size_t len, int flags,
	   void *arg)
{
	struct http_ws *ws = arg;
	ssize_t n;

	if (ws->early.len > 0) {
		len = len < ws->early.len ? len : ws->early.len;
		memcpy(p, ws->early.data, len);
		buf_drain(&ws->early, len);
		return (ssize_t)len;
	}
	do
		n = recv(ws->fd, p, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		ws->quiet = false;
	else if (n == 0 || errno != EAGAIN)
		ws->broken = true;
	if (n <= 0)
		wslay_event_set_error(frames, n < 0 && errno == EAGAIN
						  ? WSLAY_ERR_WOULDBLOCK
						  : WSLAY_ERR_CALLBACK_FAILURE);
	return n > 0 ? n : -1;
}

/* MSG_MORE, so that a head and its text are one packet. */
static ssize_t
ws_on_send(wslay_event_context_ptr frames, const uint8_t *p, size_t len,
	   int flags, void *arg)
{
	struct http_ws *ws = arg;
	ssize_t n;

	do
		n = send(ws->fd, p, len,
			 MSG_DONTWAIT | MSG_NOSIGNAL |
			     (flags & WSLAY_MSG_MORE ? MSG_MORE : 0));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		wslay_event_set_error(frames, errno == EAGAIN
						  ? WSLAY_ERR_WOULDBLOCK
						  : WSLAY_ERR_CALLBACK_FAILURE);
	return n;
}

/* Control frames are wslay's; a message is given to the user whole. */
static void
ws_on_message(wslay_event_context_ptr frames,
	      const struct wslay_event_on_msg_recv_arg *message, void *arg)
{
	static const char why[] = "text only";
	struct http_ws *ws = arg;

	if (message->opcode == WSLAY_BINARY_FRAME)
		wslay_event_queue_close(frames, WSLAY_CODE_UNSUPPORTED_DATA,
					(const uint8_t *)why, sizeof(why) - 1);
	if (message->opcode == WSLAY_TEXT_FRAME && !ws->left &&
	    ws->user.on_text != NULL)
		ws->user.on_text(ws,
				 (struct slice){(const char *)message->msg,
						message->msg_length},
				 ws->user.arg);
}

static const struct wslay_event_callbacks ws_callbacks = {
    .recv_callback = ws_on_recv,
    .send_callback = ws_on_send,
    .on_msg_recv_callback = ws_on_message,
};

/* With the heads of frames; what the kernel has taken is not in it. */
static size_t
ws_owed(const struct http_ws *ws)
{
	return wslay_event_get_queued_msg_length(ws->frames);
}

/* Sends what can be sent and waits for the rest, or ends it: both sides have
 * closed, or more is owed to the peer than may be (answers to its pings count). */
static void
ws_go_on(struct http_ws *ws)
{
	bool reads, writes;

	if (wslay_event_want_write(ws->frames) &&
	    wslay_event_send(ws->frames) != 0) {
		ws_finish(ws);
		return;
	}
	reads = wslay_event_want_read(ws->frames);
	writes = wslay_event_want_write(ws->frames);
	if ((!reads && !writes) ||
	    ws_owed(ws) > ws->request->conn->server->limits.max_backlog +
			      WS_MESSAGE_MAX) {
		ws_finish(ws);
		return;
	}
	if (reads)
		event_add(&ws->readable, NULL);
	else
		event_del(&ws->readable);
	if (writes)
		event_add(&ws->writable, NULL);
	else
		event_del(&ws->writable);
	if (wslay_event_get_close_sent(ws->frames) && !timer_pending(ws->timer))
		timer_set_ms(ws->timer, WS_CLOSE_MS);
}

/*
 * What came is not a frame. wslay has queued a close without a code, which would
 * tell nobody why: this one (1002, a protocol error) goes out in its place, unless
 * a frame is half sent.
 */
static void
ws_fail(struct http_ws *ws)
{
	static const unsigned char close_1002[] = {0x88, 2, 0x03, 0xea};

	if (!ws->broken && !wslay_event_get_close_sent(ws->frames) &&
	    wslay_event_get_queued_msg_count(ws->frames) <= 1)
		send(ws->fd, close_1002, sizeof(close_1002),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
	ws->request->conn->linger = !ws->broken;
	ws_finish(ws);
}

static void
ws_on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct http_ws *ws = arg;

	if ((what & EV_READ) && wslay_event_recv(ws->frames) != 0)
		ws_fail(ws);
	else
		ws_go_on(ws);
}

/* Any frame of the peer is a sign of life, a pong or not. */
static void
ws_plan_ping(struct http_ws *ws)
{
	int64_t us = ws->request->conn->server->limits.idle_timeout_us;

	timer_set_us(ws->timer, us < WS_PING_US ? us : WS_PING_US);
}

/* The time is over for the peer's part of closing, or for its answer to a ping; or
 * it is time for the next ping. */
static void
ws_on_timer(void *arg)
{
	static const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
	struct http_ws *ws = arg;

	if (ws->quiet || ws->closing ||
	    wslay_event_get_close_sent(ws->frames) ||
	    wslay_event_queue_msg(ws->frames, &ping) != 0) {
		ws_finish(ws);
		return;
	}
	ws->quiet = true;
	ws_plan_ping(ws);
	ws_go_on(ws);
}

/* --- the beginning ---------------------------------------------------------- */

static void
ws_on_upgraded(void *cls, struct MHD_Connection *mhd, void *context,
	       const char *early, size_t n_early, MHD_socket fd,
	       struct MHD_UpgradeResponseHandle *handle)
{
	struct http_request *request = context;
	struct http_ws *ws = cls;
	struct event_base *base = request->conn->server->base;

	ws->handle = handle;
	ws->fd = fd;
	event_assign(&ws->readable, base, fd, EV_READ | EV_PERSIST, ws_on_ready,
		     ws);
	event_assign(&ws->writable, base, fd, EV_WRITE, ws_on_ready, ws);
	buf_add(&ws->early, early, n_early);
	ws_plan_ping(ws);
	event_add(&ws->readable, NULL);
	/* Not from here: the user's callbacks are not called from within
	 * libmicrohttpd, which may hold a lock. */
	event_active(&ws->readable, EV_READ, 0);
}

static struct MHD_Response *
ws_response(struct http_ws *ws, const char *key)
{
	char accept[HTTP_WS_ACCEPT_SIZE];
	const struct http_field fields[] = {
	    {"Upgrade", "websocket"},
	    {"Sec-WebSocket-Accept", accept},
	    {NULL, NULL},
	};
	struct MHD_Response *response;

	if (http_ws_accept(key, accept) != 0)
		return NULL;
	response = MHD_create_response_for_upgrade(ws_on_upgraded, ws);
	if (response != NULL && http_add_fields(response, fields) != 0) {
		MHD_destroy_response(response);
		return NULL;
	}
	return response;
}

/* The socket is ours only when libmicrohttpd has sent the 101: texts are queued
 * until then. */
struct http_ws *
http_ws_begin(struct http_request *request, const struct http_ws_user *user)
{
	struct http_server *server = request->conn->server;
	struct MHD_Response *response = NULL;
	struct http_ws *ws;

	if (http_ws_refuses(request))
		return NULL;
	ws = calloc(1, sizeof(*ws));
	if (ws != NULL && wslay_event_context_server_init(
			      &ws->frames, &ws_callbacks, ws) == 0) {
		wslay_event_config_set_max_recv_msg_length(ws->frames,
							   WS_MESSAGE_MAX);
		ws->request = request;
		ws->user = *user;
		ws->timer = timer_new(server->base, ws_on_timer, ws);
		if (ws->timer != NULL)
			response = ws_response(
			    ws, http_header(request, "Sec-WebSocket-Key"));
	}
	if (response == NULL) {
		if (ws != NULL) {
			wslay_event_context_free(ws->frames);
			timer_free(ws->timer);
		}
		free(ws);
		http_refuse(request, 503, "there is no memory for a stream");
		return NULL;
	}
	server->n_streams++;
	request->ws = ws;
	http_request_answer(request, 101, response);
	return ws;
}

/* --- the user ---------------------------------------------------------------- */

ssize_t
http_ws_send(struct http_ws *ws, struct slice text)
{
	const struct wslay_event_msg message = {
	    .opcode = WSLAY_TEXT_FRAME,
	    .msg = (const uint8_t *)text.p,
	    .msg_length = text.len,
	};

	if (ws->left ||
	    ws_owed(ws) + text.len >
		ws->request->conn->server->limits.max_backlog ||
	    wslay_event_queue_msg(ws->frames, &message) != 0)
		return -1;
	if (ws->handle != NULL)
		event_add(&ws->writable, NULL);
	return (ssize_t)ws_owed(ws);
}

/* What is owed is dropped: the user has said its last word. */
void
http_ws_close(struct http_ws *ws, unsigned int code, const char *why)
{
	ws->left = true;
	wslay_event_queue_close(ws->frames, (uint16_t)code,
				(const uint8_t *)why, strlen(why));
	if (ws->handle != NULL)
		event_add(&ws->writable, NULL);
	ws->closing = true;
	timer_set_ms(ws->timer, WS_CLOSE_MS);
}

/* Its connection ended before the upgrade. */
void
http_ws_on_completed(struct http_ws *ws)
{
	ws->handle = NULL;
	ws_finish(ws);
}
