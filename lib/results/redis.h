/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend, as its own files see it: redis.c keeps records,
 * redis_watch.c waits for them.
 */
#ifndef RESULTS_REDIS_H
#define RESULTS_REDIS_H

#include "redis/outbox.h"
#include "redis/redis.h"
#include "redis/url.h"
#include "results/results.h"

#define TOPIC_BUCKETS 256

struct topic;

struct rresults {
	struct results pub;
	struct results_options opt;
	struct redis_url url;
	char *url_name;
	struct redis *redis;  /* commands */
	struct outbox outbox; /* records that must be kept */
	bool full;	      /* the server refused one as full */
	struct event *later;  /* answers that need no server */
	TAILQ_HEAD(rcall_list, rcall) calls; /* they wait here */
	struct rcall_list asked;	     /* replies are on their way */

	struct redis *listener; /* subscriptions; made by the first watch */
	TAILQ_HEAD(topic_list, topic) topics[TOPIC_BUCKETS];

	struct event *ears; /* asks now and then who listens to events */
	bool heard;
};

/* A question under way, or an answer that waits for the loop. */
struct rcall {
	TAILQ_ENTRY(rcall) link;
	struct rresults *results;
	void (*fn)(struct rcall *call, const struct redis_reply *reply);
	results_record_fn *on_record;
	void *arg;
	size_t index; /* of the record in its batch */
};

/* Sends a command whose reply goes to call->fn, which frees the call; with no
 * server, fn gets a NULL reply from the loop. */
void rresults_ask(struct rcall *call, size_t argc, const struct slice *argv);

/* "flowrra:task:<id>" and the like, into `key`. */
struct slice rresults_key(struct buf *key, const char *prefix, struct slice id);
extern const char RRESULTS_RECORD[];
extern const char RRESULTS_COMPLETE[];

struct results_watch *rresults_watch(struct results *results, struct slice id,
				     results_record_fn *on_record, void *arg,
				     struct err *err);
void rresults_unwatch(struct results_watch *watch);
/* The connection for commands is up: asks again for what is watched. */
void rresults_watches_up(struct rresults *r);
/* Frees what is left of them; the connections are closed already. */
void rresults_watches_free(struct rresults *r);

#endif
