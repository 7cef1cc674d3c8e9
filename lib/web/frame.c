/* SPDX-License-Identifier: MIT */
/*
 * The frame's own routes: who one is, sessions, jobs, the audit trail, the
 * description of the API, and whether all this works.
 *
 * None of them asks a store on the thread that answers, but for jobs, which were
 * begun elsewhere: they answer at once, whatever is out of reach. Those with
 * WEB_LIVE run on the loop and are in the files of their own purpose (login.c,
 * events.c, ws.c, live.c).
 */
#include "web/frame.h"
#include "util/conf.h"
#include "web/audit.h"
#include "web/call.h"
#include "web/jobs.h"
#include "web/openapi.h"

static int
frame_get_job(struct web_call *call, struct err *err)
{
	return web_answer(
	    call, jobs_get(call->shared->jobs, web_text(call, "id"), err), err);
}

/* Any operator may stop any job: its user may have gone home. */
static int
frame_stop_job(struct web_call *call, struct err *err)
{
	const char *id = web_text(call, "id");

	web_audit(call, "job.stop", id, 1);
	return web_answer(call, jobs_stop(call->shared->jobs, id, err), err);
}

/* For viewers, too: who changed what is not a secret among colleagues. */
static int
frame_get_audit(struct web_call *call, struct err *err)
{
	return web_answer(call,
			  audit_json(call->shared->audit,
				     (size_t)web_int(call, "limit", AUDIT_MAX)),
			  err);
}

/* The prefix is in it, so that generated clients find the server. */
static int
frame_get_openapi(struct web_call *call, struct err *err)
{
	return web_answer(
	    call, openapi_make(call->shared->tables, web_prefix(call)), err);
}

/* What this user may do. A page leaves out the rest; the frame refuses it in any
 * case. */
static json_t *
frame_capabilities(const struct web_call *call)
{
	const bool changes = web_user_role(call) == WEB_OPERATOR &&
			     !web_conf(call)->web.read_only;
	json_t *list = json_pack("[s,s]", "read", "metrics");

	if (changes)
		json_array_append_new(list, json_string("write"));
	return list;
}

/* A page asks this before it draws anything, so nothing here asks a store. */
static int
frame_get_me(struct web_call *call, struct err *err)
{
	const struct conf_web *web = &web_conf(call)->web;

	return web_answer(call,
			  json_pack("{s:s,s:s,s:b,s:s,s:s,s:s,s:o}", "user",
				    web_user_name(call), "role",
				    web_role_name((int)web_user_role(call)),
				    "read_only", (int)web->read_only, "version",
				    FLOWRRA_VERSION, "label", web->label,
				    "colour", web->colour, "capabilities",
				    frame_capabilities(call)),
			  err);
}

static const struct web_param frame_job_params[] = {
    {"id", WEB_TEXT, WEB_PATH, .required = true, .help = "the id of a job"},
    {.name = NULL}};
static const struct web_param frame_audit_params[] = {
    {"limit", WEB_INT, WEB_QUERY, .min = 1, .max = AUDIT_MAX,
     .help = "at most this many"},
    {.name = NULL}};

static const struct web_param frame_session_params[] = {
    {"token", WEB_TEXT, WEB_BODY, .help = "a bearer token"},
    {"code", WEB_TEXT, WEB_BODY, .help = "a code of `flowrractl web`"},
    {"user", WEB_TEXT, WEB_BODY, .help = "a name of the users file"},
    {"password", WEB_TEXT, WEB_BODY, .help = "and its password"},
    {.name = NULL}};
static const struct web_param frame_events_params[] = {
    {"topics", WEB_TEXT, WEB_QUERY, .required = true,
     .help = "overview, queues, workers, running, schedules, dead, workflows, "
	     "limits, "
	     "feed or "
	     "task:ID, separated by commas"},
    {"live", WEB_TEXT, WEB_QUERY, .help = "of the page; ignored"},
    {.name = NULL}};

const struct web_route web_frame_routes[] = {
    {HTTP_GET, "/api/v1/me", WEB_METRICS, .run = frame_get_me,
     .summary = "Who asks, and what they may do.",
     .answer = "user, role, read_only, version, label, colour, capabilities"},
    {HTTP_GET, "/api/v1/audit", WEB_VIEWER, .params = frame_audit_params,
     .run = frame_get_audit, .summary = "The last changes, the newest first.",
     .answer = "items of at, user, role, peer, action, target, count, outcome "
	       "and request_id"},
    {HTTP_GET, "/api/v1/jobs/{id}", WEB_VIEWER, .params = frame_job_params,
     .run = frame_get_job, .summary = "How far a job is.",
     .answer = "job, action, user, state (running, done, stopped or failed), "
	       "done, result and error"},
    {HTTP_DELETE, "/api/v1/jobs/{id}", WEB_OPERATOR, .params = frame_job_params,
     .run = frame_stop_job,
     .summary = "Stops a job; what it has done stays done.",
     .answer = "as GET"},
    {HTTP_GET, "/api/v1/openapi.json", WEB_VIEWER, .run = frame_get_openapi,
     .summary = "This description of the API.",
     .answer = "an OpenAPI 3.1 document"},
    {HTTP_POST, "/api/v1/session", WEB_OPEN, WEB_LIVE | WEB_QUIET,
     frame_session_params, frame_login,
     .summary = "Logs in: a cookie for a browser.",
     .answer = "user and role, and the cookie"},
    {HTTP_DELETE, "/api/v1/session", WEB_OPEN, WEB_LIVE | WEB_QUIET,
     .run = frame_logout, .summary = "Logs out.", .answer = "nothing"},
    {HTTP_GET, "/api/v1/events", WEB_VIEWER, WEB_LIVE, frame_events_params,
     frame_events,
     .summary = "What changes, as server-sent events: first each topic whole, "
		"then its changes.",
     .answer = "a stream (text/event-stream) of events, named by their topic; "
	       "stale and live when the stores go away and are back"},
    {HTTP_GET, "/ws", WEB_VIEWER, WEB_LIVE | WEB_SEED, .run = frame_ws,
     .summary = "A WebSocket: each change of a task, as it happens.",
     .answer = "messages {\"type\": \"task.update\", \"task\": record}"},
    {HTTP_GET, "/healthz", WEB_OPEN, WEB_LIVE, .run = frame_healthz,
     .summary = "Whether the daemon runs.", .answer = "200"},
    {HTTP_GET, "/readyz", WEB_OPEN, WEB_LIVE, .run = frame_readyz,
     .summary = "Whether broker and backend have answered within 10 s.",
     .answer = "200 or 503; a body only for those who are known"},
    WEB_ROUTES_END};
