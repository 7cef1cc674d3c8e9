/* SPDX-License-Identifier: MIT */
/* How long somebody stays who they are: requests and streams that outlive a
 * credential, a role, or what was remembered of a password. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "util/conf.h"
#include "web/auth.h"
#include "web/login.h"
#include "web/secret.h"

/* alice:sesame in base64, and the same with a NUL and one letter behind it. */
#define ALICE "Basic YWxpY2U6c2VzYW1l"
#define ALICE_AND_NUL "Basic YWxpY2U6c2VzYW1lAHg="

/* "tokens": LOGIN_TOKEN has that role. */
static void
put_role(const char *role)
{
	char digest[SECRET_HEX_SIZE], text[256];

	secret_digest(LOGIN_TOKEN, digest);
	snprintf(text, sizeof(text), "ci %s %s\n", role, digest);
	login_put("tokens", text);
	/* Files are looked at once a second. */
	login.mono_us += 1500000;
}

/* Logs in by the token, and asks who the cookie is. */
static struct web_identity
log_in(char **ret_cookie)
{
	struct err err;

	put_role("operator");
	ck_assert_int_eq(
	    login_load(&err, login_setting("tokens", "tokens"), NULL, NULL), 0);
	ck_assert_int_eq(login_ask_with("Authorization", "Bearer " LOGIN_TOKEN),
			 AUTH_KNOWN);
	*ret_cookie = login_session();
	ck_assert_int_eq(login_ask_with("Cookie", *ret_cookie), AUTH_KNOWN);
	ck_assert(auth_holds(login.auth, &login.who));
	return login.who;
}

START_TEST(a_session_holds_no_longer_than_its_role)
{
	char *cookie;
	const struct web_identity who = log_in(&cookie);

	put_role("viewer");
	ck_assert(!auth_holds(login.auth, &who));
	put_role("operator");
	ck_assert(auth_holds(login.auth, &who));
	login_put("tokens", "# none\n");
	login.mono_us += 1500000;
	ck_assert(!auth_holds(login.auth, &who));
	free(cookie);
}
END_TEST

START_TEST(a_session_holds_no_longer_than_it_was_made_for)
{
	char *cookie;
	const struct web_identity who = log_in(&cookie);
	const int64_t life_us = login.conf->web.session_life;

	login.wall_us += life_us - 1000000;
	ck_assert(auth_holds(login.auth, &who));
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_KNOWN);
	/* That is when it ends: it is not good in that second any more. */
	login.wall_us += 1000000;
	ck_assert(!auth_holds(login.auth, &who));
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	free(cookie);
}
END_TEST

START_TEST(a_session_that_is_logged_out_holds_no_longer)
{
	struct buf gone = BUF_INIT;
	char *cookie;
	const struct web_identity who = log_in(&cookie);

	auth_end_session(login.auth, cookie, true, &gone);
	ck_assert(!auth_holds(login.auth, &who));
	buf_done(&gone);
	free(cookie);
}
END_TEST

/* The name is the same, and the role. */
START_TEST(a_token_that_is_replaced_holds_no_longer)
{
	char digest[SECRET_HEX_SIZE], text[256];
	struct web_identity who;
	char *cookie;

	log_in(&cookie);
	free(cookie);
	ck_assert_int_eq(login_ask_with("Authorization", "Bearer " LOGIN_TOKEN),
			 AUTH_KNOWN);
	who = login.who;
	ck_assert(auth_holds(login.auth, &who));
	secret_digest("another token", digest);
	snprintf(text, sizeof(text), "ci operator %s\n", digest);
	login_put("tokens", text);
	login.mono_us += 1500000;
	ck_assert(!auth_holds(login.auth, &who));
	put_role("operator");
	ck_assert(auth_holds(login.auth, &who));
}
END_TEST

