/* SPDX-License-Identifier: MIT */
/*
 * OpenAPI 3.1 of the routes. Since the tables are what requests are checked by, the
 * document cannot say anything else; a route that is added is described with it.
 *
 * Each value of jansson is made and handed on: without memory json_pack() frees
 * what it was given, and the document as a whole is NULL.
 */
#include "web/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/audit.h"
#include "web/call.h"

/* HEAD is not described: it is answered wherever GET is. */
static const char *const openapi_methods[] = {[HTTP_GET] = "get",
					      [HTTP_POST] = "post",
					      [HTTP_PUT] = "put",
					      [HTTP_DELETE] = "delete"};

/* A time may be written in two ways, of which the format names the first; what
 * is refused is told by the answer. */
static json_t *
openapi_schema(const struct web_param *p)
{
	static const char *const types[] = {[WEB_TEXT] = "string",
					    [WEB_INT] = "integer",
					    [WEB_BOOL] = "boolean",
					    [WEB_TIME] = "string"};
	json_t *schema;

	if (p->type == WEB_JSON)
		return json_object();
	if (p->type == WEB_SECONDS)
		return json_pack("{s:[s,s]}", "type", "number", "string");
	schema = json_pack("{s:s}", "type", types[p->type]);
	if (p->type == WEB_TIME)
		json_object_set_new(schema, "format", json_string("date-time"));
	if (p->type == WEB_INT && (p->min != 0 || p->max != 0)) {
		json_object_set_new(schema, "minimum", json_integer(p->min));
		json_object_set_new(schema, "maximum", json_integer(p->max));
	}
	return schema;
}

/* A prefix is what OpenAPI calls an exploded object: any name of that begin. */
static json_t *
openapi_parameter(const struct web_param *p)
{
	char name[80];
	json_t *value;

	snprintf(name, sizeof(name), "%s%s", p->name, p->prefix ? "*" : "");
	value = json_pack("{s:s,s:s,s:b,s:o}", "name", name, "in",
			  p->in == WEB_PATH ? "path" : "query", "required",
			  (int)(p->required || p->in == WEB_PATH), "schema",
			  openapi_schema(p));
	if (p->help != NULL)
		json_object_set_new(value, "description", json_string(p->help));
	return value;
}

/* Those of the path and the query; members of the body are in its schema. */
static json_t *
openapi_parameters(const struct web_route *route)
{
	const struct web_param *p = route->params;
	json_t *list = json_array();

	for (; p != NULL && p->name != NULL; p++)
		if (p->in != WEB_BODY)
			json_array_append_new(list, openapi_parameter(p));
	return list;
}

/* A member of a body; whether it is required stands beside it, in the object. */
static json_t *
openapi_member(const struct web_param *p)
{
	json_t *schema = openapi_schema(p);

	if (p->help != NULL)
		json_object_set_new(schema, "description",
				    json_string(p->help));
	return schema;
}

/* An object of the members that the table has. The frame refuses all others, and so
 * does the schema, unless the route checks its body itself. */
static json_t *
openapi_members(const struct web_route *route)
{
	const struct web_param *p = route->params;
	json_t *members = json_object(), *required = json_array();
	json_t *schema;

	for (; p != NULL && p->name != NULL; p++) {
		if (p->in != WEB_BODY)
			continue;
		json_object_set_new(members, p->name, openapi_member(p));
		if (p->required)
			json_array_append_new(required, json_string(p->name));
	}
	schema =
	    json_pack("{s:s,s:o}", "type", "object", "properties", members);
	if (json_array_size(required) > 0)
		json_object_set(schema, "required", required);
	json_decref(required);
	if ((route->flags & (WEB_ANY_BODY | WEB_RAW_BODY)) == 0)
		json_object_set_new(schema, "additionalProperties",
				    json_false());
	return schema;
}

/* A route that reads bytes says in its summary of what kind. */
static json_t *
openapi_body(const struct web_route *route)
{
	const bool lines = (route->flags & WEB_LINES) != 0;

	return json_pack("{s:{s:{s:o}}}", "content",
			 lines ? "application/x-ndjson" : "application/json",
			 "schema",
			 lines ? json_object() : openapi_members(route));
}

/* "getQueues", "postQueuesPauseOfQueue": the method, the literal parts of the path
 * with what tells versions apart left out, and what stands in braces. Generators
 * make names of functions of it, so it has letters and digits only. */
