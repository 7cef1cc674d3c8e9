/* SPDX-License-Identifier: MIT */
/*
 * What tests of logins share: the files of a daemon in a directory of their own,
 * a clock that they set, and requests whose sender is asked for.
 *
 *	login_tokens();
 *	ck_assert_int_eq(login_load(&err, login_setting("tokens", "tokens"),
 *				    NULL, NULL), 0);
 *	ck_assert_int_eq(login_ask_with("Authorization", "Bearer " LOGIN_TOKEN),
 *			 AUTH_KNOWN);
 */
#ifndef TESTS_WEB_LOGIN_H
#define TESTS_WEB_LOGIN_H

#include "web/auth.h"

struct login {
	char dir[128];
	struct conf *conf;
	struct web_auth *auth;
	/* Of the next request; login_ask() empties the headers. */
	struct web_pairs headers;
	struct auth_request request;
	/* What the last one was answered with. */
	struct web_identity who;
	struct auth_password password;
	int64_t wall_us, mono_us; /* what the clock says */
};
extern struct login login;

/* "sesame", by htpasswd -B -C 4. */
extern const char login_sesame[];
#define LOGIN_TOKEN "t0ken-of-ci"

/* Before each test, and behind it. */
void login_begin(void);
void login_end(void);
/* Opens login.auth as at the start of the daemon, at a fixed time, with settings
 * beside those of the directories; NULL: none. */
int login_load(struct err *err, const char *a, const char *b, const char *c);
/* The same without other settings; it must do. */
void login_start(void);

/* The path of a file in the directory; valid for three more calls. */
const char *login_file(const char *name);
/* Writes it, with the mode 0640. */
void login_put(const char *name, const char *text);
/* "tokens": LOGIN_TOKEN is that of the operator ci. */
void login_tokens(void);
/* "web.KEY=" and the path of a file; valid for two more calls. */
const char *login_setting(const char *key, const char *name);

/* Adds a header to the next request. */
void login_header(const char *name, const char *value);
/* Asks whose login.request is, and the same with one more header. */
enum auth_answer login_ask(void);
enum auth_answer login_ask_with(const char *name, const char *value);
/* The cookie of a session of login.who, without its attributes; free() it. */
char *login_session(void);

#endif
