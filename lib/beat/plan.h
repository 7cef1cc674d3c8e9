/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a schedule at a moment: which of its fires become tasks,
 * which do not and why, and when it is due again. A function of the schedule,
 * the moment, and whether its last task still runs; nothing else is looked at.
 */
#ifndef BEAT_PLAN_H
#define BEAT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schedules/schedules.h"

struct rule;

/*
 * A schedule none of whose fires is later than this was not left alone: it has
 * missed nothing, and all of them become tasks. If one is later, all that wait
 * are subject to its misfire policy.
 */
#define PLAN_ON_TIME_US INT64_C(5000000)

/* Clocks of people's machines are off a little: a change that was made within
 * this time after now is believed to be a change before. */
#define PLAN_EDIT_US INT64_C(60000000)
/* The most that is done in one go: a transaction is open. What is left is due
 * still. */
#define PLAN_FIRES_MAX 1000
#define PLAN_SCAN_MAX 100000
/* Runs of skipped fires that are told apart: each policy makes one or two. */
#define PLAN_SKIPS_MAX 16

struct plan {
	int64_t next_run_us, due_us; /* 0, 0: it fires no more */
	/* next_run_us is 0 since this plan has used max_runs up: what follows if
	 * some of its fires were made before. Its tz_data is NULL. */
	struct schedule_next unless_made;
	int64_t last_run_us, runs;
	int64_t skipped[SCHEDULE_N_REASONS];
	/* The same, as runs of fires with no other one in between. */
	size_t n_skips;
	struct schedule_skip skips[PLAN_SKIPS_MAX];
	/* When the first of the fires was due that was not missed; 0: none. */
	int64_t first_due_us;
	size_t n_fires;
	int64_t fires[PLAN_FIRES_MAX];
};

/*
 * Fires are handled in their order, one after the other, from next_run_us on:
 *
 *	later than `grace`	    LATE, whatever the policy
 *	misfire=all		    all, but only the last `max_catchup` missed
 *				    ones; CATCHUP
 *	misfire=once		    of those that wait the last; MERGED
 *	misfire=skip		    none but the last, if it is not later than
 *				    `grace` (none given: PLAN_ON_TIME_US);
 *				    MISFIRE
 *	overlap=skip		    none while `busy`, or one of this plan;
 *				    OVERLAP
 *	overlap=replace		    of those of this plan the last; REPLACED
 *
 * After max_runs tasks there are no more fires. What follows a fire of the rule
 * before (rule_us) is the first fire of the rule that holds now.
 */
void plan_make(const struct schedule *s, const struct rule *r, int64_t now_us,
	       bool busy, struct plan *ret);

#endif
