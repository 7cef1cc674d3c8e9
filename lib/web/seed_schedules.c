/* SPDX-License-Identifier: MIT */
/*
 * Routes of schedules of the Python package's UI, in its shapes (seed.c has the
 * others).
 *
 * What the package forgives is forgiven here: to make a schedule that exists, to
 * enable one that is enabled, to delete one that is gone. What the package stores
 * although no scheduler can read it is refused. Statuses and texts of errors are
 * the package's where a client may look for them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/member.h"
#include "manager/schedule_json.h"
#include "manager/schedules.h"
#include "module/dump.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "web/lists.h"
#include "web/schedules.h"
#include "web/seed.h"

/* The package answers all of them at once; here as many as can be meant. */
#define SCHEDULES_MAX 10000
#define SCHEDULES_PAGE 500

/* Any mistake of the client is a 400 of the package. */
static int
seed_fault(struct web_call *call, const struct err *err)
{
	if (err->code == ERR_DATA || err->code == ERR_USAGE ||
	    err->code == ERR_NOT_FOUND || err->code == ERR_REFUSED)
		web_status(call, 400);
	return -1;
}

/* --- schedules ----------------------------------------------------------- */

/* The package writes an interval as a number of seconds with a fraction: "300.0". */
static json_t *
seed_rule(const json_t *schedule, const char *type)
{
	const char *rule = member_text(schedule, "rule");
	char text[40];
	int64_t us;

	if (strcmp(type, "interval") != 0 || rule == NULL ||
	    clock_parse_duration(rule, &us, NULL) != 0)
		return json_incref(json_object_get(schedule, "rule"));
	snprintf(text, sizeof(text), "%.17g", (double)us / SEED_US_PER_S);
	if (strchr(text, '.') == NULL)
		memcpy(text + strlen(text), ".0", sizeof(".0"));
	return json_string(text);
}

/* Without arguments, as in the package: in a list each may be a megabyte long. */
static json_t *
seed_schedule(const json_t *s)
{
	const char *type = member_text(s, "type");
	const char *description = member_text(s, "description");

	if (type == NULL)
		type = "cron";
	return json_pack(
	    "{s:O?,s:O?,s:s,s:o,s:O?,s:O?,s:O?,s:O?,s:s?,s:O?,s:O?}", "id",
	    json_object_get(s, "id"), "task_name", json_object_get(s, "task"),
	    "schedule_type", strcmp(type, "once") == 0 ? "one_time" : type,
	    "schedule", seed_rule(s, type), "enabled",
	    json_object_get(s, "enabled"), "next_run_at",
	    json_object_get(s, "next_run"), "last_run_at",
	    json_object_get(s, "last_run"), "priority",
	    json_object_get(s, "priority"), "description",
	    description != NULL && *description != '\0' ? description : NULL,
	    "created_at", json_object_get(s, "created_at"), "updated_at",
	    json_object_get(s, "updated_at"));
}

/* Adds a page to the answer. Returns the cursor of the next, NULL at the end. */
static json_t *
seed_add_page(json_t *answer, const json_t *page)
{
	json_t *next = json_object_get(page, "next"), *one;
	size_t i;

	json_array_foreach (json_object_get(page, "items"), i, one)
		json_array_append_new(answer, seed_schedule(one));
	return json_is_string(next) && json_array_size(answer) < SCHEDULES_MAX
		   ? json_incref(next)
		   : NULL;
}

/* All of them in one answer, but read in pages, which hold no lock for long. */
static int
seed_get_schedules(struct web_call *call, struct err *err)
{
	struct schedule_query query = {
	    .enabled = web_bool(call, "enabled_only", false) ? 1 : -1,
	    .limit = SCHEDULES_PAGE};
	struct schedules *db = web_schedules(call, err);
	json_t *answer = json_array(), *page, *next = NULL, *cursor;

	do {
		cursor = next;
		query.cursor = json_string_value(cursor);
		page = db != NULL ? schedule_list(db, &query, err) : NULL;
		next = page != NULL ? seed_add_page(answer, page) : NULL;
		json_decref(cursor);
		json_decref(page);
	} while (next != NULL);
	/* Without a database there are no schedules, and no error. */
	if (err->code != ERR_NONE && err->code != ERR_NOT_FOUND) {
		json_decref(answer);
		return -1;
	}
	return web_answer(call, answer, err);
}

/* Settings that the schedule leaves to the task are shown as configured here: the
 * package always has a number. */
static int
seed_get_schedule(struct web_call *call, struct err *err)
{
	const struct conf_executor *conf = &web_conf(call)->executor;
	struct schedules *db = web_schedules(call, err);
	json_t *s = NULL, *answer;

	if (db != NULL)
		s = schedule_show(db, web_text(call, "id"), err);
	if (s == NULL) {
		if (err->code == ERR_NOT_FOUND)
			err_set(err, ERR_NOT_FOUND, "Schedule not found");
		return -1;
	}
	answer = seed_schedule(s);
	json_object_set(answer, "args", json_object_get(s, "args"));
	json_object_set(answer, "kwargs", json_object_get(s, "kwargs"));
	json_object_set_new(
	    answer, "max_retries",
	    seed_number(s, "max_retries",
			json_integer((json_int_t)conf->max_retries)));
	json_object_set_new(
	    answer, "retry_delay",
	    seed_number(s, "retry_delay",
			json_real((double)conf->retry_delay / SEED_US_PER_S)));
	json_decref(s);
	return web_answer(call, answer, err);
}

