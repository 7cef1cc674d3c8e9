/* SPDX-License-Identifier: MIT */
/*
 * The pool: opening, stopping, and what there is. The dispatcher uses it from
 * above; from below, executors report through pool_executor_events.
 *
 * It has one io executor for all blocking and asynchronous jobs, and cpu
 * executors as they are needed. More of either are in the list while old ones
 * finish what they run.
 */
#include "pool/pool.h"

#include <stdlib.h>

#include "pool/blame.h"
#include "pool/generation.h"
#include "pool/report.h"
#include "pool/room.h"
#include "pool/watch.h"
#include "util/err.h"
#include "util/log.h"

static void
pool_changed(struct pool *p)
{
	p->events->on_change(p->opt.arg);
}

/* --- what executors tell ----------------------------------------------- */

/* One that describes nonsense would fail each job that it gets; one that nobody
 * wants any more need not describe anything. */
static void
on_member_ready(struct executor *e, struct slice json)
{
	struct generation *g = e->generation;
	struct err err;

	if (e->state != EXECUTOR_UNWANTED &&
	    generation_describe(e, json, &err) != 0) {
		log_error("%s", err.msg);
		executor_kill(e);
		return;
	}
	executor_came_up(e);
	if (e->state == EXECUTOR_READY)
		generation_came_up(e);
	pool_changed(g->pool);
}

static void
on_member_message(struct executor *e, const struct ipc_message *m)
{
	report_message(e->generation->pool, e, m);
}

static void
on_member_line(struct executor *e, struct slice line)
{
	report_line(e->generation->pool, e, line);
}

/* First its jobs go back, then it is replaced, then the user hears that there
 * is other room: so it finds the jobs to give to it. */
static void
on_member_exit(struct executor *e, const struct executor_exit *end)
{
	struct pool *p = e->generation->pool;

	blame_exit(p, e, end);
	generation_lost(e->generation, e, end);
	generation_drop(e);
	pool_changed(p);
}

static const struct executor_events pool_executor_events = {
    .on_ready = on_member_ready,
    .on_message = on_member_message,
    .on_line = on_member_line,
    .on_exit = on_member_exit};

/* --- opening and closing ----------------------------------------------- */

struct pool *
pool_new(const struct pool_options *options, struct err *err)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_nomem(err);
		return NULL;
	}
	p->opt = *options;
	p->events = options->events;
	p->executor_events = &pool_executor_events;
	TAILQ_INIT(&p->executors);
	if (watch_open(p, err) == 0)
		p->current =
		    generation_new(p, options->conf, &options->modules, err);
	if (p->current == NULL) {
		watch_close(p);
		free(p);
		return NULL;
	}
	return p;
}

void
pool_free(struct pool *p)
{
	struct executor *e;

	if (p == NULL)
		return;
	while ((e = TAILQ_FIRST(&p->executors)) != NULL)
		generation_drop(e);
	if (p->next != NULL)
		generation_release(p->next);
	generation_release(p->current);
	watch_close(p);
	free(p);
}

int
pool_reload(struct pool *p, const struct conf_executor *conf,
	    const struct pool_modules *modules, struct err *err)
{
	if (p->phase != POOL_OPEN || !p->current->ready)
		return err_set(err, ERR_UNAVAILABLE,
			       "the worker is starting or stopping");
	/* One at a time: there is one `next`, and which of two that come up
	 * last were to win could not be told. */
	if (p->next != NULL)
		return err_set(err, ERR_UNAVAILABLE,
			       "a reload is already in progress");
	p->next = generation_new(p, conf, modules, err);
	return p->next != NULL ? 0 : -1;
}

/* Executors that are up give back what has not begun; those that are starting
 * are stopped when they come up. Nothing is killed: the user decides for how
 * long it waits before pool_kill(). */
void
pool_stop(struct pool *p)
{
	struct executor *e, *next;

	if (p->phase != POOL_OPEN)
		return;
	p->phase = POOL_DRAINING;
	for (e = TAILQ_FIRST(&p->executors); e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		executor_retire(e);
	}
}

/* The phase first: blame_exit() must find it when the ends come. */
void
pool_kill(struct pool *p)
{
	struct executor *e;

	p->phase = POOL_KILLING;
	TAILQ_FOREACH (e, &p->executors, link)
		executor_kill(e);
}

/* --- jobs -------------------------------------------------------------- */

void
pool_cancel(struct pool_job *job)
{
	executor_process_send(job->executor->process, IPC_CANCEL, job->number,
			      NULL, NULL, 0);
}

