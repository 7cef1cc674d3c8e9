/* SPDX-License-Identifier: MIT */
/* Who one is: tokens, codes, passwords, proxies, peers; and their forgeries. */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "web/auth.h"
#include "web/login.h"
#include "web/secret.h"
#include "web/users.h"

START_TEST(without_a_credential_one_is_nobody)
{
	login_start();
	ck_assert_int_eq(login_ask(), AUTH_NOBODY);
	ck_assert_int_eq(login.who.role, WEB_OPEN);
}
END_TEST

START_TEST(the_token_of_the_start_is_for_the_group_only_and_stays)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct stat st;
	struct err err;
	char value[80];

	login_start();
	ck_assert_int_eq(secret_read(login_file("run/web.token"), &first, &err),
			 1);
	ck_assert_int_eq(stat(login_file("run/web.token"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
	first.data[first.len - 1] = '\0';
	snprintf(value, sizeof(value), "Bearer %s", first.data);
	ck_assert_int_eq(login_ask_with("Authorization", value), AUTH_KNOWN);
	ck_assert_int_eq(login.who.role, WEB_OPERATOR);
	ck_assert(!login.who.ambient);
	value[10] ^= 1;
	ck_assert_int_eq(login_ask_with("Authorization", value), AUTH_WRONG);
	/* A restart does not change it. */
	login_start();
	ck_assert_int_eq(
	    secret_read(login_file("run/web.token"), &second, &err), 1);
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

	login_start();
	ck_assert_int_eq(secret_read(login_file("run/web.token"), &token, &err),
			 1);
	token.data[token.len - 1] = '\0';
	secret_code_make(token.data, code);
	snprintf(other, sizeof(other), "%s", code);
	other[0] ^= 1;
	ck_assert(!auth_code(login.auth, other, &login.who));
	ck_assert(auth_code(login.auth, code, &login.who));
	ck_assert_int_eq(login.who.role, WEB_OPERATOR);
	ck_assert(!auth_code(login.auth, code, &login.who));
	secret_code_make(token.data, code);
	login.wall_us += INT64_C(301000000);
	ck_assert(!auth_code(login.auth, code, &login.who));
	/* One that a clock which was ahead has made is not good for longer. */
	login.wall_us += INT64_C(1000000000);
	secret_code_make(token.data, code);
	login.wall_us -= INT64_C(1000000000);
	ck_assert(!auth_code(login.auth, code, &login.who));
	ck_assert(!auth_code(login.auth, "", &login.who));
	ck_assert(!auth_code(login.auth, "..", &login.who));
	buf_done(&token);
}
END_TEST

START_TEST(a_bearer_token_has_the_role_of_its_line)
{
	struct err err;

	login_tokens();
	ck_assert_int_eq(
	    login_load(&err, login_setting("tokens", "tokens"), NULL, NULL), 0);
	ck_assert_int_eq(access(login_file("run/web.token"), F_OK), -1);
	ck_assert_int_eq(login_ask_with("Authorization", "Bearer " LOGIN_TOKEN),
			 AUTH_KNOWN);
	ck_assert_str_eq(login.who.user, "ci");
	ck_assert_int_eq(login.who.role, WEB_OPERATOR);
	ck_assert_int_eq(login_ask_with("Authorization", "Bearer x"),
			 AUTH_WRONG);
	ck_assert_int_eq(login_ask_with("Authorization", "Bearer "),
			 AUTH_WRONG);
	ck_assert_int_eq(login_ask_with("Authorization", "Digest x"),
			 AUTH_WRONG);
}
END_TEST

START_TEST(a_code_that_was_used_is_used_after_a_reload_too)
{
	struct buf token = BUF_INIT;
	char code[SECRET_CODE_SIZE];
	struct err err;

	login_start();
	ck_assert_int_eq(secret_read(login_file("run/web.token"), &token, &err),
			 1);
	token.data[token.len - 1] = '\0';
	secret_code_make(token.data, code);
	ck_assert(auth_code(login.auth, code, &login.who));
	login_start();
	ck_assert(!auth_code(login.auth, code, &login.who));
	buf_done(&token);
}
END_TEST

START_TEST(a_token_or_a_key_that_others_have_put_there_is_refused)
{
	static const char *const names[] = {"run/web.token", "state/web.key"};
	struct err err;
	size_t i;

	for (i = 0; i < 2; i++) {
		login_start();
		/* Others may write to it. */
		ck_assert_int_eq(chmod(login_file(names[i]), 0666), 0);
		ck_assert_int_eq(login_load(&err, NULL, NULL, NULL), -1);
		ck_assert_ptr_nonnull(strstr(err.msg, names[i]));
		/* Nobody else can change it, but its owner is another user;
		 * without root there is none. */
		ck_assert_int_eq(chmod(login_file(names[i]), 0600), 0);
		if (geteuid() == 0) {
			ck_assert_int_eq(
			    chown(login_file(names[i]), 65534, 65534), 0);
			ck_assert_int_eq(login_load(&err, NULL, NULL, NULL),
					 -1);
		}
		/* A link to a text that they know. */
		unlink(login_file(names[i]));
		login_put("known",
			  "0123456789012345678901234567890123456789012\n");
		ck_assert_int_eq(
		    symlink(login_file("known"), login_file(names[i])), 0);
		ck_assert_int_eq(login_load(&err, NULL, NULL, NULL), -1);
		/* One that would never be read to its end. */
		unlink(login_file(names[i]));
		ck_assert_int_eq(mkfifo(login_file(names[i]), 0600), 0);
		ck_assert_int_eq(login_load(&err, NULL, NULL, NULL), -1);
		unlink(login_file(names[i]));
	}
	login_start();
}
END_TEST

/* Of this process only: each test has one. */
static void
become(uid_t uid)
{
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setegid(uid), 0);
	ck_assert_int_eq(seteuid(uid), 0);
}

/* Root's own daemon beside the service, and a user's beside it. */
START_TEST(files_of_another_user_are_an_error_that_names_the_way_out)
{
	struct err err;

	if (geteuid() != 0)
		return;
	login_start();
	ck_assert_int_eq(chown(login_file("state/web.key"), 1, 1), 0);
	ck_assert_int_eq(login_load(&err, NULL, NULL, NULL), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "belongs to user 1"));
	ck_assert_ptr_nonnull(strstr(err.msg, "[web] state_dir"));
	ck_assert_int_eq(chown(login_file("state/web.key"), 65534, 65534), 0);
	ck_assert_int_eq(chmod(login.dir, 0755), 0);
	ck_assert_int_eq(chmod(login_file("state"), 0777), 0);
	become(65534);
	ck_assert_int_eq(login_load(&err, NULL, NULL, NULL), -1);
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.msg, "web.token: Permission denied"));
	ck_assert_ptr_nonnull(strstr(err.msg, "[web] runtime_dir"));
	become(0);
	login_put("users", "");
	become(65534);
	ck_assert_int_eq(
	    login_load(&err, login_setting("users", "users"), NULL, NULL), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "[web] users: cannot read"));
	ck_assert_ptr_nonnull(strstr(err.msg, "chmod 640"));
	become(0);
}
END_TEST

