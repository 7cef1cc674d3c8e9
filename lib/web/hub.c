/* SPDX-License-Identifier: MIT */
/*
 * The hub, on the loop: topics, and who has subscribed to them. What they are
 * told is in hub_tell.c; the threads that ask the stores are behind sampler.h.
 *
 * The names of topics are shared: a hundred pages on one topic are one question
 * to the stores. A topic lives as long as somebody looks at it, and the sampler is
 * given the whole list each time that it changes.
 */
#include "web/hub.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/task.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/hub_private.h"
#include "web/sampler.h"

static const char *const hub_names[] = {"overview", "queues",	"workers",
					"running",  "dead",	"workflows",
					"limits",   "schedules"};

/* For /readyz and the status line; the sampler pings also while nobody looks. */
int64_t
hub_answered_us(const struct web_hub *hub)
{
	return sampler_answered_us(hub->sampler);
}

bool
hub_is_ready(const struct web_hub *hub)
{
	const int64_t answered = hub_answered_us(hub);

	return answered != 0 && clock_mono_us() - answered < HUB_READY_US;
}

size_t
hub_subscribers(const struct web_hub *hub)
{
	return hub->n_subscribers;
}

/* --- subscribing --------------------------------------------------------------- */

/* The whole list each time: the sampler compares it, and most often it is as it
 * was. */
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
		wanted[n++] =
		    (struct topic_wanted){.name = t->name, .id = t->id};
	sampler_want(hub->sampler, wanted,
		     hub->n_whole > 0	? FEED_WHOLE
		     : hub->n_feeds > 0 ? FEED_BRIEF
					: FEED_NONE);
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
	if (topic_task(name) != NULL && strlen(name) < HUB_TOPIC_MAX &&
	    task_id_valid(slice_of(topic_task(name))))
		return 0;
	return err_set(err, ERR_USAGE,
		       "topics: \"%.64s\" is not overview, queues, workers, "
		       "running, schedules, dead, workflows, limits, feed or "
		       "task:ID",
		       name);
}

static int
hub_refuse_task(struct err *err)
{
	return err_set(err, ERR_REFUSED, "too many tasks are watched already");
}

/* Before a stream is begun: a mistake can still be answered with a status. */
int
hub_check_topics(struct web_hub *hub, char *const *topics, struct err *err)
{
	size_t n = 0, tasks = 0;

	for (; topics[n] != NULL; n++) {
		if (strcmp(topics[n], "feed") != 0 &&
		    hub_check_topic(topics[n], err) != 0)
			return -1;
		tasks += topic_task(topics[n]) != NULL &&
			 hub_find_topic(hub, topics[n]) == NULL;
	}
	if (n == 0 || n > HUB_TOPICS_MAX)
		return err_set(err, ERR_USAGE, "topics: 1 to %d of them",
			       HUB_TOPICS_MAX);
	return hub->n_tasks + tasks <= HUB_TASKS_MAX ? 0 : hub_refuse_task(err);
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
	hub->n_tasks -= topic_task(t->name) != NULL;
	for (i = 0; i < SEEN_N; i++)
		free(t->full[i]);
	free(t);
}

/* Somebody looks at it as well, or as the first. */
static struct hub_topic *
topic_join(struct web_hub *hub, const char *name, struct err *err)
{
	struct hub_topic *t = hub_find_topic(hub, name);
	const bool task = topic_task(name) != NULL;

	/* The other topics are six, and for all. */
	if (t == NULL && task && hub->n_tasks >= HUB_TASKS_MAX) {
		hub_refuse_task(err);
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
		hub->n_tasks += task;
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
		s->hub->n_whole += !s->feed && s->reader.whole;
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

/* Topics that nobody looks at any more are not asked for any longer. */
void
hub_leave(struct hub_subscriber *s)
{
	struct web_hub *hub = s->hub;
	size_t i;

	for (i = 0; i < s->n; i++)
		topic_leave(hub, s->topics[i].topic);
	hub->n_feeds -= s->feed;
	hub->n_whole -= s->feed && s->reader.whole;
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
				   hub_on_wake, hub)) == NULL ||
	    event_add(hub->wake, NULL) != 0)
		err_sys(err, ERR_SYSTEM, "cannot make the hub");
	else if ((hub->sampler = sampler_new(&hub->options, hub->fd, err)) !=
		 NULL)
		return hub;
	hub_free(hub);
	return NULL;
}

/* Readers stay, and are told nothing more. */
void
hub_stop(struct web_hub *hub)
{
	sampler_stop(hub->sampler);
}

void
hub_again(struct web_hub *hub)
{
	sampler_again(hub->sampler);
}

/* The threads end first; what they have put into their queue is freed with it. */
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
