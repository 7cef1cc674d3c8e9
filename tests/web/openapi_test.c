/* SPDX-License-Identifier: MIT */
/* The description of the API: an OpenAPI 3.1 document by the rules of that
 * standard, with the routes that there are and no others. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "web/desk.h"
#include "web/openapi.h"

static const char *const methods[] = {[HTTP_GET] = "get",
				      [HTTP_POST] = "post",
				      [HTTP_PUT] = "put",
				      [HTTP_DELETE] = "delete"};

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

/* What "#/components/x/y" means, which must be there. */
static void
check_reference(const json_t *document, const char *reference)
{
	const json_t *at = document;
	char text[200], *save, *part;

	ck_assert_msg(strncmp(reference, "#/", 2) == 0, "%s", reference);
	snprintf(text, sizeof(text), "%s", reference + 2);
	for (part = strtok_r(text, "/", &save); part != NULL;
	     part = strtok_r(NULL, "/", &save))
		at = json_object_get(at, part);
	ck_assert_msg(json_is_object(at), "%s is not there", reference);
}

static void
check_references(const json_t *document, const json_t *value)
{
	const char *name;
	json_t *member;
	size_t i;

	json_array_foreach ((json_t *)value, i, member)
		check_references(document, member);
	json_object_foreach ((json_t *)value, name, member) {
		if (strcmp(name, "$ref") == 0)
			check_reference(document, json_string_value(member));
		check_references(document, member);
	}
}

/* JSON Schema: known types, and what is required is described. */
static void
check_schema(const char *where, const json_t *schema)
{
	static const char types[] = "string integer number boolean object "
				    "array null";
	const json_t *type = json_object_get(schema, "type");
	const json_t *members = json_object_get(schema, "properties");
	const char *name;
	json_t *one;
	size_t i;

	ck_assert_msg(json_is_object(schema), "%s", where);
	if (json_is_string(type))
		ck_assert_msg(strstr(types, json_string_value(type)) != NULL,
			      "%s", where);
	json_array_foreach ((json_t *)type, i, one)
		ck_assert_msg(strstr(types, json_string_value(one)) != NULL,
			      "%s", where);
	json_object_foreach ((json_t *)members, name, one)
		check_schema(name, one);
	json_array_foreach (json_object_get(schema, "required"), i, one)
		ck_assert_msg(
		    json_object_get(members, json_string_value(one)) != NULL,
		    "%s: %s", where, json_string_value(one));
}

/* Those of the path are just those of the template, and required; a name comes
 * once in each place. */
static void
check_parameters(const char *path, const json_t *parameters)
{
	const char *at, *in, *other;
	size_t i, j, in_path = 0, in_template = 0;
	char braces[80];
	json_t *p, *q;

	for (at = path; (at = strchr(at, '{')) != NULL; at++)
		in_template++;
	json_array_foreach (parameters, i, p) {
		in = text_of(p, "in");
		check_schema(path, json_object_get(p, "schema"));
		ck_assert_msg(text_of(p, "description")[0] != '\0', "%s: %s",
			      path, text_of(p, "name"));
		for (j = 0; j < i; j++) {
			q = json_array_get(parameters, j);
			other = text_of(q, "name");
			ck_assert_msg(strcmp(other, text_of(p, "name")) != 0 ||
					  strcmp(in, text_of(q, "in")) != 0,
				      "%s: %s twice", path, other);
		}
		if (strcmp(in, "path") != 0) {
			ck_assert_str_eq(in, "query");
			continue;
		}
		in_path++;
		ck_assert(json_is_true(json_object_get(p, "required")));
		snprintf(braces, sizeof(braces), "{%s}", text_of(p, "name"));
		ck_assert_msg(strstr(path, braces) != NULL, "%s has no %s",
			      path, braces);
	}
	ck_assert_msg(in_path == in_template, "%s", path);
}

/* Statuses of three digits or "4XX", each with a description or a reference. */
static void
check_responses(const char *path, const json_t *responses)
{
	const char *status;
	json_t *one;

	ck_assert_uint_gt(json_object_size(responses), 0);
	json_object_foreach ((json_t *)responses, status, one)
		ck_assert_msg(
		    strlen(status) == 3 && isdigit(status[0]) &&
			(json_object_get(one, "$ref") != NULL ||
			 json_is_string(json_object_get(one, "description"))),
		    "%s: %s", path, status);
}

static void
check_operation(const char *path, const json_t *operation, json_t *ids)
{
	const char *id = text_of(operation, "operationId"), *type, *p;
	const json_t *content = json_object_get(
	    json_object_get(operation, "requestBody"), "content");
	json_t *one;

	for (p = id; *p != '\0'; p++)
		ck_assert_msg(isalnum((unsigned char)*p), "%s", id);
	ck_assert_msg(id[0] != '\0' && json_object_get(ids, id) == NULL,
		      "%s: the operationId \"%s\" is taken", path, id);
	json_object_set_new(ids, id, json_true());
	ck_assert_msg(text_of(operation, "summary")[0] != '\0', "%s", path);
	ck_assert_uint_eq(json_array_size(json_object_get(operation, "tags")),
			  1);
	check_parameters(path, json_object_get(operation, "parameters"));
	check_responses(path, json_object_get(operation, "responses"));
	json_object_foreach ((json_t *)content, type, one)
		check_schema(path, json_object_get(one, "schema"));
}

