/* SPDX-License-Identifier: MIT */
/*
 * The state of queues and workers, as its files see it: admin_stats.c asks
 * for names, and tells; admin_queue.c asks what is in each queue; admin_holding.c
 * asks what workers say, and what each of them has in flight in each queue;
 * admin_find.c asks only which queues have anything.
 */
#ifndef STORE_REDIS_ADMIN_STATS_H
#define STORE_REDIS_ADMIN_STATS_H

#include "store/redis/admin.h"
#include "store/redis/names.h"

struct worker_row {
	struct worker_info info; /* its description is ours to free */
	struct slice
	    listed;	 /* of a living one: its queues, as it lists them; in
				the description */
	bool served;	 /* one of our queues */
	int64_t seen_ms; /* by its own clock; only of PRUNE */
};

struct stats {
	struct rquery query;
	/* What is wanted: the queues, the workers, to take those off the list
	 * that have been dead for long, or the queues with tasks at a place. */
	enum { QUEUES, WORKERS, PRUNE, FIND } what;
	union {
		broker_queues_fn *on_queues;
		broker_workers_fn *on_workers;
		broker_found_fn *on_found;
	};
	void *arg;
	enum broker_location place; /* FIND */

	struct queue_stats *queues; /* `unknown` is ours to free */
	struct rlevels *levels;	    /* of each, as far as they were told */
	bool *strangers; /* of each: workers that do not list it served it, too;
			    NULL: nobody has asked */
	size_t n_queues;
	char cursor[ARG_NUMBER_SIZE]; /* where more names of queues are */
	struct rnames names;	      /* of workers */
	bool more_queues, more_workers;
	unsigned int n_pages; /* of levels, that were asked for beyond those */
	struct worker_row *workers;
	size_t n_workers;
};

/* A query that begins with the names of queues and workers; NULL without
 * memory. */
struct stats *rstats_new(struct broker *b, int what);
void rstats_free(struct rquery *i);
/* Tells what was asked for, or the error, and frees. */
void rstats_on_state(struct rquery *i);
/* It is known who may have any: goes on with what they have. */
void rstats_on_strangers(struct rquery *i);

/* FIND: asks, when the names are known; and tells. */
void rfind_ask(struct rquery *i);
void rfind_answered(struct rquery *i);
void rfind_tell(struct stats *s);

/* What is in a queue. */
void rstats_ask_queue(struct stats *s, size_t index, const struct rqueue *q);
/* Which levels each queue has; rstats_ask_queue() works without, and takes a round
 * trip more where there are any. */
void rstats_ask_levels(struct rquery *i);

/* What each worker said last, while that is good. */
void rstats_ask_words(struct rquery *i);
/* Which queues were served by others than the living workers that list them; what
 * rstats_ask_words() brought is known. */
void rstats_ask_strangers(struct rquery *i);
/* What workers have in flight in a queue: all of them, or those that may have
 * any, if it was asked who that is. */
void rstats_ask_holding(struct stats *s, size_t index, const struct rqueue *q);

#endif
