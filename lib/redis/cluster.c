/* SPDX-License-Identifier: MIT */
/*
 * The map of a Redis Cluster, which all its connections of one loop and URL
 * share. See cluster.h.
 *
 * A question goes to one node after the other, until one has answered, by
 * connections of its own that are closed then: first to the masters of the map, then
 * to the hosts of the URL. None of what a node says is believed but as a place to try: each node
 * answers only for keys that it has.
 */
#include "redis/cluster.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

/* One node has this long to answer: there are others. Of these the next is asked, too,
 * when it has not answered for a moment: it may stand still. */
#define ASK_MS 1000
#define NEXT_MS 100
/* Between two questions; doubled, up to the second, while nobody answers. */
#define PAUSE_MS 500
#define PAUSE_MAX_MS 2000
/* An answer of 1000 masters with replicas, each with some ranges. */
#define MAP_MAX (16u << 20)

/* One node that is asked. */
struct asked {
	struct redis_cluster *cluster;
	struct redis *redis;
	struct redis_host place;
	TAILQ_ENTRY(asked) link;
};

struct redis_cluster {
	struct event_base *base;
	struct redis_url url;
	int64_t timeout_ms;
	struct redis_slots slots;
	TAILQ_HEAD(, redis_cluster_user) users;
	unsigned int answers;	/* so far, for redis_cluster_user.told */
	struct event *question; /* the next one */
	int64_t asked_ms; /* when the last one began; monotonic; 0: never */
	/* A question under way: who is asked, until when there is just the last of
	 * them, and how many were. */
	TAILQ_HEAD(, asked) asked;
	struct event *next;
	size_t tried;
	bool refused;	       /* all that were tried have */
	unsigned int failures; /* questions in a row that nobody answered */
	struct err why;
	unsigned int uses; /* users, and what must not lose it */
	TAILQ_ENTRY(redis_cluster) link;
};

/* Each is of one loop, and so of one thread; the list is of all. */
static TAILQ_HEAD(, redis_cluster) all_clusters =
    TAILQ_HEAD_INITIALIZER(all_clusters);
static pthread_mutex_t all_clusters_lock = PTHREAD_MUTEX_INITIALIZER;

struct redis_url
redis_cluster_node_url(const struct redis_url *cluster,
		       const struct redis_host *node)
{
	struct redis_url url = *cluster;

	url.host = node->host;
	url.port = node->port;
	url.hosts = NULL;
	url.n_hosts = 0;
	url.cluster = false;
	return url;
}

static void
asked_free(struct asked *a)
{
	redis_free(a->redis);
	free(a->place.host);
	free(a);
}

static void
cluster_end_question(struct redis_cluster *c)
{
	struct asked *a;

	while ((a = TAILQ_FIRST(&c->asked)) != NULL) {
		TAILQ_REMOVE(&c->asked, a, link);
		asked_free(a);
	}
	if (c->next != NULL)
		evtimer_del(c->next);
	c->tried = 0;
}

static void
cluster_unuse(struct redis_cluster *c)
{
	bool last;

	pthread_mutex_lock(&all_clusters_lock);
	last = --c->uses == 0;
	if (last)
		TAILQ_REMOVE(&all_clusters, c, link);
	pthread_mutex_unlock(&all_clusters_lock);
	if (!last)
		return;
	cluster_end_question(c);
	if (c->question != NULL)
		event_free(c->question);
	if (c->next != NULL)
		event_free(c->next);
	redis_slots_done(&c->slots);
	redis_url_done(&c->url);
	free(c);
}

/* --- answers ------------------------------------------------------------- */

static void
cluster_ask_later(struct redis_cluster *c, int64_t ms)
{
	const struct timeval tv = {.tv_sec = ms / 1000,
				   .tv_usec = ms % 1000 * 1000};

	evtimer_add(c->question, &tv);
}

/* Each is told once, and may end itself and others. */
static void
cluster_tell(struct redis_cluster *c, const struct err *why)
{
	struct redis_cluster_user *user;

	c->uses++;
	c->answers++;
	do {
		TAILQ_FOREACH (user, &c->users, link)
			if (user->told != c->answers)
				break;
		if (user == NULL)
			break;
		user->told = c->answers;
		if (why != NULL)
			user->on_no_map(user, why);
		else
			user->on_map(user);
	} while (true);
	cluster_unuse(c);
}

