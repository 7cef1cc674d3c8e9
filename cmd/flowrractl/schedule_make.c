/* SPDX-License-Identifier: MIT */
/* The verbs that make schedules: cron, interval and once. They check everything
 * that can be checked before it is stored, since a schedule fires when nobody
 * looks: the rule and its first fire (manager/schedule.h), and whether a worker
 * has registered the task. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "flowrra/client.h"
#include "manager/schedule.h"
#include "manager/schedule_json.h"
#include "schedule.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

/* The form is filled by the table below; what is not given stays as
 * schedule_form_init() leaves it, and the scheduler or the module decides. */
struct make_options {
	struct schedule_form form;
	bool force;
};

/* force is false: calloc() has seen to it. */
static void
make_init(void *options)
{
	struct make_options *o = options;

	schedule_form_init(&o->form);
}

#define OPTION(...) VERB_OPTION(struct make_options, 0, __VA_ARGS__)

/* The first two are of expressions only; interval and once use the table from
 * the third on. Keep them at the beginning. */
#define N_CRON_OPTIONS 2
static const struct option_spec make_options[] = {
    OPTION("tz", "ZONE", TEXT, form.tz, 0, 0,
	   "the time zone, such as Europe/Berlin; UTC by default"),
    OPTION("day-match", "MATCH", TEXT, form.day_match, 0, 0,
	   "or: one of the two day fields must match (the default); and: both"),
    OPTION("args", "JSON", TEXT, form.args, 0, 0,
	   "positional arguments of the task, a JSON array"),
    OPTION("kwargs", "JSON", TEXT, form.kwargs, 0, 0,
	   "keyword arguments of the task, a JSON object"),
    OPTION("queue", "QUEUE", TEXT, form.queue, 0, 0,
	   "the queue; the task's own by default"),
    OPTION("priority", "N", INT, form.priority, INT32_MIN, INT32_MAX,
	   "priority: lower numbers run first; 0 by default"),
#define TASK_SETTING(field, type, member, request, low, high, standard,        \
		     option, arg, help)                                        \
	OPTION(option, arg, type, form.request, low, high, help),
#include "core/task_options.def"
    OPTION("expires", "DURATION", SECONDS, form.expires_s, 0,
	   TASK_DURATION_MAX_S,
	   "do not start a task this long after its fire was queued; 0: no "
	   "limit (the default)"),
    OPTION("description", "TEXT", TEXT, form.description, 0, 0,
	   "a description"),
    OPTION("misfire", "POLICY", TEXT, form.misfire, 0, 0,
	   "which missed fires to run: skip (none), once (the latest; the "
	   "default), all"),
    OPTION("max-catchup", "N", INT, form.max_catchup, 0, INT32_MAX,
	   "with --misfire all, run at most N; 1000 by default, 0: no limit"),
    OPTION("grace", "DURATION", SECONDS, form.grace_s, 0, 316224000,
	   "drop a fire that is later than this"),
    OPTION("overlap", "POLICY", TEXT, form.overlap, 0, 0,
	   "skip: do not fire while the last task has not finished; allow (the "
	   "default)"),
    OPTION(
	"jitter", "DURATION", SECONDS, form.jitter_s, 0, 31622400,
	"fire up to this much later; the same fire always has the same jitter"),
    OPTION("start-at", "TIME", DEADLINE, form.start_us, 0, 0,
	   "do not fire before this time (or duration from now)"),
    OPTION("end-at", "TIME", DEADLINE, form.end_us, 0, 0,
	   "do not fire after this time (or duration from now)"),
    OPTION("max-runs", "N", INT, form.max_runs, 0, INT32_MAX,
	   "submit at most N tasks; 0: no limit"),
    OPTION("id", "ID", TEXT, form.id, 0, 0,
	   "the schedule's ID; a new UUID by default"),
    OPTION("disabled", NULL, FLAG, form.disabled, 0, 0,
	   "store the schedule disabled"),
    OPTION("force", NULL, FLAG, force, 0, 0,
	   "accept a task that no worker has registered"),
};
#define N_OPTIONS (sizeof(make_options) / sizeof(make_options[0]))

/* Whether a worker has registered the task: a typing error would only be found
 * when the schedule fires, at night. 0, or the exit status after a complaint.
 * That it is unknown is bad data here, not "not found": the schedule is what
 * was to be made. */
