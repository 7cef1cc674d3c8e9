/* SPDX-License-Identifier: MIT */
/*
 * A connection with TLS: a bufferevent of libevent's, which knows how to drive
 * OpenSSL without blocking (a write may need a read first, and the other way
 * round).
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "loaded/openssl.h"
#include "redis/conn.h"
#include "redis/tls.h"
#include "util/err.h"

/* libevent's default would cut a turn's commands into writes of 16 KiB. */
#define WRITE_MAX (1024 * 1024)

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct redis *r = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer_iovec v;

	redis_conn_hold(r);
	/* A callback may break or free the connection; `in` is gone then. */
	while (r->wire != NULL && evbuffer_peek(in, -1, NULL, &v, 1) > 0) {
		redis_transport_take(r, v.iov_base, v.iov_len);
		if (r->wire != NULL)
			evbuffer_drain(in, v.iov_len);
	}
	redis_conn_release(r);
}

static void
secure_on_event(struct bufferevent *bev, short what, void *arg)
{
	struct redis *r = arg;
	struct err err;

	if (what & BEV_EVENT_CONNECTED) { /* the handshake is done */
		redis_conn_log_in(r);
		return;
	}
	if (what & BEV_EVENT_EOF)
		err_set(&err, ERR_UNAVAILABLE,
			"the server closed the connection");
	else
		redis_tls_why(bev, &r->url, &err);
	redis_conn_fail(r, &err);
}

static void
secure_close(struct redis *r)
{
	bufferevent_free(r->bev);
	r->bev = NULL;
}

static const struct redis_wire secure_wire = {.close = secure_close};

int
redis_secure_open(struct redis *r, int fd, struct err *err)
{
	struct ssl_st *ssl = redis_tls_session(r->tls, &r->url, err);

	if (ssl == NULL)
		return -1;
	/* Callbacks are deferred: TLS may find bytes to read while it writes,
	 * and no callback may run from within redis_command(). */
	r->bev = bufferevent_openssl_socket_new(
	    r->base, fd, ssl, BUFFEREVENT_SSL_CONNECTING,
	    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (r->bev == NULL)
		return err_nomem(err); /* libevent has freed ssl */
	r->wire = &secure_wire;
	r->phase = REDIS_PHASE_SECURING;
	bufferevent_setcb(r->bev, on_read, NULL, secure_on_event, r);
	bufferevent_set_max_single_write(r->bev, WRITE_MAX);
	r->out = (struct redis_out){.buf = bufferevent_get_output(r->bev)};
	if (bufferevent_enable(r->bev, EV_READ | EV_WRITE) != 0)
		return err_nomem(err);
	return 0;
}
