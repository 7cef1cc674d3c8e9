/* SPDX-License-Identifier: MIT */
/* Who one is: tokens, passwords, cookies, proxies, peers; and their forgeries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "util/clock.h"
#include "util/conf.h"
#include "web/auth.h"
#include "web/secret.h"
#include "web/session.h"
#include "web/users.h"

/* "sesame", by htpasswd -B -C 4. */
static const char sesame[] =
    "$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW";
#define TOKEN "t0ken-of-ci"

static char dir[128];
static struct conf *conf;
static struct web_auth *auth;
static struct web_pairs headers;
static struct auth_request request;
static struct web_identity who;
static struct auth_password password;
static int64_t wall_us;

static int64_t
test_wall(void)
{
	return wall_us;
}

static int64_t mono_us = 5000000;
static int64_t
test_mono(void)
{
	return mono_us;
}

static const char *
test_header(const void *arg, const char *name)
{
	return web_pairs_get(arg, name);
}

static size_t
test_count(const void *arg, const char *name)
{
	const struct web_pairs *pairs = arg;
	size_t i, n = 0;

	for (i = 0; i < pairs->n; i++)
		n += strcasecmp(pairs->items[i].name, name) == 0;
	return n;
}

static const char *
file(const char *name)
{
	static char path[4][256];
	static unsigned int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[0]), "%s/%s", dir, name);
	return path[turn];
}

static void
put(const char *name, const char *text)
{
	struct err err;

	ck_assert_int_eq(secret_write(file(name), slice_of(text), 0640, &err),
			 0);
}

/* Settings beside the directories; NULL-ended. */
static int
load(struct err *err, const char *a, const char *b, const char *c)
{
	static const struct clock_source clock = {.wall_us = test_wall,
						  .mono_us = test_mono};
	char run[256], state[256];
	const char *settings[] = {run, state, a, b, c, NULL};

	snprintf(run, sizeof(run), "web.runtime_dir=%s/run", dir);
	snprintf(state, sizeof(state), "web.state_dir=%s/state", dir);
	auth_free(auth);
	auth = NULL;
	conf_free(conf);
	conf = NULL;
	ck_assert_msg(conf_load("/dev/null", settings, &conf, err) == 0, "%s",
		      err->msg);
	wall_us = INT64_C(1800000000000000);
	clock_replace(&clock);
	auth = auth_new(conf, err);
	request = (struct auth_request){.peer = "192.0.2.1",
					.uid = -1,
					.header = test_header,
					.count = test_count,
					.arg = &headers};
	return auth != NULL ? 0 : -1;
}

