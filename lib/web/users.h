/* SPDX-License-Identifier: MIT */
/*
 * Users with passwords and bearer tokens: two files, read again when they have
 * changed. Not thread-safe, but for users_check_password().
 */
#ifndef WEB_USERS_H
#define WEB_USERS_H

#include <stdbool.h>

#include "web/call.h"

struct err;
struct web_users;

/* Either path may be "". NULL with *err, which names the line, if a file cannot be
 * used; a later change that cannot be used is logged, and what was read before
 * stays. */
struct web_users *users_new(const char *users_path, const char *tokens_path,
			    struct err *err);
void users_free(struct web_users *users);
/* Looks whether a file has changed, at most once a second. */
void users_refresh(struct web_users *users);

/* The hash of a user's password; NULL: there is no such user. */
const char *users_hash(const struct web_users *users, const char *name);
/* A hash for unknown users: it is to be checked like any other, so that the answer
 * takes as long. */
const char *users_decoy(const struct web_users *users);
/* Whether a password has that hash. Takes 50 ms and more; any thread. */
bool users_check_password(const char *password, const char *hash);

struct token {
	const char *name, *digest;
	enum web_role role;
};
/* By the token's text; or by its name. NULL: there is none. */
const struct token *users_token(const struct web_users *users,
				const char *text);
const struct token *users_token_named(const struct web_users *users,
				      const char *name);

/* "viewer", "operator" or "metrics"; -1: none of them. The second takes "submitter",
 * too. */
int users_role(const char *name, enum web_role *ret);
int users_peer_role(const char *name, enum web_role *ret);
/* Whether a user's name is valid: 1 to WEB_USER_MAX printable characters, neither
 * colon nor space. */
bool users_name_valid(const char *name);

#endif
