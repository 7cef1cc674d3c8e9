/* SPDX-License-Identifier: MIT */
/*
 * The hub, on the loop: topics, who has subscribed to them, and who is behind.
 *
 * Nothing is queued for a reader. It is either up to date, and gets the next
 * change, or behind, and gets the newest whole state when it has room: so a
 * reader on a slow line costs as much memory as a fast one, and sees what is,
 * not what was.
 *
 * The names of topics are shared: a hundred pages on one topic are one question
 * to the stores. All of the hub belongs to the loop; its threads are behind
 * sampler.h.
 */
#include "web/hub.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "core/task.h"
#include "util/bucket.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/sampler.h"

/* Somebody looks at it. */
struct hub_topic {
	char name[HUB_TOPIC_MAX];
	uint64_t id;	    /* of this time that somebody looks (topics.h) */
	size_t n;	    /* how many */
	char *full[SEEN_N]; /* its newest state; NULL: not known yet */
	LIST_ENTRY(hub_topic) next;
};

struct subscription {
	struct hub_topic *topic;
	bool behind; /* it is owed the whole state */
};

struct hub_subscriber {
	struct web_hub *hub;
	struct hub_reader reader;
	struct subscription topics[HUB_TOPICS_MAX];
	size_t n;
	bool feed;
	struct bucket events; /* that it may still be told of the feed */
	LIST_ENTRY(hub_subscriber) next;
};

struct web_hub {
	struct hub_options options;
	struct sampler *sampler;
	int fd;
	struct event *wake;
	LIST_HEAD(, hub_topic) topics;
	LIST_HEAD(, hub_subscriber) subscribers;
	size_t n_topics, n_subscribers, n_feeds;
	uint64_t id, topic_id; /* the last of an event, and of a topic */
	char *stale; /* what is told of the stores being away; NULL: are not */
};

static const char *const hub_names[] = {"overview", "queues", "workers",
					"running",  "dead",   "schedules"};

int64_t
hub_answered_us(const struct web_hub *hub)
{
	return sampler_answered_us(hub->sampler);
}

size_t
hub_subscribers(const struct web_hub *hub)
{
	return hub->n_subscribers;
}

/* --- sending ------------------------------------------------------------------ */

static int
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

static struct hub_topic *
hub_find(struct web_hub *hub, const char *name)
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
	struct hub_topic *t = hub_find(hub, sample->topic);
	struct hub_subscriber *s, *next;
	size_t i;

	if (t == NULL)
		return; /* nobody looks any more */
	for (i = 0; i < SEEN_N; i++) {
		free(t->full[i]);
		t->full[i] = sample->full[i];
		sample->full[i] = NULL;
	}
	for (s = LIST_FIRST(&hub->subscribers); s != NULL; s = next) {
		next = LIST_NEXT(s, next);
		for (i = 0; i < s->n; i++)
			if (s->topics[i].topic == t)
				hub_send_change(s, &s->topics[i], sample);
	}
}

/* What is more, or finds no room, is left out: the feed is to be looked at, and
 * nobody reads more in a second. */
static bool
hub_may_feed(struct hub_subscriber *s)
{
	return bucket_take(&s->events, HUB_FEED_PER_S, HUB_FEED_PER_S,
			   clock_mono_us());
}

/* A reader may leave from within its callback, hence the next one first. */
static void
hub_take_event(struct web_hub *hub, const struct sample *sample)
{
	struct hub_subscriber *s, *next;

	for (s = LIST_FIRST(&hub->subscribers); s != NULL; s = next) {
		next = LIST_NEXT(s, next);
		if (s->feed && hub_may_feed(s))
			hub_send(s, "feed", sample->delta[hub_seen(s)]);
	}
}

/* Of both forms the whole one: it has no data of tasks. It is kept for those
 * who come while the stores are away, who would else wait for a state that
 * cannot come. */
static void
hub_take_trouble(struct web_hub *hub, struct sample *sample)
{
	const bool stale = sample->kind == SAMPLE_STALE;
	struct hub_subscriber *s, *next;

	free(hub->stale);
	hub->stale = NULL;
	for (s = LIST_FIRST(&hub->subscribers); s != NULL; s = next) {
		next = LIST_NEXT(s, next);
		hub_send(s, stale ? "stale" : "live",
			 sample->delta[SEEN_WHOLE]);
	}
	if (stale) {
		hub->stale = sample->delta[SEEN_WHOLE];
		sample->delta[SEEN_WHOLE] = NULL;
	}
}

/* The counter is emptied first: what is put in behind that wakes the loop
 * again. */
static void
on_hub_wake(evutil_socket_t fd, short what, void *arg)
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

/* --- subscribing --------------------------------------------------------------- */

static void
hub_tell_sampler(struct web_hub *hub)
{
	struct topic_wanted *wanted =
	    calloc(hub->n_topics + 1, sizeof(*wanted));
	struct hub_topic *t;
	size_t n = 0;

	if (wanted == NULL)
		return; /* the next change tells it */
	LIST_FOREACH (t, &hub->topics, next)
		wanted[n++] = (struct topic_wanted){t->name, t->id};
	sampler_want(hub->sampler, wanted, hub->n_feeds > 0);
	free(wanted);
}

/* Names of tasks are checked as anywhere: they go to a store. */
static int
hub_check_topic(const char *name, struct err *err)
{
	size_t i;

	for (i = 0; i < sizeof(hub_names) / sizeof(hub_names[0]); i++)
		if (strcmp(hub_names[i], name) == 0)
			return 0;
	if (strncmp(name, "task:", 5) == 0 && strlen(name) < HUB_TOPIC_MAX &&
	    task_id_valid(slice_of(name + 5)))
		return 0;
	return err_set(err, ERR_USAGE,
		       "topics: \"%.64s\" is not overview, queues, workers, "
		       "running, schedules, dead, feed or task:ID",
		       name);
}

