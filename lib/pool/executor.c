/* SPDX-License-Identifier: MIT */
/* One executor: started, given jobs, drained, killed. */
#include "pool/executor.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* Before anything is known of its jobs they are taken for long, so that none
 * waits behind another: 100 ms are more than any prefetch covers. */
#define UNKNOWN_RUN_US 1e5

/* --- states ------------------------------------------------------------ */

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
	log_debug("executor %d: %s -> %s",
		  (int)executor_process_pid(e->process),
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
	return e->cpu ? "cpu" : "io";
}

/* --- leaving ----------------------------------------------------------- */

/* Whether it has jobs that may still end by themselves. */
static bool
executor_has_hope(const struct executor *e)
{
	const struct pool_job *job;

	TAILQ_FOREACH (job, &e->jobs, link)
		if (!job->overdue)
			return true;
	return false;
}

/* Stops it if it is retired and has nothing to do, or kills it if doomed. */
static void
executor_check(struct executor *e)
{
	if (e->state == EXECUTOR_DOOMED && !executor_has_hope(e)) {
		executor_process_kill(e->process);
	} else if (e->state == EXECUTOR_RETIRED && TAILQ_EMPTY(&e->jobs)) {
		executor_enter(e, EXECUTOR_STOPPING);
		executor_process_send(e->process, IPC_STOP, 0, NULL, NULL, 0);
	}
}

void
executor_recall(struct executor *e)
{
	if (e->recalling || !executor_is_up(e))
		return;
	e->recalling = true;
	executor_process_send(e->process, IPC_RECALL, 0, NULL, NULL, 0);
}

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

void
executor_doom(struct executor *e)
{
	struct generation *g = e->generation;
	struct pool *p = e->pool;

	if (e->state == EXECUTOR_DOOMED) {
		/* One more is overdue: perhaps it was the last hope. */
		executor_check(e);
		return;
	}
	executor_enter(e, EXECUTOR_DOOMED);
	if (g->io == e) {
		g->io = NULL;
		if (g == p->current && p->phase == POOL_OPEN)
			g->io = generation_spawn(g, false);
	}
	executor_recall(e);
	executor_check(e);
	pool_changed(p);
}

/* --- jobs -------------------------------------------------------------- */

void
executor_add(struct executor *e, struct pool_job *job)
{
	if (TAILQ_EMPTY(&e->jobs))
		e->moved_ms = clock_mono_ms();
	job->executor = e;
	job->started = job->overdue = false;
	TAILQ_INSERT_TAIL(&e->jobs, job, link);
	e->count[job->kind]++;
}

void
executor_remove(struct executor *e, struct pool_job *job)
{
	TAILQ_REMOVE(&e->jobs, job, link);
	e->count[job->kind]--;
	job->executor = NULL;
	executor_check(e);
}

void
executor_count(struct executor *e)
{
	const int64_t most = e->generation->limits.max_tasks_per_child;

	if (e->cpu && most > 0 && ++e->ended >= most &&
	    e->state == EXECUTOR_READY)
		executor_retire(e);
}

/* --- starting ---------------------------------------------------------- */

static void
on_executor_ready(struct executor_process *process, struct slice json,
		  void *arg)
{
	struct executor *e = arg;
	struct generation *g = e->generation;
	struct pool *p = e->pool;
	struct err err;

	if (e->state == EXECUTOR_UNWANTED) {
		executor_enter(e, EXECUTOR_RETIRED);
		executor_check(e);
		pool_changed(p);
		return;
	}
	if (!g->ready && handlers_read(json, &g->handlers, &err) != 0) {
		log_error("%s", err.msg);
		executor_process_kill(e->process);
		return;
	}
	executor_enter(e, EXECUTOR_READY);
	generation_came_up(g);
	pool_changed(p);
}

static void
on_executor_message(struct executor_process *process,
		    const struct ipc_message *m, void *arg)
{
	report_message(arg, m);
}

static void
on_executor_line(struct executor_process *process, struct slice line, void *arg)
{
	report_line(arg, line);
}

static void
on_executor_end(struct executor_process *process,
		const struct executor_exit *end, void *arg)
{
	struct executor *e = arg;
	struct pool *p = e->pool;

	report_exit(e, end);
	generation_lost(e->generation, e, end->ready);
	executor_free(e);
	pool_changed(p);
}

/* A handler that takes more than its share fails, and not the machine. */
static void
executor_limit_memory(const struct executor *e)
{
	const int64_t bytes = e->generation->limits.memory_limit;
	const pid_t pid = executor_process_pid(e->process);
	const struct rlimit limit = {.rlim_cur = (rlim_t)bytes,
				     .rlim_max = (rlim_t)bytes};

	if (bytes > 0 && prlimit(pid, RLIMIT_AS, &limit, NULL))
		log_warning("executor %d: cannot set the memory limit: %s",
			    (int)pid, strerrordesc_np(errno));
}

struct executor *
executor_new(struct generation *g, bool cpu, struct err *err)
{
	struct pool *p = g->pool;
	const struct conf_executor *conf = &g->limits;
	struct executor_process_options options = {
	    .base = p->opt.base,
	    .executor = p->opt.executor,
	    .modules = (const char *const *)g->modules,
	    .config = g->config,
	    .threads = cpu ? 1 : (unsigned int)conf->io_workers,
	    .asynchronous = !cpu && conf->async_tasks > 0,
	    .max_result = (unsigned int)conf->max_result_size,
	    .on_ready = on_executor_ready,
	    .on_message = on_executor_message,
	    .on_line = on_executor_line,
	    .on_end = on_executor_end};
	struct executor *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		err_nomem(err);
		return NULL;
	}
	e->pool = p;
	e->generation = g;
	e->cpu = cpu;
	e->ran_us = UNKNOWN_RUN_US;
	TAILQ_INIT(&e->jobs);
	options.arg = e;
	if ((e->process = executor_process_new(&options, err)) == NULL) {
		free(e);
		return NULL;
	}
	if (cpu)
		executor_limit_memory(e);
	g->users++;
	TAILQ_INSERT_TAIL(&p->executors, e, link);
	return e;
}

void
executor_free(struct executor *e)
{
	struct pool_job *job;

	while ((job = TAILQ_FIRST(&e->jobs)) != NULL) {
		TAILQ_REMOVE(&e->jobs, job, link);
		job->executor = NULL;
	}
	TAILQ_REMOVE(&e->pool->executors, e, link);
	executor_process_free(e->process);
	generation_release(e->generation);
	free(e);
}