static void cluster_ask_next(struct redis_cluster *c);

/* The connection is freed, as one that comes back by itself. */
static void
asked_failed(struct asked *a, const struct err *why)
{
	struct redis_cluster *c = a->cluster;

	c->why = *why;
	c->refused = c->refused && why->code == ERR_REFUSED;
	TAILQ_REMOVE(&c->asked, a, link);
	asked_free(a);
	cluster_ask_next(c);
}

static void
cluster_on_slots(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct asked *a = arg;
	struct redis_cluster *c = a->cluster;
	struct err why;

	if (reply == NULL)
		return; /* told with the state */
	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		redis_fault_err(r, "CLUSTER SLOTS", reply, &why);
		asked_failed(a, &why);
		return;
	}
	if (redis_slots_read(reply, &a->place, &c->slots, &why) != 0) {
		err_prefix(&why, "%s", redis_name(r));
		asked_failed(a, &why);
		return;
	}
	cluster_end_question(c);
	c->failures = 0;
	if (c->slots.n_covered < REDIS_SLOTS)
		cluster_ask_later(c, PAUSE_MS);
	cluster_tell(c, NULL);
}

/* --- questions ----------------------------------------------------------- */

static void
cluster_on_asked_state(struct redis *r, enum redis_state state,
		       const struct err *why, void *arg)
{
	const struct slice argv[] = {SLICE("CLUSTER"), SLICE("SLOTS")};
	struct err err;

	if (state != REDIS_UP) {
		asked_failed(arg, why);
	} else if (redis_command(r, cluster_on_slots, arg, 2, argv) != 0) {
		err_nomem(&err);
		asked_failed(arg, &err);
	}
}

/* The n-th to be asked: masters, then those of the URL. NULL: that was the last.
 * The number of the question rotates both, lest one that lies has the word; and
 * all of them together while the map lacks slots, since it may be of a node that
 * knows nobody else. */
static const struct redis_host *
cluster_candidate(const struct redis_cluster *c)
{
	const struct redis_slots *slots = &c->slots;
	const size_t n_hosts = c->url.n_hosts, all = slots->n_nodes + n_hosts;
	size_t n = c->tried;

	if (n >= all)
		return NULL;
	if (slots->n_covered < REDIS_SLOTS)
		n = (n + c->answers) % all;
	else if (n < slots->n_nodes)
		n = (n + c->answers) % slots->n_nodes;
	else
		n = slots->n_nodes +
		    (n - slots->n_nodes + c->answers) % n_hosts;
	return n < slots->n_nodes ? &slots->nodes[n]
				  : &c->url.hosts[n - slots->n_nodes];
}

static int
cluster_dial(struct redis_cluster *c, const struct redis_host *host,
	     struct err *err)
{
	const struct redis_url url = redis_cluster_node_url(&c->url, host);
	struct asked *a = calloc(1, sizeof(*a));
	const struct redis_options options = {
	    .url = &url,
	    .client_name = "flowrra-cluster",
	    .timeout_ms = c->timeout_ms < ASK_MS ? c->timeout_ms : ASK_MS,
	    .max_reply = MAP_MAX,
	    .replica_too = true,
	    .on_state = cluster_on_asked_state,
	    .arg = a};

	if (a == NULL || (a->place.host = strdup(host->host)) == NULL) {
		free(a);
		return err_nomem(err);
	}
	a->place.port = host->port;
	a->cluster = c;
	if ((a->redis = redis_new(c->base, &options, err)) == NULL) {
		asked_free(a);
		return -1;
	}
	TAILQ_INSERT_TAIL(&c->asked, a, link);
	return 0;
}

static void
cluster_no_answer(struct redis_cluster *c)
{
	struct err err = c->why;

	err.code = c->refused ? ERR_REFUSED : ERR_UNAVAILABLE;
	cluster_end_question(c);
	if (!c->refused)
		cluster_ask_later(c, c->failures < 2 ? PAUSE_MS << c->failures
						     : PAUSE_MAX_MS);
	c->failures++;
	cluster_tell(c, &err);
}