/* Their password is "sesame", and alice is an operator. */
static void
load_alice_and_bob(void)
{
	char text[200];
	struct err err;

	snprintf(text, sizeof(text), "alice:%s\nbob:%s\n", login_sesame,
		 login_sesame);
	login_put("users", text);
	ck_assert_int_eq(login_load(&err, login_setting("users", "users"),
				    "web.operators=alice", NULL),
			 0);
}

/* The user and the password, in Base64. */
static enum auth_answer
ask_basic(const char *credentials)
{
	char text[64];

	snprintf(text, sizeof(text), "Basic %s", credentials);
	return login_ask_with("Authorization", text);
}

START_TEST(a_password_is_checked_and_remembered_and_ends_with_its_hash)
{
	char text[200];
	char *cookie;

	load_alice_and_bob();
	/* alice:sesame */
	ck_assert_int_eq(ask_basic("YWxpY2U6c2VzYW1l"), AUTH_PASSWORD);
	ck_assert(
	    users_check_password(login.password.password, login.password.hash));
	ck_assert(auth_password(login.auth, &login.password, &login.who));
	ck_assert_int_eq(login.who.role, WEB_OPERATOR);
	ck_assert(login.who.ambient);
	ck_assert_int_eq(ask_basic("YWxpY2U6c2VzYW1l"), AUTH_KNOWN);
	cookie = login_session();
	/* bob:sesame, alice:open; nobody:x takes as long */
	ck_assert_int_eq(ask_basic("Ym9iOnNlc2FtZQ=="), AUTH_PASSWORD);
	ck_assert(auth_password(login.auth, &login.password, &login.who));
	ck_assert_int_eq(login.who.role, WEB_VIEWER);
	ck_assert_int_eq(ask_basic("YWxpY2U6b3Blbg=="), AUTH_PASSWORD);
	ck_assert(!users_check_password(login.password.password,
					login.password.hash));
	ck_assert_int_eq(ask_basic("bm9ib2R5Ong="), AUTH_PASSWORD);
	/* It takes as long as a user's. */
	ck_assert_str_eq(login.password.hash, login_sesame);
	ck_assert(!users_check_password(login.password.password,
					login.password.hash));
	ck_assert(!auth_password(login.auth, &login.password, &login.who));
	ck_assert_int_eq(ask_basic("***"), AUTH_WRONG);
	/* A new password. */
	snprintf(text, sizeof(text), "alice:%.20sX%s\n", login_sesame,
		 login_sesame + 21);
	login_put("users", text);
	login.mono_us += 1500000;
	ck_assert_int_eq(login_ask_with("Cookie", cookie), AUTH_NOBODY);
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

	login_put("users", bad_users[_i].text);
	ck_assert_int_eq(
	    login_load(&err, login_setting("users", "users"), NULL, NULL), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, bad_users[_i].why) != NULL, "%s",
		      err.msg);
	ck_assert_ptr_null(strstr(err.msg, "secret"));
}
END_TEST

