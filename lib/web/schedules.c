/* SPDX-License-Identifier: MIT */
/*
 * The routes of schedules. A form is the body; its members are those of
 * manager/schedule.def, which flowrractl has as options.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/task.h"
#include "manager/schedule_json.h"
#include "manager/schedules.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/web.h"

#define ID_PARAM                                                               \
	{                                                                      \
		.name = "id", .type = WEB_TEXT, .in = WEB_PATH,                \
		.required = true, .help = "the schedule's ID"                  \
	}

/* --- errors ---------------------------------------------------------------- */

/* The field, and where in an expression it is wrong. */
static int
schedule_failed(struct web_call *call, const struct schedule_fault *fault,
		const char *rule, struct err *err)
{
	const struct cron_fault *cron = &fault->cron;
	size_t len = rule != NULL ? strlen(rule) : 0;

	web_fault(call, fault->field, cron->hint[0] != '\0' ? cron->hint : NULL,
		  err);
	if (cron->code != CRON_NONE && cron->column > 0 &&
	    cron->column - 1 + cron->len <= len)
		web_fault_at(
		    call, cron->column,
		    (struct slice){rule + cron->column - 1, cron->len});
	return -1;
}

/* Reads the body into a form. */
static int
read_form(struct web_call *call, struct schedule_form *form,
	  struct buf *scratch, struct err *err)
{
	const char *field;

	if (schedule_form_read(web_body(call), form, scratch, &field, err) == 0)
		return 0;
	return web_fault(call, field, NULL, err);
}

/* --- looking --------------------------------------------------------------- */

static int
run_list(struct web_call *call, struct err *err)
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
	json_t *list;

	if (db == NULL)
		return -1;
	if (order != NULL && !query.by_next && strcmp(order, "id") != 0) {
		err_set(err, ERR_USAGE, "order \"%.64s\": not one of id, next",
			order);
		return web_fault(call, "order", NULL, err);
	}
	/* Absent is neither true nor false. */
	if (web_bool(call, "enabled", true) == web_bool(call, "enabled", false))
		query.enabled = web_bool(call, "enabled", true);
	if ((list = schedule_list(db, &query, err)) == NULL) {
		if (err->code == ERR_DATA)
			web_status(call, 400);
		return web_fault(call, err->code == ERR_DATA ? "cursor" : NULL,
				 NULL, err);
	}
	return web_answer(call, list, err);
}

/* Answers with a schedule; its version is its ETag. */
static int
answer_schedule(struct web_call *call, json_t *schedule, struct err *err)
{
	const json_t *updated = json_object_get(schedule, "updated_at");
	char etag[MOMENT_SIZE + 2];

	if (schedule == NULL)
		return -1;
	if (json_is_string(updated)) {
		snprintf(etag, sizeof(etag), "\"%s\"",
			 json_string_value(updated));
		web_field(call, "ETag", etag);
	}
	return web_answer(call, schedule, err);
}

static int
run_show(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);

	if (db == NULL)
		return -1;
	return answer_schedule(
	    call, schedule_show(db, web_text(call, "id"), err), err);
}

static int
run_fires(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	json_t *list;

	if (db == NULL)
		return -1;
	list = schedule_fires(db, web_client(call), web_text(call, "id"),
			      web_text(call, "cursor"),
			      (size_t)web_int(call, "limit", 0), err);
	if (list != NULL)
		return web_answer(call, list, err);
	if (err->code == ERR_DATA)
		web_status(call, 400);
	return web_fault(call, err->code == ERR_DATA ? "cursor" : NULL, NULL,
			 err);
}

static int
run_next(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	json_t *next;

	if (db == NULL)
		return -1;
	next = schedule_next_fires(db, web_text(call, "id"),
				   web_time_us(call, "after", clock_wall_us()),
				   (size_t)web_int(call, "n", 10), err);
	return next != NULL ? web_answer(call, next, err) : -1;
}

static int
run_preview(struct web_call *call, struct err *err)
{
	struct buf scratch = BUF_INIT;
	struct schedule_fault fault;
	struct schedule_form form;
	json_t *preview = NULL;
	int result = -1;

	schedule_form_init(&form);
	if (read_form(call, &form, &scratch, err) == 0) {
		preview = schedule_preview(&form, clock_wall_us(),
					   (size_t)web_int(call, "n", 10),
					   &fault, err);
		result = preview != NULL
			     ? web_answer(call, preview, err)
			     : schedule_failed(call, &fault, form.rule, err);
	}
	buf_done(&scratch);
	return result;
}

/* --- changing -------------------------------------------------------------- */

