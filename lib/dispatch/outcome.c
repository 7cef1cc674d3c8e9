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
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/history.h"
#include "codec/result_json.h"
#include "codec/scan.h"
#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"

/*
 * A task that no living worker of ours knows may be for a program of another
 * language, which takes tasks from the same queue: it is put back after a delay
 * that doubles. The first lets a rolling deploy pass unnoticed; the longest keeps
 * thousands of such tasks from costing anything.
 */
#define UNKNOWN_DELAY_MS INT64_C(2000)
#define UNKNOWN_DELAY_MAX_MS INT64_C(300000)

/* What is done of it is in outcome_apply(); reasons are part of the format of
 * records. An attempt that was cancelled or expired has ended as somebody
 * wanted: nobody has to look at it in the dead list. */
static const struct {
	const char *reason; /* NULL: nothing to add */
	bool retry;	    /* another attempt, if there are some left */
	bool bury;	    /* else into the dead list */
	enum log_level level;
	const char *log;
} outcomes[] = {
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

/* The outcome that a final record tells of. One with a reason that this version
 * does not know is a failure. */
static enum outcome
outcome_recalled(const struct result *record)
{
	enum outcome o;

	if (record->status == RESULT_SUCCESS)
		return OUTCOME_SUCCESS;
	for (o = OUTCOME_UNKNOWN; o > OUTCOME_FAILED; o--)
		if (record->reason.p != NULL && outcomes[o].reason != NULL &&
		    slice_eq(record->reason, slice_of(outcomes[o].reason)))
			return o;
	return OUTCOME_FAILED;
}

static void
on_settled(struct broker_settle *settle)
{
	job_free(settle->arg);
}

/* --- claims that are another worker's ----------------------------------- */

static void
outcome_forget(struct job *job)
{
	broker_drop(job->dispatch->broker, job->claim);
	job_free(job);
}

void
outcome_drop(struct job *job)
{
	job_unlink(job);
	job_disarm(job);
	job_enter(job, JOB_DROPPED);
	/* The backend has its note, and answers. */
	if (!job->running_pending)
		outcome_forget(job);
}

/* One that is NEW, or STORING, is dropped when the backend answers. */
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
		outcome_drop(job);
}

void
outcome_fenced(struct job *job)
{
	broker_doubt(job->dispatch->broker, job->claim);
}

void
outcome_kept(struct job *job)
{
	if (!job->fenced)
		return;
	job->fenced = false;
	outcome_continue(job);
}

void
outcome_kept_all(struct dispatch *d)
{
	uint32_t i;

	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL)
			outcome_kept(d->jobs[i]);
}

/* --- settling ---------------------------------------------------------- */

/*
 * A backend of its own cannot see whether the claim is ours. So a final record
 * waits for the broker to be sure of that, but not for one that will never
 * answer, nor longer than a stop may take.
 */
static bool
outcome_must_wait(const struct job *job)
{
	const struct dispatch *d = job->dispatch;

	return !d->one_store && job->put.final && !d->broker_state.lost &&
	       d->phase < PHASE_KILLING && !broker_is_sure(d->broker);
}

void
outcome_continue(struct job *job)
{
	if (job->state == JOB_DROPPED)
		outcome_forget(job);
	else if (job->state == JOB_STORING && outcome_must_wait(job))
		job->fenced = true;
	else if (job->state == JOB_STORING)
		results_put(job->dispatch->results, &job->put);
	else
		broker_settle(job->dispatch->broker, &job->settle);
}

/* The job only has to give its claim back, as job->settle says. */
static void
outcome_settle(struct job *job)
{
	struct broker_settle *s = &job->settle;
	struct dispatch *d = job->dispatch;

	job_enter(job, JOB_SETTLING);
	s->claim = job->claim;
	s->priority = job->task != NULL ? job->task->priority : 0;
	s->on_done = on_settled;
	s->arg = job;
	/* The record of its running must not come after those of whoever runs
	 * it next. */
	if (!job->running_pending)
		outcome_continue(job);
	/* No answer will come: a stop need not wait for this job any more,
	 * which may be gone by now if there was no memory. */
	if (d->broker_state.lost)
		dispatch_turn(d);
}

/* The attempts that the task has behind it, with this one. */
static void
add_history(const struct job *job, const struct ending *ending,
	    struct slice worker, struct buf *out)
{
	const struct attempt attempt = {
	    .number = job->task->current_retry + 1,
	    .started_us = ending->started_us,
	    .finished_us = ending->finished_us,
	    .worker = worker,
	    .reason = slice_of(outcomes[ending->outcome].reason),
	    .error = ending->text};

	history_add(job->task->history, &attempt, out);
}

/* Why it lies in the dead list, for those who find it there. `history` is
 * empty, or a JSON array. */
