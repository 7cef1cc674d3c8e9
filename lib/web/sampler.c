/* SPDX-License-Identifier: MIT */
/*
 * The sampler. A topic is a GET route of the API: what it answers is compared
 * with what it answered before, row by row where it has rows.
 */
#include "web/sampler.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "manager/events.h"
#include "manager/health.h"
#include "manager/tasks.h"
#include "module/dump.h"
#include "util/clock.h"
#include "util/log.h"
#include "web/call.h"
#include "web/diff.h"
#include "web/hub.h"
#include "web/mask.h"

/* Between two looks whether the stores answer, when nobody looks. */
#define PING_US 3000000
/* How long one question may take. */
#define ASK_MS 4000
/* Events that wait for the loop; more are dropped. */
#define EVENTS_MAX 500

/* A topic and the route that it is; `key` names the rows. */
static const struct topic_route {
	const char *topic, *path, *query, *key;
} topic_routes[] = {
    {"overview", "/api/v1/overview", "", NULL},
    {"queues", "/api/v1/queues", "", "queue"},
    {"workers", "/api/v1/workers", "", "worker"},
    {"running", "/api/v1/tasks", "state=running&limit=200", "task_id"},
    {"schedules", "/api/v1/schedules", "limit=200&order=next", "id"},
    {"dead", "/api/v1/dead", "limit=50", "key"}};

/* What a topic said the last time. */
struct known {
	char *topic;
	json_t *value;
	LIST_ENTRY(known) next;
};

struct sampler {
	const struct hub_options *options;
	struct web_shared shared; /* with a client of its own */
	struct web_worker worker;
	struct flowrra_client *listener_client;
	pthread_t sampling, listening;
	bool sampling_begun, listening_begun;
	int wake;
	LIST_HEAD(, known) known; /* the sampler's */
	bool stale;		  /* the sampler's */
	_Atomic int64_t answered_us;
	atomic_bool stop, feed;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	char **wanted;
	bool again;
	TAILQ_HEAD(, sample) found;
	size_t n_events;
};

void
sample_free(struct sample *sample)
{
	size_t i;

	if (sample == NULL)
		return;
	for (i = 0; i < SEEN_N; i++) {
		free(sample->full[i]);
		free(sample->delta[i]);
	}
	free(sample->topic);
	free(sample);
}

int64_t
sampler_answered_us(const struct sampler *s)
{
	return atomic_load(&s->answered_us);
}

/* --- to the loop ------------------------------------------------------------- */

static void
sampler_put(struct sampler *s, struct sample *sample)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&s->lock);
	if (sample->kind == SAMPLE_EVENT && s->n_events >= EVENTS_MAX) {
		sample_free(sample);
		sample = NULL;
	} else {
		s->n_events += sample->kind == SAMPLE_EVENT;
		TAILQ_INSERT_TAIL(&s->found, sample, next);
	}
	pthread_mutex_unlock(&s->lock);
	while (sample != NULL && write(s->wake, &one, sizeof(one)) < 0 &&
	       errno == EINTR)
		;
}

struct sample *
sampler_take(struct sampler *s)
{
	struct sample *sample;

	pthread_mutex_lock(&s->lock);
	if ((sample = TAILQ_FIRST(&s->found)) != NULL) {
		TAILQ_REMOVE(&s->found, sample, next);
		s->n_events -= sample->kind == SAMPLE_EVENT;
	}
	pthread_mutex_unlock(&s->lock);
	return sample;
}

/* Both forms; takes the value. -1: there is no memory. */
static int
sampler_write(const struct sampler *s, json_t *value, char *texts[SEEN_N])
{
	json_t *masked = json_deep_copy(value);

	texts[SEEN_WHOLE] = json_dumps(value, dump_flags(value));
	if (masked != NULL)
		mask_json(s->shared.mask, masked);
	texts[SEEN_MASKED] =
	    masked != NULL ? json_dumps(masked, dump_flags(masked)) : NULL;
	json_decref(masked);
	json_decref(value);
	return texts[SEEN_WHOLE] != NULL && texts[SEEN_MASKED] != NULL ? 0 : -1;
}

static struct sample *
sample_new(enum sample_kind kind, const char *topic)
{
	struct sample *sample = calloc(1, sizeof(*sample));

	if (sample == NULL)
		return NULL;
	sample->kind = kind;
	if ((sample->topic = strdup(topic)) == NULL) {
		free(sample);
		return NULL;
	}
	return sample;
}