START_TEST(who_comes_by_a_proxy_or_a_socket_is_what_the_configuration_says)
{
	struct web_identity proxied, peer;
	struct err err;

	ck_assert_int_eq(login_load(&err, "web.proxies=10.0.0.1",
				    "web.user_header=X-Remote-User",
				    "web.operators=alice"),
			 0);
	login.request.peer = "10.0.0.1";
	ck_assert_int_eq(login_ask_with("X-Remote-User", "alice"), AUTH_KNOWN);
	proxied = login.who;
	login.request.peer = "unix";
	login.request.uid = 0;
	ck_assert_int_eq(login_ask(), AUTH_KNOWN);
	peer = login.who;
	ck_assert(auth_holds(login.auth, &proxied));
	ck_assert(auth_holds(login.auth, &peer));
	/* alice is a viewer now, and so is root. */
	ck_assert_int_eq(login_load(&err, "web.proxies=10.0.0.1",
				    "web.user_header=X-Remote-User",
				    "web.peers=root:viewer"),
			 0);
	ck_assert(!auth_holds(login.auth, &proxied));
	ck_assert(!auth_holds(login.auth, &peer));
	proxied.role = WEB_VIEWER;
	ck_assert(auth_holds(login.auth, &proxied));
	/* Proxies name nobody any more. */
	login_start();
	ck_assert(!auth_holds(login.auth, &proxied));
}
END_TEST

/* --- passwords --------------------------------------------------------------- */

static void
put_alice(const char *comment, const char *hash)
{
	char text[200];

	/* Of another length: two changes may have one time. */
	snprintf(text, sizeof(text), "%salice:%s\n", comment, hash);
	login_put("users", text);
	login.mono_us += 1500000;
}

static void
load_alice(void)
{
	struct err err;

	put_alice("", login_sesame);
	ck_assert_int_eq(
	    login_load(&err, login_setting("users", "users"), NULL, NULL), 0);
}

START_TEST(a_password_is_remembered_for_five_minutes)
{
	load_alice();
	ck_assert_int_eq(login_ask_with("Authorization", ALICE), AUTH_PASSWORD);
	ck_assert(auth_password(login.auth, &login.password, &login.who));
	login.mono_us += INT64_C(299000000);
	ck_assert_int_eq(login_ask_with("Authorization", ALICE), AUTH_KNOWN);
	/* That renews it: from then on. */
	login.mono_us += INT64_C(301000000);
	ck_assert_int_eq(login_ask_with("Authorization", ALICE), AUTH_PASSWORD);
}
END_TEST

START_TEST(a_password_that_is_changed_while_it_is_checked_logs_nobody_in)
{
	struct auth_password asked;
	char other[80];

	load_alice();
	ck_assert_int_eq(login_ask_with("Authorization", ALICE), AUTH_PASSWORD);
	asked = login.password;
	snprintf(other, sizeof(other), "%.20sX%s", login_sesame,
		 login_sesame + 21);
	put_alice("# new\n", other);
	ck_assert_int_eq(login_ask_with("Authorization", ALICE), AUTH_PASSWORD);
	ck_assert_str_eq(login.password.hash, other);
	ck_assert(!auth_password(login.auth, &asked, &login.who));
	/* Nor is it remembered. */
	ck_assert_int_eq(login_ask_with("Authorization", ALICE), AUTH_PASSWORD);
}
END_TEST

START_TEST(a_password_does_not_end_at_a_nul)
{
	load_alice();
	ck_assert_int_eq(login_ask_with("Authorization", ALICE_AND_NUL),
			 AUTH_WRONG);
}
END_TEST

SUITE("web-holds")
{
	tcase_add_checked_fixture(suite_case_, login_begin, login_end);
	TEST(a_session_holds_no_longer_than_its_role);
	TEST(a_session_holds_no_longer_than_it_was_made_for);
	TEST(a_session_that_is_logged_out_holds_no_longer);
	TEST(a_token_that_is_replaced_holds_no_longer);
	TEST(who_comes_by_a_proxy_or_a_socket_is_what_the_configuration_says);
	TEST(a_password_is_remembered_for_five_minutes);
	TEST(a_password_that_is_changed_while_it_is_checked_logs_nobody_in);
	TEST(a_password_does_not_end_at_a_nul);
}
