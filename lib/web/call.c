/* SPDX-License-Identifier: MIT */
/*
 * A call: made of a request, asked by its route, and answered.
 *
 * It belongs to one thread at a time: to the loop, until it is put into a pool,
 * to the thread that runs it, and to the loop again. Only `stopped` is written
 * by one while another reads.
 */
#include "web/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "core/task.h"
#include "core/trace_context.h"
#include "schedules/schedules.h"
#include "util/conf.h"
#include "web/mask.h"
#include "web/replay.h"

/* On the thread that has used it: drivers of databases keep things of their
 * threads. */
void
web_worker_done(struct web_worker *worker)
{
	schedules_close(worker->schedules);
	worker->schedules = NULL;
}

/* The stores need not be in reach: an error is one of the configuration. */
int
web_client_open(const char *config_file, const char *const *settings,
		struct flowrra_client **ret, struct err *err)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_error error;

	options.config_file = config_file;
	options.settings = settings;
	if (flowrra_open(&options, ret, &error) != 0)
		return err_set(err, ERR_CONFIG, "%s", error.message);
	return 0;
}

/* --- making -------------------------------------------------------------- */

static int
on_call_pair(const char *name, const char *value, void *arg, struct err *err)
{
	return web_pairs_add(arg, name, value, err);
}

/* What cannot be decoded is the client's mistake, told by web_params_check(): a
 * call is made all the same, so that it is audited and answered as any other. */
static void
call_read_query(struct web_call *call, const char *query)
{
	if (query == NULL || http_query_each(query, on_call_pair, &call->query,
					     &call->bad_query) == 0)
		return;
	web_pairs_done(&call->query);
}

/* All that may be gone with the request. */
static int
call_copy(struct web_call *call, const struct web_ask *ask, struct err *err)
{
	size_t i;

	call->peer = strdup(ask->peer != NULL ? ask->peer : "");
	call->path = strdup(ask->path);
	call->path_shown = strdup(ask->path);
	if (call->peer == NULL || call->path == NULL ||
	    call->path_shown == NULL)
		return err_nomem(err);
	for (i = 0; ask->headers != NULL && i < ask->headers->n; i++)
		if (web_pairs_add(&call->headers, ask->headers->items[i].name,
				  ask->headers->items[i].value, err) != 0)
			return -1;
	buf_add(&call->body, ask->body.p, ask->body.len);
	return call->body.failed ? err_nomem(err) : 0;
}

/* The path is cut up by routes_find(), hence a second copy to be shown. */
struct web_call *
web_call_new(const struct web_shared *shared, const struct web_route *route,
	     const struct web_ask *ask, struct err *err)
{
	struct web_call *call = calloc(1, sizeof(*call));

	if (call == NULL) {
		err_nomem(err);
		return NULL;
	}
	call->shared = shared;
	call->conf = shared->conf;
	call->route = route;
	call->who = ask->who;
	if (ask->request_id != NULL)
		snprintf(call->id, sizeof(call->id), "%s", ask->request_id);
	else
		http_make_id(call->id);
	if (call_copy(call, ask, err) != 0) {
		web_call_free(call);
		return NULL;
	}
	routes_find(shared->tables, ask->method, call->path, &call->match);
	call_read_query(call, ask->query);
	return call;
}

void
web_call_free(struct web_call *call)
{
	const struct web_param *p;

	if (call == NULL)
		return;
	for (p = call->route->params;
	     call->values != NULL && p != NULL && p->name != NULL; p++)
		json_decref(call->values[p - call->route->params].json);
	free(call->values);
	json_decref(call->json);
	json_decref(call->value);
	web_pairs_done(&call->query);
	web_pairs_done(&call->headers);
	web_pairs_done(&call->fields);
	buf_done(&call->body);
	buf_done(&call->bytes);
	free(call->own_id);
	free(call->peer);
	free(call->path);
	free(call->path_shown);
	free(call->field);
	free(call->hint);
	free(call->token);
	free(call->change.action);
	free(call->change.target);
	free(call);
}

/* --- asked by the route --------------------------------------------------- */