static void
sampler_put_or_drop(struct sampler *s, struct sample *sample, int failed)
{
	if (failed != 0)
		sample_free(sample);
	else
		sampler_put(s, sample);
}

/* --- comparing ------------------------------------------------------------------
 */

static struct known *
sampler_known(struct sampler *s, const char *topic)
{
	struct known *k;

	LIST_FOREACH (k, &s->known, next)
		if (strcmp(k->topic, topic) == 0)
			return k;
	if ((k = calloc(1, sizeof(*k))) == NULL)
		return NULL;
	if ((k->topic = strdup(topic)) == NULL) {
		free(k);
		return NULL;
	}
	LIST_INSERT_HEAD(&s->known, k, next);
	return k;
}

static void
known_free(struct known *k)
{
	LIST_REMOVE(k, next);
	json_decref(k->value);
	free(k->topic);
	free(k);
}

/* Takes the value: tells the hub what is new of it. */
static void
sampler_tell(struct sampler *s, const char *topic, const char *key,
	     json_t *value)
{
	struct known *k = sampler_known(s, topic);
	struct sample *sample;
	json_t *delta = NULL;
	int failed;

	if (k == NULL ||
	    (k->value != NULL &&
	     (delta = key != NULL ? diff_rows(k->value, value, key)
				  : diff_whole(k->value, value)) == NULL)) {
		json_decref(value);
		return;
	}
	if ((sample = sample_new(SAMPLE_STATE, topic)) != NULL) {
		failed = sampler_write(s, diff_snapshot(value), sample->full);
		if (delta != NULL)
			failed |=
			    sampler_write(s, json_incref(delta), sample->delta);
		sampler_put_or_drop(s, sample, failed);
	}
	json_decref(delta);
	json_decref(k->value);
	k->value = value;
}

/* --- asking ------------------------------------------------------------------- */

static json_t *
sampler_ask_route(struct sampler *s, const struct topic_route *t,
		  struct err *err)
{
	const struct web_ask ask = {
	    .method = HTTP_GET,
	    .path = t->path,
	    .query = t->query,
	    .body = SLICE(""),
	    .who = {.role = WEB_OPERATOR, .user = "hub"},
	    .peer = ""};
	char path[64];
	struct web_match match;
	struct web_call *call;
	json_t *value;

	snprintf(path, sizeof(path), "%s", t->path);
	routes_find(s->shared.tables, HTTP_GET, path, &match);
	if (match.route == NULL) {
		err_set(err, ERR_NOT_FOUND, "no route %s", t->path);
		return NULL;
	}
	if ((call = web_call_new(&s->shared, match.route, &ask, err)) == NULL)
		return NULL;
	value = web_call_value(call, &s->worker, err);
	web_call_free(call);
	return value;
}

static int
sampler_ask_topic(struct sampler *s, const char *topic, struct err *err)
{
	json_t *value;
	size_t i;

	for (i = 0; i < sizeof(topic_routes) / sizeof(topic_routes[0]); i++) {
		if (strcmp(topic_routes[i].topic, topic) != 0)
			continue;
		if ((value = sampler_ask_route(s, &topic_routes[i], err)) ==
		    NULL)
			return -1;
		sampler_tell(s, topic, topic_routes[i].key, value);
		return 0;
	}
	return 0;
}

/* The records of all tasks that are watched, in one question. */
static int
sampler_ask_tasks(struct sampler *s, char *const *wanted, struct err *err)
{
	const char *ids[HUB_TASKS_MAX];
	json_t *records[HUB_TASKS_MAX] = {NULL}, *progress;
	char topic[HUB_TOPIC_MAX];
	size_t n = 0, i;
	int r;

	for (; *wanted != NULL && n < HUB_TASKS_MAX; wanted++)
		if (strncmp(*wanted, "task:", 5) == 0)
			ids[n++] = *wanted + 5;
	if (n == 0)
		return 0;
	r = tasks_records(s->shared.client, ids, n, records, err);
	for (i = 0; i < n && r == 0; i++) {
		snprintf(topic, sizeof(topic), "task:%s", ids[i]);
		progress = json_object_get(records[i], "progress");
		sampler_tell(s, topic, NULL,
			     json_pack("{s:o,s:o}", "record",
				       records[i] != NULL
					   ? json_incref(records[i])
					   : json_null(),
				       "progress",
				       progress != NULL ? json_incref(progress)
							: json_null()));
	}
	for (i = 0; i < n; i++)
		json_decref(records[i]);
	return r;
}

