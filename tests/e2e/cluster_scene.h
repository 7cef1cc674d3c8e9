/* SPDX-License-Identifier: MIT */
/* A world in a Redis Cluster of three masters, with a queue on each. */
#ifndef TESTS_E2E_CLUSTER_SCENE_H
#define TESTS_E2E_CLUSTER_SCENE_H

#include "e2e/world.h"
#include "redis_cluster.h"

#define CLUSTER_NODES REDIS_CLUSTER_MASTERS

struct cluster_scene {
	struct world *w;
	struct redis_test_cluster *c;
	char queues[CLUSTER_NODES]
		   [8]; /* of each node, one that a worker serves */
};

/* With a worker of them all, and of the modules demo and noop. If there are replicas,
 * one has to confirm what is submitted. `options` may be NULL. */
void cluster_begin(struct cluster_scene *s,
		   const struct redis_cluster_options *options);
void cluster_end(struct cluster_scene *s);
/* The key of a queue; good until the next call. */
const char *cluster_key(const char *queue);
/* A task in that queue runs, and its result comes back. */
void cluster_adds_in(struct cluster_scene *s, const char *queue);
/* … by and by: a node may have just come. */
void cluster_adds_again_in(struct cluster_scene *s, const char *queue);

/* The [broker] section's end, and the worker's queues. */
#define CLUSTER_CONFIG                                                         \
	"socket_timeout = 2\n"                                                 \
	"[worker]\nqueues = io,cpu,q2,q3,q4,q5,q6\n"

#endif
