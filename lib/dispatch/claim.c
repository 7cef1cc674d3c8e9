/* SPDX-License-Identifier: MIT */
/*
 * A claim becomes a job, or goes where it belongs.
 *
 * A claim that is new is routed at once: to the executors of its kind, or to
 * its end if it was cancelled, has expired, or is unknown here. One that is
 * recovered may have run before: only the backend can say whether it is over,
 * so it stays NEW, on `unsure` between two questions, until that has answered.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "codec/result_json.h"
#include "codec/salvage.h"
#include "dispatch/cancelled_ids.h"
#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "util/clock.h"
#include "util/limits.h"
#include "util/log.h"

/* Before the next question, when the backend could not answer the last, or no
 * executor is up yet: both change in fractions of a second or in minutes, and
 * a question costs little. */
#define ASK_AGAIN_MS 250

/* --- where a task belongs ---------------------------------------------- */

static enum pool_kind
claim_kind(const struct job *job)
{
	if (job->handler->command)
		return job->handler->cpu_bound ? POOL_CPU_COMMAND
					       : POOL_COMMAND;
	if (job->handler->cpu_bound)
		return POOL_CPU;
	return job->handler->async ? POOL_ASYNC : POOL_THREAD;
}

/* A task that was among the last ones of a dead process, or has crashed one,
 * runs alone. */
static bool
claim_is_dangerous(const struct job *job)
{
	return job->task->suspected > 0 || job->task->crashes > 0 ||
	       pool_kind_is_alone(job->run.kind);
}

/* What the task leaves open, its module says, and then the configuration. */
static void
claim_complete(struct job *job)
{
	const struct handler *h = job->handler;
	const struct task_settings module = {.max_retries = h->max_retries,
					     .retry = h->retry,
					     .timeout_us = h->timeout_us};

	task_resolve(job->task, &module, &job->dispatch->conf->executor);
	task_set_standards(job->task);
}

/* Without memory for the timer, the next heartbeat does what it would do. */
static void
claim_set_ask_again(struct dispatch *d)
{
	const struct timeval tv = {.tv_usec = ASK_AGAIN_MS * 1000};

	if (!evtimer_pending(d->ask_again, NULL))
		evtimer_add(d->ask_again, &tv);
}

/* The backend is asked (again) whether it is over; see claim_ask_again(). */
static void
ask_later(struct job *job)
{
	TAILQ_INSERT_TAIL(&job->dispatch->unsure, job, link);
	claim_set_ask_again(job->dispatch);
}

/* What is recovered may come before the first executor has said what it can
 * run. */
static void
wait_for_handlers(struct job *job)
{
	if (dispatch_is_stopping(job->dispatch))
		outcome_release(job);
	else
		ask_later(job);
}

static references_fn on_referred;

/* Sends a job on its way; it is NEW and on no list. */
static void
route(struct job *job)
{
	struct dispatch *d = job->dispatch;
	const struct handlers *handlers = pool_handlers(d->pool);
	const struct task *task = job->task;
	bool alone;

	if (task->skipped.len > 0) {
		outcome_skipped(job);
		return;
	}
	if (job->cancelled) {
		outcome_cancelled(job);
		return;
	}
	/* Before the handler is looked up: what is too late is too late for
	 * every worker. */
	if (task->expires_us != 0 && task->expires_us <= clock_wall_us()) {
		outcome_apply(job, &(struct ending){
				       .outcome = OUTCOME_EXPIRED,
				       .text = SLICE("the task expired before "
						     "it could run")});
		return;
	}
	if (handlers == NULL) {
		wait_for_handlers(job);
		return;
	}
	job->handler = handlers_find(handlers, task->name);
	if (job->handler == NULL) {
		unknown_take(job);
		return;
	}
	claim_complete(job);
	alone = claim_is_dangerous(job);
	job->run.kind = claim_kind(job);
	/* What a queue brings is judged by what is usual. */
	d->queues[job->claim->queue].kind = job->run.kind;
	if (alone)
		job->run.kind = pool_kind_alone(job->run.kind);
	if (references_wanted(job))
		references_fetch(job, on_referred);
	else if (callback_wanted(job))
		callback_fetch(job, on_referred);
	else
		job_hold(job, false);
}

