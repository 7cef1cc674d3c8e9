/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: a worker's queues that have limits; see limit.c.
 */
#ifndef STORE_REDIS_LIMIT_H
#define STORE_REDIS_LIMIT_H

#include "store/redis/broker.h"

/* The name of the lane of tasks that a limit holds: no task can have it. */
#define RLIMIT_LANE "=held"
/* The keys that the part limits.lua of a script needs, in this order. */
#define RLIMIT_N_KEYS 5
#define RLIMIT_KEYS(q)                                                         \
	slice_of((q)->keys[KEY_LIMITS]), slice_of((q)->keys[KEY_RUNNING]),     \
	    slice_of((q)->keys[KEY_HELD_INDEX]),                               \
	    slice_of((q)->keys[KEY_READY]), slice_of((q)->keys[KEY_COUNTING])
/* With them, what wake.lua needs. */
#define RLIMIT_N_WAKE_KEYS (RLIMIT_N_KEYS + 1)
#define RLIMIT_WAKE_KEYS(q) RLIMIT_KEYS(q), slice_of((q)->keys[KEY_IDLERS])
int rlimit_open(struct rbroker *b, struct err *err);
/* The queue has limits: it is claimed from with rlimit_claim(). */
void rlimit_begin(struct rqueue *q);
/* Something is there for this worker, of those that wait: it looks; or, if it has no
 * room any more, another one is woken. */
void rlimit_woken(struct rqueue *q);
/* Once a second: the watcher looks for tasks again, and so does another worker that
 * waits and finds that there is no watcher. */
void rlimit_watch(struct rqueue *q);
/* Finds out whether the queue has limits. */
void rlimit_look(struct rqueue *q);
/* Takes up to `count` tasks into a shard; 0, or -1: nothing was sent. */
int rlimit_claim(struct rqueue *q, unsigned int count, unsigned int shard);
/* As redis_command() with an LREM, but some at once. */
int rlimit_ack(struct rclaim *c, struct slice direction,
	       redis_reply_fn *on_reply, void *arg);
/* What was put off is sent: before other commands about lists in flight. */
void rlimit_flush(struct rbroker *b);
/* The connection is gone. */
void rlimit_drop(struct rbroker *b);
/* A rate has room again: a callback of q->rested. */
void rqueue_on_rested(int fd, short what, void *arg);

/* --- recount.c: see there ---------------------------------------------- */

enum rrecount_why {
	RRECOUNT_CHECK, /* it is compared with the lists */
	RRECOUNT_BEGIN, /* it is not known */
	RRECOUNT_ANEW	/* the same; and this worker settled tasks uncounted */
};
/* Has what is in flight counted; nothing is claimed meanwhile, but for a check. */
void rrecount_begin(struct rqueue *q, enum rrecount_why why);
/* Has the count compared with the lists, if the queue has limits. */
void rrecount_check(struct rqueue *q);

#endif
