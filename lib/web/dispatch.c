/* SPDX-License-Identifier: MIT */
/*
 * From the head of a request to its route: what is refused is refused in the
 * order Host, path, method, credential, role, other sites, limits; all of it,
 * where a password need not be checked first, before a body is read.
 */
#include <stdlib.h>
#include <string.h>

#include "util/conf.h"
#include "util/timer.h"
#include "util/uuid.h"
#include "web/access.h"
#include "web/audit.h"
#include "web/state.h"
#include "web/static.h"
#include "web/users.h"

/* Of what routes read by web_body() in one piece, and all else. */
#define BODY_MAX (64 << 10)
#define RAW_BODY_MAX (16 << 20)
/* Of all requests whose passwords are checked when their bodies are there: nobody
 * fills the memory without a password. */
#define UNPROVEN_MAX (32 << 20)
/* What a submission says of a task beside its arguments. */
#define TASK_ROOM (16 << 10)

static const char *
dispatch_header(const void *arg, const char *name)
{
	return http_header(arg, name);
}

static size_t
dispatch_count(const void *arg, const char *name)
{
	return http_header_count(arg, name);
}

struct auth_request
visit_auth_request(const struct http_request *request)
{
	return (struct auth_request){.peer = http_peer(request),
				     .uid = http_peer_uid(request),
				     .tls = http_is_tls(request),
				     .header = dispatch_header,
				     .count = dispatch_count,
				     .arg = request};
}

/* --- the visit -------------------------------------------------------------- */

/* The path below the prefix, which a proxy may have taken off. */
static const char *
dispatch_path(const struct web *web, const char *path)
{
	const char *prefix = web->conf->web.prefix;
	const size_t n = strlen(prefix);

	if (n > 0 && strncmp(path, prefix, n) == 0 &&
	    (path[n] == '/' || path[n] == '\0'))
		path += n;
	return path[0] != '\0' ? path : "/";
}

static struct visit *
visit_new(struct web *web, struct http_request *request)
{
	const char *path = dispatch_path(web, http_path(request));
	struct visit *v = calloc(1, sizeof(*v) + strlen(path) + 1);
	const struct auth_request who = visit_auth_request(request);
	char uuid[UUID_TEXT_SIZE];

	if (v == NULL)
		return NULL;
	v->web = web;
	v->request = request;
	strcpy(v->path, path); /* NOLINT: it was measured */
	uuid_make(uuid);
	memcpy(v->id, uuid + 14, sizeof(v->id) - 1);
	auth_peer(web->auth, &who, v->peer);
	http_set_data(request, v);
	web->n_requests++;
	return v;
}

static bool
visit_writes(const struct visit *v)
{
	return v->route != NULL && http_method(v->request) != HTTP_GET;
}

/* --- checks: 0, or -1 and it is replied to ----------------------------------- */

static int
dispatch_check_host(struct visit *v)
{
	if (auth_host(v->web->auth, http_header(v->request, "Host")) ||
	    strcmp(v->path, "/healthz") == 0)
		return 0;
	respond_refuse(v, 421, "this server is not known by that name",
		       "put the name into [web] hosts");
	return -1;
}

/* Pages and files are not in the tables. */
static int
dispatch_find(struct visit *v)
{
	const enum http_method method = http_method(v->request);
	const bool file = strncmp(v->path, "/static/", 8) == 0;
	struct web_match match;
	char *path;

	if (file || static_is_page(v->path)) {
		if (method == HTTP_GET)
			return 0;
		respond_allow(v, 1u << HTTP_GET);
		return -1;
	}
	if ((path = strdup(v->path)) == NULL) {
		respond_refuse(v, 503, "there is no memory", NULL);
		return -1;
	}
	routes_find(v->web->shared.tables, method, path, &match);
	free(path);
	v->route = match.route;
	if (match.route != NULL)
		return 0;
	if (match.methods != 0)
		respond_allow(v, match.methods);
	else
		respond_refuse(v, 404, "there is no such path",
			       "GET /api/v1/openapi.json has all of them");
	return -1;
}

