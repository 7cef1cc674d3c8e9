/* SPDX-License-Identifier: MIT */
/*
 * The ways in which an attempt ends: what each of them means, how the log and
 * the heartbeat tell of it, and how the task remembers it.
 */
#include "dispatch/ending.h"

#include <inttypes.h>

#include "codec/history.h"
#include "dispatch/state.h"
#include "util/log.h"
#include "util/sat.h"

const struct ending_kind endings[] = {
    [OUTCOME_SUCCESS] = {NULL, false, false, LOG_LEVEL_info, "succeeded"},
    [OUTCOME_FAILED] = {"failed", true, true, LOG_LEVEL_notice, "failed"},
    [OUTCOME_FINAL] = {"failed", false, true, LOG_LEVEL_notice, "failed"},
    [OUTCOME_TIMEOUT] = {"timeout", true, true, LOG_LEVEL_notice, "timed out"},
    [OUTCOME_CRASHED] = {"crashed", true, true, LOG_LEVEL_warning, "crashed"},
    [OUTCOME_CANCELLED] = {"cancelled", false, false, LOG_LEVEL_notice,
			   "was cancelled"},
    [OUTCOME_EXPIRED] = {"expired", false, false, LOG_LEVEL_notice, "expired"},
    [OUTCOME_SKIPPED] = {BROKER_SKIPPED, false, false, LOG_LEVEL_info,
			 "was skipped"},
    [OUTCOME_UNKNOWN] = {"unknown_task", false, true, LOG_LEVEL_warning,
			 "is not handled by any module of this worker"},
};

enum flow_outcome
ending_of_step(enum outcome outcome)
{
	if (outcome == OUTCOME_SUCCESS)
		return FLOW_STEP_SUCCEEDED;
	return outcome == OUTCOME_SKIPPED ? FLOW_STEP_SKIPPED
					  : FLOW_STEP_FAILED;
}

enum outcome
ending_recall(const struct result *record)
{
	enum outcome o;

	if (record->status == RESULT_SUCCESS)
		return OUTCOME_SUCCESS;
	for (o = OUTCOME_UNKNOWN; o > OUTCOME_FAILED; o--)
		if (record->reason.p != NULL && endings[o].reason != NULL &&
		    slice_eq(record->reason, slice_of(endings[o].reason)))
			return o;
	return OUTCOME_FAILED;
}

void
ending_add_history(const struct job *job, const struct ending *ending,
		   struct slice worker, size_t max, struct buf *out)
{
	const struct attempt attempt = {
	    .number = job->task->current_retry + 1,
	    .started_us = ending->started_us,
	    .finished_us = ending->finished_us,
	    .worker = worker,
	    .reason = slice_of(endings[ending->outcome].reason),
	    .error = ending->text,
	    .end = job->end,
	    .output = {job->output.data, job->output.len}};

	history_add(job->task->history, &attempt, max, out);
}

/* It ended before an attempt began; perhaps before its handler was looked for,
 * which says how many there may be. */
static bool
ending_has_no_attempt(const struct ending *ending)
{
	return ending->started_us == 0 &&
	       (ending->outcome == OUTCOME_CANCELLED ||
		ending->outcome == OUTCOME_EXPIRED ||
		ending->outcome == OUTCOME_SKIPPED ||
		ending->outcome == OUTCOME_UNKNOWN);
}

void
ending_log(const struct job *job, const struct ending *ending, bool again)
{
	const struct task *t = job->task;
	const struct slice text = ending->text;

	/* Most tasks succeed, at a level that is mostly off: no formatting. */
	if (!log_enabled(endings[ending->outcome].level))
		return;
	if (ending->outcome == OUTCOME_SUCCESS)
		log_job(job, LOG_LEVEL_info,
			"task %s (%s) succeeded after %" PRId64 " ms", t->id,
			t->name,
			sat_sub(ending->finished_us, ending->started_us) /
			    1000);
	else if (ending_has_no_attempt(ending))
		log_job(job, endings[ending->outcome].level,
			"task %s (%s) %s: %.*s", t->id, t->name,
			endings[ending->outcome].log, (int)text.len, text.p);
	else
		log_job(job, endings[ending->outcome].level,
			"task %s (%s) %s, attempt %" PRId64 " of %" PRId64
			"%s: %.*s",
			t->id, t->name, endings[ending->outcome].log,
			t->current_retry + 1, t->max_retries + 1,
			again ? ", will be retried" : "", (int)text.len,
			text.p);
}

void
ending_count(struct totals *t, enum outcome outcome, bool again)
{
	t->succeeded += outcome == OUTCOME_SUCCESS;
	t->failed += outcome != OUTCOME_SUCCESS && !again;
	t->retried += again;
	t->crashed += outcome == OUTCOME_CRASHED;
}

/* It has waited since it was due, or submitted. Clocks of other hosts may be
 * ahead: no task has waited for less than no time. */
static int64_t
ending_wait_us(const struct task *t, int64_t started_us)
{
	const int64_t since =
	    t->due_ms != 0 ? sat_mul(t->due_ms, 1000) : t->submitted_us;

	if (since == 0)
		return -1;
	return started_us > since ? sat_sub(started_us, since) : 0;
}

void
ending_measure(struct job *job, const struct ending *ending, bool again)
{
	const bool ran = ending->started_us != 0;

	/* Here and not when it is stored: here the name is at hand, and there
	 * it may have left the processor's cache. */
	job->cell = tally_find(job->dispatch->tally, job->claim->queue,
			       slice_of(job->task->name));
	job->attempt = (struct tally_attempt){
	    .how = ending->outcome == OUTCOME_SUCCESS ? MEASURE_SUCCEEDED
		   : again			      ? MEASURE_RETRIED
						      : MEASURE_FAILED,
	    .wait_us = ran ? ending_wait_us(job->task, ending->started_us) : -1,
	    .run_us =
		ran ? sat_sub(ending->finished_us, ending->started_us) : -1};
}