/* One event when the stores go away, and one when they are back. */
static void
sampler_tell_state(struct sampler *s, bool stale)
{
	static const char *const why = "the broker or the backend is out of "
				       "reach";
	const int64_t answered = sampler_answered_us(s);
	struct sample *sample;
	char since[CLOCK_TEXT_SIZE];
	json_t *value;

	if (stale == s->stale ||
	    (sample = sample_new(stale ? SAMPLE_STALE : SAMPLE_LIVE, "")) ==
		NULL)
		return;
	s->stale = stale;
	clock_format(clock_wall_us() -
			 (answered > 0 ? clock_mono_us() - answered : 0),
		     since);
	value = stale ? json_pack("{s:s,s:s}", "since", since, "why", why)
		      : json_pack("{s:o}", "at", diff_now());
	sampler_put_or_drop(s, sample, sampler_write(s, value, sample->delta));
}

/* What is not wanted any more is forgotten: it would be old. */
static void
sampler_forget(struct sampler *s, char *const *wanted)
{
	struct known *k, *next;
	char *const *p;

	for (k = LIST_FIRST(&s->known); k != NULL; k = next) {
		next = LIST_NEXT(k, next);
		for (p = wanted; *p != NULL; p++)
			if (strcmp(*p, k->topic) == 0)
				break;
		if (*p == NULL)
			known_free(k);
	}
}

static void
sampler_turn(struct sampler *s, char *const *wanted)
{
	struct err err = ERR_INIT;
	char *const *p;
	int r;

	sampler_forget(s, wanted);
	if ((r = health_ping(s->shared.client, &err)) == 0)
		atomic_store(&s->answered_us, clock_mono_us());
	for (p = wanted; r == 0 && *p != NULL; p++)
		if (sampler_ask_topic(s, *p, &err) != 0) {
			r = err.code == ERR_UNAVAILABLE ? -1 : 0;
			log_debug("topic %s: %s", *p, err.msg);
		}
	if (r == 0)
		r = sampler_ask_tasks(s, wanted, &err);
	if (!atomic_load(&s->stop))
		sampler_tell_state(s, r != 0);
}

/* --- the threads ---------------------------------------------------------------
 */

static char **
topics_copy(const char *const *topics)
{
	size_t n = 0, i;
	char **copy;

	while (topics[n] != NULL)
		n++;
	if ((copy = calloc(n + 1, sizeof(*copy))) == NULL)
		return NULL;
	for (i = 0; i < n; i++)
		if ((copy[i] = strdup(topics[i])) == NULL)
			break;
	return copy;
}

static void
topics_free(char **topics)
{
	char **p;

	for (p = topics; p != NULL && *p != NULL; p++)
		free(*p);
	free(topics);
}

/* Until the next turn is due, or something else is wanted. */
static char **
sampler_wait(struct sampler *s, int64_t began_us)
{
	struct timespec until;
	char **wanted;
	int64_t us;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	us = began_us + (s->wanted[0] != NULL ? s->options->every_us : PING_US);
	until.tv_sec = (time_t)(us / 1000000);
	until.tv_nsec = (long)(us % 1000000) * 1000;
	while (r == 0 && !s->again && !atomic_load(&s->stop))
		r = pthread_cond_timedwait(&s->changed, &s->lock, &until);
	s->again = false;
	wanted = topics_copy((const char *const *)s->wanted);
	pthread_mutex_unlock(&s->lock);
	return wanted;
}

static void *
sampler_thread(void *arg)
{
	struct sampler *s = arg;
	struct timespec now;
	char **wanted;
	int64_t began_us = 0;

	while (!atomic_load(&s->stop)) {
		wanted = sampler_wait(s, began_us);
		clock_gettime(CLOCK_MONOTONIC, &now);
		began_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
		if (wanted != NULL && !atomic_load(&s->stop))
			sampler_turn(s, wanted);
		topics_free(wanted);
	}
	while (!LIST_EMPTY(&s->known))
		known_free(LIST_FIRST(&s->known));
	web_worker_done(&s->worker);
	return NULL;
}