/* 201 with the new one; 200 with the identical one that was there. */
static int
make(struct web_call *call, struct schedules *db,
     const struct schedule_form *form, struct err *err)
{
	char id[SCHEDULE_ID_MAX + 1];
	struct schedule_fault fault;
	int64_t next_us;
	bool existing;

	if (schedule_create(db, web_client(call), form, clock_wall_us(), id,
			    &existing, &next_us, &fault, err) != 0)
		return schedule_failed(call, &fault, form->rule, err);
	/* Under the ID that was asked for there is none. */
	if (existing && form->id != NULL && form->id[0] != '\0' &&
	    strcmp(form->id, id) != 0) {
		err_set(
		    err, ERR_REFUSED,
		    "an identical schedule has the ID %s (task, type, rule, "
		    "time zone and arguments)",
		    id);
		return web_fault(call, "id",
				 "use that one, or leave out the ID", err);
	}
	if (!existing) {
		web_audit(call, "schedule.create", id, 1);
		web_status(call, 201);
	} else {
		web_audit(call, "schedule.create", id, 0);
	}
	return answer_schedule(call, schedule_show(db, id, err), err);
}

static int
run_make(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	struct buf scratch = BUF_INIT;
	struct schedule_form form;
	int result = -1;

	schedule_form_init(&form);
	if (db != NULL && read_form(call, &form, &scratch, err) == 0)
		result = make(call, db, &form, err);
	buf_done(&scratch);
	return result;
}

/* One edit: what the body says takes the place of all. */
struct replacing {
	const struct schedule_form *form;
	bool keeps_enabled; /* the body does not say */
};

static int
apply_form(struct schedule_form *form, void *arg, struct schedule_fault *fault,
	   struct err *err)
{
	const struct replacing *r = arg;
	const bool enabled = form->enabled;
	const char *id = form->id;

	*form = *r->form;
	if (r->keeps_enabled)
		form->enabled = enabled;
	if (form->id != NULL && strcmp(form->id, id) != 0) {
		fault->field = "id";
		return err_set(err, ERR_DATA,
			       "the ID of a schedule cannot be changed");
	}
	form->id = id;
	return 0;
}

/* The version that the editor saw, of If-Match; 0: "*". */
static int
read_version(struct web_call *call, int64_t *ret, struct err *err)
{
	const char *text = web_header(call, "If-Match");
	char moment[MOMENT_SIZE];
	size_t len = text != NULL ? strlen(text) : 0;

	*ret = 0;
	if (text == NULL) {
		web_status(call, 428);
		err_set(err, ERR_USAGE,
			"an edit needs If-Match with the ETag of the schedule");
		return web_fault(call, "If-Match", NULL, err);
	}
	if (strcmp(text, "*") == 0)
		return 0;
	if (len > 2 && len - 2 < sizeof(moment) && text[0] == '"' &&
	    text[len - 1] == '"') {
		snprintf(moment, sizeof(moment), "%.*s", (int)len - 2,
			 text + 1);
		if (clock_parse(moment, ret, NULL) == 0)
			return 0;
	}
	/* An ETag that no schedule has. */
	web_status(call, 412);
	err_set(err, ERR_REFUSED, "If-Match is not an ETag of this schedule");
	return web_fault(call, "If-Match", NULL, err);
}

static int
replace(struct web_call *call, struct schedules *db,
	const struct schedule_edit *edit, const char *rule, struct err *err)
{
	struct schedule_fault fault;
	json_t *schedule;
	bool stale;

	schedule = schedule_edit(db, edit, &stale, &fault, err);
	if (schedule == NULL && stale) {
		web_status(call, 412);
		return web_fault(call, "If-Match",
				 "read the schedule again, and edit that", err);
	}
	if (schedule == NULL)
		return schedule_failed(call, &fault, rule, err);
	web_audit(call, "schedule.edit", edit->id, 1);
	return answer_schedule(call, schedule, err);
}

static int
run_edit(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	struct buf scratch = BUF_INIT;
	struct schedule_form form;
	struct replacing replacing = {
	    .form = &form,
	    .keeps_enabled = !json_is_boolean(
		json_object_get(web_body_json(call), "enabled"))};
	struct schedule_edit edit = {.id = web_text(call, "id"),
				     .apply = apply_form,
				     .arg = &replacing,
				     .client = web_client(call),
				     .now_us = clock_wall_us()};
	int result = -1;

	schedule_form_init(&form);
	if (db != NULL && read_version(call, &edit.updated_us, err) == 0 &&
	    read_form(call, &form, &scratch, err) == 0)
		result = replace(call, db, &edit, form.rule, err);
	buf_done(&scratch);
	return result;
}

static int
run_delete(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *id = web_text(call, "id");

	if (db == NULL || schedules_delete(db, id, err) != 0)
		return -1;
	web_audit(call, "schedule.delete", id, 1);
	web_status(call, 204);
	return web_answer(call, json_null(), err);
}

static int
run_enable(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *id = web_text(call, "id");

	if (db == NULL)
		return -1;
	web_audit(call, "schedule.enable", id, 1);
	return answer_schedule(
	    call, schedule_enable(db, id, clock_wall_us(), err), err);
}

static int
run_disable(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *id = web_text(call, "id");

	if (db == NULL)
		return -1;
	web_audit(call, "schedule.disable", id, 1);
	return answer_schedule(
	    call, schedule_disable(db, id, clock_wall_us(), err), err);
}

