/* SPDX-License-Identifier: MIT */
/*
 * What the pool says of jobs: that they run, what came of it, how it ended.
 *
 * A job is RUNNING from pool_run() until on_done, on_returned or on_exit gives
 * it back; each of them ends in one call of outcome.c or back on the list of
 * held jobs. What the pool says of a number that is not given any more, it
 * does not say here: find_run() does not know it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "ipc/ipc.h"
#include "pool/executor_process.h"
#include "trace/exporter.h"
#include "util/clock.h"
#include "util/log.h"

static void run_record(struct job *job);

/* --- while it runs ----------------------------------------------------- */

static struct pool_job *
find_run(uint32_t number, void *arg)
{
	struct job *job = job_find(arg, number);

	return job != NULL ? &job->run : NULL;
}

static void
on_run_started(struct pool_job *run, int64_t started_us, void *arg)
{
	struct job *job = job_of(run);

	/* A handler that had to wait says so once more when it begins: only now
	 * does its time count. */
	if (job->started_us != 0 && !job->cancelled && !job->lost)
		job_disarm(job);
	job->started_us = started_us;
	timeout_start(job);
	run_record(job);
}

static void
on_run_progress(struct pool_job *run, struct slice json, void *arg)
{
	struct job *job = job_of(run);

	buf_reset(&job->progress);
	buf_add(&job->progress, json.p, json.len);
	run_record(job);
}

static void
on_run_log(struct pool_job *run, int level, struct slice text, void *arg)
{
	struct job *job = job_of(run);

	printing_take(job, CAPTURE_STDERR, text);
	log_job(job, (enum log_level)level, "task %s (%s): %.*s", job->task->id,
		job->task->name, (int)text.len, text.p);
}

static void
on_run_output(struct pool_job *run, struct slice text, void *arg)
{
	job_set_output(job_of(run), text);
}

static void
on_run_print(struct pool_job *run, struct slice line, void *arg)
{
	struct job *job = job_of(run);

	printing_take(job, CAPTURE_STDOUT, line);
	log_job(job, LOG_LEVEL_notice, "task %s (%s) prints: %.*s",
		job->task->id, job->task->name, (int)line.len, line.p);
}

static void
on_run_submit(struct pool_job *run, pid_t executor,
	      const struct ipc_submit *fixed, struct slice json, void *arg)
{
	const struct submit_request request = {
	    .executor = executor, .job = run->number, .number = fixed->request};

	submit_for(arg, &request, json);
}

static void
on_run_await(struct pool_job *run, pid_t executor,
	     const struct ipc_await *fixed, struct slice id, void *arg)
{
	const struct submit_request asker = {
	    .executor = executor, .job = run->number, .number = fixed->request};

	await_for(job_of(run), &asker, id, fixed);
}

static void
on_run_forget(struct pool_job *run, pid_t executor, uint32_t wait, void *arg)
{
	await_forget(job_of(run), wait);
}

/* --- running records --------------------------------------------------- */

/* It is there, or was given up: what waited for it goes on. */
static void
on_running_stored(struct results_put *put)
{
	struct job *job = put->arg;

	job->running_pending = false;
	if (put->answer == RESULTS_FENCED && !job->lost)
		settle_fenced(job);
	if (job->state == JOB_STORING || job->state == JOB_SETTLING ||
	    job->state == JOB_DROPPED)
		settle_continue(job);
	else if (job->running_again && job->state == JOB_RUNNING)
		run_record(job);
}

/* Stores a `running` record in passing: one at a time, and then the latest. */
static void
run_record(struct job *job)
{
	job->running_again = job->running_pending;
	if (job->running_pending || job->lost)
		return;
	job->running_pending = true;
	job->noted = true;
	buf_reset(&job->running_record);
	outcome_record(job, RESULT_RUNNING,
		       &(struct ending){.started_us = job->started_us}, NULL,
		       &job->running_record);
	job->running = (struct results_put){
	    .id = slice_of(job->task->id),
	    .record = {job->running_record.data, job->running_record.len},
	    .lossy = true,
	    .claim = job->dispatch->claims_count ? job->claim : NULL,
	    .on_done = on_running_stored,
	    .arg = job};
	results_put(job->dispatch->results, &job->running);
}

/* --- it is back -------------------------------------------------------- */

/* Success comes first: what was done is done, whatever was asked meanwhile. A
 * handler that fails since it was told to end was cancelled or ran out of time,
 * depending on who told it. */
static enum outcome
outcome_of(const struct job *job, const struct ipc_done *done)
{
	if (done->outcome == IPC_SUCCESS)
		return OUTCOME_SUCCESS;
	if (job->cancelled && done->limited)
		return OUTCOME_CANCELLED;
	if (done->outcome == IPC_FAILED_FINAL)
		return OUTCOME_FINAL;
	return done->limited ? OUTCOME_TIMEOUT : OUTCOME_FAILED;
}

static void
on_run_done(struct pool_job *run, const struct ipc_done *done,
	    struct slice text, void *arg)
{
	struct job *job = job_of(run);

	await_drop(job);
	if (job->lost) {
		settle_drop(job);
		return;
	}
	job->end =
	    (struct command_end){done->exited, done->signal, done->truncated};
	outcome_apply(job, &(struct ending){.outcome = outcome_of(job, done),
					    .text = text,
					    .started_us = done->started_us,
					    .finished_us = done->finished_us});
}

/* Twice is an accident; from then on a job that others disturb gets an executor
 * of its own, so that it is never begun again and again for their sake. */
