/* SPDX-License-Identifier: MIT */
/*
 * What plain connections and those with TLS share: bytes become replies, and
 * the commands of one turn of the loop leave together at its end, in one write.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>

#include "redis/conn.h"
#include "redis/reader.h"
#include "util/clock.h"
#include "util/err.h"

/* The connection is of no use where its slot is not: it follows that. */
static void
transport_follow(struct redis *r, const struct redis_reply *reply)
{
	const struct redis_host here = {r->url.host, r->url.port};
	struct redis_host node;
	unsigned int slot;

	if (r->member.user.cluster == NULL ||
	    !redis_reply_is_error(reply, "MOVED") ||
	    !redis_slots_redirected(reply, &here, &slot, &node))
		return;
	redis_find_node_moved(r, slot, &node);
	free(node.host);
}

/*
 * An unexpected reply breaks the connection. Redis sends none (except when it
 * rejects a connection, which login.c expects), and pairing replies with the
 * wrong commands would be worse than a reconnect.
 */
static void
transport_take_reply(struct redis *r, const struct redis_reply *reply)
{
	enum redis_fault fault = redis_fault(reply);
	uint64_t number = r->due.popped;
	struct redis_reply final;
	struct redis_due due;
	struct err err;

	if (r->phase == REDIS_PHASE_UP && r->subscriber) {
		redis_pubsub_reply(r, reply);
		return;
	}
	if (!redis_ring_pop(&r->due, &due)) {
		err_set(&err, ERR_DATA, "the server sent an unexpected reply");
		redis_conn_fail(r, &err);
		return;
	}
	/* Before the callback, which may send the script again. A server that
	 * says so for ever must not be asked for ever. */
	if (fault == REDIS_FAULT_SCRIPT &&
	    !redis_script_forget(r, due.script, number)) {
		final = *reply;
		final.final = true;
		reply = &final;
	} else if (fault != REDIS_FAULT_SCRIPT && due.script != NULL) {
		redis_script_known(r, due.script, number);
	}
	if (due.on_reply != NULL)
		due.on_reply(r, reply, due.arg);
	if (fault == REDIS_FAULT_LATER && r->wire != NULL)
		transport_follow(r, reply);
	/* After the callback: the command is answered, and the connection is of
	 * no use while it leads to a replica. */
	if (fault == REDIS_FAULT_READONLY && r->wire != NULL) {
		err_set(&err, ERR_UNAVAILABLE,
			"the server is now a replica and accepts no writes; "
			"looking for a primary under the same name");
		redis_conn_fail(r, &err);
	}
}

void
redis_transport_take(struct redis *r, const void *p, size_t len)
{
	const struct redis_reply *reply;
	struct err err;
	int rc;

	if (r->phase == REDIS_PHASE_UP)
		r->since_ms = clock_mono_ms();
	rc = redis_reader_feed(r->reader, p, len, &err);
	/* A callback may break or free the connection. */
	while (rc >= 0 && r->wire != NULL) {
		rc = redis_reader_next(r->reader, &reply, &err);
		if (rc <= 0)
			break;
		transport_take_reply(r, reply);
	}
	if (rc < 0 && r->wire != NULL)
		redis_conn_fail(r, &err);
}

int
redis_transport_open(struct redis *r, int fd, struct err *err)
{
	r->reader = redis_reader_new(r->options.max_reply);
	if (r->reader == NULL)
		return err_nomem(err);
	return r->url.tls ? redis_secure_open(r, fd, err)
			  : redis_plain_open(r, fd, err);
}

void
redis_transport_close(struct redis *r)
{
	if (r->wire != NULL)
		r->wire->close(r);
	r->wire = NULL;
	r->out = (struct redis_out){.buf = NULL};
	event_del(r->flusher);
	r->flush = REDIS_FLUSH_NONE;
}

/* A bufferevent sends by itself; a plain socket is flushed from the loop, once
 * for all commands of this turn. */
void
redis_transport_flush(struct redis *r)
{
	if (r->wire->send == NULL || r->flush != REDIS_FLUSH_NONE)
		return;
	r->flush = REDIS_FLUSH_SOON;
	r->flush_ms = clock_boot_ms();
	event_active(r->flusher, EV_TIMEOUT, 0);
}

bool
redis_drops_stale(const struct redis *r)
{
	if (r->router != NULL)
		return !r->url.tls; /* each of its nodes */
	return r->wire != NULL && r->wire->send != NULL;
}

bool
redis_transport_drop_stale(struct redis *r, int64_t since_ms)
{
	struct err err;

	if (clock_boot_ms() - since_ms <= REDIS_STALE_MS)
		return false;
	err_set(&err, ERR_UNAVAILABLE,
		"this process stood still with commands to send");
	redis_conn_fail(r, &err);
	return true;
}

bool
redis_look(struct redis *r)
{
	bool up;

	if (r->phase != REDIS_PHASE_UP || r->wire->look == NULL)
		return false;
	redis_conn_hold(r);
	r->wire->look(r);
	up = r->phase == REDIS_PHASE_UP;
	redis_conn_release(r);
	return up;
}

void
redis_push(struct redis *r)
{
	if (r->flush == REDIS_FLUSH_NONE)
		return;
	event_del(r->flusher);
	r->flush = REDIS_FLUSH_NONE;
	if (!redis_transport_drop_stale(r, r->flush_ms))
		r->wire->send(r);
}

void
redis_transport_on_flush(int fd, short what, void *arg)
{
	struct redis *r = arg;

	/*
	 * Activated a second time, it runs after all other events of this turn:
	 * messages to other processes leave first, since those processes can
	 * work while we write to Redis.
	 */
	if (r->flush == REDIS_FLUSH_SOON) {
		r->flush = REDIS_FLUSH_NOW;
		event_active(r->flusher, EV_TIMEOUT, 0);
		return;
	}
	r->flush = REDIS_FLUSH_NONE;
	if (!redis_transport_drop_stale(r, r->flush_ms))
		r->wire->send(r);
}
