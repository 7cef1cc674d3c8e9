/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks that were set aside, since this worker cannot run them.
 *
 *	lanes.c		lanes of them, and what this worker can run
 *	recall.c	tasks that were put back for want of a worker that has come
 */
#ifndef STORE_REDIS_LANES_H
#define STORE_REDIS_LANES_H

#include "store/redis/broker.h"

/* --- lanes.c ------------------------------------------------------------- */

/* The key of a lane; free() it. NULL when memory runs out. */
char *rqueue_lane_key(const struct rqueue *q, struct slice name);
/* The task of a member of a lane. */
struct slice rlane_task(struct slice member);
/* Takes note of the lanes that the claim script has told. Returns whether there
 * is one to claim from that was not known. */
bool rqueue_learn_lanes(struct rqueue *q, const struct redis_reply *told);
void rlanes_done(struct rlanes *l);
/* Replaces the names of the tasks that this worker can run. */
int rbroker_set_tasks(struct rbroker *b, const struct slice *names, size_t n);
void rbroker_forget_tasks(struct rbroker *b);
/* Says in each queue what this worker can run, and has tasks put back that
 * nobody can. */
void rbroker_serve(struct rbroker *b);
/* It goes, and what it can run lapses soon. */
void rbroker_unserve(struct rbroker *b);

/* --- recall.c ------------------------------------------------------------ */

/* Makes tasks due that were put back while nobody had their names, which were told
 * by serve.lua. */
void rqueue_recall(struct rqueue *q, const struct redis_reply *names);

#endif
