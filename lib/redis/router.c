/* SPDX-License-Identifier: MIT */
/*
 * A connection to all masters of a Redis Cluster: each command goes to the node
 * that has its key, and follows it to where that has gone (MOVED, ASK). See
 * cluster.h.
 *
 * A command is kept until it is answered, so that it can be sent again after an
 * answer that says it was not carried out. While its node is out of reach, or has
 * just not this key, it waits, for as long as a server may be silent; what may
 * have been carried out is answered with NULL as everywhere. Commands for one key
 * keep their order, as long as none of them has to be sent again.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"
#include "redis/reader.h"
#include "util/clock.h"
#include "util/pending.h"

/* Between two looks at what waits. */
#define LOOK_MS 20
/* A slot that is being moved has some keys here and some there: for a moment, or
 * for as long as there are other keys to move. */
#define AGAIN_MS 20
/* How often a command follows a node's word in a row. */
#define FOLLOWS_MAX 16
/* A node that did not let us in is asked again. */
#define REFUSED_MS 2000
/* "EVAL", the text, the number of keys. */
#define EVAL_ARGS 3

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
	TAILQ_HEAD(, router_node) nodes;
	struct routed_list later;
	struct event *look; /* at what waits */
	unsigned int turn;  /* of the nodes, for what has no key */
};

static void routed_send(struct routed *c);

/* Lists lose what is freed: the analyzer does not follow their links back.
 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */

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
	if (r->options.on_state != NULL)
		r->options.on_state(r, state, why != NULL ? &err : NULL,
				    r->options.arg);
}

/* A node has come, or has failed, for which `why` says why. */
static void
router_judge(struct redis_router *router, const struct err *why)
{
	const struct router_node *node;
	bool any = false, all_tried = true, all_refuse = true;

	TAILQ_FOREACH (node, &router->nodes, link) {
		any = any || (node->up && node->in_map);
		all_tried = all_tried && (node->tried || !node->in_map);
		all_refuse = all_refuse && node->redis == NULL;
	}
	if (any && (router->state == REDIS_UP || all_tried))
		/* That it is up comes first, and then what is not. */
		router_tell(router, REDIS_UP,
			    router->state == REDIS_UP ? why : NULL);
	else if (!any && all_tried && why != NULL)
		router_tell(router, all_refuse ? REDIS_REFUSED : REDIS_DOWN,
			    why);
}

/* --- answers ------------------------------------------------------------- */

static void
routed_free(struct routed *c)
{
	free(c->asked.host);
	free(c);
}

/* It is on no list. The user may free the router. */
static void
routed_answer(struct routed *c, const struct redis_reply *reply)
{
	struct redis *r = c->router->r;
	const struct redis_routed_call call = c->call;

	routed_free(c);
	if (call.on_reply != NULL)
		call.on_reply(r, reply, call.arg);
}

static void
router_look_soon(struct redis_router *router)
{
	const struct timeval tv = {.tv_usec = LOOK_MS * 1000};

	if (!evtimer_pending(router->look, NULL))
		evtimer_add(router->look, &tv);
}

static void
routed_send_later(struct routed *c)
{
	c->node = NULL;
	c->again_ms = clock_mono_ms() + AGAIN_MS;
	TAILQ_INSERT_TAIL(&c->router->later, c, link);
	router_look_soon(c->router);
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

	if (redis_slots_redirected(reply, &from->place, &slot, &node)) {
		if (++c->follows > FOLLOWS_MAX || (int)slot != c->slot) {
			free(node.host);
			return false;
		}
		if (redis_reply_is_error(reply, "ASK")) {
			c->asked = node;
		} else {
			redis_cluster_moved(cluster, slot, &node);
			free(node.host);
		}
		routed_send(c);
		return true;
	}
	if (!redis_reply_is_error(reply, "TRYAGAIN") &&
	    !redis_reply_is_error(reply, "CLUSTERDOWN") &&
	    !redis_reply_is_error(reply, "READONLY"))
		return false;
	if (clock_mono_ms() >= c->until_ms)
		return false;
	if (!redis_reply_is_error(reply, "TRYAGAIN"))
		redis_cluster_doubt(cluster);
	routed_send_later(c);
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
	routed_answer(c, reply);
}

/* --- nodes --------------------------------------------------------------- */

static struct router_node *
router_find_node(struct redis_router *router, const struct redis_host *place)
{
	struct router_node *node;

	TAILQ_FOREACH (node, &router->nodes, link)
		if (redis_host_same(&node->place, place))
			return node;
	return NULL;
}

static void
node_free(struct router_node *node)
{
	struct routed *c;

	TAILQ_REMOVE(&node->router->nodes, node, link);
	redis_free(node->redis);
	TAILQ_CONCAT(&node->sent, &node->held, link);
	while ((c = TAILQ_FIRST(&node->sent)) != NULL) {
		TAILQ_REMOVE(&node->sent, c, link);
		routed_free(c);
	}
	free(node->place.host);
	free(node);
}