static void
write_info(struct job *job, const char *reason, struct slice error,
	   int64_t attempts, const struct buf *history)
{
	const struct dispatch *d = job->dispatch;
	struct buf *out = &job->info;
	char now[CLOCK_TEXT_SIZE];

	clock_format(clock_wall_us(), now);
	buf_addf(out, "{\"reason\":\"%s\",\"error\":", reason);
	scan_quote(out, error);
	if (job->task != NULL && *job->task->name != '\0') {
		buf_adds(out, ",\"task_name\":");
		scan_quote(out, slice_of(job->task->name));
	}
	buf_addf(out, ",\"queue\":\"%s\",\"worker\":",
		 d->queues[job->claim->queue].name);
	scan_quote(out, slice_of(d->opt.worker));
	buf_addf(out, ",\"attempts\":%" PRId64 ",\"time\":\"%s\"", attempts,
		 now);
	if (history != NULL && history->len > 0 && !history->failed) {
		buf_adds(out, ",\"history\":");
		buf_add(out, history->data, history->len);
	}
	buf_addc(out, '}');
	job->settle.disposition = BROKER_BURY;
	job->settle.info = (struct slice){out->data, out->len};
	/* Half of a JSON object would be worse than this one. */
	if (out->failed)
		job->settle.info = SLICE(
		    "{\"reason\":\"failed\",\"error\":\"the worker lacked "
		    "the memory to write down why\"}");
	if (job->task != NULL)
		job->settle.id = slice_of(job->task->id);
	job->settle.salvaged = job->refused != NULL;
}

static void
log_refusal(const struct job *job, const char *reason, struct slice error)
{
	log_job(job, LOG_LEVEL_warning,
		"queue %s: task %s moved to the dead list (%s): %.*s",
		job->dispatch->queues[job->claim->queue].name,
		job->task != NULL ? job->task->id : "without an ID", reason,
		(int)error.len, error.p);
}

void
outcome_bury(struct job *job, const char *reason, const char *error)
{
	log_refusal(job, reason, slice_of(error));
	write_info(job, reason, slice_of(error), 0, NULL);
	outcome_settle(job);
}

/* It has failed for good. */
static void
outcome_keep_dead(struct job *job, const struct ending *ending,
		  struct slice worker)
{
	struct buf history = BUF_INIT;

	/* What could not run was not an attempt. */
	if (ending->outcome != OUTCOME_UNKNOWN)
		add_history(job, ending, worker, &history);
	else
		buf_add(&history, job->task->history.p, job->task->history.len);
	write_info(job, outcomes[ending->outcome].reason, ending->text,
		   job->task->current_retry +
		       (ending->outcome != OUTCOME_UNKNOWN),
		   &history);
	buf_done(&history);
}

void
outcome_recorded(struct job *job, const struct result *record)
{
	const struct ending ending = {.outcome = outcome_recalled(record),
				      .text = record->error,
				      .started_us = record->started_us,
				      .finished_us = record->finished_us};

	if (outcomes[ending.outcome].bury)
		outcome_keep_dead(job, &ending, record->worker);
	else
		job->settle.disposition = BROKER_ACK;
	outcome_settle(job);
}

/* --- records ----------------------------------------------------------- */

void
outcome_record(const struct job *job, enum result_status status,
	       const struct ending *ending, const char *reason, struct buf *out)
{
	const struct dispatch *d = job->dispatch;
	const struct task *t = job->task;
	const bool failed = ending->outcome != OUTCOME_SUCCESS;
	const struct result record = {
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
	    .progress = {job->progress.data, job->progress.len},
	    .times = d->conf->worker.foreign_times};

	result_encode(&record, out);
}

void
outcome_tell(struct dispatch *d, struct slice record)
{
	if (results_heard(d->results))
		results_changed(d->results, record);
}

/* What the claim waited for is stored. Of a retry it may be known by now that a
 * person wants none; a final record is not taken back. */
static void
on_stored(struct results_put *put)
{
	struct job *job = put->arg;
	const enum broker_disposition disposition = job->settle.disposition;

	if (job->lost) {
		outcome_drop(job);
		return;
	}
	if (put->answer == RESULTS_FENCED) {
		job->fenced = true;
		outcome_fenced(job);
		return;
	}
	if (put->final && put->answer == RESULTS_ENDED)
		log_job(job, LOG_LEVEL_notice,
			"task %s has another final record already, which stays",
			job->task->id);
	/* Cancelled since: there is no other attempt after all. */
	if (job->cancelled &&
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
	outcome_settle(job);
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
				 .claim = d->one_store ? job->claim : NULL,
				 .on_done = on_stored,
				 .arg = job};
	/* An event may come before its record: those who listen want to know
	 * soon, those who need to be sure read the record. */
	outcome_tell(d, job->put.record);
	job_enter(job, JOB_STORING);
	/* Once it is on disk, not even a kill makes the task run again. */
	spool_storing(job);
	if (!job->running_pending)
		outcome_continue(job);
}

