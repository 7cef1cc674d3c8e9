/* SPDX-License-Identifier: MIT */
/* What the two halves of the hub share: who looks at what (hub.c), and what they
 * are told (hub_tell.c). All of it belongs to the loop. */
#ifndef WEB_HUB_PRIVATE_H
#define WEB_HUB_PRIVATE_H

#include <event2/util.h>
#include <sys/queue.h>

#include "util/bucket.h"
#include "web/hub.h"
#include "web/samples.h"

struct event;
struct sampler;

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
	size_t n_topics, n_tasks; /* the tasks are topics, too */
	size_t n_subscribers, n_feeds;
	size_t n_whole;	       /* of the feeds: with whole records */
	uint64_t id, topic_id; /* the last of an event, and of a topic */
	char *stale; /* what is told of the stores being away; NULL: are not */
};

/* NULL: nobody looks at it. */
struct hub_topic *hub_find_topic(struct web_hub *hub, const char *name);
/* Sends an event with the hub's number; as hub_reader.on_event(). */
int hub_send(struct hub_subscriber *s, const char *name, const char *text);
/* Of the eventfd: takes all that the sampler has found, and sends it. */
void hub_on_wake(evutil_socket_t fd, short what, void *arg);

#endif
