/* SPDX-License-Identifier: MIT */
/*
 * Routes that look at schedules; schedules_change.c has the others.
 *
 * All ask the schedules' database alone, so that they answer while broker and
 * backend are away; fires ask for the states of their tasks, too. Each thread has
 * its own connection to the database (web_schedules()), which is opened at its
 * first use.
 */
#include "web/schedules.h"

#include <string.h>

#include "manager/schedules.h"
#include "util/clock.h"
#include "util/err.h"

/* --- looking --------------------------------------------------------------- */

/* The cursor is the only part of a query for a list that can be wrong in its data:
 * the table has checked the rest. */
static int
schedules_bad_cursor(struct web_call *call, struct err *err)
{
	if (err->code != ERR_DATA)
		return -1;
	web_status(call, 400);
	return web_fault(call, "cursor", NULL, err);
}

static int
schedules_get_all(struct web_call *call, struct err *err)
{
	const char *order = web_text(call, "order");
	struct schedule_query query = {
	    .enabled = -1,
	    .task = web_text(call, "task"),
	    .text = web_text(call, "text"),
	    .by_next = order != NULL && strcmp(order, "next") == 0,
	    .cursor = web_text(call, "cursor"),
	    .limit = (size_t)web_int(call, "limit", 0),
	    .figures = web_bool(call, "spark", false)};
	struct schedules *db = web_schedules(call, err);
	const char *prefix = web_own_prefix(call);
	json_t *list;

	if (db == NULL)
		return -1;
	query.prefix = prefix[0] != '\0' ? prefix : NULL;
	if (order != NULL && !query.by_next && strcmp(order, "id") != 0) {
		err_set(err, ERR_USAGE, "order \"%.64s\": not one of id, next",
			order);
		return web_fault(call, "order", NULL, err);
	}
	/* The place where a page ends would name the schedules of others. */
	if (query.prefix != NULL && query.by_next) {
		web_status(call, 403);
		return err_set(err, ERR_REFUSED,
			       "a submitter can list schedules only by ID");
	}
	/* Absent is neither true nor false. */
	if (web_bool(call, "enabled", true) == web_bool(call, "enabled", false))
		query.enabled = web_bool(call, "enabled", true);
	list = schedule_list(db, &query, err);
	return list != NULL ? web_answer(call, list, err)
			    : schedules_bad_cursor(call, err);
}

/* With its version as ETag, which an edit has to name. */
static int
schedules_get_one(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *id = schedules_id(call, err);

	if (db == NULL || id == NULL)
		return -1;
	return schedules_answer(call, schedule_show(db, id, err), err);
}

/* Also of a schedule that was deleted, as long as its fires are kept: what it has
 * done is still of interest. */
static int
schedules_get_fires(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const struct schedule_fires_query query = {
	    .id = schedules_id(call, err),
	    .cursor = web_text(call, "cursor"),
	    .before_us = web_time_us(call, "before", 0),
	    .limit = (size_t)web_int(call, "limit", 0)};
	json_t *list;

	if (db == NULL || query.id == NULL)
		return -1;
	list = schedule_fires(db, web_client(call), &query, err);
	return list != NULL ? web_answer(call, list, err)
			    : schedules_bad_cursor(call, err);
}

/* By the scheduler's own code: what is shown is what will be. */
static int
schedules_get_next(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *id = schedules_id(call, err);
	json_t *next;

	if (db == NULL || id == NULL)
		return -1;
	next = schedule_next_fires(db, id,
				   web_time_us(call, "after", clock_wall_us()),
				   (size_t)web_int(call, "n", 10), err);
	return next != NULL ? web_answer(call, next, err) : -1;
}

/* Of a form that nobody has sent yet. A page asks at each key that is pressed, so it
 * changes nothing, and counts neither as a write nor in the audit trail. */
