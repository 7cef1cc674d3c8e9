/* SPDX-License-Identifier: MIT */
/*
 * The hub's two threads.
 *
 * Each has a client of its own, so that a snapshot waits for no page's request
 * and delays none. What the loop wants is handed over under the lock; what the
 * threads find goes back through samples.h. Nothing else is shared but the
 * atomics, and the parts of struct web_shared that any thread may use.
 */
#include "web/sampler.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "manager/events.h"
#include "manager/health.h"
#include "util/clock.h"
#include "util/limits.h"
#include "util/log.h"
#include "web/call.h"
#include "web/diff.h"
#include "web/hub.h"

/* Between two looks whether the stores answer, when nobody looks: with the time
 * that one may take, less than readiness is good for (live.c). */
#define PING_US 6000000
/* How long one question may take: less than the shortest [web] timeout that
 * people set, so that pages learn that the stores are away before they ask. */
#define ASK_MS 3500
#define US_PER_S 1000000

struct sampler {
	const struct hub_options *options;
	struct web_shared shared; /* with a client of its own */
	struct samples *samples;
	struct topics *topics; /* the sampler's */
	bool stale;	       /* the sampler's */
	bool away;	       /* the log has said so */
	struct flowrra_client *listener_client;
	pthread_t sampling, listening;
	bool sampling_begun, listening_begun;
	_Atomic int64_t answered_us;
	atomic_bool stop, feed;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct topic_wanted *wanted;
	bool again;
};

int64_t
sampler_answered_us(const struct sampler *s)
{
	return atomic_load(&s->answered_us);
}

struct sample *
sampler_take(struct sampler *s)
{
	return samples_take(s->samples);
}

/* --- what is wanted ------------------------------------------------------- */

static void
wanted_free(struct topic_wanted *wanted)
{
	struct topic_wanted *w;

	for (w = wanted; w != NULL && w->name != NULL; w++)
		free(w->name);
	free(wanted);
}

/* NULL without memory. */
static struct topic_wanted *
wanted_copy(const struct topic_wanted *wanted)
{
	struct topic_wanted *copy;
	size_t n = 0, i;

	while (wanted[n].name != NULL)
		n++;
	if ((copy = calloc(n + 1, sizeof(*copy))) == NULL)
		return NULL;
	for (i = 0; i < n; i++) {
		copy[i].id = wanted[i].id;
		if ((copy[i].name = strdup(wanted[i].name)) == NULL) {
			wanted_free(copy);
			return NULL;
		}
	}
	return copy;
}

static bool
wanted_same(const struct topic_wanted *a, const struct topic_wanted *b)
{
	for (; a->name != NULL && b->name != NULL; a++, b++)
		if (a->id != b->id || strcmp(a->name, b->name) != 0)
			return false;
	return a->name == NULL && b->name == NULL;
}

int
sampler_want(struct sampler *s, const struct topic_wanted *topics, bool feed)
{
	struct topic_wanted *wanted = wanted_copy(topics);

	if (wanted == NULL)
		return -1;
	pthread_mutex_lock(&s->lock);
	/* One more who looks at the same is no reason to ask at once. */
	if (!wanted_same(s->wanted, wanted))
		s->again = true;
	wanted_free(s->wanted);
	s->wanted = wanted;
	atomic_store(&s->feed, feed);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* --- the sampler ---------------------------------------------------------- */

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

	if (stale == s->stale)
		return;
	sample = sample_new(stale ? SAMPLE_STALE : SAMPLE_LIVE, "");
	if (sample == NULL)
		return; /* in the next turn */
	clock_format(clock_wall_us() -
			 (answered > 0 ? clock_mono_us() - answered : 0),
		     since);
	value = stale ? json_pack("{s:s,s:s}", "since", since, "why", why)
		      : json_pack("{s:o}", "at", diff_now());
	if (sample_write(s->options->shared->mask, value, sample->delta) != 0) {
		sample_free(sample);
		return;
	}
	s->stale = stale;
	samples_put(s->samples, sample);
}

/* Readers of the log learn why, once: the pages do not say it, since it may
 * have a path in it. */
static void
sampler_log(struct sampler *s, const struct err *why)
{
	if (s->away == (why != NULL))
		return;
	s->away = why != NULL;
	if (s->away)
		log_warning("stores: %s; retrying", why->msg);
	else
		log_notice("stores are reachable again");
}

/* The ping comes first: with the stores away, one question waits, not all. */
static void
sampler_turn(struct sampler *s, const struct topic_wanted *wanted)
{
	struct err err = ERR_INIT;
	int r = health_ping(s->shared.client, &err);

	if (!atomic_load(&s->stop))
		sampler_log(s, r != 0 ? &err : NULL);
	/* A reload changes what is hidden. */
	s->shared.mask = s->options->shared->mask;
	if (r == 0) {
		atomic_store(&s->answered_us, clock_mono_us());
		/* A page has several topics: what is new of all leaves in one
		 * write a reader. */
		samples_hold(s->samples);
		r = topics_ask(s->topics, wanted, &err);
		samples_release(s->samples);
	}
	/* What a stop has cut short says nothing of the stores. */
	if (!atomic_load(&s->stop))
		sampler_tell_state(s, r != 0);
}