static void
begin(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/auth-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
end(void)
{
	char command[160];

	auth_free(auth);
	auth = NULL;
	conf_free(conf);
	conf = NULL;
	web_pairs_done(&headers);
	clock_replace(NULL);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
header(const char *name, const char *value)
{
	struct err err;

	ck_assert_int_eq(web_pairs_add(&headers, name, value, &err), 0);
}

static enum auth_answer
ask(void)
{
	const enum auth_answer answer =
	    auth_identify(auth, &request, &who, &password);

	web_pairs_done(&headers);
	return answer;
}

static enum auth_answer
ask_with(const char *name, const char *value)
{
	header(name, value);
	return ask();
}

/* The cookie of a session of `who`, without its attributes. */
static char *
begin_session(void)
{
	struct buf cookie = BUF_INIT;
	struct err err;

	ck_assert_msg(auth_begin_session(auth, &who, true, &cookie, &err) == 0,
		      "%s", err.msg);
	ck_assert_ptr_nonnull(strstr(cookie.data, "; HttpOnly"));
	ck_assert_ptr_nonnull(strstr(cookie.data, "; SameSite=Strict"));
	ck_assert_ptr_nonnull(strstr(cookie.data, "; Secure"));
	*strchr(cookie.data, ';') = '\0';
	return cookie.data;
}

static void
make_tokens(void)
{
	char digest[SECRET_HEX_SIZE], text[256];

	secret_digest(TOKEN, digest);
	snprintf(text, sizeof(text), "# tokens\nci operator %s\n", digest);
	put("tokens", text);
}

static const char *
setting(const char *key, const char *name)
{
	static char text[3][300];
	static unsigned int turn;

	turn = (turn + 1) % 3;
	snprintf(text[turn], sizeof(text[0]), "web.%s=%s/%s", key, dir, name);
	return text[turn];
}

START_TEST(without_a_credential_one_is_nobody)
{
	struct err err;

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(ask(), AUTH_NOBODY);
	ck_assert_int_eq(who.role, WEB_OPEN);
}
END_TEST

START_TEST(the_token_of_the_start_is_for_the_group_only_and_stays)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct stat st;
	struct err err;
	char value[80];

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(secret_read(file("run/web.token"), &first, &err), 1);
	ck_assert_int_eq(stat(file("run/web.token"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
	first.data[first.len - 1] = '\0';
	snprintf(value, sizeof(value), "Bearer %s", first.data);
	ck_assert_int_eq(ask_with("Authorization", value), AUTH_KNOWN);
	ck_assert_int_eq(who.role, WEB_OPERATOR);
	ck_assert(!who.ambient);
	value[10] ^= 1;
	ck_assert_int_eq(ask_with("Authorization", value), AUTH_WRONG);
	/* A restart does not change it. */
	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(secret_read(file("run/web.token"), &second, &err), 1);
	ck_assert_int_eq(memcmp(first.data, second.data, first.len - 1), 0);
	buf_done(&first);
	buf_done(&second);
}
END_TEST

START_TEST(a_code_logs_in_once_and_for_five_minutes)
{
	struct buf token = BUF_INIT;
	char code[SECRET_CODE_SIZE], other[SECRET_CODE_SIZE];
	struct err err;

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(secret_read(file("run/web.token"), &token, &err), 1);
	token.data[token.len - 1] = '\0';
	secret_code_make(token.data, code);
	snprintf(other, sizeof(other), "%s", code);
	other[0] ^= 1;
	ck_assert(!auth_code(auth, other, &who));
	ck_assert(auth_code(auth, code, &who));
	ck_assert_int_eq(who.role, WEB_OPERATOR);
	ck_assert(!auth_code(auth, code, &who));
	secret_code_make(token.data, code);
	wall_us += INT64_C(301000000);
	ck_assert(!auth_code(auth, code, &who));
	ck_assert(!auth_code(auth, "", &who));
	ck_assert(!auth_code(auth, "..", &who));
	buf_done(&token);
}
END_TEST

START_TEST(a_bearer_token_has_the_role_of_its_line)
{
	struct err err;

	make_tokens();
	ck_assert_int_eq(load(&err, setting("tokens", "tokens"), NULL, NULL),
			 0);
	ck_assert_int_eq(access(file("run/web.token"), F_OK), -1);
	ck_assert_int_eq(ask_with("Authorization", "Bearer " TOKEN),
			 AUTH_KNOWN);
	ck_assert_str_eq(who.user, "ci");
	ck_assert_int_eq(who.role, WEB_OPERATOR);
	ck_assert_int_eq(ask_with("Authorization", "Bearer x"), AUTH_WRONG);
	ck_assert_int_eq(ask_with("Authorization", "Bearer "), AUTH_WRONG);
	ck_assert_int_eq(ask_with("Authorization", "Digest x"), AUTH_WRONG);
}
END_TEST

START_TEST(a_token_that_is_taken_out_of_the_file_ends_with_its_sessions)
{
	struct err err;
	char *cookie;

	make_tokens();
	ck_assert_int_eq(load(&err, setting("tokens", "tokens"), NULL, NULL),
			 0);
	ck_assert_int_eq(ask_with("Authorization", "Bearer " TOKEN),
			 AUTH_KNOWN);
	cookie = begin_session();
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_KNOWN);
	ck_assert(who.ambient && who.cookie);
	put("tokens", "# none\n");
	mono_us += 1500000;
	ck_assert_int_eq(ask_with("Authorization", "Bearer " TOKEN),
			 AUTH_WRONG);
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
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

	make_tokens();
	ck_assert_int_eq(load(&err, setting("tokens", "tokens"), NULL, NULL),
			 0);
	ck_assert_int_eq(ask_with("Authorization", "Bearer " TOKEN),
			 AUTH_KNOWN);
	cookie = begin_session();
	n = strlen(cookie);
	for (i = strlen(SESSION_COOKIE "="); i < n; i++) {
		copy = strdup(cookie);
		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		ck_assert_msg(ask_with("Cookie", copy) == AUTH_NOBODY,
			      "byte %zu of %s", i, copy);
		free(copy);
	}
	for (i = 0; i < sizeof(made_up) / sizeof(made_up[0]); i++)
		ck_assert_int_eq(ask_with("Cookie", made_up[i]), AUTH_NOBODY);
	/* Of another daemon. */
	unlink(file("state/web.key"));
	ck_assert_int_eq(load(&err, setting("tokens", "tokens"), NULL, NULL),
			 0);
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	free(cookie);
}
END_TEST

START_TEST(a_session_outlives_a_restart_but_not_its_time)
{
	struct err err;
	char *cookie;

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	who = (struct web_identity){.kind = WEB_BY_START, .user = "start"};
	cookie = begin_session();
	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_KNOWN);
	wall_us += INT64_C(43201) * 1000000;
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	free(cookie);
}
END_TEST

START_TEST(a_logged_out_session_stays_so_after_a_restart)
{
	struct buf gone = BUF_INIT;
	struct err err;
	char *cookie, *other;

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	who = (struct web_identity){.kind = WEB_BY_START, .user = "start"};
	cookie = begin_session();
	other = begin_session();
	auth_end_session(auth, cookie, true, &gone);
	ck_assert_ptr_nonnull(strstr(gone.data, "Max-Age=0"));
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(ask_with("Cookie", other), AUTH_KNOWN);
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

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	snprintf(path, sizeof(path), "%s/state/web.revoked", dir);
	ck_assert_int_eq(secret_write(path, slice_of(lists[_i]), 0600, &err),
			 0);
	ck_assert_msg(load(&err, NULL, NULL, NULL) == 0, "%s", err.msg);
}
END_TEST

START_TEST(a_code_that_was_used_is_used_after_a_reload_too)
{
	struct buf token = BUF_INIT;
	char code[SECRET_CODE_SIZE];
	struct err err;

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(secret_read(file("run/web.token"), &token, &err), 1);
	token.data[token.len - 1] = '\0';
	secret_code_make(token.data, code);
	ck_assert(auth_code(auth, code, &who));
	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert(!auth_code(auth, code, &who));
	buf_done(&token);
}
END_TEST

START_TEST(a_session_ends_with_the_token_of_the_start)
{
	struct err err;
	char *cookie;

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	who = (struct web_identity){.kind = WEB_BY_START, .user = "start"};
	cookie = begin_session();
	unlink(file("run/web.token"));
	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	free(cookie);
}
END_TEST

/* The list of them used to be too long to be read, and then nothing started. */
START_TEST(no_number_of_logouts_keeps_the_daemon_from_starting)
{
	struct buf gone = BUF_INIT;
	struct err err;
	char *cookie = NULL, *first = NULL;
	struct stat st;
	int i;

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	for (i = 0; i < 3000; i++) {
		who = (struct web_identity){.kind = WEB_BY_START,
					    .user = "start"};
		free(cookie);
		cookie = begin_session();
		if (first == NULL)
			first = strdup(cookie);
		buf_reset(&gone);
		auth_end_session(auth, cookie, true, &gone);
	}
	ck_assert_int_eq(stat(file("state/web.revoked"), &st), 0);
	ck_assert_int_lt(st.st_size, 65536);
	ck_assert_msg(load(&err, NULL, NULL, NULL) == 0, "%s", err.msg);
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(ask_with("Cookie", first), AUTH_NOBODY);
	/* Who logs in later is in. */
	wall_us += 1000000;
	who = (struct web_identity){.kind = WEB_BY_START, .user = "start"};
	free(cookie);
	cookie = begin_session();
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_KNOWN);
	free(cookie);
	free(first);
	buf_done(&gone);
}
END_TEST

START_TEST(a_clock_that_is_ahead_for_a_while_brings_no_logout_back)
{
	struct buf gone = BUF_INIT;
	char *first, *second;
	struct err err;

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	who = (struct web_identity){.kind = WEB_BY_START, .user = "start"};
	first = begin_session();
	auth_end_session(auth, first, true, &gone);
	/* In that time somebody else logs out, and the daemon starts again. */
	wall_us += 400 * INT64_C(86400000000);
	who = (struct web_identity){.kind = WEB_BY_START, .user = "start"};
	second = begin_session();
	auth_end_session(auth, second, true, &gone);
	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	wall_us -= 400 * INT64_C(86400000000);
	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(ask_with("Cookie", first), AUTH_NOBODY);
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

	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	one = auth;
	ck_assert_ptr_nonnull(auth = auth_new(conf, &err));
	who = (struct web_identity){.kind = WEB_BY_START, .user = "start"};
	cookie = begin_session();
	other = begin_session();
	auth_end_session(auth, cookie, true, &gone);
	buf_reset(&gone);
	auth_end_session(one, other, true, &gone);
	mono_us += 1500000;
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(ask_with("Cookie", other), AUTH_NOBODY);
	auth_free(auth);
	auth = one;
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(ask_with("Cookie", other), AUTH_NOBODY);
	/* … and after a restart of either. */
	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	ck_assert_int_eq(ask_with("Cookie", other), AUTH_NOBODY);
	free(cookie);
	free(other);
	buf_done(&gone);
}
END_TEST

START_TEST(a_token_or_a_key_that_others_have_put_there_is_refused)
{
	static const char *const names[] = {"run/web.token", "state/web.key"};
	struct err err;
	size_t i;

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
		/* Others may write to it. */
		ck_assert_int_eq(chmod(file(names[i]), 0666), 0);
		ck_assert_int_eq(load(&err, NULL, NULL, NULL), -1);
		ck_assert_ptr_nonnull(strstr(err.msg, names[i]));
		/* A link to a text that they know. */
		unlink(file(names[i]));
		put("known", "0123456789012345678901234567890123456789012\n");
		ck_assert_int_eq(symlink(file("known"), file(names[i])), 0);
		ck_assert_int_eq(load(&err, NULL, NULL, NULL), -1);
		/* One that would never be read to its end. */
		unlink(file(names[i]));
		ck_assert_int_eq(mkfifo(file(names[i]), 0600), 0);
		ck_assert_int_eq(load(&err, NULL, NULL, NULL), -1);
		unlink(file(names[i]));
	}
	ck_assert_int_eq(load(&err, NULL, NULL, NULL), 0);
}
END_TEST

