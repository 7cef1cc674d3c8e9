/* SPDX-License-Identifier: MIT */
/* Sessions: their cookies and forgeries, their ends, and the list of logouts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "util/conf.h"
#include "web/auth.h"
#include "web/login.h"
#include "web/secret.h"
#include "web/session.h"
#include "web/users.h"

/* Starts the daemon with the token of the operator ci, who begins a session;
 * free() its cookie. */
static char *
token_session(void)
{
	struct err err;

	login_tokens();
	ck_assert_int_eq(
	    login_load(&err, login_setting("tokens", "tokens"), NULL, NULL), 0);
	ck_assert_int_eq(login_ask_with("Authorization", "Bearer " LOGIN_TOKEN),
			 AUTH_KNOWN);
	return login_session();
}

/* A session that was begun with the token of the start; free() its cookie. */
static char *
start_session(void)
{
	login.who =
	    (struct web_identity){.kind = WEB_BY_START, .user = "start"};
	return login_session();
}

START_TEST(a_token_that_is_taken_out_of_the_file_ends_with_its_sessions)
{
	char *cookie = token_session();

	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_KNOWN);
	ck_assert(login.who.ambient && login.who.cookie);
	login_put("tokens", "# none\n");
	login.mono_us += 1500000;
	ck_assert_int_eq(login_ask_with("Authorization", "Bearer " LOGIN_TOKEN),
			 AUTH_WRONG);
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	free(cookie);
}
END_TEST

START_TEST(a_forged_cookie_is_no_cookie)
{
	static const char *const made_up[] = {
	    SESSION_COOKIE "=",
	    SESSION_COOKIE "=1.",
	    SESSION_COOKIE "=1..",
	    SESSION_COOKIE "=1.MSAxODAwMDAwMDAwIDAgeCBzdGFydA.AAAA",
	    SESSION_COOKIE "=2.x.y",
	    "other=1"};
	struct err err;
	char *cookie, *copy;
	size_t i, n;

	cookie = token_session();
	n = strlen(cookie);
	for (i = strlen(SESSION_COOKIE "="); i < n; i++) {
		copy = strdup(cookie);
		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		ck_assert_msg(login_ask_with("Cookie", copy) == AUTH_NOBODY,
			      "byte %zu of %s", i, copy);
		free(copy);
	}
	for (i = 0; i < sizeof(made_up) / sizeof(made_up[0]); i++)
		ck_assert_int_eq(login_ask_with("Cookie", made_up[i]),
				 AUTH_NOBODY);
	/* Of another daemon. */
	unlink(login_file("state/web.key"));
	ck_assert_int_eq(
	    login_load(&err, login_setting("tokens", "tokens"), NULL, NULL), 0);
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	free(cookie);
}
END_TEST

START_TEST(a_session_outlives_a_restart_but_not_its_time)
{
	char *cookie;

	login_start();
	cookie = start_session();
	login_start();
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_KNOWN);
	login.wall_us += INT64_C(43201) * 1000000;
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	free(cookie);
}
END_TEST

START_TEST(a_logged_out_session_stays_so_after_a_restart)
{
	struct buf gone = BUF_INIT;
	char *cookie, *other;

	login_start();
	cookie = start_session();
	other = start_session();
	auth_end_session(login.auth, cookie, true, &gone);
	ck_assert_ptr_nonnull(strstr(gone.data, "Max-Age=0"));
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	login_start();
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(login_ask_with("Cookie", other), AUTH_KNOWN);
	free(cookie);
	free(other);
	buf_done(&gone);
}
END_TEST

/* A full disk, or a machine that went down in between, leaves such files. */
START_TEST(an_empty_or_damaged_list_of_logouts_does_not_stop_the_start)
{
	static const char *const lists[] = {"", "\n\n", "no numbers\n",
					    "ffffffffffffffffff 1\n\n00 9"};
	char path[256];
	struct err err;

	login_start();
	snprintf(path, sizeof(path), "%s/state/web.revoked", login.dir);
	ck_assert_int_eq(secret_write(path, slice_of(lists[_i]), 0600, &err),
			 0);
	login_start();
}
END_TEST

