/* SPDX-License-Identifier: MIT */
/*
 * What follows from how an attempt ended: first the record is stored, then the
 * claim is settled.
 *
 * In this order nothing is lost: a worker that dies between the two leaves a
 * claim, which is found again, and a final record that says that the task must
 * not run again. The other way round a task could be gone without a result. Of
 * a retry the record may be lost (the next attempt writes another), the claim
 * may not. And a record in passing that is still under way holds up both:
 * stored late, it would hide what came after it.
 */
#include "codec/result_json.h"
#include "codec/scan.h"
#include "dispatch/ending.h"
#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"

/* --- records ----------------------------------------------------------- */

static struct result
outcome_result(const struct job *job, enum result_status status,
	       const struct ending *ending, const char *reason)
{
	const struct dispatch *d = job->dispatch;
	const struct task *t = job->task;
	const bool failed = ending->outcome != OUTCOME_SUCCESS;

	return (struct result){
	    .task_id = slice_of(t->id),
	    .status = status,
	    .task_name = slice_of(t->name),
	    .result = failed ? (struct slice){NULL, 0} : ending->text,
	    .error = failed ? ending->text : (struct slice){NULL, 0},
	    .submitted_us = t->submitted_us ? t->submitted_us : job->claimed_us,
	    .started_us = ending->started_us,
	    .finished_us = ending->finished_us,
	    .retries = t->current_retry + (status == RESULT_RETRYING),
	    .args = t->args,
	    .kwargs = t->kwargs,
	    .queue = slice_of(d->queues[job->claim->queue].name),
	    .worker = status != RESULT_PENDING ? slice_of(d->opt.worker)
					       : (struct slice){NULL, 0},
	    .attempts =
		ending->started_us ? t->current_retry + 1 : t->current_retry,
	    .reason = reason ? slice_of(reason) : (struct slice){NULL, 0},
	    .end = job->end,
	    .progress = {job->progress.data, job->progress.len},
	    .output = status != RESULT_RUNNING && status != RESULT_PENDING
			  ? history_tail((struct slice){job->output.data,
							job->output.len},
					 job->output_is_set ? job->output.len
							    : HISTORY_TEXT_MAX)
			  : (struct slice){NULL, 0},
	    /* Else it would be gone with the task; a dead one is kept. Most
	     * tasks have none, so it costs them nothing. */
	    .history =
		status == RESULT_SUCCESS ? t->history : (struct slice){NULL, 0},
	    .parent = t->parent,
	    .root = t->root,
	    .flow = t->flow,
	    .times = d->conf->worker.foreign_times};
}

static void
outcome_tell(struct dispatch *d, enum results_detail detail)
{
	buf_addc(&d->event, '}');
	if (!d->event.failed)
		results_event(d->results, detail,
			      (struct slice){d->event.data, d->event.len});
}

/* Encodes it, and tells those who listen of it. An event may come before its
 * record: those who listen want to know soon, those who need to be sure read the
 * record. Whole ones are only for those who ask for them: they are what costs. */
static void
outcome_encode(struct dispatch *d, const struct result *record, struct buf *out)
{
	const unsigned int heard = results_heard(d->results);

	if ((heard & 1u << RESULTS_BRIEF) == 0) {
		result_encode(record, out);
	} else {
		buf_reset(&d->event);
		buf_adds(&d->event, RESULTS_UPDATE);
		result_encode_both(record, out, &d->event);
		if (!out->failed)
			outcome_tell(d, RESULTS_BRIEF);
	}
	if ((heard & 1u << RESULTS_WHOLE) == 0 || out->failed)
		return;
	buf_reset(&d->event);
	buf_adds(&d->event, RESULTS_UPDATE);
	buf_add(&d->event, out->data, out->len);
	outcome_tell(d, RESULTS_WHOLE);
}

void
outcome_record(const struct job *job, enum result_status status,
	       const struct ending *ending, const char *reason, struct buf *out)
{
	const struct result record =
	    outcome_result(job, status, ending, reason);

	outcome_encode(job->dispatch, &record, out);
}

/* What is counted is what is on record: an attempt whose worker dies before runs
 * again, and counts then. */
static void
outcome_settle(struct job *job)
{
	if (job->put.answer == RESULTS_STORED)
		tally_add(job->dispatch->tally, job->cell, &job->attempt);
	job->cell = NULL;
	settle_job(job);
}

