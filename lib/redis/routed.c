/* SPDX-License-Identifier: MIT */
/*
 * A command on its way through a Redis Cluster: it goes to the node that has its
 * key, and follows it to where that has gone (MOVED, ASK). See router.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"
#include "redis/router.h"
#include "util/clock.h"

/* A slot that is being moved has some keys here and some there: for a moment, or
 * for as long as there are other keys to move. */
#define AGAIN_MS 20
/* How often a command follows a node's word in a row. */
#define FOLLOWS_MAX 16
/* "EVAL", the text, the number of keys. */
#define EVAL_ARGS 3

/* --- answers ------------------------------------------------------------- */

void
redis_routed_free(struct routed *c)
{
	free(c->asked.host);
	free(c);
}

void
redis_routed_answer(struct routed *c, const struct redis_reply *reply)
{
	struct redis *r = c->router->r;
	const struct redis_routed_call call = c->call;

	redis_routed_free(c);
	if (call.on_reply != NULL)
		call.on_reply(r, reply, call.arg);
}

void
redis_routed_why(const struct routed *c, char *text, size_t size)
{
	const struct router_node *node = c->node;

	if (node != NULL)
		snprintf(text, size, "CLUSTERDOWN %.150s:%u is out of reach",
			 node->place.host, (unsigned int)node->place.port);
	else if (c->why != NULL)
		snprintf(text, size, "CLUSTERDOWN %s", c->why);
	else if (c->slot >= 0)
		snprintf(text, size, "CLUSTERDOWN no master has slot %d",
			 c->slot);
	else
		snprintf(text, size, "CLUSTERDOWN no master is known");
}

static void
routed_send_later(struct routed *c, const char *why)
{
	c->node = NULL;
	c->why = why;
	c->again_ms = clock_mono_ms() + AGAIN_MS;
	TAILQ_INSERT_TAIL(&c->router->later, c, link);
	redis_router_look_soon(c->router);
}

/* Why the node did not carry it out, for now; NULL: it is another answer. */
static const char *
routed_why_later(const struct redis_reply *reply)
{
	static const struct {
		const char *code, *why;
	} reasons[] = {
	    {"TRYAGAIN", "its slot is being moved"},
	    {"CLUSTERDOWN", "the nodes say that the Cluster is down; start "
			    "the masters that are missing, or their replicas"},
	    {"READONLY", "its node has become a replica"},
	};
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (redis_reply_is_error(reply, reasons[i].code))
			return reasons[i].why;
	return NULL;
}

/* Whether the reply says that it was not carried out, and where to, or when, it is
 * sent again. */
static bool
routed_follow(struct routed *c, const struct router_node *from,
	      const struct redis_reply *reply)
{
	struct redis_cluster *cluster = c->router->user.cluster;
	struct redis_host node = {.host = NULL};
	unsigned int slot;
	const char *why;

	if (redis_slots_redirected(reply, &from->place, &slot, &node)) {
		if (++c->follows > FOLLOWS_MAX || (int)slot != c->slot ||
		    (c->call.brisk && clock_mono_ms() >= c->until_ms)) {
			free(node.host);
			return false;
		}
		if (redis_reply_is_error(reply, "ASK")) {
			c->asked = node;
		} else {
			redis_cluster_moved(cluster, slot, &node);
			free(node.host);
		}
		redis_routed_send(c);
		return true;
	}
	why = routed_why_later(reply);
	if (why == NULL || clock_mono_ms() >= c->until_ms)
		return false;
	if (!redis_reply_is_error(reply, "TRYAGAIN"))
		redis_cluster_doubt(cluster);
	routed_send_later(c, why);
	return true;
}

static void
routed_on_reply(struct redis *redis, const struct redis_reply *reply, void *arg)
{
	struct routed *c = arg;
	struct router_node *node = c->node;

	TAILQ_REMOVE(&node->sent, c, link);
	if (reply != NULL && redis_reply_type(reply) == REDIS_ERROR &&
	    routed_follow(c, node, reply))
		return;
	redis_routed_answer(c, reply);
}

/* --- sending ------------------------------------------------------------- */

/* NULL: nobody has its slot, or there is no memory. */
static struct router_node *
routed_node(struct routed *c)
{
	struct redis_router *router = c->router;
	const struct redis_host *place = &c->asked;
	struct router_node *node;

	if (c->slot < 0)
		return redis_router_any_node(router);
	if (place->host == NULL)
		place =
		    redis_slots_owner(redis_cluster_slots(router->user.cluster),
				      (unsigned int)c->slot);
	if (place == NULL)
		return NULL;
	node = redis_router_find_node(router, place);
	return node != NULL ? node : redis_node_new(router, place);
}

/* The node takes the next command though the slot is not yet its own. By its text,
 * since to load a script would be that command. */
