/* SPDX-License-Identifier: MIT */
/*
 * The pool, as its own files see it.
 *
 *	pool.c      opening, stopping, and what there is
 *	executor.c  one executor: started, drained, killed, replaced
 *	generation.c  executors of one configuration; reload
 *	room.c      which job goes to which executor
 *	report.c    what executors say of their jobs, and what their end says
 *	executor_process.c, output.c  the process below an executor
 *	handlers.c  the task types that executors describe
 */
#ifndef POOL_EXECUTOR_H
#define POOL_EXECUTOR_H

#include <event2/event.h>

#include "pool/executor_process.h"
#include "pool/handlers.h"
#include "pool/pool.h"
#include "util/conf.h"

TAILQ_HEAD(pool_job_list, pool_job);
TAILQ_HEAD(executor_list, executor);

/*
 * X(name, states that may follow). UNWANTED and RETIRED get no more jobs;
 * DOOMED is killed when only overdue jobs are left; STOPPING was sent STOP.
 */
#define EXECUTOR_STATES(X)                                                     \
	X(STARTING, EXECUTOR_BIT(READY) | EXECUTOR_BIT(UNWANTED))              \
	X(UNWANTED, EXECUTOR_BIT(RETIRED))                                     \
	X(READY, EXECUTOR_BIT(RETIRED) | EXECUTOR_BIT(DOOMED))                 \
	X(RETIRED, EXECUTOR_BIT(DOOMED) | EXECUTOR_BIT(STOPPING))              \
	X(DOOMED, 0)                                                           \
	X(STOPPING, 0)                                                         \
	X(ENDED, 0) /* follows all others */

enum executor_state {
#define X(name, next) EXECUTOR_##name,
	EXECUTOR_STATES(X)
#undef X
};
#define EXECUTOR_BIT(name) (1u << EXECUTOR_##name)

/* One executor, and what it does. */
struct executor {
	TAILQ_ENTRY(executor) link;
	struct pool *pool;
	struct generation *generation;
	struct executor_process *process;
	bool cpu; /* one task at a time; else the io executor */
	enum executor_state state;
	bool recalling;		   /* RECALLED is awaited, in any state */
	unsigned int ended;	   /* jobs that it has run */
	struct pool_job_list jobs; /* in the order they were sent */
	unsigned int count[POOL_KINDS];
	double ran_us;	  /* moving average of how long jobs run */
	int64_t moved_ms; /* when a job last ended, or the first was sent */
};

/* Executors that were started from the same configuration. */
struct generation {
	struct pool *pool;
	struct conf_executor limits; /* of its executors, to their end */
	char **modules;
	char *config; /* for modules, JSON */
	struct handlers handlers;
	bool ready;
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
	enum pool_phase phase;
	struct generation *current;
	struct generation *next; /* of a reload under way */
	struct executor_list executors;
};

/* Calls back that something changed. */
void pool_changed(struct pool *p);

/* --- executor.c -------------------------------------------------------- */

struct executor *executor_new(struct generation *g, bool cpu, struct err *err);
void executor_free(struct executor *e);
void executor_enter(struct executor *e, enum executor_state next);
/* It has come up, and was not told to stop. */
bool executor_is_up(const struct executor *e);
const char *executor_kind(const struct executor *e);
/* No more jobs; those that have not started come back; then it is stopped. */
void executor_retire(struct executor *e);
/* Asks for what has not started. */
void executor_recall(struct executor *e);
/* Replaces it: a new one takes over, this one finishes what it can. */
void executor_doom(struct executor *e);
void executor_add(struct executor *e, struct pool_job *job);
void executor_remove(struct executor *e, struct pool_job *job);
/* It has run a job to its end: the last one, if it may run no more. */
void executor_count(struct executor *e);

/* --- generation.c ------------------------------------------------------ */

struct generation *generation_new(struct pool *p,
				  const struct conf_executor *conf,
				  const struct pool_modules *modules,
				  struct err *err);
/* One executor or role less; the last one frees it. */
void generation_release(struct generation *g);
/* Starts an executor, or tries again later; NULL for now in that case. */
struct executor *generation_spawn(struct generation *g, bool cpu);
/* Whether a try to start executors is due later. */
bool generation_is_waiting(const struct generation *g);
/* Its first executor, or another one, has come up. */
void generation_came_up(struct generation *g);
/* One of its executors has ended, and is about to be freed. */
void generation_lost(struct generation *g, const struct executor *e,
		     bool had_come_up);
/* A reload failed: the old executors stay. */
void generation_abandon_reload(struct pool *p, const struct err *why);

/* --- room.c ------------------------------------------------------------ */

/* A job of this executor has run for so long; below 0: not known. */
void room_learn(struct executor *e, int64_t ran_us);

/* --- report.c ---------------------------------------------------------- */

void report_message(struct executor *e, const struct ipc_message *m);
void report_line(struct executor *e, struct slice line);
/* It has ended: what becomes of its jobs. */
void report_exit(struct executor *e, const struct executor_exit *end);

#endif
