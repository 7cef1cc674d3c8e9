/* SPDX-License-Identifier: MIT */
/*
 * How a connection comes up, its deadlines, and how it ends.
 *
 * WAITING → (FINDING) → DIALING → (SECURING) → LOGGING_IN → UP. A failure in any phase
 * leads back to WAITING, or to REFUSED, which is final, when the server rejects
 * our password or permissions (of a Cluster: all of its nodes). All of it runs from the loop, never from a
 * public function.
 */
#include "redis/conn.h"

#include <event2/event.h>
#include <unistd.h>

#include "redis/dial.h"
#include "redis/reader.h"
#include "redis/tls.h"
#include "util/clock.h"
#include "util/err.h"

/* A server that was restarted is back in well under a second; one that stays
 * away is not asked more than about once a second by each connection. */
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 2000
/* Of several servers another one takes over within seconds, and is to be found at
 * once; the connections of a URL share the questions that this costs. */
#define SEEK_PAUSE_MAX_MS 400
/*
 * The limit for one attempt to connect, however large timeout_ms is. A SYN that
 * is lost while the server is away must not delay the next attempt after it is
 * back. Two seconds for the attempt and two for the longest pause keep a
 * reconnect under five.
 */
#define CONNECT_MAX_MS 2000
/* A node of a Cluster that has not answered for so long may have been replaced: the
 * others are asked, again and again. It keeps its whole time. */
#define DOUBT_MS 500

/* What a phase is doing when its time runs out. */
static const char *const phase_waits_for[] = {
    [REDIS_PHASE_DIALING] = "cannot connect",
    [REDIS_PHASE_SECURING] =
	"the TLS handshake does not finish; does the server speak TLS?",
    [REDIS_PHASE_LOGGING_IN] =
	"the server accepts connections but does not answer",
    [REDIS_PHASE_UP] = "the server does not answer",
};

/*
 * A callback of the user may call redis_free(). Code that still needs the
 * connection after a callback holds it: redis_free() then closes it, and the
 * last redis_conn_release() frees its memory.
 */
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

/*
 * Nothing is due. A subscriber gets a PING when it has been idle for half of
 * timeout_ms: it has no commands whose missing replies would show that the
 * server is gone, and TCP's keepalive notices that after hours, by default.
 */
static bool
idle(const struct redis *r)
{
	return r->phase == REDIS_PHASE_UP && redis_ring_first(&r->due) == NULL;
}

/*
 * Counts from the last byte that arrived (or from the first command after a
 * quiet time), not from each command: a server that sends a large reply slowly
 * is alive.
 */
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

static bool
conn_is_late(const struct redis *r)
{
	const struct redis_due *first = redis_ring_first(&r->due);

	return redis_find_doubts(r) && !idle(r) &&
	       clock_mono_ms() - r->since_ms -
		       (first != NULL ? first->block_ms : 0) >=
		   DOUBT_MS;
}

/*
 * One timer serves all commands. It is not moved with each command and each
 * reply, which would cost two heap operations a command: it expires now and
 * then and computes what is left. It is never set further ahead than
 * timeout_ms, so it expires in time for any command, or than it takes to doubt a
 * node.
 */