/* `user` NULL: it was no password. */
static int
dispatch_refuse_login(struct visit *v, const char *user)
{
	access_login_failed(v->web->limits, v->peer, user);
	respond_refuse(v, 401, "the token or the password is wrong", NULL);
	return -1;
}

/* 1: it is to be checked first. Neither a right one nor a wrong one is looked at
 * while its peer or its user has to wait: one that is remembered would answer
 * guesses at once. */
static int
dispatch_take_password(struct visit *v, const struct auth_password *password)
{
	const int64_t wait_s = access_login_wait(
	    v->web->limits, v->peer,
	    password->user[0] != '\0' ? password->user : NULL);

	if (wait_s > 0) {
		v->who = (struct web_identity){.kind = WEB_BY_NOTHING};
		respond_later(v, 429, "too many failed logins", wait_s);
		return -1;
	}
	if (v->who.kind != WEB_BY_NOTHING)
		return 0;
	if (password->hash[0] == '\0')
		return dispatch_refuse_login(v, NULL);
	if ((v->password = malloc(sizeof(*password))) == NULL) {
		respond_refuse(v, 503, "there is no memory", NULL);
		return -1;
	}
	*v->password = *password;
	v->ask_password = true;
	return 1;
}

/* 1: a password is to be checked first. */
static int
dispatch_identify(struct visit *v)
{
	const struct auth_request request = visit_auth_request(v->request);
	struct auth_password password;
	int r = 0;

	switch (auth_identify(v->web->auth, &request, &v->who, &password)) {
	case AUTH_KNOWN:
		if (password.hash[0] != '\0')
			r = dispatch_take_password(v, &password);
		break;
	case AUTH_NOBODY:
		break;
	case AUTH_FORGED:
		respond_refuse(v, 403,
			       "the header that names the user does not come "
			       "from a trusted proxy, or comes twice",
			       "[web] proxies has the trusted ones");
		r = -1;
		break;
	default:
		r = dispatch_take_password(v, &password);
		break;
	}
	explicit_bzero(&password, sizeof(password));
	return r;
}

/* A role above the others but for metrics, which is beside them. */
static bool
dispatch_may(enum web_role have, enum web_role need)
{
	return need == WEB_OPEN || have >= need;
}

static int
dispatch_check_role(struct visit *v)
{
	const enum web_role need = v->route->role;

	if (v->who.role == WEB_OPEN && need > WEB_OPEN) {
		respond_refuse(v, 401, "log in first",
			       "`flowrractl web` prints where");
		return -1;
	}
	if (!dispatch_may(v->who.role, need)) {
		respond_refuse(v, 403, "your role does not permit this", NULL);
		return -1;
	}
	if (v->web->conf->web.read_only && need == WEB_OPERATOR &&
	    visit_writes(v) && (v->route->flags & WEB_QUIET) == 0) {
		respond_refuse(v, 403, "nothing can be changed here",
			       "[web] read_only = yes");
		return -1;
	}
	return 0;
}

static int
dispatch_check_origin(struct visit *v)
{
	const struct auth_request who = visit_auth_request(v->request);
	const struct csrf_request request = {
	    .writes = visit_writes(v),
	    /* A login has no credential yet: another site must not log
	     * anybody in as somebody else. */
	    .ambient = v->who.ambient || v->who.kind == WEB_BY_NOTHING,
	    .peer = v->who.kind == WEB_BY_PEER || v->who.kind == WEB_BY_NOTHING,
	    .body = http_method(v->request) != HTTP_DELETE,
	    .tls = auth_is_https(v->web->auth, &who),
	    .fetch_site = http_header(v->request, "Sec-Fetch-Site"),
	    .origin = http_header(v->request, "Origin"),
	    .host = http_header(v->request, "Host"),
	    .type = http_header(v->request, "Content-Type")};
	bool type;
	const char *why = csrf_refuses(&request, &type);

	if (why == NULL)
		return 0;
	respond_refuse(v, type ? 415 : 403, why, NULL);
	return -1;
}

