/* SPDX-License-Identifier: MIT */
/* The verbs that act on schedules: enable, disable, delete and run. Schedulers
 * notice the change by themselves: the database tells them
 * (schedules_changed()). */
#include <stdio.h>

#include "gateway.h"
#include "manager/member.h"
#include "manager/schedules.h"
#include "result.h"
#include "schedule.h"
#include "submit.h"
#include "util/err.h"
#include "verb.h"
#include "workflow.h"

/* 0, or -1 with *err: ERR_NOT_FOUND for an ID that is not there. */
typedef int change_fn(struct schedules *db, const char *id, int64_t now_us,
		      struct err *err);

/* The schedule as it is now is of no use here. */
static int
done(json_t *schedule)
{
	json_decref(schedule);
	return schedule != NULL ? 0 : -1;
}

static int
enable(struct schedules *db, const char *id, int64_t now_us, struct err *err)
{
	return done(schedule_enable(db, id, now_us, err));
}

static int
disable(struct schedules *db, const char *id, int64_t now_us, struct err *err)
{
	return done(schedule_disable(db, id, now_us, err));
}

/* At any time. */
static int delete (struct schedules *db, const char *id, int64_t now_us,
		   struct err *err)
{
	return schedules_delete(db, id, err);
}

struct changing {
	struct schedules *db; /* NULL: by the gateway */
	const char *verb;
	int64_t now_us;
	change_fn *fn;
	const char *what;
	bool several;
};

/* One of `n`: says what was done if there are several, and in any case with
 * --json; `what` is then the member that becomes true. An ID that is refused has
 * a line with --json as well, so that a program can match lines with IDs. */
static int
change_one(struct ctl *ctl, const struct changing *c, const char *id)
{
	struct err err = ERR_INIT;
	int status = 0, r;

	r = c->db != NULL ? c->fn(c->db, id, c->now_us, &err)
			  : done(gateway_schedule_change(ctl->gateway, id,
							 c->verb, &err));
	if (r != 0) {
		status = complain_of_err(ctl, &err);
		print_if_json(ctl, json_pack("{s:o,s:i,s:o}", "id",
					     member_of_text(id), "code", status,
					     "error", member_of_text(err.msg)));
	} else if (ctl->globals.json) {
		print_json_line(json_pack("{s:s,s:b}", "id", id, c->what, 1));
	} else if (c->several) {
		printf("%s ", c->what);
		print_masked(id, 0);
		putchar('\n');
	}
	return status;
}

/* A schedule that is refused does not keep the others from it. The highest
 * status wins: one that needs somebody (77) is above one that is not there
 * (2). */
static int
change_each(struct ctl *ctl, int argc, char **argv, change_fn *fn,
	    const char *verb, const char *what)
{
	struct changing c = {
	    .fn = fn, .verb = verb, .what = what, .several = argc > 1};
	int status, one, i;

	if ((status = reach_schedules(ctl, false, &c.db)) != 0)
		return status;
	if (c.db != NULL)
		status = schedule_time(ctl, c.db, &c.now_us);
	for (i = 0; i < argc && (c.db == NULL || c.now_us != 0); i++)
		if ((one = change_one(ctl, &c, argv[i])) > status)
			status = one;
	schedules_close(c.db);
	return status;
}

static int
run_enable(struct ctl *ctl, int argc, char **argv, void *options)
{
	return change_each(ctl, argc, argv, enable, "enable", "enabled");
}

static int
run_disable(struct ctl *ctl, int argc, char **argv, void *options)
{
	return change_each(ctl, argc, argv, disable, "disable", "disabled");
}

static int
run_delete(struct ctl *ctl, int argc, char **argv, void *options)
{
	return change_each(ctl, argc, argv, delete, "delete", "deleted");
}

/* --- run ----------------------------------------------------------------- */

struct run_options {
	bool wait;
	double wait_timeout_s;
};

/* -1: wait without end. */
static void
run_init(void *options)
{
	((struct run_options *)options)->wait_timeout_s = -1;
}

