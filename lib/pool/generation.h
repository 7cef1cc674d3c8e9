/* SPDX-License-Identifier: MIT */
/*
 * The pool, as its own files see it, and its generations: the executors of one
 * configuration each. Includes and calls go down only:
 *
 *	pool.c        opening, stopping, what there is; hears the executors
 *	report.c      what executors say of their jobs
 *	blame.c       which jobs the end of an executor is held against
 *	watch.c       whether executors still answer
 *	room.c        which job goes to which executor
 *	generation.c  executors of one configuration; reload
 *	executor.c    one executor: started, drained, killed
 *	executor_process.c, output.c  the process below an executor
 *	handlers.c    the task types that executors describe
 */
#ifndef POOL_GENERATION_H
#define POOL_GENERATION_H

#include <event2/event.h>

#include "pool/executor.h"
#include "pool/handlers.h"
#include "util/conf.h"

TAILQ_HEAD(executor_list, executor);

/* What its executors load is divided in two; a side with no modules has no
 * executors, unless neither has any. */
struct generation_side {
	const char **modules;	  /* a part of the generation's, NULL-ended */
	char *config;		  /* for these, JSON */
	bool ready;		  /* it has come up once; `handlers` is known */
	struct handlers handlers; /* until all sides are ready */
	/* Gets the jobs of its kind. NULL: it ended, and another is due later,
	 * or is not wanted. One that was replaced is in the pool's list
	 * only. */
	struct executor *io;
};

/* Executors that were started from the same configuration. */
struct generation {
	struct pool *pool;
	struct conf_executor limits; /* of its executors, to their end */
	char **modules;
	struct generation_side sides[EXECUTOR_SIDES];
	struct handlers handlers; /* of both */
	bool ready;		  /* both are */
	unsigned int cpu_max;
	unsigned int failures; /* executors in a row that did not come up */
	struct event *respawn;
	unsigned int users; /* its executors, and being current or next */
};

/* Each follows the one before it. */
enum pool_phase { POOL_OPEN, POOL_DRAINING, POOL_KILLING };

struct pool {
	struct pool_options opt;
	const struct pool_events *events;
	const struct executor_events *executor_events; /* pool.c's own */
	enum pool_phase phase;
	struct generation *current;
	struct generation *next;	/* of a reload under way */
	struct executor_list executors; /* of all generations, oldest first */
	struct err start_failed;	/* see pool_start_failed() */
	struct event *watch;		/* runs while any executor is busy */
};

/* Starts its io executors. The caller is its first user. */
struct generation *generation_new(struct pool *p,
				  const struct conf_executor *conf,
				  const struct pool_modules *modules,
				  struct err *err);
/* One executor or role less; the last one frees it. */
void generation_release(struct generation *g);

/* Starts an executor, or tries again later; not for EXECUTOR_IO. */
void generation_start_one(struct generation *g, enum executor_role role,
			  enum executor_side side);
/* Whether there is anything to be run on this side. */
bool generation_has(const struct generation *g, enum executor_side side);
/* Logs why an executor could not be started; of what is short, once a
 * minute. */
void generation_warn(const struct err *why);
/* Whether a try to start executors is due later. */
bool generation_is_waiting(const struct generation *g);
/* An executor describes what it can run; the first one is believed. */
int generation_describe(struct executor *e, struct slice json, struct err *err);
/* An executor has come up, perhaps the first of its side. */
void generation_came_up(struct executor *e);
/* `e` gets no more jobs: if it was the io executor, another takes over. */
void generation_replace(struct generation *g, const struct executor *e);
/* `e` has ended, and is about to be dropped. */
void generation_lost(struct generation *g, const struct executor *e,
		     const struct executor_exit *end);
/* Frees an executor, and its generation if that was the last use of it. */
void generation_drop(struct executor *e);

#endif
