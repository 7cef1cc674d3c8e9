/* SPDX-License-Identifier: MIT */
/* What the files that change schedules share. */
#ifndef MANAGER_SCHEDULES_PRIVATE_H
#define MANAGER_SCHEDULES_PRIVATE_H

#include <stddef.h>

struct err;
struct flowrra_client;
struct schedule_fault;

/* Whether a worker has registered the task; ERR_DATA with `fault` filled if
 * not. */
int check_registered(struct flowrra_client *c, const char *task,
		     struct schedule_fault *fault, struct err *err);

/* How many a page has if so many are asked for; 0: the usual number. */
size_t schedules_page_limit(size_t limit);

#endif