static void
conn_set_deadline(struct redis *r)
{
	int64_t ms = time_left_ms(r);
	struct timeval tv;

	if (ms > r->options.timeout_ms)
		ms = r->options.timeout_ms;
	if (ms > DOUBT_MS && redis_find_doubts(r))
		ms = DOUBT_MS;
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

	r->deadline_set = false;
	if (idle(r) && !r->subscriber)
		return;
	if (time_left_ms(r) > 0) {
		if (conn_is_late(r))
			redis_find_doubt(r);
		conn_set_deadline(r);
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

/*
 * The place in the ring is reserved before the bytes are written: a command in
 * the buffer without an entry in the ring would shift all later replies by one.
 */
int
redis_conn_send(struct redis *r, struct redis_due due,
		const struct redis_args *parts, size_t n_parts)
{
	bool first = redis_ring_first(&r->due) == NULL;

	if (r->wire == NULL || redis_ring_reserve(&r->due) != 0 ||
	    redis_format(&r->out, parts, n_parts) != 0)
		return -1;
	redis_ring_push(&r->due, due);
	redis_transport_flush(r);
	if (first && r->phase == REDIS_PHASE_UP)
		r->since_ms = clock_mono_ms();
	if (!r->deadline_set)
		conn_set_deadline(r);
	return 0;
}

/* --- the way down -------------------------------------------------------- */

void
redis_conn_close(struct redis *r)
{
	redis_find_stop(r);
	redis_dial_free(r->dial);
	r->dial = NULL;
	redis_transport_close(r);
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

/* The next pause: 50 ms, doubled up to the longest, and of that a random part
 * between the half and the whole, lest all clients come back in step. */
static int64_t
next_pause_ms(struct redis *r)
{
	const int64_t max =
	    redis_find_seeks(r) ? SEEK_PAUSE_MAX_MS : PAUSE_MAX_MS;
	const unsigned int n = r->failures++;
	int64_t ms = n < 6 ? (int64_t)PAUSE_MIN_MS << n : max;
	uint16_t random;

	if (ms > max)
		ms = max;
	evutil_secure_rng_get_bytes(&random, sizeof(random));
	return ms / 2 + ms / 2 * random / UINT16_MAX;
}

/* NULL says that the reply is lost, not that the command did not run: only the
 * caller knows whether it may be sent again. */
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
	struct err err = *why;
	const bool at_once = redis_find_lost(r, &err);
	const bool refused = err.code == ERR_REFUSED;
	/* By a node, which others may replace: no sooner than it is told of. */
	const bool rejected = !refused && why->code == ERR_REFUSED;

	err_prefix(&err, "%s", r->name);
	/*
	 * The pauses start over only after a connection that lasted. A server
	 * that accepts connections and breaks them at once (a proxy without a
	 * backend does) must not get attempts without pauses.
	 */
	if (r->phase == REDIS_PHASE_UP &&
	    clock_mono_ms() - r->up_ms > PAUSE_MAX_MS)
		r->failures = 0;
	/*
	 * Closed before any callback, so that commands which a callback sends
	 * are refused instead of lost. Commands are answered before on_state is
	 * called, as redis.h says.
	 */
	redis_conn_close(r);
	r->phase = refused ? REDIS_PHASE_REFUSED : REDIS_PHASE_WAITING;
	redis_conn_hold(r);
	answer_all_with_null(r);
	if (!r->freed && r->options.on_state != NULL)
		r->options.on_state(r, redis_state(r), &err, r->options.arg);
	if (!r->freed && !refused)
		redis_conn_schedule(r, at_once	  ? 0
				       : rejected ? PAUSE_MAX_MS
						  : next_pause_ms(r));
	redis_conn_release(r);
}

/* --- the way up ---------------------------------------------------------- */

void
redis_conn_log_in(struct redis *r)
{
	struct err err;

	r->phase = REDIS_PHASE_LOGGING_IN;
	if (redis_login(r) != 0) {
		err_nomem(&err);
		redis_conn_fail(r, &err);
	}
}

/* The scripts are forgotten: this may be another server, or one that was
 * restarted, and both have an empty script cache. */
void
redis_conn_up(struct redis *r)
{
	struct err err;

	r->phase = REDIS_PHASE_UP;
	r->up_ms = r->since_ms = clock_mono_ms();
	redis_script_renew(r);
	redis_find_found(r);
	conn_set_deadline(r);
	if (r->subscriber && redis_pubsub_restore(r) != 0) {
		err_nomem(&err);
		redis_conn_fail(r, &err);
		return;
	}
	if (r->options.on_state != NULL)
		r->options.on_state(r, REDIS_UP, NULL, r->options.arg);
}

/* A transport that fails half-way owns the socket if it has set r->wire;
 * otherwise it is still ours to close. */
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
	if (redis_transport_open(r, fd, &err) != 0) {
		if (r->wire == NULL)
			close(fd);
		redis_conn_fail(r, &err);
	}
}

/*
 * Certificates get renewed, so the files are read again for each attempt. If
 * they cannot be read any more (the process may have given up its privileges),
 * the old ones stay in use.
 */
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

	redis_reader_free(r->reader);
	r->reader = NULL;
	if (redis_find_seeks(r))
		redis_find_start(r);
	else
		redis_conn_dial(r);
}

void
redis_conn_dial(struct redis *r)
{
	int64_t patience_ms = r->options.timeout_ms;
	struct err err;

	if (patience_ms > CONNECT_MAX_MS)
		patience_ms = CONNECT_MAX_MS;
	r->phase = REDIS_PHASE_DIALING;
	r->since_ms = clock_mono_ms();
	conn_set_deadline(r);
	if (r->url.tls)
		renew_tls(r);
	r->dial =
	    redis_dial_new(r->base, &r->url, patience_ms, on_dialed, r, &err);
	if (r->dial == NULL)
		redis_conn_fail(r, &err);
}