START_TEST(a_password_is_checked_and_remembered_and_ends_with_its_hash)
{
	char text[200];
	struct err err;
	char *cookie;

	snprintf(text, sizeof(text), "alice:%s\nbob:%s\n", sesame, sesame);
	put("users", text);
	ck_assert_int_eq(
	    load(&err, setting("users", "users"), "web.operators=alice", NULL),
	    0);
	/* alice:sesame */
	ck_assert_int_eq(ask_with("Authorization", "Basic YWxpY2U6c2VzYW1l"),
			 AUTH_PASSWORD);
	ck_assert(users_check_password(password.password, password.hash));
	ck_assert(auth_password(auth, &password, &who));
	ck_assert_int_eq(who.role, WEB_OPERATOR);
	ck_assert(who.ambient);
	ck_assert_int_eq(ask_with("Authorization", "Basic YWxpY2U6c2VzYW1l"),
			 AUTH_KNOWN);
	cookie = begin_session();
	/* bob:sesame, alice:open; nobody:x takes as long */
	ck_assert_int_eq(ask_with("Authorization", "Basic Ym9iOnNlc2FtZQ=="),
			 AUTH_PASSWORD);
	ck_assert(auth_password(auth, &password, &who));
	ck_assert_int_eq(who.role, WEB_VIEWER);
	ck_assert_int_eq(ask_with("Authorization", "Basic YWxpY2U6b3Blbg=="),
			 AUTH_PASSWORD);
	ck_assert(!users_check_password(password.password, password.hash));
	ck_assert_int_eq(ask_with("Authorization", "Basic bm9ib2R5Ong="),
			 AUTH_PASSWORD);
	/* It takes as long as a user's. */
	ck_assert_str_eq(password.hash, sesame);
	ck_assert(!users_check_password(password.password, password.hash));
	ck_assert(!auth_password(auth, &password, &who));
	ck_assert_int_eq(ask_with("Authorization", "Basic ***"), AUTH_WRONG);
	/* A new password. */
	snprintf(text, sizeof(text), "alice:%.20sX%s\n", sesame, sesame + 21);
	put("users", text);
	mono_us += 1500000;
	ck_assert_int_eq(ask_with("Cookie", cookie), AUTH_NOBODY);
	free(cookie);
}
END_TEST