static int
dispatch_check_limit(struct visit *v)
{
	if (!visit_writes(v) || v->who.kind == WEB_BY_NOTHING ||
	    access_write(v->web->limits, v->who.user))
		return 0;
	respond_later(v, 429, "more than 20 changes a second", 1);
	return -1;
}

static int
dispatch_authorize(struct visit *v)
{
	return v->route == NULL || (dispatch_check_role(v) == 0 &&
				    dispatch_check_origin(v) == 0 &&
				    dispatch_check_limit(v) == 0)
		   ? 0
		   : -1;
}

/* --- the head ---------------------------------------------------------------- */

static int64_t
dispatch_body_max(const struct visit *v)
{
	const int64_t task_max = v->web->conf->worker.max_task_size + TASK_ROOM;

	if (v->route == NULL)
		return 0;
	if ((v->route->flags & WEB_BIG_BODY) == 0)
		return BODY_MAX;
	return (v->route->flags & WEB_RAW_BODY) != 0 && task_max < RAW_BODY_MAX
		   ? RAW_BODY_MAX
		   : task_max;
}

/* A password takes time, so a body comes before it is known to be right. */
static int
dispatch_reserve(struct visit *v)
{
	const char *text = http_header(v->request, "Content-Length");
	const int64_t length = text != NULL ? strtoll(text, NULL, 10) : 0;

	/* Refused as too long in any case, or too short to matter. */
	if (length > dispatch_body_max(v) || length <= BODY_MAX)
		return 0;
	if (v->web->unproven > UNPROVEN_MAX - length) {
		respond_refuse(v, 503,
			       "too many long requests whose password is not "
			       "checked yet",
			       "a token, or a session, is checked at once");
		return -1;
	}
	v->unproven = length;
	v->web->unproven += length;
	return 0;
}

int64_t
dispatch_head(struct http_request *request, void *arg)
{
	struct web *web = arg;
	struct visit *v = visit_new(web, request);
	int r;

	if (v == NULL) {
		http_reply(request, &(struct http_reply){.status = 503});
		return -1;
	}
	if (dispatch_check_host(v) != 0 || dispatch_find(v) != 0)
		return -1;
	if ((r = dispatch_identify(v)) < 0)
		return -1;
	if ((r == 0 ? dispatch_authorize(v) : dispatch_reserve(v)) != 0)
		return -1;
	return dispatch_body_max(v);
}

/* --- the call ---------------------------------------------------------------- */

/* The headers that routes may ask for (web_header()). */
static int
dispatch_copy_headers(const struct http_request *request,
		      struct web_pairs *pairs, struct err *err)
{
	static const char *const names[] = {"If-Match", "If-None-Match",
					    "Idempotency-Key", "Content-Type",
					    "Accept"};
	const char *value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((value = http_header(request, names[i])) != NULL &&
		    web_pairs_add(pairs, names[i], value, err) != 0)
			return -1;
	return 0;
}

int
dispatch_make_call(struct visit *v, struct err *err)
{
	struct web_pairs headers = {.n = 0};
	const struct web_ask ask = {.method = http_method(v->request),
				    .path = v->path,
				    .query = http_query(v->request),
				    .body = http_body(v->request),
				    .headers = &headers,
				    .who = v->who,
				    .peer = v->peer,
				    .request_id = v->id};
	int r = dispatch_copy_headers(v->request, &headers, err);

	if (r == 0)
		v->call = web_call_new(&v->web->shared, v->route, &ask, err);
	web_pairs_done(&headers);
	return v->call != NULL ? 0 : -1;
}

