/* SPDX-License-Identifier: MIT */
/* The routes of registered tasks: what workers offer, and how it has gone. */
#include "manager/registry.h"

#include "manager/series.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"

static int
registry_get_all(struct web_call *call, struct err *err)
{
	json_t *items = registry_list(web_client(call), err);

	if (items == NULL)
		return -1;
	return web_answer(call, json_pack("{s:o}", "items", items), err);
}

/* Of the last hour. The task is registered at the broker, which answers: with the
 * backend away its figures are null, and the rest is told. */
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

static int
registry_get_one(struct web_call *call, struct err *err)
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
    {HTTP_GET, "/api/v1/registry", WEB_VIEWER, 0, NULL, registry_get_all,
     "Lists the tasks that workers have registered.",
     "{items: [{name, queue, cpu_bound, max_retries, retry_delay, timeout, "
     "description, params, ...}]}"},
    {HTTP_GET, "/api/v1/registry/{name}", WEB_VIEWER, 0, name_params,
     registry_get_one, "Shows a registered task.",
     "{name, queue, cpu_bound, max_retries, retry_delay, timeout, "
     "description, params, ..., figures of the last hour: {succeeded, failed, "
     "retried, p50, p95, p99, wait}}"},
    WEB_ROUTES_END};
