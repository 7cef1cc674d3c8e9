/* SPDX-License-Identifier: MIT */
/*
 * How a connection gets to one node of a Cluster: the master that has its slot,
 * or any. It leaves at once when the map shows the slot elsewhere, or the node
 * says so. See find.h and cluster.h.
 */
#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"
#include "util/pending.h"

/* Where it is to be; NULL: there is no such node. */
static const struct redis_host *
node_place(const struct redis *r)
{
	const struct redis_slots *slots =
	    redis_cluster_slots(r->member.user.cluster);

	if (slots->n_nodes == 0)
		return NULL;
	if (r->member.slot >= 0)
		return redis_slots_owner(slots, (unsigned int)r->member.slot);
	/* The one after that which failed last. */
	return &slots->nodes[r->member.failures % slots->n_nodes];
}

/* Whether it is where it may stay. */
static bool
node_is_right(const struct redis *r)
{
	const struct redis_slots *slots =
	    redis_cluster_slots(r->member.user.cluster);
	const struct redis_host *place;
	size_t i;

	if (r->member.slot >= 0) {
		place = node_place(r);
		return place == NULL ||
		       redis_host_same(place, &r->member.place);
	}
	for (i = 0; i < slots->n_nodes; i++)
		if (redis_host_same(&slots->nodes[i], &r->member.place))
			return true;
	return slots->n_nodes == 0;
}

static void
node_forget_place(struct redis *r)
{
	free(r->member.place.host);
	r->member.place.host = NULL;
}

/* Without memory, redis_find_take() says so. */
static void
node_take(struct redis *r)
{
	const struct redis_host *place = node_place(r);
	struct err err;

	r->member.seeks = false;
	node_forget_place(r);
	if (place == NULL) {
		redis_cluster_doubt(r->member.user.cluster);
		err_set(&err, ERR_UNAVAILABLE,
			"no node of the Cluster has slot %d", r->member.slot);
		redis_find_take(r, NULL, &err);
		return;
	}
	r->member.place.host = strdup(place->host);
	r->member.place.port = place->port;
	redis_find_take(r, &r->member.place, NULL);
}

/* --- the map ------------------------------------------------------------- */

static struct redis *
node_of(struct redis_cluster_user *user)
{
	return container_of(user, struct redis_member, user)->redis;
}

static void
node_on_map(struct redis_cluster_user *user)
{
	struct redis *r = node_of(user);
	const struct redis_host *place;

	if (r->member.seeks) {
		node_take(r);
	} else if (r->member.place.host != NULL && !node_is_right(r)) {
		place = node_place(r);
		node_forget_place(r);
		redis_find_move(r, place);
	}
}

static void
node_on_no_map(struct redis_cluster_user *user, const struct err *why)
{
	struct redis *r = node_of(user);

	if (!r->member.seeks)
		return;
	r->member.seeks = false;
	redis_find_take(r, NULL, why);
}

int
redis_find_node_open(struct redis *r, struct err *err)
{
	r->member.user.on_map = node_on_map;
	r->member.user.on_no_map = node_on_no_map;
	return redis_cluster_join(&r->member.user, r->base, &r->url,
				  r->options.timeout_ms, err);
}

void
redis_find_node_seek(struct redis *r)
{
	struct redis_cluster *c = r->member.user.cluster;

	if (redis_cluster_slots(c)->n_nodes == 0)
		redis_cluster_doubt(c);
	if (redis_cluster_in_doubt(c))
		r->member.seeks = true;
	else
		node_take(r);
}

void
redis_find_node_lost(struct redis *r)
{
	r->member.failures++;
	node_forget_place(r);
	redis_cluster_doubt(r->member.user.cluster);
}

void
redis_find_node_moved(struct redis *r, unsigned int slot,
		      const struct redis_host *node)
{
	redis_cluster_moved(r->member.user.cluster, slot, node);
	if ((int)slot != r->member.slot)
		return;
	node_forget_place(r);
	redis_find_move(r, node);
}