static int
schedules_run_preview(struct web_call *call, struct err *err)
{
	struct schedules_texts texts = {.scratch = BUF_INIT};
	struct schedule_fault fault;
	struct schedule_form form;
	json_t *preview = NULL;
	int result = -1;

	schedule_form_init(&form);
	if (schedules_read_form(call, &form, &texts, err) == 0) {
		preview = schedule_preview(&form, clock_wall_us(),
					   (size_t)web_int(call, "n", 10),
					   &fault, err);
		result = preview != NULL
			     ? web_answer(call, preview, err)
			     : schedules_fail(call, &fault, form.rule, err);
	}
	buf_done(&texts.scratch);
	return result;
}

/* --- the table ------------------------------------------------------------- */

static const struct web_param schedules_list_params[] = {
    {.name = "enabled",
     .type = WEB_BOOL,
     .in = WEB_QUERY,
     .help = "only those that are enabled, or disabled"},
    {.name = "task",
     .type = WEB_TEXT,
     .in = WEB_QUERY,
     .help = "only schedules of this task"},
    {.name = "text",
     .type = WEB_TEXT,
     .in = WEB_QUERY,
     .help = "only those with this text in the ID, the task, the rule (also "
	     "in words) or the description"},
    {.name = "order",
     .type = WEB_TEXT,
     .in = WEB_QUERY,
     .help = "id (the default), or next: the soonest due first"},
    {.name = "spark",
     .type = WEB_BOOL,
     .in = WEB_QUERY,
     .help = "also tell what was missed, and how the last fires went"},
    LIST_PARAMS,
    {.name = NULL}};

static const struct web_param schedules_fires_params[] = {
    SCHEDULE_ID_PARAM,
    LIST_PARAMS,
    {.name = "before",
     .type = WEB_TIME,
     .in = WEB_QUERY,
     .help = "only fires before this time"},
    {.name = NULL}};

/* How many fires are computed; a page shows ten. */
#define N_PARAM                                                                \
	{                                                                      \
		.name = "n", .type = WEB_INT, .in = WEB_QUERY, .min = 1,       \
		.max = 1000, .help = "at most this many; 10 by default"        \
	}

static const struct web_param schedules_next_params[] = {
    SCHEDULE_ID_PARAM,
    N_PARAM,
    {.name = "after",
     .type = WEB_TIME,
     .in = WEB_QUERY,
     .help = "fires after this time; now by default"},
    {.name = NULL}};

static const struct web_param schedules_id_params[] = {SCHEDULE_ID_PARAM,
						       {.name = NULL}};

static const struct web_param schedules_preview_params[] = {N_PARAM,
#include "web/schedule_params.def"
							    {.name = NULL}};

const struct web_route web_schedules_routes[] = {
    {HTTP_GET, "/api/v1/schedules", WEB_VIEWER, WEB_OWN, schedules_list_params,
     schedules_get_all, "Lists schedules.",
     "{items, next, complete, looked_at} of schedules"},
    {HTTP_POST, "/api/v1/schedules/preview", WEB_VIEWER,
     WEB_ANY_BODY | WEB_QUIET, schedules_preview_params, schedules_run_preview,
     "Tells when a schedule would fire, or what is wrong with it.",
     "{items: [{at, local, note}], tz, words}"},
    {HTTP_GET, "/api/v1/schedules/{id}", WEB_VIEWER, WEB_OWN,
     schedules_id_params, schedules_get_one, "Shows a schedule.",
     SCHEDULE_ANSWER},
    {HTTP_GET, "/api/v1/schedules/{id}/next", WEB_VIEWER, WEB_OWN,
     schedules_next_params, schedules_get_next,
     "Tells when a schedule fires next.",
     "{items: [{at, local, note}], tz, words}"},
    {HTTP_GET, "/api/v1/schedules/{id}/fires", WEB_VIEWER, WEB_OWN,
     schedules_fires_params, schedules_get_fires,
     "Lists what a schedule has fired, missed and skipped, the latest first.",
     "{items, next, complete, looked_at} of {fire_at, last_at, n, task_id, "
     "sent_at, outcome, reason, status, started_at, duration, error}"},
    WEB_ROUTES_END};
