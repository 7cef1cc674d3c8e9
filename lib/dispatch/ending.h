/* SPDX-License-Identifier: MIT */
/*
 * How an attempt ends, and what follows from that, as the dispatcher's own files see it
 * (state.h).
 */
#ifndef DISPATCH_ENDING_H
#define DISPATCH_ENDING_H

#include "dispatch/state.h"

/* --- ending.c ---------------------------------------------------------- */

enum outcome {
	OUTCOME_SUCCESS,
	OUTCOME_FAILED,	 /* may be tried again */
	OUTCOME_FINAL,	 /* may not */
	OUTCOME_TIMEOUT, /* may be tried again */
	OUTCOME_CRASHED, /* may be tried again, some times */
	OUTCOME_CANCELLED,
	OUTCOME_EXPIRED,
	OUTCOME_SKIPPED, /* a step before it has not ended as it had to */
	OUTCOME_UNKNOWN	 /* no worker knows the task's name */
};

/* How an attempt ended. `text` is the result (JSON) or the error (text). */
struct ending {
	enum outcome outcome;
	struct slice text;
	int64_t started_us; /* wall clock; 0: it never started */
	int64_t finished_us;
};

/* What is done of it is in outcome_apply(); reasons are part of the format of
 * records. An attempt that was cancelled or expired has ended as somebody
 * wanted: nobody has to look at it in the dead list. */
struct ending_kind {
	const char *reason; /* NULL: nothing to add */
	bool retry;	    /* another attempt, if there are some left */
	bool bury;	    /* else into the dead list */
	enum log_level level;
	const char *log; /* "task … (…) …" */
};
extern const struct ending_kind endings[]; /* by outcome */

/* What that is for the workflow of a step. */
enum flow_outcome ending_of_step(enum outcome outcome);
/* The outcome that a final record tells of. One with a reason that this version
 * does not know is a failure. */
enum outcome ending_recall(const struct result *record);
/* Appends the attempts that the task has behind it (JSON), with this one, which
 * `worker` made; at most `max` bytes (codec/history.h). */
void ending_add_history(const struct job *job, const struct ending *ending,
			struct slice worker, size_t max, struct buf *out);
/* A line of the log; `again`: there will be another attempt. */
void ending_log(const struct job *job, const struct ending *ending, bool again);
/* For the heartbeat: a crash is a failure or a retry, too. */
void ending_count(struct totals *t, enum outcome outcome, bool again);
/* For the measures: what is counted when its record is stored. */
void ending_measure(struct job *job, const struct ending *ending, bool again);

/* --- settle.c ---------------------------------------------------------- */

/* The job only has to give its claim back, as job->settle says; may free it. */
void settle_job(struct job *job);
/* Its note is stored, or lost: stores or settles, which waited for that. */
void settle_continue(struct job *job);
/* Its claim is another worker's, and nothing runs for it any more. */
void settle_drop(struct job *job);
/* A record of it was refused, since another worker may have its claim: whether
 * that is so is found out. */
void settle_fenced(struct job *job);
/* Its claim was in doubt, and is still ours. */
void settle_kept(struct job *job);
/* The same of all. */
void settle_kept_all(struct dispatch *d);

/* --- bury.c ------------------------------------------------------------ */

/* Not a task, or one that is too large: to the dead list, under no id. Settles
 * it. */
void bury_refused(struct job *job, const char *reason, const char *error);
/* It has failed for good, at `worker`: job->settle says so. Settles nothing. */
void bury_ended(struct job *job, const struct ending *ending,
		struct slice worker);
/* The same, in other words: why it lies in the dead list, for those who find it
 * there. `history` is empty, or a JSON array; NULL: none. */
void bury_as(struct job *job, const char *reason, struct slice error,
	     int64_t attempts, const struct buf *history);
/* A line of the log about bytes, or a task, that cannot run. */
void bury_log_refusal(const struct job *job, const char *reason,
		      struct slice error);

/* --- retry.c ----------------------------------------------------------- */

/* The task's counters as they came; each kind of retry raises its own. */
struct task_counters retry_counters(const struct task *t);
/* job->settle puts the same task back with other counters, due in delay_ms; as
 * it came when there is no memory for that. */
void retry_prepare(struct job *job, const struct task_counters *counters,
		   int64_t delay_ms);
/* Whether there is another attempt, and then prepares it. */
bool retry_if_left(struct job *job, const struct ending *ending);

/* --- outcome.c --------------------------------------------------------- */

void outcome_apply(struct job *job, const struct ending *ending);
/* It is to end, and does not run. */
void outcome_cancelled(struct job *job);
/* It is a step that is not to run, as its task says. */
void outcome_skipped(struct job *job);
/* Its claim is another worker's: nothing of it counts any more. One that is
 * NEW, or STORING, is dropped when the store that was asked answers. */
void outcome_lost(struct job *job);
/* As if it had never been claimed. */
void outcome_release(struct job *job);
/* To the front of its queue, marked as one that must run alone. */
void outcome_suspect(struct job *job);
/*
 * Like bury_refused(), for one that has an id (job->refused is set): its record
 * becomes failed, as far as `before` is not final. That is the record as it
 * was, or NULL if there is none, or none that can be read.
 */
void outcome_refused(struct job *job, const struct result *before);
/* Its final record is stored already: only the claim is left to settle. */
void outcome_recorded(struct job *job, const struct result *record);
/* The record of a job in passing or at its end; tells those who listen to events
 * of it. */
void outcome_record(const struct job *job, enum result_status status,
		    const struct ending *ending, const char *reason,
		    struct buf *out);

#endif
