/* SPDX-License-Identifier: MIT */
/*
 * The pool, as its own files see it, and its generations: the executors of one
 * configuration each. Includes and calls go down only:
 *
 *	pool.c        opening, stopping, what there is; hears the executors
 *	report.c      what executors say of their jobs, and what their end says
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

/* Executors that were started from the same configuration. */
struct generation {
	struct pool *pool;
	struct conf_executor limits; /* of its executors, to their end */
	char **modules;
	char *config; /* for modules, JSON */
	struct handlers handlers;
	bool ready; /* it has come up once; `handlers` is known */
	/* Gets the jobs of its kind. NULL: it ended, and another is due later,
	 * or is not wanted. One that was replaced is in the pool's list
	 * only. */
	struct executor *io;
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
};

/* Starts its io executor. The caller is its first user. */
struct generation *generation_new(struct pool *p,
				  const struct conf_executor *conf,
				  const struct pool_modules *modules,
				  struct err *err);
/* One executor or role less; the last one frees it. */
void generation_release(struct generation *g);

/* Starts a cpu executor, or tries again later. */
void generation_start_cpu(struct generation *g);
/* Logs why an executor could not be started; of what is short, once a
 * minute. */
void generation_warn(const struct err *why);
/* Whether a try to start executors is due later. */
bool generation_is_waiting(const struct generation *g);
/* An executor describes what it can run; the first one is believed. */
int generation_describe(struct generation *g, struct slice json,
			struct err *err);
/* Its first executor, or another one, has come up. */
void generation_came_up(struct generation *g);
/* `e` gets no more jobs: if it was the io executor, another takes over. */
void generation_replace(struct generation *g, const struct executor *e);
/* `e` has ended, and is about to be dropped. */
void generation_lost(struct generation *g, const struct executor *e,
		     bool had_come_up);
/* Frees an executor, and its generation if that was the last use of it. */
void generation_drop(struct executor *e);

#endif
