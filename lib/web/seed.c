/* SPDX-License-Identifier: MIT */
/*
 * Routes of the Python package's UI, in its shapes, for programs that were written
 * against it: figures, health and registered tasks (its schedules are in
 * seed_schedules.c). With or without a slash at the end; errors are {"error":
 * text}.
 *
 * The package describes one process; here many workers and schedulers are the
 * application. What it calls "workers" of an executor are our slots. Times have an
 * offset: Python's datetime.fromisoformat() and JavaScript's Date read both forms.
 */
#include "web/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/health.h"
#include "manager/member.h"
#include "manager/registry.h"
#include "manager/schedules_check.h"
#include "manager/stats.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/sat.h"
#include "web/lists.h"

/* --- stats and health ---------------------------------------------------- */

/* Slots of a kind, of all workers that live. */
static json_int_t
seed_slots(const json_t *workers, const char *kind)
{
	json_int_t n = 0;
	const char *state;
	json_t *worker;
	size_t i;

	json_array_foreach (workers, i, worker) {
		state = member_text(worker, "state");
		if (state != NULL && strcmp(state, "dead") != 0)
			n = sat_add(
			    n, json_integer_value(json_object_get(
				   json_object_get(
				       json_object_get(worker, "slots"), kind),
				   "slots")));
	}
	return n;
}

/* null: there is no such executor. */
static json_t *
seed_executor(json_int_t slots)
{
	return slots > 0
		   ? json_pack("{s:b,s:I}", "running", 1, "workers", slots)
		   : json_null();
}

/* Whether any scheduler has been heard of lately: there may be several, on any
 * machine. */
static bool
seed_has_scheduler(const struct schedules_stats *s, int64_t now_us)
{
	size_t i;

	for (i = 0; i < s->n_schedulers; i++)
		if (schedules_check_alive(&s->schedulers[i],
					  schedules_check_now(s, now_us)))
			return true;
	return false;
}

/* null: none is configured, or nobody has made its database yet. */
static json_t *
seed_scheduler(struct web_call *call)
{
	const int64_t now_us = clock_wall_us();
	struct schedules_stats *s = NULL;
	struct err err = ERR_INIT;
	struct schedules *db = web_schedules(call, &err);
	json_t *json;

	if (db == NULL || schedules_stats(db, NULL, now_us, &s, &err) != 0)
		return json_null();
	json = json_pack("{s:b,s:b,s:I,s:I}", "enabled", 1, "running",
			 (int)seed_has_scheduler(s, now_us), "total_schedules",
			 (json_int_t)s->schedules, "enabled_schedules",
			 (json_int_t)s->enabled);
	schedules_stats_free(s);
	return json;
}

/* One snapshot, so that the figures fit together. "pending" are those that wait, as
 * the package counts the length of its queue. */
static int
seed_get_stats(struct web_call *call, struct err *err)
{
	json_t *all = stats_snapshot(web_client(call), 0, err), *answer;
	const json_t *stats = json_object_get(all, "stats");
	const json_t *workers = json_object_get(all, "workers");

	if (all == NULL)
		return -1;
	answer =
	    json_pack("{s:{s:b},s:{s:o,s:o},s:{s:O,s:O},s:o}", "app", "running",
		      json_integer_value(json_object_get(stats, "workers")) > 0,
		      "executors", "io",
		      seed_executor(seed_slots(workers, "io") +
				    seed_slots(workers, "async")),
		      "cpu", seed_executor(seed_slots(workers, "cpu")), "tasks",
		      "registered", json_object_get(stats, "registered"),
		      "pending", json_object_get(stats, "waiting"), "scheduler",
		      seed_scheduler(call));
	json_decref(all);
	return web_answer(call, answer, err);
}

/* The component of that name, of health_check(). */
static const json_t *
seed_find_component(const json_t *components, const char *name)
{
	const char *one;
	json_t *component;
	size_t i;

	json_array_foreach (components, i, component)
		if ((one = member_text(component, "component")) != NULL &&
		    strcmp(one, name) == 0)
			return component;
	return NULL;
}

/* The package's words where all is well, since people have alerts on them; where it is
 * not, the reason, which the package never tells. */
static json_t *
seed_component(bool healthy, const char *what, const char *why)
{
	char message[80];

	snprintf(message, sizeof(message), "%s is %srunning", what,
		 healthy ? "" : "not ");
	return json_pack(
	    "{s:b,s:o}", "healthy", (int)healthy, "message",
	    member_of_text(!healthy && why != NULL ? why : message));
}

/* *ret_why is what our own check says of it. */
static bool
seed_is_healthy(const json_t *components, const char *name,
		const char **ret_why)
{
	const json_t *component = seed_find_component(components, name);

	*ret_why = member_text(component, "message");
	return json_is_true(json_object_get(component, "healthy"));
}

