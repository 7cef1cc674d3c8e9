/* SPDX-License-Identifier: MIT */
/* The desk: calls of routes, made and run as an operation thread does. */
#include "web/desk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "util/conf.h"
#include "web/audit.h"
#include "web/figures.h"
#include "web/jobs.h"
#include "web/mask.h"
#include "web/replay.h"

#define SETTINGS_MAX 32

/* Settings of the desk, then those of the test. */
static void
desk_configure(struct desk *d, const char *const *more,
	       const char *settings[SETTINGS_MAX + 1])
{
	static char broker[256], schedules[256], state[256];
	size_t n = 0;

	snprintf(schedules, sizeof(schedules),
		 "scheduler.database_url=sqlite://%s/s.db", d->dir);
	if (d->redis != NULL)
		snprintf(broker, sizeof(broker), "broker.url=%s",
			 redis_server_unix_url(d->redis));
	else
		snprintf(broker, sizeof(broker), "broker.url=sqlite://%s/q.db",
			 d->dir);
	snprintf(state, sizeof(state), "web.state_dir=%s", d->dir);
	settings[n++] = broker;
	settings[n++] = schedules;
	settings[n++] = state;
	for (; more != NULL && *more != NULL && n < SETTINGS_MAX; more++)
		settings[n++] = *more;
	settings[n] = NULL;
}

static void
desk_share(struct desk *d)
{
	struct err err = ERR_INIT;
	struct web_shared *s = &d->shared;

	s->conf = d->conf;
	s->client = d->client;
	s->tables = web_routes;
	s->mask = mask_new(d->conf->web.hide, &err);
	s->audit = audit_new(&err);
	s->jobs = jobs_new(s->audit, &err);
	s->replay = replay_new(&err);
	s->figures = figures_new(&err);
	ck_assert_msg(s->mask != NULL && s->audit != NULL && s->jobs != NULL &&
			  s->replay != NULL && s->figures != NULL,
		      "%s", err.msg);
	d->worker.shared = s;
}

