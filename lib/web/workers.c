/* SPDX-License-Identifier: MIT */
/*
 * Routes of the workers: how they are, and commands to one.
 *
 * A worker describes itself in its heartbeat, and that is all that is known of it:
 * a command is published, and whether it was obeyed is seen in a later heartbeat.
 * A worker whose heartbeat has expired is "dead", and stays listed until another
 * one has taken its tasks over.
 */
#include "web/workers.h"

#include <string.h>

#include "manager/member.h"
#include "manager/tasks.h"
#include "manager/workers.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/sat.h"
#include "web/lists.h"

#define US_PER_S 1e6
/* A worker loads its modules within some seconds; a page waits that long. */
#define RELOAD_TIMEOUT_S 8.0
/* Running tasks of one worker that are shown; it has as many as it has slots. */
#define RUNNING_MAX 100

/* By our clock; a worker whose clock is ahead has just spoken. */
static json_t *
heartbeat_age(const json_t *worker)
{
	const int64_t at_us = member_time_us(worker, "heartbeat_at");
	const int64_t age_us = clock_wall_us() - at_us;

	if (at_us == 0)
		return json_null();
	return json_real(age_us > 0 ? (double)age_us / US_PER_S : 0);
}

/* The processes stand in what a worker says of its memory; pages want them as rows.
 */
int
workers_add_figures(json_t *workers)
{
	json_t *worker, *executors;
	int status = 0;
	size_t i;

	json_array_foreach (workers, i, worker) {
		status |= json_object_set_new(worker, "heartbeat_age",
					      heartbeat_age(worker));
		executors = json_object_get(json_object_get(worker, "memory"),
					    "executors");
		status |= json_object_set_new(worker, "executors",
					      json_is_array(executors)
						  ? json_incref(executors)
						  : json_array());
	}
	return status == 0 ? 0 : -1;
}

/* Any program may write a heartbeat: what is not a number counts as 0. */
static void
count_slots(const json_t *worker, json_int_t *slots, json_int_t *busy)
{
	const char *name;
	json_t *kind;

	json_object_foreach (json_object_get(worker, "slots"), name, kind) {
		*slots = sat_add(
		    *slots, json_integer_value(json_object_get(kind, "slots")));
		*busy = sat_add(
		    *busy, json_integer_value(json_object_get(kind, "tasks")));
	}
}

/* Dead ones are counted, but their slots are nobody's. */
json_t *
workers_count(const json_t *workers)
{
	static const char *const states[] = {"running", "quiet", "stopping",
					     "dead"};
	json_int_t counts[4] = {0}, slots = 0, busy = 0;
	const char *state;
	json_t *worker;
	size_t i, k;

	json_array_foreach (workers, i, worker) {
		if ((state = member_text(worker, "state")) == NULL)
			continue;
		for (k = 0; k < 4; k++)
			counts[k] += strcmp(state, states[k]) == 0;
		if (strcmp(state, "dead") != 0)
			count_slots(worker, &slots, &busy);
	}
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "running", counts[0],
			 "quiet", counts[1], "stopping", counts[2], "dead",
			 counts[3], "slots", slots, "busy", busy);
}

/* --- looking ----------------------------------------------------------- */

/* Both routes show the same of a worker, so that rows can be compared. */
static json_t *
workers_with_figures(struct web_call *call, struct err *err)
{
	json_t *workers = workers_list(web_client(call), err);

	if (workers != NULL && workers_add_figures(workers) != 0) {
		json_decref(workers);
		err_nomem(err);
		return NULL;
	}
	return workers;
}

/* Few enough for one answer: a worker is a process with a configuration. */
static int
workers_get_all(struct web_call *call, struct err *err)
{
	json_t *workers = workers_with_figures(call, err);

	return workers != NULL
		   ? web_answer(call, json_pack("{s:o}", "items", workers), err)
		   : -1;
}

/* What it holds, as the list of running tasks shows it. */
static json_t *
workers_running(struct web_call *call, const char *name, struct err *err)
{
	const struct task_filter filter = {.worker = name};
	struct page_query query = {.limit = RUNNING_MAX};
	json_t *page =
	    tasks_page(web_client(call), TASKS_RUNNING, &filter, &query, err);
	json_t *items = json_incref(json_object_get(page, "items"));

	json_decref(page);
	return items;
}