static void
on_call_run(struct pool_work *work, struct web_worker *worker)
{
	struct visit *v = (struct visit *)work;

	web_call_run(v->call, worker);
}

/* Nobody may wait for it any more. */
static void
on_call_done(struct pool_work *work)
{
	struct visit *v = (struct visit *)work;

	v->in_pool = false;
	if (v->request != NULL)
		respond_call(v, v->call);
	else
		visit_release(v);
}

/* The late answer is dropped. */
static void
on_call_deadline(void *arg)
{
	struct visit *v = arg;

	atomic_store(&v->call->stopped, true);
	respond_refuse(v, 504, "there was no answer in time",
		       "[web] timeout says how long a request may take");
}

static bool
dispatch_set_deadline(struct visit *v)
{
	int64_t us = v->web->conf->web.timeout;

	if ((v->route->flags & WEB_WAITS) != 0)
		us += (int64_t)WEB_WAIT_S * 1000000;
	v->deadline = timer_new(v->web->base, on_call_deadline, v);
	return v->deadline != NULL && timer_set_us(v->deadline, us) == 0;
}

static void
dispatch_put(struct visit *v)
{
	struct pool_threads *pool =
	    (v->route->flags & WEB_WAITS) != 0 ? v->web->waits : v->web->calls;
	struct err err = ERR_INIT;

	if (dispatch_make_call(v, &err) != 0 || !dispatch_set_deadline(v)) {
		respond_refuse(v, 503, "there is no memory", NULL);
		return;
	}
	v->work.run = on_call_run;
	v->work.on_done = on_call_done;
	v->in_pool = true;
	if (pool_put(pool, &v->work) != 0) {
		v->in_pool = false;
		respond_refuse(v, 503, "too many requests wait already", NULL);
	}
}

static void
dispatch_go_on(struct visit *v)
{
	if (v->route == NULL && strncmp(v->path, "/static/", 8) == 0)
		respond_static(v);
	else if (v->route == NULL)
		respond_page(v);
	else if ((v->route->flags & WEB_LIVE) != 0)
		live_run(v);
	else
		dispatch_put(v);
}

/* --- passwords ---------------------------------------------------------------- */

static void
on_password_run(struct pool_work *work, struct web_worker *worker)
{
	struct visit *v = (struct visit *)work;

	v->password_good =
	    users_check_password(v->password->password, v->password->hash);
}

static void
on_password_done(struct pool_work *work)
{
	struct visit *v = (struct visit *)work;

	v->in_pool = false;
	v->ask_password = false;
	if (v->request == NULL) {
		visit_release(v);
	} else if (!v->password_good ||
		   !auth_password(v->web->auth, v->password, &v->who)) {
		dispatch_refuse_login(v, v->password->user);
	} else {
		access_login_succeeded(v->web->limits, v->peer,
				       v->password->user);
		if (dispatch_authorize(v) == 0)
			dispatch_go_on(v);
	}
}

static void
dispatch_ask_password(struct visit *v)
{
	v->work.run = on_password_run;
	v->work.on_done = on_password_done;
	v->in_pool = true;
	if (pool_put(v->web->passwords, &v->work) != 0) {
		v->in_pool = false;
		respond_refuse(v, 503, "too many logins at the same time",
			       NULL);
	}
}

/* --- the whole request ---------------------------------------------------------
 */

void
dispatch_request(struct http_request *request, void *arg)
{
	struct visit *v = http_data(request);

	if (v->web->stopping)
		respond_refuse(v, 503, "the server stops", NULL);
	else if (v->ask_password)
		dispatch_ask_password(v);
	else
		dispatch_go_on(v);
}

void
dispatch_gone(struct http_request *request, void *arg)
{
	struct visit *v = http_data(request);

	if (v == NULL)
		return;
	v->request = NULL;
	if (v->call != NULL)
		atomic_store(&v->call->stopped, true);
	if (v->deadline != NULL)
		timer_cancel(v->deadline);
	visit_release(v);
}