static const struct {
	const char *text, *why;
} bad_users[] = {
    {"alice:$apr1$x$y\n", "neither bcrypt nor yescrypt"},
    {"alice:{SHA}x\n", "neither bcrypt nor yescrypt"},
    {"alice:secret\n", "neither bcrypt nor yescrypt"},
    {"# fine\n\nalice\n", ":3: not NAME:HASH"},
    {":$2y$05$x\n", "not NAME:HASH"},
};

START_TEST(a_users_file_with_weak_hashes_is_refused_with_its_line)
{
	struct err err;

	put("users", bad_users[_i].text);
	ck_assert_int_eq(load(&err, setting("users", "users"), NULL, NULL), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, bad_users[_i].why) != NULL, "%s",
		      err.msg);
	ck_assert_ptr_null(strstr(err.msg, "secret"));
}
END_TEST

START_TEST(a_file_that_others_may_read_is_refused)
{
	struct err err;

	make_tokens();
	chmod(file("tokens"), 0644);
	ck_assert_int_eq(load(&err, setting("tokens", "tokens"), NULL, NULL),
			 -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "chmod 640"));
}
END_TEST

START_TEST(the_user_header_counts_from_a_trusted_proxy_only)
{
	struct err err;

	ck_assert_int_eq(load(&err, "web.proxies=unix 10.0.0.0/8",
			      "web.user_header=X-Remote-User",
			      "web.operators=alice"),
			 0);
	ck_assert_int_eq(ask_with("X-Remote-User", "alice"), AUTH_FORGED);
	request.peer = "10.1.2.3";
	ck_assert_int_eq(ask_with("X-Remote-User", "alice"), AUTH_KNOWN);
	ck_assert_int_eq(who.role, WEB_OPERATOR);
	ck_assert(who.ambient);
	ck_assert_int_eq(ask_with("x-remote-user", "carol"), AUTH_KNOWN);
	ck_assert_int_eq(who.role, WEB_VIEWER);
	ck_assert_int_eq(ask_with("X-Remote-User", ""), AUTH_NOBODY);
	ck_assert_int_eq(ask_with("X-Remote-User", "a b"), AUTH_WRONG);
	header("X-Remote-User", "carol");
	ck_assert_int_eq(ask_with("X-Remote-User", "alice"), AUTH_FORGED);
}
END_TEST