/* A step has ended as its record says, which another has stored. */
static void
on_other_record(struct slice record, const struct err *err, void *arg)
{
	struct job *job = arg;
	struct buf scratch = BUF_INIT;
	struct result other;

	if (record.p != NULL &&
	    result_decode(record, &scratch, &other, NULL) == 0 &&
	    result_status_final(other.status))
		job->settle.outcome = ending_of_step(ending_recall(&other));
	buf_done(&scratch);
	if (job->lost)
		settle_drop(job);
	else
		outcome_settle(job);
}

/* What the claim waited for is stored. Of a retry it may be known by now that a
 * person wants none; a final record is not taken back. */
static void
on_stored(struct results_put *put)
{
	struct job *job = put->arg;
	const enum broker_disposition disposition = job->settle.disposition;

	if (job->lost) {
		settle_drop(job);
		return;
	}
	if (put->answer == RESULTS_FENCED) {
		job->fenced = true;
		settle_fenced(job);
		return;
	}
	if (put->final && put->answer == RESULTS_ENDED)
		log_job(job, LOG_LEVEL_notice,
			"task %s has another final record already, which stays",
			job->task->id);
	if (put->final && put->answer == RESULTS_ENDED &&
	    job->task->flow.len > 0)
		results_get(job->dispatch->results, put->id, on_other_record,
			    job);
	/* Cancelled since: there is no other attempt after all. */
	else if (job->cancelled &&
		 (disposition == BROKER_RETRY || disposition == BROKER_RELEASE))
		outcome_cancelled(job);
	else
		outcome_settle(job);
}

/* What came of it is lost for want of memory. A record that is empty or cut off
 * would be taken for its result, so it runs once more. */
static void
outcome_unrecordable(struct job *job)
{
	log_job(job, LOG_LEVEL_error,
		"task %s (%s): out of memory for its record; it goes back to "
		"its queue and will run again",
		job->task->id, job->task->name);
	job->settle.disposition = BROKER_RELEASE;
	settle_job(job);
}

/* Stores job->record, which the claim waits for; job->settle says what becomes
 * of that then. */
static void
outcome_put(struct job *job, enum result_status status)
{
	struct dispatch *d = job->dispatch;
	const bool final = result_status_final(status);

	if (job->record.failed) {
		outcome_unrecordable(job);
		return;
	}
	job->put =
	    (struct results_put){.id = slice_of(job->task->id),
				 .record = {job->record.data, job->record.len},
				 .final = final,
				 .failed = status == RESULT_FAILED,
				 .lossy = !final,
				 .reply_to = job->task->reply_to,
				 .ttl_s = dispatch_ttl_s(d),
				 .claim = d->claims_count ? job->claim : NULL,
				 .on_done = on_stored,
				 .arg = job};
	job_enter(job, JOB_STORING);
	/* Once it is on disk, not even a kill makes the task run again. */
	spool_storing(job);
	if (!job->running_pending)
		settle_continue(job);
}

static void
outcome_store(struct job *job, enum result_status status,
	      const struct ending *ending, const char *reason)
{
	buf_reset(&job->record);
	outcome_record(job, status, ending, reason, &job->record);
	outcome_put(job, status);
}

/* What its producer said of it stays; the bytes may not say that much. */
static void
record_refusal(const struct job *job, const struct result *before,
	       struct buf *out)
{
	struct result record = *before;

	record.task_id = slice_of(job->task->id);
	record.status = RESULT_FAILED;
	record.result = (struct slice){NULL, 0};
	record.error = (struct slice){job->refusal.data, job->refusal.len};
	record.finished_us = clock_wall_us();
	record.worker = slice_of(job->dispatch->opt.worker);
	record.reason = slice_of(job->refused);
	outcome_encode(job->dispatch, &record, out);
}

/* --- no attempt has ended ---------------------------------------------- */

/* It goes back to its queue, as job->settle says, and no attempt has ended: a
 * record that says that it runs has to say that it waits. */
static void
outcome_put_back(struct job *job)
{
	static const struct ending none = {.outcome = OUTCOME_SUCCESS};

	if (job->noted) {
		buf_reset(&job->progress);
		outcome_store(job, RESULT_PENDING, &none, NULL);
	} else {
		settle_job(job);
	}
}