static int
check_task(struct ctl *ctl, const char *task)
{
	struct flowrra_error error;
	char *json;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (flowrra_registered(ctl->client, task, &json, &error) == 0) {
		flowrra_free(json);
		return 0;
	}
	if (error.code != FLOWRRA_NOT_FOUND)
		return complain_of(ctl, &error);
	complain(ctl, "%s (use --force to make the schedule anyway)",
		 error.message);
	return err_exit_status(ERR_DATA);
}

/* An identical schedule that was there is not an error, so that a deployment
 * can run the same line each time. Its next run is not known here, and null. */
static void
print_made(const struct ctl *ctl, const char *id, bool existing,
	   const struct schedule *s)
{
	if (ctl->globals.json)
		print_json_line(json_pack(
		    "{s:s,s:b,s:o}", "id", id, "existing", existing, "next_run",
		    existing ? json_null() : moment_json(s->next_run_us)));
	else
		puts(id);
}

static int
store_schedule(struct ctl *ctl, const struct schedule *s, int64_t now_us)
{
	char id[SCHEDULE_ID_MAX + 1];
	struct err err = ERR_INIT;
	struct schedules *db;
	bool existing;
	int status = 0;

	if ((db = open_schedules(ctl, false, &status)) == NULL)
		return status;
	if (schedules_create(db, s, now_us, id, &existing, &err) != 0) {
		status = complain_of_err(ctl, &err);
	} else {
		print_made(ctl, id, existing, s);
		if (existing)
			complain(
			    ctl,
			    "an identical schedule exists: %s; nothing changed",
			    id);
	}
	schedules_close(db);
	return status;
}

/* argv: the task, and the rule. The task's name is asked for last, since it
 * costs a connection. */
static int
make(struct ctl *ctl, enum schedule_type type, char **argv,
     const struct make_options *o)
{
	const int64_t now_us = clock_wall_us();
	struct err err = ERR_INIT;
	struct schedule_draft d;
	struct cron_fault fault;
	int status;

	if (schedule_draft(&o->form, type, argv[0], argv[1], now_us, &d, &fault,
			   &err) != 0)
		return complain_of_rule(ctl, argv[1], &fault, &err);
	if (!o->force && (status = check_task(ctl, argv[0])) != 0)
		return status;
	return store_schedule(ctl, &d.schedule, now_us);
}

static int
run_cron(struct ctl *ctl, int argc, char **argv, void *options)
{
	return make(ctl, SCHEDULE_CRON, argv, options);
}

static int
run_interval(struct ctl *ctl, int argc, char **argv, void *options)
{
	return make(ctl, SCHEDULE_INTERVAL, argv, options);
}

static int
run_once(struct ctl *ctl, int argc, char **argv, void *options)
{
	return make(ctl, SCHEDULE_ONCE, argv, options);
}

const struct verb verb_schedule_cron = {
    .name = "schedule cron",
    .summary = "Make a schedule from a cron expression and print its ID",
    .usage = "TASK EXPRESSION [OPTION...]",
    .options = make_options,
    .n_options = N_OPTIONS,
    .options_size = sizeof(struct make_options),
    .init = make_init,
    .min_args = 2,
    .max_args = 2,
    .words = WORD_TASK_NAME,
    .run = run_cron,
};

const struct verb verb_schedule_interval = {
    .name = "schedule interval",
    .summary = "Make a schedule that fires at an interval and print its ID",
    .usage = "TASK PERIOD [OPTION...]",
    .options = make_options + N_CRON_OPTIONS,
    .n_options = N_OPTIONS - N_CRON_OPTIONS,
    .options_size = sizeof(struct make_options),
    .init = make_init,
    .min_args = 2,
    .max_args = 2,
    .words = WORD_TASK_NAME,
    .run = run_interval,
};

const struct verb verb_schedule_once = {
    .name = "schedule once",
    .summary = "Make a schedule that fires once and print its ID",
    .usage = "TASK TIME|'in DURATION' [OPTION...]",
    .options = make_options + N_CRON_OPTIONS,
    .n_options = N_OPTIONS - N_CRON_OPTIONS,
    .options_size = sizeof(struct make_options),
    .init = make_init,
    .min_args = 2,
    .max_args = 2,
    .words = WORD_TASK_NAME,
    .run = run_once,
};