void
claim_reroute(struct dispatch *d)
{
	struct job_list all = TAILQ_HEAD_INITIALIZER(all);
	struct job *job;
	enum pool_kind kind;

	for (kind = 0; kind < POOL_KINDS; kind++) {
		TAILQ_CONCAT(&all, &d->held[kind], link);
		d->n_held[kind] = 0;
	}
	/* Off all lists before the first is routed, which puts it on one. */
	while ((job = TAILQ_FIRST(&all)) != NULL) {
		TAILQ_REMOVE(&all, job, link);
		/* Around the table of states, which lets nothing become NEW. */
		job->state = JOB_NEW;
		route(job);
	}
}

/* What comes to a quiet worker was on its way, or a dead worker's. */
static void
take_in(struct job *job)
{
	if (job->dispatch->quiet && !job->cancelled)
		outcome_release(job);
	else
		route(job);
}

/* Meanwhile it may have been cancelled, or taken over. */
static void
on_referred(struct job *job, const struct err *err)
{
	if (job->lost)
		settle_drop(job);
	else if (err == NULL)
		take_in(job);
	else if (err->code != ERR_DATA)
		ask_later(job);
	else
		outcome_apply(job,
			      &(struct ending){.outcome = OUTCOME_FINAL,
					       .text = slice_of(err->msg)});
}

/* --- tasks that were claimed before ------------------------------------ */

/* A foreign producer says when it submitted a task in the pending record only,
 * which ours will replace. */
static void
claim_recall(struct job *job, struct slice json, const struct result *record)
{
	const enum clock_form form = job->dispatch->conf->worker.foreign_times;
	struct buf scratch = BUF_INIT;
	struct result local;

	if (job->task->submitted_us != 0)
		return;
	job->task->submitted_us = record->submitted_us;
	if (form == CLOCK_FORM_NAIVE &&
	    result_decode_as(form, json, &scratch, &local, NULL) == 0)
		job->task->submitted_us = local.submitted_us;
	buf_done(&scratch);
}

/* What was recorded as finished is not run again, and stays as it is. A new
 * claim is not doubted: its producer pushed it to have it run. */
static void
on_recorded(struct slice record, const struct err *err, void *arg)
{
	struct job *job = arg;
	struct buf scratch = BUF_INIT, repaired = BUF_INIT;
	struct result result;
	bool known;

	if (job->lost) {
		settle_drop(job);
		return;
	}
	if (err != NULL && (job->claim->recovered || job->refused != NULL)) {
		/* A guess could run it twice. */
		ask_later(job);
		return;
	}
	known = record.p != NULL &&
		result_decode_repaired(record, &repaired, &scratch, &record,
				       &result, NULL) == 0;
	job->noted = known && result.status == RESULT_RUNNING;
	if (known)
		claim_recall(job, record, &result);
	if (job->refused != NULL) {
		outcome_refused(job, known ? &result : NULL);
	} else if (known && job->claim->recovered &&
		   result_status_final(result.status) &&
		   !slice_eq(result.reason, SLICE(RESULT_LOST))) {
		log_job(job, LOG_LEVEL_info,
			"task %s has already finished; not run again",
			job->task->id);
		outcome_recorded(job, &result);
	} else {
		take_in(job);
	}
	buf_done(&scratch);
	buf_done(&repaired);
}

void
claim_ask_again(struct dispatch *d)
{
	struct job_list jobs = TAILQ_HEAD_INITIALIZER(jobs);
	struct job *job;

	/* Those that cannot be answered come back to `unsure`. */
	TAILQ_CONCAT(&jobs, &d->unsure, link);
	while ((job = TAILQ_FIRST(&jobs)) != NULL) {
		TAILQ_REMOVE(&jobs, job, link);
		results_get(d->results, slice_of(job->task->id), on_recorded,
			    job);
	}
}

