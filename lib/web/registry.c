/* SPDX-License-Identifier: MIT */
/* The routes of registered tasks. */
#include "manager/registry.h"
#include "util/err.h"
#include "web/web.h"

static int
run_registry_list(struct web_call *call, struct err *err)
{
	json_t *items = registry_list(web_client(call), err);

	if (items == NULL)
		return -1;
	return web_answer(call, json_pack("{s:o}", "items", items), err);
}

static int
run_registry_show(struct web_call *call, struct err *err)
{
	json_t *entry =
	    registry_show(web_client(call), web_text(call, "name"), err);

	return entry != NULL ? web_answer(call, entry, err) : -1;
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
     "description, params, ...}"},
    WEB_ROUTES_END};
