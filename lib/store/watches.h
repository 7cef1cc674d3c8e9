/* SPDX-License-Identifier: MIT */
/*
 * The tasks whose records are waited for (results_watch()), for the files of a
 * store: a table of topics, one for each task that is watched, each with its
 * watches. When a topic's record is looked up, and how the store is told to
 * wake us, is the store's affair; who is told what is decided here, once.
 *
 * Not thread-safe: the loop owns it.
 */
#ifndef STORE_WATCHES_H
#define STORE_WATCHES_H

#include <stdbool.h>
#include <sys/queue.h>

#include "store/results.h"
#include "util/buf.h"

struct watch;

/* A task that is watched. The store's own struct begins with it, or has it as a
 * member. A topic is in the table for as long as it has a watch. */
struct topic {
	struct slice id; /* set by watches_add(); the text is the store's */
	/* The rest belongs to watches.c. */
	TAILQ_ENTRY(topic) link;
	struct watches *table;
	TAILQ_HEAD(, watch) watches;
	bool notifying; /* its watches are being called: it must stay */
	bool followed;	/* one of its watches is, or was, results_follow()'s */
};

struct watches_ops {
	/* Nobody watches the topic any more: takes back what the store was asked
	 * to do about it. It is no longer in the table, and freed next. */
	void (*leave)(struct topic *t);
	void (*free)(struct topic *t);
};

/* A client that waits for a thousand tasks has four of them in each. The table
 * takes 4 KiB of a client, and a walk through an empty one is short. */
#define WATCHES_BUCKETS 256

struct watches {
	const struct watches_ops *ops;
	TAILQ_HEAD(topic_list, topic) buckets[WATCHES_BUCKETS];
};

void watches_init(struct watches *table, const struct watches_ops *ops);
/* Frees all topics and watches. Nobody is called back, and the store is not
 * left: it is closed. */
void watches_done(struct watches *table);

/* NULL: nobody watches this task. */
struct topic *watches_find(struct watches *table, struct slice id);
/* Puts a topic into the table. Give it a watch at once: without one it is not
 * freed before watches_done(). `id` must live as long as the topic. */
void watches_add(struct watches *table, struct topic *t, struct slice id);
/* The topic after `t`, or the first one if that is NULL, in no order; NULL at
 * the end. No topic may end or come between two calls. */
struct topic *watches_next(struct watches *table, const struct topic *t);

/* Adds a watch to a topic, results_watch()'s or, with `follows`,
 * results_follow()'s. NULL when memory runs out; a topic that has no other watch
 * is then gone. */
struct results_watch *watches_watch(struct topic *t, struct results *results,
				    bool follows, results_record_fn *on_record,
				    void *arg);
/* Ends it, and its topic with the last one. It is what results_unwatch() calls,
 * and may be called within on_record. */
void watches_unwatch(struct results_watch *watch);

/*
 * Tells the watches of a topic what its record is (empty: there is none), or
 * why that cannot be told. As results_watch() promises, each watch is told of
 * one record that is not final, of one that is, and of each error before that;
 * one that follows is told of all.
 * The topic may be gone afterwards.
 */
void watches_notify(struct topic *t, struct slice record, bool final,
		    const struct err *err);
/* Whether all watches have been told of the final record, and none follows. */
bool watches_are_over(const struct topic *t);

#endif