static int
routed_send_asking(struct routed *c)
{
	const struct slice asking[] = {SLICE("ASKING")};
	struct redis *redis = c->node->redis;
	struct slice *argv;
	char n[24];
	int rc;

	if (redis_command(redis, NULL, NULL, 1, asking) != 0)
		return -1;
	if (c->call.script == NULL)
		return redis_command(redis, routed_on_reply, c, c->argc,
				     c->argv);
	argv = reallocarray(NULL, EVAL_ARGS + c->argc, sizeof(*argv));
	if (argv == NULL)
		return -1;
	snprintf(n, sizeof(n), "%zu", c->call.n_keys);
	argv[0] = SLICE("EVAL");
	argv[1] = slice_of(c->call.script->text);
	argv[2] = slice_of(n);
	memcpy(argv + EVAL_ARGS, c->argv, c->argc * sizeof(*argv));
	rc =
	    redis_command(redis, routed_on_reply, c, EVAL_ARGS + c->argc, argv);
	free(argv);
	return rc;
}

static int
routed_send_to(struct routed *c)
{
	const size_t n_keys = c->call.n_keys;

	if (c->asked.host != NULL)
		return routed_send_asking(c);
	if (c->call.script != NULL)
		return redis_eval(c->node->redis, c->call.script,
				  routed_on_reply, c, n_keys, c->argv,
				  c->argc - n_keys, c->argv + n_keys);
	return redis_command(c->node->redis, routed_on_reply, c, c->argc,
			     c->argv);
}

void
redis_routed_send(struct routed *c)
{
	int sent;

	c->node = routed_node(c);
	if (c->node == NULL) {
		redis_cluster_doubt(c->router->user.cluster);
		routed_send_later(c, NULL);
	} else if (!c->node->up) {
		TAILQ_INSERT_TAIL(&c->node->held, c, link);
		redis_router_look_soon(c->router);
	} else {
		sent = routed_send_to(c);
		free(c->asked.host);
		c->asked.host = NULL;
		if (sent == 0)
			TAILQ_INSERT_TAIL(&c->node->sent, c, link);
		else
			routed_send_later(c, "it could not be sent");
	}
}

/* --- from the user ------------------------------------------------------- */

struct slice
redis_router_key(size_t argc, const struct slice *argv)
{
	static const char *const without[] = {
	    "PUBLISH", "PUBSUB", "INFO", "CLIENT",  "TIME", "CONFIG",
	    "WAIT",    "PING",	 "SCAN", "CLUSTER", "ROLE", "WAITAOF"};
	const struct slice none = {NULL, 0};
	size_t i;

	for (i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		if (slice_eq(argv[0], slice_of(without[i])))
			return none;
	return argc > 1 ? argv[1] : none;
}

/* A copy of all of it. */
static struct routed *
routed_new(struct redis_router *router, const struct redis_routed_call *call,
	   const struct redis_args *parts, size_t n_parts)
{
	size_t argc = 0, size = 0, i, k;
	struct routed *c;
	char *at;

	for (i = 0; i < n_parts; i++) {
		argc += parts[i].n;
		for (k = 0; k < parts[i].n; k++)
			size += parts[i].v[k].len;
	}
	c = malloc(sizeof(*c) + argc * sizeof(c->argv[0]) + size);
	if (c == NULL)
		return NULL;
	*c = (struct routed){
	    .call = *call,
	    .router = router,
	    .slot = call->key.p != NULL ? (int)redis_slot_of(call->key) : -1,
	    .until_ms =
		clock_mono_ms() +
		(call->brisk ? REDIS_BRISK_MS : router->options.timeout_ms)};
	at = (char *)&c->argv[argc];
	for (i = 0; i < n_parts; i++)
		for (k = 0; k < parts[i].n; k++) {
			const struct slice arg = parts[i].v[k];

			c->argv[c->argc++] = (struct slice){at, arg.len};
			if (arg.len != 0)
				at = mempcpy(at, arg.p, arg.len);
		}
	return c;
}

int
redis_router_send(struct redis_router *router,
		  const struct redis_routed_call *call,
		  const struct redis_args *parts, size_t n_parts)
{
	struct routed *c;

	if (router->state != REDIS_UP ||
	    (c = routed_new(router, call, parts, n_parts)) == NULL)
		return -1;
	redis_routed_send(c);
	return 0;
}

/* By no key: it is that node's whatever happens. */
static int
routed_send_there(struct router_node *node,
		  const struct redis_routed_call *call, struct redis_args argv)
{
	struct routed *c = routed_new(node->router, call, &argv, 1);

	if (c == NULL)
		return -1;
	c->node = node;
	if (routed_send_to(c) != 0) {
		redis_routed_free(c);
		return -1;
	}
	TAILQ_INSERT_TAIL(&node->sent, c, link);
	return 0;
}

int
redis_router_send_node(struct redis_router *router, size_t n,
		       const struct redis_routed_call *call,
		       struct redis_args argv)
{
	struct router_node *node = redis_router_nth_node(router, n);

	return router->state == REDIS_UP && node != NULL && node->up
		   ? routed_send_there(node, call, argv)
		   : -1;
}

/* Nodes that are out of reach are left out. */
size_t
redis_router_send_all(struct redis_router *router,
		      const struct redis_routed_call *call,
		      struct redis_args argv)
{
	struct router_node *node;
	size_t n = 0;

	if (router->state != REDIS_UP)
		return 0;
	TAILQ_FOREACH (node, &router->nodes, link)
		if (node->up && node->in_map)
			n += routed_send_there(node, call, argv) == 0;
	return n;
}