static int
on_listener_event(const json_t *event, void *arg)
{
	struct sampler *s = arg;
	struct sample *sample = sample_new(SAMPLE_EVENT, "feed");

	if (sample != NULL)
		sampler_put_or_drop(s, sample,
				    sampler_write(s,
						  json_incref((json_t *)event),
						  sample->delta));
	return atomic_load(&s->stop) || !atomic_load(&s->feed);
}

static bool
on_listener_asked(void *arg)
{
	struct sampler *s = arg;

	return atomic_load(&s->stop) || !atomic_load(&s->feed);
}

static void *
listener_thread(void *arg)
{
	struct sampler *s = arg;
	const struct events_follow follow = {.on_event = on_listener_event,
					     .stopped = on_listener_asked,
					     .arg = s};
	struct err err;
	struct timespec until;

	while (!atomic_load(&s->stop)) {
		if (atomic_load(&s->feed) &&
		    events_follow(s->listener_client, &follow, &err) != 0)
			log_debug("events: %s", err.msg);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		pthread_mutex_lock(&s->lock);
		/* An error is tried again in a second. */
		if (!atomic_load(&s->stop))
			pthread_cond_timedwait(&s->changed, &s->lock, &until);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

/* --- life ---------------------------------------------------------------------- */

static int
sampler_open(const struct hub_options *o, struct flowrra_client **ret,
	     struct err *err)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_error error;

	options.config_file = o->config_file;
	options.settings = o->settings;
	if (flowrra_open(&options, ret, &error) != 0)
		return err_set(err, ERR_CONFIG, "%s", error.message);
	return 0;
}

static int
sampler_start(struct sampler *s, struct err *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s->sampling_begun =
	    pthread_create(&s->sampling, NULL, sampler_thread, s) == 0;
	s->listening_begun =
	    pthread_create(&s->listening, NULL, listener_thread, s) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return s->sampling_begun && s->listening_begun
		   ? 0
		   : err_set(err, ERR_SYSTEM, "cannot start a thread");
}

struct sampler *
sampler_new(const struct hub_options *o, int wake, struct err *err)
{
	struct sampler *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (s == NULL || (s->wanted = calloc(1, sizeof(*s->wanted))) == NULL) {
		free(s);
		err_nomem(err);
		return NULL;
	}
	s->options = o;
	s->wake = wake;
	s->shared.conf = o->shared->conf;
	s->shared.tables = o->shared->tables;
	s->shared.mask = o->shared->mask;
	s->worker.shared = &s->shared;
	TAILQ_INIT(&s->found);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (sampler_open(o, &s->shared.client, err) != 0 ||
	    client_set_deadline(s->shared.client, ASK_MS, err) != 0 ||
	    sampler_open(o, &s->listener_client, err) != 0 ||
	    /* Else a backend that is away holds up the stop. */
	    client_set_deadline(s->listener_client, ASK_MS, err) != 0 ||
	    sampler_start(s, err) != 0) {
		sampler_free(s);
		return NULL;
	}
	return s;
}

void
sampler_stop(struct sampler *s)
{
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->stop, true);
	atomic_store(&s->shared.stopping, true);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void
sampler_free(struct sampler *s)
{
	struct sample *sample;

	if (s == NULL)
		return;
	sampler_stop(s);
	if (s->sampling_begun)
		pthread_join(s->sampling, NULL);
	if (s->listening_begun)
		pthread_join(s->listening, NULL);
	flowrra_close(s->shared.client);
	flowrra_close(s->listener_client);
	while ((sample = sampler_take(s)) != NULL)
		sample_free(sample);
	topics_free(s->wanted);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static bool
topics_same(char *const *a, char *const *b)
{
	while (*a != NULL && *b != NULL && strcmp(*a, *b) == 0) {
		a++;
		b++;
	}
	return *a == NULL && *b == NULL;
}

int
sampler_want(struct sampler *s, const char *const *topics, bool feed)
{
	char **wanted = topics_copy(topics);

	if (wanted == NULL)
		return -1;
	pthread_mutex_lock(&s->lock);
	/* One more who looks at the same is no reason to ask at once. */
	if (!topics_same(s->wanted, wanted))
		s->again = true;
	topics_free(s->wanted);
	s->wanted = wanted;
	atomic_store(&s->feed, feed);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return 0;
}
