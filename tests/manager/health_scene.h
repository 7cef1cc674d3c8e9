/* SPDX-License-Identifier: MIT */
/* What the tests of health and of the doctor share: the scene of a broker, with a
 * database of schedules, and what is said about both. */
#ifndef TESTS_MANAGER_HEALTH_SCENE_H
#define TESTS_MANAGER_HEALTH_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manager/scene.h"
#include "schedules/claim.h"
#include "schedules/health.h"
#include "schedules/schedules.h"

/* The schedules, in a file of the scene. */
extern struct schedules *health_db;

/* The fixture of a suite. */
void health_begin(void);
void health_end(void);

/* --- what there is ------------------------------------------------------- */

/* The ID is the rule, too, where a test needs one that can be read: "90s". */
void add_schedule(const char *id, int64_t due_us);
/* Its next run is what `us` says, whatever its rule says. */
void move_schedule(const char *id, int64_t us);
void add_scheduler(const char *id, int64_t seen_us, int64_t lag_us);
/* One that was seen just now, and what it says of itself. */
void add_state(const char *id, const char *state, int64_t clock_off_us,
	       const char *lacks);
/* Lets a scheduler decide on what is due: */
void decide(schedule_decide_fn *decide_one);
/* it is set aside; */
schedule_decide_fn set_aside;
/* or some fires were missed, and it is due again in an hour. */
schedule_decide_fn miss;
/* A worker of this version, which serves the queue io. */
void be_well(void);

/* Both stay what they are; only the URL is looked at, or cannot be opened. */
void set_broker_url(const char *url);
void set_database_url(const char *url);

/* --- what is said -------------------------------------------------------- */

enum { BROKER, BACKEND, WORKERS, DATABASE, SCHEDULERS, SCHEDULES, TASKS };
/* Of one component; the whole is not healthy if it is not. */
void component_is(size_t at, bool healthy, const char *message);
/* The doctor's findings, as "level about: what". */
const char *findings(void);

#endif
