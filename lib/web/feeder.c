/* SPDX-License-Identifier: MIT */
/*
 * The thread that listens to the events of tasks.
 *
 * While it listens each worker publishes what it does: brief events, or every
 * record, which costs it up to half of its speed. So it listens only while somebody
 * reads the feed, to what the readers want, and leaves as soon as the last has.
 */
#include "web/feeder.h"

#include <stdlib.h>

#include "manager/events.h"
#include "util/err.h"
#include "util/log.h"
#include "web/call.h"
#include "web/samples.h"
#include "web/thread.h"

/* Until a backend that was out of reach is tried again. */
#define AGAIN_US 1000000

struct feeder {
	struct flowrra_client *client;
	const struct web_shared *daemon;
	struct samples *samples;
	atomic_int feed; /* enum feed; set with the lock, as `stop` is */
	int heard;	 /* the thread's: what it listens to */
	struct web_thread thread;
};

/* Asked while nothing happens, too: the last reader may have left, or one may want
 * more. */
static bool
on_feeder_asked(void *arg)
{
	struct feeder *f = arg;

	return atomic_load(&f->thread.stop) ||
	       atomic_load(&f->feed) != f->heard;
}

/* An event that finds no memory or no room is left out: the feed is to be looked
 * at, and nobody counts on it. */
static int
on_feeder_event(const json_t *event, void *arg)
{
	struct feeder *f = arg;
	struct sample *sample = sample_new(SAMPLE_EVENT, "feed");

	if (sample != NULL &&
	    sample_write(f->daemon->mask, json_incref((json_t *)event),
			 sample->delta) == 0)
		samples_put(f->samples, sample);
	else
		sample_free(sample);
	return on_feeder_asked(f);
}

/* Sleeps until there is a feed; after a failure, for a moment. */
static void
feeder_wait(struct feeder *f, bool failed)
{
	const int64_t until_us = web_thread_now_us() + AGAIN_US;

	pthread_mutex_lock(&f->thread.lock);
	if (failed && !on_feeder_asked(f))
		web_thread_wait(&f->thread, until_us);
	while (!atomic_load(&f->thread.stop) &&
	       atomic_load(&f->feed) == FEED_NONE)
		web_thread_wait(&f->thread, THREAD_FOREVER);
	f->heard = atomic_load(&f->feed);
	pthread_mutex_unlock(&f->thread.lock);
}

static void *
feeder_thread(void *arg)
{
	struct feeder *f = arg;
	struct events_follow follow = {
	    .on_event = on_feeder_event, .stopped = on_feeder_asked, .arg = f};
	struct err err;
	bool failed = false;

	for (;;) {
		feeder_wait(f, failed);
		if (atomic_load(&f->thread.stop))
			return NULL;
		follow.whole = f->heard == FEED_WHOLE;
		failed = events_follow(f->client, &follow, &err) != 0;
		if (failed)
			log_debug("events: %s", err.msg);
	}
}

void
feeder_want(struct feeder *f, enum feed feed)
{
	pthread_mutex_lock(&f->thread.lock);
	atomic_store(&f->feed, (int)feed);
	pthread_cond_broadcast(&f->thread.changed);
	pthread_mutex_unlock(&f->thread.lock);
}

/* The thread sleeps until there is a feed. */
struct feeder *
feeder_new(struct flowrra_client *client, const struct web_shared *daemon,
	   struct samples *samples, struct err *err)
{
	struct feeder *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		err_nomem(err);
		return NULL;
	}
	f->client = client;
	f->daemon = daemon;
	f->samples = samples;
	web_thread_init(&f->thread);
	if (web_thread_begin(&f->thread, feeder_thread, f, err) == 0)
		return f;
	feeder_free(f);
	return NULL;
}

void
feeder_stop(struct feeder *f)
{
	web_thread_stop(&f->thread);
}

void
feeder_free(struct feeder *f)
{
	if (f == NULL)
		return;
	web_thread_done(&f->thread);
	free(f);
}
