/* SPDX-License-Identifier: MIT */
/*
 * A connection: its peer, its phase, and what it waits for.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/state.h"
#include "util/clock.h"
#include "util/timer.h"

/* The slowest body that is waited for, behind the time that a head has: of a
 * modem. */
#define CONN_BODY_BYTES_PER_S 4096
#define US_PER_S 1000000
/* For the peer to read our last words, and to close; what it sends until then. */
#define CONN_LINGER_MS 2000
#define CONN_LINGER_MAX 1048576

static void conn_on_event(evutil_socket_t fd, short what, void *arg);
static void conn_on_late(void *arg);

struct http_conn *
http_conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

static void
conn_name_peer(struct http_conn *conn)
{
	const struct sockaddr_in *in = (const void *)&conn->addr;
	const struct sockaddr_in6 *in6 = (const void *)&conn->addr;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	conn->peer_uid = -1;
	if (conn->addr.ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, conn->peer,
			  sizeof(conn->peer));
	else if (conn->addr.ss_family == AF_INET6 &&
		 IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], conn->peer,
			  sizeof(conn->peer));
	else if (conn->addr.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, conn->peer,
			  sizeof(conn->peer));
	else
		memcpy(conn->peer, "unix", sizeof("unix"));
	if (conn->addr.ss_family == AF_UNIX &&
	    getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
		conn->peer_uid = cred.uid;
}

static void
conn_link(struct http_conn *conn)
{
	struct http_server *server = conn->server;

	conn->next = server->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	server->conns = conn;
	server->n_conns++;
}

/* Takes a socket, and closes it on failure. */
static struct http_conn *
conn_alloc(struct http_engine *engine, int fd,
	   const struct sockaddr_storage *addr, socklen_t len)
{
	struct http_server *server = engine->server;
	struct http_conn *conn = calloc(1, sizeof(*conn));

	if (conn != NULL)
		conn->timer = timer_new(server->base, conn_on_late, conn);
	if (conn == NULL || conn->timer == NULL) {
		free(conn);
		close(fd);
		return NULL;
	}
	conn->server = server;
	conn->engine = engine;
	conn->fd = fd;
	conn->addr = *addr;
	conn->addr_len = len;
	event_assign(&conn->watch, server->base, fd,
		     EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, conn_on_event,
		     conn);
	conn_name_peer(conn);
	conn_link(conn);
	return conn;
}

static void
conn_free(struct http_conn *conn)
{
	struct http_server *server = conn->server;

	event_del(&conn->watch);
	timer_free(conn->timer);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		server->conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	server->n_conns--;
	free(conn);
	http_listeners_update(server);
}

static void
conn_close(struct http_conn *conn)
{
	event_del(&conn->watch);
	close(conn->fd);
	conn_free(conn);
}

/*
 * Closes our half, and waits for the peer to close its own: if bytes that nobody
 * has read are there when a socket is closed, TCP resets the connection, and the
 * peer may never see our reply (RFC 9112, section 9.6).
 */
static void
conn_linger(struct http_conn *conn)
{
	conn->phase = HTTP_LINGER;
	conn->mhd = NULL;
	shutdown(conn->fd, SHUT_WR);
	timer_set_ms(conn->timer, CONN_LINGER_MS);
	event_del(&conn->watch);
	event_assign(&conn->watch, conn->server->base, conn->fd,
		     EV_READ | EV_PERSIST, conn_on_event, conn);
	event_add(&conn->watch, NULL);
}

static void
conn_discard(struct http_conn *conn)
{
	char bytes[4096];
	ssize_t n = recv(conn->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0)
		conn->lingered += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
	    conn->lingered > CONN_LINGER_MAX)
		conn_close(conn);
}

/* Of an error no flag of an event tells, and more requests may have come. */
static bool
conn_is_over(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) != 0;
}

/* --- the first head ------------------------------------------------------- */

/*
 * Between two requests a connection is parked: suspended, so that its next head
 * is looked at before libmicrohttpd reads it, as the first one was. That needs
 * libmicrohttpd to have read nothing of it, and bytes that are not TLS.
 */
