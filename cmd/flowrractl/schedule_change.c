/* SPDX-License-Identifier: MIT */
/* The verbs that act on a schedule: enable, disable, delete and run. Schedulers
 * notice the change by themselves: the database tells them
 * (schedules_changed()). */
#include <stdio.h>

#include "flowrra/client.h"
#include "manager/schedule.h"
#include "schedule.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

#define US_PER_S 1e6

/* 0, or -1 with *err: ERR_NOT_FOUND for an ID that is not there. */
typedef int change_fn(struct schedules *db, const char *id, struct err *err);

/* Computes the next run from now on, since what was missed while the schedule
 * was disabled is not to be caught up. Between the two calls somebody may
 * change the schedule; its rule never changes, so that the answer stays right,
 * and one that was deleted is not found. */
static int
enable(struct schedules *db, const char *id, struct err *err)
{
	const int64_t now_us = clock_wall_us();
	char tz_data[TZ_VERSION_SIZE];
	struct schedules_list *found;
	struct schedule_next next;
	int status;

	if (schedules_get(db, id, &found, err) != 0)
		return -1;
	status = schedule_resume(&found->items[0], now_us, tz_data, &next, err);
	if (status == 0)
		status = schedules_enable(db, id, &next, now_us, err);
	schedules_list_free(found);
	return status;
}

static int
disable(struct schedules *db, const char *id, struct err *err)
{
	return schedules_disable(db, id, clock_wall_us(), err);
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

/* --- run --------------------------------------------------------------- */

/* From the units of schedules (microseconds) to those of requests (seconds). */
#define REQUESTED_INT(value) (int)(value)
#define REQUESTED_NUMBER(value) (value)
#define REQUESTED_SECONDS(value) (double)(value) / US_PER_S

/* The task as a scheduler would send it, but with an ID of its own: it is a run
 * of its own, not the fire of a moment, and must not collide with one. What the
 * schedule leaves unset stays so, for the task's module to say. */
static int
submit_now(struct ctl *ctl, const struct schedule *s)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;
	char id[FLOWRRA_ID_SIZE];
	int status;

	request.name = s->task;
	request.args = s->args;
	request.kwargs = s->kwargs;
	request.priority = s->priority;
	if (s->queue[0] != '\0')
		request.queue = s->queue;
#define TASK_SETTING(field, type, member, in_request, ...)                     \
	if (s->settings.member != TASK_UNSET)                                  \
		request.in_request = REQUESTED_##type(s->settings.member);
#include "core/task_options.def"
	if (s->expires_us > 0)
		request.expires_us = clock_wall_us() + s->expires_us;
	/* As a scheduler does: one with a queue goes there in any case. */
	request.force = request.queue != NULL;
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (flowrra_submit(ctl->client, &request, id, &error) != 0)
		return complain_of(ctl, &error);
	if (ctl->globals.json)
		print_json_line(
		    json_pack("{s:s,s:s}", "schedule", s->id, "id", id));
	else
		puts(id);
	return 0;
}

static int
run_run(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct schedules_list *found;
	struct err err = ERR_INIT;
	struct schedules *db;
	int status = 0;

	if ((db = open_schedules(ctl, false, &status)) == NULL)
		return status;
	if (schedules_get(db, argv[0], &found, &err) != 0) {
		status = complain_of_err(ctl, &err);
	} else {
		status = submit_now(ctl, &found->items[0]);
		schedules_list_free(found);
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
