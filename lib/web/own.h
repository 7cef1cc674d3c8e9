/* SPDX-License-Identifier: MIT */
/* What a submitter may have: which tasks, and how many, with their schedules. */
#ifndef WEB_OWN_H
#define WEB_OWN_H

#include <stdbool.h>
#include <stddef.h>

struct conf;
struct err;
struct schedules;
struct web_call;

/* Whether [web] submit_tasks has a task of that name, which may be NULL. */
bool own_permits(const struct conf *conf, const char *name);
/* ERR_REFUSED, with 403. */
int own_refuse_task(struct web_call *call, const char *name, struct err *err);
/* Room for one unfinished task more, which is noted: 0, or -1 with *err (ERR_FULL). */
int own_take_task(struct web_call *call, const char *id, struct err *err);

/* How many schedules the submitter has; it stops counting at submit_max. */
int own_count_schedules(struct web_call *call, struct schedules *db,
			size_t *ret_n, struct err *err);
/* Room for one schedule more. */
int own_take_schedule(struct web_call *call, struct schedules *db,
		      struct err *err);
/* Counts them again, after one has gone, or was not made. */
void own_recount_schedules(struct web_call *call, struct schedules *db);

#endif
