/* SPDX-License-Identifier: MIT */
/*
 * What the workers have registered, and a cache of it.
 *
 * A producer need not know in which queue a task runs, nor how often it is
 * retried: the task's module says so, each worker registers that with the
 * broker, and a submission asks here. The cache has a lock of its own, because
 * requests are encoded on the callers' threads, not on the loop.
 */
#include "client/registry.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "client/suggest.h"
#include "store/admin.h"
#include "util/clock.h"
#include "util/pending.h"

/* Long enough that a stream of submissions queries once for each name, short
 * enough that a new worker's defaults count soon. */
#define FRESH_US INT64_C(5000000)
/* More names than most programs submit; it limits the memory of the others. */
#define CACHE_MAX 256
/* How long a first worker may take to start (a trade: a wrong name on an empty
 * broker fails only after it), and the pause between two queries. */
#define FIRST_WORKER_MS 2000
#define FIRST_PAUSE_MS 20L

struct cached {
	TAILQ_ENTRY(cached) next;
	int64_t asked_us; /* monotonic */
	struct registered entry;
	char name[TASK_NAME_MAX + 1];
	char queue[TASK_QUEUE_MAX + 1]; /* whose workers have it, or "" */
	bool deserted; /* it has no workers that say what they have */
};

TAILQ_HEAD(cached_list, cached);

/* Last used first: most programs submit few names. */
struct registry {
	pthread_mutex_t lock;
	struct cached_list cache;
	size_t n;
	int64_t
	    first_by_ms; /* monotonic: see registry_await_until(); 0: not yet */
};

struct registry *
registry_new(struct err *err)
{
	struct registry *registry = calloc(1, sizeof(*registry));

	if (registry == NULL) {
		err_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&registry->lock, NULL);
	TAILQ_INIT(&registry->cache);
	return registry;
}

void
registry_free(struct registry *registry)
{
	struct cached *cached;

	if (registry == NULL)
		return;
	while ((cached = TAILQ_FIRST(&registry->cache)) != NULL) {
		TAILQ_REMOVE(&registry->cache, cached, next);
		free(cached);
	}
	free(registry);
}

/* --- the cache --------------------------------------------------------- */

/* Lock held. Moves what it finds to the front. */
static struct cached *
cache_find(struct registry *registry, const char *name)
{
	struct cached *cached = TAILQ_FIRST(&registry->cache);

	if (cached != NULL && strcmp(cached->name, name) == 0)
		return cached;
	TAILQ_FOREACH (cached, &registry->cache, next) {
		if (strcmp(cached->name, name) == 0) {
			TAILQ_REMOVE(&registry->cache, cached, next);
			TAILQ_INSERT_HEAD(&registry->cache, cached, next);
			return cached;
		}
	}
	return NULL;
}

/* An entry that is too old stays: the answer to the next query replaces it. */
static bool
cache_get(struct registry *registry, const char *name, struct registered *ret)
{
	struct cached *cached;
	bool fresh;

	pthread_mutex_lock(&registry->lock);
	cached = cache_find(registry, name);
	fresh = cached != NULL && clock_mono_us() - cached->asked_us < FRESH_US;
	if (fresh)
		*ret = cached->entry;
	pthread_mutex_unlock(&registry->lock);
	return fresh;
}

/* Without memory it is asked again next time. */
static void
cache_put(struct registry *registry, const char *name,
	  const struct registered *entry)
{
	struct cached *cached;

	pthread_mutex_lock(&registry->lock);
	if ((cached = cache_find(registry, name)) == NULL) {
		if (registry->n < CACHE_MAX) {
			cached = malloc(sizeof(*cached));
			registry->n += cached != NULL;
		} else {
			/* The one that was not used for longest. */
			cached = TAILQ_LAST(&registry->cache, cached_list);
			TAILQ_REMOVE(&registry->cache, cached, next);
		}
		if (cached != NULL)
			TAILQ_INSERT_HEAD(&registry->cache, cached, next);
	}
	if (cached != NULL) {
		cached->asked_us = clock_mono_us();
		cached->entry = *entry;
		cached->queue[0] = '\0';
		/* At most TASK_NAME_MAX bytes: encode_request() has looked. */
		snprintf(cached->name, sizeof(cached->name), "%s", name);
	}
	pthread_mutex_unlock(&registry->lock);
}

/* Whether it was found a moment ago that a queue's workers have the task. */
static bool
cache_is_served(struct registry *registry, const char *queue, const char *name)
{
	struct cached *cached;
	bool is;

	pthread_mutex_lock(&registry->lock);
	cached = cache_find(registry, name);
	is = cached != NULL && strcmp(cached->queue, queue) == 0 &&
	     clock_mono_us() - cached->asked_us < FRESH_US;
	pthread_mutex_unlock(&registry->lock);
	return is;
}

