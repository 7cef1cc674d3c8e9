/* SPDX-License-Identifier: MIT */
/*
 * Fires whose schedule's last task, or workflow, has not finished: skipped
 * (plan.c), or in its place (overlap=replace). What is said here of tasks is true
 * of workflows.
 *
 * For a replacement the last task is cancelled before the fire is claimed: who
 * dies in between leaves a schedule that is due, and a task that has ended or
 * will be cancelled once more. Only one task is ever cancelled for a fire, the
 * last one by its id; so two schedulers that do it at the same time do it once.
 */
#include "beat/overlap.h"

#include "beat/outbox.h"
#include "beat/replace.h"
#include "beat/rule.h"
#include "beat/state.h"
#include "util/conf.h"
#include "util/log.h"

/* A task may be enqueued this long after its fire, by another scheduler: until
 * then it has no record and is not finished all the same. Twice OUTBOX_OLD_US,
 * after which another scheduler sends it, and some time to do so. */
#define HANDOVER_US INT64_C(5000000)
/* How soon a fire that waits for such a task is due again. */
#define COMING_US INT64_C(100000)
/* A fire that waits is claimed later than it says, on a busy machine. */
#define MARGIN_US INT64_C(1000000)

/* Records expire: a task with none has finished, unless it is so young that it may
 * not be queued yet. */
static enum overlap_last
without_record(const struct beat *b, const struct schedule *s)
{
	const int64_t age_us = b->now_us - s->last_run_us;
	const int64_t ttl_us = b->opt.conf->backend.ttl;

	return age_us >= 0 && age_us < HANDOVER_US &&
		       (ttl_us == 0 || age_us < ttl_us)
		   ? OVERLAP_COMING
		   : OVERLAP_NONE;
}

static bool
is_over(enum fate fate)
{
	return fate == FATE_FINISHED || fate == FATE_LOST;
}

/* What cannot be told is asked once more a little later, when the schedule is due
 * again; a task that is to be replaced is cancelled all the same. */
enum lookup_state
overlap_ask(struct beat *b, const struct schedule *s, enum overlap_last *ret)
{
	const bool replace = s->overlap == SCHEDULE_OVERLAP_REPLACE;
	enum fate fate = FATE_UNFINISHED;
	char id[SCHEDULE_TASK_ID_SIZE];
	enum lookup_state state;

	*ret = OVERLAP_NONE;
	if (s->overlap == SCHEDULE_OVERLAP_ALLOW || s->last_run_us == 0)
		return LOOKUP_KNOWN;
	schedule_fire_id(s->id, schedule_work(s), s->last_run_us, id);
	if (schedule_work(s) == SCHEDULE_WORKFLOW)
		state = lookup_flow(b->lookup, id, &fate);
	else
		state = replace ? lookup_record(b->lookup, id, &fate)
				: lookup_fate(b->lookup, id, &fate);
	if (state == LOOKUP_NOTED)
		return state;
	if (state == LOOKUP_KNOWN && fate == FATE_NO_RECORD)
		*ret = without_record(b, s);
	else if (state == LOOKUP_KNOWN && is_over(fate))
		*ret = OVERLAP_NONE;
	else if (replace || (state == LOOKUP_KNOWN && fate == FATE_UNFINISHED))
		*ret = OVERLAP_RUNNING;
	else
		return LOOKUP_FAILED;
	return LOOKUP_KNOWN;
}

/* Whether the plan would be another one then, without a task: the misfire policy
 * or the grace would drop the fire. */
static bool
is_lost_in(struct beat *b, const struct schedule *s, const struct rule *r,
	   int64_t wait_us)
{
	plan_make(s, r, b->now_us + wait_us + MARGIN_US, false, &b->later);
	return b->later.n_fires == 0;
}

static void
log_not_waited(const struct schedule *s, const char *id)
{
	const struct log_subject about = {.schedule = s->id, .task_id = id};

	log_about(LOG_LEVEL_warning, &about,
		  "%s %s may not be queued yet, and the later fire of its "
		  "schedule cannot wait: both may run",
		  schedule_work_name(schedule_work(s)), id);
}

int64_t
overlap_wait(struct beat *b, const struct schedule *s, const struct rule *r,
	     const char *queue, enum overlap_last last)
{
	char id[SCHEDULE_TASK_ID_SIZE];
	const struct replace_task task = {.schedule = s->id,
					  .id = id,
					  .queue = queue,
					  .work = schedule_work(s)};
	int64_t wait_us = COMING_US;

	if (s->overlap != SCHEDULE_OVERLAP_REPLACE || last == OVERLAP_NONE ||
	    b->plan.n_fires == 0)
		return 0;
	schedule_fire_id(s->id, schedule_work(s), s->last_run_us, id);
	if (last == OVERLAP_RUNNING)
		wait_us = replace_wait(b->replace, &task);
	if (wait_us == 0 || !is_lost_in(b, s, r, wait_us))
		return wait_us;
	if (last == OVERLAP_COMING)
		log_not_waited(s, id);
	else
		replace_give_up(b->replace, &task);
	return 0;
}
