/* SPDX-License-Identifier: MIT */
/* Which jobs the end of an executor is held against. */
#include "pool/blame.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ipc/ipc.h"
#include "pool/generation.h"
#include "pool/watch.h"
#include "util/err.h"
#include "util/log.h"

static const struct slice no_reason = {NULL, 0};

static void
blame_job(struct pool *p, struct executor *e, struct pool_job *job,
	  const struct pool_exit *end)
{
	executor_remove(e, job);
	p->events->on_exit(job, end, p->opt.arg);
}

static void
return_job(struct pool *p, struct executor *e, struct pool_job *job,
	   enum pool_fate fate, const struct executor_exit *how)
{
	const struct pool_exit end = {
	    .fate = fate, .executor = executor_kind(e), .how = how};

	blame_job(p, e, job, &end);
}

/* --- overdue ----------------------------------------------------------- */

/* What it was killed for may not have had its time: it cannot end while another
 * job holds the loop, and what an executor never answered may never have
 * begun. */
static enum pool_fate
fate_of_overdue(const struct executor *e, const struct pool_job *job)
{
	if (executor_is_serial(e))
		return POOL_OVERDUE;
	if (pool_kind_is_async(job->kind) && e->loop_behind > 0 &&
	    e->blocker != job->number)
		return e->blocker != 0 ? POOL_INNOCENT : POOL_SUSPECT;
	return job->started ? POOL_OVERDUE : POOL_SUSPECT;
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
		return_job(p, e, job, fate_of_overdue(e, job), how);
	}
	return any;
}

/* --- suspects ---------------------------------------------------------- */

/*
 * It is not known which job it was: those that may have been running run alone
 * the next time. That a job has not said that it has begun proves nothing, as
 * one that crashes at once never says so: of the blocking ones, which begin in
 * their order, as many as there are threads, and all asynchronous ones.
 */
static void
return_suspects(struct pool *p, struct executor *e,
		const struct executor_exit *how, bool of_loop_only)
{
	unsigned int threads =
	    of_loop_only ? 0 : (unsigned int)e->limits->io_workers;
	struct pool_job *job, *next;

	for (job = TAILQ_FIRST(&e->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->kind == POOL_THREAD && threads-- == 0) {
			threads = 0;
			continue;
		}
		return_job(p, e, job, POOL_SUSPECT, how);
	}
}

/* --- not answering ----------------------------------------------------- */

/* It was killed since it, or its loop, did not answer. */
static void
return_stuck(struct pool *p, struct executor *e,
	     const struct executor_exit *how)
{
	const bool loop = e->deaf == 0;
	struct pool_job *job = watch_blocker(p, e);
	char text[120];
	struct pool_exit end = {
	    .fate = POOL_CRASHED, .executor = executor_kind(e), .how = how};
	int n;

	if (job == NULL && executor_is_serial(e))
		job = TAILQ_FIRST(&e->jobs);
	if (job == NULL) {
		return_suspects(p, e, how, loop);
		return;
	}
	n = snprintf(text, sizeof(text),
		     loop ? "the handler kept the event loop of its executor "
			    "from answering for %u s, and was killed"
			  : "its executor did not answer for %u s, and was "
			    "killed",
		     watch_silent_s(e));
	end.why = (struct slice){text, (size_t)n};
	blame_job(p, e, job, &end);
}

/* --- crashes ----------------------------------------------------------- */

/* The one job that took its process down, or NULL if that cannot be known. */
static struct pool_job *
culprit(const struct pool *p, const struct executor *e,
	const struct executor_exit *how)
{
	struct pool_job *job;

	/* Last words about a job that it does not have prove only that its
	 * memory is broken: then nobody is blamed for certain. */
	if (how->spoken && how->words.task != 0) {
		job = p->events->find(how->words.task, p->opt.arg);
		return job != NULL && job->executor == e ? job : NULL;
	}
	/* One at a time, in their order: the first was running. In the io
	 * executor not even an only job is known to be the cause: what ran
	 * before it may have left something behind. */
	return executor_is_serial(e) ? TAILQ_FIRST(&e->jobs) : NULL;
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
return_crashed(struct pool *p, struct executor *e,
	       const struct executor_exit *how, bool was_stopping)
{
	struct pool_job *job = culprit(p, e, how);

	if (job != NULL) {
		return_job(p, e, job, POOL_CRASHED, how);
		return;
	}
	log_exit(e, how, was_stopping);
	/* A callback belongs to a job of the loop, if to any. */
	return_suspects(p, e, how,
			how->spoken && how->words.task == 0 &&
			    how->words.thread == IPC_THREAD_LOOP);
}

void
blame_exit(struct pool *p, struct executor *e, const struct executor_exit *how)
{
	const bool was_stopping = e->state == EXECUTOR_STOPPING;
	struct pool_job *job;

	/* Before any job goes back: it must not be given to this one again, and
	 * executor_check() has nothing to stop here. */
	executor_enter(e, EXECUTOR_ENDED);
	if (!return_overdue(p, e, how) && p->phase != POOL_KILLING) {
		if (e->stuck)
			return_stuck(p, e, how);
		else
			return_crashed(p, e, how, was_stopping);
	}
	/* The others go on elsewhere, uncounted; the first of them is to be
	 * the first of its queue again. */
	while ((job = TAILQ_LAST(&e->jobs, pool_job_list)) != NULL)
		return_job(p, e, job, POOL_INNOCENT, how);
}

void
blame_lost(struct pool *p, struct executor *e, struct pool_job *job,
	   struct slice why)
{
	static const struct executor_exit alive = {.ready = true};
	struct pool_exit end = {.fate = POOL_SUSPECT,
				.executor = executor_kind(e),
				.how = &alive,
				.why = no_reason};

	if (executor_is_serial(e)) {
		end.fate = POOL_CRASHED;
		end.why = why;
	}
	executor_remove(e, job);
	executor_count(e);
	p->events->on_exit(job, &end, p->opt.arg);
}
