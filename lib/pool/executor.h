/* SPDX-License-Identifier: MIT */
/*
 * One executor of the pool: a process, its state, and the jobs it has.
 *
 * It knows neither the pool nor the other executors. What it hears from its
 * process it hands to an executor_events table, which pool.c provides; it never
 * decides by itself that another executor is to be started.
 */
#ifndef POOL_EXECUTOR_H
#define POOL_EXECUTOR_H

#include "pool/executor_process.h"
#include "pool/pool.h"

struct generation;

TAILQ_HEAD(pool_job_list, pool_job);

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

/* What an executor is for. */
enum executor_role {
	EXECUTOR_IO,	/* blocking jobs in threads, and asynchronous ones */
	EXECUTOR_CPU,	/* one job after the other */
	EXECUTOR_ALONE, /* one job of any kind in all its life */
	EXECUTOR_ROLES
};

/* What it loads: see struct pool_modules. */
enum executor_side { EXECUTOR_MODULES, EXECUTOR_COMMANDS, EXECUTOR_SIDES };

/* What an executor tells. None may free it, but on_exit must. */
struct executor_events {
	/* Its process has come up and says what it can run. The answer is
	 * executor_came_up(), or executor_kill(). */
	void (*on_ready)(struct executor *e, struct slice json);
	/* About a job; see report.h. */
	void (*on_message)(struct executor *e, const struct ipc_message *m);
	/* A line that one of its jobs printed, without the newline. */
	void (*on_line)(struct executor *e, struct slice line);
	/* It has ended, and its jobs are still in it. */
	void (*on_exit)(struct executor *e, const struct executor_exit *end);
};

struct executor {
	TAILQ_ENTRY(executor) link; /* its owner's */
	const struct executor_events *events;
	struct generation *generation;	    /* its owner; outlives it */
	const struct conf_executor *limits; /* the generation's */
	struct executor_process *process;
	enum executor_role role;
	enum executor_side side;
	enum executor_state state;
	bool recalling;			/* RECALLED is awaited, in any state */
	unsigned int ended;		/* jobs that it has run */
	struct pool_job_list jobs;	/* in the order they were sent */
	unsigned int count[POOL_KINDS]; /* of `jobs` */
	unsigned int waits[POOL_KINDS]; /* those that wait among them */
	/* Of the watch (watch.c), in its turns: since when it owes an answer to
	 * PING, and how long its event loop has been behind. */
	unsigned int deaf, loop_behind;
	uint32_t blocker; /* the job that keeps the loop, 0: not known */
	bool pinged;	  /* PONG is awaited */
	bool named;	  /* it was logged that it does not answer */
	bool stuck;	  /* and it was killed for that */
	double ran_us;	  /* moving average of how long jobs run */
	int64_t moved_ms; /* when a job last ended, or the first was sent */
};

struct executor_options {
	struct event_base *base;
	const char *program; /* path of flowrra-executor */
	const char *const *modules;
	const char *config; /* for modules, JSON */
	const struct conf_executor *limits;
	enum executor_role role;
	enum executor_side side;
	const struct executor_events *events;
	struct generation *generation;
};

/* Starts one; all that the options point to must outlive it. */
struct executor *executor_new(const struct executor_options *options,
			      struct err *err);
/* Kills it if it has not ended; calls nobody back. Its jobs are let go. */
void executor_free(struct executor *e);

void executor_enter(struct executor *e, enum executor_state next);
/* Whether only one of its jobs runs at a time: the first. */
bool executor_is_serial(const struct executor *e);
/* It has come up, and was not told to stop. */
bool executor_is_up(const struct executor *e);
/* "io", "commands", "cpu" or "alone". */
const char *executor_kind(const struct executor *e);
pid_t executor_pid(const struct executor *e);

/* After on_ready: it may be given jobs, or is stopped if nobody wants it any
 * more. */
void executor_came_up(struct executor *e);
/* No more jobs; those that have not started come back; then it is stopped. */
void executor_retire(struct executor *e);
/* Asks for what has not started. */
void executor_recall(struct executor *e);
/*
 * A job of it is overdue: no more jobs; it is killed as soon as it has only
 * overdue ones. Returns whether this is the first, so that it is to be
 * replaced.
 */
bool executor_doom(struct executor *e);
/* SIGKILL; on_exit follows. */
void executor_kill(struct executor *e);

/* Ends it if its time has come: to be called when it was found that jobs of it
 * cannot end by themselves. */
void executor_check(struct executor *e);

void executor_add(struct executor *e, struct pool_job *job);
void executor_remove(struct executor *e, struct pool_job *job);
/* It has run a job to its end: the last one, if it may run no more. */
void executor_count(struct executor *e);

#endif