struct flowrra_client *
web_client(const struct web_call *call)
{
	return call->shared->client;
}

/* That of the moment in which the call was made, on the loop: a reload in between
 * must not change the rules of a request half-way. */
const struct conf *
web_conf(const struct web_call *call)
{
	return call->conf;
}

/* Opened at its first use: most calls need none, and it may be out of reach.
 * Half of [web] timeout, so that an answer that says so still comes in time. */
struct schedules *
web_schedules(struct web_call *call, struct err *err)
{
	const struct conf *conf = call->conf;
	const struct schedules_options options = {
	    .url = conf->scheduler.database_url,
	    .timeout_ms = conf->web.timeout / 2000};
	struct web_worker *worker = call->worker;

	if (worker->schedules == NULL &&
	    conf_check_store(conf, CONF_STORE_SCHEDULES, err) == 0)
		worker->schedules = schedules_open(&options, err);
	return worker->schedules;
}

const char *
web_prefix(const struct web_call *call)
{
	return call->conf->web.prefix;
}

const char *
web_user_name(const struct web_call *call)
{
	return call->who.user;
}

enum web_role
web_user_role(const struct web_call *call)
{
	return call->who.role;
}

/* Any thread may ask; a route that goes through a long list does so now and
 * then. */
bool
web_stopped(const struct web_call *call)
{
	return atomic_load(&call->stopped) ||
	       atomic_load(&call->shared->stopping);
}

const char *
web_header(const struct web_call *call, const char *name)
{
	return web_pairs_get(&call->headers, name);
}

struct web_trace
web_trace(const struct web_call *call)
{
	const char *parent = web_header(call, "traceparent");
	const char *state = web_header(call, "tracestate");
	struct trace_context context;
	struct web_trace trace = {NULL, NULL};

	if (parent == NULL || !trace_context_read(slice_of(parent), &context))
		return trace;
	trace.parent = parent;
	if (state != NULL && tracestate_valid(slice_of(state)))
		trace.state = state;
	return trace;
}

/* A table has a dozen rows at the most. */
static const struct web_value *
call_value(const struct web_call *call, const char *name)
{
	const struct web_param *p = call->route->params;
	const struct web_value *value;

	for (; p != NULL && p->name != NULL; p++)
		if (!p->prefix && strcmp(p->name, name) == 0) {
			value = &call->values[p - call->route->params];
			return value->given ? value : NULL;
		}
	return NULL;
}

const char *
web_text(const struct web_call *call, const char *name)
{
	const struct web_value *value = call_value(call, name);

	return value != NULL ? value->text : NULL;
}

int64_t
web_int(const struct web_call *call, const char *name, int64_t otherwise)
{
	const struct web_value *value = call_value(call, name);

	return value != NULL ? value->whole : otherwise;
}

bool
web_bool(const struct web_call *call, const char *name, bool otherwise)
{
	return web_int(call, name, otherwise) != 0;
}

/* Microseconds since 1970; params.c has read it. */
int64_t
web_time_us(const struct web_call *call, const char *name, int64_t otherwise)
{
	return web_int(call, name, otherwise);
}

double
web_seconds(const struct web_call *call, const char *name, double otherwise)
{
	const struct web_value *value = call_value(call, name);

	return value != NULL ? value->number : otherwise;
}

json_t *
web_body_json(const struct web_call *call)
{
	return call->json;
}

/* In the order of the query, those that come twice as well. */
int
web_each(const struct web_call *call, const char *prefix,
	 int (*on_pair)(const char *name, const char *value, void *arg,
			struct err *err),
	 void *arg, struct err *err)
{
	size_t i;

	for (i = 0; i < call->query.n; i++) {
		const struct web_pair *pair = &call->query.items[i];

		if (strncmp(pair->name, prefix, strlen(prefix)) == 0 &&
		    on_pair(pair->name, pair->value, arg, err) != 0)
			return -1;
	}
	return 0;
}

/* Never NULL: an empty body is an empty text. */
struct slice
web_body(const struct web_call *call)
{
	return (struct slice){call->body.data != NULL ? call->body.data : "",
			      call->body.len};
}