void
http_conns_park(struct http_engine *engine)
{
	struct http_conn *conn;

	engine->parks = false;
	for (conn = engine->server->conns; conn != NULL; conn = conn->next) {
		if (!conn->parks || conn->engine != engine)
			continue;
		conn->parks = false;
		if (conn->mhd == NULL || conn->request != NULL || conn->cut ||
		    engine->tls)
			continue;
		conn->parked = true;
		MHD_suspend_connection(conn->mhd);
		http_conn_phase(conn, HTTP_IDLE);
	}
}

static void
conn_unpark(struct http_conn *conn)
{
	if (!conn->parked)
		return;
	conn->parked = false;
	MHD_resume_connection(conn->mhd);
	http_engine_wake(conn->engine);
}

/* From here on the socket is libmicrohttpd's. When it fails it closes it, with or
 * without the callback below. */
static bool
conn_hand_over(struct http_conn *conn)
{
	struct http_server *server = conn->server;
	struct http_engine *engine = conn->engine;
	enum MHD_Result rc;

	server->arriving = conn;
	rc = MHD_add_connection(engine->mhd, conn->fd,
				(const struct sockaddr *)&conn->addr,
				conn->addr_len);
	http_engine_wake(engine);
	if (rc != MHD_YES && server->arriving == conn)
		conn_free(conn);
	rc = rc == MHD_YES && server->arriving == conn ? MHD_YES : MHD_NO;
	server->arriving = NULL;
	return rc == MHD_YES;
}

static void
conn_peek(struct http_conn *conn)
{
	size_t max = conn->server->limits.max_head;
	struct http_request *request = http_request_new(conn);
	ssize_t n = recv(conn->fd, conn->server->peeked, max + 1,
			 MSG_PEEK | MSG_DONTWAIT);
	int rc = -1;

	if (n > 0 && request != NULL) {
		rc = http_head_read(
		    request, (struct slice){conn->server->peeked, (size_t)n},
		    max);
		if (rc == 1 && http_gate_judge(request) != 0)
			rc = -1;
	}
	if (n < 0 && errno == EAGAIN)
		rc = 0;
	if (rc == 1 && conn->parked)
		conn_unpark(conn);
	else if (rc == 1)
		conn_hand_over(conn);
	else if (n <= 0 && rc < 0)
		http_conn_cut(conn);
	else if (rc < 0)
		http_refuse_raw(conn, request->method_name,
				request->refusal.status,
				request->refusal.detail);
	else if (conn_is_over(conn->fd))
		http_conn_cut(conn);
	http_request_free(request);
}

/* --- events ---------------------------------------------------------------- */

static void
conn_on_late(void *arg)
{
	struct http_conn *conn = arg;

	if (conn->phase == HTTP_LINGER || conn->phase == HTTP_IDLE)
		http_conn_cut(conn);
	else
		http_refuse_raw(conn, NULL, 408,
				conn->phase == HTTP_BODY
				    ? "The body of the request took too long."
				    : "The head of the request took too long.");
}

static void
conn_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	if (conn->phase == HTTP_LINGER) {
		conn_discard(conn);
		return;
	}
	if (conn->phase == HTTP_IDLE)
		http_conn_phase(conn, HTTP_HEAD);
	if (conn->mhd == NULL || conn->parked)
		conn_peek(conn);
	else if ((conn->phase == HTTP_ANSWER || conn->phase == HTTP_STREAM) &&
		 conn_is_over(fd))
		http_conn_cut(conn);
}

/* Edges alone: bytes that nobody takes now must not wake the loop again. */
static void
conn_watch(struct http_conn *conn, bool on)
{
	event_del(&conn->watch);
	if (on)
		event_add(&conn->watch, NULL);
}

void
http_conn_phase(struct http_conn *conn, enum http_phase phase)
{
	int64_t us = conn->server->limits.head_timeout_us;

	conn->phase = phase;
	conn->since_us = clock_mono_us();
	if (phase == HTTP_IDLE && conn->server->crowded)
		http_listeners_update(conn->server);
	switch (phase) {
	case HTTP_IDLE:
		/* libmicrohttpd has a time-out of its own. */
		if (conn->mhd == NULL || conn->parked)
			timer_set_us(conn->timer,
				     conn->server->limits.idle_timeout_us);
		else
			timer_cancel(conn->timer);
		conn_watch(conn, true);
		break;
	case HTTP_HEAD:
		timer_set_us(conn->timer, us);
		break;
	case HTTP_BODY:
		timer_set_us(conn->timer,
			     us + (int64_t)(conn->request->length /
					    CONN_BODY_BYTES_PER_S) *
				      US_PER_S);
		break;
	case HTTP_ANSWER:
	case HTTP_STREAM:
		timer_cancel(conn->timer);
		conn_watch(conn, true);
		break;
	case HTTP_SEND:
		timer_cancel(conn->timer);
		conn_watch(conn, false);
		break;
	case HTTP_LINGER:
		break;
	}
}

