/* SPDX-License-Identifier: MIT */
/*
 * An outbox: commands that must be carried out, however long the server is
 * away, full or busy.
 *
 * What is put in is sent as soon as the connection is up, in the order it came
 * in, and sent again after a lost reply; so each command must be one that does
 * no harm when it is carried out twice. Only the server's consent takes it out.
 */
#ifndef REDIS_OUTBOX_H
#define REDIS_OUTBOX_H

#include "redis/redis.h"
#include "util/pending.h"

struct event;
struct event_base;

struct outbox_ops {
	/* Sends the command for `p`, with these two for the reply; returns
	 * what redis_command() does. */
	int (*send)(struct pending *p, struct redis *r,
		    redis_reply_fn *on_reply, void *reply_arg);
	/* The server has carried it out. */
	void (*done)(struct pending *p, const struct redis_reply *reply,
		     void *arg);
	/* The server cannot carry it out for now, or says that it never will
	 * (then it is still tried again: somebody may repair it). */
	void (*on_trouble)(const struct err *why, void *arg);
};

struct outbox {
	struct redis *redis;
	const struct outbox_ops *ops;
	void *arg;
	struct pending_list waiting;
	struct pending_list sent;
	size_t count; /* in both */
	struct event *pause;
	bool paused; /* until that event */
};

/* `redis` may be set later, before outbox_push(). 0 or -1 with *err. */
int outbox_init(struct outbox *o, struct event_base *base,
		const struct outbox_ops *ops, void *arg, struct err *err);
/* Forgets what is in it. */
void outbox_done(struct outbox *o);

void outbox_add(struct outbox *o, struct pending *p);
/* Sends what waits; to be called when the connection is up again. */
void outbox_push(struct outbox *o);

/* Those that wait to be sent, or to be sent again, and of which `ends` says so, are
 * done, with no reply. */
void outbox_end(struct outbox *o, bool (*ends)(const struct pending *p));

#endif
