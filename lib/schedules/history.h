/* SPDX-License-Identifier: MIT */
/* What has fired, and what did not and why: for people. */
#ifndef SCHEDULES_HISTORY_H
#define SCHEDULES_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "schedules/schedules.h"

struct err;

enum schedule_outcome {
	SCHEDULE_UNSENT,  /* it is in the outbox */
	SCHEDULE_SENT,	  /* its task was put into its queue */
	SCHEDULE_MISSED,  /* see SCHEDULE_REASONS */
	SCHEDULE_SKIPPED, /* likewise */
	SCHEDULE_N_OUTCOMES
};
/* "unsent", "sent", "missed", "skipped" */
const char *schedule_outcome_name(enum schedule_outcome outcome);

/* A fire that was; or several in a row that did not become tasks. */
struct schedule_past {
	int64_t fire_us, last_us, n;
	enum schedule_outcome outcome;
	const char *task_id; /* "": no task */
	int64_t sent_us;     /* or when it was noted that it is not; 0 */
	const char *reason;  /* of SCHEDULE_REASONS; "": it was sent */
	const char *refused; /* what the queue said; "" */
};
struct schedules_history {
	struct schedule_past *items;
	size_t n;
};
/* What is kept of the fires of a schedule before `before_us` (INT64_MAX: all),
 * the latest first, at most `limit` (1 to 10,000). Of a schedule that is not
 * there too, as long as its fires are kept. */
int schedules_history(struct schedules *s, const char *id, int64_t before_us,
		      size_t limit, struct schedules_history **ret,
		      struct err *err);
void schedules_history_free(struct schedules_history *history);

/* How many fires of one schedule became no tasks since it was made. */
int schedules_skipped(struct schedules *s, const char *id,
		      int64_t ret[SCHEDULE_N_REASONS], struct err *err);

#endif
