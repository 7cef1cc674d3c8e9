/* SPDX-License-Identifier: MIT */
/*
 * One executor: started, given jobs, drained, killed.
 *
 * A job is in exactly one executor's list from the moment it is sent until its
 * DONE, its RETURNED or the executor's end. All decisions about the end of an
 * executor are taken in executor_check(), which runs after each change of its
 * state or of its jobs, so that no path can forget one.
 */
#include "pool/executor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"

/* Before anything is known of its jobs they are taken for long, so that none
 * waits behind another: 100 ms are more than any prefetch covers. */
#define UNKNOWN_RUN_US 1e5

/* --- states ------------------------------------------------------------ */

/* Any state may be followed by ENDED: a process can die at any moment. */
static const struct {
	const char *name;
	unsigned int next;
} executor_states[] = {
#define X(state, following)                                                    \
	[EXECUTOR_##state] = {.name = #state,                                  \
			      .next = (following) | EXECUTOR_BIT(ENDED)},
    EXECUTOR_STATES(X)
#undef X
};

void
executor_enter(struct executor *e, enum executor_state next)
{
	assert(executor_states[e->state].next & (1u << next));
	log_debug("executor %d: %s -> %s", (int)executor_pid(e),
		  executor_states[e->state].name, executor_states[next].name);
	e->state = next;
}

bool
executor_is_up(const struct executor *e)
{
	return e->state == EXECUTOR_READY || e->state == EXECUTOR_RETIRED ||
	       e->state == EXECUTOR_DOOMED;
}

const char *
executor_kind(const struct executor *e)
{
	static const char *const kinds[] = {[EXECUTOR_IO] = "io",
					    [EXECUTOR_CPU] = "cpu",
					    [EXECUTOR_ALONE] = "alone"};

	if (e->role == EXECUTOR_IO && e->side == EXECUTOR_COMMANDS)
		return "commands";
	return kinds[e->role];
}

bool
executor_is_serial(const struct executor *e)
{
	return e->role != EXECUTOR_IO;
}

pid_t
executor_pid(const struct executor *e)
{
	return executor_process_pid(e->process);
}

/* --- leaving ----------------------------------------------------------- */

/* Whether its event loop is held by a job that is overdue itself. */
static bool
executor_loop_is_lost(const struct executor *e)
{
	const struct pool_job *job;

	if (e->loop_behind > 0 && e->blocker != 0)
		TAILQ_FOREACH (job, &e->jobs, link)
			if (job->number == e->blocker)
				return job->overdue;
	return false;
}

/* Whether it has jobs that may still end by themselves. In one that does not
 * answer, none is worth waiting for. */
static bool
executor_has_hope(const struct executor *e)
{
	const bool no_loop = executor_loop_is_lost(e);
	const struct pool_job *job;

	if (e->named && e->deaf > 0)
		return false;
	TAILQ_FOREACH (job, &e->jobs, link)
		if (!job->overdue &&
		    !(no_loop && pool_kind_is_async(job->kind)))
			return true;
	return false;
}

/* Stops it if it is retired and has nothing to do, or kills it if doomed. A
 * doomed one is not worth a STOP: its handlers have not heard CANCEL either. */
void
executor_check(struct executor *e)
{
	if (e->state == EXECUTOR_DOOMED && !executor_has_hope(e)) {
		executor_kill(e);
	} else if (e->state == EXECUTOR_RETIRED && TAILQ_EMPTY(&e->jobs)) {
		executor_enter(e, EXECUTOR_STOPPING);
		executor_process_send(e->process, IPC_STOP, 0, NULL, NULL, 0);
	}
}

/* One RECALL at a time: the answer to a second one would say nothing more, and
 * the end of the first would be taken for the end of both. */
void
executor_recall(struct executor *e)
{
	if (e->recalling || !executor_is_up(e))
		return;
	e->recalling = true;
	executor_process_send(e->process, IPC_RECALL, 0, NULL, NULL, 0);
}

/* One that is starting comes up first, and is stopped then: so each executor
 * ends in one of two ways, by STOP after READY or by a signal. */
void
executor_retire(struct executor *e)
{
	if (e->state == EXECUTOR_STARTING)
		executor_enter(e, EXECUTOR_UNWANTED);
	else if (e->state == EXECUTOR_READY)
		executor_enter(e, EXECUTOR_RETIRED);
	executor_recall(e);
	executor_check(e);
}

bool
executor_doom(struct executor *e)
{
	const bool first = e->state != EXECUTOR_DOOMED;

	if (first) {
		executor_enter(e, EXECUTOR_DOOMED);
		executor_recall(e);
	}
	/* One more is overdue: perhaps it was the last hope. */
	executor_check(e);
	return first;
}

void
executor_kill(struct executor *e)
{
	executor_process_kill(e->process);
}

/* --- jobs -------------------------------------------------------------- */

