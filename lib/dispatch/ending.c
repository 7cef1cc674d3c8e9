/* SPDX-License-Identifier: MIT */
/*
 * The ways in which an attempt ends: what each of them means, how the log and
 * the heartbeat tell of it, and how the task remembers it.
 */
#include <inttypes.h>

#include "codec/history.h"
#include "dispatch/state.h"
#include "util/log.h"

const struct ending_kind endings[] = {
    [OUTCOME_SUCCESS] = {NULL, false, false, LOG_LEVEL_info, "succeeded"},
    [OUTCOME_FAILED] = {"failed", true, true, LOG_LEVEL_notice, "failed"},
    [OUTCOME_FINAL] = {"failed", false, true, LOG_LEVEL_notice, "failed"},
    [OUTCOME_TIMEOUT] = {"timeout", true, true, LOG_LEVEL_notice, "timed out"},
    [OUTCOME_CRASHED] = {"crashed", true, true, LOG_LEVEL_warning, "crashed"},
    [OUTCOME_CANCELLED] = {"cancelled", false, false, LOG_LEVEL_notice,
			   "was cancelled"},
    [OUTCOME_EXPIRED] = {"expired", false, false, LOG_LEVEL_notice, "expired"},
    [OUTCOME_UNKNOWN] = {"unknown_task", false, true, LOG_LEVEL_warning,
			 "is not handled by any module of this worker"},
};

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
		   struct slice worker, struct buf *out)
{
	const struct attempt attempt = {
	    .number = job->task->current_retry + 1,
	    .started_us = ending->started_us,
	    .finished_us = ending->finished_us,
	    .worker = worker,
	    .reason = slice_of(endings[ending->outcome].reason),
	    .error = ending->text};

	history_add(job->task->history, &attempt, out);
}

/* It ended before an attempt began; perhaps before its handler was looked for,
 * which says how many there may be. */
static bool
ending_has_no_attempt(const struct ending *ending)
{
	return ending->started_us == 0 &&
	       (ending->outcome == OUTCOME_CANCELLED ||
		ending->outcome == OUTCOME_EXPIRED ||
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
			(ending->finished_us - ending->started_us) / 1000);
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
