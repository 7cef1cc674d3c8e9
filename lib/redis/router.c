/* SPDX-License-Identifier: MIT */
/*
 * A connection to all masters of a Redis Cluster, as a whole: its state, what waits
 * in it, the map that its nodes are of. See router.h.
 */
#include "redis/router.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"
#include "redis/reader.h"
#include "util/clock.h"
#include "util/pending.h"

/* Between two looks at what waits. */
#define LOOK_MS 20
/* The first of its nodes waits so long for the others: one that stands still is
 * known only after the whole timeout, in which who has just come gives up. */
#define FIRST_WAITS_MS 500

/* --- states -------------------------------------------------------------- */

/* The last statement of those who call it: the user may free the router. */
static void
router_tell(struct redis_router *router, enum redis_state state,
	    const struct err *why)
{
	struct redis *r = router->r;
	struct err err = ERR_INIT;

	if (router->state == REDIS_REFUSED)
		return; /* for ever */
	if (why != NULL) {
		err = *why;
		err_prefix(&err, "%s", r->name);
	}
	router->state = state;
	router->first_ms = 0;
	if (r->options.on_state != NULL)
		r->options.on_state(r, state, why != NULL ? &err : NULL,
				    r->options.arg);
}

/* Whether all nodes were tried, or those that are up have waited for the others. */
static bool
router_is_ready(struct redis_router *router, bool all_tried)
{
	const int64_t now_ms = clock_mono_ms();

	if (all_tried || router->state == REDIS_UP)
		return true;
	if (router->first_ms == 0)
		router->first_ms = now_ms;
	if (now_ms - router->first_ms >= FIRST_WAITS_MS)
		return true;
	redis_router_look_soon(router);
	return false;
}

void
redis_router_judge(struct redis_router *router, const struct err *why)
{
	const struct router_node *node;
	bool any = false, all_tried = true, all_refuse = true;

	TAILQ_FOREACH (node, &router->nodes, link) {
		any = any || (node->up && node->in_map);
		all_tried = all_tried && (node->tried || !node->in_map);
		all_refuse = all_refuse && node->redis == NULL;
	}
	if (!any)
		router->first_ms = 0;
	if (any && router_is_ready(router, all_tried))
		/* That it is up comes first, and then what is not. */
		router_tell(router, REDIS_UP,
			    router->state == REDIS_UP ? why : NULL);
	else if (!any && all_tried && why != NULL)
		router_tell(router, all_refuse ? REDIS_REFUSED : REDIS_DOWN,
			    why);
}

/* --- what waits ---------------------------------------------------------- */

void
redis_router_look_soon(struct redis_router *router)
{
	const struct timeval tv = {.tv_usec = LOOK_MS * 1000};

	if (!evtimer_pending(router->look, NULL))
		evtimer_add(router->look, &tv);
}

/* The first on a list that has waited for long enough. */
static struct routed *
list_find_late(struct routed_list *list, int64_t now_ms)
{
	struct routed *c;

	TAILQ_FOREACH (c, list, link)
		if (c->until_ms <= now_ms)
			return c;
	return NULL;
}

/* It was not carried out: told as a node would. That the connection broke would be
 * wrong, and nothing would say that it is back. The answer may end the router: `r` is
 * held. */
static void
router_answer_late(struct redis_router *router, struct routed_list *list)
{
	const struct redis *r = router->r;
	const int64_t now_ms = clock_mono_ms();
	struct redis_reply reply = {.type = REDIS_ERROR};
	struct routed *c;
	char text[200];

	while (!r->freed && (c = list_find_late(list, now_ms)) != NULL) {
		TAILQ_REMOVE(list, c, link);
		redis_routed_why(c, text, sizeof(text));
		reply.bytes = text;
		reply.len = strlen(text);
		redis_routed_answer(c, &reply);
	}
}

static void
router_send_due(struct redis_router *router)
{
	const int64_t now_ms = clock_mono_ms();
	struct routed_list due = TAILQ_HEAD_INITIALIZER(due);
	struct routed *c;

	while ((c = TAILQ_FIRST(&router->later)) != NULL &&
	       c->again_ms <= now_ms) {
		TAILQ_REMOVE(&router->later, c, link);
		TAILQ_INSERT_TAIL(&due, c, link);
	}
	while ((c = TAILQ_FIRST(&due)) != NULL) {
		TAILQ_REMOVE(&due, c, link);
		redis_routed_send(c);
	}
}

static bool
router_waits(const struct redis_router *router)
{
	const struct router_node *node;

	TAILQ_FOREACH (node, &router->nodes, link)
		if (!TAILQ_EMPTY(&node->held) ||
		    (node->redis == NULL && node->in_map))
			return true;
	return !TAILQ_EMPTY(&router->later);
}

/* Whether it belongs to none of the slots, and nothing depends on it. */
static bool
node_is_done(const struct router_node *node)
{
	return !node->in_map && TAILQ_EMPTY(&node->sent) &&
	       TAILQ_EMPTY(&node->held);
}

/* Whatever is left of those; they are few, and seldom. */
static void
router_free_old_nodes(struct redis_router *router)
{
	struct router_node *node;

	do {
		TAILQ_FOREACH (node, &router->nodes, link)
			if (node_is_done(node))
				break;
		if (node != NULL)
			redis_node_free(node);
	} while (node != NULL);
}

static void router_on_map(struct redis_cluster_user *user);