/* Made at the first question, since most calls have no key. The kind and the name of
 * the user are in it: two users with one key submit two tasks. */
const char *
web_task_id(struct web_call *call)
{
	const char *key = web_header(call, "Idempotency-Key");
	char who[WEB_USER_MAX + 16], uuid[40];

	if (key == NULL)
		return NULL;
	if (call->task_id[0] == '\0') {
		/* A blank divides them, which no name has: the token "a" is not
		 * the user "a". */
		snprintf(who, sizeof(who), "%d %s", (int)call->who.kind,
			 call->who.user);
		if (replay_task_id(who, key, uuid) != 0)
			return NULL;
		snprintf(call->task_id, sizeof(call->task_id), "%s%s",
			 web_own_prefix(call), uuid);
	}
	return call->task_id;
}

/* --- a submitter's own ------------------------------------------------------ */

/* By the number, which the kernel tells: names can be given to others. */
const char *
web_own_prefix(struct web_call *call)
{
	if (call->who.role == WEB_SUBMITTER)
		snprintf(call->own_prefix, sizeof(call->own_prefix),
			 "uid%u:", (unsigned int)call->who.uid);
	return call->own_prefix;
}

const char *
web_own_id(struct web_call *call, const char *id, struct err *err)
{
	const char *prefix = web_own_prefix(call);
	const bool whole = strncmp(id, prefix, strlen(prefix)) == 0;

	if (prefix[0] == '\0')
		return id;
	free(call->own_id);
	if (asprintf(&call->own_id, "%s%s", whole ? "" : prefix, id) < 0) {
		call->own_id = NULL;
		err_nomem(err);
	} else if (!task_id_valid(slice_of(call->own_id))) {
		err_set(err, ERR_DATA,
			"id: with \"%s\" before it, it is longer than %d "
			"characters, or has others than printable ones",
			prefix, TASK_ID_MAX);
		return NULL;
	}
	return call->own_id;
}

/* --- answered ------------------------------------------------------------- */

int
web_answer(struct web_call *call, json_t *value, struct err *err)
{
	if (value == NULL)
		/* What could not be made says why, if it says anything. */
		return err->code == ERR_NONE ? err_nomem(err) : -1;
	json_decref(call->value);
	call->value = value;
	return 0;
}

/* Takes the memory, without a copy: metrics and batches may be long. */
int
web_answer_bytes(struct web_call *call, const char *type, struct buf *bytes)
{
	buf_done(&call->bytes);
	call->bytes = *bytes;
	*bytes = (struct buf)BUF_INIT;
	call->type = type;
	return 0;
}

/* Also before a failure: web.h says what becomes of it then. */
void
web_status(struct web_call *call, unsigned int status)
{
	call->status = status;
}

/* A line break would begin a header of its own (response splitting), and may be in
 * what a client has sent: such a value is left out. */
void
web_field(struct web_call *call, const char *name, const char *value)
{
	struct err err;

	/* Without memory the answer is as good, but for its header. */
	if (strpbrk(value, "\r\n") == NULL)
		web_pairs_add(&call->fields, name, value, &err);
}

/* What cannot be copied is left out; the message says it all. */
int
web_fault(struct web_call *call, const char *field, const char *hint,
	  struct err *err)
{
	free(call->field);
	free(call->hint);
	call->field = field != NULL ? strdup(field) : NULL;
	call->hint = hint != NULL ? strdup(hint) : NULL;
	return -1;
}

/* A token may be cut out of a longer text, hence its length. */
void
web_fault_at(struct web_call *call, size_t column, struct slice token)
{
	free(call->token);
	call->token = strndup(token.p, token.len);
	call->column = column;
}

/* Noted here, written down with the outcome when the call is over (run.c). */
void
web_audit(struct web_call *call, const char *action, const char *target,
	  int64_t count)
{
	free(call->change.action);
	free(call->change.target);
	call->change.action = strdup(action);
	call->change.target = strdup(target != NULL ? target : "");
	call->change.count = count;
}
