/* SPDX-License-Identifier: MIT */
/*
 * The outbox: what all threads of an executor send to flowrrad.
 *
 * Frames are collected and written many at a time. The caller that puts one
 * says whether it is urgent; one that is not waits for the next urgent one, for
 * OUTBOX_BATCH of them, or for the executor's tick. Writing is done by one
 * thread at a time, without the lock; what the others put meanwhile goes out
 * right after. When the socket is full, the event loop goes on.
 *
 * Thread-safe.
 */
#ifndef EXECUTOR_OUTBOX_H
#define EXECUTOR_OUTBOX_H

#include <stdbool.h>

#include "ipc/ipc.h"

struct err;
struct event_base;
struct outbox;

/* Enough that the system call hardly counts for each of them, and few enough
 * that flowrrad gets something to do before the tick. */
#define OUTBOX_BATCH 64u

/* `fd` is borrowed; `base` has locks (evthread). */
struct outbox *outbox_new(int fd, struct event_base *base, struct err *err);
void outbox_free(struct outbox *o);

struct outbox_frame {
	enum ipc_type type;
	uint32_t task;
	const void *fixed;
	struct slice rest;
};
void outbox_put(struct outbox *o, const struct outbox_frame *frame,
		bool urgent);

/* Writes what was put so far. */
void outbox_flush(struct outbox *o);

/*
 * Waits while flowrrad is so slow that more than 1 MiB waits for it. For
 * threads that produce frames without end; never for an event loop, which asks
 * outbox_full() and drops what it can.
 */
void outbox_wait(struct outbox *o);
bool outbox_full(struct outbox *o);

/* Writes everything, waiting for the socket; -1 if flowrrad is gone. */
int outbox_drain(struct outbox *o);

#endif
