/* SPDX-License-Identifier: MIT */
/* The routes of flowrra-web, asked as its server does, but at once. */
#include "fuzz/web/ask.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "schedules/schedules.h"
#include "util/conf.h"
#include "util/err.h"
#include "web/audit.h"
#include "web/figures.h"
#include "web/jobs.h"
#include "web/mask.h"
#include "web/replay.h"
#include "web/routes.h"

/* Long enough for a slow machine; what is not stored at all takes as long. */
#define DEADLINE_MS 5000

static struct conf *conf;
static struct web_shared shared;
static struct web_worker worker = {.shared = &shared};

void
must(bool condition)
{
	if (!condition)
		abort();
}

bool
web_ask_open(const char *const *settings)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct err err = ERR_INIT;

	must(conf_load("/dev/null", settings, &conf, &err) == 0);
	options.config_file = "/dev/null";
	options.settings = settings;
	if (flowrra_open(&options, &shared.client, NULL) != 0) {
		conf_free(conf);
		return false;
	}
	/* As flowrra-web does: a store may never take a record. */
	must(client_set_deadline(shared.client, DEADLINE_MS, &err) == 0);
	shared.conf = conf;
	shared.tables = web_routes;
	shared.mask = mask_new(conf->web.hide, &err);
	shared.audit = audit_new(&err);
	shared.jobs = jobs_new(shared.audit, &err);
	shared.replay = replay_new(&err);
	shared.figures = figures_new(&err);
	return true;
}

void
web_ask_close(void)
{
	jobs_free(shared.jobs);
	figures_free(shared.figures);
	replay_free(shared.replay);
	audit_free(shared.audit);
	mask_free(shared.mask);
	schedules_close(worker.schedules);
	worker.schedules = NULL;
	flowrra_close(shared.client);
	conf_free(conf);
	memset(&shared, 0, sizeof(shared));
}

struct flowrra_client *
web_ask_client(void)
{
	return shared.client;
}

static enum http_method
method_of(const char *name)
{
	return strcmp(name, "GET") == 0	     ? HTTP_GET
	       : strcmp(name, "POST") == 0   ? HTTP_POST
	       : strcmp(name, "PUT") == 0    ? HTTP_PUT
	       : strcmp(name, "DELETE") == 0 ? HTTP_DELETE
					     : HTTP_OTHER;
}

static void
check_answer(const struct web_call *call, const char *secret)
{
	json_error_t error;
	json_t *value;

	must(call->status >= 200 && call->status < 600);
	must(call->bytes.len == 0 || memmem(call->bytes.data, call->bytes.len,
					    secret, strlen(secret)) == NULL);
	if (call->type == NULL || strstr(call->type, "json") == NULL ||
	    strstr(call->type, "ndjson") != NULL || call->bytes.len == 0)
		return;
	value = json_loadb(call->bytes.data, call->bytes.len,
			   JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (value == NULL)
		fprintf(stderr, "%d: %s in %.*s\n", call->status, error.text,
			(int)call->bytes.len, call->bytes.data);
	must(value != NULL);
	json_decref(value);
}

int
web_ask(const char *method, char *target, struct slice body, enum web_role role,
	const char *secret)
{
	char *query = strchr(target, '?'), *path;
	struct web_ask a = {
	    .method = method_of(method),
	    .body = body,
	    .who = {.kind = WEB_BY_TOKEN, .role = role, .user = "fuzz"},
	    .peer = "192.0.2.1"};
	struct web_match match;
	struct web_call *call;
	struct err err = ERR_INIT;
	int status;

	if (query != NULL)
		*query++ = '\0';
	a.path = target;
	a.query = query;
	must((path = strdup(target)) != NULL);
	routes_find(web_routes, a.method, path, &match);
	free(path);
	/* What is on the loop needs one. */
	if (match.route == NULL || match.route->role > role ||
	    (match.route->flags & WEB_LIVE) != 0)
		return 0;
	must((call = web_call_new(&shared, match.route, &a, &err)) != NULL);
	web_call_run(call, &worker);
	check_answer(call, secret);
	status = call->status;
	web_call_free(call);
	return status;
}
