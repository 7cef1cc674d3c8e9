/* SPDX-License-Identifier: MIT */
/* The verbs that act on a schedule: enable, disable, delete and run. Schedulers
 * notice the change by themselves: the database tells them
 * (schedules_changed()). */
#include <stdio.h>

#include "manager/schedules.h"
#include "schedule.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

/* 0, or -1 with *err: ERR_NOT_FOUND for an ID that is not there. */
typedef int change_fn(struct schedules *db, const char *id, struct err *err);

/* The schedule as it is now is of no use here. */
static int
done(json_t *schedule)
{
	json_decref(schedule);
	return schedule != NULL ? 0 : -1;
}

static int
enable(struct schedules *db, const char *id, struct err *err)
{
	return done(schedule_enable(db, id, clock_wall_us(), err));
}

static int
disable(struct schedules *db, const char *id, struct err *err)
{
	return done(schedule_disable(db, id, clock_wall_us(), err));
}

/* Prints nothing but with --json; `what` is then the member that becomes true.
 */
static int
change_schedule(struct ctl *ctl, const char *id, change_fn *fn,
		const char *what)
{
	struct err err = ERR_INIT;
	struct schedules *db;
	int status = 0;

	if ((db = open_schedules(ctl, false, &status)) == NULL)
		return status;
	if (fn(db, id, &err) != 0)
		status = complain_of_err(ctl, &err);
	else if (ctl->globals.json)
		print_json_line(json_pack("{s:s,s:b}", "id", id, what, 1));
	schedules_close(db);
	return status;
}

static int
run_enable(struct ctl *ctl, int argc, char **argv, void *options)
{
	return change_schedule(ctl, argv[0], enable, "enabled");
}

static int
run_disable(struct ctl *ctl, int argc, char **argv, void *options)
{
	return change_schedule(ctl, argv[0], disable, "disabled");
}

static int
run_delete(struct ctl *ctl, int argc, char **argv, void *options)
{
	return change_schedule(ctl, argv[0], schedules_delete, "deleted");
}

/* The task gets an ID of its own: it is not a fire, and neither the history nor
 * the overlap of the schedule know of it. */
static int
run_run(struct ctl *ctl, int argc, char **argv, void *options)
{
	char id[FLOWRRA_ID_SIZE];
	struct err err = ERR_INIT;
	struct schedules *db;
	int status = 0;

	if ((db = open_schedules(ctl, false, &status)) == NULL)
		return status;
	if ((status = ctl_open_all(ctl)) == 0) {
		if (schedule_run(db, ctl->client, argv[0], NULL, id, &err) != 0)
			status = complain_of_err(ctl, &err);
		else if (ctl->globals.json)
			print_json_line(json_pack("{s:s,s:s}", "schedule",
						  argv[0], "id", id));
		else
			puts(id);
	}
	schedules_close(db);
	return status;
}

#define VERB(word, text)                                                       \
	const struct verb verb_schedule_##word = {                             \
	    .name = "schedule " #word,                                         \
	    .summary = (text),                                                 \
	    .usage = "ID",                                                     \
	    .min_args = 1,                                                     \
	    .max_args = 1,                                                     \
	    .words = WORD_SCHEDULE,                                            \
	    .run = run_##word,                                                 \
	}

VERB(enable, "Enable a schedule, from now on");
VERB(disable, "Disable a schedule");
VERB(delete, "Delete a schedule");
VERB(run, "Submit a schedule's task now and print the task ID");