/* A dead worker is shown as long as its tasks are not another's. */
static int
workers_get_one(struct web_call *call, struct err *err)
{
	const char *name = web_text(call, "worker"), *one;
	json_t *workers = workers_with_figures(call, err), *worker;
	json_t *found = NULL, *running;
	size_t i;

	if (workers == NULL)
		return -1;
	json_array_foreach (workers, i, worker)
		if ((one = member_text(worker, "worker")) != NULL &&
		    strcmp(one, name) == 0)
			found = json_incref(worker);
	json_decref(workers);
	if (found == NULL)
		return err_set(err, ERR_NOT_FOUND, "unknown worker \"%.128s\"",
			       name);
	if ((running = workers_running(call, name, err)) == NULL) {
		json_decref(found);
		return -1;
	}
	json_object_set_new(found, "running", running);
	if (!json_is_array(json_object_get(found, "modules")))
		json_object_set_new(found, "modules", json_array());
	return web_answer(call, found, err);
}

/* --- commands ---------------------------------------------------------- */

/* A command is published, and nobody answers but for a reload: what came of it is
 * seen in the list. */
static int
workers_command(struct web_call *call, enum worker_order order, struct err *err)
{
	const char *name = web_text(call, "worker");
	char action[32] = "worker.";
	bool told;

	strncat(action, worker_order_name(order),
		sizeof(action) - strlen(action) - 1);
	web_audit(call, action, name, 1);
	/* Its own log and the page say why a configuration was not taken. */
	return web_answer(
	    call,
	    order == WORKER_RELOAD
		? worker_reload(web_client(call), name, RELOAD_TIMEOUT_S, &told,
				err)
		: worker_order(web_client(call), name, order, err),
	    err);
}

/* Names of orders are also the last part of the path, and of the action in the audit
 * trail: worker.quiet. */
static int
workers_run_quiet(struct web_call *call, struct err *err)
{
	return workers_command(call, WORKER_QUIET, err);
}

static int
workers_run_resume(struct web_call *call, struct err *err)
{
	return workers_command(call, WORKER_RESUME, err);
}

static int
workers_run_stop(struct web_call *call, struct err *err)
{
	return workers_command(call, WORKER_STOP, err);
}

/* A configuration that the worker refuses is a conflict, not our fault: then its
 * reason is shown. */
static int
workers_run_reload(struct web_call *call, struct err *err)
{
	if (workers_command(call, WORKER_RELOAD, err) == 0)
		return 0;
	if (err->code == ERR_CONFIG)
		web_status(call, 409);
	return -1;
}

/* --- the table --------------------------------------------------------- */

static const struct web_param worker_params[] = {
    LIST_PATH("worker", "the name of a worker"), {.name = NULL}};

const struct web_route web_workers_routes[] = {
    {HTTP_GET, "/api/v1/workers", WEB_VIEWER, 0, NULL, workers_get_all,
     "Lists the workers.", "{\"items\": [worker]}"},
    {HTTP_GET, "/api/v1/workers/{worker}", WEB_VIEWER, 0, worker_params,
     workers_get_one, "Describes a worker.",
     "the worker, with its modules and \"running\": [task]"},
    {HTTP_POST, "/api/v1/workers/{worker}/quiet", WEB_OPERATOR, 0,
     worker_params, workers_run_quiet, "Lets a worker take no more tasks.",
     "{\"worker\", \"order\"}"},
    {HTTP_POST, "/api/v1/workers/{worker}/resume", WEB_OPERATOR, 0,
     worker_params, workers_run_resume, "Lets a worker take tasks again.",
     "{\"worker\", \"order\"}"},
    {HTTP_POST, "/api/v1/workers/{worker}/stop", WEB_OPERATOR, 0, worker_params,
     workers_run_stop, "Stops a worker, once its tasks have ended.",
     "{\"worker\", \"order\"}"},
    {HTTP_POST, "/api/v1/workers/{worker}/reload", WEB_OPERATOR, WEB_WAITS,
     worker_params, workers_run_reload,
     "Lets a worker read its configuration and modules again.",
     "{\"worker\", \"order\", \"reloaded\"}"},
    WEB_ROUTES_END};
