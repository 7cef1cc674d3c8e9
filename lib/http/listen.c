/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets: who may connect.
 *
 * At the limit of connections, or of descriptors, the one that has been idle for
 * longest makes room. If none is idle, peers wait in the socket's backlog, which
 * costs us nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/state.h"
#include "util/err.h"
#include "util/limits.h"
#include "util/timer.h"

/* Connections that are accepted in one turn of the loop: what else it has to do
 * must not wait behind a flood of them. */
#define LISTEN_BATCH 16
/* Until it is tried again to get a descriptor. The end of a connection is a reason
 * to try, too. */
#define LISTEN_SHORT_MS 100

/* Of IPv6 the first half counts: a customer has all of a /64. */
static bool
same_peer(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	if (a->ss_family == AF_INET6)
		return memcmp(&a6->sin6_addr, &b6->sin6_addr,
			      IN6_IS_ADDR_V4MAPPED(&a6->sin6_addr) ? 16 : 8) ==
		       0;
	return false; /* on a Unix socket no address is another one's */
}

/* Of a Unix socket the user counts, or one could keep all others out. */
static bool
uid_has_too_many(const struct http_server *server, int fd)
{
	const struct http_conn *conn;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	unsigned int n = 0;

	if (server->limits.max_per_uid == 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	for (conn = server->conns; conn != NULL; conn = conn->next)
		n += conn->peer_uid == (int64_t)cred.uid;
	return n >= server->limits.max_per_uid;
}

/* All connections are looked at: there are some thousands at the most, and
 * accepting one takes longer. */
static bool
peer_has_too_many(const struct http_server *server,
		  const struct sockaddr_storage *addr)
{
	const struct http_conn *conn;
	unsigned int n = 0;

	if (server->limits.max_per_peer == 0)
		return false;
	for (conn = server->conns; conn != NULL; conn = conn->next)
		n += same_peer(&conn->addr, addr);
	return n >= server->limits.max_per_peer;
}

/* The one that waits for the longest is the least likely to be used again. */
static void
make_room(struct http_server *server)
{
	struct http_conn *conn, *idle = NULL;

	for (conn = server->conns; conn != NULL; conn = conn->next)
		if (conn->phase == HTTP_IDLE && !conn->cut &&
		    (idle == NULL || conn->since_us < idle->since_us))
			idle = conn;
	if (idle != NULL)
		http_conn_cut(idle);
}

/* Somebody waits. The listeners do, too, until a connection has ended, or has
 * become idle. */
static void
listener_at_limit(struct http_server *server)
{
	struct http_listener *l;

	server->crowded = true;
	for (l = server->listeners; l != NULL; l = l->next)
		event_del(&l->event);
	make_room(server);
}

/* One that is idle makes room here, too. */
static void
listener_is_short(struct http_listener *l, int sys)
{
	struct http_server *server = l->server;

	event_del(&l->event);
	make_room(server);
	timer_set_ms(server->accept_again, LISTEN_SHORT_MS);
	if (server->user.on_short != NULL)
		server->user.on_short(sys, server->user.arg);
}

/* One peer with too many connections is closed without a word: a reply would cost
 * what the limit saves. */
static void
listener_on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct http_listener *l = arg;
	struct http_server *server = l->server;
	struct sockaddr_storage addr;
	socklen_t len;
	int i, peer;

	for (i = 0; i < LISTEN_BATCH; i++) {
		if (server->n_conns >= server->limits.max_connections) {
			/* The first time: somebody is known to wait. */
			if (i == 0)
				listener_at_limit(server);
			return;
		}
		len = sizeof(addr);
		memset(&addr, 0, sizeof(addr));
		peer = accept4(l->fd, (struct sockaddr *)&addr, &len,
			       SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (peer < 0) {
			/* Without a descriptor it says so even if nobody
			 * waits; the first time somebody does. */
			if (errno == EAGAIN || !limits_is_short(errno) || i > 0)
				return;
			listener_is_short(l, errno);
			return;
		}
		if (addr.ss_family == AF_UNIX
			? uid_has_too_many(server, peer)
			: peer_has_too_many(server, &addr))
			close(peer);
		else
			http_conn_new(l->engine, peer, &addr, len);
	}
}

/* Each end of a connection may let one in. */
void
http_listeners_update(struct http_server *server)
{
	struct http_listener *l;

	if (server->freeing)
		return;
	server->crowded = false;
	for (l = server->listeners; l != NULL; l = l->next) {
		if (!server->quiet)
			event_add(&l->event, NULL);
		else
			event_del(&l->event);
	}
}

static void
listeners_on_again(void *arg)
{
	http_listeners_update(arg);
}

int
http_server_listen(struct http_server *server, int fd,
		   const struct http_tls *tls, struct err *err)
{
	struct http_listener *l = calloc(1, sizeof(*l));

	if (server->accept_again == NULL)
		server->accept_again =
		    timer_new(server->base, listeners_on_again, server);
	if (l == NULL || server->accept_again == NULL) {
		free(l);
		return err_nomem(err);
	}
	l->server = server;
	l->fd = fd;
	l->engine = http_engine_get(server, tls, err);
	if (l->engine == NULL) {
		free(l);
		return -1;
	}
	evutil_make_socket_nonblocking(fd);
	event_assign(&l->event, server->base, fd, EV_READ | EV_PERSIST,
		     listener_on_ready, l);
	l->next = server->listeners;
	server->listeners = l;
	http_listeners_update(server);
	return 0;
}

void
http_server_quiet(struct http_server *server)
{
	server->quiet = true;
	http_listeners_update(server);
}

/* Their sockets are the server's since http_server_listen(). */
void
http_listeners_free(struct http_server *server)
{
	struct http_listener *l;

	while ((l = server->listeners) != NULL) {
		server->listeners = l->next;
		event_del(&l->event);
		close(l->fd);
		free(l);
	}
	timer_free(server->accept_again);
	server->accept_again = NULL;
}