static void
outcome_store(struct job *job, enum result_status status,
	      const struct ending *ending, const char *reason)
{
	buf_reset(&job->record);
	outcome_record(job, status, ending, reason, &job->record);
	outcome_put(job, status);
}

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
		outcome_settle(job);
	}
}

void
outcome_release(struct job *job)
{
	job_unlink(job);
	job->settle.disposition = BROKER_RELEASE;
	outcome_put_back(job);
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
	result_encode(&record, out);
}

void
outcome_refused(struct job *job, const struct result *before)
{
	const struct slice why = {job->refusal.data, job->refusal.len};
	const struct ending ending = {.outcome = OUTCOME_FINAL,
				      .text = why,
				      .finished_us = clock_wall_us()};

	log_refusal(job, job->refused, why);
	write_info(job, job->refused, why, 0, NULL);
	if (before != NULL && result_status_final(before->status)) {
		outcome_settle(job);
		return;
	}
	job->dispatch->totals.failed++;
	buf_reset(&job->record);
	if (before != NULL)
		record_refusal(job, before, &job->record);
	else
		outcome_record(job, RESULT_FAILED, &ending, job->refused,
			       &job->record);
	outcome_put(job, RESULT_FAILED);
}

/* --- retries ----------------------------------------------------------- */

/* A number from 0 to 1; that much chance needs no seed from the kernel. The
 * generator is Knuth's (MMIX), whose upper 53 bits fill a double. */
static double
chance(void)
{
	static uint64_t state;

	if (state == 0)
		state =
		    (uint64_t)clock_mono_us() << 20 ^ (uint64_t)clock_wall_us();
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (double)(state >> 11) / (double)(1ull << 53);
}

/* The same task with other counters, due in delay_ms. */
static void
prepare_retry(struct job *job, const struct task_counters *counters,
	      int64_t delay_ms)
{
	task_encode_again(job->task, counters, &job->retry_bytes);
	/* With no memory for that, it goes back as it came. */
	job->settle.disposition =
	    job->retry_bytes.failed ? BROKER_RELEASE : BROKER_RETRY;
	job->settle.retry_bytes =
	    (struct slice){job->retry_bytes.data, job->retry_bytes.len};
	job->settle.delay_ms = delay_ms;
}

/* The counters as they came; each kind of retry raises its own. */
static struct task_counters
counters_of(const struct task *t)
{
	return (struct task_counters){.current_retry = t->current_retry,
				      .crashes = t->crashes,
				      .suspected = t->suspected,
				      .unknown = t->unknown,
				      .unknown_since = t->unknown_since,
				      .history = t->history};
}

