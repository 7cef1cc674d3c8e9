/* SPDX-License-Identifier: MIT */
/*
 * A connection to all masters of a Redis Cluster, as its own files see it; for
 * others, see cluster.h.
 *
 *	router.c	it as a whole: made by the map, looked after, its state
 *	router_node.c	a node of it: dialed, up, out of reach
 *	routed.c	a command: to the node that has its key, and after that
 *
 * A command is kept until it is answered, so that it can be sent again after an
 * answer that says it was not carried out. While its node is out of reach, or has
 * just not this key, it waits, for as long as a server may be silent, and is then
 * answered with CLUSTERDOWN; what may have been carried out is answered with NULL as
 * everywhere. Commands for one key
 * keep their order, as long as none of them has to be sent again.
 */
#ifndef REDIS_ROUTER_H
#define REDIS_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "redis/cluster.h"
#include "redis/redis.h"
#include "redis/url.h"
#include "util/buf.h"
#include "util/err.h"

struct event;
struct event_base;
struct router_node;

/* A command; its arguments lie behind it. */
struct routed {
	struct redis_routed_call call;
	struct redis_router *router;
	struct router_node *node; /* on whose list it is; NULL: on `later` */
	int slot;		  /* -1: any node will do */
	unsigned int follows;
	int64_t until_ms; /* it waits; monotonic */
	int64_t again_ms; /* it is sent again */
	const char
	    *why; /* it was not carried out yet; NULL: nobody has its slot */
	struct redis_host
	    asked; /* it is sent there, once; host NULL: by the map */
	TAILQ_ENTRY(routed) link;
	size_t argc;
	struct slice argv[];
};
TAILQ_HEAD(routed_list, routed);

struct router_node {
	struct redis_router *router;
	struct redis_host place;
	struct redis
	    *redis;	  /* NULL: it has not let us in, and is asked again */
	int64_t again_ms; /* then */
	bool up, tried;	  /* tried: it was up, or out of reach */
	bool told;	  /* that it is out of reach */
	struct err why;	  /* it was so last */
	bool in_map;
	struct routed_list sent, held; /* held: until it is up */
	TAILQ_ENTRY(router_node) link;
};

struct redis_router {
	struct redis *r; /* that the user has */
	struct event_base *base;
	struct redis_url *url; /* its */
	struct redis_options options;
	struct redis_cluster_user user;
	enum redis_state state;
	int64_t first_ms; /* while it is not up, a node is; 0: none */
	TAILQ_HEAD(, router_node) nodes;
	struct routed_list later;
	struct event *look; /* at what waits */
	unsigned int turn;  /* of the nodes, for what has no key */
};

/* --- router.c ------------------------------------------------------------ */

/* A node has come, or has failed, for which `why` says why. The last statement of
 * those who call it: the user may free the router. */
void redis_router_judge(struct redis_router *router, const struct err *why);
/* At what waits. */
void redis_router_look_soon(struct redis_router *router);

/* --- router_node.c ------------------------------------------------------- */

/* It is dialed. NULL: there is no memory. */
struct router_node *redis_node_new(struct redis_router *router,
				   const struct redis_host *place);
/* With its commands; calls nobody. */
void redis_node_free(struct router_node *node);
/* 0, or -1 and it is tried again. */
int redis_node_dial(struct router_node *node);
/* What waits for it is sent once more, maybe to others. */
void redis_node_send_held(struct router_node *node);
struct router_node *redis_router_find_node(struct redis_router *router,
					   const struct redis_host *place);
/* Of the masters, from 0 on; NULL: there are fewer. */
struct router_node *redis_router_nth_node(const struct redis_router *router,
					  size_t n);
/* A master that is up, or else one that is not; they take turns. */
struct router_node *redis_router_any_node(struct redis_router *router);

/* --- routed.c ------------------------------------------------------------ */

/* Sends it, or has it wait. Calls nobody. */
void redis_routed_send(struct routed *c);
/* It is on no list. The user may free the router. */
void redis_routed_answer(struct routed *c, const struct redis_reply *reply);
/* What it waits for, as the error of a node. */
void redis_routed_why(const struct routed *c, char *text, size_t size);
void redis_routed_free(struct routed *c);

#endif
