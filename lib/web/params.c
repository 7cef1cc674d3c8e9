/* SPDX-License-Identifier: MIT */
/*
 * Parameters, checked as the table of the route says: types, ranges, what is
 * missing and what is in no table. Each error names the parameter, and its help
 * from the table is the hint.
 *
 * All of it is checked before the route's function runs, so that no function
 * has a half-read request; manager/object.h checks forms, which have members of
 * their own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/closest.h"
#include "web/call.h"

/* Whether any number will do. */
static bool
param_is_unbounded(const struct web_param *p)
{
	return p->min == 0 && p->max == 0;
}

/* Where a parameter stands, for messages. */
static const char *
param_place(const struct web_param *p)
{
	static const char *const names[] = {[WEB_PATH] = "the path",
					    [WEB_QUERY] = "the query",
					    [WEB_BODY] = "the body"};

	return names[p->in];
}

/* The one message of a bad value. */
static int
param_bad(struct web_call *call, const struct web_param *p, const char *what,
	  struct err *err)
{
	err_set(err, ERR_USAGE, "%s: not %s", p->name, what);
	return web_fault(call, p->name, p->help, err);
}

/* Its range is the help that is needed most. */
static int
param_bad_int(struct web_call *call, const struct web_param *p, struct err *err)
{
	char what[96] = "a whole number";

	if (!param_is_unbounded(p))
		snprintf(what, sizeof(what),
			 "a whole number (%" PRId64 " to %" PRId64 ")", p->min,
			 p->max);
	return param_bad(call, p, what, err);
}

/* The range of the table holds for a number of a query and of a body alike. */
static int
param_set_int(struct web_call *call, const struct web_param *p, int64_t value,
	      struct web_value *ret, struct err *err)
{
	if (!param_is_unbounded(p) && (value < p->min || value > p->max))
		return param_bad_int(call, p, err);
	ret->whole = value;
	return 0;
}

/* strtoll() takes blanks and a plus sign; neither is how a number is written in
 * a URL, where a plus is a blank. */
static int
param_read_int(struct web_call *call, const struct web_param *p,
	       const char *text, struct web_value *ret, struct err *err)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' ||
	    strchr(" \t+", text[0]) != NULL)
		return param_bad_int(call, p, err);
	return param_set_int(call, p, value, ret, err);
}

/* The words of JSON, of shells and of people, also as Python writes them
 * ("True"); no others, since "off" in one place would be looked for in all. */
static int
param_read_bool(struct web_call *call, const struct web_param *p,
		const char *text, struct web_value *ret, struct err *err)
{
	static const char *const words[] = {"false", "true", "0",
					    "1",     "no",   "yes"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(words[i], text) == 0) {
			ret->whole = (int64_t)(i % 2);
			return 0;
		}
	return param_bad(call, p, "true or false", err);
}

/*
 * A time that was copied from an answer into a URL ends in "+00:00", of which the
 * query's own rules make " 00:00". No time has a blank before its offset, so the
 * plus sign is put back; people should not have to write %2B.
 */
static int
param_read_moment(const char *text, int64_t *ret)
{
	char mended[2 * CLOCK_TEXT_SIZE];
	const size_t n = strlen(text);

	if (n > 6 && n < sizeof(mended) && text[n - 6] == ' ' &&
	    text[n - 3] == ':') {
		memcpy(mended, text, n + 1);
		mended[n - 6] = '+';
		text = mended;
	}
	return clock_parse(text, ret, NULL);
}

/* A moment, or a duration before or after now: "-2h". */
static int
param_read_time(struct web_call *call, const struct web_param *p,
		const char *text, struct web_value *ret, struct err *err)
{
	const bool before = text[0] == '-';
	int64_t us;

	if (param_read_moment(text, &ret->whole) == 0)
		return 0;
	if (clock_parse_duration(text + before, &us, NULL) != 0)
		return param_bad(call, p,
				 "a time (\"2026-11-23T12:00:00Z\", or \"-2h\" "
				 "for two hours ago)",
				 err);
	ret->whole = clock_wall_us() + (before ? -us : us);
	return 0;
}

/* A number without a unit is seconds, as anywhere. */
static int
param_read_seconds(struct web_call *call, const struct web_param *p,
		   const char *text, struct web_value *ret, struct err *err)
{
	int64_t us;

	if (clock_parse_duration(text, &us, NULL) != 0)
		return param_bad(call, p, "a duration (seconds, or \"1h30m\")",
				 err);
	ret->number = (double)us / 1e6;
	return 0;
}