/* --- making schedules ---------------------------------------------------- */

/* What the body says. Its texts are the body's, and last as long as the call; the
 * rest is freed by seed_make(). */
struct seed_form {
	struct schedule_form form;
	char *args, *kwargs;
	char rule[40]; /* of an interval */
};

/* "%s: not %s" reads well with all that is asked for: "args: not an array". */
static int
seed_bad(struct err *err, const char *name, const char *what)
{
	return err_set(err, ERR_DATA, "%s: not %s", name, what);
}

static int
seed_read_text(const json_t *body, const char *name, const char **ret,
	       struct err *err)
{
	bool bad = false;

	*ret = lists_member(body, name, &bad);
	return bad ? seed_bad(err, name, "a string") : 0;
}

/* Arguments become a text of JSON, as the database has them. null stands for none,
 * as None does in the package. */
static int
seed_read_json(const json_t *body, const char *name, bool array, char **ret,
	       struct err *err)
{
	const json_t *value = json_object_get(body, name);

	if (value == NULL || json_is_null(value))
		return 0;
	if (array ? !json_is_array(value) : !json_is_object(value))
		return seed_bad(err, name, array ? "an array" : "an object");
	return (*ret = json_dumps(value, dump_flags(value))) != NULL
		   ? 0
		   : err_nomem(err);
}

/* The package stores whatever it is given here, and then no scheduler can read the
 * schedule, its own included. */
static int
seed_read_options(const json_t *body, struct seed_form *f, struct err *err)
{
	const json_t *enabled = json_object_get(body, "enabled");
	const json_t *priority = json_object_get(body, "priority");

	if (enabled != NULL && !json_is_boolean(enabled))
		return seed_bad(err, "enabled", "true or false");
	if (priority != NULL &&
	    (!json_is_integer(priority) ||
	     json_integer_value(priority) != (int)json_integer_value(priority)))
		return seed_bad(err, "priority", "a whole number");
	f->form.enabled = enabled == NULL || json_is_true(enabled);
	f->form.priority = (int)json_integer_value(priority);
	return 0;
}

/* The interval is a number of seconds, or a text as we write it. */
static int
seed_read_rule(const json_t *body, const char *name, struct seed_form *f,
	       struct err *err)
{
	const json_t *value = json_object_get(body, name);

	if (json_is_number(value) && strcmp(name, "interval") == 0) {
		if (!(json_number_value(value) > 0 &&
		      json_number_value(value) < 1e12))
			return err_set(err, ERR_DATA,
				       "Interval must be positive");
		snprintf(f->rule, sizeof(f->rule), "%.6f",
			 json_number_value(value));
		f->form.rule = f->rule;
		return 0;
	}
	if (!json_is_string(value))
		return seed_bad(err, name, "given");
	f->form.rule = json_string_value(value);
	return 0;
}

/* Members that are not known are passed over, as in the package. */
static int
seed_read_form(const json_t *body, const char *rule, struct seed_form *f,
	       struct err *err)
{
	if (!json_is_object(body))
		return err_set(err, ERR_DATA, "Request body required");
	if (seed_read_text(body, "task_name", &f->form.task, err) != 0 ||
	    seed_read_text(body, "description", &f->form.description, err) !=
		0 ||
	    seed_read_json(body, "args", true, &f->args, err) != 0 ||
	    seed_read_json(body, "kwargs", false, &f->kwargs, err) != 0 ||
	    seed_read_options(body, f, err) != 0 ||
	    seed_read_rule(body, rule, f, err) != 0)
		return -1;
	if (f->form.task == NULL)
		return seed_bad(err, "task_name", "given");
	f->form.args = f->args;
	f->form.kwargs = f->kwargs;
	return 0;
}

/* A schedule that is identical to an existing one is answered with the ID of that
 * one, by the package and by us. */
static int
seed_make(struct web_call *call, const char *type, const char *rule,
	  struct err *err)
{
	struct seed_form f = {.args = NULL};
	struct zone_words words = {.local = ""};
	struct schedule_fault fault;
	char id[SCHEDULE_ID_MAX + 1];
	struct schedules *db;
	bool existing;
	int64_t next_us;
	int result;

	schedule_form_init(&f.form);
	f.form.type = type;
	result = seed_read_form(web_body_json(call), rule, &f, err);
	if (result == 0)
		result = schedules_choose_zone(call, &f.form, &words, err);
	if (result == 0)
		result = (db = web_schedules(call, err)) != NULL
			     ? schedule_create(db, web_client(call), &f.form,
					       clock_wall_us(), id, &existing,
					       &next_us, &fault, err)
			     : -1;
	free(f.args);
	free(f.kwargs);
	if (result != 0)
		return seed_fault(call, err);
	web_audit(call, "schedule.create", id, 1);
	web_status(call, 201);
	return web_answer(call, json_pack("{s:s}", "schedule_id", id), err);
}