START_TEST(a_file_that_others_may_read_is_refused)
{
	struct err err;

	login_tokens();
	chmod(login_file("tokens"), 0644);
	ck_assert_int_eq(
	    login_load(&err, login_setting("tokens", "tokens"), NULL, NULL),
	    -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "chmod 640"));
}
END_TEST

START_TEST(the_user_header_counts_from_a_trusted_proxy_only)
{
	struct err err;

	ck_assert_int_eq(login_load(&err, "web.proxies=unix 10.0.0.0/8",
				    "web.user_header=X-Remote-User",
				    "web.operators=alice"),
			 0);
	ck_assert_int_eq(login_ask_with("X-Remote-User", "alice"), AUTH_FORGED);
	login.request.peer = "10.1.2.3";
	ck_assert_int_eq(login_ask_with("X-Remote-User", "alice"), AUTH_KNOWN);
	ck_assert_int_eq(login.who.role, WEB_OPERATOR);
	ck_assert(login.who.ambient);
	ck_assert_int_eq(login_ask_with("x-remote-user", "carol"), AUTH_KNOWN);
	ck_assert_int_eq(login.who.role, WEB_VIEWER);
	ck_assert_int_eq(login_ask_with("X-Remote-User", ""), AUTH_NOBODY);
	ck_assert_int_eq(login_ask_with("X-Remote-User", "a b"), AUTH_WRONG);
	login_header("X-Remote-User", "carol");
	ck_assert_int_eq(login_ask_with("X-Remote-User", "alice"), AUTH_FORGED);
}
END_TEST

START_TEST(a_peer_of_the_unix_socket_is_its_login_unless_it_is_a_proxy)
{
	struct err err;

	ck_assert_int_eq(login_load(&err, "web.peers=root:viewer", NULL, NULL),
			 0);
	login.request.peer = "unix";
	login.request.uid = 0;
	ck_assert_int_eq(login_ask(), AUTH_KNOWN);
	ck_assert_str_eq(login.who.user, "root");
	ck_assert_int_eq(login.who.role, WEB_VIEWER);
	/* What was forwarded is not the peer's own. */
	ck_assert_int_eq(login_ask_with("X-Forwarded-For", "1.1.1.1"),
			 AUTH_NOBODY);
	ck_assert_int_eq(login_ask_with("Via", "x"), AUTH_NOBODY);
	login.request.uid = 65533;
	ck_assert_int_eq(login_ask(), AUTH_NOBODY);
	ck_assert_int_eq(login_load(&err, "web.proxies=unix", NULL, NULL), 0);
	login.request.peer = "unix";
	login.request.uid = 0;
	ck_assert_int_eq(login_ask(), AUTH_NOBODY);
}
END_TEST

static gid_t peer_gid;

static bool
in_group(const void *arg, gid_t gid)
{
	return gid == peer_gid;
}

/* What a peer of this uid and group is, by these lines. */
static enum web_role
role_of_peer(const char *peers, int64_t uid, gid_t gid)
{
	struct err err;

	ck_assert_msg(login_load(&err, peers, NULL, NULL) == 0, "%s", err.msg);
	login.request.peer = "unix";
	login.request.uid = uid;
	login.request.in_group = in_group;
	peer_gid = gid;
	return login_ask() == AUTH_KNOWN ? login.who.role : WEB_OPEN;
}

