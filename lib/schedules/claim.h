/* SPDX-License-Identifier: MIT */
/*
 * What schedulers do with schedules: claims, the outbox, and when they are due
 * next. schedules.h says how the calls fit together.
 */
#ifndef SCHEDULES_CLAIM_H
#define SCHEDULES_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schedules/schedules.h"

struct err;
struct schedules_plan;

/* --- fires --------------------------------------------------------------- */

/* How late a fire may become a task, as its schedule says now. */
struct schedule_patience {
	bool known; /* the schedule is there */
	enum schedule_misfire misfire;
	int64_t grace_us, jitter_us;
	int64_t next_run_us; /* 0: none comes */
};

/* A fire in the outbox. */
struct schedule_fire {
	const char *schedule; /* its id */
	int64_t fire_us;      /* the moment of the rule, without jitter */
	const char *task_id;  /* schedule_fire_id() of the two */
	enum schedule_work work;
	const char *queue;
	int32_t priority;
	/* JSON: a task, as it goes to the broker; or a workflow (beat/flow_form.h). */
	const char *body;
	int64_t created_us;		   /* when it was claimed */
	struct schedule_patience patience; /* of schedules_unsent() alone */
};

/* Fires as an answer; schedules_fires_free(). */
struct schedules_fires {
	struct schedule_fire *items;
	size_t n;
};
void schedules_fires_free(struct schedules_fires *fires);

/* --- claims -------------------------------------------------------------- */

/*
 * What becomes of a claimed schedule. The callback finds `next` and `runs` as
 * they are and sets them as they shall be; strings are copied when it returns.
 */
struct schedule_verdict {
	struct schedule_next next; /* next_run_us 0: it fires no more */
	/* max_runs are used up with this claim's fires: what follows if some of
	 * them are in the outbox already, and so were counted before.
	 * next_run_us 0: nothing does. Its tz_data is that of `next`. */
	struct schedule_next unless_made;
	int64_t last_run_us;
	int64_t runs;	/* fires that are in the outbox already are taken off */
	bool unchanged; /* nothing of it is written but fires and skips */
	/* Fires that did not become tasks, to be added to its counters; at
	 * first 0. */
	int64_t skipped[SCHEDULE_N_REASONS];
	/* Not "" or NULL: set the schedule aside, for this reason. */
	const char *fault;
	struct schedules_plan *plan; /* for schedule_fire_add() */
};

/* Writes a fire of the schedule that the callback was called with; `task_id`,
 * `schedule` and `created_us` need not be filled. To be called from the
 * callback. 0, or -1 when memory runs out: the claim fails then. */
int schedule_fire_add(struct schedule_verdict *verdict,
		      const struct schedule_fire *fire);

/* Notes fires that do not become tasks, for people who look for them; `skipped`
 * counts them. 0, or -1 when memory runs out. */
int schedule_skip_add(struct schedule_verdict *verdict,
		      const struct schedule_skip *skip);

/* The fires of the schedule in hand that are in the outbox, sent or not, from
 * `from_us` on, at most `max`. To be called from the callback; costs a round
 * trip. Returns how many; after a failure 0, and the claim fails. */
size_t schedule_made(const struct schedule_verdict *verdict, int64_t from_us,
		     int64_t *ret_us, size_t max);

/* Decides about a schedule. The row is locked and a transaction open: be
 * quick, and make no call on the handle. Not called for schedules with bad
 * data: those are set aside. */
typedef void schedule_decide_fn(const struct schedule *schedule,
				struct schedule_verdict *verdict, void *arg);

struct schedules_claim {
	/*
	 * NULL: schedules that are due at now_us, the longest due first.
	 * Else: enabled ones whose tz_data is neither "" nor this one, to have
	 * their next run computed again, in the order of their ids; behind
	 * `after`, if that is not NULL.
	 */
	const char *tz_data;
	const char *after;
	/* Instead of both: all that are enabled and not set aside, as with tz_data. */
	bool all;
	/* Of what is due: zones ("Europe/Berlin,Asia/Kolkata") whose schedules
	 * are left alone; NULL: none. A zone in the rule does not count. */
	const char *lacks;
	int64_t now_us;
	size_t limit; /* 1 to 10,000 */
	schedule_decide_fn *decide;
	void *arg;
};

struct schedules_claimed {
	size_t n;	  /* schedules; fewer than `limit`: there are no more */
	size_t set_aside; /* of them, by bad data or a verdict */
	char last[SCHEDULE_ID_MAX + 1]; /* id of the last one */
	struct schedules_fires *fires;	/* that are new in the outbox */
};

/*
 * Claims schedules and writes what was decided of them, in one transaction.
 * Fires that are in the outbox already are left as they are and not returned.
 * On failure nothing is to be sent: if the commit was carried out all the same,
 * schedules_unsent() will show it. Callbacks may have been called then; they
 * will be again.
 */
int schedules_claim(struct schedules *s, const struct schedules_claim *claim,
		    struct schedules_claimed *ret, struct err *err);

/* --- the outbox ---------------------------------------------------------- */

/* Fires that are not marked and were claimed before `before_us`, the oldest
 * first, at most `limit` (1 to 10,000). */
int schedules_unsent(struct schedules *s, int64_t before_us, size_t limit,
		     struct schedules_fires **ret, struct err *err);

/* Marks fires: they are in their queue, or never will be. Those that are
 * marked, or gone, are passed over. */
struct schedule_mark {
	const char *schedule;
	int64_t fire_us;
	/* NULL: it was sent. Else: why it was refused, for good, in the queue's
	 * words; or the name of another reason. It is counted under that. */
	const char *refused;
};
int schedules_mark(struct schedules *s, const struct schedule_mark *marks,
		   size_t n, int64_t now_us, struct err *err);

/*
 * Removes fires that were marked before `before_us` and whose time was before
 * it, at most `limit`; and skipped ones and schedulers that were last seen
 * before it. *ret_n: how many fires went. schedules_pruned() knows how far.
 */
int schedules_prune(struct schedules *s, int64_t before_us, size_t limit,
		    size_t *ret_n, struct err *err);
/* Removes schedulers that were last seen after `after_us`: they have ended while
 * their clock was ahead, and would seem to live until then. */
int schedules_prune_future(struct schedules *s, int64_t after_us,
			   struct err *err);

/* Fires of times before this one may have been made and be forgotten; 0: none
 * is. Who makes such a fire may make it twice. */
int schedules_pruned(struct schedules *s, int64_t *ret_us, struct err *err);
/* Sets it: the clocks by which it was made were wrong. */
int schedules_set_pruned(struct schedules *s, int64_t us, struct err *err);

/*
 * Keeps of one schedule the last `keep` fires and the last `keep` notes of
 * skipped ones, and all fires that were not marked before `before_us`. The
 * schedule is the first with fires behind `id`, which becomes its id; "" when
 * there is none, to begin again.
 */
int schedules_thin(struct schedules *s, size_t keep, int64_t before_us,
		   char id[SCHEDULE_ID_MAX + 1], struct err *err);

/* --- what comes ---------------------------------------------------------- */

/* When the first schedule is due; INT64_MAX: none. Costs the same for one
 * schedule and for millions. */
int schedules_next_due(struct schedules *s, int64_t *ret_us, struct err *err);
/* The same of those that a claim with `lacks` finds. */
int schedules_next_due_but(struct schedules *s, const char *lacks,
			   int64_t *ret_us, struct err *err);

#endif
