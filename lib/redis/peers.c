/* SPDX-License-Identifier: MIT */
/*
 * What the connections of one loop to the servers of one URL know together.
 *
 * With Sentinels, a place is known while one of them is listened to and nobody
 * has failed at it; else it is asked for. Without, the hosts of the URL are tried
 * in turn, and where one connection is logged in, the others are to be, too.
 */
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "redis/find.h"

struct redis_peers {
	struct event_base *base;
	struct redis_url url;
	TAILQ_HEAD(, redis_member) members;
	struct redis_host place; /* the server's; host NULL: not known */
	bool sure;		 /* it need not be asked for */
	size_t next;		 /* without Sentinels: the host to try */
	struct redis_sentinels sentinels;
	struct event *turn; /* drops those that are elsewhere */
	unsigned int uses;  /* members, and what must not lose it */
	TAILQ_ENTRY(redis_peers) link;
};

/* Each is of one loop, and so of one thread; the list is of all. */
static TAILQ_HEAD(, redis_peers) all_peers = TAILQ_HEAD_INITIALIZER(all_peers);
static pthread_mutex_t all_peers_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- places -------------------------------------------------------------- */

static bool
place_same(const struct redis_host *a, const struct redis_host *b)
{
	return a->host != NULL && b->host != NULL && a->port == b->port &&
	       strcmp(a->host, b->host) == 0;
}

/* Without memory, the place is not known. */
static void
place_set(struct redis_host *place, const struct redis_host *to)
{
	char *host = to != NULL ? strdup(to->host) : NULL;

	free(place->host);
	*place = (struct redis_host){host, to != NULL ? to->port : 0};
}

/* --- peers ------------------------------------------------------------------ */

static void
peers_unuse(struct redis_peers *g)
{
	bool last;

	pthread_mutex_lock(&all_peers_lock);
	last = --g->uses == 0;
	if (last)
		TAILQ_REMOVE(&all_peers, g, link);
	pthread_mutex_unlock(&all_peers_lock);
	if (!last)
		return;
	redis_sentinels_done(&g->sentinels);
	if (g->turn != NULL)
		event_free(g->turn);
	redis_url_done(&g->url);
	free(g->place.host);
	free(g);
}

/* Those that are elsewhere come back at once, and find the others. A callback may
 * close connections, and open some. */
static void
peers_on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct redis_peers *g = arg;
	struct redis_member *m;

	if (g->place.host == NULL)
		return;
	g->uses++;
	do {
		TAILQ_FOREACH (m, &g->members, link)
			if (m->place.host != NULL &&
			    !place_same(&m->place, &g->place))
				break;
		if (m != NULL) {
			place_set(&m->place, NULL);
			redis_find_move(m->redis, &g->place);
		}
	} while (m != NULL);
	/* They need not wait for the end of a pause. */
	TAILQ_FOREACH (m, &g->members, link)
		redis_find_hurry(m->redis);
	peers_unuse(g);
}

static void
peers_settle(struct redis_peers *g, const struct redis_host *place)
{
	place_set(&g->place, place);
	event_active(g->turn, EV_TIMEOUT, 0);
}

static void
peers_tell(struct redis_peers *g, const struct redis_host *place,
	   const struct err *err)
{
	struct redis_member *m;

	g->uses++;
	do {
		TAILQ_FOREACH (m, &g->members, link)
			if (m->seeks)
				break;
		if (m != NULL) {
			m->seeks = false;
			place_set(&m->place, place);
			redis_find_take(m->redis, place, err);
		}
	} while (m != NULL);
	peers_unuse(g);
}

static void
peers_on_place(const struct redis_host *place, const struct err *err, void *arg)
{
	struct redis_peers *g = arg;
	const bool moved = place != NULL && !place_same(place, &g->place);

	g->sure = place != NULL && !g->sentinels.again;
	if (moved)
		peers_settle(g, place);
	g->uses++;
	peers_tell(g, place, err);
	if (g->sentinels.again)
		redis_sentinels_ask(&g->sentinels);
	peers_unuse(g);
}