static int
print_run(struct ctl *ctl, const char *schedule, const char *id, bool flow,
	  const struct run_options *o)
{
	if (o->wait && flow && ctl->gateway != NULL) {
		complain(ctl, "workflow %s is running; --wait needs the store",
			 id);
		return err_exit_status(ERR_USAGE);
	}
	if (o->wait && flow)
		return workflow_wait(ctl, id, o->wait_timeout_s, false);
	if (o->wait)
		return print_when_finished(ctl, id, o->wait_timeout_s, false);
	if (ctl->globals.json)
		print_json_line(json_pack("{s:s,s:s}", "schedule", schedule,
					  flow ? "workflow" : "id", id));
	else
		puts(id);
	return 0;
}

static int
run_through_gateway(struct ctl *ctl, const char *schedule,
		    char id[FLOWRRA_ID_SIZE], bool *ret_flow)
{
	struct err err = ERR_INIT;
	json_t *answer =
	    gateway_schedule_change(ctl->gateway, schedule, "run", &err);
	const char *task = member_text(answer, "task_id");
	const char *flow = member_text(answer, "workflow");

	if (answer == NULL)
		return complain_of_err(ctl, &err);
	*ret_flow = flow != NULL;
	if (flow != NULL)
		task = flow;
	snprintf(id, FLOWRRA_ID_SIZE, "%s", task != NULL ? task : "");
	json_decref(answer);
	return 0;
}

/* The task gets an ID of its own: it is not a fire, and neither the history nor
 * the overlap of the schedule know of it. The database is closed before the task
 * is waited for: that may take hours. */
static int
run_run(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct run_options *o = options;
	char id[FLOWRRA_ID_SIZE];
	struct err err = ERR_INIT;
	struct flowrra_request traced = FLOWRRA_REQUEST_INIT;
	struct schedules *db;
	struct schedule_run run = {.id = argv[0]};
	int status = 0;
	bool flow = false;

	submit_take_trace(&traced);
	run.traceparent = traced.traceparent;
	run.tracestate = traced.tracestate;
	if (o->wait_timeout_s >= 0 && !o->wait) {
		complain(ctl, "--wait-timeout needs --wait");
		return err_exit_status(ERR_USAGE);
	}
	if ((status = ctl_open_all(ctl)) != 0 ||
	    (status = reach_schedules(ctl, false, &db)) != 0)
		return status;
	if (db == NULL)
		status = run_through_gateway(ctl, argv[0], id, &flow);
	else if (schedule_run(db, ctl->client, &run, id, &flow, &err) != 0)
		status = complain_of_err(ctl, &err);
	schedules_close(db);
	return status != 0 ? status : print_run(ctl, argv[0], id, flow, o);
}

#define OPTION(...) VERB_OPTION(struct run_options, 0, __VA_ARGS__)

static const struct option_spec run_options[] = {
    OPTION("wait", NULL, FLAG, wait, 0, 0, "wait and print the result"),
    OPTION("wait-timeout", "DURATION", SECONDS, wait_timeout_s, 0, 316224000,
	   "wait at most this long"),
};

/* --- verbs --------------------------------------------------------------- */

#define VERB(word, text)                                                       \
	const struct verb verb_schedule_##word = {                             \
	    .name = "schedule " #word,                                         \
	    .summary = (text),                                                 \
	    .usage = "ID...",                                                  \
	    .min_args = 1,                                                     \
	    .max_args = -1,                                                    \
	    .words = WORD_SCHEDULE,                                            \
	    .gateway = true,                                                   \
	    .run = run_##word,                                                 \
	}

VERB(enable, "Enable schedules, from now on");
VERB(disable, "Disable schedules");
VERB(delete, "Delete schedules");

const struct verb verb_schedule_run = {
    .name = "schedule run",
    .summary = "Submit a schedule's task or workflow now and print its ID",
    .usage = "ID [--wait] [--wait-timeout DURATION]",
    .options = run_options,
    .n_options = sizeof(run_options) / sizeof(run_options[0]),
    .options_size = sizeof(struct run_options),
    .init = run_init,
    .min_args = 1,
    .max_args = 1,
    .words = WORD_SCHEDULE,
    .gateway = true,
    .run = run_run,
};
