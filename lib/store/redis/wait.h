/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: how a worker waits for tasks of queues that are empty.
 *
 *	wait.c		a few connections, each in BLMOVE for one queue
 *	track.c		for more queues than those: the server tells of changes
 */
#ifndef STORE_REDIS_WAIT_H
#define STORE_REDIS_WAIT_H

#include "store/redis/broker.h"

/* As many waiters as there are queues, or as there may be. 0, or -1 with *err. */
int rbroker_open_waiters(struct rbroker *b, struct err *err);
void rbroker_close_waiters(struct rbroker *b);
/* Waits for a task of a queue that is empty, in one way or the other; or
 * not any more. */
void rqueue_wait(struct rqueue *q);
void rqueue_stop_waiting(struct rqueue *q);
/* Nothing is wanted, and this was the last answer: says so. */
void rqueue_tell_quiet(const struct rqueue *q);
/* Opens what the server tells of changes with, if it is needed. */
int rbroker_open_watch(struct rbroker *b, struct err *err);
void rbroker_close_watch(struct rbroker *b);
/* Has the server tell when the queue changes. */
void rqueue_arm(struct rqueue *q);
/* Has the server watch lists, from the connection for commands on. */
void rbroker_track(struct rbroker *b);
/* Gives busy queues the waiters of dull ones. */
void rbroker_move_waiters(struct rbroker *b);

#endif
