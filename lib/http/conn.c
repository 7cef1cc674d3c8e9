/* SPDX-License-Identifier: MIT */
/*
 * A connection: its peer, its phase, and what it waits for.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/state.h"
#include "util/timer.h"

/* The slowest body that is waited for, behind the time that a head has: of a
 * modem. */
#define CONN_BODY_BYTES_PER_S 4096
#define US_PER_S 1000000

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
conn_on_late(void *arg)
{
	struct http_conn *conn = arg;

	http_refuse_raw(conn, 408,
			conn->phase == HTTP_BODY
			    ? "The body of the request took too long."
			    : "The head of the request took too long.");
}

/* Of an error no flag of the event tells, and more requests may have come. */
static bool
conn_is_over(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) != 0;
}

static void
conn_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	if (conn->phase == HTTP_IDLE)
		http_conn_phase(conn, HTTP_HEAD);
	else if (conn_is_over(fd))
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
	switch (phase) {
	case HTTP_IDLE:
		timer_cancel(conn->timer);
		conn_watch(conn, true);
		break;
	case HTTP_HEAD:
		conn_watch(conn, false);
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
	}
}

void
http_conn_cut(struct http_conn *conn)
{
	event_del(&conn->watch);
	timer_cancel(conn->timer);
	if (conn->request != NULL)
		http_request_gone(conn->request);
	if (conn->request != NULL && conn->request->ws != NULL)
		http_ws_cut(conn->request->ws);
	shutdown(conn->fd, SHUT_RDWR);
	http_engine_wake(conn->engine);
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

/* After the end libmicrohttpd closes the socket: nothing may watch it then. */
void
http_conn_on_notify(void *cls, struct MHD_Connection *mhd, void **context,
		    enum MHD_ConnectionNotificationCode code)
{
	struct http_engine *engine = cls;
	struct http_conn *conn = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		conn = engine->server->arriving;
		conn->mhd = mhd;
		*context = conn;
	} else if (conn != NULL) {
		*context = NULL;
		if (engine->server->arriving == conn)
			engine->server->arriving = NULL;
		conn_free(conn);
	}
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

void
http_conn_new(struct http_engine *engine, int fd,
	      const struct sockaddr_storage *addr, socklen_t len)
{
	struct http_server *server = engine->server;
	struct http_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL) {
		close(fd);
		return;
	}
	conn->server = server;
	conn->engine = engine;
	conn->fd = fd;
	conn->addr = *addr;
	conn->timer = timer_new(server->base, conn_on_late, conn);
	if (conn->timer == NULL) {
		free(conn);
		close(fd);
		return;
	}
	event_assign(&conn->watch, server->base, fd,
		     EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, conn_on_event,
		     conn);
	conn_name_peer(conn);
	conn_link(conn);
	server->arriving = conn;
	/* When it fails it closes the socket, with or without the callback. */
	if (MHD_add_connection(engine->mhd, fd, (const struct sockaddr *)addr,
			       len) != MHD_YES &&
	    server->arriving == conn)
		conn_free(conn);
	else if (server->arriving == conn)
		http_conn_phase(conn, HTTP_IDLE);
	server->arriving = NULL;
	http_engine_wake(engine);
}
