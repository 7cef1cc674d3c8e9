/* SPDX-License-Identifier: MIT */
/*
 * Orders to workers, as JSON:
 *
 *	{"order": "wake", "queue": "io"}
 *	{"order": "cancel", "id": "8fb3…"}
 *	{"order": "quiet", "worker": "host:main"}
 *	{"order": "signal", "id": "8fb3…", "signal": "USR1", "asker": "0192…"}
 *
 * All workers hear all orders; those that name a worker are for that one.
 */
#ifndef CODEC_ORDER_H
#define CODEC_ORDER_H

#include "util/buf.h"

struct err;

/* X(kind, text, member that says whom or what it is about) */
#define ORDERS(X)                                                              \
	X(WAKE, "wake", queue)	    /* look into this queue: for brokers */    \
	X(CANCEL, "cancel", id)	    /* end this task */                        \
	X(SIGNAL, "signal", id)	    /* pass one on to its command */           \
	X(QUIET, "quiet", worker)   /* claim no more tasks */                  \
	X(RESUME, "resume", worker) /* claim tasks again */                    \
	X(STOP, "stop", worker)	    /* as SIGTERM */                           \
	X(RELOAD, "reload", worker) /* as SIGHUP */                            \
	X(HEAR, "hear", id)	    /* tell this follower brief events */      \
	X(HEAR_WHOLE, "hear_whole", id) /* tell it records */

enum order_kind {
#define X(kind, text, member) ORDER_##kind,
	ORDERS(X)
#undef X
};

struct order {
	enum order_kind kind;
	struct slice subject; /* the queue, task or worker */
	/* Of SIGNAL: its name, as kill(1) has it, and who waits for the answer;
	 * else empty. */
	struct slice signal, asker;
};

/* Reads an order; its subject points into `message` or `scratch`. -1 with *err
 * (ERR_DATA): it is none, or one of a later version. */
int order_read(struct slice message, struct buf *scratch, struct order *ret,
	       struct err *err);
void order_write(const struct order *order, struct buf *out);

#endif
