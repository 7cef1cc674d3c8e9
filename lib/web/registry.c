/* SPDX-License-Identifier: MIT */
/*
 * The routes of registered tasks: what workers offer, and how it has gone.
 *
 * A registration outlives its worker, so each tells how many live workers have the
 * task: 0 warns somebody who is about to submit one.
 */
#include "manager/registry.h"

#include <string.h>

#include "manager/member.h"
#include "manager/series.h"
#include "manager/workers.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/web.h"

/* Whether a worker has a task: 1 or 0; -1: it cannot be told, since its heartbeat
 * has no room for the names of all its tasks, or is of an earlier version. */
static int
worker_has(const json_t *worker, const char *name)
{
	const json_t *names = json_object_get(worker, "task_names");
	const char *one;
	json_t *text;
	size_t i;

	if (!json_is_array(names))
		return -1;
	json_array_foreach ((json_t *)names, i, text)
		if ((one = json_string_value(text)) != NULL &&
		    strcmp(one, name) == 0)
			return 1;
	return 0;
}

/* How many workers that live have a task; null where one of them does not tell. */
static json_t *
count_workers(const json_t *workers, const char *name)
{
	json_int_t n = 0;
	const char *state;
	json_t *worker;
	size_t i;
	int has;

	if (workers == NULL || name == NULL)
		return json_null();
	json_array_foreach ((json_t *)workers, i, worker) {
		state = member_text(worker, "state");
		if (state == NULL || strcmp(state, "dead") == 0)
			continue;
		if ((has = worker_has(worker, name)) < 0)
			return json_null();
		n += has;
	}
	return json_integer(n);
}

/* The workers are asked for once, for all tasks. */
static int
registry_get_all(struct web_call *call, struct err *err)
{
	json_t *items = registry_list(web_client(call), err), *workers, *item;
	size_t i;

	if (items == NULL)
		return -1;
	if ((workers = workers_list(web_client(call), err)) == NULL) {
		json_decref(items);
		return -1;
	}
	json_array_foreach (items, i, item)
		json_object_set_new(
		    item, "workers",
		    count_workers(workers, member_text(item, "name")));
	json_decref(workers);
	return web_answer(call, json_pack("{s:o}", "items", items), err);
}

/* Of the last hour. The registration is the broker's, and the figures the backend's,
 * which may be away alone: then the figures are null, and the rest is told. */
static json_t *
registry_figures(struct web_call *call)
{
	const struct series_query query = {.task = web_text(call, "name")};
	struct err err = ERR_INIT;
	json_t *figures;

	figures = series_figures(figures_series(call->shared->figures),
				 web_client(call), &query, &err);
	return figures != NULL ? figures : json_null();
}

/* Without an answer about workers or figures the task is shown all the same. */
static int
registry_get_one(struct web_call *call, struct err *err)
{
	json_t *entry =
	    registry_show(web_client(call), web_text(call, "name"), err);
	json_t *workers;

	if (entry == NULL)
		return -1;
	workers = workers_list(web_client(call), err);
	json_object_set_new(entry, "workers",
			    count_workers(workers, web_text(call, "name")));
	json_decref(workers);
	json_object_set_new(entry, "figures", registry_figures(call));
	return web_answer(call, entry, err);
}

static const struct web_param name_params[] = {{.name = "name",
						.type = WEB_TEXT,
						.in = WEB_PATH,
						.required = true,
						.help = "the name of a task"},
					       {.name = NULL}};

const struct web_route web_registry_routes[] = {
    {HTTP_GET, "/api/v1/registry", WEB_VIEWER, WEB_OWN, NULL, registry_get_all,
     "Lists the tasks that workers have registered.",
     "{items: [{name, queue, cpu_bound, max_retries, retry_delay, timeout, "
     "description, params, workers, ...}]}"},
    {HTTP_GET, "/api/v1/registry/{name}", WEB_VIEWER, WEB_OWN, name_params,
     registry_get_one, "Shows a registered task.",
     "{name, queue, cpu_bound, max_retries, retry_delay, timeout, "
     "description, params, workers, ..., figures of the last hour: {succeeded, "
     "failed, "
     "retried, p50, p95, p99, wait}}"},
    WEB_ROUTES_END};
