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

/* Either path may be "". -1 with *err, which names the line, as long as a file is
 * wrong; later changes that are wrong are logged, and the old ones stay. */
struct web_users *users_new(const char *users_path, const char *tokens_path,
			    struct err *err);
void users_free(struct web_users *users);
/* Looks whether a file has changed, at most once a second. */
void users_refresh(struct web_users *users);

/* The hash of a user's password; NULL: there is no such user. */
const char *users_hash(const struct web_users *users, const char *name);
/* A hash for those who are not there: to be checked all the same, so that it takes
 * as long to find out. */
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

/* "viewer", "operator" or "metrics"; -1: none of them. */
int users_role(const char *name, enum web_role *ret);
/* Whether a user's name will do: 1 to WEB_USER_MAX printable characters, neither
 * colon nor space. */
bool users_name_valid(const char *name);

#endif
