/* SPDX-License-Identifier: MIT */
/* Workers: how they are, and orders to one. */
#ifndef MANAGER_WORKERS_H
#define MANAGER_WORKERS_H

#include <stdbool.h>

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
/* The same of an answer of query_workers(). */
json_t *workers_describe(const json_t *known);

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

/*
 * Orders a reload and waits until the worker says how it has ended:
 * {"worker", "order", "reloaded"}. NULL with *err: ERR_CONFIG and the worker's
 * reason if it keeps its old configuration, ERR_TIMEOUT if it has said nothing
 * after `timeout_s`. A worker of a version that does not tell is not awaited:
 * then *ret_told and "reloaded" are false.
 */
json_t *worker_reload(struct flowrra_client *c, const char *worker,
		      double timeout_s, bool *ret_told, struct err *err);

/* Whether a worker says that it serves a queue, and whether one of an answer of workers_list() lives and serves a queue. */
bool worker_serves(const json_t *worker, const char *queue);
bool workers_serve(const json_t *workers, const char *queue);

/* The names of all tasks that living ones have, as the members of an object; NULL
 * if one of them does not say, and a name may be missing therefore. */
json_t *workers_tasks(const json_t *workers);

/* What is wrong with the modules and commands that a living worker could not
 * load: an array of texts, borrowed from an element of workers_list(); NULL if
 * there are none. */
const json_t *worker_refused(const json_t *worker);

/* Whether two of workers_list() are on different machines; of a dead one the machine
 * is often not known. */
bool workers_have_several_hosts(const json_t *workers);

#endif