START_TEST(a_peer_of_the_unix_socket_is_its_login_unless_it_is_a_proxy)
{
	struct err err;

	ck_assert_int_eq(load(&err, "web.peers=root:viewer", NULL, NULL), 0);
	request.peer = "unix";
	request.uid = 0;
	ck_assert_int_eq(ask(), AUTH_KNOWN);
	ck_assert_str_eq(who.user, "root");
	ck_assert_int_eq(who.role, WEB_VIEWER);
	/* What was forwarded is not the peer's own. */
	ck_assert_int_eq(ask_with("X-Forwarded-For", "1.1.1.1"), AUTH_NOBODY);
	ck_assert_int_eq(ask_with("Via", "x"), AUTH_NOBODY);
	request.uid = 65533;
	ck_assert_int_eq(ask(), AUTH_NOBODY);
	ck_assert_int_eq(load(&err, "web.proxies=unix", NULL, NULL), 0);
	request.peer = "unix";
	request.uid = 0;
	ck_assert_int_eq(ask(), AUTH_NOBODY);
}
END_TEST

START_TEST(https_is_what_the_client_sees)
{
	struct err err;

	ck_assert_int_eq(load(&err, "web.proxies=10.0.0.1", NULL, NULL), 0);
	header("X-Forwarded-Proto", "https");
	ck_assert(!auth_is_https(auth, &request));
	request.peer = "10.0.0.1";
	ck_assert(auth_is_https(auth, &request));
	web_pairs_done(&headers);
	ck_assert(!auth_is_https(auth, &request));
	request.tls = true;
	ck_assert(auth_is_https(auth, &request));
}
END_TEST