void
outcome_release(struct job *job)
{
	job_unlink(job);
	job->settle.disposition = BROKER_RELEASE;
	outcome_put_back(job);
}

void
outcome_suspect(struct job *job)
{
	struct task_counters counters = retry_counters(job->task);

	if (job->cancelled) {
		outcome_cancelled(job);
		return;
	}
	/* Without end: the next time it runs alone, and is not a suspect then. No
	 * attempt has ended. */
	counters.suspected++;
	job_unlink(job);
	retry_prepare(job, &counters, 0);
	outcome_put_back(job);
}

/* --- endings ----------------------------------------------------------- */

void
outcome_refused(struct job *job, const struct result *before)
{
	const struct slice why = {job->refusal.data, job->refusal.len};
	const struct ending ending = {.outcome = OUTCOME_FINAL,
				      .text = why,
				      .finished_us = clock_wall_us()};

	bury_log_refusal(job, job->refused, why);
	bury_as(job, job->refused, why, 0, NULL);
	job->settle.outcome = FLOW_STEP_FAILED;
	if (before != NULL && result_status_final(before->status)) {
		job->settle.outcome = ending_of_step(ending_recall(before));
		settle_job(job);
		return;
	}
	job->dispatch->totals.failed++;
	ending_measure(job, &ending, false);
	buf_reset(&job->record);
	if (before != NULL)
		record_refusal(job, before, &job->record);
	else
		outcome_record(job, RESULT_FAILED, &ending, job->refused,
			       &job->record);
	outcome_put(job, RESULT_FAILED);
}

void
outcome_recorded(struct job *job, const struct result *record)
{
	const struct ending ending = {.outcome = ending_recall(record),
				      .text = record->error,
				      .started_us = record->started_us,
				      .finished_us = record->finished_us};

	job->settle.outcome = ending_of_step(ending.outcome);
	if (endings[ending.outcome].bury)
		bury_ended(job, &ending, record->worker);
	else
		job->settle.disposition = BROKER_ACK;
	settle_job(job);
}

void
outcome_apply(struct job *job, const struct ending *ending)
{
	const enum outcome outcome = ending->outcome;
	struct ending end = *ending;
	bool again;

	job_unlink(job);
	if (end.finished_us == 0)
		end.finished_us = clock_wall_us();
	again = retry_if_left(job, &end);
	ending_log(job, &end, again);
	ending_count(&job->dispatch->totals, outcome, again);
	ending_measure(job, &end, again);
	trace_end(job, &end, again);
	printing_end(job);
	if (again) {
		end.finished_us = 0;
		outcome_store(job, RESULT_RETRYING, &end,
			      endings[outcome].reason);
		return;
	}
	job->settle.outcome = ending_of_step(outcome);
	if (endings[outcome].bury)
		bury_ended(job, &end, slice_of(job->dispatch->opt.worker));
	else
		job->settle.disposition = BROKER_ACK;
	outcome_store(
	    job, outcome == OUTCOME_SUCCESS ? RESULT_SUCCESS : RESULT_FAILED,
	    &end, endings[outcome].reason);
}

void
outcome_cancelled(struct job *job)
{
	outcome_apply(
	    job, &(struct ending){.outcome = OUTCOME_CANCELLED,
				  .text = job->started_us != 0
					      ? SLICE("cancelled")
					      : SLICE("cancelled before it "
						      "started"),
				  .started_us = job->started_us});
}

/* The text is a JSON string. */
void
outcome_skipped(struct job *job)
{
	struct buf text = BUF_INIT;
	struct scan_value why;

	if (scan_check(job->task->skipped, 0, &why, NULL) == 0)
		scan_unescape(&why, &text);
	outcome_apply(job, &(struct ending){.outcome = OUTCOME_SKIPPED,
					    .text = {text.data, text.len}});
	buf_done(&text);
}

void
outcome_lost(struct job *job)
{
	if (job->lost)
		return;
	job->lost = true;
	log_job(job, LOG_LEVEL_warning,
		"task %s: another worker has taken it over; what this one did "
		"for it does not count",
		job->task != NULL ? job->task->id : "?");
	if (job->state == JOB_RUNNING)
		timeout_end(job);
	else if (job->state == JOB_HELD || job->state == JOB_SETTLING ||
		 job->fenced)
		settle_drop(job);
}
