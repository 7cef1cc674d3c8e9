/* SPDX-License-Identifier: MIT */
/* Figures of the whole. */
#ifndef MANAGER_STATS_H
#define MANAGER_STATS_H

#include <jansson.h>

struct err;
struct flowrra_client;

/*
 * Figures:
 *	{"waiting", "delayed", "in_flight", "dead": tasks at the broker,
 *	 "succeeded", "failed": tasks that have ended since the backend is in
 *	 use, "queues", "paused", "workers" (alive), "slots": those of their
 *	 executors, "registered": names of tasks, "unserved": those of them
 *	 that no living worker has, null if one does not say what it has}
 */
json_t *stats_get(struct flowrra_client *c, struct err *err);

/*
 * All that a live view shows, one moment of it:
 *	{"at", "stats", "queues", "workers", "running"}
 * each as its own operation gives it; at most `n_running` running tasks,
 * which are not looked for if that is 0.
 */
json_t *stats_snapshot(struct flowrra_client *c, size_t n_running,
		       struct err *err);

#endif
