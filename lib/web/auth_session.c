/* SPDX-License-Identifier: MIT */
/*
 * Sessions: what a login becomes for a browser, and whether it still holds.
 *
 * A cookie holds no role: that is looked up with each request, and the stamp in
 * it is of the credential that it began with. So a token that is taken out of its
 * file, or a password that is changed, ends its sessions without a list of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"
#include "web/auth_private.h"
#include "web/peers.h"

/* The credential of a session, as it is now; NULL: it is gone. */
static const char *
auth_credential(struct web_auth *auth, const struct session *session,
		enum web_role *ret_role)
{
	const struct token *token;

	users_refresh(auth->users);
	switch (session->kind) {
	case WEB_BY_START:
		*ret_role = WEB_OPERATOR;
		return auth->token[0] != '\0' ? auth->token : NULL;
	case WEB_BY_TOKEN:
		token = users_token_named(auth->users, session->user);
		if (token == NULL)
			return NULL;
		*ret_role = token->role;
		return token->digest;
	case WEB_BY_USER:
		*ret_role = auth_role_of_user(auth, session->user);
		return users_hash(auth->users, session->user);
	default:
		return NULL;
	}
}

/* The signature is checked by session_read(); here, whether what the session began
 * with is still there, and still the same. */
bool
auth_by_session(struct web_auth *auth, const char *cookies,
		struct web_identity *who)
{
	char stamp[SESSION_STAMP_SIZE];
	struct session session;
	enum web_role role;
	const char *credential;

	if (!session_read(auth->sessions, http_cookie(cookies, SESSION_COOKIE),
			  &session) ||
	    (credential = auth_credential(auth, &session, &role)) == NULL)
		return false;
	session_stamp(auth->sessions, credential, stamp);
	if (!secret_same(stamp, session.stamp))
		return false;
	auth_set_who(who, session.kind, session.user, role);
	who->cookie = true;
	who->ambient = true;
	who->until_s = session.until_s;
	who->nonce = session.nonce;
	memcpy(who->stamp, session.stamp, sizeof(who->stamp));
	return true;
}

void
auth_note_stamp(struct web_auth *auth, struct web_identity *who)
{
	struct session session = {.kind = who->kind};
	const char *credential;
	enum web_role role;

	memcpy(session.user, who->user, sizeof(session.user));
	credential = auth_credential(auth, &session, &role);
	if (credential != NULL)
		session_stamp(auth->sessions, credential, who->stamp);
}

/* Whether the credential is as it was, and a session, if it came by one, is neither
 * over nor logged out. */
static bool
auth_credential_holds(struct web_auth *auth, const struct web_identity *who)
{
	struct session session = {
	    .kind = who->kind, .until_s = who->until_s, .nonce = who->nonce};
	char stamp[SESSION_STAMP_SIZE];
	enum web_role role = WEB_OPEN;
	const char *credential;

	memcpy(session.stamp, who->stamp, sizeof(session.stamp));
	memcpy(session.user, who->user, sizeof(session.user));
	if ((who->cookie && session_is_over(auth->sessions, &session)) ||
	    (credential = auth_credential(auth, &session, &role)) == NULL)
		return false;
	session_stamp(auth->sessions, credential, stamp);
	return role == who->role && secret_same(stamp, who->stamp);
}

/* The daemon's own user, unless a line has its name. */
static bool
auth_self_holds(const struct web_auth *auth, const struct web_identity *who)
{
	const struct auth_request request = {.uid = who->uid};
	const char *subject;

	peers_role(auth->peers, who->user, &request, &subject);
	return who->uid == geteuid() && who->role == WEB_OPERATOR &&
	       strcmp(subject, who->user) != 0;
}

/* Asked again and again while a stream lasts: it has to end with the credential,
 * and with the role, for which the stream was begun. */
bool
auth_holds(struct web_auth *auth, const struct web_identity *who)
{
	switch (who->kind) {
	case WEB_BY_PROXY:
		return auth->conf->web.user_header[0] != '\0' &&
		       auth_role_of_user(auth, who->user) == who->role;
	case WEB_BY_PEER:
		return who->subject[0] == '\0'
			   ? auth_self_holds(auth, who)
			   : peers_holds(auth->peers, who->subject, who->role);
	default:
		return auth_credential_holds(auth, who);
	}
}

/* --- begin and end -------------------------------------------------------- */

/* HttpOnly: no script reads it. SameSite=Strict: no other site's link or form
 * sends it. The path is ours, so that applications beside us do not get it. */
static void
auth_cookie_attributes(const struct web_auth *auth, bool https, int64_t life_s,
		       struct buf *out)
{
	buf_addf(out,
		 "; Path=%s/; Max-Age=%" PRId64 "; HttpOnly; SameSite=Strict%s",
		 auth->conf->web.prefix, life_s, https ? "; Secure" : "");
}

/* *out is the value of Set-Cookie. */
int
auth_begin_session(struct web_auth *auth, const struct web_identity *who,
		   bool https, struct buf *out, struct err *err)
{
	const int64_t life_s = auth->conf->web.session_life / 1000000;
	struct session session = {
	    .kind = who->kind, .until_s = clock_wall_us() / 1000000 + life_s};
	const char *credential;
	enum web_role role;

	snprintf(session.user, sizeof(session.user), "%s", who->user);
	if ((credential = auth_credential(auth, &session, &role)) == NULL)
		return err_set(err, ERR_REFUSED,
			       "a client of a proxy or a Unix socket needs no "
			       "session");
	session_stamp(auth->sessions, credential, session.stamp);
	buf_adds(out, SESSION_COOKIE "=");
	session_write(auth->sessions, &session, out);
	auth_cookie_attributes(auth, https, life_s, out);
	return out->failed ? err_nomem(err) : 0;
}

/* The cookie is taken back whether or not it was good: the browser is logged out
 * in any case. */
void
auth_end_session(struct web_auth *auth, const char *cookies, bool https,
		 struct buf *out)
{
	struct session session;
	struct err err;

	if (cookies != NULL &&
	    session_read(auth->sessions, http_cookie(cookies, SESSION_COOKIE),
			 &session) &&
	    session_revoke(auth->sessions, &session, &err) != 0)
		log_error("a session is logged out until the next start only: "
			  "%s",
			  err.msg);
	buf_adds(out, SESSION_COOKIE "=");
	auth_cookie_attributes(auth, https, 0, out);
}
