/* SPDX-License-Identifier: MIT */
/*
 * A connection: its peer, its phase, what it waits for, and its end.
 *
 * While libmicrohttpd has it, libmicrohttpd decides when it ends: to cut it means
 * to let libmicrohttpd see an end of file. Before and after that the socket is
 * ours alone. Each phase has its own time limit, or none, so that no peer can
 * hold a connection by doing nothing, or by doing it slowly.
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

/* The slowest body that is waited for, in addition to the time that a head has: a
 * modem's. A peer that sends a byte now and then holds its place no longer. */
#define CONN_BODY_BYTES_PER_S 4096
#define US_PER_S 1000000
/* For the peer to read our last words and to close; and how many bytes of it are
 * thrown away meanwhile. */
#define CONN_LINGER_MS 2000
#define CONN_LINGER_MAX 1048576

static void conn_on_event(evutil_socket_t fd, short what, void *arg);
static void conn_on_late(void *arg);

/* Set when it began (http_conn_on_notify()). NULL: it has ended, or was never
 * ours. */
struct http_conn *
http_conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

/* An IPv4 peer of a socket for both families (RFC 4291, section 2.5.5.2) is shown
 * as one of IPv4: lists of networks have it that way. The uid of a Unix socket is
 * the kernel's word, which no peer can forge; it is that at connect(). */
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

/* Linked in both directions: connections end in any order. */
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

struct http_conn *
http_conn_alloc(struct http_engine *engine, int fd,
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

/* Each end may let a peer in that waits. */
void
http_conn_free(struct http_conn *conn)
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
	http_conn_free(conn);
}

/*
 * Closes our half, and waits for the peer to close its own: if bytes that nobody
 * has read are there when a socket is closed, TCP resets the connection, and the
 * peer may never see our reply (RFC 9112, section 9.6).
 */
void
http_conn_linger(struct http_conn *conn)
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

/* Reads and drops what the peer still sends, until it closes too. One that sends
 * without an end is cut off. */
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

/* POLLRDHUP: a peer that has closed its half has ended its request. */
bool
http_conn_is_over(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) != 0;
}

/* --- events ---------------------------------------------------------------- */

/* A peer that has said nothing is told nothing: a 408 on an idle connection would
 * be taken for the answer to its next request. */
static void
conn_on_late(void *arg)
{
	struct http_conn *conn = arg;

	if (conn->phase == HTTP_LINGER || conn->phase == HTTP_IDLE)
		http_conn_cut(conn);
	else
		http_refuse_raw(conn, conn->request, 408,
				conn->phase == HTTP_BODY
				    ? "the body of the request took too long"
				    : "the head of the request took too long");
}

/* Bytes have come, or the peer has ended. While libmicrohttpd reads, it sees both
 * itself; while a request is suspended it sees neither. */
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
		http_conn_peek(conn);
	else if ((conn->phase == HTTP_ANSWER || conn->phase == HTTP_STREAM) &&
		 http_conn_is_over(fd))
		http_conn_cut(conn);
}

/* Edge-triggered: bytes that nobody takes now must not wake the loop again and
 * again. Adding the event again also tells of bytes that came before. */
static void
conn_watch(struct http_conn *conn, bool on)
{
	event_del(&conn->watch);
	if (on)
		event_add(&conn->watch, NULL);
}

/* One timer for all phases: a connection is in one at a time. */
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

/* The user hears of its request before the socket goes; libmicrohttpd's turn then
 * frees the connection. */
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
	http_conn_unpark(conn);
	http_engine_wake(conn->engine);
}

/* At the end libmicrohttpd closes the socket: nothing may watch it then, for its
 * number may be another file's at once. A copy of it may linger. */
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
		http_conn_linger(conn);
	else
		http_conn_free(conn);
}

void
http_conn_new(struct http_engine *engine, int fd,
	      const struct sockaddr_storage *addr, socklen_t len)
{
	struct http_conn *conn = http_conn_alloc(engine, fd, addr, len);

	if (conn == NULL)
		return;
	/* Within TLS no first byte is seen: the handshake has a time, too. */
	if (!engine->tls)
		http_conn_phase(conn, HTTP_IDLE);
	else if (http_conn_hand_over(conn))
		http_conn_phase(conn, HTTP_HEAD);
}