START_TEST(the_description_is_an_openapi_document)
{
	struct desk *d = desk_open(DESK_SQLITE);
	json_t *document = desk_get(d, "/api/v1/openapi.json"), *item;
	json_t *ids = json_object(), *operation;
	const char *path, *method;

	ck_assert_str_eq(text_of(document, "openapi"), "3.1.0");
	ck_assert_str_ne(text_of(json_object_get(document, "info"), "title"),
			 "");
	ck_assert_str_ne(text_of(json_object_get(document, "info"), "version"),
			 "");
	check_references(document, document);
	json_object_foreach (json_object_get(document, "paths"), path, item) {
		ck_assert_msg(path[0] == '/', "%s", path);
		json_object_foreach (item, method, operation)
			check_operation(path, operation, ids);
	}
	json_decref(ids);
	desk_close(d);
}
END_TEST

START_TEST(the_description_has_no_route_that_there_is_not)
{
	struct desk *d = desk_open(DESK_SQLITE);
	json_t *document = desk_get(d, "/api/v1/openapi.json"), *item;
	const struct web_route *const *tables;
	const struct web_route *route;
	size_t described = 0, there = 0;
	const char *path;

	for (tables = web_routes; *tables != NULL; tables++)
		for (route = *tables; route->path != NULL; route++, there++)
			ck_assert_msg(desk_at(d, "paths", route->path,
					      methods[route->method],
					      NULL) != NULL,
				      "%s", route->path);
	json_object_foreach (json_object_get(document, "paths"), path, item)
		described += json_object_size(item);
	ck_assert_uint_eq(described, there);
	desk_close(d);
}
END_TEST

START_TEST(a_submission_is_described_as_a_json_object_with_a_name)
{
	struct desk *d = desk_open(DESK_SQLITE);
	const json_t *schema;

	desk_get(d, "/api/v1/openapi.json");
	schema = desk_at(d, "paths", "/api/v1/tasks", "post", "requestBody",
			 "content", "application/json", "schema", NULL);
	ck_assert_str_eq(json_string_value(json_array_get(
			     json_object_get(schema, "required"), 0)),
			 "name");
	/* Options of a task that are not listed are taken, too. */
	ck_assert_ptr_null(json_object_get(schema, "additionalProperties"));
	ck_assert_ptr_nonnull(desk_at(d, "paths", "/api/v1/tasks/batch", "post",
				      "requestBody", "content",
				      "application/x-ndjson", NULL));
	desk_close(d);
}
END_TEST

/* --- each route that clients of the Python package know ------------------------ */

static const struct {
	enum http_method method;
	const char *path;
} seed_routes[] = {
    {HTTP_GET, "/api/stats"},
    {HTTP_GET, "/api/health"},
    {HTTP_GET, "/api/tasks"},
    {HTTP_GET, "/api/tasks/add"},
    {HTTP_GET, "/api/schedules"},
    {HTTP_GET, "/api/schedules/nightly"},
    {HTTP_POST, "/api/schedules/cron"},
    {HTTP_POST, "/api/schedules/interval"},
    {HTTP_POST, "/api/schedules/once"},
    {HTTP_PUT, "/api/schedules/nightly/enable"},
    {HTTP_PUT, "/api/schedules/nightly/disable"},
    {HTTP_DELETE, "/api/schedules/nightly"},
    {HTTP_GET, "/ws"},
};

START_TEST(each_route_of_the_package_is_there_with_and_without_a_slash)
{
	struct web_match match;
	char path[80];
	int slash;

	for (slash = 0; slash < 2; slash++) {
		snprintf(path, sizeof(path), "%s%s", seed_routes[_i].path,
			 slash ? "/" : "");
		routes_find(web_routes, seed_routes[_i].method, path, &match);
		ck_assert_msg(match.route != NULL &&
				  (match.route->flags & WEB_SEED) != 0,
			      "%s%s", seed_routes[_i].path, slash ? "/" : "");
	}
}
END_TEST

/* "cron" is not the ID of a schedule here, though it would be with DELETE. */
START_TEST(a_literal_part_of_a_path_goes_before_a_parameter)
{
	struct web_match match;
	char path[] = "/api/schedules/cron", id[] = "/api/schedules/cron";

	routes_find(web_routes, HTTP_POST, path, &match);
	ck_assert_str_eq(match.route->path, "/api/schedules/cron");
	routes_find(web_routes, HTTP_DELETE, id, &match);
	ck_assert_str_eq(match.route->path, "/api/schedules/{id}");
}
END_TEST

/* Ours have one form only, so that a client is told of a mistake. */
START_TEST(no_other_route_takes_a_slash_at_its_end)
{
	char path[] = "/api/v1/queues/";
	struct web_match match;

	routes_find(web_routes, HTTP_GET, path, &match);
	ck_assert_ptr_null(match.route);
}
END_TEST

SUITE("web-openapi")
{
	TEST(the_description_is_an_openapi_document);
	TEST(the_description_has_no_route_that_there_is_not);
	TEST(a_submission_is_described_as_a_json_object_with_a_name);
	TEST_LOOP(each_route_of_the_package_is_there_with_and_without_a_slash,
		  0, (int)(sizeof(seed_routes) / sizeof(seed_routes[0])));
	TEST(a_literal_part_of_a_path_goes_before_a_parameter);
	TEST(no_other_route_takes_a_slash_at_its_end);
}