void
pool_signal(struct pool_job *job, int sig)
{
	const struct ipc_signal fixed = {.signal = sig};

	executor_process_send(job->executor->process, IPC_SIGNAL, job->number,
			      &fixed, NULL, 0);
}

void
pool_kill_for(struct pool_job *job)
{
	struct executor *e = job->executor;
	struct generation *g = e->generation;

	job->overdue = true;
	if (!executor_doom(e))
		return;
	/* Jobs that wait are not to wait for this one's end. */
	generation_replace(g, e);
	pool_changed(g->pool);
}

void
pool_wait(struct pool_job *job)
{
	struct executor *e = job->executor;

	if (job->waits || !pool_kind_is_async(job->kind))
		return;
	job->waits = true;
	e->waits[job->kind]++;
	pool_changed(e->generation->pool);
}

bool
pool_resume(struct pool_job *job, bool force)
{
	struct executor *e = job->executor;

	if (!job->waits)
		return true;
	if (!force && !room_for_one(e, job->kind))
		return false;
	job->waits = false;
	e->waits[job->kind]--;
	return true;
}

void
pool_submitted(struct pool *p, pid_t executor, uint32_t job, uint32_t request,
	       const struct err *err)
{
	pool_answer(p, &(struct pool_answer){.executor = executor,
					     .job = job,
					     .request = request,
					     .code = (int)err->code,
					     .text = slice_of(err->msg)});
}

void
pool_answer(struct pool *p, const struct pool_answer *answer)
{
	const struct ipc_submitted fixed = {.request = answer->request,
					    .code = (int32_t)answer->code};
	struct executor *e;

	/* By pid, not by the job: after the executor's death the job may run
	 * in another one, which has not asked. */
	TAILQ_FOREACH (e, &p->executors, link)
		if (executor_pid(e) == answer->executor)
			executor_process_send(e->process, IPC_SUBMITTED,
					      answer->job, &fixed,
					      &answer->text, 1);
}

/* --- what there is ----------------------------------------------------- */

bool
pool_is_empty(const struct pool *p)
{
	return TAILQ_EMPTY(&p->executors);
}

unsigned int
pool_running(const struct pool *p, enum pool_kind kind)
{
	const struct executor *e;
	unsigned int n = 0;

	TAILQ_FOREACH (e, &p->executors, link)
		n += e->count[kind];
	return n;
}

unsigned int
pool_waiting(const struct pool *p, enum pool_kind kind)
{
	const struct executor *e;
	unsigned int n = 0;

	TAILQ_FOREACH (e, &p->executors, link)
		n += e->waits[kind];
	return n;
}

unsigned int
pool_slots(const struct pool *p, enum pool_kind kind)
{
	const struct generation *g = p->current;
	const bool command = kind == POOL_COMMAND || kind == POOL_CPU_COMMAND ||
			     kind == POOL_ALONE_COMMAND;

	if (!generation_has(g, command ? EXECUTOR_COMMANDS : EXECUTOR_MODULES))
		return 0;
	if (kind == POOL_CPU || kind == POOL_CPU_COMMAND)
		return g->cpu_max;
	return (unsigned int)(pool_kind_is_async(kind) ? g->limits.async_tasks
						       : g->limits.io_workers);
}

const struct handlers *
pool_handlers(const struct pool *p)
{
	return p->current->ready ? &p->current->handlers : NULL;
}

bool
pool_start_failed(const struct pool *p, struct err *ret)
{
	if (p->start_failed.code == ERR_NONE)
		return false;
	*ret = p->start_failed;
	return true;
}

const char *const *
pool_modules(const struct pool *p)
{
	return (const char *const *)p->current->modules;
}

struct pool_job *
pool_next_job(const struct pool *p, const struct pool_job *job)
{
	struct pool_job *next = job != NULL ? TAILQ_NEXT(job, link) : NULL;
	const struct executor *e;

	e = job != NULL ? TAILQ_NEXT(job->executor, link)
			: TAILQ_FIRST(&p->executors);
	for (; next == NULL && e != NULL; e = TAILQ_NEXT(e, link))
		next = TAILQ_FIRST(&e->jobs);
	return next;
}

const struct executor *
pool_next_executor(const struct pool *p, const struct executor *e,
		   struct pool_member *ret)
{
	e = e != NULL ? TAILQ_NEXT(e, link) : TAILQ_FIRST(&p->executors);
	if (e != NULL)
		*ret = (struct pool_member){
		    .pid = executor_pid(e),
		    .kind = executor_kind(e),
		    .blocker = watch_blocker(p, e),
		    .silent_s = e->named ? watch_silent_s(e) : 0};
	return e;
}
