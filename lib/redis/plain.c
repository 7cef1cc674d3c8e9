/* SPDX-License-Identifier: MIT */
/*
 * A connection without TLS: the socket itself.
 *
 * A bufferevent would ask the kernel how much there is to read (FIONREAD)
 * before each read and copy the bytes through a buffer of its own. It also
 * writes without MSG_NOSIGNAL, so a program that uses the library could die
 * from SIGPIPE.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/conn.h"
#include "util/clock.h"
#include "util/err.h"

/*
 * 16 KiB hold hundreds of short replies. The buffer is not on the stack: a
 * thread of the library's user may have a small one, and the buffer would push
 * the frames of all callees onto pages that are not in the cache.
 */
#define READ_SIZE (16u << 10)
#define READS_MAX 8 /* before others have their turn */
#define IOVECS 32   /* chunks of one writev(); the rest follows */

/* recv() returned 0: the peer closed. Redis does so without a message when it
 * restarts, or when `timeout` or the output buffer limit hits. */
static void
lost(struct redis *r, ssize_t n)
{
	struct err err;

	if (n == 0)
		err_set(&err, ERR_UNAVAILABLE,
			"the server closed the connection");
	else
		err_sys(&err, ERR_UNAVAILABLE, "the connection broke");
	redis_conn_fail(r, &err);
}

static void
plain_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;
	ssize_t n = READ_SIZE;
	unsigned int i;

	redis_conn_hold(r);
	/* A short read has emptied the socket, almost certainly. */
	for (i = 0; i < READS_MAX && n == READ_SIZE && r->wire != NULL; i++) {
		n = recv(fd, r->plain.in, READ_SIZE, MSG_DONTWAIT);
		if (n > 0)
			redis_transport_take(r, r->plain.in, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			lost(r, n);
	}
	redis_conn_release(r);
}

/*
 * Sends without waiting for EV_WRITE first, which would cost three more system
 * calls each time; the socket nearly always has room. An error other than
 * EAGAIN is left to the reading side, which sees it too and may first find a
 * last message from the server.
 */
static void
send_all(struct redis *r)
{
	struct evbuffer_iovec v[IOVECS];
	struct msghdr m = {.msg_iov = v};
	ssize_t n;

	do {
		n = evbuffer_peek(r->out.buf, -1, NULL, v, IOVECS);
		m.msg_iovlen = (size_t)(n < IOVECS ? n : IOVECS);
		n = sendmsg(r->plain.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			evbuffer_drain(r->out.buf, (size_t)n);
	} while (n > 0 && evbuffer_get_length(r->out.buf) > 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		r->plain.stuck_ms = clock_boot_ms();
		event_add(r->plain.writable, NULL);
	}
}

/* The deadline would come too late: I/O goes before timers in a turn. */
static void
plain_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;

	if (!redis_transport_drop_stale(r, r->plain.stuck_ms))
		send_all(r);
}

static void
plain_send(struct redis *r)
{
	if (!event_pending(r->plain.writable, EV_WRITE, NULL))
		send_all(r);
}

static void
plain_close(struct redis *r)
{
	struct redis_plain *p = &r->plain;

	if (p->readable != NULL)
		event_free(p->readable);
	if (p->writable != NULL)
		event_free(p->writable);
	free(p->in);
	evbuffer_free(r->out.buf);
	close(p->fd);
	*p = (struct redis_plain){.fd = -1};
}

static void
plain_look(struct redis *r)
{
	plain_on_readable(r->plain.fd, EV_READ, r);
}

static const struct redis_wire plain_wire = {
    .send = plain_send, .look = plain_look, .close = plain_close};

/*
 * On failure r->wire is set already, so redis_conn_close() frees what was made.
 */
int
redis_plain_open(struct redis *r, int fd, struct err *err)
{
	struct redis_plain *p = &r->plain;

	r->out = (struct redis_out){.buf = evbuffer_new()};
	if (r->out.buf == NULL)
		return err_nomem(err);
	r->wire = &plain_wire;
	*p = (struct redis_plain){
	    .fd = fd,
	    .in = malloc(READ_SIZE),
	    .readable = event_new(r->base, fd, EV_READ | EV_PERSIST,
				  plain_on_readable, r),
	    .writable = event_new(r->base, fd, EV_WRITE, plain_on_writable, r)};
	if (p->in == NULL || p->readable == NULL || p->writable == NULL ||
	    event_add(p->readable, NULL) != 0)
		return err_nomem(err);
	redis_conn_log_in(r);
	return 0;
}