/* A task was claimed: whether it is to be run has to be found out. */
static void
claim_begin(struct job *job)
{
	struct dispatch *d = job->dispatch;

	trace_claim(job);
	/* The command may have come before the task. */
	job->cancelled = cancelled_ids_take(d->cancelled_ids, job->task);
	/* Our own producers put the time into the task, which spares theirs the
	 * question. */
	if (job->claim->recovered || job->task->submitted_us == 0)
		results_get(d->results, slice_of(job->task->id), on_recorded,
			    job);
	else
		take_in(job);
}

/* Bytes that this worker can make nothing of. Where they hold an id, its record
 * is looked at first: the id may be that of a task that has finished. */
static void
claim_refuse(struct job *job, const char *reason, const char *error)
{
	const struct slice bytes = job->claim->bytes;
	struct slice head = bytes, tail = {NULL, 0};

	if (job->claim->whole > 0) {
		head.len = bytes.len / 2;
		tail = (struct slice){bytes.p + head.len, bytes.len - head.len};
	}
	job->task = task_salvage(head, tail);
	if (job->task == NULL) {
		bury_refused(job, reason, error);
		return;
	}
	job->refused = reason;
	buf_adds(&job->refusal, error);
	results_get(job->dispatch->results, slice_of(job->task->id),
		    on_recorded, job);
}

static void
claim_too_large(struct job *job)
{
	const int64_t most = job->dispatch->conf->worker.max_task_size;
	struct err why;

	err_set(&why, ERR_DATA,
		"the task has %zu bytes, more than %" PRId64 " ([worker] "
		"max_task_size)",
		job->claim->whole, most);
	claim_refuse(job, "too_large", why.msg);
}

/* -1: there is no memory for a job, and nothing has happened. */
static int
claim_make_job(struct dispatch *d, struct broker_claim *claim)
{
	struct job *job = calloc(1, sizeof(*job));
	struct err err;
	int status;

	if (job == NULL || job_number(d, job) != 0) {
		free(job);
		return -1;
	}
	job->dispatch = d;
	job->claim = claim;
	job->claimed_us = clock_wall_us();
	d->queues[claim->queue].claimed_ms = clock_mono_ms();
	d->queues[claim->queue].busy = true;
	if (claim->whole > 0) {
		claim_too_large(job);
		dispatch_turn(d);
		return 0;
	}
	status = task_decode(claim->bytes, &job->task, &err);
	if (status != 0 && err.sys == ENOMEM) {
		job_free(job);
		return -1;
	}
	/* A job without a task settles its claim, and does nothing else. */
	if (status == 0)
		claim_begin(job);
	else
		claim_refuse(job, "malformed", err.msg);
	dispatch_turn(d);
	return 0;
}

static void
claim_warn_memory(const struct dispatch *d, const struct broker_claim *claim)
{
	char limit[LIMITS_TEXT_MAX];

	if (!limits_warning_due(ENOMEM))
		return;
	limits_explain(ENOMEM, limit);
	log_warning("a task of queue %s waits, and no more are claimed: out of "
		    "memory: %s",
		    d->queues[claim->queue].name, limit);
}

/* In their order. Nothing more is claimed while one waits (assign_wants()). */
void
claim_take_again(struct dispatch *d)
{
	struct broker_claim *claim;

	while ((claim = TAILQ_FIRST(&d->untaken)) != NULL) {
		TAILQ_REMOVE(&d->untaken, claim, link);
		if (claim_make_job(d, claim) == 0)
			continue;
		TAILQ_INSERT_HEAD(&d->untaken, claim, link);
		claim_set_ask_again(d);
		return;
	}
}

/* A claim waits behind those that do: their places in the queue are older. */
void
claim_take(struct dispatch *d, struct broker_claim *claim)
{
	if (TAILQ_EMPTY(&d->untaken) && claim_make_job(d, claim) == 0)
		return;
	TAILQ_INSERT_TAIL(&d->untaken, claim, link);
	claim_warn_memory(d, claim);
	claim_set_ask_again(d);
	dispatch_turn(d);
}
