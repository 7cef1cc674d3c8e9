/* SPDX-License-Identifier: MIT */
/* The verbs that make schedules: cron, interval and once. They check everything
 * that can be checked before it is stored, since a schedule fires when nobody
 * looks: the rule and its first fire (manager/schedule.h), and whether a worker
 * has registered the task. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "manager/member.h"
#include "manager/schedule_json.h"
#include "manager/schedules.h"
#include "schedule.h"
#include "submit.h"
#include "util/err.h"
#include "verb.h"

/* The form is filled by the table below; what is not given stays as
 * schedule_form_init() leaves it, and the scheduler or the module decides. */
struct make_options {
	struct schedule_form form;
	bool disabled;
};

/* disabled is false: calloc() has seen to it. */
static void
make_init(void *options)
{
	struct make_options *o = options;

	schedule_form_init(&o->form);
}

#define OPTION(...) VERB_OPTION(struct make_options, 0, __VA_ARGS__)

#define FIELD(field, type, member, stored, as, low, high, option, arg, help)   \
	OPTION(option, arg, type, form.member, low, high, help),
#define SETTING(field, type, member, stored, low, high, option, arg, help)     \
	OPTION(option, arg, type, form.member, low, high, help),
#define JSON_FIELD(field, kind, member, stored, option, arg, help)             \
	OPTION(option, arg, TEXT, form.member, 0, 0, help),
#define NOTE(field, member, stored, option, arg, help)                         \
	OPTION(option, arg, TEXT, form.member, 0, 0, help),
#define NEW(field, type, member, option, arg, help)                            \
	OPTION(option, arg, type, form.member, 0, 0, help),
#define OTHERS                                                                 \
	OPTION("disabled", NULL, FLAG, disabled, 0, 0,                         \
	       "store the schedule disabled"),                                 \
	    OPTION("force", NULL, FLAG, form.force, 0, 0,                      \
		   "accept a task that no worker has registered")

/* Those of expressions come first; interval uses the table from behind them
 * on. */
static const struct option_spec make_options[] = {
#define SCHEDULE_FIELD FIELD
#define SCHEDULE_SETTING SETTING
#define SCHEDULE_JSON_FIELD JSON_FIELD
#define SCHEDULE_NOTE NOTE
#define SCHEDULE_NEW NEW
#include "manager/schedule.def"
    OTHERS,
};
#define N_OPTIONS (sizeof(make_options) / sizeof(make_options[0]))
enum {
#define SCHEDULE_CRON_FIELD(field, ...) CRON_OPTION_##field,
#include "manager/schedule.def"
	N_CRON_OPTIONS
};

/* A moment is by the clock of a zone, too. */
static const struct option_spec once_options[] = {
#define SCHEDULE_CRON_FIELD(...)
#define SCHEDULE_ZONE_FIELD FIELD
#define SCHEDULE_FIELD FIELD
#define SCHEDULE_SETTING SETTING
#define SCHEDULE_JSON_FIELD JSON_FIELD
#define SCHEDULE_NOTE NOTE
#define SCHEDULE_NEW NEW
#include "manager/schedule.def"
    OTHERS,
};

/* An identical schedule that was there is not an error, so that a deployment
 * can run the same line each time. Its next run is not known here, and null. */
static void
print_made(struct ctl *ctl, const char *id, bool existing, int64_t next_us)
{
	if (ctl->globals.json)
		print_json_line(json_pack("{s:s,s:b,s:o}", "id", id, "existing",
					  existing, "next_run",
					  moment_json(next_us)));
	else
		puts(id);
	if (existing)
		complain(ctl,
			 "an identical schedule exists: %s; nothing changed",
			 id);
}

/* The server checks all of it, and knows the default zone. */
static int
make_through_gateway(struct ctl *ctl, const struct schedule_form *form)
{
	struct err err = ERR_INIT;
	bool existing = false;
	json_t *made =
	    gateway_schedule_make(ctl->gateway, form, &existing, &err);

	if (made == NULL)
		return complain_of_err(ctl, &err);
	print_made(ctl, member_text(made, "id"), existing,
		   existing ? 0 : member_time_us(made, "next_run"));
	if (!existing)
		tell_moment(ctl, "next run", member_time_us(made, "next_run"));
	warn_of_rule(ctl, form->rule);
	json_decref(made);
	return 0;
}

/* With --force the broker is not asked, and may be down: only the database is
 * needed then. */
static int
reach_stores(struct ctl *ctl, bool force)
{
	const int status = force ? 0 : ctl_open_all(ctl);

	return status != 0 ? status : ctl_reach_schedules(ctl);
}

/* argv: the task, and the rule. */
static int
make_form(struct ctl *ctl, const char *type, char **argv,
	  struct make_options *o)
{
	struct schedule_declared declared;
	struct zone_words words = {.local = ""};
	struct schedule_fault fault;
	struct err err = ERR_INIT;
	struct schedules *db;
	int64_t now_us;
	int status = 0;

	o->form.type = type;
	o->form.task = argv[0];
	o->form.rule = argv[1];
	o->form.enabled = !o->disabled;
	if (o->form.traceparent == NULL)
		o->form.traceparent = submit_trace();
	if ((status = reach_stores(ctl, o->form.force)) != 0)
		return status;
	if (ctl->gateway != NULL)
		return make_through_gateway(ctl, &o->form);
	/* A period is the same in all zones. */
	if (strcmp(type, "interval") != 0 &&
	    choose_zone(ctl, &words, argv[1], &o->form.tz, &err) != 0)
		return complain_of_err(ctl, &err);
	if ((db = open_schedules(ctl, false, &status)) == NULL)
		return status;
	status = schedule_time(ctl, db, &now_us);
	if (status == 0 && schedule_declare(db, ctl->client, &o->form, now_us,
					    &declared, &fault, &err) != 0)
		status = complain_of_schedule(ctl, argv[1], &fault, &err);
	if (status == 0) {
		print_made(ctl, declared.id, declared.existing,
			   declared.next_us);
		tell_moment(ctl, "next run", declared.next_us);
		warn_of_rule(ctl, argv[1]);
	}
	schedules_close(db);
	return status;
}

/* A file of a workflow is checked before all else. */
static int
make(struct ctl *ctl, const char *type, char **argv, struct make_options *o)
{
	struct buf flow = BUF_INIT;
	int status = 0;

	if (o->form.workflow != NULL && o->form.workflow[0] != '\0') {
		status = schedule_flow_file(ctl, o->form.workflow, &flow);
		o->form.workflow = flow.data;
	}
	if (status == 0)
		status = make_form(ctl, type, argv, o);
	buf_done(&flow);
	return status;
}

static int
run_cron(struct ctl *ctl, int argc, char **argv, void *options)
{
	return make(ctl, "cron", argv, options);
}

static int
run_interval(struct ctl *ctl, int argc, char **argv, void *options)
{
	return make(ctl, "interval", argv, options);
}

static int
run_once(struct ctl *ctl, int argc, char **argv, void *options)
{
	return make(ctl, "once", argv, options);
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
    .gateway = true,
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
    .gateway = true,
    .run = run_interval,
};

const struct verb verb_schedule_once = {
    .name = "schedule once",
    .summary = "Make a schedule that fires once and print its ID",
    .usage = "TASK TIME|'in DURATION' [OPTION...]",
    .options = once_options,
    .n_options = sizeof(once_options) / sizeof(once_options[0]),
    .options_size = sizeof(struct make_options),
    .init = make_init,
    .min_args = 2,
    .max_args = 2,
    .words = WORD_TASK_NAME,
    .gateway = true,
    .run = run_once,
};