/* Its members of a rule have other names for each type: "cron", "interval",
 * "run_at". */
static int
seed_make_cron(struct web_call *call, struct err *err)
{
	return seed_make(call, "cron", "cron", err);
}

static int
seed_make_interval(struct web_call *call, struct err *err)
{
	return seed_make(call, "interval", "interval", err);
}

/* The package has no such route; it is there so that no type is left out. */
static int
seed_make_once(struct web_call *call, struct err *err)
{
	return seed_make(call, "once", "run_at", err);
}

/* --- changing schedules -------------------------------------------------- */

/* To enable what is enabled, or disable what is disabled, is not an error. */
static int
seed_switch(struct web_call *call, bool on, struct err *err)
{
	const char *id = web_text(call, "id");
	struct schedules *db = web_schedules(call, err);
	json_t *s = NULL;

	web_audit(call, on ? "schedule.enable" : "schedule.disable", id, 1);
	if (db != NULL)
		s = on ? schedule_enable(db, id, clock_wall_us(), err)
		       : schedule_disable(db, id, clock_wall_us(), err);
	if (s == NULL) {
		if (err->code == ERR_NOT_FOUND)
			err_set(err, ERR_NOT_FOUND,
				"Scheduled task '%.128s' not found", id);
		return seed_fault(call, err);
	}
	json_decref(s);
	return web_answer(call,
			  json_pack("{s:s,s:s}", "status",
				    on ? "enabled" : "disabled", "schedule_id",
				    id),
			  err);
}

static int
seed_enable(struct web_call *call, struct err *err)
{
	return seed_switch(call, true, err);
}

static int
seed_disable(struct web_call *call, struct err *err)
{
	return seed_switch(call, false, err);
}

/* To delete a schedule that does not exist is not an error. */
static int
seed_delete(struct web_call *call, struct err *err)
{
	const char *id = web_text(call, "id");
	struct schedules *db = web_schedules(call, err);
	bool deleted = false;

	web_audit(call, "schedule.delete", id, 1);
	if (db != NULL)
		deleted = schedules_delete(db, id, err) == 0;
	if (!deleted && err->code != ERR_NOT_FOUND)
		return seed_fault(call, err);
	return web_answer(
	    call,
	    json_pack("{s:b,s:s}", "deleted", (int)deleted, "schedule_id", id),
	    err);
}

/* --- the table ----------------------------------------------------------- */

static const struct web_param seed_schedules_params[] = {
    LIST_QUERY("enabled_only", WEB_BOOL, "only those that are enabled"),
    {.name = NULL}};
static const struct web_param seed_schedule_params[] = {
    LIST_PATH("id", "the id of a schedule"), {.name = NULL}};

#define SEED_MAKE(word, make, rule)                                            \
	{                                                                      \
		HTTP_POST, "/api/schedules/" word, WEB_OPERATOR,               \
		    WEB_SEED | WEB_ANY_BODY, NULL, make,                       \
		    "Makes a schedule, as the Python package's UI does: "      \
		    "task_name, " rule                                         \
		    ", args, kwargs, enabled, description, priority.",         \
		    "201 {\"schedule_id\"}"                                    \
	}

const struct web_route web_seed_schedules_routes[] = {
    {HTTP_GET, "/api/schedules", WEB_VIEWER, WEB_SEED, seed_schedules_params,
     seed_get_schedules, "Schedules, as the Python package's UI has them.",
     "[{\"id\", \"task_name\", \"schedule_type\", \"schedule\", \"enabled\", "
     "\"next_run_at\", \"last_run_at\", …}]"},
    {HTTP_GET, "/api/schedules/{id}", WEB_VIEWER, WEB_SEED,
     seed_schedule_params, seed_get_schedule,
     "A schedule, as the Python package's UI has it.",
     "the schedule, with its arguments"},
    SEED_MAKE("cron", seed_make_cron, "cron"),
    SEED_MAKE("interval", seed_make_interval, "interval (seconds)"),
    SEED_MAKE("once", seed_make_once, "run_at"),
    {HTTP_PUT, "/api/schedules/{id}/enable", WEB_OPERATOR, WEB_SEED,
     seed_schedule_params, seed_enable, "Enables a schedule.",
     "{\"status\", \"schedule_id\"}"},
    {HTTP_PUT, "/api/schedules/{id}/disable", WEB_OPERATOR, WEB_SEED,
     seed_schedule_params, seed_disable, "Disables a schedule.",
     "{\"status\", \"schedule_id\"}"},
    {HTTP_DELETE, "/api/schedules/{id}", WEB_OPERATOR, WEB_SEED,
     seed_schedule_params, seed_delete, "Deletes a schedule.",
     "{\"deleted\", \"schedule_id\"}"},
    WEB_ROUTES_END};
