/* SPDX-License-Identifier: MIT */
/* The routes of registered tasks. */
#include "manager/registry.h"
#include "manager/series.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/web.h"

static int
run_registry_list(struct web_call *call, struct err *err)
{
	json_t *items = registry_list(web_client(call), err);

	if (items == NULL)
		return -1;
	return web_answer(call, json_pack("{s:o}", "items", items), err);
}

/* Of the last hour; null where there is no series of it. */
static json_t *
registry_figures(struct web_call *call)
{
	static const char *const names[] = {"succeeded", "failed", "retried",
					    "p50",	 "p95",	   "p99"};
	const struct series_query query = {.task = web_text(call, "name")};
	struct err err = ERR_INIT;
	json_t *all = series_figures(figures_series(call->shared->figures),
				     web_client(call), &query, &err);
	json_t *figures = json_object();
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set(figures, names[i],
				json_object_get(all, names[i]) != NULL
				    ? json_object_get(all, names[i])
				    : json_null());
	json_decref(all);
	return figures;
}

static int
run_registry_show(struct web_call *call, struct err *err)
{
	json_t *entry =
	    registry_show(web_client(call), web_text(call, "name"), err);

	if (entry == NULL)
		return -1;
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
    {HTTP_GET, "/api/v1/registry", WEB_VIEWER, 0, NULL, run_registry_list,
     "Lists the tasks that workers have registered.",
     "{items: [{name, queue, cpu_bound, max_retries, retry_delay, timeout, "
     "description, params, ...}]}"},
    {HTTP_GET, "/api/v1/registry/{name}", WEB_VIEWER, 0, name_params,
     run_registry_show, "Shows a registered task.",
     "{name, queue, cpu_bound, max_retries, retry_delay, timeout, "
     "description, params, figures: {succeeded, failed, retried, p50, p95, "
     "p99} of the last hour, ...}"},
    WEB_ROUTES_END};