START_TEST(a_session_ends_with_the_token_of_the_start)
{
	char *cookie;

	login_start();
	cookie = start_session();
	unlink(login_file("run/web.token"));
	login_start();
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	free(cookie);
}
END_TEST

/* The list of them used to be too long to be read, and then nothing started. */
START_TEST(no_number_of_logouts_keeps_the_daemon_from_starting)
{
	struct buf gone = BUF_INIT;
	char *cookie = NULL, *first = NULL;
	struct stat st;
	int i;

	login_start();
	for (i = 0; i < 3000; i++) {
		free(cookie);
		cookie = start_session();
		if (first == NULL)
			first = strdup(cookie);
		buf_reset(&gone);
		auth_end_session(login.auth, cookie, true, &gone);
	}
	ck_assert_int_eq(stat(login_file("state/web.revoked"), &st), 0);
	ck_assert_int_lt(st.st_size, 65536);
	login_start();
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(login_ask_with("Cookie", first), AUTH_NOBODY);
	/* A later login is good. */
	login.wall_us += 1000000;
	free(cookie);
	cookie = start_session();
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_KNOWN);
	free(cookie);
	free(first);
	buf_done(&gone);
}
END_TEST

START_TEST(a_clock_that_is_ahead_for_a_while_brings_no_logout_back)
{
	struct buf gone = BUF_INIT;
	char *first, *second;

	login_start();
	first = start_session();
	auth_end_session(login.auth, first, true, &gone);
	/* In that time somebody else logs out, and the daemon starts again. */
	login.wall_us += 400 * INT64_C(86400000000);
	second = start_session();
	auth_end_session(login.auth, second, true, &gone);
	login_start();
	login.wall_us -= 400 * INT64_C(86400000000);
	login_start();
	ck_assert_int_eq(login_ask_with("Cookie", first), AUTH_NOBODY);
	free(first);
	free(second);
	buf_done(&gone);
}
END_TEST

START_TEST(two_daemons_with_one_directory_have_one_key_and_one_list)
{
	struct web_auth *one;
	struct buf gone = BUF_INIT;
	struct err err;
	char *cookie, *other;

	login_start();
	one = login.auth;
	ck_assert_ptr_nonnull(login.auth = auth_new(login.conf, &err));
	cookie = start_session();
	other = start_session();
	auth_end_session(login.auth, cookie, true, &gone);
	buf_reset(&gone);
	auth_end_session(one, other, true, &gone);
	login.mono_us += 1500000;
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(login_ask_with("Cookie", other), AUTH_NOBODY);
	auth_free(login.auth);
	login.auth = one;
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(login_ask_with("Cookie", other), AUTH_NOBODY);
	/* … and after a restart of either. */
	login_start();
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(login_ask_with("Cookie", other), AUTH_NOBODY);
	free(cookie);
	free(other);
	buf_done(&gone);
}
END_TEST

SUITE("web-session")
{
	tcase_add_checked_fixture(suite_case_, login_begin, login_end);
	TEST(a_token_that_is_taken_out_of_the_file_ends_with_its_sessions);
	TEST(a_forged_cookie_is_no_cookie);
	TEST(a_session_outlives_a_restart_but_not_its_time);
	TEST(a_logged_out_session_stays_so_after_a_restart);
	TEST_LOOP(an_empty_or_damaged_list_of_logouts_does_not_stop_the_start,
		  0, 4);
	TEST(a_session_ends_with_the_token_of_the_start);
	TEST(no_number_of_logouts_keeps_the_daemon_from_starting);
	TEST(a_clock_that_is_ahead_for_a_while_brings_no_logout_back);
	TEST(two_daemons_with_one_directory_have_one_key_and_one_list);
}