void
outcome_suspect(struct job *job)
{
	struct task_counters counters = counters_of(job->task);

	if (job->cancelled) {
		outcome_cancelled(job);
		return;
	}
	/* Without end: the next time it runs alone, and is no suspect then. No
	 * attempt has ended. */
	counters.suspected++;
	job_unlink(job);
	prepare_retry(job, &counters, 0);
	outcome_put_back(job);
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

/* Whether there is another attempt, and then prepares it. */
static bool
try_again(struct job *job, const struct ending *ending)
{
	const struct task *t = job->task;
	const enum outcome outcome = ending->outcome;
	struct task_counters counters = counters_of(t);
	struct buf history = BUF_INIT;
	int64_t delay_ms = 0;

	if (!outcomes[outcome].retry || job->cancelled ||
	    t->current_retry >= t->max_retries)
		return false;
	/* A crash counts as an attempt as well: a task with few retries does
	 * not get max_crashes of them. */
	counters.current_retry++;
	if (outcome == OUTCOME_CRASHED) {
		/* At once: it is the crash count that ends this. */
		if (++counters.crashes >=
		    job->dispatch->conf->executor.max_crashes)
			return false;
	} else {
		/* Rounded up: never sooner than the task asked for. */
		delay_ms = (retry_delay_us(&t->retry, counters.current_retry,
					   chance()) +
			    999) /
			   1000;
	}
	add_history(job, ending, slice_of(job->dispatch->opt.worker), &history);
	if (!history.failed)
		counters.history = (struct slice){history.data, history.len};
	prepare_retry(job, &counters, delay_ms);
	buf_done(&history);
	return true;
}

/* --- endings ----------------------------------------------------------- */

static void
log_ending(const struct job *job, const struct ending *ending, bool again)
{
	const struct task *t = job->task;
	const struct slice text = ending->text;

	/* Most tasks succeed, at a level that is mostly off: no formatting. */
	if (!log_enabled(outcomes[ending->outcome].level))
		return;
	if (ending->outcome == OUTCOME_SUCCESS)
		log_job(job, LOG_LEVEL_info,
			"task %s (%s) succeeded after %" PRId64 " ms", t->id,
			t->name,
			(ending->finished_us - ending->started_us) / 1000);
	else
		log_job(job, outcomes[ending->outcome].level,
			"task %s (%s) %s, attempt %" PRId64 " of %" PRId64
			"%s: %.*s",
			t->id, t->name, outcomes[ending->outcome].log,
			t->current_retry + 1, t->max_retries + 1,
			again ? ", will be retried" : "", (int)text.len,
			text.p);
}

/* For the heartbeat: a crash is a failure or a retry, too. */
static void
outcome_count(struct totals *t, enum outcome outcome, bool again)
{
	t->succeeded += outcome == OUTCOME_SUCCESS;
	t->failed += outcome != OUTCOME_SUCCESS && !again;
	t->retried += again;
	t->crashed += outcome == OUTCOME_CRASHED;
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
	again = try_again(job, &end);
	log_ending(job, &end, again);
	outcome_count(&job->dispatch->totals, outcome, again);
	if (again) {
		end.finished_us = 0;
		outcome_store(job, RESULT_RETRYING, &end,
			      outcomes[outcome].reason);
		return;
	}
	if (outcomes[outcome].bury)
		outcome_keep_dead(job, &end,
				  slice_of(job->dispatch->opt.worker));
	else
		job->settle.disposition = BROKER_ACK;
	outcome_store(
	    job, outcome == OUTCOME_SUCCESS ? RESULT_SUCCESS : RESULT_FAILED,
	    &end, outcomes[outcome].reason);
}

/* --- tasks that no module here handles ---------------------------------- */

static int64_t
unknown_delay_ms(int64_t times)
{
	int64_t ms = UNKNOWN_DELAY_MS;

	for (; times > 0 && ms < UNKNOWN_DELAY_MAX_MS; times--)
		ms *= 2;
	return ms < UNKNOWN_DELAY_MAX_MS ? ms : UNKNOWN_DELAY_MAX_MS;
}

/* How long it was put back for, in all. That no clock can falsify, and time in
 * which no worker lived does not count. */
static int64_t
unknown_waited_ms(const struct task *task)
{
	int64_t ms = 0, i;

	for (i = 0; i < task->unknown; i++) {
		if (unknown_delay_ms(i) == UNKNOWN_DELAY_MAX_MS)
			return ms + (task->unknown - i) * UNKNOWN_DELAY_MAX_MS;
		ms += unknown_delay_ms(i);
	}
	return ms;
}

/* For those who know it; where there are none, it comes again. */
static void
outcome_set_aside(struct job *job)
{
	struct task_counters counters = counters_of(job->task);

	log_job(job, LOG_LEVEL_info,
		"task %s: no module of this worker handles \"%s\"; left to "
		"other workers",
		job->task->id, job->task->name);
	job_unlink(job);
	if (counters.unknown_since == 0)
		counters.unknown_since = clock_wall_us() / 1000000;
	counters.unknown++;
	prepare_retry(job, &counters, unknown_delay_ms(job->task->unknown));
	if (job->settle.disposition == BROKER_RETRY)
		job->settle.disposition = BROKER_SET_ASIDE;
	job->settle.lane = slice_of(job->task->name);
	outcome_settle(job);
}

static void
outcome_give_up(struct job *job)
{
	struct buf text = BUF_INIT;

	buf_addf(&text,
		 "no living worker of queue %s has task \"%s\" in its modules; "
		 "it was put back %" PRId64 " times in %" PRId64
		 " s ([worker] unknown_after)",
		 job->dispatch->queues[job->claim->queue].name, job->task->name,
		 job->task->unknown, unknown_waited_ms(job->task) / 1000);
	if (text.failed)
		outcome_set_aside(job);
	else
		outcome_apply(job,
			      &(struct ending){.outcome = OUTCOME_UNKNOWN,
					       .text = {text.data, text.len}});
	buf_done(&text);
}

/* Not known counts as served: it comes again. */
static void
outcome_on_served(struct slice value, const struct err *err, void *arg)
{
	struct job *job = arg;

	if (job->cancelled)
		outcome_cancelled(job);
	else if (err != NULL || slice_eq(value, SLICE("known")))
		outcome_set_aside(job);
	else
		outcome_give_up(job);
}

void
outcome_unknown(struct job *job)
{
	struct dispatch *d = job->dispatch;
	const struct broker_served question = {
	    .queue = slice_of(d->queues[job->claim->queue].name),
	    .name = slice_of(job->task->name)};

	if (unknown_waited_ms(job->task) * 1000 < d->conf->worker.unknown_after)
		outcome_set_aside(job);
	else
		broker_served(d->broker, &question, outcome_on_served, job);
}