/* Of the condition's clock, which tests do not replace. */
static int64_t
sampler_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static struct timespec
sampler_moment(int64_t us)
{
	return (struct timespec){.tv_sec = (time_t)(us / US_PER_S),
				 .tv_nsec = (long)(us % US_PER_S) * 1000};
}

/* Until the next turn is due, or something else is wanted. */
static struct topic_wanted *
sampler_wait(struct sampler *s, int64_t began_us)
{
	struct topic_wanted *wanted;
	struct timespec until;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	until = sampler_moment(began_us + (s->wanted[0].name != NULL
					       ? s->options->every_us
					       : PING_US));
	while (r == 0 && !s->again && !atomic_load(&s->stop))
		r = pthread_cond_timedwait(&s->changed, &s->lock, &until);
	s->again = false;
	wanted = wanted_copy(s->wanted);
	pthread_mutex_unlock(&s->lock);
	return wanted;
}

static void *
sampler_thread(void *arg)
{
	struct sampler *s = arg;
	struct topic_wanted *wanted;
	int64_t began_us = 0;

	while (!atomic_load(&s->stop)) {
		wanted = sampler_wait(s, began_us);
		began_us = sampler_now_us();
		if (wanted != NULL && !atomic_load(&s->stop))
			sampler_turn(s, wanted);
		wanted_free(wanted);
	}
	/* Here: drivers of databases keep things of the thread that used them. */
	topics_free(s->topics);
	s->topics = NULL;
	return NULL;
}

/* --- the listener --------------------------------------------------------- */

static bool
on_listener_asked(void *arg)
{
	struct sampler *s = arg;

	return atomic_load(&s->stop) || !atomic_load(&s->feed);
}

static int
on_listener_event(const json_t *event, void *arg)
{
	struct sampler *s = arg;
	struct sample *sample = sample_new(SAMPLE_EVENT, "feed");

	if (sample != NULL &&
	    sample_write(s->options->shared->mask, json_incref((json_t *)event),
			 sample->delta) == 0)
		samples_put(s->samples, sample);
	else
		sample_free(sample);
	return on_listener_asked(s);
}

/* Follows only while there is a feed: a listener makes each worker publish. */
static void *
listener_thread(void *arg)
{
	struct sampler *s = arg;
	const struct events_follow follow = {.on_event = on_listener_event,
					     .stopped = on_listener_asked,
					     .arg = s};
	struct timespec until;
	struct err err;

	while (!atomic_load(&s->stop)) {
		if (atomic_load(&s->feed) &&
		    events_follow(s->listener_client, &follow, &err) != 0)
			log_debug("events: %s", err.msg);
		until = sampler_moment(sampler_now_us() + US_PER_S);
		pthread_mutex_lock(&s->lock);
		/* An error is tried again in a second; without a feed nothing
		 * need be. */
		if (!atomic_load(&s->stop) && atomic_load(&s->feed))
			pthread_cond_timedwait(&s->changed, &s->lock, &until);
		while (!atomic_load(&s->stop) && !atomic_load(&s->feed))
			pthread_cond_wait(&s->changed, &s->lock);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

/* --- life ----------------------------------------------------------------- */

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
	int sys;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	sys = pthread_create(&s->sampling, NULL, sampler_thread, s);
	s->sampling_begun = sys == 0;
	if (sys == 0)
		sys = pthread_create(&s->listening, NULL, listener_thread, s);
	s->listening_begun = s->sampling_begun && sys == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return sys == 0 ? 0 : limits_no_thread(sys, err);
}

/* The condition has the monotonic clock: a stepped one must not stop samples. */
static void
sampler_init_locks(struct sampler *s)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
}

/* Of the daemon's, what any thread may use; jobs, audit and replays are of
 * requests, which these are not, and the mask is replaced by a reload. */
static void
sampler_share(struct sampler *s, const struct web_shared *shared)
{
	s->shared.conf = shared->conf;
	s->shared.tables = shared->tables;
	s->shared.figures = shared->figures;
}

struct sampler *
sampler_new(const struct hub_options *o, int wake, struct err *err)
{
	struct sampler *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->wanted = calloc(1, sizeof(*s->wanted))) == NULL) {
		free(s);
		err_nomem(err);
		return NULL;
	}
	s->options = o;
	sampler_init_locks(s);
	sampler_share(s, o->shared);
	if ((s->samples = samples_new(wake, err)) == NULL ||
	    (s->topics = topics_new(&s->shared, o->shared, s->samples, err)) ==
		NULL ||
	    sampler_open(o, &s->shared.client, err) != 0 ||
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
	if (s == NULL)
		return;
	sampler_stop(s);
	if (s->sampling_begun)
		pthread_join(s->sampling, NULL);
	if (s->listening_begun)
		pthread_join(s->listening, NULL);
	topics_free(s->topics);
	flowrra_close(s->shared.client);
	flowrra_close(s->listener_client);
	samples_free(s->samples);
	wanted_free(s->wanted);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
