/* SPDX-License-Identifier: MIT */
/*
 * Whether schedules fire as they should, and if not, why: for health, which
 * asks often, and for the doctor. Each question is answered by an index, or is
 * about some schedules only, however many there are.
 */
#ifndef MANAGER_SCHEDULES_CHECK_H
#define MANAGER_SCHEDULES_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schedules/health.h"
#include "schedules/schedules.h"

struct err;

/* Overdue schedules are counted up to this many. */
#define SCHEDULES_CHECK_MAX 100

struct schedules_check {
	/* The moment of all ages: by the database's clock where it has one. */
	int64_t now_us;
	/* This machine's clock minus the database's, if that is more than a
	 * second; 0. */
	int64_t off_us;
	size_t alive;	    /* schedulers */
	size_t overdue;	    /* up to SCHEDULES_CHECK_MAX */
	int64_t overdue_us; /* the longest, since when */
	char overdue_id[SCHEDULE_ID_MAX + 1];
	char why[160];	/* what holds them up, as a clause; "": nothing is known
			  to */
	size_t far;	/* next runs further away than their rules allow, of
			   those SCHEDULES_CHECK_MAX that are due last */
	int64_t far_us; /* the next run that is furthest away … */
	int64_t near_us; /* … and what its rule allows */
	char far_id[SCHEDULE_ID_MAX + 1];
};

/* `stats` are of all schedules, and of now. */
int schedules_check(struct schedules *db, const struct schedules_stats *stats,
		    struct schedules_check *ret, struct err *err);

/* The moment that the ages in `stats` count from; `wall_us`: this machine's. */
int64_t schedules_check_now(const struct schedules_stats *stats,
			    int64_t wall_us);
/* A scheduler lives: it was seen a short while ago, and not in the future. */
bool schedules_check_alive(const struct schedules_scheduler *one,
			   int64_t now_us);
/* How far in the future it was seen; 0: it was not. Then its clock was wrong
 * when it was, or this machine's is, where the database has none. */
int64_t schedules_check_ahead_us(const struct schedules_scheduler *one,
				 int64_t now_us);
/* The end of "the clock … is 3 s ahead of": whose clock ages count by. */
const char *schedules_check_whose(const struct schedules_stats *stats);

#endif