static void
cache_set_served(struct registry *registry, const char *queue, const char *name,
		 bool deserted)
{
	struct cached *cached;

	pthread_mutex_lock(&registry->lock);
	if ((cached = cache_find(registry, name)) != NULL) {
		snprintf(cached->queue, sizeof(cached->queue), "%s", queue);
		cached->deserted = deserted;
	}
	pthread_mutex_unlock(&registry->lock);
}

/* --- entries ----------------------------------------------------------- */

/* Two queries for one message, but only on the way to an error. */
int
registry_unknown(struct flowrra_client *c, const char *name, int code,
		 struct err *err)
{
	struct query q = {.client = c, .send = query_send_names};
	char close[SUGGEST_MAX];

	if (query_run(&q, err) != 0)
		return -1;
	if (!q.present || strcmp(q.value.data, "[]") == 0)
		err_set(err, code,
			"unknown task \"%s\": no worker has registered any "
			"task; is a worker running with its modules?",
			name);
	else if (suggest(name, q.value.data, close) > 0)
		err_set(err, code,
			"unknown task \"%s\": no worker has registered it; "
			"similar names: %s",
			name, close);
	else
		err_set(err, code,
			"unknown task \"%s\": no worker has registered it or a "
			"similar name",
			name);
	buf_done(&q.value);
	return -1;
}

/* Whether the broker has never seen a worker; not known counts as no. */
static bool
registry_is_empty(struct flowrra_client *c)
{
	struct query q = {.client = c, .send = query_send_names};
	bool empty;

	if (query_run(&q, NULL) != 0)
		return false;
	empty = !q.present || strcmp(q.value.data, "[]") == 0;
	buf_done(&q.value);
	return empty;
}

/* Until when this client waits for a first worker: it does so once, however many
 * names are unknown. */
static int64_t
registry_await_until(struct registry *registry)
{
	int64_t until;

	pthread_mutex_lock(&registry->lock);
	if (registry->first_by_ms == 0)
		registry->first_by_ms = clock_mono_ms() + FIRST_WORKER_MS;
	until = registry->first_by_ms;
	pthread_mutex_unlock(&registry->lock);
	return until;
}

/*
 * Asks for an entry. On a broker that has never seen a worker, the first one
 * may be starting at this very moment, one line above in the same script: so
 * the query is repeated for a while before the name counts as unknown.
 */
static int
registry_query(struct flowrra_client *c, const char *name, struct query *q,
	       struct query *served, struct err *err)
{
	const struct timespec pause = {.tv_nsec = FIRST_PAUSE_MS * 1000000};
	int rc;

	for (;;) {
		*q = (struct query){.client = c,
				    .send = query_send_registered,
				    .key = slice_of(name)};
		/* What was asked ahead of a registration says nothing. */
		rc = served != NULL ? query_run_two(q, served, err)
				    : query_run(q, err);
		served = NULL;
		if (rc != 0)
			return -1;
		if (q->present || !registry_is_empty(c) ||
		    clock_mono_ms() >= registry_await_until(c->registry))
			return 0;
		nanosleep(&pause, NULL);
	}
}

/* Asks for an entry that is not in the cache; decodes it. */
static int
registry_fetch(struct flowrra_client *c, const char *name, struct query *served,
	       struct registered *ret, struct err *err)
{
	struct query q;
	int result;

	/* Without the lock: others may submit meanwhile. Two that ask for the
	 * same name both get an answer, and store the same. */
	if (registry_query(c, name, &q, served, err) != 0)
		return -1;
	if (!q.present)
		return registry_unknown(c, name, ERR_DATA, err);
	result = registered_decode((struct slice){q.value.data, q.value.len},
				   ret, err);
	buf_done(&q.value);
	/* Another program may have written it. */
	if (result != 0)
		return err_prefix(err, "the registration of task \"%s\"", name);
	cache_put(c->registry, name, ret);
	return 0;
}

/* Whether workers of the queue have the task, or none have said what they have:
 * any other answer is asked for again, on the way to an error. */
static bool
served_is_good(const struct query *served)
{
	return served->op.err.code == ERR_NONE &&
	       (!served->present || strcmp(served->value.data, "known") == 0);
}

int
registry_find(struct flowrra_client *c, const char *name, const char *queue,
	      struct registered *ret, struct err *err)
{
	struct query served = {
	    .client = c, .send = query_send_served, .key = slice_of(name)};
	int result;

	if (cache_get(c->registry, name, ret))
		return 0;
	if (queue == NULL)
		return registry_fetch(c, name, NULL, ret, err);
	served.queue = slice_of(queue);
	result = registry_fetch(c, name, &served, ret, err);
	if (result == 0 && served_is_good(&served))
		cache_set_served(c->registry, queue, name, !served.present);
	buf_done(&served.value);
	return result;
}

