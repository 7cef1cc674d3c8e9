/* SPDX-License-Identifier: MIT */
/*
 * Where the server of a URL is that names several: the one that says it is the
 * master, the one that Sentinels say, or one of the nodes of a Cluster.
 *
 *	find.c		a connection's part: before it dials, and after it failed
 *	find_node.c	the same for a node of a Cluster (cluster.h)
 *	peers.c		what the connections of one loop and URL know together
 *	sentinel.c	a question to the Sentinels, and what they say unasked
 *	quorum.h	leads to whether they could replace the master
 *
 * The connections of one loop that look in the same places follow one another:
 * when one finds the server elsewhere, or a Sentinel says so, the others are
 * dropped at once. So no two of them are ever at two servers for long, and one
 * whose end was cut off does not wait for TCP to notice.
 *
 * Calls go down that list, but for callbacks.
 */
#ifndef REDIS_FIND_H
#define REDIS_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "redis/cluster.h"
#include "redis/url.h"
#include "util/err.h"

struct event;
struct event_base;
struct redis;

/* --- sentinel.c ---------------------------------------------------------- */

/* What is asked of the hosts of a URL, which are Sentinels, one after the other. */
struct redis_sentinels {
	struct event_base *base;
	struct redis_url url; /* its hosts grow by those that they know */
	int64_t timeout_ms;
	/* A place, or NULL and why there is none. May end all of this. */
	void (*on_place)(const struct redis_host *place, const struct err *err,
			 void *arg);
	/* Something has happened: what was said before may be old. */
	void (*on_news)(void *arg);
	void *arg;

	size_t first; /* whom to ask first */
	/* They count failovers; one that knows of fewer than another has told is
	 * behind, unless most of those that have ever answered are: then the other
	 * one was wrong. */
	int64_t epoch, epoch_said;
	size_t behind;			/* in this question */
	bool answered[REDIS_HOSTS_MAX]; /* each of the hosts */
	/* A question: */
	struct redis *asked;
	size_t asking, tried;
	struct err why; /* the last one's answer */
	bool all_refuse;
	bool again; /* there was news since it was asked */
	/* The one that is listened to: */
	struct redis *heard;
	size_t listened;
	struct event *listen_again;
	bool hears;
};

/* The URL of one of them, which borrows from that of all. */
struct redis_url redis_sentinel_url(const struct redis_url *all, size_t i);
int redis_sentinels_init(struct redis_sentinels *s, struct event_base *base,
			 const struct redis_url *url, int64_t timeout_ms,
			 struct err *err);
void redis_sentinels_done(struct redis_sentinels *s);
/* Asks, unless that is under way; on_place follows, from the loop. */
void redis_sentinels_ask(struct redis_sentinels *s);
/* The same, and once more if it is. */
void redis_sentinels_ask_again(struct redis_sentinels *s);
/* The place that was told was wrong: another one is asked first. */
void redis_sentinels_doubt(struct redis_sentinels *s);

/* --- peers.c ------------------------------------------------------------- */

struct redis_peers;

/* A connection, as its group sees it; it lies inside the connection. */
struct redis_member {
	struct redis_peers
	    *peers; /* NULL: its URL names one place, or a Cluster:
				    */
	struct redis_cluster_user user; /* of the map, if it is to one node … */
	int slot;			/* … that has this one; -1: to any */
	struct redis *redis;
	struct redis_host place; /* where it is, or is going; host NULL: none */
	bool seeks;		 /* and is told by redis_find_take() */
	unsigned int failures;	 /* in a row */
	TAILQ_ENTRY(redis_member) link;
};

int redis_peers_join(struct redis_member *m, struct event_base *base,
		     const struct redis_url *url, int64_t timeout_ms,
		     struct err *err);
void redis_peers_leave(struct redis_member *m);
/* redis_find_take() follows, maybe from within. */
void redis_peers_seek(struct redis_member *m);
/* Its place is the server. */
void redis_peers_found(struct redis_member *m);
/* Its place is not, or not any more. Whether others are left to be tried before
 * it makes sense to wait. */
bool redis_peers_lost(struct redis_member *m, bool was_up);

/* --- find_node.c --------------------------------------------------------- */

int redis_find_node_open(struct redis *r, struct err *err);
/* redis_find_take() follows, maybe from within. */
void redis_find_node_seek(struct redis *r);
/* Its place is not, or not any more, where the slot is. */
void redis_find_node_lost(struct redis *r);
/* A reply says that the slot is elsewhere: the connection leaves for there, and
 * may be freed. */
void redis_find_node_moved(struct redis *r, unsigned int slot,
			   const struct redis_host *node);

/* --- find.c -------------------------------------------------------------- */

/* peers.c: a place to dial, or why there is none. */
void redis_find_take(struct redis *r, const struct redis_host *place,
		     const struct err *err);
/* peers.c: the server is elsewhere. The connection may be freed afterwards. */
void redis_find_move(struct redis *r, const struct redis_host *place);
/* peers.c: it is worth the next attempt at once, if one is awaited. */
void redis_find_hurry(struct redis *r);

#endif