/* The question ends with the last of those that are asked. */
static void
cluster_ask_next(struct redis_cluster *c)
{
	const struct timeval tv = {.tv_usec = NEXT_MS * 1000};
	const struct redis_host *host;

	while ((host = cluster_candidate(c)) != NULL) {
		c->tried++;
		if (cluster_dial(c, host, &c->why) == 0) {
			evtimer_add(c->next, &tv);
			return;
		}
		c->refused = false;
	}
	if (TAILQ_EMPTY(&c->asked))
		cluster_no_answer(c);
}

static void
cluster_on_next(evutil_socket_t fd, short what, void *arg)
{
	struct redis_cluster *c = arg;

	if (!TAILQ_EMPTY(&c->asked))
		cluster_ask_next(c);
}

static void
cluster_on_question(evutil_socket_t fd, short what, void *arg)
{
	struct redis_cluster *c = arg;

	if (!TAILQ_EMPTY(&c->asked))
		return;
	c->asked_ms = clock_mono_ms();
	c->refused = true;
	c->tried = 0;
	cluster_ask_next(c);
}

void
redis_cluster_doubt(struct redis_cluster *c)
{
	const int64_t since = clock_mono_ms() - c->asked_ms;

	if (TAILQ_EMPTY(&c->asked) && !evtimer_pending(c->question, NULL))
		cluster_ask_later(c, c->asked_ms == 0 || since >= PAUSE_MS
					 ? 0
					 : PAUSE_MS - since);
}

bool
redis_cluster_in_doubt(const struct redis_cluster *c)
{
	return !TAILQ_EMPTY(&c->asked) || evtimer_pending(c->question, NULL);
}

/* What else has moved with it, the map will show. */
void
redis_cluster_moved(struct redis_cluster *c, unsigned int slot,
		    const struct redis_host *node)
{
	redis_slots_move(&c->slots, slot, node);
	redis_cluster_doubt(c);
}

const struct redis_slots *
redis_cluster_slots(const struct redis_cluster *c)
{
	return &c->slots;
}

/* --- users --------------------------------------------------------------- */

static struct redis_cluster *
cluster_new(struct event_base *base, const struct redis_url *url,
	    int64_t timeout_ms, struct err *err)
{
	struct redis_cluster *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_nomem(err);
		return NULL;
	}
	TAILQ_INIT(&c->users);
	TAILQ_INIT(&c->asked);
	c->base = base;
	c->timeout_ms = timeout_ms;
	c->uses = 1;
	pthread_mutex_lock(&all_clusters_lock);
	TAILQ_INSERT_TAIL(&all_clusters, c, link);
	pthread_mutex_unlock(&all_clusters_lock);
	c->question = evtimer_new(base, cluster_on_question, c);
	c->next = evtimer_new(base, cluster_on_next, c);
	if (c->question == NULL || c->next == NULL ||
	    redis_url_copy(&c->url, url) != 0) {
		cluster_unuse(c);
		err_nomem(err);
		return NULL;
	}
	redis_cluster_doubt(c);
	return c;
}

static struct redis_cluster *
cluster_use(const struct event_base *base, const struct redis_url *url)
{
	struct redis_cluster *c;

	pthread_mutex_lock(&all_clusters_lock);
	TAILQ_FOREACH (c, &all_clusters, link)
		if (c->base == base && redis_url_same_group(&c->url, url))
			break;
	if (c != NULL)
		c->uses++;
	pthread_mutex_unlock(&all_clusters_lock);
	return c;
}

int
redis_cluster_join(struct redis_cluster_user *user, struct event_base *base,
		   const struct redis_url *url, int64_t timeout_ms,
		   struct err *err)
{
	user->cluster = cluster_use(base, url);
	if (user->cluster == NULL)
		user->cluster = cluster_new(base, url, timeout_ms, err);
	if (user->cluster == NULL)
		return -1;
	if (user->cluster->slots.n_nodes == 0)
		redis_cluster_doubt(user->cluster);
	user->told = user->cluster->answers;
	TAILQ_INSERT_TAIL(&user->cluster->users, user, link);
	return 0;
}

void
redis_cluster_leave(struct redis_cluster_user *user)
{
	if (user->cluster == NULL)
		return;
	TAILQ_REMOVE(&user->cluster->users, user, link);
	cluster_unuse(user->cluster);
	user->cluster = NULL;
}