/* Duplicates are refused: readers differ in which of two they take. */
static int
param_read_json(struct web_call *call, const struct web_param *p,
		const char *text, struct web_value *ret, struct err *err)
{
	ret->json =
	    json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	return ret->json != NULL ? 0 : param_bad(call, p, "JSON", err);
}

static int
param_read_text(struct web_call *call, const struct web_param *p,
		const char *text, struct web_value *ret, struct err *err)
{
	return 0; /* as it is */
}

/* By type: what of a query or a path, which is always a text, becomes a value. */
typedef int param_read_fn(struct web_call *call, const struct web_param *p,
			  const char *text, struct web_value *ret,
			  struct err *err);
static param_read_fn *const param_readers[] = {
    [WEB_TEXT] = param_read_text,	[WEB_INT] = param_read_int,
    [WEB_BOOL] = param_read_bool,	[WEB_TIME] = param_read_time,
    [WEB_SECONDS] = param_read_seconds, [WEB_JSON] = param_read_json};

/* Twice is a mistake: of two values one would be passed over, unseen. */
static int
param_take_text(struct web_call *call, const struct web_param *p,
		const char *text, struct err *err)
{
	struct web_value *value = &call->values[p - call->route->params];

	if (value->given) {
		err_set(err, ERR_USAGE, "%s: comes twice in %s", p->name,
			param_place(p));
		return web_fault(call, p->name, p->help, err);
	}
	value->given = true;
	value->text = text;
	return param_readers[p->type](call, p, text, value, err);
}

/* A member of the body, which has a type of its own. */
static int
param_take_member(struct web_call *call, const struct web_param *p,
		  json_t *json, struct err *err)
{
	struct web_value *value = &call->values[p - call->route->params];

	/* null is as good as nothing. */
	if (json_is_null(json) && p->type != WEB_JSON)
		return 0;
	value->given = true;
	if (p->type == WEB_JSON) {
		value->json = json_incref(json);
		return 0;
	}
	if (json_is_string(json) && p->type != WEB_INT && p->type != WEB_BOOL) {
		value->text = json_string_value(json);
		return param_readers[p->type](call, p, value->text, value, err);
	}
	if (json_is_integer(json) && p->type == WEB_INT)
		return param_set_int(call, p, json_integer_value(json), value,
				     err);
	if (json_is_boolean(json) && p->type == WEB_BOOL) {
		value->whole = json_is_true(json);
		return 0;
	}
	if (json_is_number(json) && p->type == WEB_SECONDS &&
	    json_number_value(json) >= 0) {
		value->number = json_number_value(json);
		return 0;
	}
	return p->type == WEB_INT    ? param_bad_int(call, p, err)
	       : p->type == WEB_BOOL ? param_bad(call, p, "true or false", err)
	       : p->type == WEB_TEXT ? param_bad(call, p, "a string", err)
	       : p->type == WEB_TIME
		   ? param_bad(call, p, "a time, as a string", err)
		   : param_bad(call, p, "a duration", err);
}

/* A prefix is compared as such; no table has two that begin alike. */
static const struct web_param *
param_find(const struct web_call *call, enum web_place in, const char *name)
{
	const struct web_param *p = call->route->params;

	for (; p != NULL && p->name != NULL; p++)
		if (p->in == in &&
		    (p->prefix ? strncmp(p->name, name, strlen(p->name)) == 0
			       : strcmp(p->name, name) == 0))
			return p;
	return NULL;
}

/* A name in no table is a slip that would go unnoticed: a filter that does not
 * filter. */
static int
param_unknown(struct web_call *call, enum web_place in, const char *name,
	      struct err *err)
{
	const struct web_param *p = call->route->params;
	struct closest close = CLOSEST_INIT(name);
	char names[CLOSEST_TEXT_SIZE];
	char hint[CLOSEST_TEXT_SIZE + 32];

	for (; p != NULL && p->name != NULL; p++)
		if (p->in == in)
			closest_offer(&close, p->name);
	err_set(err, ERR_USAGE, "unknown %s \"%.64s\"",
		in == WEB_BODY ? "member" : "parameter", name);
	if (closest_write(&close, names) == 0)
		return web_fault(call, name, NULL, err);
	snprintf(hint, sizeof(hint), "did you mean %s?", names);
	return web_fault(call, name, hint, err);
}

