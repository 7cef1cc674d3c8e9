/* SPDX-License-Identifier: MIT */
/*
 * Heads are judged before libmicrohttpd reads them: peeked at in the socket.
 *
 * The first head of a plain connection is read before libmicrohttpd is given the
 * connection. Before each later one the connection is parked. What was pipelined,
 * and what comes within TLS, is judged after libmicrohttpd has read it
 * (gate_take.c).
 *
 * Peeking leaves the bytes in the socket, so that libmicrohttpd reads the same
 * head that was judged.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "http/state.h"

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

void
http_conn_unpark(struct http_conn *conn)
{
	if (!conn->parked)
		return;
	conn->parked = false;
	MHD_resume_connection(conn->mhd);
	http_engine_wake(conn->engine);
}

/* From here on the socket is libmicrohttpd's, which closes it when this fails, with
 * or without a call of http_conn_on_notify(): `arriving` tells whether there was
 * one. */
bool
http_conn_hand_over(struct http_conn *conn)
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
		http_conn_free(conn);
	rc = rc == MHD_YES && server->arriving == conn ? MHD_YES : MHD_NO;
	server->arriving = NULL;
	return rc == MHD_YES;
}

/* Judges what is there. 1: a head that libmicrohttpd may read; 0: its end is not
 * there yet; -1: refused, or the connection has ended (`refusal` has no status). */
static int
peek_judge(struct http_conn *conn, struct http_request *request)
{
	size_t max = conn->server->limits.max_head;
	char *bytes = conn->server->peeked;
	ssize_t n = recv(conn->fd, bytes, max + 1, MSG_PEEK | MSG_DONTWAIT);
	int rc;

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	rc = http_head_read(request, (struct slice){bytes, (size_t)n}, max);
	if (rc == 0 && http_conn_is_over(conn->fd))
		return -1;
	return rc == 1 && http_gate_judge(request) != 0 ? -1 : rc;
}

/* A request of its own, since libmicrohttpd's does not exist yet: it is thrown away
 * after the judgement. */
void
http_conn_peek(struct http_conn *conn)
{
	struct http_request *request = http_request_new(conn);
	int rc = request != NULL ? peek_judge(conn, request) : -1;

	if (rc == 1 && conn->parked)
		http_conn_unpark(conn);
	else if (rc == 1)
		http_conn_hand_over(conn);
	else if (rc < 0 && (request == NULL || request->refusal.status == 0))
		http_conn_cut(conn);
	else if (rc < 0)
		http_refuse_raw(conn, request, request->refusal.status,
				request->refusal.detail);
	http_request_free(request);
}

/* --- replies past libmicrohttpd -------------------------------------------- */

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
		http_conn_linger(conn);
		return;
	}
	if (conn->parked)
		fd = conn_swap_socket(conn);
	if (fd >= 0) {
		rest = http_conn_alloc(conn->engine, fd, &conn->addr,
				       conn->addr_len);
		if (rest != NULL)
			http_conn_linger(rest);
	}
	http_conn_cut(conn);
}

static unsigned int
conn_unreadable(const struct http_conn *conn, const char **ret_detail)
{
	if (conn->request == NULL || conn->request->begun || conn->cut)
		return 0;
	return http_gate_unreadable(
	    MHD_lookup_connection_value(conn->mhd, MHD_HEADER_KIND,
					"Content-Length"),
	    MHD_lookup_connection_value(conn->mhd, MHD_HEADER_KIND, "Cookie"),
	    ret_detail);
}

/* Which of them it is that libmicrohttpd cannot read its log does not tell. */
void
http_conns_refuse_unread(struct http_engine *engine)
{
	struct http_conn *conn;
	const char *detail;
	unsigned int status;

	for (conn = engine->server->conns; conn != NULL; conn = conn->next) {
		status =
		    conn->engine == engine ? conn_unreadable(conn, &detail) : 0;
		if (status != 0)
			http_refuse_raw(conn, conn->request, status, detail);
	}
}
