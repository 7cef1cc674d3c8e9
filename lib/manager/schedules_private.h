/* SPDX-License-Identifier: MIT */
/* What the files that change schedules share. */
#ifndef MANAGER_SCHEDULES_PRIVATE_H
#define MANAGER_SCHEDULES_PRIVATE_H

#include <stddef.h>

#include <jansson.h>

struct err;
struct flowrra_client;
struct schedule_fault;
struct schedules;

/* Whether a worker has registered the task; ERR_DATA with `fault` filled if
 * not. */
int check_registered(struct flowrra_client *c, const char *task,
		     struct schedule_fault *fault, struct err *err);

/* A schedule as it is stored now: another program may have changed it since. NULL
 * with *err. */
json_t *schedule_stored(struct schedules *db, const char *id, struct err *err);

/* How many a page has if so many are asked for; 0: the usual number. */
size_t schedules_page_limit(size_t limit);

#endif
