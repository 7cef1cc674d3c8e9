/* SPDX-License-Identifier: MIT */
/*
 * How a connection whose URL names several hosts gets to one of them. Its URL
 * always has the host that it dials, or dialed last; see find.h.
 */
#include "redis/find.h"

#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"
#include "util/clock.h"

int
redis_find_open(struct redis *r, struct err *err)
{
	if (!redis_url_is_group(&r->url))
		return 0;
	r->member.redis = r;
	if (r->url.cluster)
		return redis_find_node_open(r, err);
	return redis_peers_join(&r->member, r->base, &r->url,
				r->options.timeout_ms, err);
}

void
redis_find_close(struct redis *r)
{
	redis_cluster_leave(&r->member.user);
	redis_peers_leave(&r->member);
	free(r->member.place.host);
	r->member.place.host = NULL;
}

bool
redis_find_seeks(const struct redis *r)
{
	return r->member.peers != NULL || r->member.user.cluster != NULL;
}

/* Sentinels have a time of their own to answer. */
void
redis_find_start(struct redis *r)
{
	r->phase = REDIS_PHASE_FINDING;
	if (r->member.user.cluster != NULL)
		redis_find_node_seek(r);
	else
		redis_peers_seek(&r->member);
}

void
redis_find_take(struct redis *r, const struct redis_host *place,
		const struct err *err)
{
	struct err nomem;
	char *host;

	if (place == NULL || place->host == NULL) {
		if (place != NULL)
			err_nomem(&nomem);
		redis_conn_fail(r, place != NULL ? &nomem : err);
		return;
	}
	if ((host = strdup(place->host)) == NULL) {
		err_nomem(&nomem);
		redis_conn_fail(r, &nomem);
		return;
	}
	free(r->url.host);
	r->url.host = host;
	r->url.port = place->port;
	redis_conn_dial(r);
}

void
redis_find_stop(struct redis *r)
{
	r->member.seeks = false;
}

void
redis_find_move(struct redis *r, const struct redis_host *place)
{
	struct err err;

	if (r->wire == NULL && r->dial == NULL)
		return;
	err_set(&err, ERR_UNAVAILABLE, "the server is now %s:%u", place->host,
		(unsigned int)place->port);
	redis_conn_fail(r, &err);
}

void
redis_find_hurry(struct redis *r)
{
	if (r->phase != REDIS_PHASE_WAITING)
		return;
	r->failures = 0;
	redis_conn_schedule(r, 0);
}

bool
redis_find_doubts(const struct redis *r)
{
	return r->member.user.cluster != NULL;
}

void
redis_find_doubt(struct redis *r)
{
	redis_cluster_doubt(r->member.user.cluster);
}

void
redis_find_found(struct redis *r)
{
	if (r->member.peers != NULL)
		redis_peers_found(&r->member);
}

bool
redis_find_lost(struct redis *r, struct err *err)
{
	/* Nothing was dialed: the group has failed, or has moved it. */
	if (!redis_find_seeks(r) || r->phase == REDIS_PHASE_FINDING)
		return false;
	err_prefix(err, "%s:%u", r->url.host, (unsigned int)r->url.port);
	if (r->member.place.host == NULL)
		return true; /* redis_find_move() */
	if (r->member.user.cluster != NULL) {
		if (err->code == ERR_REFUSED)
			err->code = ERR_UNAVAILABLE;
		redis_find_node_lost(r);
		return false;
	}
	return redis_peers_lost(&r->member, r->phase == REDIS_PHASE_UP);
}
