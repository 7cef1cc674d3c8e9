/* SPDX-License-Identifier: MIT */
/* What the verbs about schedules have in common. */
#ifndef FLOWRRACTL_SCHEDULE_H
#define FLOWRRACTL_SCHEDULE_H

#include <stdbool.h>

struct cron_fault;
struct ctl;
struct err;
struct schedule;
struct schedule_fault;
struct schedules;

/* Opens the configured database; `reads`: to ask, which makes no file. NULL,
 * after a complaint, with the exit status; else close it with
 * schedules_close(). */
struct schedules *open_schedules(struct ctl *ctl, bool reads, int *ret_status);

/* Complains, and returns the exit status. With a fault, shows the place in the
 * expression. */
int complain_of_rule(struct ctl *ctl, const char *text,
		     const struct cron_fault *fault, const struct err *err);

/* The same of what a form says; `rule` may be NULL. With an unknown task, names
 * the option that accepts it. */
int complain_of_schedule(struct ctl *ctl, const char *rule,
			 const struct schedule_fault *fault,
			 const struct err *err);

/* Says what in an expression may not mean what its writer thinks. */
void warn_of_rule(struct ctl *ctl, const char *text);

#endif