/* Once for one Idempotency-Key: an id that is taken was this call's. */
static int
run_run(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *id = web_text(call, "id"), *own = web_task_id(call);
	char task_id[FLOWRRA_ID_SIZE];

	if (db == NULL)
		return -1;
	if (schedule_run(db, web_client(call), id, own, task_id, err) != 0) {
		if (own == NULL || err->code != ERR_REFUSED)
			return -1;
		snprintf(task_id, sizeof(task_id), "%s", own);
	}
	web_audit(call, "schedule.run", id, 1);
	web_status(call, 201);
	return web_answer(call, json_pack("{s:s}", "task_id", task_id), err);
}

/* --- the table ------------------------------------------------------------- */

static const struct web_param list_params[] = {
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
    {.name = "cursor",
     .type = WEB_TEXT,
     .in = WEB_QUERY,
     .help = "\"next\" of the answer before"},
    {.name = "limit",
     .type = WEB_INT,
     .in = WEB_QUERY,
     .min = 1,
     .max = 500,
     .help = "at most so many; 50 by default"},
    {.name = NULL}};

static const struct web_param fires_params[] = {
    ID_PARAM,
    {.name = "cursor",
     .type = WEB_TEXT,
     .in = WEB_QUERY,
     .help = "\"next\" of the answer before"},
    {.name = "limit",
     .type = WEB_INT,
     .in = WEB_QUERY,
     .min = 1,
     .max = 500,
     .help = "at most so many; 50 by default"},
    {.name = NULL}};

#define N_PARAM                                                                \
	{                                                                      \
		.name = "n", .type = WEB_INT, .in = WEB_QUERY, .min = 1,       \
		.max = 1000, .help = "at most so many; 10 by default"          \
	}

static const struct web_param next_params[] = {
    ID_PARAM,
    N_PARAM,
    {.name = "after",
     .type = WEB_TIME,
     .in = WEB_QUERY,
     .help = "fires after this time; now by default"},
    {.name = NULL}};

static const struct web_param id_params[] = {ID_PARAM, {.name = NULL}};

static const struct web_param make_params[] = {
#include "web/schedule_params.def"
    {.name = NULL}};

/* The id of the path comes first: it is the one that is asked for. */
static const struct web_param edit_params[] = {ID_PARAM,
#include "web/schedule_params.def"
					       {.name = NULL}};

static const struct web_param preview_params[] = {N_PARAM,
#include "web/schedule_params.def"
						  {.name = NULL}};

#define SCHEDULE_SHAPE                                                         \
	"The schedule, with its rule in words and its state; ETag is its "     \
	"version."

const struct web_route web_schedules_routes[] = {
    {HTTP_GET, "/api/v1/schedules", WEB_VIEWER, 0, list_params, run_list,
     "Lists schedules.", "{items, next, complete, looked_at} of schedules"},
    {HTTP_POST, "/api/v1/schedules", WEB_OPERATOR, WEB_ANY_BODY, make_params,
     run_make,
     "Makes a schedule: task, type (cron, interval, once) and rule, and what "
     "else may be said.",
     "201 and the schedule; 200 and the one that is identical"},
    {HTTP_POST, "/api/v1/schedules/preview", WEB_VIEWER,
     WEB_ANY_BODY | WEB_QUIET, preview_params, run_preview,
     "Tells when a schedule would fire, or what is wrong with it.",
     "{items: [{at, local, note}], tz, words}"},
    {HTTP_GET, "/api/v1/schedules/{id}", WEB_VIEWER, 0, id_params, run_show,
     "Shows a schedule.", SCHEDULE_SHAPE},
    {HTTP_PUT, "/api/v1/schedules/{id}", WEB_OPERATOR, WEB_ANY_BODY,
     edit_params, run_edit,
     "Replaces what a schedule says; If-Match has its ETag. A fire that is due "
     "is still done.",
     SCHEDULE_SHAPE},
    {HTTP_DELETE, "/api/v1/schedules/{id}", WEB_OPERATOR, 0, id_params,
     run_delete, "Deletes a schedule.", "204"},
    {HTTP_POST, "/api/v1/schedules/{id}/enable", WEB_OPERATOR, 0, id_params,
     run_enable, "Enables a schedule, from now on.", SCHEDULE_SHAPE},
    {HTTP_POST, "/api/v1/schedules/{id}/disable", WEB_OPERATOR, 0, id_params,
     run_disable, "Disables a schedule.", SCHEDULE_SHAPE},
    {HTTP_POST, "/api/v1/schedules/{id}/run", WEB_OPERATOR, 0, id_params,
     run_run, "Submits the task of a schedule now.", "201 and {task_id}"},
    {HTTP_GET, "/api/v1/schedules/{id}/next", WEB_VIEWER, 0, next_params,
     run_next, "Tells when a schedule fires next.",
     "{items: [{at, local, note}], tz, words}"},
    {HTTP_GET, "/api/v1/schedules/{id}/fires", WEB_VIEWER, 0, fires_params,
     run_fires,
     "Lists what a schedule has fired, missed and skipped, the latest first.",
     "{items, next, complete, looked_at} of {fire_at, last_at, n, task_id, "
     "sent_at, outcome, reason, status}"},
    WEB_ROUTES_END};
