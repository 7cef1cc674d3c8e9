/* SPDX-License-Identifier: MIT */
/* Workers: how they are, and orders to one. */
#ifndef MANAGER_WORKERS_H
#define MANAGER_WORKERS_H

#include <jansson.h>

struct err;
struct flowrra_client;

/*
 * An array, in the order of their names, of what each worker says of itself:
 *	{"worker", "state", "in_flight", "host", "pid", "version",
 *	 "started_at", "uptime", "queues", "slots", "memory", …}
 * state is "running", "quiet", "stopping" or "dead": a dead one has said
 * nothing for a while, and what it has in flight is about to be another's.
 * uptime is in seconds, memory in bytes; slots is {"io": {"slots", "tasks"},
 * "cpu": …, "async": …}. What it does not say is null.
 */
json_t *workers_list(struct flowrra_client *c, struct err *err);

enum worker_order {
	WORKER_QUIET,  /* take no more tasks */
	WORKER_RESUME, /* take tasks again */
	WORKER_STOP,   /* as on SIGTERM */
	WORKER_RELOAD  /* as on SIGHUP */
};
const char *worker_order_name(enum worker_order order);

/* Sends an order: {"worker", "order"}. ERR_NOT_FOUND if no such worker lives.
 */
json_t *worker_order(struct flowrra_client *c, const char *worker,
		     enum worker_order order, struct err *err);

#endif