/* --- who has it -------------------------------------------------------- */

/* Whether a worker lives in a queue that is too old to say what it can run: it
 * may have the task. */
struct old_query {
	struct query q;
	const char *queue;
	bool found;
};

static bool
worker_is_old(const struct worker_info *worker, const char *queue)
{
	json_t *said, *name;
	bool serves = false, old;
	size_t i;

	if (!worker->alive || worker->description.len == 0)
		return false;
	said =
	    json_loadb(worker->description.p, worker->description.len, 0, NULL);
	old = json_object_get(said, "tasks") == NULL;
	json_array_foreach (json_object_get(said, "queues"), i, name)
		serves =
		    serves || (json_is_string(name) &&
			       strcmp(json_string_value(name), queue) == 0);
	json_decref(said);
	return old && serves;
}

static void
on_old_workers(const struct worker_info *workers, size_t n,
	       const struct err *err, void *arg)
{
	struct old_query *o = arg;
	size_t i;

	for (i = 0; i < n && !o->found; i++)
		o->found = worker_is_old(&workers[i], o->queue);
	query_end(&o->q, err);
}

static void
send_old_workers(struct query *q)
{
	broker_workers(q->client->broker, on_old_workers,
		       container_of(q, struct old_query, q));
}

/* Only on the way to an error. Not known counts as no. */
static bool
registry_may_be_served(struct flowrra_client *c, const char *queue)
{
	struct old_query o = {.q = {.client = c, .send = send_old_workers},
			      .queue = queue};

	return query_run(&o.q, NULL) == 0 && o.found;
}

/* Close names are those of other tasks: that this one was registered is what the
 * caller believes. */
static int
registry_unserved(struct flowrra_client *c, const char *queue, const char *name,
		  struct err *err)
{
	struct query q = {.client = c, .send = query_send_names};
	char close[SUGGEST_MAX] = "";

	if (query_run(&q, err) != 0)
		return -1;
	if (q.present)
		suggest_others(name, q.value.data, close);
	buf_done(&q.value);
	return err_set(err, ERR_DATA,
		       "no living worker of queue %s has task \"%s\" any more%s"
		       "%s; start one that has, or use force to submit it all "
		       "the same",
		       queue, name, close[0] != '\0' ? "; similar names: " : "",
		       close);
}

int
registry_check_served(struct flowrra_client *c, const char *queue,
		      const char *name, struct err *err)
{
	struct query q = {.client = c,
			  .send = query_send_served,
			  .key = slice_of(name),
			  .queue = slice_of(queue)};
	bool refused, deserted;

	if (cache_is_served(c->registry, queue, name))
		return 0;
	/* It can be submitted all the same; what is out of reach, that says. */
	if (query_run(&q, NULL) != 0)
		return 0;
	deserted = !q.present;
	refused = q.present && strcmp(q.value.data, "unknown") == 0;
	buf_done(&q.value);
	if (refused && !registry_may_be_served(c, queue))
		return registry_unserved(c, queue, name, err);
	cache_set_served(c->registry, queue, name, deserted);
	return 0;
}

char *
registry_deserted(struct flowrra_client *c, const char *queue, const char *name)
{
	const struct cached *cached;
	char *found = NULL;

	pthread_mutex_lock(&c->registry->lock);
	cached = cache_find(c->registry, name);
	if (cached != NULL && cached->deserted &&
	    (queue == NULL || strcmp(cached->queue, queue) == 0))
		found = strdup(cached->queue);
	pthread_mutex_unlock(&c->registry->lock);
	return found;
}

int
flowrra_registered(struct flowrra_client *c, const char *name, char **json,
		   struct flowrra_error *error)
{
	struct query q = {
	    .client = c, .send = query_send_registered, .key = slice_of(name)};
	struct err err = ERR_INIT;

	if (client_check(c, &err) != 0 || query_run(&q, &err) != 0)
		return client_fail(error, &err);
	if (!q.present) {
		registry_unknown(c, name, ERR_NOT_FOUND, &err);
		return client_fail(error, &err);
	}
	*json = buf_take(&q.value);
	return 0;
}

int
flowrra_registered_names(struct flowrra_client *c, char **json,
			 struct flowrra_error *error)
{
	struct query q = {.client = c, .send = query_send_names};
	struct err err = ERR_INIT;

	if (client_check(c, &err) != 0 || query_run(&q, &err) != 0)
		return client_fail(error, &err);
	if (q.value.failed) {
		err_nomem(&err);
		return client_fail(error, &err);
	}
	*json = buf_take(&q.value);
	return 0;
}
