/* SPDX-License-Identifier: MIT */
/*
 * From a request that may pass to its answer: pages at once, live routes on the
 * loop, all others on a thread; before it, if it came with one, its password.
 *
 * A visit is held by the request, which the peer may end at any moment, and by the
 * pool while a thread has it. Whichever lets go last frees it (visit_release()), so
 * that a thread never waits for a peer, nor a peer for a thread.
 */
#include <stdlib.h>
#include <string.h>

#include "util/conf.h"
#include "util/timer.h"
#include "web/access.h"
#include "web/state.h"
#include "web/users.h"

/* Threads for requests that wait which one submitter may occupy. */
#define WAITS_OF_USER 4

/* --- the call ---------------------------------------------------------------- */

/* The headers that routes may ask for (web_header()). */
static int
dispatch_copy_headers(const struct http_request *request,
		      struct web_pairs *pairs, struct err *err)
{
	static const char *const names[] = {
	    "If-Match", "If-None-Match", "Idempotency-Key", "Content-Type",
	    "Accept",	"traceparent",	 "tracestate"};
	const char *value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((value = http_header(request, names[i])) != NULL &&
		    web_pairs_add(pairs, names[i], value, err) != 0)
			return -1;
	return 0;
}

/* A copy of what it needs: the request may be gone while a thread still works
 * on it. */
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

/* A submission waits only where it says so. */
static bool
visit_waits(const struct visit *v)
{
	return (v->route->flags & WEB_WAITS) != 0 &&
	       ((v->route->flags & WEB_SUBMITS) == 0 ||
		strstr(http_query(v->request), "wait=") != NULL);
}

/* Each wait occupies a thread: a user must leave some to others. */
static bool
visit_may_wait(const struct visit *v)
{
	const struct visit *other;
	size_t n = 0;

	if (v->who.role != WEB_SUBMITTER)
		return true;
	TAILQ_FOREACH (other, &v->web->waiting, waiting)
		n += other->who.uid == v->who.uid &&
		     other->who.role == WEB_SUBMITTER;
	return n < WAITS_OF_USER;
}

static void
visit_note_waiting(struct visit *v, bool waits)
{
	if (waits)
		TAILQ_INSERT_TAIL(&v->web->waiting, v, waiting);
	else if (v->waits)
		TAILQ_REMOVE(&v->web->waiting, v, waiting);
	v->waits = waits;
}

/* On a thread. Nothing of the visit is touched but its call: the loop has the
 * rest. */
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
	visit_note_waiting(v, false);
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

	atomic_store(&v->call->late, true);
	atomic_store(&v->call->stopped, true);
	respond_refuse(v, 504, "there was no answer in time",
		       "[web] timeout says how long a request may take");
}

/* The client of the stores gives up before that (server.c), with a better
 * reason. */
static bool
dispatch_set_deadline(struct visit *v)
{
	int64_t us = v->web->conf->web.timeout;

	if ((v->route->flags & WEB_WAITS) != 0)
		us += (int64_t)WEB_WAIT_S * 1000000;
	v->deadline = timer_new(v->web->base, on_call_deadline, v);
	return v->deadline != NULL && timer_set_us(v->deadline, us) == 0;
}

/* The tasks in a submitter's request: one a line, of which the last may lack its end. */
static size_t
visit_tasks(const struct visit *v)
{
	const struct slice body = http_body(v->request);
	const char *p = body.p, *end = body.p + body.len, *next;
	size_t n = 1;

	if ((v->route->flags & WEB_LINES) == 0)
		return 1;
	while (p < end && (next = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		p = next + 1;
		n += p < end;
	}
	return n;
}

/* -1: it is replied to. */
static int
dispatch_check_tasks(struct visit *v)
{
	const int64_t per_s = v->web->conf->web.submit_rate;
	int64_t wait_s;

	if (v->who.role != WEB_SUBMITTER ||
	    (v->route->flags & WEB_SUBMITS) == 0)
		return 0;
	wait_s =
	    access_submit(v->web->limits, v->who.user, visit_tasks(v), per_s);
	if (wait_s == 0)
		return 0;
	if (wait_s > 0)
		respond_later(v, 429,
			      "more tasks than [web] submit_rate of the server "
			      "allows a user",
			      wait_s);
	else
		respond_refuse(v, 413, "too many tasks at once",
			       "send them in batches of up to ten times [web] "
			       "submit_rate");
	return -1;
}

/* The deadline is set first: from pool_put() on the thread may be faster than
 * this. */
static void
dispatch_put(struct visit *v)
{
	const bool waits = visit_waits(v);
	struct pool_threads *pool = waits ? v->web->waits : v->web->calls;
	struct err err = ERR_INIT;

	if (dispatch_check_tasks(v) != 0)
		return;
	if (waits && !visit_may_wait(v)) {
		respond_refuse(v, 503,
			       "too many requests of this user wait already",
			       NULL);
		return;
	}
	if (dispatch_make_call(v, &err) != 0 || !dispatch_set_deadline(v)) {
		respond_refuse(v, 503, "there is no memory", NULL);
		return;
	}
	v->work.run = on_call_run;
	v->work.on_done = on_call_done;
	v->in_pool = true;
	visit_note_waiting(v, waits);
	if (pool_put(pool, &v->work) != 0) {
		v->in_pool = false;
		visit_note_waiting(v, false);
		respond_refuse(v, 503, "too many requests wait already", NULL);
	}
}

/* Where there is no route it is a file or a page: dispatch_find() has seen to
 * that. */
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

/* On a thread; the password is the visit's, which waits for it. */
static void
on_password_run(struct pool_work *work, struct web_worker *worker)
{
	struct visit *v = (struct visit *)work;

	v->password_good =
	    users_check_password(v->password->password, v->password->hash);
}

/* The user may be gone from the file since, which auth_password() looks up
 * again. The checks that need a role come now. */
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
		access_login_succeeded(v->web->limits, v->source,
				       v->password->user);
		if (dispatch_authorize(v) == 0)
			dispatch_go_on(v);
	}
}

/* On a thread, for a hash takes long by design. The queue is short: who floods it
 * with guesses is told to come again, and holds up no page. */
void
dispatch_check_password(struct visit *v, void (*on_done)(struct pool_work *))
{
	v->work.run = on_password_run;
	v->work.on_done = on_done;
	v->in_pool = true;
	if (pool_put(v->web->passwords, &v->work) != 0) {
		v->in_pool = false;
		respond_refuse(v, 503, "too many logins at the same time",
			       NULL);
	}
}

/* --- the whole request ---------------------------------------------------------
 */

/* The body is there. Between the head and this a stop may have come. */
void
dispatch_request(struct http_request *request, void *arg)
{
	struct visit *v = http_data(request);

	if (v->web->stopping)
		respond_refuse(v, 503, "the server stops", NULL);
	else if (v->ask_password)
		dispatch_check_password(v, on_password_done);
	else
		dispatch_go_on(v);
}

/* The peer has ended it. A thread that has the call learns so by `stopped`. */
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
