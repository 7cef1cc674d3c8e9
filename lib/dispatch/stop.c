/* SPDX-License-Identifier: MIT */
/*
 * Stopping: first what runs may finish, until [worker] stop_timeout; then
 * executors are killed and their tasks released; then, if a store does not
 * answer, what is left stays in flight for the next start. state.h has the
 * phases.
 */
#include <assert.h>
#include <inttypes.h>

#include "dispatch/dispatch.h"
#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"

/* What stopping may take beyond the tasks: telling broker and backend. As long
 * as their socket_timeout is by default. */
#define DEREGISTER_S 5

static const struct {
	const char *name;
	unsigned int next;
} stop_phases[] = {
#define X(phase, following)                                                    \
	[PHASE_##phase] = {.name = #phase, .next = (following)},
    STOP_PHASES(X)
#undef X
};

/* As job_enter(): a step that is not in the table is a mistake of this
 * program. */
static void
stop_enter(struct dispatch *d, enum stop_phase next)
{
	assert(stop_phases[d->phase].next & (1u << next));
	log_debug("worker: %s -> %s", stop_phases[d->phase].name,
		  stop_phases[next].name);
	d->phase = next;
}

/* Jobs that wait for room go back to their queues, for other workers. */
static void
stop_release_held(struct dispatch *d)
{
	enum pool_kind kind;
	struct job *job;

	/* The last first: each goes to the front of its queue. */
	for (kind = 0; kind < POOL_KINDS; kind++)
		while ((job = TAILQ_LAST(&d->held[kind], job_list)) != NULL)
			outcome_release(job);
}

/* Whether the job can still get on: a worker that a store has refused for good
 * does not wait for its answers. */
static bool
stop_can_get_on(const struct job *job)
{
	const struct dispatch *d = job->dispatch;
	const bool to_broker = !d->broker_state.lost;
	const bool to_backend = !d->results_state.lost;

	switch (job->state) {
	case JOB_NEW: /* the backend is asked about it, and then it settles */
		return to_broker && to_backend;
	case JOB_STORING:
		return to_backend;
	case JOB_SETTLING:
		return to_broker && (to_backend || !job->running_pending);
	case JOB_DROPPED:
		return to_backend;
	case JOB_HELD:
	case JOB_RUNNING:
		break;
	}
	return true;
}

/* Whether a stop has nothing left to wait for. A store that has refused the
 * worker for good never answers: jobs that only wait for it do not count. */
static bool
stop_is_all_done(const struct dispatch *d)
{
	uint32_t i;

	if (!pool_is_empty(d->pool) ||
	    (!d->broker_state.lost &&
	     (!broker_idle(d->broker) || !TAILQ_EMPTY(&d->untaken))))
		return false;
	if (!d->broker_state.lost && !d->results_state.lost)
		return d->n_jobs == 0 && !tally_send(d->tally);
	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL && stop_can_get_on(d->jobs[i]))
			return false;
	return true;
}

/* At the end of each turn. Nothing runs, nothing is to be told: the end. */
void
stop_check(struct dispatch *d)
{
	const bool failed = d->failure.code != ERR_NONE;

	if (d->phase == PHASE_RUNNING || d->phase == PHASE_STOPPED)
		return;
	/* Something may have come back from the pool, or been on its way. */
	stop_release_held(d);
	if (d->phase != PHASE_ABANDONED &&
	    (!stop_is_all_done(d) || trace_holds_stop(d)))
		return;
	stop_enter(d, PHASE_STOPPED);
	evtimer_del(d->stop_deadline);
	evtimer_del(d->heartbeat);
	/* A worker with something in flight stays listed: if this worker does
	 * not come back, another one finds it dead. */
	if (d->n_jobs > 0 || !TAILQ_EMPTY(&d->untaken))
		log_warning("%" PRIu32
			    " tasks could not be released or stored; they stay "
			    "in flight until this worker starts again",
			    d->n_jobs);
	else
		broker_deregister(d->broker);
	d->opt.on_stopped(failed ? &d->failure : NULL, d->opt.arg);
}

/* So many lines of a log that is read after an upgrade. */
#define NAMED_MAX 20

/* A person who upgrades wants to know what that has interrupted. */
static void
stop_name_running(const struct dispatch *d)
{
	const struct job *job;
	uint32_t i, n = 0;

	for (i = 0; i < d->cap_jobs; i++) {
		job = d->jobs[i];
		if (job == NULL || job->state != JOB_RUNNING ||
		    job->started_us == 0 || n++ >= NAMED_MAX)
			continue;
		log_notice("task %s (%s) is interrupted after %.1f s, and goes "
			   "back to its queue",
			   job->task->id, job->task->name,
			   (double)(clock_wall_us() - job->started_us) / 1e6);
	}
	if (n > NAMED_MAX)
		log_notice("%" PRIu32 " more tasks are interrupted",
			   n - NAMED_MAX);
}

/* Tasks that still run are released when their executors have ended: they are
 * innocent, see pool_kill(). */
static void
stop_kill_all(struct dispatch *d)
{
	struct timeval tv = {.tv_sec = DEREGISTER_S};

	stop_enter(d, PHASE_KILLING);
	stop_name_running(d);
	pool_kill(d->pool);
	settle_kept_all(d);
	evtimer_add(d->stop_deadline, &tv);
}

static void
on_stop_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct dispatch *d = arg;

	if (d->phase == PHASE_DRAINING) {
		log_notice("tasks still run after [worker] stop_timeout; "
			   "killing and releasing them");
		stop_kill_all(d);
	} else if (d->phase == PHASE_KILLING) {
		stop_enter(d, PHASE_ABANDONED);
		stop_check(d);
	}
}

int
stop_open(struct dispatch *d, struct err *err)
{
	d->stop_deadline = evtimer_new(d->opt.base, on_stop_deadline, d);
	return d->stop_deadline != NULL ? 0 : err_nomem(err);
}

/* The first call lets tasks finish, the second kills them; a third changes
 * nothing. */
void
dispatch_stop(struct dispatch *d)
{
	const int64_t us = d->conf->worker.stop_timeout;
	const struct timeval tv = {.tv_sec = us / 1000000,
				   .tv_usec = us % 1000000};

	if (d->phase == PHASE_DRAINING)
		stop_kill_all(d);
	if (d->phase != PHASE_RUNNING)
		return;
	stop_enter(d, PHASE_DRAINING);
	evtimer_add(d->stop_deadline, &tv);
	pool_stop(d->pool);
	/* At once, not at the end of the turn: each claim that is not made need
	 * not be put back. */
	assign_wants(d);
	results_hurry(d->results);
	heartbeat_send(d);
	dispatch_turn(d);
}

void
stop_fail(struct dispatch *d, const struct err *why)
{
	/* Several connections may say the same, but that is not urgent. */
	if (d->failure.code == ERR_NONE)
		d->failure = *why;
	if (dispatch_is_stopping(d))
		dispatch_turn(d);
	else
		dispatch_stop(d);
}
