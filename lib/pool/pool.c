/* SPDX-License-Identifier: MIT */
/* The pool: opening, stopping, and what there is. */
#include "pool/pool.h"

#include <stdlib.h>

#include "pool/executor.h"
#include "util/err.h"

void
pool_changed(struct pool *p)
{
	p->events->on_change(p->opt.arg);
}

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
	TAILQ_INIT(&p->executors);
	p->current = generation_new(p, options->conf, &options->modules, err);
	if (p->current == NULL) {
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
		executor_free(e);
	if (p->next != NULL)
		generation_release(p->next);
	generation_release(p->current);
	free(p);
}

int
pool_reload(struct pool *p, const struct conf_executor *conf,
	    const struct pool_modules *modules, struct err *err)
{
	if (p->phase != POOL_OPEN || !p->current->ready)
		return err_set(err, ERR_UNAVAILABLE,
			       "the worker is starting or stopping");
	if (p->next != NULL)
		return err_set(err, ERR_UNAVAILABLE,
			       "a reload is already in progress");
	p->next = generation_new(p, conf, modules, err);
	return p->next != NULL ? 0 : -1;
}

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

void
pool_kill(struct pool *p)
{
	struct executor *e;

	p->phase = POOL_KILLING;
	TAILQ_FOREACH (e, &p->executors, link)
		executor_process_kill(e->process);
}

/* --- jobs -------------------------------------------------------------- */

void
pool_cancel(struct pool_job *job)
{
	executor_process_send(job->executor->process, IPC_CANCEL, job->number,
			      NULL, NULL, 0);
}

void
pool_kill_for(struct pool_job *job)
{
	job->overdue = true;
	executor_doom(job->executor);
}

void
pool_submitted(struct pool *p, pid_t executor, uint32_t job, uint32_t request,
	       const struct err *err)
{
	const struct ipc_submitted fixed = {.request = request,
					    .code = (int32_t)err->code};
	const struct slice text =
	    slice_of(err->code == ERR_NONE ? "" : err->msg);
	struct executor *e;

	TAILQ_FOREACH (e, &p->executors, link)
		if (executor_process_pid(e->process) == executor)
			executor_process_send(e->process, IPC_SUBMITTED, job,
					      &fixed, &text, 1);
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
pool_slots(const struct pool *p, enum pool_kind kind)
{
	const struct generation *g = p->current;

	if (kind == POOL_CPU)
		return g->cpu_max;
	return (unsigned int)(kind == POOL_ASYNC ? g->limits.async_tasks
						 : g->limits.io_workers);
}

const struct handlers *
pool_handlers(const struct pool *p)
{
	return p->current->ready ? &p->current->handlers : NULL;
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
		*ret = (struct pool_member){executor_process_pid(e->process),
					    executor_kind(e)};
	return e;
}
