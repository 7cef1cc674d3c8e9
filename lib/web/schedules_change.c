/* SPDX-License-Identifier: MIT */
/*
 * Routes that make and change schedules.
 *
 * An edit is the whole form, and names the version that the editor saw (If-Match,
 * RFC 9110, section 13.1.1): two people who edit the same schedule must not undo
 * each other's changes unseen. A version is the time of the last change.
 */
#include "web/schedules.h"

#include <stdio.h>
#include <string.h>

#include "manager/schedule_json.h"
#include "manager/schedules.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/own.h"

/* --- forms and answers ----------------------------------------------------- */

/* The column and the token are told only if they lie within the rule that was sent:
 * the parser may have read a name or a default in its place. */
int
schedules_fail(struct web_call *call, const struct schedule_fault *fault,
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

/* The frame has checked types alone; what may be said of a schedule is known in
 * one place. */
int
schedules_read_form(struct web_call *call, struct schedule_form *form,
		    struct schedules_texts *texts, struct err *err)
{
	const char *field;

	if (schedule_form_read(web_body(call), form, &texts->scratch, &field,
			       err) != 0)
		return web_fault(call, field, NULL, err);
	if (schedules_choose_zone(call, form, &texts->zone, err) != 0)
		return web_fault(call, "tz", NULL, err);
	return 0;
}

/* "local" would be the server's, and who asks may be anywhere: it is a zone that
 * is not known, unless the configuration says it. A period is the same in all
 * zones. */
int
schedules_choose_zone(struct web_call *call, struct schedule_form *form,
		      struct zone_words *words, struct err *err)
{
	const bool given = form->tz != NULL && form->tz[0] != '\0';

	if (given || form->type == NULL || strcmp(form->type, "interval") == 0)
		return 0;
	return zone_choose(web_conf(call), words,
			   form->rule != NULL ? form->rule : "", &form->tz,
			   err);
}

/* With the ETag, so that a client can edit what it has just made. */
int
schedules_answer(struct web_call *call, json_t *schedule, struct err *err)
{
	const json_t *updated = json_object_get(schedule, "updated_at");
	char etag[CLOCK_TEXT_SIZE + 2];

	if (schedule == NULL)
		return -1;
	if (json_is_string(updated)) {
		snprintf(etag, sizeof(etag), "\"%s\"",
			 json_string_value(updated));
		web_field(call, "ETag", etag);
	}
	return web_answer(call, schedule, err);
}

const char *
schedules_id(struct web_call *call, struct err *err)
{
	return web_own_id(call, web_text(call, "id"), err);
}

/* --- changing -------------------------------------------------------------- */

/* 201 with the new one; 200 with the identical one that was there. */
static int
schedules_make(struct web_call *call, struct schedules *db,
	       const struct schedule_form *form, struct err *err)
{
	char id[SCHEDULE_ID_MAX + 1];
	struct schedule_fault fault;
	int64_t now_us, off_us, next_us;
	bool existing;

	if (schedules_now(db, &now_us, &off_us, err) != 0)
		return -1;
	if (schedule_create(db, web_client(call), form, now_us, id, &existing,
			    &next_us, &fault, err) != 0)
		return schedules_fail(call, &fault, form->rule, err);
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
	return schedules_answer(call, schedule_show(db, id, err), err);
}

/* The database first: without one the form need not be read. */
static int
schedules_run_make(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	struct schedules_texts texts = {.scratch = BUF_INIT};
	struct schedule_form form;
	int result = -1;

	schedule_form_init(&form);
	form.traceparent = web_trace(call).parent;
	if (db != NULL && schedules_read_form(call, &form, &texts, err) == 0)
		result = web_own_prefix(call)[0] != '\0'
			     ? schedules_own_make(call, db, &form, err)
			     : schedules_make(call, db, &form, err);
	buf_done(&texts.scratch);
	return result;
}

/* One edit: what the body says takes the place of all. */
struct schedule_replacing {
	const struct schedule_form *form;
	bool keeps_enabled; /* the body does not say */
};

/* Called with the schedule as it was read; once more if a scheduler has changed it
 * in between. */
static int
schedules_apply_form(struct schedule_form *form, void *arg,
		     struct schedule_fault *fault, struct err *err)
{
	const struct schedule_replacing *r = arg;
	const bool enabled = form->enabled;
	const char *id = form->id, *traceparent = form->traceparent;

	*form = *r->form;
	if (r->keeps_enabled)
		form->enabled = enabled;
	/* How it came to be is not what an editor sees. */
	if (form->traceparent == NULL)
		form->traceparent = traceparent;
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
schedules_read_version(struct web_call *call, int64_t *ret, struct err *err)
{
	const char *text = web_header(call, "If-Match");
	char moment[CLOCK_TEXT_SIZE];
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

/* 412: somebody else was faster. */
static int
schedules_replace(struct web_call *call, struct schedules *db,
		  const struct schedule_edit *edit, const char *rule,
		  struct err *err)
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
		return schedules_fail(call, &fault, rule, err);
	web_audit(call, "schedule.edit", edit->id, 1);
	return schedules_answer(call, schedule, err);
}

/* A submitter may leave out what the IDs of its own begin with. */
static int
schedules_check_edit(struct web_call *call, struct schedule_form *form,
		     struct err *err)
{
	if (web_own_prefix(call)[0] == '\0')
		return 0;
	if (form->id != NULL &&
	    (form->id = web_own_id(call, form->id, err)) == NULL)
		return -1;
	return schedules_own_check(call, form, err);
}

/* Whether the form says "enabled" is seen in the body: the form itself has a
 * default. */
static int
schedules_run_edit(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	struct schedules_texts texts = {.scratch = BUF_INIT};
	struct schedule_form form;
	struct schedule_replacing replacing = {
	    .form = &form,
	    .keeps_enabled = !json_is_boolean(
		json_object_get(web_body_json(call), "enabled"))};
	char id[SCHEDULE_ID_MAX + 1];
	struct schedule_edit edit = {.id = id,
				     .apply = schedules_apply_form,
				     .arg = &replacing,
				     .client = web_client(call)};
	const char *whole = schedules_id(call, err);
	int64_t off_us;
	int result = -1;

	schedule_form_init(&form);
	snprintf(id, sizeof(id), "%s", whole != NULL ? whole : "");
	if (db != NULL && whole != NULL &&
	    schedules_now(db, &edit.now_us, &off_us, err) == 0 &&
	    schedules_read_version(call, &edit.updated_us, err) == 0 &&
	    schedules_read_form(call, &form, &texts, err) == 0 &&
	    schedules_check_edit(call, &form, err) == 0)
		result = schedules_replace(call, db, &edit, form.rule, err);
	buf_done(&texts.scratch);
	return result;
}

/* What it has fired stays for a while; its tasks are not touched. */
static int
schedules_run_delete(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *id = schedules_id(call, err);

	if (db == NULL || id == NULL || schedules_delete(db, id, err) != 0)
		return -1;
	if (web_own_prefix(call)[0] != '\0')
		own_recount_schedules(call, db);
	web_audit(call, "schedule.delete", id, 1);
	web_status(call, 204);
	return web_answer(call, json_null(), err);
}

/* What it has missed meanwhile is not made up for. */
static int
schedules_run_enable(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *id = schedules_id(call, err);
	int64_t now_us, off_us;

	if (db == NULL || id == NULL ||
	    schedules_now(db, &now_us, &off_us, err) != 0)
		return -1;
	web_audit(call, "schedule.enable", id, 1);
	return schedules_answer(call, schedule_enable(db, id, now_us, err),
				err);
}

/* A fire that was claimed is still sent. */
static int
schedules_run_disable(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *id = schedules_id(call, err);
	int64_t now_us, off_us;

	if (db == NULL || id == NULL ||
	    schedules_now(db, &now_us, &off_us, err) != 0)
		return -1;
	web_audit(call, "schedule.disable", id, 1);
	return schedules_answer(call, schedule_disable(db, id, now_us, err),
				err);
}

/* Once for one Idempotency-Key: an id that is taken was this call's. */
static int
schedules_run_task(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	const char *whole = schedules_id(call, err), *own = web_task_id(call);
	const struct web_trace trace = web_trace(call);
	char id[SCHEDULE_ID_MAX + 1], own_id[FLOWRRA_ID_SIZE] = "";
	struct schedule_run run = {
	    .id = id, .traceparent = trace.parent, .tracestate = trace.state};
	char made[FLOWRRA_ID_SIZE];
	bool flow = false;

	if (db == NULL || whole == NULL)
		return -1;
	snprintf(id, sizeof(id), "%s", whole);
	if (schedules_own_run(call, db, id, own_id, err) != 0)
		return -1;
	run.task_id = own_id[0] != '\0' ? own_id : own;
	if (schedule_run(db, web_client(call), &run, made, &flow, err) != 0) {
		if (own == NULL || err->code != ERR_REFUSED)
			return -1;
		snprintf(made, sizeof(made), "%s", own);
	}
	web_audit(call, "schedule.run", id, 1);
	web_status(call, 201);
	return web_answer(
	    call, json_pack("{s:s}", flow ? "workflow" : "task_id", made), err);
}

/* --- the table ------------------------------------------------------------- */

static const struct web_param schedules_id_params[] = {SCHEDULE_ID_PARAM,
						       {.name = NULL}};

static const struct web_param schedules_make_params[] = {
#include "web/schedule_params.def"
    {.name = NULL}};

/* The id of the path comes first: it is the one that is asked for. */
static const struct web_param schedules_edit_params[] = {SCHEDULE_ID_PARAM,
#include "web/schedule_params.def"
							 {.name = NULL}};

const struct web_route web_schedules_change_routes[] = {
    {HTTP_POST, "/api/v1/schedules", WEB_OPERATOR, WEB_ANY_BODY | WEB_OWN,
     schedules_make_params, schedules_run_make,
     "Makes a schedule: task, type (cron, interval, once) and rule, and what "
     "else may be said.",
     "201 and the schedule; 200 and the one that is identical"},
    {HTTP_PUT, "/api/v1/schedules/{id}", WEB_OPERATOR, WEB_ANY_BODY | WEB_OWN,
     schedules_edit_params, schedules_run_edit,
     "Replaces what a schedule says; If-Match has its ETag. A fire that is due "
     "is still done.",
     SCHEDULE_ANSWER},
    {HTTP_DELETE, "/api/v1/schedules/{id}", WEB_OPERATOR, WEB_OWN,
     schedules_id_params, schedules_run_delete, "Deletes a schedule.", "204"},
    {HTTP_POST, "/api/v1/schedules/{id}/enable", WEB_OPERATOR, WEB_OWN,
     schedules_id_params, schedules_run_enable,
     "Enables a schedule, from now on.", SCHEDULE_ANSWER},
    {HTTP_POST, "/api/v1/schedules/{id}/disable", WEB_OPERATOR, WEB_OWN,
     schedules_id_params, schedules_run_disable, "Disables a schedule.",
     SCHEDULE_ANSWER},
    {HTTP_POST, "/api/v1/schedules/{id}/run", WEB_OPERATOR,
     WEB_OWN | WEB_SUBMITS, schedules_id_params, schedules_run_task,
     "Submits the task of a schedule now, or begins its workflow.",
     "201 and {task_id} or {workflow}"},
    WEB_ROUTES_END};
