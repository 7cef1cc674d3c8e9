/* SPDX-License-Identifier: MIT */
/*
 * What executors say of their jobs, and what their end says. Here a job's way
 * through the pool ends: each path gives it back exactly once.
 *
 * An executor runs the code of others in its own memory. Nothing that it sends
 * is believed without a check: which job it speaks of, which messages it may
 * send, and that what is to be JSON is.
 */
#include "pool/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "codec/scan.h"
#include "core/task.h"
#include "pool/generation.h"
#include "pool/room.h"
#include "util/err.h"
#include "util/log.h"

/* --- messages ---------------------------------------------------------- */

static void
report_started(struct pool *p, struct executor *e, struct pool_job *job,
	       const struct ipc_message *m)
{
	const struct ipc_started *fixed = m->fixed;

	job->started = true;
	p->events->on_started(job, fixed->started_us, p->opt.arg);
}

/* An executor is not to be trusted: its module may have run wild. */
static bool
is_json(struct slice text)
{
	struct scan_value value;

	return scan_check(text, TASK_DEPTH_MAX, &value, NULL) == 0;
}

static void
report_done(struct pool *p, struct executor *e, struct pool_job *job,
	    const struct ipc_message *m)
{
	struct ipc_done done = *(const struct ipc_done *)m->fixed;
	struct slice text = m->rest;

	/* Not to be retried: the module would do the same again. */
	if (done.outcome == IPC_SUCCESS && !is_json(text)) {
		done.outcome = IPC_FAILED_FINAL;
		done.limited = false;
		text =
		    SLICE("its executor sent a result that is not valid JSON");
	}
	/* Asynchronous jobs do not wait for one another: how long they take is
	 * nothing that the room for others depends on. */
	if (job->kind != POOL_ASYNC)
		room_learn(e, done.ran_us);
	/* The user may give the executor another job from on_done, so it must
	 * be known before whether it takes more. */
	executor_remove(e, job);
	executor_count(e);
	p->events->on_done(job, &done, text, p->opt.arg);
}

static void
report_returned(struct pool *p, struct executor *e, struct pool_job *job,
		const struct ipc_message *m)
{

	executor_remove(e, job);
	p->events->on_returned(job, p->opt.arg);
}

/* Progress that is not JSON is dropped, and the job goes on: it is only
 * told. */
static void
report_progress(struct pool *p, struct executor *e, struct pool_job *job,
		const struct ipc_message *m)
{
	if (is_json(m->rest))
		p->events->on_progress(job, m->rest, p->opt.arg);
}

static void
report_log(struct pool *p, struct executor *e, struct pool_job *job,
	   const struct ipc_message *m)
{
	const struct ipc_log *fixed = m->fixed;

	if (fixed->level <= LOG_LEVEL_debug)
		p->events->on_log(job, (int)fixed->level, m->rest, p->opt.arg);
}

static void
report_submit(struct pool *p, struct executor *e, struct pool_job *job,
	      const struct ipc_message *m)
{
	p->events->on_submit(job, executor_pid(e), m->fixed, m->rest,
			     p->opt.arg);
}

/* By message; what is not in it is not an executor's to send after READY. */
static void (*const report_table[])(struct pool *, struct executor *,
				    struct pool_job *,
				    const struct ipc_message *) = {
    [IPC_STARTED] = report_started,   [IPC_DONE] = report_done,
    [IPC_RETURNED] = report_returned, [IPC_PROGRESS] = report_progress,
    [IPC_LOG] = report_log,	      [IPC_SUBMIT] = report_submit,
};

void
report_message(struct pool *p, struct executor *e, const struct ipc_message *m)
{
	const int pid = (int)executor_pid(e);
	struct pool_job *job;

	/* What came back has come before; there may be room to give it to. */
	if (m->type == IPC_RECALLED) {
		e->recalling = false;
		p->events->on_change(p->opt.arg);
		return;
	}
	if (m->type >= sizeof(report_table) / sizeof(report_table[0]) ||
	    report_table[m->type] == NULL) {
		log_error("executor %d sent an unexpected %s; killing it", pid,
			  ipc_name(m->type));
		executor_kill(e);
		return;
	}
	/* A task that is over on our side may still be talked about: a message
	 * was under way when the job was given back. */
	job = p->events->find(m->task, p->opt.arg);
	if (job != NULL && job->executor == e)
		report_table[m->type](p, e, job, m);
	else
		log_debug("executor %d: %s for a task that has ended", pid,
			  ipc_name(m->type));
}

/* --- what handlers print ----------------------------------------------- */

