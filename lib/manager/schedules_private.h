/* SPDX-License-Identifier: MIT */
/* What the files that change schedules share. */
#ifndef MANAGER_SCHEDULES_PRIVATE_H
#define MANAGER_SCHEDULES_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct err;
struct flowrra_client;
struct schedule;
struct schedule_fault;
struct schedules;

/* Whether a worker has registered the task; ERR_DATA with `fault` filled if
 * not. */
int check_registered(struct flowrra_client *c, const char *task,
		     struct schedule_fault *fault, struct err *err);
/* The same of what its fires become: its task, or the steps of its workflow. */
int check_runnable(struct flowrra_client *c, const struct schedule *schedule,
		   struct schedule_fault *fault, struct err *err);

/* Whether its fires become something else than before; if not, nobody is asked. */
bool makes_another(const struct schedule *old, const struct schedule *now);

/* A schedule as it is stored now: another program may have changed it since. NULL
 * with *err. */
json_t *schedule_stored(struct schedules *db, const char *id, struct err *err);

/* How many a page has if so many are asked for; 0: the usual number. */
size_t schedules_page_limit(size_t limit);

#endif
