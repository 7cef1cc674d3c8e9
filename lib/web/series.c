/* SPDX-License-Identifier: MIT */
/*
 * GET series and series/names: what has ended, as points of charts.
 *
 * Workers count by the minute and by the hour into the backend; nothing is counted
 * here, so a restart leaves no gap, and all daemons tell the same. Which step suits
 * a span, and how many points there may be, the manager decides.
 */
#include "manager/series.h"

#include <string.h>

#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/web.h"

/* A message of the manager about the query begins with the parameter that it is
 * about; the page shows it beside that. Any other failure is not the query's. */
static int
series_fault(struct web_call *call, struct err *err)
{
	static const char *const names[] = {"name", "queue", "task", "from",
					    "step"};
	size_t i, len;

	for (i = 0; err->code == ERR_DATA && i < 5; i++) {
		len = strlen(names[i]);
		if (strncmp(err->msg, names[i], len) == 0 &&
		    err->msg[len] == ':') {
			web_status(call, 400);
			return web_fault(call, names[i], NULL, err);
		}
	}
	return -1;
}

/* 0 stands for what the query leaves to the manager. */
static int
get_series(struct web_call *call, struct err *err)
{
	const struct series_query query = {.name = web_text(call, "name"),
					   .queue = web_text(call, "queue"),
					   .task = web_text(call, "task"),
					   .from_us =
					       web_time_us(call, "from", 0),
					   .to_us = web_time_us(call, "to", 0),
					   .step_s = web_int(call, "step", 0)};
	json_t *answer = series_get(figures_series(call->shared->figures),
				    web_client(call), &query, err);

	return answer != NULL ? web_answer(call, answer, err)
			      : series_fault(call, err);
}

/* For the lists that a chart is chosen from. */
static int
get_names(struct web_call *call, struct err *err)
{
	json_t *names = series_names(figures_series(call->shared->figures),
				     web_client(call), err);

	return names != NULL ? web_answer(call, names, err) : -1;
}

/* Steps are those that the workers count by: nothing in between is known. */
static const struct web_param series_params[] = {
    {.name = "name",
     .type = WEB_TEXT,
     .in = WEB_QUERY,
     .required = true,
     .help = "tasks, wait, duration or figures."},
    {.name = "queue",
     .type = WEB_TEXT,
     .in = WEB_QUERY,
     .help = "Only of this queue."},
    {.name = "task",
     .type = WEB_TEXT,
     .in = WEB_QUERY,
     .help = "Only of this task."},
    {.name = "from",
     .type = WEB_TIME,
     .in = WEB_QUERY,
     .help = "The first point; an hour before the last by default."},
    {.name = "to",
     .type = WEB_TIME,
     .in = WEB_QUERY,
     .help = "The last point; now by default."},
    {.name = "step",
     .type = WEB_INT,
     .in = WEB_QUERY,
     .min = 60,
     .max = 3600,
     .help = "60 or 3600 seconds; what suits the span by default."},
    {.name = NULL}};

const struct web_route web_series_routes[] = {
    {.method = HTTP_GET,
     .path = "/api/v1/series",
     .role = WEB_VIEWER,
     .params = series_params,
     .run = get_series,
     .summary = "What has ended, by the minute or the hour.",
     .answer = "{\"from\", \"to\", \"step\", \"points\": [...]}, and for wait "
	       "and duration \"buckets\", \"p50\", \"p95\", \"p99\" and "
	       "\"all\"."},
    {.method = HTTP_GET,
     .path = "/api/v1/series/names",
     .role = WEB_VIEWER,
     .run = get_names,
     .summary = "The queues and tasks of which there are series.",
     .answer = "{\"queues\": [...], \"tasks\": [...]}"},
    WEB_ROUTES_END};