/* It may begin with a map that others have asked for. */
static void
router_on_look(evutil_socket_t fd, short what, void *arg)
{
	struct redis_router *router = arg;
	struct redis *r = router->r;
	struct router_node *node;

	if (TAILQ_EMPTY(&router->nodes)) {
		router_on_map(&router->user);
		return;
	}
	redis_conn_hold(r);
	TAILQ_FOREACH (node, &router->nodes, link)
		if (node->redis == NULL && node->in_map &&
		    router->state != REDIS_REFUSED &&
		    node->again_ms <= clock_mono_ms())
			redis_node_dial(node);
	router_answer_late(router, &router->later);
	for (node = r->freed ? NULL : TAILQ_FIRST(&router->nodes);
	     !r->freed && node != NULL;
	     node = r->freed ? NULL : TAILQ_NEXT(node, link))
		router_answer_late(router, &node->held);
	if (!r->freed) {
		router_send_due(router);
		router_free_old_nodes(router);
		if (router_waits(router))
			redis_router_look_soon(router);
		if (router->first_ms != 0)
			redis_router_judge(router, NULL);
	}
	redis_conn_release(r);
}

/* --- the map ------------------------------------------------------------- */

/* Nodes that are new are dialed, and what waits for one that has lost its slot goes
 * to the other. */
static void
router_on_map(struct redis_cluster_user *user)
{
	struct redis_router *router =
	    container_of(user, struct redis_router, user);
	const struct redis_slots *slots = redis_cluster_slots(user->cluster);
	struct router_node *node;
	size_t i;

	TAILQ_FOREACH (node, &router->nodes, link)
		node->in_map = false;
	for (i = 0; i < slots->n_nodes; i++) {
		node = redis_router_find_node(router, &slots->nodes[i]);
		if (node != NULL)
			node->in_map = true;
		else
			redis_node_new(router, &slots->nodes[i]);
	}
	TAILQ_FOREACH (node, &router->nodes, link)
		if (!node->up)
			redis_node_send_held(node);
	router_free_old_nodes(router);
	/* Those that were awaited may have left it. */
	if (router->state != REDIS_UP)
		redis_router_judge(router, NULL);
}

static void
router_on_no_map(struct redis_cluster_user *user, const struct err *why)
{
	struct redis_router *router =
	    container_of(user, struct redis_router, user);

	/* The nodes themselves tell what becomes of them. */
	if (!TAILQ_EMPTY(&router->nodes))
		return;
	router_tell(router,
		    why->code == ERR_REFUSED ? REDIS_REFUSED : REDIS_DOWN, why);
}

/* --- opening ------------------------------------------------------------- */

struct redis_router *
redis_router_new(struct redis *r, struct event_base *base,
		 const struct redis_url *url,
		 const struct redis_options *options, struct err *err)
{
	struct redis_router *router = calloc(1, sizeof(*router));

	if (router == NULL || (router->look = evtimer_new(base, router_on_look,
							  router)) == NULL) {
		free(router);
		err_nomem(err);
		return NULL;
	}
	router->r = r;
	router->base = base;
	router->url = &r->url;
	router->options = *options;
	router->state = REDIS_DOWN;
	evutil_secure_rng_get_bytes(&router->turn, sizeof(router->turn));
	TAILQ_INIT(&router->nodes);
	TAILQ_INIT(&router->later);
	router->user.on_map = router_on_map;
	router->user.on_no_map = router_on_no_map;
	if (redis_cluster_join(&router->user, base, url, options->timeout_ms,
			       err) != 0) {
		redis_router_free(router);
		return NULL;
	}
	if (redis_cluster_slots(router->user.cluster)->n_nodes > 0)
		event_active(router->look, EV_TIMEOUT, 0);
	return router;
}

void
redis_router_free(struct redis_router *router)
{
	struct router_node *node;
	struct routed *c;

	if (router == NULL)
		return;
	redis_cluster_leave(&router->user);
	while ((node = TAILQ_FIRST(&router->nodes)) != NULL)
		redis_node_free(node);
	while ((c = TAILQ_FIRST(&router->later)) != NULL) {
		TAILQ_REMOVE(&router->later, c, link);
		redis_routed_free(c);
	}
	event_free(router->look);
	free(router);
}

enum redis_state
redis_router_state(const struct redis_router *router)
{
	return router->state;
}

size_t
redis_router_backlog(const struct redis_router *router)
{
	const struct router_node *node;
	size_t n = 0;

	TAILQ_FOREACH (node, &router->nodes, link)
		if (node->redis != NULL)
			n += redis_backlog(node->redis);
	return n;
}

void
redis_router_get_nodes(const struct redis_router *router,
		       struct redis_nodes *ret)
{
	const struct redis_slots *slots =
	    redis_cluster_slots(router->user.cluster);
	const struct router_node *node;

	ret->uncovered = REDIS_SLOTS - slots->n_covered;
	TAILQ_FOREACH (node, &router->nodes, link) {
		ret->n += node->in_map;
		ret->away += node->in_map && !node->up;
	}
}

bool
redis_router_get_node(const struct redis_router *router, size_t n,
		      struct redis_node *ret)
{
	const struct router_node *node = redis_router_nth_node(router, n);

	if (node == NULL)
		return false;
	*ret = (struct redis_node){node->place.host, node->place.port, node->up,
				   node->why.msg};
	return true;
}