#define DISTURBED_MAX 2

/* Another job ended its executor. */
static void
run_disturbed(struct job *job)
{
	if (job->run.started && ++job->disturbed >= DISTURBED_MAX)
		job->run.kind = pool_kind_alone(job->run.kind);
}

/* It goes on elsewhere, uncounted. */
static void
on_run_returned(struct pool_job *run, void *arg)
{
	struct job *job = job_of(run);

	await_drop(job);
	if (job->lost)
		settle_drop(job);
	else if (job->cancelled)
		outcome_cancelled(job);
	else if (dispatch_is_stopping(job->dispatch))
		outcome_release(job);
	else
		job_hold(job, true);
}

/* --- its executor has ended -------------------------------------------- */

static void
apply_overdue(struct job *job)
{
	const struct ending ending = {
	    .outcome = job->cancelled ? OUTCOME_CANCELLED : OUTCOME_TIMEOUT,
	    .text = job->cancelled
			? SLICE("cancelled; it did not stop and was killed")
			: SLICE("it exceeded its timeout, did not stop, and "
				"was killed"),
	    .started_us = job->started_us,
	    .finished_us = clock_wall_us()};

	outcome_apply(job, &ending);
}

/* For those who run the worker: the process is what they can look into. The
 * task's own log line follows, with the retry. */
static void
log_crash(const struct job *job, const struct pool_exit *end)
{
	const struct executor_exit *how = end->how;
	const char *name = sigabbrev_np(how->signal);
	char text[64];

	if (how->signal != 0)
		snprintf(text, sizeof(text), "was killed by SIG%s",
			 name != NULL ? name : "?");
	else
		snprintf(text, sizeof(text), "ended with status %d",
			 how->status);
	log_job(job, LOG_LEVEL_warning,
		"%s executor %s while it ran task %s (%s)", end->executor, text,
		job->task->id, job->task->name);
}

/* The last words of a handler say more than its process' status, which the
 * executor's own end may have changed. */
static void
apply_crash_text(struct job *job, struct slice text)
{
	/* It began, even if it was gone before it could say so. */
	const int64_t started_us =
	    job->started_us != 0 ? job->started_us : clock_wall_us();

	outcome_apply(job, &(struct ending){.outcome = OUTCOME_CRASHED,
					    .text = text,
					    .started_us = started_us,
					    .finished_us = clock_wall_us()});
}

static void
apply_crash(struct job *job, const struct executor_exit *how)
{
	const int sig = how->spoken ? how->words.signal : how->signal;
	const char *name = sigabbrev_np(sig), *meaning = sigdescr_np(sig);
	char text[120];
	int n;

	if (sig != 0)
		n = snprintf(text, sizeof(text),
			     "the handler was killed by SIG%s (%s)",
			     name ? name : "?", meaning ? meaning : "?");
	else if (how->spoken && how->words.status >= 0)
		n = snprintf(
		    text, sizeof(text),
		    "the handler ended its process: it called exit(%d)",
		    how->words.status);
	else
		n = snprintf(text, sizeof(text),
			     "the handler ended its process (exit status %d)",
			     how->status);
	apply_crash_text(job, (struct slice){text, (size_t)n});
}

static void
on_run_exit(struct pool_job *run, const struct pool_exit *end, void *arg)
{
	struct job *job = job_of(run);

	await_drop(job);
	if (job->lost) {
		settle_drop(job);
		return;
	}
	switch (end->fate) {
	case POOL_OVERDUE:
		apply_overdue(job);
		break;
	case POOL_CRASHED:
		if (end->why.len > 0) {
			apply_crash_text(job, end->why);
			break;
		}
		log_crash(job, end);
		apply_crash(job, end->how);
		break;
	case POOL_SUSPECT:
		outcome_suspect(job);
		break;
	case POOL_INNOCENT:
		run_disturbed(job);
		on_run_returned(run, arg);
		break;
	}
}

/* --- of the pool ------------------------------------------------------- */

static void
on_pool_ready(void *arg)
{
	heartbeat_register(arg);
	/* Some tasks waited for handlers to be known. */
	claim_ask_again(arg);
}

static void
on_pool_reloaded(const struct err *why, void *arg)
{
	struct dispatch *d = arg;

	if (why == NULL) {
		d->conf = d->next_conf;
		/* As after a rotation of logs. */
		if (d->exporter != NULL)
			exporter_reopen(d->exporter);
		/* Jobs that are held look their handlers up once more. */
		claim_reroute(d);
		heartbeat_register(d);
		declare_limits(d, true);
	}
	/* Last: the program may free the old configuration in it. */
	d->opt.on_reloaded(why, d->opt.arg);
}

static void
on_pool_change(void *arg)
{
	dispatch_turn(arg);
}

/* Those who look are to see it now, and not with the next heartbeat. */
static void
on_pool_silent(void *arg)
{
	heartbeat_send(arg);
}

const struct pool_events run_events = {.find = find_run,
				       .on_started = on_run_started,
				       .on_progress = on_run_progress,
				       .on_log = on_run_log,
				       .on_print = on_run_print,
				       .on_output = on_run_output,
				       .on_submit = on_run_submit,
				       .on_await = on_run_await,
				       .on_forget = on_run_forget,
				       .on_done = on_run_done,
				       .on_returned = on_run_returned,
				       .on_exit = on_run_exit,
				       .on_ready = on_pool_ready,
				       .on_reloaded = on_pool_reloaded,
				       .on_change = on_pool_change,
				       .on_silent = on_pool_silent};