void
report_line(struct pool *p, struct executor *e, struct slice line)
{
	struct pool_job *job = TAILQ_FIRST(&e->jobs);

	/* Whose it is can be told when only one can have printed it: the only
	 * job, or the first one where they run one after the other. */
	if (job != NULL && (e->cpu || TAILQ_NEXT(job, link) == NULL))
		p->events->on_print(job, line, p->opt.arg);
	else
		log_notice("executor %d prints: %.*s", (int)executor_pid(e),
			   (int)line.len, line.p);
}

/* --- the end of an executor -------------------------------------------- */

/* The one job that took its process down, or NULL if that cannot be known. */
static struct pool_job *
culprit(const struct pool *p, const struct executor *e,
	const struct executor_exit *how)
{
	struct pool_job *first = TAILQ_FIRST(&e->jobs), *job;

	/* Last words about a job that it does not have prove only that its
	 * memory is broken: then nobody is blamed for certain. */
	if (how->spoken && how->words.task != 0) {
		job = p->events->find(how->words.task, p->opt.arg);
		return job != NULL && job->executor == e ? job : NULL;
	}
	/* One at a time, in their order: the first was running. */
	if (e->cpu || (first != NULL && TAILQ_NEXT(first, link) == NULL))
		return first;
	return NULL;
}

/* Where a job is to blame, the user logs that with the job's name. */
static void
log_exit(const struct executor *e, const struct executor_exit *how,
	 bool was_stopping)
{
	const char *name = sigabbrev_np(how->signal);
	struct err why = {.sys = EAGAIN};

	if (how->signal == 0 && how->status == IPC_EXIT_SHORT && !how->ready) {
		snprintf(why.msg, sizeof(why.msg),
			 "the %s executor could not start its threads",
			 executor_kind(e));
		generation_warn(&why);
	} else if (was_stopping && how->signal == 0 && how->status == 0)
		log_debug("executor %d has stopped", (int)executor_pid(e));
	else if (how->signal != 0)
		log_warning("%s executor was killed by SIG%s", executor_kind(e),
			    name != NULL ? name : "?");
	else
		log_warning("%s executor ended with status %d",
			    executor_kind(e), how->status);
}

static void
return_job(struct pool *p, struct executor *e, struct pool_job *job,
	   enum pool_fate fate, const struct executor_exit *how)
{
	const struct pool_exit end = {
	    .fate = fate, .executor = executor_kind(e), .how = how};

	executor_remove(e, job);
	p->events->on_exit(job, &end, p->opt.arg);
}

/* Jobs that we killed it for; returns whether there were any. Such an executor
 * was about to be killed: that it ended is held against no other job. */
static bool
return_overdue(struct pool *p, struct executor *e,
	       const struct executor_exit *how)
{
	struct pool_job *job, *next;
	bool any = false;

	for (job = TAILQ_FIRST(&e->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		if (!job->overdue)
			continue;
		any = true;
		return_job(p, e, job, POOL_OVERDUE, how);
	}
	return any;
}

/*
 * It is not known which job it was: those that were running, or, if they were
 * too short to tell, as many as there are slots, run alone the next time.
 */
static void
return_suspects(struct pool *p, struct executor *e,
		const struct executor_exit *how)
{
	unsigned int left = (unsigned int)e->limits->io_workers;
	struct pool_job *job, *next;
	bool known = false;

	TAILQ_FOREACH (job, &e->jobs, link)
		known = known || job->started;
	for (job = TAILQ_FIRST(&e->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		if (known ? !job->started : left == 0)
			continue;
		left -= !known;
		return_job(p, e, job, POOL_SUSPECT, how);
	}
}

void
report_exit(struct pool *p, struct executor *e, const struct executor_exit *how)
{
	const bool was_stopping = e->state == EXECUTOR_STOPPING;
	struct pool_job *job;

	/* Before any job goes back: it must not be given to this one again, and
	 * executor_check() has nothing to stop here. */
	executor_enter(e, EXECUTOR_ENDED);
	if (!return_overdue(p, e, how) && p->phase != POOL_KILLING) {
		job = culprit(p, e, how);
		if (job != NULL) {
			return_job(p, e, job, POOL_CRASHED, how);
		} else {
			log_exit(e, how, was_stopping);
			return_suspects(p, e, how);
		}
	}
	/* The others go on elsewhere, uncounted; the first of them is to be
	 * the first of its queue again. */
	while ((job = TAILQ_LAST(&e->jobs, pool_job_list)) != NULL)
		return_job(p, e, job, POOL_INNOCENT, how);
}
