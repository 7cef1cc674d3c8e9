/* SPDX-License-Identifier: MIT */
/*
 * What tests of people's schedules share: a database, schedules in it, and a
 * scheduler that fires when it is told to.
 */
#ifndef TESTS_MANAGER_PLANNER_H
#define TESTS_MANAGER_PLANNER_H

#include <jansson.h>

#include "manager/schedules.h"
#include "schedules/world.h"

/* 2026-11-23T12:00:00Z, a Monday. */
#define PLANNER_NOON_US INT64_C(1795435200000000)
#define S INT64_C(1000000)
#define PLANNER_HOUR_US (3600 * S)

struct planner {
	struct world w; /* the test opens and closes it */
	struct schedule_fault fault;
	/* What planner_claim() has fired, the last 64. */
	int n_fired;
	int64_t fired_us[64];
};
extern struct planner planner;

/* Creates a schedule at noon. */
void planner_make(const char *id, const char *type, const char *rule,
		  const char *tz);
/* Claims what is due, as the scheduler decides, by the plan; and sends it. */
void planner_claim(int64_t now_us);

/* schedule_fires(), and nobody is asked about the tasks. */
json_t *planner_fires(const char *id, const char *cursor, size_t limit);

/* A member of a JSON value as text; good until the next call but three. */
const char *planner_member(const json_t *json, const char *name);
/* "a b c": that member of the items; good until the next call. */
const char *planner_column(const json_t *answer, const char *name);

#endif
