/* SPDX-License-Identifier: MIT */
/* The bytes of a connection: the bufferevent that carries them, plain or TLS,
 * and the replies they make. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>

#include "redis/conn.h"
#include "redis/reader.h"
#include "redis/tls.h"
#include "util/clock.h"
#include "util/err.h"

/* libevent's default would cut a turn's commands into writes of 16 KiB. */
#define WRITE_MAX (1024 * 1024)
#define IOVECS 8

/* --- reading ------------------------------------------------------------- */

static void
take_reply(struct redis *r, const struct redis_reply *reply)
{
	enum redis_fault fault = redis_fault(reply);
	uint64_t number = r->due.popped;
	struct redis_due due;
	struct err err;

	if (r->phase == REDIS_PHASE_UP && r->subscriber) {
		redis_pubsub_reply(r, reply);
		return;
	}
	if (!redis_ring_pop(&r->due, &due)) {
		err_set(&err, ERR_DATA,
			"it sent a reply that nobody asked for");
		redis_conn_fail(r, &err);
		return;
	}
	if (fault == REDIS_FAULT_SCRIPT)
		redis_script_forget(r, number);
	if (due.on_reply != NULL)
		due.on_reply(r, reply, due.arg);
	if (fault == REDIS_FAULT_READONLY && r->bev != NULL) {
		err_set(&err, ERR_UNAVAILABLE,
			"it is a replica now and takes no writes; looking for "
			"a primary under the same name");
		redis_conn_fail(r, &err);
	}
}

static int
feed_reader(struct redis *r, struct evbuffer *in, struct err *err)
{
	struct evbuffer_iovec v[IOVECS];
	size_t taken;
	int n, i;

	while (evbuffer_get_length(in) != 0) {
		n = evbuffer_peek(in, -1, NULL, v, IOVECS);
		if (n > IOVECS)
			n = IOVECS;
		taken = 0;
		for (i = 0; i < n; i++) {
			if (redis_reader_feed(r->reader, v[i].iov_base,
					      v[i].iov_len, err) != 0)
				return -1;
			taken += v[i].iov_len;
		}
		evbuffer_drain(in, taken);
	}
	return 0;
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct redis *r = arg;
	const struct redis_reply *reply;
	struct err err;
	int rc;

	redis_conn_hold(r);
	if (r->phase == REDIS_PHASE_UP)
		r->since_ms = clock_mono_ms();
	rc = feed_reader(r, bufferevent_get_input(bev), &err);
	/* A callback may break or free the connection: bev is gone then. */
	while (rc >= 0 && r->bev == bev) {
		rc = redis_reader_next(r->reader, &reply, &err);
		if (rc <= 0)
			break;
		take_reply(r, reply);
	}
	if (rc < 0 && r->bev == bev)
		redis_conn_fail(r, &err);
	redis_conn_release(r);
}

/* --- writing -------------------------------------------------------------
 *
 * A turn's commands leave at its end, without a question whether the socket
 * has room, which would take the kernel three more calls. What it does not
 * take is left to the bufferevent; and so is all with TLS.
 */

void
redis_transport_flush(struct redis *r)
{
	if (r->url.tls || r->flush != REDIS_FLUSH_NONE)
		return;
	r->flush = REDIS_FLUSH_SOON;
	event_active(r->flusher, EV_TIMEOUT, 0);
}

void
redis_transport_on_flush(int fd, short what, void *arg)
{
	struct redis *r = arg;

	(void)fd;
	(void)what;
	/* Behind all that is to be done in this turn: what goes to other
	 * processes has more to gain from being early. */
	if (r->flush == REDIS_FLUSH_SOON) {
		r->flush = REDIS_FLUSH_NOW;
		event_active(r->flusher, EV_TIMEOUT, 0);
		return;
	}
	r->flush = REDIS_FLUSH_NONE;
	if (r->bev == NULL || (bufferevent_get_enabled(r->bev) & EV_WRITE) != 0)
		return;
	evbuffer_unfreeze(r->out.buf, 1);
	evbuffer_write(r->out.buf, bufferevent_getfd(r->bev));
	evbuffer_freeze(r->out.buf, 1);
	/* The bufferevent finds out, too, if that was an error. */
	if (evbuffer_get_length(r->out.buf) > 0)
		bufferevent_enable(r->bev, EV_WRITE);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	(void)arg;
	bufferevent_disable(bev, EV_WRITE);
}

/* --- the bufferevent ----------------------------------------------------- */

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct redis *r = arg;
	struct err err;

	if (what & BEV_EVENT_CONNECTED) { /* the TLS handshake is done */
		redis_conn_log_in(r);
		return;
	}
	if (what & BEV_EVENT_EOF)
		err_set(&err, ERR_UNAVAILABLE,
			"the server closed the connection");
	else if (r->url.tls)
		redis_tls_why(bev, &r->url, &err);
	else
		err_sys(&err, ERR_UNAVAILABLE, "the connection broke");
	redis_conn_fail(r, &err);
}

int
redis_transport_open(struct redis *r, int fd, struct err *err)
{
	struct ssl_st *ssl;

	if (r->url.tls) {
		ssl = redis_tls_session(r->tls, &r->url, err);
		if (ssl == NULL)
			return -1;
		/* Deferred, since TLS may find bytes to read while it writes:
		 * no callback may run from within redis_command(). */
		r->bev = bufferevent_openssl_socket_new(
		    r->base, fd, ssl, BUFFEREVENT_SSL_CONNECTING,
		    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	} else {
		r->bev =
		    bufferevent_socket_new(r->base, fd, BEV_OPT_CLOSE_ON_FREE);
	}
	r->reader = redis_reader_new(r->options.max_reply);
	if (r->bev == NULL || r->reader == NULL)
		return err_nomem(err); /* libevent has freed ssl */
	bufferevent_setcb(r->bev, on_read, r->url.tls ? NULL : on_written,
			  on_event, r);
	bufferevent_set_max_single_write(r->bev, WRITE_MAX);
	r->out = (struct redis_out){.buf = bufferevent_get_output(r->bev)};
	if (bufferevent_enable(r->bev, EV_READ | EV_WRITE) != 0)
		return err_nomem(err);
	if (!r->url.tls)
		bufferevent_disable(r->bev, EV_WRITE);
	return 0;
}