static void
peers_on_news(void *arg)
{
	struct redis_peers *g = arg;

	g->sure = false;
	redis_sentinels_ask_again(&g->sentinels);
}

static struct redis_peers *
peers_new(struct event_base *base, const struct redis_url *url,
	  int64_t timeout_ms, struct err *err)
{
	struct redis_peers *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		err_nomem(err);
		return NULL;
	}
	TAILQ_INIT(&g->members);
	g->base = base;
	g->uses = 1;
	g->sentinels.on_place = peers_on_place;
	g->sentinels.on_news = peers_on_news;
	g->sentinels.arg = g;
	pthread_mutex_lock(&all_peers_lock);
	TAILQ_INSERT_TAIL(&all_peers, g, link);
	pthread_mutex_unlock(&all_peers_lock);
	g->turn = evtimer_new(base, peers_on_turn, g);
	if (g->turn == NULL || redis_url_copy(&g->url, url) != 0) {
		err_nomem(err);
		goto fail;
	}
	if (url->master == NULL ||
	    redis_sentinels_init(&g->sentinels, base, url, timeout_ms, err) ==
		0)
		return g;
fail:
	peers_unuse(g);
	return NULL;
}

static struct redis_peers *
peers_use(const struct event_base *base, const struct redis_url *url)
{
	struct redis_peers *g;

	pthread_mutex_lock(&all_peers_lock);
	TAILQ_FOREACH (g, &all_peers, link)
		if (g->base == base && redis_url_same_group(&g->url, url))
			break;
	if (g != NULL)
		g->uses++;
	pthread_mutex_unlock(&all_peers_lock);
	return g;
}

/* --- members ------------------------------------------------------------- */

int
redis_peers_join(struct redis_member *m, struct event_base *base,
		 const struct redis_url *url, int64_t timeout_ms,
		 struct err *err)
{
	m->peers = peers_use(base, url);
	if (m->peers == NULL)
		m->peers = peers_new(base, url, timeout_ms, err);
	if (m->peers == NULL)
		return -1;
	TAILQ_INSERT_TAIL(&m->peers->members, m, link);
	return 0;
}

void
redis_peers_leave(struct redis_member *m)
{
	if (m->peers == NULL)
		return;
	TAILQ_REMOVE(&m->peers->members, m, link);
	peers_unuse(m->peers);
	m->peers = NULL;
}

void
redis_peers_seek(struct redis_member *m)
{
	struct redis_peers *g = m->peers;
	const struct redis_host *place = &g->place;

	if (g->url.master == NULL)
		place = &g->url.hosts[g->next];
	m->seeks = true;
	if (g->url.master != NULL && !(g->sure && g->sentinels.hears)) {
		redis_sentinels_ask(&g->sentinels);
		return;
	}
	m->seeks = false;
	place_set(&m->place, place);
	redis_find_take(m->redis, &m->place, NULL);
}

void
redis_peers_found(struct redis_member *m)
{
	struct redis_peers *g = m->peers;

	m->failures = 0;
	if (g->url.master == NULL && !place_same(&m->place, &g->place))
		peers_settle(g, &m->place);
}

bool
redis_peers_lost(struct redis_member *m, bool was_up)
{
	struct redis_peers *g = m->peers;
	bool more = false;

	m->failures++;
	if (g->url.master == NULL) {
		/* The first that fails there moves on, for all. */
		if (place_same(&m->place, &g->url.hosts[g->next]))
			g->next = (g->next + 1) % g->url.n_hosts;
		more = m->failures % g->url.n_hosts != 0;
	} else if (place_same(&m->place, &g->place)) {
		g->sure = false;
		if (!was_up)
			redis_sentinels_doubt(&g->sentinels);
	}
	place_set(&m->place, NULL);
	return more;
}
