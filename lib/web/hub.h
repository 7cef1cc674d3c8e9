/* SPDX-License-Identifier: MIT */
/*
 * The hub: what changes, to all who look.
 *
 * A sampler asks the GET route of each topic that somebody has subscribed to,
 * once a second, and says what has changed; the hub sends that to all. A task is
 * asked for only when its record has changed. A reader that is slow gets no
 * backlog but, when it has caught up, the newest whole state. Nothing is asked
 * while nobody looks, but whether the stores answer.
 *
 * Topics: overview, queues, workers, running, schedules, dead, workflows, limits; task:ID, the
 * record of a task; and feed, each change of a task as it happens: with whole
 * records that costs the workers up to half of their speed.
 */
#ifndef WEB_HUB_H
#define WEB_HUB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "web/web.h"

struct err;
struct event_base;
struct web_hub;
struct web_shared;

#define HUB_TOPIC_MAX 256
/* Topics of one subscriber; tasks that are watched by all. */
#define HUB_TOPICS_MAX 16
#define HUB_TASKS_MAX 256
#define HUB_FEED_PER_S 50

struct hub_options {
	struct event_base *base;
	const struct web_shared *shared; /* for the routes; its client is not
					    used */
	const char *config_file;	 /* of the hub's own clients */
	const char *const *settings;
	int64_t every_us; /* between two samples, of all but tasks */
};

struct web_hub *hub_new(const struct hub_options *options, struct err *err);
/* All subscribers must have left. Waits for the threads. */
void hub_free(struct web_hub *hub);
/* Has the threads end soon. */
void hub_stop(struct web_hub *hub);
/* Tells all readers at once what they may see now: [web] hide has changed. */
void hub_again(struct web_hub *hub);

/* When broker and backend answered last, on the monotonic clock; 0: never. */
int64_t hub_answered_us(const struct web_hub *hub);
/* Whether that is lately enough: two turns of a sampler that nobody keeps busy. */
#define HUB_READY_US INT64_C(10000000)
bool hub_is_ready(const struct web_hub *hub);
/* Of /metrics and the status line. */
size_t hub_subscribers(const struct web_hub *hub);

/* A reader. Callbacks come on the loop. */
struct hub_reader {
	/* Sends an event; -1: it has no room for it, and is told again what
	 * comes of it after hub_drained(). `name`: overview, … Must not leave
	 * the hub. */
	int (*on_event)(const char *name, uint64_t id, struct slice json,
			void *arg);
	void *arg;
	bool masked; /* a viewer */
	bool whole;  /* the feed with whole records */
};
struct hub_subscriber;
/* Whether hub_subscribe() would take these: 0, or -1 with ERR_USAGE, which names the
 * unknown topic, or ERR_REFUSED: too many tasks are watched. */
int hub_check_topics(struct web_hub *hub, char *const *topics, struct err *err);
/* `topics` is a NULL-ended list. NULL with *err: ERR_USAGE names an unknown topic,
 * ERR_REFUSED: too many tasks are watched. Events may come before it returns. */
struct hub_subscriber *hub_subscribe(struct web_hub *hub,
				     const struct hub_reader *reader,
				     char *const *topics, struct err *err);
void hub_leave(struct hub_subscriber *subscriber);
/* It has room again. */
void hub_drained(struct hub_subscriber *subscriber);

#endif
