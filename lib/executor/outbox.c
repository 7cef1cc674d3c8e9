/* SPDX-License-Identifier: MIT */
/*
 * The outbox: what all threads of an executor send to flowrrad.
 *
 * Frames are put into `pending` under the lock. The first thread that wants
 * them sent becomes the writer and swaps `pending` for the channel's empty
 * buffer; the others only leave word (`again`) and go on with their tasks. So
 * no result waits for a write of another thread, and frames leave in the order
 * of their put.
 */
#include "executor/outbox.h"

#include <event2/event.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "util/err.h"

/* From here on handlers wait with progress and log lines, which may come
 * without end; results never wait. Some five times what a socket holds by
 * default. */
#define FULL_BYTES (1u << 20)

struct outbox {
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct buf pending; /* put, not yet handed to the writer */
	unsigned int n_pending;
	unsigned int n_waiting; /* for room */
	bool writing;		/* a thread is writing `channel.out` */
	bool again;		/* it is to look at `pending` once more */
	bool blocked;		/* the socket is full; `writable` is added */
	bool dead;		/* flowrrad is gone: the reading side tells */
	struct ipc_channel channel; /* its sending half; the writer's */
	struct event *writable;
};

/*
 * Call with the lock, which is dropped while bytes are written. One writer at
 * a time keeps the frames in order.
 */
static void
flush_locked(struct outbox *o)
{
	struct buf spare;
	int r;

	/* The writer, or the event, comes back to it. */
	if (o->writing || o->blocked || o->dead) {
		o->again = true;
		return;
	}
	o->writing = true;
	do {
		/* Swapped, not copied; the memory of both is used again. */
		if (o->channel.out.len == 0) {
			spare = o->channel.out;
			o->channel.out = o->pending;
			o->pending = spare;
			o->n_pending = 0;
			o->again = false;
		}
		pthread_mutex_unlock(&o->lock);
		r = ipc_channel_flush(&o->channel, NULL);
		pthread_mutex_lock(&o->lock);
	} while (r == 1 && o->again);
	o->writing = false;
	if ((o->blocked = r == 0))
		event_add(o->writable, NULL);
	/* Makes the reading side find out, whose business the end is. */
	if ((o->dead = r < 0))
		shutdown(o->channel.fd, SHUT_RDWR);
	if (o->n_waiting > 0)
		pthread_cond_broadcast(&o->room);
}

static void
outbox_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *o = arg;

	pthread_mutex_lock(&o->lock);
	o->blocked = false;
	flush_locked(o);
	pthread_mutex_unlock(&o->lock);
}

struct outbox *
outbox_new(int fd, struct event_base *base, struct err *err)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (o == NULL) {
		err_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->room, NULL);
	/* A channel of its own beside the reader's, over the same socket: they
	 * share no byte, so reading and writing need no common lock. */
	ipc_channel_init(&o->channel, fd, IPC_TO_EXECUTOR);
	o->writable = event_new(base, fd, EV_WRITE, outbox_on_writable, o);
	if (o->writable == NULL) {
		err_nomem(err);
		outbox_free(o);
		return NULL;
	}
	return o;
}

void
outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	if (o->writable != NULL)
		event_free(o->writable);
	o->channel.fd = -1; /* borrowed */
	ipc_channel_done(&o->channel);
	buf_done(&o->pending);
	pthread_cond_destroy(&o->room);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

void
outbox_put(struct outbox *o, const struct outbox_frame *frame, bool urgent)
{
	pthread_mutex_lock(&o->lock);
	ipc_put(&o->pending, frame->type, frame->task, frame->fixed,
		&frame->rest, frame->rest.len > 0);
	o->n_pending++;
	if (urgent || o->n_pending >= OUTBOX_BATCH)
		flush_locked(o);
	pthread_mutex_unlock(&o->lock);
}

void
outbox_flush(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	if (o->pending.len > 0)
		flush_locked(o);
	pthread_mutex_unlock(&o->lock);
}

/* A dead one is never full: nobody would make room, and the process ends. */
static bool
full_locked(const struct outbox *o)
{
	return o->pending.len > FULL_BYTES && !o->dead;
}

bool
outbox_full(struct outbox *o)
{
	bool full;

	pthread_mutex_lock(&o->lock);
	full = full_locked(o);
	pthread_mutex_unlock(&o->lock);
	return full;
}

void
outbox_wait(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	o->n_waiting++;
	while (full_locked(o))
		pthread_cond_wait(&o->room, &o->lock);
	o->n_waiting--;
	pthread_mutex_unlock(&o->lock);
}

/* The loop that would say that there is room runs no more: this waits
 * itself. */
int
outbox_drain(struct outbox *o)
{
	struct pollfd p = {.fd = o->channel.fd, .events = POLLOUT};
	bool more, dead;

	do {
		pthread_mutex_lock(&o->lock);
		o->blocked = false;
		flush_locked(o);
		more = o->blocked || o->pending.len > 0;
		dead = o->dead;
		pthread_mutex_unlock(&o->lock);
		if (more && !dead)
			poll(&p, 1, -1);
	} while (more && !dead);
	return dead ? -1 : 0;
}