/* In the order of the query, so that the first mistake is told first. */
static int
params_check_query(struct web_call *call, struct err *err)
{
	const struct web_param *p;
	size_t i;

	for (i = 0; i < call->query.n; i++) {
		const struct web_pair *pair = &call->query.items[i];

		if ((p = param_find(call, WEB_QUERY, pair->name)) == NULL)
			return param_unknown(call, WEB_QUERY, pair->name, err);
		/* web_each() has those. */
		if (!p->prefix &&
		    param_take_text(call, p, pair->value, err) != 0)
			return -1;
	}
	return 0;
}

/* Values of the path are there, or the route would not have been found. */
static int
params_check_path(struct web_call *call, struct err *err)
{
	const struct web_param *p;
	size_t i;

	for (i = 0; i < call->match.n; i++) {
		p = param_find(call, WEB_PATH, call->match.values[i].name);
		if (p != NULL &&
		    param_take_text(call, p, call->match.values[i].value,
				    err) != 0)
			return -1;
	}
	return 0;
}

/* The reason why a text is not JSON, and where. */
static int
params_bad_body(struct web_call *call, const json_error_t *why, struct err *err)
{
	err_set(err, ERR_USAGE, "the body is not JSON: line %d, column %d: %s",
		why->line, why->column, why->text);
	return web_fault(call, NULL, NULL, err);
}

/* An empty body is none, as curl sends it with -X POST. */
static int
params_load_body(struct web_call *call, struct err *err)
{
	json_error_t why;

	if (call->body.len == 0)
		return 0;
	call->json = json_loadb(call->body.data, call->body.len,
				JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
	if (call->json == NULL)
		return params_bad_body(call, &why, err);
	if (!json_is_object(call->json) &&
	    (call->route->flags & WEB_ANY_BODY) == 0) {
		err_set(err, ERR_USAGE, "the body is not a JSON object");
		return web_fault(call, NULL, NULL, err);
	}
	return 0;
}

/* Any other JSON than an object has no members to check: WEB_ANY_BODY is for
 * those. */
static int
params_check_body(struct web_call *call, struct err *err)
{
	const struct web_param *p;
	const char *name;
	json_t *member;

	if ((call->route->flags & WEB_RAW_BODY) != 0)
		return 0;
	if (params_load_body(call, err) != 0)
		return -1;
	json_object_foreach (call->json, name, member) {
		p = param_find(call, WEB_BODY, name);
		if (p == NULL && (call->route->flags & WEB_ANY_BODY) == 0)
			return param_unknown(call, WEB_BODY, name, err);
		if (p != NULL && param_take_member(call, p, member, err) != 0)
			return -1;
	}
	return 0;
}

/* Last: what is there and wrong says more than what is not there. */
static int
params_check_missing(struct web_call *call, struct err *err)
{
	const struct web_param *p = call->route->params;

	for (; p != NULL && p->name != NULL; p++) {
		/* What reads a body itself tells better what it lacks. */
		if (!p->required || p->prefix ||
		    (p->in == WEB_BODY &&
		     (call->route->flags & WEB_RAW_BODY) != 0) ||
		    call->values[p - call->route->params].given)
			continue;
		err_set(err, ERR_USAGE, "%s: is missing in %s", p->name,
			param_place(p));
		return web_fault(call, p->name, p->help, err);
	}
	return 0;
}

/* Path, query, body, and at last what is missing. */
int
web_params_check(struct web_call *call, struct err *err)
{
	const struct web_param *p = call->route->params;
	size_t n = 0;

	if (call->bad_query.code != ERR_NONE) {
		err_set(err, ERR_USAGE, "the query cannot be read: %.200s",
			call->bad_query.msg);
		return web_fault(call, NULL, NULL, err);
	}
	while (p != NULL && p[n].name != NULL)
		n++;
	call->values = calloc(n + 1, sizeof(*call->values));
	if (call->values == NULL)
		return err_nomem(err);
	return params_check_path(call, err) != 0 ||
		       params_check_query(call, err) != 0 ||
		       params_check_body(call, err) != 0 ||
		       params_check_missing(call, err) != 0
		   ? -1
		   : 0;
}
