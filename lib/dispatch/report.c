/* SPDX-License-Identifier: MIT */
/* What executors say of their jobs, and what their end says. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "codec/scan.h"
#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"

/* --- messages ---------------------------------------------------------- */

static void
started(struct runner *r, struct job *job, const struct ipc_message *m)
{
	const struct ipc_started *s = m->fixed;

	job->started_us = s->started_us;
	limit_start(job);
	report_note(job);
}

/* An executor is not to be trusted: its module may have run wild. */
static bool
is_json(struct slice text)
{
	struct scan_value value;

	return scan_check(text, TASK_DEPTH_MAX, &value, NULL) == 0;
}

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
done(struct runner *r, struct job *job, const struct ipc_message *m)
{
	const struct ipc_done *fixed = m->fixed;
	struct ending ending = {.outcome = outcome_of(job, fixed),
				.text = m->rest,
				.started_us = fixed->started_us,
				.finished_us = fixed->finished_us};

	if (ending.outcome == OUTCOME_SUCCESS && !is_json(m->rest)) {
		ending.outcome = OUTCOME_FINAL;
		ending.text =
		    SLICE("its executor sent a result that is no JSON");
	}
	if (job->kind != KIND_ASYNC)
		assign_learn(r, fixed->ran_us);
	outcome_apply(job, &ending);
	runner_ended(r);
}

static void
returned(struct runner *r, struct job *job, const struct ipc_message *m)
{
	if (job->dispatch->stopping && !job->cancelled)
		outcome_put_back(job);
	else
		job_hold(job, true);
}

static void
progress(struct runner *r, struct job *job, const struct ipc_message *m)
{
	if (!is_json(m->rest))
		return;
	buf_reset(&job->progress);
	buf_add(&job->progress, m->rest.p, m->rest.len);
	report_note(job);
}

static void
logged(struct runner *r, struct job *job, const struct ipc_message *m)
{
	const struct ipc_log *fixed = m->fixed;

	if (fixed->level <= LOG_LEVEL_debug)
		log_job(job, (enum log_level)fixed->level, "task %s (%s): %.*s",
			job->task->id, job->task->name, (int)m->rest.len,
			m->rest.p);
}

static void (*const of_job[])(struct runner *, struct job *,
			      const struct ipc_message *) = {
    [IPC_STARTED] = started,   [IPC_DONE] = done,  [IPC_RETURNED] = returned,
    [IPC_PROGRESS] = progress, [IPC_LOG] = logged, [IPC_SUBMIT] = submit_for,
};

void
report_message(struct runner *r, const struct ipc_message *m)
{
	struct job *job;

	if (m->type == IPC_RECALLED) {
		r->recalling = false;
		dispatch_turn(r->dispatch);
		return;
	}
	if (m->type >= sizeof(of_job) / sizeof(of_job[0]) ||
	    of_job[m->type] == NULL) {
		log_error("executor %d sent %s out of turn; killing it",
			  (int)executor_process_pid(r->child),
			  ipc_name(m->type));
		executor_process_kill(r->child);
		return;
	}
	/* A task that is over on our side may still be talked about. */
	job = job_find(r->dispatch, m->task);
	if (job != NULL && job->runner == r)
		of_job[m->type](r, job, m);
	else
		log_debug("executor %d: %s for a task that is over",
			  (int)executor_process_pid(r->child),
			  ipc_name(m->type));
}

/* --- what handlers print ----------------------------------------------- */

void
report_line(struct runner *r, struct slice line)
{
	const struct job *job = TAILQ_FIRST(&r->jobs);

	/* Whose it is can be told when only one can have printed it. */
	if (job != NULL && (r->cpu || TAILQ_NEXT(job, link) == NULL))
		log_job(job, LOG_LEVEL_notice, "task %s (%s) prints: %.*s",
			job->task->id, job->task->name, (int)line.len, line.p);
	else
		log_notice("executor %d prints: %.*s",
			   (int)executor_process_pid(r->child), (int)line.len,
			   line.p);
}

/* --- running records --------------------------------------------------- */

static void
on_noted(struct results_put *put)
{
	struct job *job = put->arg;

	job->noting = false;
	if (job->state == JOB_STORING || job->state == JOB_SETTLING)
		outcome_continue(job);
	else if (job->note_again && job->state == JOB_RUNNING)
		report_note(job);
}

void
report_note(struct job *job)
{
	job->note_again = job->noting;
	if (job->noting)
		return;
	job->noting = true;
	buf_reset(&job->note_record);
	outcome_record(job, RESULT_RUNNING,
		       &(struct ending){.started_us = job->started_us}, NULL,
		       &job->note_record);
	job->note = (struct results_put){
	    .id = slice_of(job->task->id),
	    .record = {job->note_record.data, job->note_record.len},
	    .lossy = true,
	    .on_done = on_noted,
	    .arg = job};
	outcome_tell(job->dispatch, job->note.record);
	results_put(job->dispatch->results, &job->note);
}

