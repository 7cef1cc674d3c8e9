/* SPDX-License-Identifier: MIT */
/*
 * Authentication: who a request comes from.
 *
 * In this order: an Authorization header (bearer token, Basic), the user header
 * of a trusted proxy, a session's cookie, the uid of the peer of a Unix socket.
 * Nobody is let in without one of them. All of it on the loop; passwords are
 * checked by a thread, in three steps: auth_identify() says AUTH_PASSWORD,
 * users_check_password() is run, auth_password() takes the outcome.
 */
#ifndef WEB_AUTH_H
#define WEB_AUTH_H

#include <stdbool.h>
#include <sys/types.h>

#include "web/call.h"

struct conf;
struct err;
struct web_auth;

/* Whether auth_new() would take what the configuration says, key by key. Changes
 * nothing. */
int auth_check_hosts(const struct conf *conf, struct err *err);
int auth_check_proxies(const struct conf *conf, struct err *err);
int auth_check_peers(const struct conf *conf, struct err *err);
/* The files of users and tokens. */
int auth_check_users(const struct conf *conf, struct err *err);
int auth_check_tokens(const struct conf *conf, struct err *err);

/* Reads the files that the configuration names; makes the token of the start if
 * there is no other way to log in. */
struct web_auth *auth_new(const struct conf *conf, struct err *err);
void auth_free(struct web_auth *auth);

struct auth_request {
	const char *peer; /* "192.0.2.1", "unix" */
	int64_t uid;	  /* of a Unix socket's peer; -1 */
	bool tls;
	const char *(*header)(const void *arg, const char *name);
	/* How often it came. */
	size_t (*count)(const void *arg, const char *name);
	/* Whether a Unix socket's peer is in a group; NULL: in none. */
	bool (*in_group)(const void *arg, gid_t gid);
	const void *arg;
};

/* A password to be checked. */
struct auth_password {
	char user[WEB_USER_MAX + 1];
	char password[256];
	char hash[256];
};

enum auth_answer {
	AUTH_KNOWN,    /* *ret_who; by a password that is remembered if
			  ret_password->hash is not "" */
	AUTH_NOBODY,   /* there is no credential */
	AUTH_WRONG,    /* there is one, and it is wrong */
	AUTH_PASSWORD, /* *ret_password */
	AUTH_FORGED    /* the user header, not from a trusted proxy, or twice */
};
enum auth_answer auth_identify(struct web_auth *auth,
			       const struct auth_request *request,
			       struct web_identity *ret_who,
			       struct auth_password *ret_password);
/* After a password was found right: whose it is. False: the user has been removed,
 * or has another password, meanwhile. It is remembered for some minutes, so that
 * the next requests need no hash. */
bool auth_password(struct web_auth *auth, const struct auth_password *password,
		   struct web_identity *ret_who);

/* Whether an identity that was known some time ago is known now, with the same role:
 * for streams, which outlive a logout. For clients of a proxy or a Unix socket, what
 * the configuration says of them now. */
bool auth_holds(struct web_auth *auth, const struct web_identity *who);

/* The peer as it is to be shown and counted, behind trusted proxies. */
void auth_peer(const struct web_auth *auth, const struct auth_request *request,
	       char text[static 64]);
/* Whether the URL that the client sees is https. */
bool auth_is_https(const struct web_auth *auth,
		   const struct auth_request *request);
/* Whether Host names this server. */
bool auth_host(const struct web_auth *auth, const char *host);

/* --- sessions --------------------------------------------------------------- */

/* By a token of the tokens file, or of the start. */
bool auth_token(struct web_auth *auth, const char *token,
		struct web_identity *ret_who);
/* By a code of the token of the start, which is good once. */
bool auth_code(struct web_auth *auth, const char *code,
	       struct web_identity *ret_who);
/* Looks a user's hash up, for users_check_password(). */
void auth_ask_password(struct web_auth *auth, const char *user,
		       const char *password, struct auth_password *ret);
/* Begins a session: appends the Set-Cookie header's value. */
int auth_begin_session(struct web_auth *auth, const struct web_identity *who,
		       bool https, struct buf *out, struct err *err);
/* Ends that of a Cookie header, if there is one, and appends what removes it. */
void auth_end_session(struct web_auth *auth, const char *cookies, bool https,
		      struct buf *out);

#endif