int
hub_check_topics(char *const *topics, struct err *err)
{
	size_t n = 0;

	for (; topics[n] != NULL; n++)
		if (strcmp(topics[n], "feed") != 0 &&
		    hub_check_topic(topics[n], err) != 0)
			return -1;
	if (n == 0 || n > HUB_TOPICS_MAX)
		return err_set(err, ERR_USAGE, "topics: 1 to %d of them",
			       HUB_TOPICS_MAX);
	return 0;
}

/* The last one to leave takes the state along. It would be old before anybody
 * asks for it. */
static void
topic_leave(struct web_hub *hub, struct hub_topic *t)
{
	size_t i;

	if (--t->n > 0)
		return;
	LIST_REMOVE(t, next);
	hub->n_topics--;
	for (i = 0; i < SEEN_N; i++)
		free(t->full[i]);
	free(t);
}

static struct hub_topic *
topic_join(struct web_hub *hub, const char *name, struct err *err)
{
	struct hub_topic *t = hub_find(hub, name);

	/* Those that have names are few, and for all. */
	if (t == NULL && strncmp(name, "task:", 5) == 0 &&
	    hub->n_topics >= HUB_TASKS_MAX) {
		err_set(err, ERR_REFUSED, "too many tasks are watched already");
		return NULL;
	}
	if (t == NULL) {
		if ((t = calloc(1, sizeof(*t))) == NULL) {
			err_nomem(err);
			return NULL;
		}
		memcpy(t->name, name, strlen(name) + 1);
		t->id = ++hub->topic_id;
		LIST_INSERT_HEAD(&hub->topics, t, next);
		hub->n_topics++;
	}
	t->n++;
	return t;
}

/* A topic that is named twice counts once, so that the bound is on what is
 * asked. */
static int
subscriber_add(struct hub_subscriber *s, const char *name, struct err *err)
{
	size_t i;

	if (strcmp(name, "feed") == 0) {
		s->hub->n_feeds += !s->feed;
		s->feed = true;
		return 0;
	}
	if (hub_check_topic(name, err) != 0)
		return -1;
	for (i = 0; i < s->n; i++)
		if (strcmp(s->topics[i].topic->name, name) == 0)
			return 0;
	if (s->n == HUB_TOPICS_MAX)
		return err_set(err, ERR_USAGE, "topics: at most %d",
			       HUB_TOPICS_MAX);
	if ((s->topics[s->n].topic = topic_join(s->hub, name, err)) == NULL)
		return -1;
	s->topics[s->n++].behind = true;
	return 0;
}

/* It is in the list before its topics are, so that hub_leave() undoes as much
 * as was done. */
struct hub_subscriber *
hub_subscribe(struct web_hub *hub, const struct hub_reader *reader,
	      char *const *topics, struct err *err)
{
	struct hub_subscriber *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	s->hub = hub;
	s->reader = *reader;
	s->events = bucket_full(HUB_FEED_PER_S, clock_mono_us());
	LIST_INSERT_HEAD(&hub->subscribers, s, next);
	hub->n_subscribers++;
	figures_streams(hub->options.shared->figures,
			(int64_t)hub->n_subscribers);
	for (; *topics != NULL; topics++)
		if (subscriber_add(s, *topics, err) != 0) {
			hub_leave(s);
			return NULL;
		}
	hub_tell_sampler(hub);
	/* What others look at is known already. */
	hub_drained(s);
	if (hub->stale != NULL)
		hub_send(s, "stale", hub->stale);
	return s;
}

void
hub_leave(struct hub_subscriber *s)
{
	struct web_hub *hub = s->hub;
	size_t i;

	for (i = 0; i < s->n; i++)
		topic_leave(hub, s->topics[i].topic);
	hub->n_feeds -= s->feed;
	hub->n_subscribers--;
	figures_streams(hub->options.shared->figures,
			(int64_t)hub->n_subscribers);
	LIST_REMOVE(s, next);
	free(s);
	hub_tell_sampler(hub);
}

/* --- life ----------------------------------------------------------------------- */

/* The sampler comes last: its threads may put something in at once. */
struct web_hub *
hub_new(const struct hub_options *options, struct err *err)
{
	struct web_hub *hub = calloc(1, sizeof(*hub));

	if (hub == NULL) {
		err_nomem(err);
		return NULL;
	}
	hub->options = *options;
	hub->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (hub->fd < 0 ||
	    (hub->wake = event_new(options->base, hub->fd, EV_READ | EV_PERSIST,
				   on_hub_wake, hub)) == NULL ||
	    event_add(hub->wake, NULL) != 0)
		err_sys(err, ERR_SYSTEM, "cannot make the hub");
	else if ((hub->sampler = sampler_new(&hub->options, hub->fd, err)) !=
		 NULL)
		return hub;
	hub_free(hub);
	return NULL;
}

void
hub_stop(struct web_hub *hub)
{
	sampler_stop(hub->sampler);
}

/* The threads end first; what they put in by then lies in their queue. */
void
hub_free(struct web_hub *hub)
{
	if (hub == NULL)
		return;
	sampler_free(hub->sampler);
	if (hub->wake != NULL)
		event_free(hub->wake);
	if (hub->fd >= 0)
		close(hub->fd);
	free(hub->stale);
	free(hub);
}