/* --- the end of an executor -------------------------------------------- */

static void
crashed(struct job *job, const struct executor_exit *end)
{
	const int sig = end->spoken ? end->words.signal : end->signal;
	/* It began, even if it was gone before it could say so. */
	const int64_t started_us =
	    job->started_us != 0 ? job->started_us : clock_wall_us();
	const char *abbreviation = sigabbrev_np(sig);
	char text[120];
	int n;

	if (sig != 0)
		n = snprintf(text, sizeof(text),
			     "the handler was killed by SIG%s (%s)",
			     abbreviation ? abbreviation : "?",
			     sigdescr_np(sig) ? sigdescr_np(sig) : "?");
	else if (end->spoken && end->words.status >= 0)
		n = snprintf(
		    text, sizeof(text),
		    "the handler ended its process: it called exit(%d)",
		    end->words.status);
	else
		n = snprintf(text, sizeof(text),
			     "the handler ended its process (exit status %d)",
			     end->status);
	outcome_apply(job, &(struct ending){.outcome = OUTCOME_CRASHED,
					    .text = {text, (size_t)n},
					    .started_us = started_us,
					    .finished_us = clock_wall_us()});
}

/* The one job that took its process down, or NULL if nobody can know. */
static struct job *
culprit(struct runner *r, const struct executor_exit *end)
{
	struct job *first = TAILQ_FIRST(&r->jobs), *job;

	if (end->spoken && end->words.task != 0) {
		job = job_find(r->dispatch, end->words.task);
		return job != NULL && job->runner == r ? job : NULL;
	}
	/* One at a time, in their order: the first was running. */
	if (r->cpu || (first != NULL && TAILQ_NEXT(first, link) == NULL))
		return first;
	return NULL;
}

static void
log_end(const struct runner *r, const struct executor_exit *end,
	const struct job *blamed)
{
	char how[64];

	if (end->signal != 0)
		snprintf(how, sizeof(how), "was killed by SIG%s",
			 sigabbrev_np(end->signal) ? sigabbrev_np(end->signal)
						   : "?");
	else
		snprintf(how, sizeof(how), "ended with status %d", end->status);
	if (r->stopping && end->signal == 0 && end->status == 0)
		log_debug("executor %d has stopped",
			  (int)executor_process_pid(r->child));
	else if (blamed != NULL)
		log_job(blamed, LOG_LEVEL_warning,
			"%s executor %s while it ran task %s (%s)",
			r->cpu ? "cpu" : "io", how, blamed->task->id,
			blamed->task->name);
	else
		log_warning("%s executor %s", r->cpu ? "cpu" : "io", how);
}

/* Jobs that we killed it for. */
static bool
end_overdue(struct runner *r)
{
	struct job *job, *next;
	bool any = false;

	for (job = TAILQ_FIRST(&r->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		if (!job->overdue)
			continue;
		any = true;
		outcome_apply(
		    job, &(struct ending){
			     .outcome = job->cancelled ? OUTCOME_CANCELLED
						       : OUTCOME_TIMEOUT,
			     .text = job->cancelled
					 ? SLICE("cancelled; it did not end by "
						 "itself and was killed")
					 : SLICE("it ran past its timeout, did "
						 "not end by itself, and was "
						 "killed"),
			     .started_us = job->started_us,
			     .finished_us = clock_wall_us()});
	}
	return any;
}

/*
 * Nobody knows which job it was: those that were running, or, if they were too
 * short to tell, as many as there are slots, run alone the next time.
 */
static void
suspect(struct runner *r)
{
	unsigned int left = (unsigned int)r->generation->limits.io_workers;
	struct job *job, *next;
	bool known = false;

	TAILQ_FOREACH (job, &r->jobs, link)
		known = known || job->started_us != 0;
	for (job = TAILQ_FIRST(&r->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		if (known ? job->started_us == 0 : left == 0)
			continue;
		left -= !known;
		outcome_suspect(job);
	}
}

void
report_end(struct runner *r, const struct executor_exit *end)
{
	struct dispatch *d = r->dispatch;
	struct job *job, *blamed;

	r->ready = false;
	r->doomed = false;
	r->retired = true;
	if (!end_overdue(r) && !d->hurried) {
		blamed = culprit(r, end);
		log_end(r, end, blamed);
		if (blamed != NULL)
			crashed(blamed, end);
		else
			suspect(r);
	}
	/* The others go on elsewhere, uncounted. */
	while ((job = TAILQ_LAST(&r->jobs, job_list)) != NULL) {
		if (d->stopping && !job->cancelled)
			outcome_put_back(job);
		else
			job_hold(job, true);
	}
}
