/* SPDX-License-Identifier: MIT */
/*
 * From the head of a request to its route: what is refused is refused in the
 * order Host, path, method, credential, role, other sites, limits; all of it,
 * where a password need not be checked first, before a body is read. What passes
 * goes on in dispatch_run.c.
 *
 * Cheap checks go before costly ones, and none of them tells more than the peer
 * may know: that a path exists is in the manual, that a user exists is not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/conf.h"
#include "web/access.h"
#include "web/audit.h"
#include "web/state.h"
#include "web/static.h"

/* Of what routes read by web_body() in one piece, and all else. */
#define BODY_MAX (64 << 10)
#define RAW_BODY_MAX (16 << 20)
/* Of all requests together whose passwords are checked only when their bodies are
 * there: nobody can fill the memory without a password. */
#define UNPROVEN_MAX (32 << 20)
/* What a submission says of a task beside its arguments. */
#define TASK_ROOM (16 << 10)

/* The bridge to auth.h, which tests ask without a server. */
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

static bool
dispatch_in_group(const void *arg, gid_t gid)
{
	return http_peer_in_group(arg, gid);
}

struct auth_request
visit_auth_request(const struct http_request *request)
{
	return (struct auth_request){.peer = http_peer(request),
				     .uid = http_peer_uid(request),
				     .tls = http_is_tls(request),
				     .header = dispatch_header,
				     .count = dispatch_count,
				     .in_group = dispatch_in_group,
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

/* The address; or the user, of a peer of a Unix socket: the failures of one user must not
 * keep the others out. */
static void
visit_set_source(struct visit *v, int64_t uid)
{
	if (uid >= 0 && strcmp(v->peer, "unix") == 0)
		snprintf(v->source, sizeof(v->source), "unix:%lld",
			 (long long)uid);
	else
		snprintf(v->source, sizeof(v->source), "%s", v->peer);
}

/* In one piece with its path: one that does not fit into memory is refused
 * before anything is done. */
static struct visit *
visit_new(struct web *web, struct http_request *request)
{
	const char *path = dispatch_path(web, http_path(request));
	struct visit *v = calloc(1, sizeof(*v) + strlen(path) + 1);
	const struct auth_request who = visit_auth_request(request);

	if (v == NULL)
		return NULL;
	v->web = web;
	v->request = request;
	strcpy(v->path, path); /* NOLINT: it was measured */
	snprintf(v->id, sizeof(v->id), "%s", http_id(request));
	auth_peer(web->auth, &who, v->peer);
	visit_set_source(v, who.uid);
	http_set_data(request, v);
	web->n_requests++;
	return v;
}

/* HEAD is a GET here. */
static bool
visit_writes(const struct visit *v)
{
	return v->route != NULL && http_method(v->request) != HTTP_GET;
}

/* --- checks: 0, or -1 and it is replied to ----------------------------------- */

/* A page of another site whose name was made to point here (DNS rebinding) has
 * that name in Host. Probes of load balancers use addresses. */
static int
dispatch_check_host(struct visit *v)
{
	if (auth_host(v->web->auth, http_header(v->request, "Host")) ||
	    strcmp(v->path, "/healthz") == 0)
		return 0;
	respond_refuse(v, 421, "this server is not known by that name",
		       "put the name into [web] hosts, or have the proxy pass "
		       "on the Host that the browser has sent");
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

/* `user` NULL: it was not a password. Known and unknown names are answered alike. */
int
dispatch_refuse_login(struct visit *v, const char *user)
{
	access_login_failed(v->web->limits, v->source, user);
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
	    v->web->limits, v->source,
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

/* The key of [web] that says which role those have who came so. */
static const char *
dispatch_role_key(enum web_kind kind)
{
	return kind == WEB_BY_TOKEN  ? "tokens"
	       : kind == WEB_BY_PEER ? "peers"
				     : "operators";
}

/* 401 for those who may log in, 403 for those who have: the page shows the one
 * as its login, the other as a message. */
static int
dispatch_check_role(struct visit *v)
{
	const enum web_role need = v->route->role;
	char hint[128];

	if (v->who.role == WEB_OPEN && need > WEB_OPEN) {
		respond_refuse(v, 401, "log in first",
			       visit_auth_request(v->request).uid >= 0
				   ? "`flowrractl web` prints where; or give "
				     "the login name a role in [web] peers"
				   : "`flowrractl web` prints where; a program "
				     "sends a token");
		return -1;
	}
	if (!routes_permit(v->route, v->who.role)) {
		snprintf(hint, sizeof(hint),
			 "it needs the role %s, which [web] %s gives",
			 web_role_name((int)need),
			 dispatch_role_key(v->who.kind));
		respond_refuse(v, 403, "your role does not permit this", hint);
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

/* What a browser sends by itself proves nothing about who made it send that. */
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

/* For each user: a script out of control must not fill the queues of others, nor occupy all
 * threads with requests. Only the reads of submitters are limited. */
static int
dispatch_check_limit(struct visit *v)
{
	if (v->who.role == WEB_SUBMITTER && !visit_writes(v) &&
	    !access_read(v->web->limits, v->who.user)) {
		respond_later(v, 429, "more than 50 reads a second", 1);
		return -1;
	}
	if (!visit_writes(v) || v->who.kind == WEB_BY_NOTHING ||
	    access_write(v->web->limits, v->who.user))
		return 0;
	respond_later(v, 429, "more than 20 changes a second", 1);
	return -1;
}

/* Pages and files are for all: what is on them is known from the package. */
int
dispatch_authorize(struct visit *v)
{
	return v->route == NULL || (dispatch_check_role(v) == 0 &&
				    dispatch_check_origin(v) == 0 &&
				    dispatch_check_limit(v) == 0)
		   ? 0
		   : -1;
}

/* --- the head ---------------------------------------------------------------- */

/* A task has to fit, with what is said of it; NDJSON of many tasks more. */
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

/* Called with the head alone: a body that will not be read need not be sent. */
int64_t
dispatch_head(struct http_request *request, void *arg)
{
	struct web *web = arg;
	struct visit *v = visit_new(web, request);
	int r;

	if (v == NULL) {
		http_refuse(request, 503, "there is no memory");
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
