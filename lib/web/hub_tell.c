/* SPDX-License-Identifier: MIT */
/*
 * What the hub tells those who look.
 *
 * Nothing is queued for a reader. It is either up to date, and gets the next
 * change, or behind, and gets the newest whole state when it has room: so a
 * reader on a slow line costs as much memory as a fast one, and sees what is,
 * not what was.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "web/hub_private.h"
#include "web/sampler.h"

int
hub_send(struct hub_subscriber *s, const char *name, const char *text)
{
	return s->reader.on_event(name, s->hub->id, slice_of(text),
				  s->reader.arg);
}

/* Which of the two forms a reader may see is fixed when it comes: a stream ends
 * when its role does (events.c). */
static int
hub_seen(const struct hub_subscriber *s)
{
	return s->reader.masked ? SEEN_MASKED : SEEN_WHOLE;
}

/* The whole state, if it is known; else it comes with the next sample. */
static void
hub_send_whole(struct hub_subscriber *s, struct subscription *one)
{
	const char *text = one->topic->full[hub_seen(s)];

	one->behind = text == NULL || hub_send(s, one->topic->name, text) != 0;
}

/* Topic by topic; one that finds no room again stays behind for the next time.
 */
void
hub_drained(struct hub_subscriber *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->topics[i].behind)
			hub_send_whole(s, &s->topics[i]);
}

/* The delta is only good on top of the state before: who was owed that gets
 * all. */
static void
hub_send_change(struct hub_subscriber *s, struct subscription *one,
		const struct sample *sample)
{
	const char *text = sample->delta[hub_seen(s)];

	if (one->behind || text == NULL)
		hub_send_whole(s, one);
	else if (hub_send(s, one->topic->name, text) != 0)
		one->behind = true;
}

struct hub_topic *
hub_find_topic(struct web_hub *hub, const char *name)
{
	struct hub_topic *t;

	LIST_FOREACH (t, &hub->topics, next)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

/* Takes the newest state over. */
static void
hub_take_state(struct web_hub *hub, struct sample *sample)
{
	struct hub_topic *t = hub_find_topic(hub, sample->topic);
	struct hub_subscriber *s;
	size_t i;

	if (t == NULL)
		return; /* nobody looks any more */
	for (i = 0; i < SEEN_N; i++) {
		free(t->full[i]);
		t->full[i] = sample->full[i];
		sample->full[i] = NULL;
	}
	LIST_FOREACH (s, &hub->subscribers, next)
		for (i = 0; i < s->n; i++)
			if (s->topics[i].topic == t)
				hub_send_change(s, &s->topics[i], sample);
}

/* What is more, or finds no room, is left out: the feed is to be looked at, and
 * nobody reads more in a second. */
static bool
hub_may_feed(struct hub_subscriber *s)
{
	return bucket_take(&s->events, HUB_FEED_PER_S, HUB_FEED_PER_S,
			   clock_mono_us());
}

static void
hub_take_event(struct web_hub *hub, const struct sample *sample)
{
	struct hub_subscriber *s;

	LIST_FOREACH (s, &hub->subscribers, next)
		if (s->feed && hub_may_feed(s))
			hub_send(s, "feed", sample->delta[hub_seen(s)]);
}

/* Of both forms the whole one: it has no data of tasks. It is kept for those
 * who come while the stores are away, who would else wait for a state that
 * cannot come. */
static void
hub_take_trouble(struct web_hub *hub, struct sample *sample)
{
	const bool stale = sample->kind == SAMPLE_STALE;
	struct hub_subscriber *s;

	free(hub->stale);
	hub->stale = NULL;
	LIST_FOREACH (s, &hub->subscribers, next)
		hub_send(s, stale ? "stale" : "live",
			 sample->delta[SEEN_WHOLE]);
	if (stale) {
		hub->stale = sample->delta[SEEN_WHOLE];
		sample->delta[SEEN_WHOLE] = NULL;
	}
}

/* The counter is emptied first: what is put in behind that wakes the loop
 * again. */
void
hub_on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct web_hub *hub = arg;
	struct sample *sample;
	uint64_t n;

	while (read(fd, &n, sizeof(n)) > 0)
		;
	while ((sample = sampler_take(hub->sampler)) != NULL) {
		hub->id++;
		if (sample->kind == SAMPLE_STATE)
			hub_take_state(hub, sample);
		else if (sample->kind == SAMPLE_EVENT)
			hub_take_event(hub, sample);
		else
			hub_take_trouble(hub, sample);
		sample_free(sample);
	}
}
