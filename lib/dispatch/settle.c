/* SPDX-License-Identifier: MIT */
/*
 * Settling: a job gives its claim back, as job->settle says, or drops it.
 *
 * Neither happens while a record in passing is under way, and a final record is
 * not stored while it is in doubt whether the claim is ours.
 */
#include "dispatch/ending.h"
#include "dispatch/state.h"

static void
on_settled(struct broker_settle *settle)
{
	job_free(settle->arg);
}

/* --- claims that are another worker's ----------------------------------- */

static void
settle_forget(struct job *job)
{
	broker_drop(job->dispatch->broker, job->claim);
	job_free(job);
}

void
settle_drop(struct job *job)
{
	job_unlink(job);
	job_disarm(job);
	job_enter(job, JOB_DROPPED);
	/* The backend has its note, and answers. */
	if (!job->running_pending)
		settle_forget(job);
}

void
settle_fenced(struct job *job)
{
	broker_doubt(job->dispatch->broker, job->claim);
}

void
settle_kept(struct job *job)
{
	if (!job->fenced)
		return;
	job->fenced = false;
	settle_continue(job);
}

void
settle_kept_all(struct dispatch *d)
{
	uint32_t i;

	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL)
			settle_kept(d->jobs[i]);
}

/* --- settling ---------------------------------------------------------- */

/*
 * A backend of its own cannot see whether the claim is ours. So a final record
 * waits for the broker to be sure of that, but not for one that will never
 * answer, nor longer than a stop may take.
 */
static bool
settle_must_wait(const struct job *job)
{
	const struct dispatch *d = job->dispatch;

	return !d->one_store && job->put.final && !d->broker_state.lost &&
	       d->phase < PHASE_KILLING &&
	       !broker_is_sure(d->broker, job->claim->queue);
}

void
settle_continue(struct job *job)
{
	if (job->state == JOB_DROPPED)
		settle_forget(job);
	else if (job->lost)
		settle_drop(job);
	else if (job->state == JOB_STORING && settle_must_wait(job))
		job->fenced = true;
	else if (job->state == JOB_STORING)
		results_put(job->dispatch->results, &job->put);
	else
		broker_settle(job->dispatch->broker, &job->settle);
}

/* A step has ended. How, who decided that it has says. */
static void
settle_name_step(struct job *job)
{
	struct broker_settle *s = &job->settle;

	if (job->task == NULL || job->task->flow.len == 0 ||
	    (s->disposition != BROKER_ACK && s->disposition != BROKER_BURY))
		return;
	s->flow = job->task->flow;
	s->id = slice_of(job->task->id);
}

void
settle_job(struct job *job)
{
	struct broker_settle *s = &job->settle;
	struct dispatch *d = job->dispatch;

	job_enter(job, JOB_SETTLING);
	s->claim = job->claim;
	s->priority = job->task != NULL ? job->task->priority : 0;
	s->on_done = on_settled;
	s->arg = job;
	settle_name_step(job);
	/* The record of its running must not come after those of the worker that runs
	 * it next. */
	if (!job->running_pending)
		settle_continue(job);
	/* No answer will come: a stop need not wait for this job any more,
	 * which may be gone by now if there was no memory. */
	if (d->broker_state.lost)
		dispatch_turn(d);
}
