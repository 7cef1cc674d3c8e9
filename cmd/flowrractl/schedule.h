/* SPDX-License-Identifier: MIT */
/* What the verbs about schedules have in common. */
#ifndef FLOWRRACTL_SCHEDULE_H
#define FLOWRRACTL_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "manager/schedule_apply.h"
#include "manager/schedule_zone.h"
#include "util/buf.h"

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

/* The same, or opens ctl->gateway, if this user may not open the database, and then
 * *ret is NULL. 0, or the exit status after a complaint. */
int reach_schedules(struct ctl *ctl, bool reads, struct schedules **ret);

/* schedules_now(), with a complaint if this machine's clock is another one: what
 * it was told in times from now may mean something else. 0, or the exit status
 * after a complaint. */
int schedule_time(struct ctl *ctl, struct schedules *db, int64_t *ret_us);

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

/* zone_choose() by the configuration, which is read only if it matters. */
int choose_zone(struct ctl *ctl, struct zone_words *words, const char *rule,
		const char **tz, struct err *err);

/* Reads the file of a workflow for a schedule, as it is stored, with a NUL. 0, or the
 * exit status after a complaint for each mistake. */
int schedule_flow_file(struct ctl *ctl, const char *path, struct buf *out);

/* --- files --------------------------------------------------------------- */

/* Whose mistakes are told; `arg` of schedule_tell(). */
struct schedule_source {
	struct ctl *ctl;
	const char *name;
	bool comment; /* what is done is printed behind "# " */
	int mistakes; /* so far */
};
schedule_tell_fn schedule_tell;

/* Makes the schedules those of the file, and prints what was done; apply->arg
 * is a struct schedule_source. The exit
 * status. */
int schedule_apply_file(struct ctl *ctl, struct schedule_file *file,
			struct schedule_apply *apply);

#endif