START_TEST(base64url_has_one_text_for_one_value)
{
	static const char *const bad[] = {"A", "AB=C", "A\n", "AB", "QUJ_x"};
	struct buf out = BUF_INIT, text = BUF_INIT;
	unsigned char bytes[40];
	size_t n, i;

	for (n = 0; n < sizeof(bytes); n++) {
		secret_random(bytes, n);
		secret_encode(bytes, n, &text);
		ck_assert_int_eq(
		    secret_decode((struct slice){text.data, text.len}, &out),
		    0);
		ck_assert_uint_eq(out.len, n);
		ck_assert(n == 0 || memcmp(out.data, bytes, n) == 0);
		buf_reset(&out);
		buf_reset(&text);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(secret_decode(slice_of(bad[i]), &out) != 0, "%s",
			      bad[i]);
		buf_reset(&out);
	}
	buf_done(&out);
	buf_done(&text);
}
END_TEST

SUITE("web-auth")
{
	tcase_add_checked_fixture(suite_case_, begin, end);
	TEST(without_a_credential_one_is_nobody);
	TEST(the_token_of_the_start_is_for_the_group_only_and_stays);
	TEST(a_code_logs_in_once_and_for_five_minutes);
	TEST(a_bearer_token_has_the_role_of_its_line);
	TEST(a_token_that_is_taken_out_of_the_file_ends_with_its_sessions);
	TEST(a_forged_cookie_is_no_cookie);
	TEST(a_session_outlives_a_restart_but_not_its_time);
	TEST(a_logged_out_session_stays_so_after_a_restart);
	TEST_LOOP(an_empty_or_damaged_list_of_logouts_does_not_stop_the_start,
		  0, 4);
	TEST(a_code_that_was_used_is_used_after_a_reload_too);
	TEST(a_session_ends_with_the_token_of_the_start);
	TEST(no_number_of_logouts_keeps_the_daemon_from_starting);
	TEST(a_clock_that_is_ahead_for_a_while_brings_no_logout_back);
	TEST(two_daemons_with_one_directory_have_one_key_and_one_list);
	TEST(a_token_or_a_key_that_others_have_put_there_is_refused);
	TEST(a_password_is_checked_and_remembered_and_ends_with_its_hash);
	TEST_LOOP(a_users_file_with_weak_hashes_is_refused_with_its_line, 0,
		  sizeof(bad_users) / sizeof(bad_users[0]));
	TEST(a_file_that_others_may_read_is_refused);
	TEST(the_user_header_counts_from_a_trusted_proxy_only);
	TEST(a_peer_of_the_unix_socket_is_its_login_unless_it_is_a_proxy);
	TEST(https_is_what_the_client_sees);
	TEST(base64url_has_one_text_for_one_value);
}
