/* SPDX-License-Identifier: MIT */
/*
 * Passwords.
 *
 * A hash takes some hundred milliseconds by design, and Basic sends the password
 * with each request: so one that was right is remembered for a while, as a MAC
 * with a key of this process. The MAC has the hash in it, so that a changed
 * password ends it at once.
 */
#include <stdio.h>
#include <string.h>

#include "util/clock.h"
#include "util/conf.h"
#include "web/auth_private.h"

/* Five minutes: long enough for a script that asks again and again, short enough
 * for a password that was just changed elsewhere. */
#define REMEMBER_US 300000000

/* NULs between the parts, which none of them has: "a" and "bc" are not "ab" and
 * "c". */
static void
auth_password_mac(const struct web_auth *auth, const struct auth_password *p,
		  unsigned char mac[SECRET_BYTES])
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "%s%c%s%c%s", p->user, 0, p->password, 0, p->hash);
	secret_hmac(auth->key, (struct slice){text.data, text.len}, mac);
	if (text.data != NULL)
		explicit_bzero(text.data, text.len);
	buf_done(&text);
}

static bool
auth_remembers(const struct web_auth *auth, const struct auth_password *p)
{
	unsigned char mac[SECRET_BYTES];
	size_t i;

	auth_password_mac(auth, p, mac);
	for (i = 0; i < AUTH_REMEMBERED; i++)
		if (auth->passwords[i].until_us > clock_mono_us() &&
		    memcmp(auth->passwords[i].mac, mac, sizeof(mac)) == 0)
			return true;
	return false;
}

/* A user that does not exist gets another hash to be checked against: how long an
 * answer takes must not tell which names there are. */
void
auth_ask_password(struct web_auth *auth, const char *user, const char *password,
		  struct auth_password *ret)
{
	const char *hash;

	users_refresh(auth->users);
	if ((hash = users_hash(auth->users, user)) == NULL)
		hash = users_decoy(auth->users);
	snprintf(ret->user, sizeof(ret->user), "%s", user);
	snprintf(ret->password, sizeof(ret->password), "%s", password);
	snprintf(ret->hash, sizeof(ret->hash), "%s", hash);
}

/* After the check, on the loop. The hash is looked up again: the file may have
 * changed while a thread was computing. */
bool
auth_password(struct web_auth *auth, const struct auth_password *p,
	      struct web_identity *who)
{
	const char *hash = users_hash(auth->users, p->user);

	if (hash == NULL || strcmp(hash, p->hash) != 0)
		return false;
	auth_password_mac(auth, p, auth->passwords[auth->next_password].mac);
	auth->passwords[auth->next_password].until_us =
	    clock_mono_us() + REMEMBER_US;
	auth->next_password = (auth->next_password + 1) % AUTH_REMEMBERED;
	auth_set_who(who, WEB_BY_USER, p->user,
		     auth_role_of_user(auth, p->user));
	auth_note_stamp(auth, who);
	who->ambient = true;
	return true;
}

/* RFC 7617: "NAME:PASSWORD" in base64; the name ends at the first colon. */
enum auth_answer
auth_basic(struct web_auth *auth, const char *text, struct web_identity *who,
	   struct auth_password *ret)
{
	struct buf plain = BUF_INIT;
	enum auth_answer answer = AUTH_WRONG;
	char *colon;

	/* Without a users file no password is right. */
	if (auth->conf->web.users[0] != '\0' &&
	    secret_decode(slice_of(text), &plain) == 0 && plain.data != NULL &&
	    strlen(plain.data) == plain.len &&
	    (colon = strchr(plain.data, ':')) != NULL) {
		*colon++ = '\0';
		if (users_name_valid(plain.data) &&
		    strlen(colon) < sizeof(ret->password)) {
			auth_ask_password(auth, plain.data, colon, ret);
			answer = AUTH_PASSWORD;
		}
	}
	if (plain.data != NULL)
		explicit_bzero(plain.data, plain.len);
	buf_done(&plain);
	if (answer == AUTH_PASSWORD && auth_remembers(auth, ret))
		return auth_password(auth, ret, who) ? AUTH_KNOWN : AUTH_WRONG;
	return answer;
}

/* --- codes ---------------------------------------------------------------- */

/* It is good once, whatever is reloaded or restarted meanwhile. */
bool
auth_code(struct web_auth *auth, const char *code, struct web_identity *who)
{
	uint64_t nonce;
	int64_t until_s;

	if (auth->token[0] == '\0' ||
	    !secret_code_check(auth->token, code, &nonce, &until_s) ||
	    !session_spend(auth->sessions, nonce, until_s))
		return false;
	auth_set_who(who, WEB_BY_START, "start", WEB_OPERATOR);
	return true;
}
