/* SPDX-License-Identifier: MIT */
/*
 * Logging in and out: POST and DELETE session.
 *
 * Both are routes on the loop, since they answer with a cookie and need no store.
 * A failure says the same whatever was wrong, takes as long for an unknown user
 * as for a known one, and counts against the next guesses.
 */
#include <string.h>

#include "util/log.h"
#include "web/access.h"
#include "web/audit.h"
#include "web/frame.h"
#include "web/state.h"
#include "web/users.h"

/* Logins are in the trail by what they came to; a credential never is. */
static void
login_audit(struct visit *v, const char *user, const char *action,
	    const char *outcome)
{
	const struct audit_record record = {.user = user,
					    .role =
						web_role_name((int)v->who.role),
					    .peer = v->peer,
					    .action = action,
					    .target = "",
					    .outcome = outcome,
					    .request_id = v->id};

	audit_add(v->web->shared.audit, &record);
}

/* One sentence for all kinds: which of them was right is not told. */
static void
login_refuse(struct visit *v, const char *user)
{
	access_login_failed(v->web->limits, v->source,
			    user[0] != '\0' ? user : NULL);
	login_audit(v, user, "login", "refused");
	respond_refuse(v, 401, "the name, password, token or code is wrong",
		       "a code of `flowrractl web` is good once, for five "
		       "minutes");
}

/* v->who has logged in. */
static void
login_accept(struct visit *v)
{
	const struct auth_request request = visit_auth_request(v->request);
	struct buf cookie = BUF_INIT;
	struct http_field fields[] = {{"Set-Cookie", NULL}, {NULL, NULL}};
	struct err err = ERR_INIT;

	access_login_succeeded(v->web->limits, v->source,
			       v->who.kind == WEB_BY_USER ? v->who.user : NULL);
	if (auth_begin_session(v->web->auth, &v->who,
			       auth_is_https(v->web->auth, &request), &cookie,
			       &err) != 0) {
		respond_refuse(v, 409, err.msg, NULL);
	} else {
		login_audit(v, v->who.user, "login", "done");
		fields[0].value = cookie.data;
		respond_json(v, 200,
			     json_pack("{s:s,s:s}", "user", v->who.user, "role",
				       web_role_name((int)v->who.role)),
			     fields);
	}
	buf_done(&cookie);
}

/* --- by a password, which a thread checks ------------------------------------ */

/* A request that is gone has not logged in: nobody would have the cookie. */
static void
on_login_done(struct pool_work *work)
{
	struct visit *v = (struct visit *)work;

	v->in_pool = false;
	if (v->request == NULL)
		visit_release(v);
	else if (v->password_good &&
		 auth_password(v->web->auth, v->password, &v->who))
		login_accept(v);
	else
		login_refuse(v, v->password->user);
}

/* A name or a password of a form that none can have is refused without a hash, but
 * counted. */
static int
login_by_password(struct visit *v, const char *user, const char *password,
		  struct err *err)
{
	if (!users_name_valid(user) ||
	    strlen(password) >= sizeof(v->password->password)) {
		login_refuse(v, "");
		return 0;
	}
	if (v->password == NULL &&
	    (v->password = calloc(1, sizeof(*v->password))) == NULL)
		return err_nomem(err);
	auth_ask_password(v->web->auth, user, password, v->password);
	dispatch_check_password(v, on_login_done);
	return 0;
}

/* --- the routes --------------------------------------------------------------- */

/* The pause is looked at before the credential, so that a right guess during a pause
 * is not told from a wrong one. */
int
frame_login(struct web_call *call, struct err *err)
{
	struct visit *v = call->visit;
	const char *token = web_text(call, "token");
	const char *code = web_text(call, "code");
	const char *user = web_text(call, "user");
	const char *password = web_text(call, "password");
	const int64_t wait_s =
	    access_login_wait(v->web->limits, v->source, user);

	if (wait_s > 0) {
		respond_later(v, 429, "too many failed logins", wait_s);
		return 0;
	}
	if (user != NULL && password != NULL)
		return login_by_password(v, user, password, err);
	if (token == NULL && code == NULL)
		return err_set(
		    err, ERR_USAGE,
		    "neither token, nor code, nor user and password");
	if (token != NULL ? auth_token(v->web->auth, token, &v->who)
			  : auth_code(v->web->auth, code, &v->who))
		login_accept(v);
	else
		login_refuse(v, "");
	return 0;
}

/* Without a session it is done as well: the cookie is taken back. */
int
frame_logout(struct web_call *call, struct err *err)
{
	struct visit *v = call->visit;
	const struct auth_request request = visit_auth_request(v->request);
	struct buf cookie = BUF_INIT;
	struct http_field fields[] = {{"Set-Cookie", NULL}, {NULL, NULL}};

	auth_end_session(v->web->auth, http_header(v->request, "Cookie"),
			 auth_is_https(v->web->auth, &request), &cookie);
	if (v->who.kind != WEB_BY_NOTHING)
		login_audit(v, v->who.user, "logout", "done");
	fields[0].value = cookie.data;
	respond_json(v, 204, NULL, fields);
	buf_done(&cookie);
	return 0;
}