static void
node_send_held(struct router_node *node)
{
	struct routed_list held = TAILQ_HEAD_INITIALIZER(held);
	struct routed *c;

	TAILQ_CONCAT(&held, &node->held, link);
	while ((c = TAILQ_FIRST(&held)) != NULL) {
		TAILQ_REMOVE(&held, c, link);
		routed_send(c);
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
	if (state == REDIS_REFUSED) {
		redis_free(node->redis);
		node->redis = NULL;
		node->again_ms = clock_mono_ms() + REFUSED_MS;
		router_look_soon(router);
	}
	if (node->up)
		node_send_held(node);
	else
		redis_cluster_doubt(router->user.cluster);
	/* Each failed attempt is told only while there is no other node. */
	node->told = !node->up && router->state == REDIS_UP;
	if (node->up || !told || router->state != REDIS_UP)
		router_judge(router, why);
}

/* 0, or -1 and it is tried again. */
static int
node_dial(struct router_node *node)
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
	node->tried = true;
	node->again_ms = clock_mono_ms() + REFUSED_MS;
	router_look_soon(router);
	return -1;
}

/* NULL: there is no memory. */
static struct router_node *
node_new(struct redis_router *router, const struct redis_host *place)
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
	node_dial(node);
	return node;
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
			node_free(node);
	} while (node != NULL);
}

/* --- sending ------------------------------------------------------------- */

/* A master that is up, or else one that is not; they take turns. */
static struct router_node *
router_any_node(struct redis_router *router)
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

/* NULL: nobody has its slot, or there is no memory. */
static struct router_node *
routed_node(struct routed *c)
{
	struct redis_router *router = c->router;
	const struct redis_host *place = &c->asked;
	struct router_node *node;

	if (c->slot < 0)
		return router_any_node(router);
	if (place->host == NULL)
		place =
		    redis_slots_owner(redis_cluster_slots(router->user.cluster),
				      (unsigned int)c->slot);
	if (place == NULL)
		return NULL;
	node = router_find_node(router, place);
	return node != NULL ? node : node_new(router, place);
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

/* Sends it, or has it wait. Calls nobody. */
static void
routed_send(struct routed *c)
{
	int sent;

	c->node = routed_node(c);
	if (c->node == NULL) {
		redis_cluster_doubt(c->router->user.cluster);
		routed_send_later(c);
	} else if (!c->node->up) {
		TAILQ_INSERT_TAIL(&c->node->held, c, link);
		router_look_soon(c->router);
	} else {
		sent = routed_send_to(c);
		free(c->asked.host);
		c->asked.host = NULL;
		if (sent == 0)
			TAILQ_INSERT_TAIL(&c->node->sent, c, link);
		else
			routed_send_later(c);
	}
}

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
	    .until_ms = clock_mono_ms() + router->options.timeout_ms};
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
	routed_send(c);
	return 0;
}

/* Nodes that are out of reach are left out. */
size_t
redis_router_send_all(struct redis_router *router,
		      const struct redis_routed_call *call,
		      struct redis_args argv)
{
	struct router_node *node;
	struct routed *c;
	size_t n = 0;

	if (router->state != REDIS_UP)
		return 0;
	TAILQ_FOREACH (node, &router->nodes, link) {
		if (!node->up || !node->in_map ||
		    (c = routed_new(router, call, &argv, 1)) == NULL)
			continue;
		c->node = node;
		if (routed_send_to(c) != 0) {
			routed_free(c);
			continue;
		}
		TAILQ_INSERT_TAIL(&node->sent, c, link);
		n++;
	}
	return n;
}

/* --- what waits ---------------------------------------------------------- */

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

/* An answer may end the router: `r` is held. */
static void
router_answer_late(struct redis_router *router, struct routed_list *list)
{
	const struct redis *r = router->r;
	const int64_t now_ms = clock_mono_ms();
	struct routed *c;

	while (!r->freed && (c = list_find_late(list, now_ms)) != NULL) {
		TAILQ_REMOVE(list, c, link);
		routed_answer(c, NULL);
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
		routed_send(c);
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
			node_dial(node);
	router_answer_late(router, &router->later);
	for (node = r->freed ? NULL : TAILQ_FIRST(&router->nodes);
	     !r->freed && node != NULL;
	     node = r->freed ? NULL : TAILQ_NEXT(node, link))
		router_answer_late(router, &node->held);
	if (!r->freed) {
		router_send_due(router);
		router_free_old_nodes(router);
		if (router_waits(router))
			router_look_soon(router);
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
		node = router_find_node(router, &slots->nodes[i]);
		if (node != NULL)
			node->in_map = true;
		else
			node_new(router, &slots->nodes[i]);
	}
	TAILQ_FOREACH (node, &router->nodes, link)
		if (!node->up)
			node_send_held(node);
	router_free_old_nodes(router);
	/* Those that were awaited may have left it. */
	if (router->state != REDIS_UP)
		router_judge(router, NULL);
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
		node_free(node);
	while ((c = TAILQ_FIRST(&router->later)) != NULL) {
		TAILQ_REMOVE(&router->later, c, link);
		routed_free(c);
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

/* NOLINTEND(clang-analyzer-unix.Malloc) */
