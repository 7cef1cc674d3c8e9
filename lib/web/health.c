/* SPDX-License-Identifier: MIT */
/*
 * GET health, doctor, scheduler and server: how all of it is.
 *
 * These describe the stores and so may wait for them, up to the time that a
 * request has; /healthz and /readyz (live.c) never wait. Whatever is found, the
 * status is 200: the question was answered, and a monitor that wants a status
 * asks /readyz.
 */
#include "manager/health.h"

#include "manager/doctor.h"
#include "manager/schedule_json.h"
#include "manager/server.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/web.h"

/* One question to each component; the slowest of them takes its time limit. */
static int
get_health(struct web_call *call, struct err *err)
{
	json_t *components = health_check(web_client(call));

	if (components == NULL)
		return web_answer(call, NULL, err);
	return web_answer(call,
			  json_pack("{s:b,s:o}", "healthy",
				    health_is_good(components), "components",
				    components),
			  err);
}

/* Errors first, each with what to do. It looks at files as well: only a page or a
 * person asks for it, never a timer. */
static int
get_doctor(struct web_call *call, struct err *err)
{
	json_t *findings = doctor_examine(web_client(call));

	return web_answer(
	    call,
	    findings != NULL ? json_pack("{s:o}", "items", findings) : NULL,
	    err);
}

/* The wall clock is taken once, so that ages and lags fit together. */
static int
get_scheduler(struct web_call *call, struct err *err)
{
	struct schedules *schedules = web_schedules(call, err);
	const int64_t now_us = clock_wall_us();
	struct schedules_stats *stats;
	json_t *answer;

	if (schedules == NULL ||
	    schedules_stats(schedules, NULL, now_us, &stats, err) != 0)
		return -1;
	answer = schedule_stats_json(stats, now_us);
	schedules_stats_free(stats);
	return web_answer(call, answer, err);
}

/* Passwords are taken out of URLs by server_facts(). */
static int
get_server(struct web_call *call, struct err *err)
{
	return web_answer(call, server_facts(web_client(call)), err);
}

const struct web_route web_health_routes[] = {
    {.method = HTTP_GET,
     .path = "/api/v1/health",
     .role = WEB_VIEWER,
     .flags = WEB_OWN,
     .run = get_health,
     .summary = "Whether broker, backend, workers and schedulers are well.",
     .answer = "{\"healthy\", \"components\": [{\"component\", \"healthy\", "
	       "\"message\"}]}"},
    {.method = HTTP_GET,
     .path = "/api/v1/doctor",
     .role = WEB_VIEWER,
     .run = get_doctor,
     .summary = "What is wrong, or soon will be, and what to do about it.",
     .answer = "{\"items\": [{\"level\", \"about\", \"what\", \"remedy\"}]}"},
    {.method = HTTP_GET,
     .path = "/api/v1/scheduler",
     .role = WEB_VIEWER,
     .run = get_scheduler,
     .summary = "Figures of the schedules and their schedulers.",
     .answer = "{\"schedules\", \"enabled\", \"missed\", \"skipped\", "
	       "\"schedulers\", ...}"},
    {.method = HTTP_GET,
     .path = "/api/v1/server",
     .role = WEB_VIEWER,
     .run = get_server,
     .summary = "The servers behind it all, and how long they take.",
     .answer = "{\"version\", \"broker\": {\"url\", \"up\", \"server\", "
	       "\"clock_skew\", \"rtt\", \"error\"}, \"backend\": {...}}"},
    WEB_ROUTES_END};
