/* SPDX-License-Identifier: MIT */
/*
 * A Redis Cluster, for the connections of one loop and URL: the map of its
 * slots, which they share, and how commands find their nodes by it.
 *
 *	cluster.c	the map, and who is told when it changes
 *	router.h	a connection to all nodes: each command goes to the node
 *			that has its first key
 *
 * The map is asked for when the first one comes, when somebody doubts it (a key
 * was not where it was looked for, a node went away), at most twice a second,
 * and then again until it is whole. The nodes that are known are asked in turn.
 */
#ifndef REDIS_CLUSTER_H
#define REDIS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "redis/redis.h"
#include "redis/slots.h"

struct event_base;
struct redis_cluster;
struct redis_router;
struct redis_url;

/* --- cluster.c ----------------------------------------------------------- */

/* Who uses the map; it lies inside that. Both are called from the loop, and may
 * end users. */
struct redis_cluster_user {
	struct redis_cluster *cluster; /* NULL: it uses none */
	/* The map was asked for, and is here; it may be as it was. */
	void (*on_map)(struct redis_cluster_user *user);
	/* No node has said it: why the last one has not. ERR_REFUSED if all of
	 * them do not let us in. */
	void (*on_no_map)(struct redis_cluster_user *user,
			  const struct err *why);
	unsigned int told; /* which answer it was told of */
	TAILQ_ENTRY(redis_cluster_user) link;
};

int redis_cluster_join(struct redis_cluster_user *user, struct event_base *base,
		       const struct redis_url *url, int64_t timeout_ms,
		       struct err *err);
void redis_cluster_leave(struct redis_cluster_user *user);
/* What is known; `n_nodes` is 0 before the first answer. */
const struct redis_slots *redis_cluster_slots(const struct redis_cluster *c);
/* The map may be old: it is asked for, and on_map() or on_no_map() follows. */
void redis_cluster_doubt(struct redis_cluster *c);
/* Whether that is awaited. */
bool redis_cluster_in_doubt(const struct redis_cluster *c);
/* A node has said that a slot is at another one. */
void redis_cluster_moved(struct redis_cluster *c, unsigned int slot,
			 const struct redis_host *node);
/* The URL of one node: as that of the cluster, of which it borrows all. */
struct redis_url redis_cluster_node_url(const struct redis_url *cluster,
					const struct redis_host *node);

/* --- router.c: what redis.c does with a connection to all nodes ------------ */

struct redis_router *redis_router_new(struct redis *r, struct event_base *base,
				      const struct redis_url *url,
				      const struct redis_options *options,
				      struct err *err);
/* Calls nobody. */
void redis_router_free(struct redis_router *router);
enum redis_state redis_router_state(const struct redis_router *router);
void redis_router_get_nodes(const struct redis_router *router,
			    struct redis_nodes *ret);
bool redis_router_get_node(const struct redis_router *router, size_t n,
			   struct redis_node *ret);
size_t redis_router_backlog(const struct redis_router *router);
/* The key of a command, of those that are used; p NULL: it has none. */
struct slice redis_router_key(size_t argc, const struct slice *argv);
/* A command; or a call of `script`, whose first `n_keys` arguments are keys. 0, or -1
 * as redis_command(). */
struct redis_routed_call {
	redis_reply_fn *on_reply;
	void *arg;
	const struct redis_script *script; /* or NULL */
	size_t n_keys;			   /* of that */
	struct slice key;		   /* p NULL: any node will do */
	bool brisk; /* it waits for no longer than REDIS_BRISK_MS */
};
int redis_router_send(struct redis_router *router,
		      const struct redis_routed_call *call,
		      const struct redis_args *parts, size_t n_parts);
int redis_router_send_node(struct redis_router *router, size_t n,
			   const struct redis_routed_call *call,
			   struct redis_args argv);
size_t redis_router_send_all(struct redis_router *router,
			     const struct redis_routed_call *call,
			     struct redis_args argv);

#endif
