/* SPDX-License-Identifier: MIT */
/* What the parts of the server share; all of it belongs to the loop. Private to
 * lib/web. */
#ifndef WEB_STATE_H
#define WEB_STATE_H

#include <sys/queue.h>

#include "http/http.h"
#include "web/auth.h"
#include "web/call.h"
#include "web/pool.h"

struct access_limits;
struct timer;
struct web_hub;

struct web {
	struct event_base *base;
	const char *config_file;
	const char *const *settings;
	const struct conf *conf; /* the last of `confs` */
	/* All that were in force: calls and threads may still read them. */
	struct conf **confs;
	size_t n_confs;
	struct web_mask **masks; /* as many */
	struct web_shared shared;
	struct http_server *http;
	struct web_auth *auth;
	struct access_limits *limits;
	struct pool_threads *calls, *waits, *passwords;
	struct web_hub *hub;
	TAILQ_HEAD(, visit) waiting; /* that a thread waits for */
	bool stopping;
	size_t n_requests, n_refused;
	/* Bytes of long bodies that come before their password is checked. */
	int64_t unproven;
};

/* A request on its way. It lives until it is replied to, and, if an operation
 * thread has it, until that is done: whichever comes last. */
struct visit {
	struct pool_work work; /* the first member */
	struct web *web;
	struct http_request *request;  /* NULL: replied to, or gone */
	const struct web_route *route; /* NULL: a page or a file */
	struct web_call *call;
	struct timer *deadline;
	TAILQ_ENTRY(visit) waiting;
	bool waits; /* it is among those of web->waiting */
	bool in_pool;
	int64_t unproven;  /* its part of web->unproven */
	bool ask_password; /* before anything else */
	bool password_good;
	struct auth_password *password;
	struct web_identity who;
	char id[HTTP_ID_SIZE];
	char peer[64];
	char source[64]; /* by which failed logins are counted */
	char path[];	 /* below the prefix */
};

/* --- dispatch.c: from the head of a request to its route -------------------- */

int64_t dispatch_head(struct http_request *request, void *arg);
/* Role, other sites, limits, once it is known who asks: 0, or -1 and it is replied
 * to. */
int dispatch_authorize(struct visit *v);
/* 401, which counts as a failed login; `user` NULL: it was not a password. Returns
 * -1. */
int dispatch_refuse_login(struct visit *v, const char *user);
struct auth_request visit_auth_request(const struct http_request *request);

/* --- dispatch_run.c: from there to its answer -------------------------------- */

void dispatch_request(struct http_request *request, void *arg);
void dispatch_gone(struct http_request *request, void *arg);
/* Has a thread check v->password; then `on_done`, on the loop, with
 * v->password_good, or without a request that is gone. */
void dispatch_check_password(struct visit *v,
			     void (*on_done)(struct pool_work *work));
/* The call of a visit, v->call. */
int dispatch_make_call(struct visit *v, struct err *err);

/* --- respond.c: replies ------------------------------------------------------
 */

/* All of them take the request away from the visit. */
void respond_refuse(struct visit *v, unsigned int status, const char *detail,
		    const char *hint);
/* 405, with the methods (bits, as in struct web_match) that the path has. */
void respond_allow(struct visit *v, unsigned int methods);
/* With Retry-After. */
void respond_later(struct visit *v, unsigned int status, const char *detail,
		   int64_t after_s);
/* The answer of a call. */
void respond_call(struct visit *v, struct web_call *call);
void respond_page(struct visit *v);
void respond_static(struct visit *v);
/* An answer of a route on the loop: JSON, taken; NULL: none. `fields` ends with
 * one without a name, or is NULL. */
void respond_json(struct visit *v, unsigned int status, json_t *value,
		  const struct http_field *fields);
/* The headers that all replies of the API have, for streams. */
extern const struct http_field respond_api_fields[];
/* Frees a visit that nobody holds any more. */
void visit_release(struct visit *v);

/* --- live.c: routes on the loop ----------------------------------------------
 */

/* Runs the function of a route on the loop, which replies now or later, by
 * call->visit, or returns -1 with *err. */
void live_run(struct visit *v);

#endif
