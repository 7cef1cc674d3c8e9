/* SPDX-License-Identifier: MIT */
/*
 * Sessions: a cookie that says who one is, signed with a key in the state
 * directory. There is no table of them, so they outlive a restart; those that
 * were logged out are kept in a list until they would have ended.
 *
 * What a user may do is not in the cookie: it is looked up with each request.
 * The cookie has a stamp of the credential, and ends with it: a new password
 * logs out. Not thread-safe.
 */
#ifndef WEB_SESSION_H
#define WEB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"
#include "web/call.h"

struct err;
struct web_sessions;

#define SESSION_COOKIE "flowrra_session"
#define SESSION_STAMP_SIZE 24

/* Reads or makes the key in `dir`. */
struct web_sessions *sessions_new(const char *dir, struct err *err);
void sessions_free(struct web_sessions *s);

struct session {
	enum web_kind kind;
	int64_t until_s; /* wall clock */
	uint64_t nonce;
	char stamp[SESSION_STAMP_SIZE];
	char user[WEB_USER_MAX + 1];
};

/* The stamp of a credential: a password's hash, a token's digest. */
void session_stamp(const struct web_sessions *s, const char *credential,
		   char stamp[SESSION_STAMP_SIZE]);
/* Appends the cookie's value; fills nonce. */
void session_write(const struct web_sessions *s, struct session *session,
		   struct buf *out);
/* Whether it is one of ours, neither over nor logged out. */
bool session_read(const struct web_sessions *s, struct slice cookie,
		  struct session *ret);
/* Whether one that was read is over or logged out by now. */
bool session_is_over(const struct web_sessions *s,
		     const struct session *session);
/* It is logged out, for all daemons with this directory. */
int session_revoke(struct web_sessions *s, const struct session *session,
		   struct err *err);
/* Uses something that is good once, up to `until_s`. False: it was used. */
bool session_spend(struct web_sessions *s, uint64_t nonce, int64_t until_s);

#endif