/* The app is what its servers let it be; executors are what the workers have. */
static json_t *
seed_components(struct web_call *call, const json_t *found)
{
	const char *why, *other;
	bool app = seed_is_healthy(found, "broker", &why);
	bool workers, scheduler;
	json_t *all, *stats, *list;
	struct err err = ERR_INIT;

	if (app && !seed_is_healthy(found, "backend", &other)) {
		app = false;
		why = other;
	}
	all = json_pack("{s:o}", "app", seed_component(app, "App", why));
	workers = seed_is_healthy(found, "workers", &why);
	stats = app ? stats_snapshot(web_client(call), 0, &err) : NULL;
	list = json_object_get(stats, "workers");
	json_object_set_new(all, "io_executor",
			    seed_component(workers, "IO executor", why));
	json_object_set_new(all, "cpu_executor",
			    seed_slots(list, "cpu") > 0
				? seed_component(workers, "CPU executor", why)
				: json_null());
	scheduler = seed_is_healthy(found, "schedulers", &why);
	json_object_set_new(all, "scheduler",
			    seed_find_component(found, "schedulers") != NULL
				? seed_component(scheduler, "Scheduler", why)
				: json_null());
	json_decref(stats);
	return all;
}

/* The whole is healthy if all parts are; a part that does not exist counts as well. */
static int
seed_get_health(struct web_call *call, struct err *err)
{
	json_t *found = health_check(web_client(call)), *components, *one;
	bool healthy = true;
	const char *name;

	if (found == NULL)
		return err_nomem(err);
	components = seed_components(call, found);
	json_decref(found);
	json_object_foreach (components, name, one)
		healthy &= json_is_null(one) ||
			   json_is_true(json_object_get(one, "healthy"));
	return web_answer(call,
			  json_pack("{s:b,s:o,s:o}", "healthy", (int)healthy,
				    "timestamp",
				    member_of_time(clock_wall_us()),
				    "components", components),
			  err);
}

/* --- registered tasks ---------------------------------------------------- */

/* A number that is not registered is as configured here: the package always has
 * one. */
json_t *
seed_number(const json_t *entry, const char *name, json_t *otherwise)
{
	const json_t *value = json_object_get(entry, name);

	if (!json_is_number(value))
		return otherwise;
	json_decref(otherwise);
	return json_incref((json_t *)value);
}

/* Four members, whatever else is registered. */
static json_t *
seed_task(struct web_call *call, const json_t *entry)
{
	const struct conf_executor *conf = &web_conf(call)->executor;

	return json_pack(
	    "{s:O?,s:b,s:o,s:o}", "name", json_object_get(entry, "name"),
	    "cpu_bound", json_is_true(json_object_get(entry, "cpu_bound")),
	    "max_retries",
	    seed_number(entry, "max_retries",
			json_integer((json_int_t)conf->max_retries)),
	    "retry_delay",
	    seed_number(entry, "retry_delay",
			json_real((double)conf->retry_delay / SEED_US_PER_S)));
}

/* An entry that cannot be read is left out: nobody could submit it. */
static int
seed_get_tasks(struct web_call *call, struct err *err)
{
	json_t *list = registry_list(web_client(call), err), *entry;
	json_t *answer = list != NULL ? json_array() : NULL;
	size_t i;

	json_array_foreach (list, i, entry)
		if (json_object_get(entry, "fault") == NULL)
			json_array_append_new(answer, seed_task(call, entry));
	json_decref(list);
	return web_answer(call, answer, err);
}

/* A module of ours is not a Python module: the two members exist, and are null. */
static int
seed_get_task(struct web_call *call, struct err *err)
{
	json_t *entry =
	    registry_show(web_client(call), web_text(call, "name"), err);
	json_t *task;

	if (entry == NULL) {
		if (err->code == ERR_NOT_FOUND || err->code == ERR_DATA)
			err_set(err, ERR_NOT_FOUND, "Task not found");
		return -1;
	}
	task = seed_task(call, entry);
	json_decref(entry);
	json_object_set_new(task, "module", json_null());
	json_object_set_new(task, "qualname", json_null());
	return web_answer(call, task, err);
}

/* --- the table ----------------------------------------------------------- */

static const struct web_param seed_task_params[] = {
    LIST_PATH("name", "the name of a task"), {.name = NULL}};
const struct web_route web_seed_routes[] = {
    {HTTP_GET, "/api/stats", WEB_VIEWER, WEB_SEED, NULL, seed_get_stats,
     "Figures, as the Python package's UI has them.",
     "{\"app\", \"executors\", \"tasks\", \"scheduler\"}"},
    {HTTP_GET, "/api/health", WEB_VIEWER, WEB_SEED, NULL, seed_get_health,
     "Health, as the Python package's UI has it.",
     "{\"healthy\", \"timestamp\", \"components\"}"},
    {HTTP_GET, "/api/tasks", WEB_VIEWER, WEB_SEED, NULL, seed_get_tasks,
     "Registered tasks, as the Python package's UI has them.",
     "[{\"name\", \"cpu_bound\", \"max_retries\", \"retry_delay\"}]"},
    {HTTP_GET, "/api/tasks/{name}", WEB_VIEWER, WEB_SEED, seed_task_params,
     seed_get_task, "A registered task, as the Python package's UI has it.",
     "the task, with \"module\" and \"qualname\", which are null"},
    WEB_ROUTES_END};