void
http_conn_cut(struct http_conn *conn)
{
	struct http_request *request = conn->request;

	event_del(&conn->watch);
	timer_cancel(conn->timer);
	if (conn->mhd == NULL) {
		conn_close(conn);
		return;
	}
	if (request != NULL)
		http_request_gone(request);
	if (request != NULL && request->ws != NULL)
		http_ws_cut(request->ws);
	conn->cut = true;
	shutdown(conn->fd, SHUT_RDWR);
	conn_unpark(conn);
	http_engine_wake(conn->engine);
}

/*
 * Takes the socket of a parked connection away from libmicrohttpd, which finds
 * an end of file in its place. (A connection that is not suspended is in its
 * epoll set, and would stay there under the old number.)
 */
static int
conn_swap_socket(const struct http_conn *conn)
{
	int dead[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       dead) != 0)
		return -1;
	fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		dup3(dead[0], conn->fd, O_CLOEXEC);
	close(dead[0]);
	close(dead[1]);
	return fd;
}

/* A reply was written past libmicrohttpd: there is nothing more to say. */
void
http_conn_finish(struct http_conn *conn)
{
	struct http_conn *rest;
	int fd = -1;

	event_del(&conn->watch);
	if (conn->mhd == NULL) {
		conn_linger(conn);
		return;
	}
	if (conn->parked)
		fd = conn_swap_socket(conn);
	if (fd >= 0) {
		rest =
		    conn_alloc(conn->engine, fd, &conn->addr, conn->addr_len);
		if (rest != NULL)
			conn_linger(rest);
	}
	http_conn_cut(conn);
}

static unsigned int
conn_unreadable(const struct http_conn *conn)
{
	if (conn->request == NULL || conn->request->begun || conn->cut)
		return 0;
	return http_gate_unreadable(
	    MHD_lookup_connection_value(conn->mhd, MHD_HEADER_KIND,
					"Content-Length"),
	    MHD_lookup_connection_value(conn->mhd, MHD_HEADER_KIND, "Cookie"));
}

void
http_conns_refuse_unread(struct http_engine *engine)
{
	struct http_conn *conn;
	unsigned int status;

	for (conn = engine->server->conns; conn != NULL; conn = conn->next) {
		status = conn->engine == engine ? conn_unreadable(conn) : 0;
		if (status != 0)
			http_refuse_raw(
			    conn, NULL, status,
			    "The head of the request has no "
			    "readable length, or too many cookies.");
	}
}

/* At the end libmicrohttpd closes the socket: nothing may watch it then. A copy
 * of it may linger. */
void
http_conn_on_notify(void *cls, struct MHD_Connection *mhd, void **context,
		    enum MHD_ConnectionNotificationCode code)
{
	struct http_engine *engine = cls;
	struct http_server *server = engine->server;
	struct http_conn *conn = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		server->arriving->mhd = mhd;
		*context = server->arriving;
		return;
	}
	if (conn == NULL)
		return;
	*context = NULL;
	if (server->arriving == conn)
		server->arriving = NULL;
	event_del(&conn->watch);
	conn->fd = conn->linger && !server->freeing
		       ? fcntl(conn->fd, F_DUPFD_CLOEXEC, 0)
		       : -1;
	if (conn->fd >= 0)
		conn_linger(conn);
	else
		conn_free(conn);
}

void
http_conn_new(struct http_engine *engine, int fd,
	      const struct sockaddr_storage *addr, socklen_t len)
{
	struct http_conn *conn = conn_alloc(engine, fd, addr, len);

	if (conn == NULL)
		return;
	/* Within TLS no first byte is seen: the handshake has a time, too. */
	if (!engine->tls)
		http_conn_phase(conn, HTTP_IDLE);
	else if (conn_hand_over(conn))
		http_conn_phase(conn, HTTP_HEAD);
}
