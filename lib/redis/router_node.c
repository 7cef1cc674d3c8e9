/* SPDX-License-Identifier: MIT */
/*
 * A node of a Redis Cluster, as a connection to all of them has it: dialed, up, or
 * out of reach. See router.h.
 */
#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"
#include "redis/router.h"
#include "util/clock.h"

/* A node that did not let us in is asked again. */
#define REFUSED_MS 2000

struct router_node *
redis_router_find_node(struct redis_router *router,
		       const struct redis_host *place)
{
	struct router_node *node;

	TAILQ_FOREACH (node, &router->nodes, link)
		if (redis_host_same(&node->place, place))
			return node;
	return NULL;
}

struct router_node *
redis_router_nth_node(const struct redis_router *router, size_t n)
{
	struct router_node *node;

	TAILQ_FOREACH (node, &router->nodes, link)
		if (node->in_map && n-- == 0)
			return node;
	return NULL;
}

struct router_node *
redis_router_any_node(struct redis_router *router)
{
	struct router_node *node, *first = NULL, *best = NULL;
	unsigned int n = 0, at = 0;

	TAILQ_FOREACH (node, &router->nodes, link) {
		if (!node->in_map)
			continue;
		first = first != NULL ? first : node;
		n += node->up;
	}
	if (n == 0)
		return first;
	TAILQ_FOREACH (node, &router->nodes, link)
		if (node->in_map && node->up && at++ == router->turn % n)
			best = node;
	return best;
}

void
redis_node_free(struct router_node *node)
{
	struct routed *c;

	TAILQ_REMOVE(&node->router->nodes, node, link);
	redis_free(node->redis);
	TAILQ_CONCAT(&node->sent, &node->held, link);
	while ((c = TAILQ_FIRST(&node->sent)) != NULL) {
		TAILQ_REMOVE(&node->sent, c, link);
		redis_routed_free(c);
	}
	free(node->place.host);
	free(node);
}

void
redis_node_send_held(struct router_node *node)
{
	struct routed_list held = TAILQ_HEAD_INITIALIZER(held);
	struct routed *c;

	TAILQ_CONCAT(&held, &node->held, link);
	while ((c = TAILQ_FIRST(&held)) != NULL) {
		TAILQ_REMOVE(&held, c, link);
		redis_routed_send(c);
	}
}

/* Its state, which its commands have heard of before. */
static void
node_on_state(struct redis *redis, enum redis_state state,
	      const struct err *why, void *arg)
{
	struct router_node *node = arg;
	struct redis_router *router = node->router;
	const bool told = node->told;

	node->up = state == REDIS_UP;
	node->tried = true;
	if (!node->up)
		node->why = *why;
	if (state == REDIS_REFUSED) {
		redis_free(node->redis);
		node->redis = NULL;
		node->again_ms = clock_mono_ms() + REFUSED_MS;
		redis_router_look_soon(router);
	}
	if (node->up)
		redis_node_send_held(node);
	else
		redis_cluster_doubt(router->user.cluster);
	/* Each failed attempt is told only while there is no other node. */
	node->told = !node->up && router->state == REDIS_UP;
	if (node->up || !told || router->state != REDIS_UP)
		redis_router_judge(router, why);
}

int
redis_node_dial(struct router_node *node)
{
	struct redis_router *router = node->router;
	const struct redis_url url =
	    redis_cluster_node_url(router->url, &node->place);
	struct redis_options options = router->options;
	struct err err;

	options.url = &url;
	options.client_name = router->r->client_name;
	options.on_state = node_on_state;
	options.on_message = NULL;
	options.arg = node;
	node->redis = redis_new(router->base, &options, &err);
	if (node->redis != NULL)
		return 0;
	node->why = err;
	node->tried = true;
	node->again_ms = clock_mono_ms() + REFUSED_MS;
	redis_router_look_soon(router);
	return -1;
}

struct router_node *
redis_node_new(struct redis_router *router, const struct redis_host *place)
{
	struct router_node *node = calloc(1, sizeof(*node));

	if (node == NULL || (node->place.host = strdup(place->host)) == NULL) {
		free(node);
		return NULL;
	}
	node->router = router;
	node->place.port = place->port;
	node->in_map = true;
	TAILQ_INIT(&node->sent);
	TAILQ_INIT(&node->held);
	TAILQ_INSERT_TAIL(&router->nodes, node, link);
	redis_node_dial(node);
	return node;
}