struct desk *
desk_open_with(enum desk_store store, const char *const *more)
{
	const char *settings[SETTINGS_MAX + 1];
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	const char *tmp = getenv("TMPDIR");
	struct desk *d = calloc(1, sizeof(*d));
	struct flowrra_error error;
	struct err err = ERR_INIT;

	ck_assert_ptr_nonnull(d);
	snprintf(d->dir, sizeof(d->dir), "%s/desk-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(d->dir));
	if (store == DESK_REDIS)
		d->redis = redis_server_start(NULL);
	desk_configure(d, more, settings);
	ck_assert_msg(conf_load("/dev/null", settings, &d->conf, &err) == 0,
		      "%s", err.msg);
	options.config_file = "/dev/null";
	options.settings = settings;
	ck_assert_msg(flowrra_open(&options, &d->client, &error) == 0, "%s",
		      error.message);
	desk_share(d);
	d->who = (struct web_identity){
	    .kind = WEB_BY_TOKEN, .role = WEB_OPERATOR, .user = "tester"};
	return d;
}

struct desk *
desk_open(enum desk_store store)
{
	return desk_open_with(store, NULL);
}

static void
desk_forget(struct desk *d)
{
	json_decref(d->answer);
	d->answer = NULL;
	buf_done(&d->bytes);
	web_pairs_done(&d->fields);
}

void
desk_close(struct desk *d)
{
	char command[160];

	atomic_store(&d->shared.stopping, true);
	jobs_free(d->shared.jobs);
	audit_free(d->shared.audit);
	replay_free(d->shared.replay);
	figures_free(d->shared.figures);
	mask_free(d->shared.mask);
	web_worker_done(&d->worker);
	flowrra_close(d->client);
	conf_free(d->conf);
	redis_server_stop(d->redis);
	desk_forget(d);
	web_pairs_done(&d->headers);
	snprintf(command, sizeof(command), "rm -rf %s", d->dir);
	ck_assert_int_eq(system(command), 0);
	free(d);
}

/* --- asking --------------------------------------------------------------- */

void
desk_header(struct desk *d, const char *name, const char *value)
{
	struct err err;

	ck_assert_int_eq(web_pairs_add(&d->headers, name, value, &err), 0);
}

static enum http_method
desk_method(const char *name)
{
	static const char *const names[] = {[HTTP_GET] = "GET",
					    [HTTP_POST] = "POST",
					    [HTTP_PUT] = "PUT",
					    [HTTP_DELETE] = "DELETE"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return (enum http_method)i;
	return HTTP_OTHER;
}

/* As the daemon decides: the role, and whether there is such a route. */
static unsigned int
desk_run(struct desk *d, const struct web_ask *ask)
{
	char *path = strdup(ask->path);
	struct web_match match;
	struct web_call *call;
	struct err err = ERR_INIT;

	routes_find(web_routes, ask->method, path, &match);
	free(path);
	if (match.route == NULL)
		return match.methods != 0 ? 405 : 404;
	if (!routes_permit(match.route, ask->who.role))
		return 403;
	call = web_call_new(&d->shared, match.route, ask, &err);
	ck_assert_msg(call != NULL, "%s", err.msg);
	atomic_store(&call->stopped, d->gone || d->late);
	atomic_store(&call->late, d->late);
	web_call_run(call, &d->worker);
	d->bytes = call->bytes;
	call->bytes = (struct buf)BUF_INIT;
	d->fields = call->fields;
	call->fields = (struct web_pairs){.n = 0};
	d->status = call->status;
	web_call_free(call);
	return d->status;
}

unsigned int
desk_ask(struct desk *d, const char *method, const char *target,
	 const char *body)
{
	char *path = strdup(target), *query = strchr(path, '?');
	struct web_ask ask = {.method = desk_method(method),
			      .body = slice_of(body != NULL ? body : ""),
			      .headers = &d->headers,
			      .who = d->who,
			      .peer = "192.0.2.1"};

	if (query != NULL)
		*query++ = '\0';
	ask.path = path;
	ask.query = query;
	desk_forget(d);
	d->status = desk_run(d, &ask);
	if (d->bytes.len > 0)
		d->answer = json_loadb(d->bytes.data, d->bytes.len,
				       JSON_DECODE_ANY, NULL);
	web_pairs_done(&d->headers);
	free(path);
	return d->status;
}

json_t *
desk_get(struct desk *d, const char *target)
{
	const unsigned int status = desk_ask(d, "GET", target, NULL);

	ck_assert_msg(status == 200, "%s: %u: %s", target, status,
		      d->bytes.data != NULL ? d->bytes.data : "");
	ck_assert_msg(d->answer != NULL, "%s: not JSON: %s", target,
		      d->bytes.data);
	return d->answer;
}

json_t *
desk_at(const struct desk *d, ...)
{
	json_t *value = d->answer;
	const char *name;
	va_list ap;

	va_start(ap, d);
	while ((name = va_arg(ap, const char *)) != NULL)
		value = json_is_array(value)
			    ? json_array_get(value, strtoul(name, NULL, 10))
			    : json_object_get(value, name);
	va_end(ap);
	return value;
}

char *
desk_submit(struct desk *d, const char *name, const char *args_json,
	    const char *queue)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;
	char id[FLOWRRA_ID_SIZE];

	request.name = name;
	request.args = args_json;
	request.queue = queue;
	request.force = true;
	ck_assert_msg(flowrra_submit(d->client, &request, id, &error) == 0,
		      "%s", error.message);
	return strdup(id);
}

const char *
desk_text(const struct desk *d, const char *name)
{
	const char *text = json_string_value(desk_at(d, name, NULL));

	return text != NULL ? text : "";
}

int64_t
desk_number(const struct desk *d, const char *name)
{
	return json_integer_value(desk_at(d, name, NULL));
}

size_t
desk_n_items(const struct desk *d)
{
	return json_array_size(desk_at(d, "items", NULL));
}

const char *
desk_item(const struct desk *d, size_t i, const char *name)
{
	const char *text = json_string_value(json_object_get(
	    json_array_get(desk_at(d, "items", NULL), i), name));

	return text != NULL ? text : "";
}

void
desk_submit_as(struct desk *d, const char *id, const char *name,
	       const char *args, const char *kwargs, double delay_s)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;

	request.id = id;
	request.name = name;
	request.args = args;
	request.kwargs = kwargs;
	request.queue = "io";
	request.delay_s = delay_s;
	request.force = true;
	ck_assert_msg(flowrra_submit(d->client, &request, NULL, &error) == 0,
		      "%s", error.message);
}

const char *
desk_walk(struct desk *d, const char *target, size_t *ret_steps)
{
	static char ids[8192], at[1024];
	size_t i, len = 0, steps = 0;
	const char *next;

	ids[0] = '\0';
	snprintf(at, sizeof(at), "%s", target);
	do {
		desk_get(d, at);
		steps++;
		for (i = 0; i < desk_n_items(d); i++)
			len +=
			    (size_t)snprintf(ids + len, sizeof(ids) - len,
					     "%s ", desk_item(d, i, "task_id"));
		next = json_string_value(desk_at(d, "next", NULL));
		snprintf(at, sizeof(at), "%s&cursor=%s", target,
			 next != NULL ? next : "");
		ck_assert_uint_lt(steps, 100);
	} while (next != NULL);
	if (ret_steps != NULL)
		*ret_steps = steps;
	return ids;
}

struct web_call *
desk_post(struct desk *d, const struct web_route *route, const char *query,
	  const char *key, const char *body)
{
	struct web_pairs headers = {.n = 0};
	const struct web_ask ask = {.method = HTTP_POST,
				    .path = route->path,
				    .query = query,
				    .body = slice_of(body),
				    .headers = &headers,
				    .who = d->who,
				    .peer = ""};
	struct web_call *call;
	struct err err;

	if (key != NULL)
		web_pairs_add(&headers, "Idempotency-Key", key, &err);
	call = web_call_new(&d->shared, route, &ask, &err);
	ck_assert_ptr_nonnull(call);
	web_pairs_done(&headers);
	return call;
}
