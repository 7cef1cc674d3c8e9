/* SPDX-License-Identifier: MIT */
/* The thread that listens to the events of tasks. */
#include "web/listener.h"

#include <stdlib.h>

#include "manager/events.h"
#include "util/err.h"
#include "util/log.h"
#include "web/call.h"
#include "web/samples.h"
#include "web/thread.h"

/* Until a backend that was out of reach is tried again. */
#define AGAIN_US 1000000

struct listener {
	struct flowrra_client *client;
	const struct web_shared *daemon;
	struct samples *samples;
	atomic_bool feed; /* set with the lock, as `stop` is */
	struct web_thread thread;
};

/* Asked while nothing happens, too: the last reader may have left. */
static bool
on_listener_asked(void *arg)
{
	struct listener *l = arg;

	return atomic_load(&l->thread.stop) || !atomic_load(&l->feed);
}

/* An event that finds no memory or no room is left out: the feed is to be looked
 * at, and nobody counts on it. */
static int
on_listener_event(const json_t *event, void *arg)
{
	struct listener *l = arg;
	struct sample *sample = sample_new(SAMPLE_EVENT, "feed");

	if (sample != NULL &&
	    sample_write(l->daemon->mask, json_incref((json_t *)event),
			 sample->delta) == 0)
		samples_put(l->samples, sample);
	else
		sample_free(sample);
	return on_listener_asked(l);
}

/* Sleeps until there is a feed; after a failure, for a moment. */
static void
listener_wait(struct listener *l, bool failed)
{
	const int64_t until_us = web_thread_now_us() + AGAIN_US;

	pthread_mutex_lock(&l->thread.lock);
	if (failed && !on_listener_asked(l))
		web_thread_wait(&l->thread, until_us);
	while (!atomic_load(&l->thread.stop) && !atomic_load(&l->feed))
		web_thread_wait(&l->thread, THREAD_FOREVER);
	pthread_mutex_unlock(&l->thread.lock);
}

static void *
listener_thread(void *arg)
{
	struct listener *l = arg;
	const struct events_follow follow = {.on_event = on_listener_event,
					     .stopped = on_listener_asked,
					     .arg = l};
	struct err err;
	bool failed = false;

	for (;;) {
		listener_wait(l, failed);
		if (atomic_load(&l->thread.stop))
			return NULL;
		failed = events_follow(l->client, &follow, &err) != 0;
		if (failed)
			log_debug("events: %s", err.msg);
	}
}

void
listener_want(struct listener *l, bool feed)
{
	pthread_mutex_lock(&l->thread.lock);
	atomic_store(&l->feed, feed);
	pthread_cond_broadcast(&l->thread.changed);
	pthread_mutex_unlock(&l->thread.lock);
}

struct listener *
listener_new(struct flowrra_client *client, const struct web_shared *daemon,
	     struct samples *samples, struct err *err)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_nomem(err);
		return NULL;
	}
	l->client = client;
	l->daemon = daemon;
	l->samples = samples;
	web_thread_init(&l->thread);
	if (web_thread_begin(&l->thread, listener_thread, l, err) == 0)
		return l;
	listener_free(l);
	return NULL;
}

void
listener_stop(struct listener *l)
{
	web_thread_stop(&l->thread);
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	web_thread_done(&l->thread);
	free(l);
}
