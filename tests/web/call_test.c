/* SPDX-License-Identifier: MIT */
/* Calls: what the tables promise is checked, and told. */
#include <string.h>

#include "web/desk.h"
#include "web/openapi.h"

static const char *
problem_text_of(const struct desk *d, const char *name)
{
	const char *text = json_string_value(desk_at(d, name, NULL));

	return text != NULL ? text : "";
}

START_TEST(a_parameter_that_is_in_no_table_is_refused_with_the_close_one)
{
	struct desk *d = desk_open(DESK_SQLITE);

	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/audit?limt=3", NULL),
			  400);
	ck_assert_str_eq(problem_text_of(d, "code"), "bad_request");
	ck_assert_str_eq(problem_text_of(d, "field"), "limt");
	ck_assert_str_eq(problem_text_of(d, "hint"), "did you mean \"limit\"?");
	desk_close(d);
}
END_TEST

START_TEST(a_number_out_of_its_range_is_refused_with_the_range)
{
	static const char *const bad[] = {
	    "0", "1001", "x", "", "+1", "1.5", "99999999999999999999"};
	struct desk *d = desk_open(DESK_SQLITE);
	char target[80];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(target, sizeof(target), "/api/v1/audit?limit=%s",
			 bad[i]);
		ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
		ck_assert_str_eq(problem_text_of(d, "detail"),
				 "limit: not a whole number (1 to 1000)");
	}
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/audit?limit=1&limit=2", NULL), 400);
	ck_assert_str_eq(problem_text_of(d, "detail"),
			 "limit: comes twice in the query");
	desk_close(d);
}
END_TEST

START_TEST(a_database_that_nobody_has_made_yet_is_out_of_reach)
{
	static const char *const targets[] = {
	    "/api/v1/queues", "/api/v1/tasks/x", "/api/v1/tasks/x/result"};
	struct desk *d = desk_open(DESK_SQLITE);
	size_t i;

	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		ck_assert_uint_eq(desk_ask(d, "GET", targets[i], NULL), 503);
		ck_assert_str_eq(problem_text_of(d, "code"), "unreachable");
		ck_assert_ptr_null(strstr(d->bytes.data, d->dir));
	}
	desk_close(d);
}
END_TEST

/* What changes something is the operator's, and only what probes and logins need
 * is open. */
START_TEST(no_route_is_open_or_changes_things_by_oversight)
{
	static const char *const open[] = {"/api/v1/session", "/healthz",
					   "/readyz"};
	const struct web_route *const *table;
	const struct web_route *r;
	size_t i;

	for (table = web_routes; *table != NULL; table++)
		for (r = *table; r->path != NULL; r++) {
			for (i = 0; i < sizeof(open) / sizeof(open[0]); i++)
				if (strcmp(open[i], r->path) == 0)
					break;
			ck_assert_msg((r->role == WEB_OPEN) ==
					  (i < sizeof(open) / sizeof(open[0])),
				      "%s", r->path);
			ck_assert_msg(r->method == HTTP_GET ||
					  r->role == WEB_OPERATOR ||
					  (r->flags & WEB_QUIET) != 0,
				      "%s", r->path);
		}
}
END_TEST

START_TEST(an_unknown_job_is_not_found)
{
	struct desk *d = desk_open(DESK_SQLITE);

	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/jobs/x", NULL), 404);
	ck_assert_str_eq(problem_text_of(d, "code"), "not_found");
	desk_close(d);
}
END_TEST

START_TEST(the_description_has_every_route_and_resolves_its_references)
{
	const struct web_route *const *tables;
	const struct web_route *route;
	static const char *const methods[] = {"get", "post", "put", "delete"};
	struct desk *d = desk_open(DESK_SQLITE);
	const struct web_param *p;
	json_t *operation;

	desk_get(d, "/api/v1/openapi.json");
	for (tables = web_routes; *tables != NULL; tables++)
		for (route = *tables; route->path != NULL; route++) {
			operation = desk_at(d, "paths", route->path,
					    methods[route->method], NULL);
			ck_assert_msg(json_is_object(operation), "%s",
				      route->path);
			ck_assert_msg(route->summary != NULL &&
					  route->answer != NULL,
				      "%s is not described", route->path);
			for (p = route->params; p != NULL && p->name != NULL;
			     p++)
				ck_assert_msg(p->help != NULL, "%s: %s",
					      route->path, p->name);
		}
	ck_assert(json_is_object(
	    desk_at(d, "components", "schemas", "Problem", NULL)));
	ck_assert(json_is_object(
	    desk_at(d, "components", "responses", "Problem", NULL)));
	ck_assert(json_is_object(
	    desk_at(d, "components", "responses", "Error", NULL)));
	desk_close(d);
}
END_TEST

START_TEST(a_path_parameter_stands_in_the_table_of_its_route)
{
	const struct web_route *const *tables;
	const struct web_route *route;
	const struct web_param *p;
	const char *at;
	size_t len;

	for (tables = web_routes; *tables != NULL; tables++)
		for (route = *tables; route->path != NULL; route++)
			for (at = route->path; (at = strchr(at, '{')) != NULL;
			     at++) {
				len = strcspn(at + 1, "}");
				for (p = route->params;
				     p != NULL && p->name != NULL; p++)
					if (p->in == WEB_PATH &&
					    strlen(p->name) == len &&
					    strncmp(p->name, at + 1, len) == 0)
						break;
				ck_assert_msg(p != NULL && p->name != NULL,
					      "%s", route->path);
			}
}
END_TEST

SUITE("web-call")
{
	TEST(a_parameter_that_is_in_no_table_is_refused_with_the_close_one);
	TEST(a_number_out_of_its_range_is_refused_with_the_range);
	TEST(a_database_that_nobody_has_made_yet_is_out_of_reach);
	TEST(no_route_is_open_or_changes_things_by_oversight);
	TEST(an_unknown_job_is_not_found);
	TEST(the_description_has_every_route_and_resolves_its_references);
	TEST(a_path_parameter_stands_in_the_table_of_its_route);
}
