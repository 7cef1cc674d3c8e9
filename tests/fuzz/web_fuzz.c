/* SPDX-License-Identifier: MIT */
/*
 * Whatever is asked of a route, over an embedded database without a worker: the
 * answer has a status, is JSON where it says so, is not the server's fault, and
 * shows no path of the machine.
 *
 * The input is "METHOD TARGET\nBODY"; a target is a path, with its query.
 */
#include <jansson.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"
#include "web/audit.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/jobs.h"
#include "web/mask.h"
#include "web/replay.h"
#include "web/routes.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/web-fuzz-XXXXXX";
static struct web_shared shared;
static struct web_worker worker = {.shared = &shared};

static void
must(int done)
{
	if (!done)
		abort();
}

static void
leave(void)
{
	char command[sizeof(dir) + 8];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	must(system(command) == 0);
}

/* A file is made by the first task only. */
static void
submit_one(void)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	char id[FLOWRRA_ID_SIZE];

	request.name = "add";
	request.id = "t1";
	request.queue = "io";
	request.args = "[1,{\"password\":\"x\"}]";
	request.force = true;
	must(flowrra_submit(shared.client, &request, id, NULL) == 0);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char broker[64], schedules[64];
	static struct conf *conf;
	const char *settings[] = {broker, schedules, "web.timeout=1", NULL};
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct err err = ERR_INIT;

	log_set_level(LOG_LEVEL_error);
	must(mkdtemp(dir) != NULL);
	atexit(leave);
	snprintf(broker, sizeof(broker), "broker.url=sqlite://%s/q.db", dir);
	snprintf(schedules, sizeof(schedules),
		 "scheduler.database_url=sqlite://%s/s.db", dir);
	must(conf_load("/dev/null", settings, &conf, &err) == 0);
	options.config_file = "/dev/null";
	options.settings = settings;
	must(flowrra_open(&options, &shared.client, NULL) == 0);
	submit_one();
	shared.conf = conf;
	shared.tables = web_routes;
	shared.mask = mask_new(conf->web.hide, &err);
	shared.audit = audit_new(&err);
	shared.jobs = jobs_new(shared.audit, &err);
	shared.replay = replay_new(&err);
	shared.figures = figures_new(&err);
	return 0;
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
check_answer(const struct web_call *call)
{
	json_t *value;

	must(call->status >= 200 && call->status < 600 && call->status != 500);
	must(call->bytes.len == 0 || memmem(call->bytes.data, call->bytes.len,
					    dir, strlen(dir)) == NULL);
	if (call->type == NULL || strstr(call->type, "json") == NULL ||
	    strstr(call->type, "ndjson") != NULL || call->bytes.len == 0)
		return;
	value = json_loadb(call->bytes.data, call->bytes.len, JSON_DECODE_ANY,
			   NULL);
	must(value != NULL);
	json_decref(value);
}

static void
ask(char *method, char *target, struct slice body, enum web_role role)
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
		return;
	must((call = web_call_new(&shared, match.route, &a, &err)) != NULL);
	web_call_run(call, &worker);
	check_answer(call);
	web_call_free(call);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char *target, *body;

	if (text == NULL)
		return 0;
	/* Not looked for: who waits for a task that nobody runs, or knows the
	 * directory (the fuzzer does, from memory that is compared). */
	if ((target = strchr(text, ' ')) != NULL &&
	    (body = strchr(target, '\n')) != NULL &&
	    strstr(text, "wait") == NULL && strstr(text, dir) == NULL) {
		*target++ = '\0';
		*body++ = '\0';
		ask(text, target, slice_of(body),
		    size % 2 == 0 ? WEB_OPERATOR : WEB_VIEWER);
	}
	free(text);
	return 0;
}
