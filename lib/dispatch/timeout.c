/* SPDX-License-Identifier: MIT */
/*
 * Timeouts and cancellation: the handler is told to end, and when it has not
 * after a grace period, its executor is killed. A cpu executor runs nothing
 * else; the io executor is replaced first and lets its other jobs finish.
 *
 * The limit is ours to enforce: it counts from when an executor got the job, so
 * that one that answers nothing does not suspend it. What waits in an executor
 * is called back within ms, so for a job that is not stuck both are the same.
 */
#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"

static void
on_kill_timer(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;

	if (job->state != JOB_RUNNING)
		return;
	log_job(job, LOG_LEVEL_notice,
		"task %s (%s) does not stop; killing its executor",
		job->task->id, job->task->name);
	pool_kill_for(&job->run);
}

/* Kills the job's executor after this many µs, unless it ends before. A timer
 * that is set already is set again. Without memory there is none: then the
 * handler is only told. */
static void
kill_in(struct job *job, int64_t us)
{
	const struct timeval tv = {.tv_sec = us / 1000000,
				   .tv_usec = us % 1000000};

	if (job->kill_timer == NULL)
		job->kill_timer =
		    evtimer_new(job->dispatch->opt.base, on_kill_timer, job);
	if (job->kill_timer != NULL)
		evtimer_add(job->kill_timer, &tv);
}

static void
timeout_arm(struct job *job)
{
	if (job->task->timeout_us > 0 && !job->cancelled && !job->lost)
		kill_in(job, job->task->timeout_us +
				 job->dispatch->conf->executor.kill_grace);
}

void
timeout_assign(struct job *job)
{
	timeout_arm(job);
}

/* The executor itself tells the handler when the timeout is over. */
void
timeout_start(struct job *job)
{
	timeout_arm(job);
}

void
timeout_end(struct job *job)
{
	pool_cancel(&job->run);
	kill_in(job, job->dispatch->conf->executor.kill_grace);
}

void
timeout_cancel(struct job *job)
{
	if (job->cancelled)
		return;
	job->cancelled = true;
	if (job->state == JOB_HELD) {
		outcome_cancelled(job);
	} else if (job->state == JOB_RUNNING) {
		timeout_end(job);
	}
}