static json_t *
openapi_id(const struct web_route *route)
{
	static const char version[] = "/api/v1/";
	const bool ours = strncmp(route->path, version, strlen(version)) == 0;
	const char *p = ours ? route->path + strlen(version) - 1 : route->path;
	bool begins = false;
	char id[128];
	size_t n;

	n = (size_t)snprintf(id, sizeof(id), "%s",
			     openapi_methods[route->method]);
	for (; *p != '\0' && n + 4 < sizeof(id); p++) {
		if (*p == '{') {
			id[n++] = 'B';
			id[n++] = 'y';
		}
		if (isalnum((unsigned char)*p)) {
			id[n++] =
			    begins ? (char)toupper((unsigned char)*p) : *p;
			begins = false;
		} else {
			begins = true;
		}
	}
	id[n] = '\0';
	return json_string(id);
}

/* The page of the description that it belongs to: the first part of its path. */
static json_t *
openapi_tag(const struct web_route *route)
{
	static const char version[] = "/api/v1/";
	const char *p = route->path;

	if ((route->flags & WEB_SEED) != 0)
		return json_string("Python package");
	if (strncmp(p, version, strlen(version)) != 0)
		return json_string("probes");
	p += strlen(version);
	return json_pack("s%", p, strcspn(p, "/."));
}

/* What is answered, and what any route may answer besides. */
static json_t *
openapi_answers(const struct web_route *route)
{
	const char *problem = (route->flags & WEB_SEED) != 0
				  ? "#/components/responses/Error"
				  : "#/components/responses/Problem";

	return json_pack("{s:{s:s},s:{s:s},s:{s:s}}", "2XX", "description",
			 route->answer != NULL ? route->answer : "", "4XX",
			 "$ref", problem, "5XX", "$ref", problem);
}

/* The role is an extension: OpenAPI has scopes for OAuth alone. */
static json_t *
openapi_operation(const struct web_route *route)
{
	json_t *value = json_pack(
	    "{s:o,s:[o],s:s,s:o,s:o,s:s}", "operationId", openapi_id(route),
	    "tags", openapi_tag(route), "summary", route->summary, "parameters",
	    openapi_parameters(route), "responses", openapi_answers(route),
	    "x-role", web_role_name((int)route->role));

	if (route->method == HTTP_POST || route->method == HTTP_PUT)
		json_object_set_new(value, "requestBody", openapi_body(route));
	if (route->role == WEB_OPEN)
		json_object_set_new(value, "security", json_array());
	return value;
}

/* Methods of one path may stand in several tables, and become one object. */
static json_t *
openapi_paths(const struct web_route *const *tables)
{
	json_t *paths = json_object(), *path;
	const struct web_route *route;

	for (; *tables != NULL; tables++)
		for (route = *tables; route->path != NULL; route++) {
			path = json_object_get(paths, route->path);
			if (path == NULL) {
				path = json_object();
				json_object_set_new(paths, route->path, path);
			}
			json_object_set_new(path,
					    openapi_methods[route->method],
					    openapi_operation(route));
		}
	return paths;
}

/* The shapes that all routes share: the problem of lib/http, and the three ways to
 * say who one is. Answers are described in words (web_route.answer), since their
 * shapes belong to the manager. */
static json_t *
openapi_components(void)
{
	json_t *problem = json_pack(
	    "{s:s,s:{s:{s:s},s:{s:s},s:{s:[s,s]},s:{s:[s,s]},s:{s:[s,s]},"
	    "s:{s:s}}}",
	    "type", "object", "properties", "status", "type", "integer", "code",
	    "type", "string", "detail", "type", "string", "null", "field",
	    "type", "string", "null", "hint", "type", "string", "null",
	    "request_id", "type", "string");

	return json_pack("{s:{s:o},s:{s:{s:s,s:{s:{s:{s:s}}}},s:{s:s}},"
			 "s:{s:{s:s,s:s},s:{s:s,s:s},s:{s:s,s:s,s:s}}}",
			 "schemas", "Problem", problem, "responses", "Problem",
			 "description", "What is wrong, and what to do.",
			 "content", HTTP_PROBLEM_TYPE, "schema", "$ref",
			 "#/components/schemas/Problem", "Error", "description",
			 "{\"error\": text}", "securitySchemes", "token",
			 "type", "http", "scheme", "bearer", "password", "type",
			 "http", "scheme", "basic", "session", "type", "apiKey",
			 "in", "cookie", "name", "flowrra_session");
}

/* `prefix` is where clients find it: [web] prefix. Any of the three ways to
 * authenticate is enough, so they are a list. */
json_t *
openapi_make(const struct web_route *const *tables, const char *prefix)
{
	return json_pack(
	    "{s:s,s:{s:s,s:s},s:[{s:s}],s:o,s:o,s:[{s:[]},{s:[]},"
	    "{s:[]}]}",
	    "openapi", "3.1.0", "info", "title", "Flowrra", "version",
	    FLOWRRA_VERSION, "servers", "url", prefix[0] != '\0' ? prefix : "/",
	    "paths", openapi_paths(tables), "components", openapi_components(),
	    "security", "token", "password", "session");
}
