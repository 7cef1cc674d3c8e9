/* SPDX-License-Identifier: MIT */
/*
 * The state of queues and workers, as its two files see it: admin_stats.c asks
 * for names, and for what is in each queue, and tells; admin_holding.c asks what
 * workers say, and what each of them has in flight in each queue.
 */
#ifndef STORE_REDIS_ADMIN_STATS_H
#define STORE_REDIS_ADMIN_STATS_H

#include "store/redis/admin.h"

struct worker_row {
	struct worker_info info; /* its description is ours to free */
	struct slice
	    listed;  /* of a living one: its queues, as it lists them; in
				the description */
	bool served; /* one of our queues */
};

struct stats {
	struct rquery query;
	/* What is wanted: the queues, the workers, or to take those off the
	 * list that have been dead for long. */
	enum { QUEUES, WORKERS, PRUNE } what;
	union {
		broker_queues_fn *on_queues;
		broker_workers_fn *on_workers;
	};
	void *arg;

	struct queue_stats *queues; /* `unknown` is ours to free */
	struct rlevels *levels;	    /* of each, as far as they were told */
	bool *strangers; /* of each: workers that do not list it served it, too;
			    NULL: nobody has asked */
	size_t n_queues;
	struct worker_row *workers;
	size_t n_workers;
};

/* What each worker said last, while that is good. */
void rstats_ask_words(struct rquery *i);
/* Which queues were served by others than the living workers that list them; what
 * rstats_ask_words() brought is known. */
void rstats_ask_strangers(struct rquery *i);
/* What workers have in flight in a queue: all of them, or those that may have
 * any, if it was asked who that is. */
void rstats_ask_holding(struct stats *s, size_t index, const struct rqueue *q);

#endif
