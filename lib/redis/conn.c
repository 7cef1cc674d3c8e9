/* SPDX-License-Identifier: MIT */
/*
 * A connection's way up, its deadlines, and its way down.
 *
 * WAITING → DIALING → (SECURING) → LOGGING_IN → UP, from each of them back to
 * WAITING when something breaks, and to REFUSED for ever when the server does
 * not want us. All of it runs from the loop, never from a public function.
 */
#include "redis/conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

#include "redis/dial.h"
#include "redis/reader.h"
#include "redis/tls.h"
#include "util/clock.h"
#include "util/err.h"

#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 2000
/* libevent's default would cut a turn's commands into writes of 16 KiB. */
#define WRITE_MAX (1024 * 1024)
#define IOVECS 8

/* What a phase is doing when its time runs out. */
static const char *const phase_waits_for[] = {
    [REDIS_PHASE_DIALING] = "cannot connect",
    [REDIS_PHASE_SECURING] =
	"the TLS handshake does not end; does it speak TLS?",
    [REDIS_PHASE_LOGGING_IN] = "it accepts connections but does not answer",
    [REDIS_PHASE_UP] = "it does not answer",
};

void
redis_conn_hold(struct redis *r)
{
	r->holds++;
}

void
redis_conn_release(struct redis *r)
{
	if (--r->holds == 0 && r->freed)
		redis_conn_destroy(r);
}

/* --- deadlines ----------------------------------------------------------- */

/* A subscriber is asked for a sign of life when it is quiet for half the time
 * that it has for an answer. */
static bool
idle(const struct redis *r)
{
	return r->phase == REDIS_PHASE_UP && redis_ring_first(&r->due) == NULL;
}

static int64_t
time_left_ms(const struct redis *r)
{
	const struct redis_due *first = redis_ring_first(&r->due);
	int64_t limit = r->options.timeout_ms;

	if (idle(r))
		limit /= 2;
	else if (first != NULL)
		limit += first->block_ms;
	return r->since_ms + limit - clock_mono_ms();
}

/*
 * There is one timer, which is not moved with each command and each reply: it
 * goes off every now and then, and looks. Since it is never set further ahead
 * than timeout_ms, it goes off in time for any command.
 */
static void
set_deadline(struct redis *r)
{
	int64_t ms = time_left_ms(r);
	struct timeval tv;

	if (ms > r->options.timeout_ms)
		ms = r->options.timeout_ms;
	if (ms < 1)
		ms = 1;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	r->deadline_set = event_add(r->deadline, &tv) == 0;
}

void
redis_conn_on_deadline(int fd, short what, void *arg)
{
	struct redis *r = arg;
	struct err err;

	(void)fd;
	(void)what;
	r->deadline_set = false;
	if (idle(r) && !r->subscriber)
		return;
	if (time_left_ms(r) > 0) {
		set_deadline(r);
		return;
	}
	if (idle(r)) {
		if (redis_pubsub_ping(r) != 0) {
			err_nomem(&err);
			redis_conn_fail(r, &err);
		}
		return;
	}
	err_set(&err, ERR_UNAVAILABLE, "%s (waited %lld ms)",
		phase_waits_for[r->phase],
		(long long)(clock_mono_ms() - r->since_ms));
	redis_conn_fail(r, &err);
}

int
redis_conn_send(struct redis *r, struct redis_due due,
		const struct redis_args *parts, size_t n_parts)
{
	bool first = redis_ring_first(&r->due) == NULL;

	if (r->bev == NULL || redis_ring_reserve(&r->due) != 0 ||
	    redis_format(&r->out, parts, n_parts) != 0)
		return -1;
	redis_ring_push(&r->due, due);
	if (first && r->phase == REDIS_PHASE_UP)
		r->since_ms = clock_mono_ms();
	if (!r->deadline_set)
		set_deadline(r);
	return 0;
}

/* --- the way down -------------------------------------------------------- */

void
redis_conn_close(struct redis *r)
{
	redis_dial_free(r->dial);
	r->dial = NULL;
	if (r->bev != NULL)
		bufferevent_free(r->bev);
	r->bev = NULL;
	r->out = (struct redis_out){.buf = NULL};
	event_del(r->deadline);
	r->deadline_set = false;
	/* The reader stays until the next attempt: a callback that is running
	 * may be looking at its reply. */
}

void
redis_conn_schedule(struct redis *r, int64_t ms)
{
	struct timeval tv = {
	    .tv_sec = ms / 1000,
	    .tv_usec = ms % 1000 * 1000,
	};

	event_add(r->retry, &tv);
}

/* The n-th pause: 50 ms, doubled up to 2 s, and of that a random part between
 * the half and the whole, lest all clients come back in step. */
