/* SPDX-License-Identifier: MIT */
/*
 * Fires that are too late to be sent.
 *
 * Whether such a fire is queued may be unknown: its answer was lost, or its
 * scheduler died before it marked it. The record is made before the task, or in one
 * step with it. So a fire without a record is not queued, and one with a record is
 * not if no list of the store has its task. Any other fire is sent once more, and
 * the broker refuses it if the task is there.
 */
#include "beat/late.h"

#include <stdlib.h>
#include <string.h>

#include "beat/lookup.h"
#include "beat/outbox.h"
#include "beat/plan.h"
#include "beat/state.h"
#include "schedules/claim.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* Judged at a time: their answers are good for a second. */
#define LATE_MAX 1000

/* As plan_make() judges what is still to be claimed; a jitter counts as the
 * longest that it can be. */
enum schedule_reason
late_reason(const struct schedule_fire *fire, int64_t now_us)
{
	const struct schedule_patience *p = &fire->patience;
	const int64_t late_us = now_us - fire->fire_us - p->jitter_us;

	if (!p->known)
		return SCHEDULE_N_REASONS;
	if (p->grace_us != SCHEDULE_UNSET && late_us > p->grace_us)
		return SCHEDULE_LATE;
	if (late_us <= PLAN_ON_TIME_US)
		return SCHEDULE_N_REASONS;
	if (p->misfire == SCHEDULE_SKIP && p->grace_us == SCHEDULE_UNSET)
		return SCHEDULE_MISFIRE;
	if (p->misfire == SCHEDULE_LATEST && p->next_run_us != 0 &&
	    p->next_run_us + p->jitter_us <= now_us)
		return SCHEDULE_MERGED;
	return SCHEDULE_N_REASONS;
}

enum late_verdict { LATE_SEND, LATE_DROP, LATE_UNKNOWN };

static enum late_verdict
judge_late(struct beat *b, const struct schedule_fire *fire,
	   enum schedule_reason reason)
{
	enum lookup_state state;
	enum fate fate;

	if (reason == SCHEDULE_N_REASONS)
		return LATE_SEND;
	state = fire->work == SCHEDULE_WORKFLOW
		    ? lookup_flow(b->lookup, fire->task_id, &fate)
		    : lookup_fate(b->lookup, fire->task_id, &fate);
	if (state != LOOKUP_KNOWN || fate == FATE_MISSING)
		return LATE_UNKNOWN;
	/* A backend of its own has the record, and the broker not the task. */
	if (fate == FATE_LOST)
		results_forget(
		    b->results,
		    &(struct slice){fire->task_id, strlen(fire->task_id)}, 1);
	return fate == FATE_NO_RECORD || fate == FATE_LOST ? LATE_DROP
							   : LATE_SEND;
}

/* People look for the reason why a task did not run. */
static void
note_late(const struct schedule_fire *fire, enum schedule_reason reason,
	  struct schedule_mark *mark)
{
	const struct log_subject about = {.schedule = fire->schedule,
					  .task_id = fire->task_id,
					  .queue = fire->queue};

	log_about(LOG_LEVEL_info, &about, "fire %s not run: %s", fire->task_id,
		  schedule_reason_text(reason));
	*mark = (struct schedule_mark){.schedule = fire->schedule,
				       .fire_us = fire->fire_us,
				       .refused = schedule_reason_name(reason)};
}

int
late_drop(struct beat *b, struct schedules_fires *fires, bool old,
	  bool *ret_unknown, struct err *err)
{
	struct schedule_mark *marks = calloc(LATE_MAX, sizeof(*marks));
	const int64_t now_us = watch_now_us(b);
	size_t i, kept = 0, n_marks = 0, judged = 0;
	enum schedule_reason reason;
	enum late_verdict verdict;
	int result = 0;

	if (marks == NULL)
		return err_nomem(err);
	*ret_unknown = false;
	for (i = 0; i < fires->n; i++) {
		reason = old && !outbox_is_old(&fires->items[i], now_us)
			     ? SCHEDULE_N_REASONS
			     : late_reason(&fires->items[i], now_us);
		verdict = LATE_UNKNOWN;
		if (reason == SCHEDULE_N_REASONS || judged++ < LATE_MAX)
			verdict = judge_late(b, &fires->items[i], reason);
		if (verdict == LATE_DROP)
			note_late(&fires->items[i], reason, &marks[n_marks++]);
		else if (verdict == LATE_SEND)
			fires->items[kept++] = fires->items[i];
		else
			*ret_unknown = true;
	}
	if (n_marks > 0)
		result = schedules_mark(b->db, marks, n_marks, now_us, err);
	fires->n = kept;
	free(marks);
	return result;
}