void
executor_add(struct executor *e, struct pool_job *job)
{
	/* From here on it can be stuck; before, it was idle. */
	if (TAILQ_EMPTY(&e->jobs))
		e->moved_ms = clock_mono_ms();
	job->executor = e;
	job->started = job->overdue = job->waits = false;
	TAILQ_INSERT_TAIL(&e->jobs, job, link);
	e->count[job->kind]++;
}

void
executor_remove(struct executor *e, struct pool_job *job)
{
	TAILQ_REMOVE(&e->jobs, job, link);
	e->count[job->kind]--;
	e->waits[job->kind] -= job->waits;
	job->executor = NULL;
	executor_check(e);
}

/* Cpu executors are renewed as the configuration says; the io executor would be
 * drained for as long as its longest job takes. What a suspect leaves behind
 * must not be held against the next one. */
void
executor_count(struct executor *e)
{
	const int64_t most =
	    e->role == EXECUTOR_ALONE ? 1 : e->limits->max_tasks_per_child;

	if (executor_is_serial(e) && most > 0 && ++e->ended >= most &&
	    e->state == EXECUTOR_READY)
		executor_retire(e);
}

/* --- what its process says --------------------------------------------- */

void
executor_came_up(struct executor *e)
{
	if (e->state == EXECUTOR_UNWANTED) {
		executor_enter(e, EXECUTOR_RETIRED);
		executor_check(e);
	} else {
		executor_enter(e, EXECUTOR_READY);
	}
}

static void
on_executor_ready(struct executor_process *process, struct slice json,
		  void *arg)
{
	struct executor *e = arg;

	e->events->on_ready(e, json);
}

static void
on_executor_message(struct executor_process *process,
		    const struct ipc_message *m, void *arg)
{
	struct executor *e = arg;

	e->events->on_message(e, m);
}

static void
on_executor_line(struct executor_process *process, struct slice line, void *arg)
{
	struct executor *e = arg;

	e->events->on_line(e, line);
}

static void
on_executor_end(struct executor_process *process,
		const struct executor_exit *end, void *arg)
{
	struct executor *e = arg;

	e->events->on_exit(e, end);
}

/* --- new and free ------------------------------------------------------ */

/*
 * A handler that takes more than its share fails, and not the machine. In the
 * io executor the limit would hit jobs that are not the cause. That it cannot
 * be set (a hard limit that is lower already) does not stop it from working.
 */
static void
executor_limit_memory(const struct executor *e)
{
	const int64_t bytes = e->limits->memory_limit;
	const pid_t pid = executor_pid(e);
	const struct rlimit limit = {.rlim_cur = (rlim_t)bytes,
				     .rlim_max = (rlim_t)bytes};

	if (bytes > 0 && prlimit(pid, RLIMIT_AS, &limit, NULL))
		log_warning("executor %d: cannot set the memory limit: %s",
			    (int)pid, strerrordesc_np(errno));
}

/* A cpu executor has no event loop: asynchronous handlers are the io
 * executor's, or run alone. */
static struct executor_process *
executor_start(struct executor *e, const struct executor_options *o,
	       struct err *err)
{
	const struct conf_executor *conf = o->limits;
	const struct executor_process_options options = {
	    .base = o->base,
	    .executor = o->program,
	    .modules = o->modules,
	    .config = o->config,
	    .threads =
		o->role == EXECUTOR_IO ? (unsigned int)conf->io_workers : 1,
	    .asynchronous = o->role != EXECUTOR_CPU && conf->async_tasks > 0,
	    .max_result = (unsigned int)conf->max_result_size,
	    /* The io executor is always to be there. */
	    .spare_files = o->role == EXECUTOR_IO ? 0 : POOL_SPARE_FILES,
	    .on_ready = on_executor_ready,
	    .on_message = on_executor_message,
	    .on_line = on_executor_line,
	    .on_end = on_executor_end,
	    .arg = e};

	return executor_process_new(&options, err);
}

struct executor *
executor_new(const struct executor_options *options, struct err *err)
{
	struct executor *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		err_nomem(err);
		return NULL;
	}
	e->events = options->events;
	e->generation = options->generation;
	e->limits = options->limits;
	e->role = options->role;
	e->side = options->side;
	e->ran_us = UNKNOWN_RUN_US;
	TAILQ_INIT(&e->jobs);
	if ((e->process = executor_start(e, options, err)) == NULL) {
		free(e);
		return NULL;
	}
	if (e->role == EXECUTOR_CPU)
		executor_limit_memory(e);
	return e;
}

void
executor_free(struct executor *e)
{
	struct pool_job *job;

	/* Not executor_remove(): it would stop what is being freed. */
	while ((job = TAILQ_FIRST(&e->jobs)) != NULL) {
		TAILQ_REMOVE(&e->jobs, job, link);
		job->executor = NULL;
	}
	executor_process_free(e->process);
	free(e);
}