START_TEST(a_peer_s_own_line_goes_before_its_groups_and_those_before_all)
{
	static const char lines[] =
	    "web.peers=*:submitter @77:viewer @78:operator @77:metrics "
	    "www-data:metrics 65533:viewer";

	/* A uid without a name is its number. */
	ck_assert_int_eq(role_of_peer(lines, 65532, 1), WEB_SUBMITTER);
	ck_assert_str_eq(login.who.user, "65532");
	ck_assert_int_eq(login.who.uid, 65532);
	ck_assert_int_eq(role_of_peer(lines, 65532, 77), WEB_VIEWER);
	ck_assert_int_eq(role_of_peer(lines, 65532, 78), WEB_OPERATOR);
	ck_assert_int_eq(role_of_peer(lines, 33, 78), WEB_METRICS);
	ck_assert_int_eq(role_of_peer(lines, 65533, 78), WEB_VIEWER);
	/* In whatever order the lines are. */
	ck_assert_int_eq(
	    role_of_peer("web.peers=65532:submitter @77:operator *:operator",
			 65532, 77),
	    WEB_SUBMITTER);
	ck_assert_int_eq(
	    role_of_peer("web.peers=@77:viewer *:operator", 65532, 77),
	    WEB_VIEWER);
	ck_assert_int_eq(role_of_peer("web.peers=@77:viewer", 65532, 1),
			 WEB_OPEN);
	/* Nobody is what a group that does not exist has as members. */
	ck_assert_int_eq(
	    role_of_peer("web.peers=@no-such-group:operator", 65532, 0),
	    WEB_OPEN);
	ck_assert_int_eq(role_of_peer("web.peers=unknown:operator", 65532, 0),
			 WEB_OPEN);
	/* All of a namespace that have no number here have this one. */
	ck_assert_int_eq(
	    role_of_peer("web.peers=*:operator @0:operator", 65534, 0),
	    WEB_OPEN);
	ck_assert_int_eq(
	    role_of_peer("web.peers=@65534:operator", 65532, 65534), WEB_OPEN);
}
END_TEST

START_TEST(lines_of_peers_that_say_nothing_are_refused)
{
	static const char *const bad[] = {
	    "web.peers=alice", "web.peers=alice:", "web.peers=:viewer",
	    "web.peers=alice:root", "web.peers=@staff:all"};
	struct err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_ne(login_load(&err, bad[i], NULL, NULL), 0);
		ck_assert_ptr_nonnull(strstr(err.msg, "@GROUP:ROLE"));
	}
}
END_TEST

/* A role that only the kernel's word can give. */
START_TEST(a_token_is_never_a_submitter)
{
	struct err err;

	login_put("tokens", "ci submitter 0123456789abcdef0123456789abcdef"
			    "0123456789abcdef0123456789abcdef\n");
	ck_assert_int_ne(
	    login_load(&err, login_setting("tokens", "tokens"), NULL, NULL), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "\"submitter\""));
}
END_TEST

START_TEST(https_is_what_the_client_sees)
{
	struct err err;

	ck_assert_int_eq(login_load(&err, "web.proxies=10.0.0.1", NULL, NULL),
			 0);
	login_header("X-Forwarded-Proto", "https");
	ck_assert(!auth_is_https(login.auth, &login.request));
	login.request.peer = "10.0.0.1";
	ck_assert(auth_is_https(login.auth, &login.request));
	web_pairs_done(&login.headers);
	ck_assert(!auth_is_https(login.auth, &login.request));
	login.request.tls = true;
	ck_assert(auth_is_https(login.auth, &login.request));
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
	tcase_add_checked_fixture(suite_case_, login_begin, login_end);
	TEST(without_a_credential_one_is_nobody);
	TEST(the_token_of_the_start_is_for_the_group_only_and_stays);
	TEST(a_code_logs_in_once_and_for_five_minutes);
	TEST(a_bearer_token_has_the_role_of_its_line);
	TEST(a_code_that_was_used_is_used_after_a_reload_too);
	TEST(a_token_or_a_key_that_others_have_put_there_is_refused);
	TEST(files_of_another_user_are_an_error_that_names_the_way_out);
	TEST(a_password_is_checked_and_remembered_and_ends_with_its_hash);
	TEST_LOOP(a_users_file_with_weak_hashes_is_refused_with_its_line, 0,
		  sizeof(bad_users) / sizeof(bad_users[0]));
	TEST(a_file_that_others_may_read_is_refused);
	TEST(the_user_header_counts_from_a_trusted_proxy_only);
	TEST(a_peer_of_the_unix_socket_is_its_login_unless_it_is_a_proxy);
	TEST(a_peer_s_own_line_goes_before_its_groups_and_those_before_all);
	TEST(lines_of_peers_that_say_nothing_are_refused);
	TEST(a_token_is_never_a_submitter);
	TEST(https_is_what_the_client_sees);
	TEST(base64url_has_one_text_for_one_value);
}
