/* SPDX-License-Identifier: MIT */
/* Whether the whole works, at a glance. */
#ifndef MANAGER_HEALTH_H
#define MANAGER_HEALTH_H

#include <stdbool.h>

#include <jansson.h>

struct err;
struct flowrra_client;

/*
 * Looks at each component: an array of
 *	{"component": "broker" | "backend" | "workers" | "scheduler_database" |
 *	 "schedulers" | "schedules" | "tasks", "healthy": true, "message": "…"}
 * in that order. NULL without memory.
 */
json_t *health_check(struct flowrra_client *c);
/* Whether all of them are healthy. */
bool health_is_good(const json_t *components);

/* Whether broker and backend answer, a short question each: 0, or -1 with *err. */
int health_ping(struct flowrra_client *c, struct err *err);

/* A scheduler that has said nothing for so long is not there any more. */
#define HEALTH_SCHEDULER_LIFE_US INT64_C(30000000)
/* A next run that is further away than its rule allows by this much: no edit and
 * no clock that differs a little makes that. */
#define HEALTH_FAR_US INT64_C(86400000000)
/* A lag to be complained of, and how far in the future nobody is seen. */
#define HEALTH_LAG_US INT64_C(5000000)

#endif