static int64_t
pause_ms(unsigned int n)
{
	int64_t ms = n < 6 ? (int64_t)PAUSE_MIN_MS << n : PAUSE_MAX_MS;
	uint16_t random;

	if (ms > PAUSE_MAX_MS)
		ms = PAUSE_MAX_MS;
	evutil_secure_rng_get_bytes(&random, sizeof(random));
	return ms / 2 + ms / 2 * random / UINT16_MAX;
}

static void
answer_all_with_null(struct redis *r)
{
	struct redis_due due;

	while (!r->freed && redis_ring_pop(&r->due, &due))
		if (due.on_reply != NULL)
			due.on_reply(r, NULL, due.arg);
}

void
redis_conn_fail(struct redis *r, const struct err *why)
{
	bool refused = why->code == ERR_REFUSED;
	struct err err = *why;

	err_prefix(&err, "%s", r->name);
	/* One that breaks as soon as it is up must not come back in a rush. */
	if (r->phase == REDIS_PHASE_UP &&
	    clock_mono_ms() - r->up_ms > PAUSE_MAX_MS)
		r->failures = 0;
	redis_conn_close(r);
	r->phase = refused ? REDIS_PHASE_REFUSED : REDIS_PHASE_WAITING;
	redis_conn_hold(r);
	answer_all_with_null(r);
	if (!r->freed && r->options.on_state != NULL)
		r->options.on_state(r, redis_state(r), &err, r->options.arg);
	if (!r->freed && !refused)
		redis_conn_schedule(r, pause_ms(r->failures++));
	redis_conn_release(r);
}

/* --- bytes --------------------------------------------------------------- */

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

/* --- the way up ---------------------------------------------------------- */

static void
log_in(struct redis *r)
{
	struct err err;

	r->phase = REDIS_PHASE_LOGGING_IN;
	if (redis_login(r) != 0) {
		err_nomem(&err);
		redis_conn_fail(r, &err);
	}
}

void
redis_conn_up(struct redis *r)
{
	struct err err;

	r->phase = REDIS_PHASE_UP;
	r->up_ms = r->since_ms = clock_mono_ms();
	redis_script_forget(r, UINT64_MAX);
	set_deadline(r);
	if (r->subscriber && redis_pubsub_restore(r) != 0) {
		err_nomem(&err);
		redis_conn_fail(r, &err);
		return;
	}
	if (r->options.on_state != NULL)
		r->options.on_state(r, REDIS_UP, NULL, r->options.arg);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct redis *r = arg;
	struct err err;

	if (what & BEV_EVENT_CONNECTED) { /* the TLS handshake is done */
		log_in(r);
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

/* Puts a bufferevent on the connected socket, which it takes over. */
static int
make_transport(struct redis *r, int fd, struct err *err)
{
	SSL *ssl = NULL;

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
	bufferevent_setcb(r->bev, on_read, NULL, on_event, r);
	bufferevent_set_max_single_write(r->bev, WRITE_MAX);
	r->out = (struct redis_out){.buf = bufferevent_get_output(r->bev)};
	if (bufferevent_enable(r->bev, EV_READ | EV_WRITE) != 0)
		return err_nomem(err);
	return 0;
}

static void
on_dialed(int fd, const struct err *why, void *arg)
{
	struct redis *r = arg;
	struct err err;

	if (fd < 0) {
		redis_conn_fail(r, why);
		return;
	}
	redis_dial_free(r->dial);
	r->dial = NULL;
	if (make_transport(r, fd, &err) != 0) {
		if (r->bev == NULL)
			close(fd);
		redis_conn_fail(r, &err);
		return;
	}
	if (r->url.tls)
		r->phase = REDIS_PHASE_SECURING;
	else
		log_in(r);
}

/* Certificates get renewed; if ours cannot be read any more, the old ones have
 * to do. */
static void
renew_tls(struct redis *r)
{
	struct ssl_ctx_st *tls = redis_tls_new(&r->url, NULL);

	if (tls == NULL)
		return;
	redis_tls_free(r->tls);
	r->tls = tls;
}

void
redis_conn_on_retry(int fd, short what, void *arg)
{
	struct redis *r = arg;
	struct err err;

	(void)fd;
	(void)what;
	redis_reader_free(r->reader);
	r->reader = NULL;
	r->phase = REDIS_PHASE_DIALING;
	r->since_ms = clock_mono_ms();
	set_deadline(r);
	if (r->url.tls)
		renew_tls(r);
	r->dial = redis_dial_new(r->base, &r->url, r->options.timeout_ms,
				 on_dialed, r, &err);
	if (r->dial == NULL)
		redis_conn_fail(r, &err);
}
