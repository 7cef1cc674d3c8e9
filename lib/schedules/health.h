/* SPDX-License-Identifier: MIT */
/* What schedulers say of themselves, and figures: for people. */
#ifndef SCHEDULES_HEALTH_H
#define SCHEDULES_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include "schedules/schedules.h"

struct err;

/* What a scheduler says of itself. */
struct schedules_scheduler {
	const char *id; /* stable: another process with it takes its place */
	const char *host;
	int64_t pid;
	int64_t started_us;
	int64_t seen_us;
	int64_t lag_us;	    /* enqueued - due, of the latest fire */
	int64_t max_lag_us; /* of a while, as the scheduler likes */
	int64_t fires;	    /* since it was started */
	/* Its clock minus the database's, where it does not claim for that; 0:
	 * they agree, or the database has none. seen_us is by the database's. */
	int64_t clock_off_us;
	/* Why it claims nothing, a SCHEDULES_STATE_; "": it does. */
	const char *state;
	const char *lacks; /* time zones it has no data of, as in a claim */
};
/* `disabled`: its configuration says so. `broker`: that is out of reach.
 * `clock`: its own is wrong. */
#define SCHEDULES_STATE_DISABLED "disabled"
#define SCHEDULES_STATE_BROKER "broker"
#define SCHEDULES_STATE_CLOCK "clock"

/* Writes down that a scheduler lives. */
int schedules_beat(struct schedules *s,
		   const struct schedules_scheduler *scheduler,
		   struct err *err);
/* It ends. */
int schedules_farewell(struct schedules *s, const char *id, struct err *err);

struct schedules_stats {
	int64_t schedules, enabled, set_aside;
	int64_t due;	/* at now_us */
	int64_t unsent; /* fires in the outbox that are not marked */
	int64_t oldest_unsent_us;
	int64_t pruned_us;   /* schedules_pruned() */
	int64_t clock_us;    /* the database's, see schedules_clock() */
	int64_t next_due_us; /* INT64_MAX: none */
	int64_t runs;
	/* Of all schedules that there are, or of one. */
	int64_t skipped[SCHEDULE_N_REASONS];
	int64_t last_skipped_us[SCHEDULE_N_REASONS];
	struct schedules_scheduler *schedulers; /* in the order of their ids */
	size_t n_schedulers;
};
/* Figures for people; counts what is there, so do not ask in a loop. `id`:
 * of one schedule only, or NULL. */
int schedules_stats(struct schedules *s, const char *id, int64_t now_us,
		    struct schedules_stats **ret, struct err *err);
void schedules_stats_free(struct schedules_stats *stats);

#endif
