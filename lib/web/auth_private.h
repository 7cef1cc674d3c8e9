/* SPDX-License-Identifier: MIT */
/* What the files of authentication share. All of it belongs to the loop. */
#ifndef WEB_AUTH_PRIVATE_H
#define WEB_AUTH_PRIVATE_H

#include "web/auth.h"
#include "web/secret.h"
#include "web/session.h"
#include "web/users.h"

/* Passwords that were right: more than log in within the time for which they are
 * remembered. The oldest makes room. */
#define AUTH_REMEMBERED 64

struct web_auth {
	const struct conf *conf;
	struct web_users *users;
	struct web_sessions *sessions;
	char **hosts, **proxies, **operators;
	struct web_peers *peers;
	char token[SECRET_TEXT_SIZE]; /* of the start; "": there is none */
	char *token_path;
	unsigned char key[SECRET_BYTES]; /* of this process */
	struct {
		unsigned char mac[SECRET_BYTES];
		int64_t until_us;
	} passwords[AUTH_REMEMBERED];
	size_t next_password;
};

/* Fills an identity; nothing of a browser's is set. */
void auth_set_who(struct web_identity *who, enum web_kind kind,
		  const char *user, enum web_role role);
/* The role of a user of the users file or of a proxy; a token has a role of its
 * own. */
enum web_role auth_role_of_user(const struct web_auth *auth, const char *user);

/* --- auth_password.c -------------------------------------------------------- */

/* "NAME:PASSWORD" in base64. AUTH_PASSWORD fills *ret, unless it is remembered. */
enum auth_answer auth_basic(struct web_auth *auth, const char *text,
			    struct web_identity *who,
			    struct auth_password *ret);

/* --- auth_session.c --------------------------------------------------------- */

/* Notes which credential, of those that the daemon knows, the identity has shown:
 * auth_holds() tells by it whether that has changed. */
void auth_note_stamp(struct web_auth *auth, struct web_identity *who);
/* Whether a Cookie header has a session that is still good. */
bool auth_by_session(struct web_auth *auth, const char *cookies,
		     struct web_identity *who);

#endif
