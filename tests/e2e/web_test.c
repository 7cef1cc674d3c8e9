/* SPDX-License-Identifier: MIT */
/* flowrra-web as a whole, by curl: who gets in, what is refused, and what it
 * shows. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/look.h"
#include "e2e/web_scene.h"

START_TEST(nobody_gets_in_without_a_credential)
{
	static const char *const paths[] = {"/api/v1/me",
					    "/api/v1/queues",
					    "/api/v1/tasks?state=failed",
					    "/api/v1/audit",
					    "/api/v1/openapi.json",
					    "/api/v1/events?topics=overview",
					    "/ws"};
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "");
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		ck_assert_msg(site_ask(s, paths[i], "-N") == 401, "%s",
			      paths[i]);
		ck_assert_int_eq(site_ask(s, paths[i],
					  "-H 'Authorization: Bearer x%d'",
					  (int)i),
				 i < 5 ? 401 : 429);
	}
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(each_credential_gets_in_with_its_role)
{
	struct world *w = site_world(_i);
	const char *token = site_make_token(w, "web token ci viewer");
	struct site *s;

	site_make_alice(w);
	s = site_start(w, "-o web.tokens=tokens -o web.users=users "
			  "-o web.operators=alice");
	ck_assert_int_eq(
	    site_ask(s, "/api/v1/me", "-H 'Authorization: Bearer %s'", token),
	    200);
	ck_assert_str_eq(site_cut(s, "\"role\":\""), "viewer");
	ck_assert_int_eq(site_ask(s, "/api/v1/jobs/x",
				  "-X DELETE -H 'Authorization: Bearer %s'",
				  token),
			 403);
	ck_assert_str_eq(site_cut(s, "\"hint\":\""),
			 "it needs the role operator, which [web] tokens "
			 "gives");
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-u alice:sesame"), 200);
	ck_assert_str_eq(site_cut(s, "\"role\":\""), "operator");
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-u alice:open"), 401);
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-u bob:sesame"), 401);
	ck_assert_int_eq(site_ask(s, "/api/v1/session",
				  "-c jar " SITE_JSON SITE_SAME
				  "-d '{\"user\":\"alice\","
				  "\"password\":\"sesame\"}'"),
			 200);
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-b jar"), 200);
	ck_assert_str_eq(site_cut(s, "\"user\":\""), "alice");
	/* Who comes by the Unix socket is known by the uid. */
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "--unix-socket web.sock"),
			 200);
	ck_assert_str_eq(site_cut(s, "\"role\":\""), "operator");
	ck_assert_int_eq(site_ask(s, "/api/v1/me",
				  "--unix-socket web.sock "
				  "-H 'X-Forwarded-For: 1.1.1.1'"),
			 401);
	ck_assert_ptr_nonnull(strstr(s->body, "a role in [web] peers"));
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(another_site_changes_nothing_with_a_browser_that_is_logged_in)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "");
	const char *pause = "/api/v1/queues/io/pause";

	site_log_in(s);
	ck_assert_int_eq(
	    site_ask(s, pause, "-b jar " SITE_JSON SITE_CROSS "-d '{}'"), 403);
	ck_assert_int_eq(site_ask(s, pause,
				  "-b jar " SITE_JSON
				  "-H 'Origin: http://evil.example' -d '{}'"),
			 403);
	ck_assert_int_eq(site_ask(s, pause, "-b jar " SITE_JSON "-d '{}'"),
			 403);
	/* A form cannot send JSON. */
	ck_assert_int_eq(site_ask(s, pause,
				  "-b jar " SITE_SAME
				  "-H 'Content-Type: text/plain' -d '{}'"),
			 415);
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "--json queues io"), "\"paused\":false"));
	ck_assert_int_eq(
	    site_ask(s, pause, "-b jar " SITE_JSON SITE_SAME "-d '{}'"), 200);
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "--json queues io"), "\"paused\":true"));
	/* It is on record. */
	ck_assert_int_eq(site_ask(s, "/api/v1/audit", "-b jar"), 200);
	ck_assert_ptr_nonnull(strstr(s->body, "\"target\":\"io\""));
	/* And nobody shares what is answered. */
	ck_assert_ptr_null(strstr(s->head, "Access-Control-Allow-Origin"));
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(a_session_outlives_a_kill_but_not_its_logout)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "");

	site_log_in(s);
	site_kill(s);
	site_again(s);
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-b jar"), 200);
	ck_assert_int_eq(
	    site_ask(s, "/api/v1/session", "-b jar " SITE_SAME "-X DELETE"),
	    204);
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-b jar"), 401);
	site_kill(s);
	site_again(s);
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-b jar"), 401);
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(a_submission_with_a_key_is_made_once_although_the_daemon_is_killed)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "");
	const char *const post =
	    SITE_JSON "-H 'Idempotency-Key: order-17' "
		      "-d '{\"name\":\"echo\",\"args\":[17]}'";
	const char *id;

	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks", "%s", post), 201);
	id = site_cut(s, "\"task_id\":\"");
	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks", "%s", post), 201);
	ck_assert_str_eq(site_cut(s, "\"task_id\":\""), id);
	ck_assert_ptr_nonnull(strstr(s->head, "Idempotency-Replayed: true"));
	/* The same key for another request is a mistake. */
	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks",
				     SITE_JSON "-H 'Idempotency-Key: order-17' "
					       "-d '{\"name\":\"echo\"}'"),
			 422);
	site_kill(s);
	site_again(s);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks", "%s", post), 201);
	ck_assert_str_eq(site_cut(s, "\"task_id\":\""), id);
	ctl_ok(w, "wait %s", id);
	WAIT_UNTIL(strstr(ctl_ok(w, "--json stats"), "\"succeeded\":1,") !=
		   NULL);
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(hosts_paths_and_methods_that_are_not_ours_are_refused)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "-o web.prefix=/flowrra "
				       "-o web.hosts=tasks.example.com");

	ck_assert_int_eq(
	    site_ask_in(s, "/api/v1/me", "-H 'Host: evil.example'"), 421);
	ck_assert_ptr_nonnull(strstr(s->body, "[web] hosts"));
	ck_assert_int_eq(
	    site_ask_in(s, "/api/v1/me", "-H 'Host: tasks.example.com'"), 200);
	/* A proxy may take the prefix off, or not. */
	ck_assert_int_eq(site_ask_in(s, "/flowrra/api/v1/me", "-k"), 200);
	ck_assert_int_eq(site_ask_in(s, "/flowrrax/api/v1/me", "-k"), 404);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/nothing", "-k"), 404);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/me", "-X DELETE"), 405);
	ck_assert_ptr_nonnull(strstr(s->head, "Allow: GET, HEAD"));
	ck_assert_int_eq(site_ask_in(s, "/api/v1/me?x=1", "-k"), 400);
	ck_assert_str_eq(site_cut(s, "\"field\":\""), "x");
	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks", SITE_JSON "-d '{'"),
			 400);
	/* 70 KiB where 64 may be. */
	run(w, "head -c 70000 /dev/zero >big");
	ck_assert_int_eq(site_ask_in(s, "/api/v1/queues/io/pause",
				     SITE_JSON "--data-binary @big"),
			 413);
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(pages_and_files_are_packed_cached_and_locked_down)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "-o web.prefix=/flowrra "
				       "-o 'web.label=a<b>'");
	char *file, *etag;

	ck_assert_int_eq(site_ask(s, "/flowrra/tasks/some-id", "-k"), 200);
	ck_assert_ptr_nonnull(strstr(s->body, "<base href=\"/flowrra/\">"));
	ck_assert_ptr_nonnull(strstr(s->body, "data-label=\"a&lt;b&gt;\""));
	ck_assert_ptr_nonnull(strstr(s->body, "data-version=\"\""));
	ck_assert_ptr_null(strstr(s->body, "{{"));
	ck_assert_ptr_nonnull(strstr(s->head, "default-src 'none'"));
	ck_assert_ptr_nonnull(
	    strstr(s->head, "require-trusted-types-for 'script'"));
	ck_assert_ptr_nonnull(strstr(s->head, "nosniff"));
	etag = strstr(s->head, "ETag: ") + strlen("ETag: ");
	etag = world_text(w, "%.*s", (int)strcspn(etag, "\r"), etag);
	ck_assert_int_eq(site_ask(s, "/flowrra/tasks/some-id",
				  "-H 'If-None-Match: %s'", etag),
			 304);
	file = site_cut(s = (site_ask(s, "/flowrra/", "-k"), s), "src=\"");
	ck_assert_int_eq(site_ask(s, world_text(w, "/flowrra/%s", file),
				  "-H 'Accept-Encoding: gzip'"),
			 200);
	ck_assert_ptr_nonnull(strstr(s->head, "Content-Encoding: gzip"));
	ck_assert_ptr_nonnull(strstr(s->head, "immutable"));
	ck_assert_int_eq(site_ask(s, world_text(w, "/flowrra/%s", file), "-k"),
			 200);
	ck_assert_ptr_null(strstr(s->head, "Content-Encoding"));
	/* Another version's, and names that are not files. */
	ck_assert_int_eq(site_ask(s, "/static/0123456789abcdef/app.js", "-k"),
			 404);
	ck_assert_int_eq(
	    site_ask(s, "/static/../../etc/passwd", "--path-as-is"), 400);
	ck_assert_int_eq(site_ask(s, "/static/%2e%2e/x", "--path-as-is"), 400);
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(a_registered_task_tells_its_workers_and_figures)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "");

	ctl_ok(w, "submit add 1 2 --wait");
	WAIT_UNTIL(site_ask_in(s, "/api/v1/registry/add", "-g") == 200 &&
		   strstr(s->body, "\"workers\":1") != NULL);
	/* They are sent once a second. */
	WAIT_UNTIL(site_ask_in(s, "/api/v1/registry/add", "-g") == 200 &&
		   strstr(s->body, "\"figures\":{\"succeeded\":1,") != NULL);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/registry", "-g"), 200);
	ck_assert_ptr_nonnull(strstr(s->body, "\"workers\":1"));
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(failed_logins_and_hasty_changes_are_limited)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "");
	int i;

	for (i = 0; i < 5; i++)
		ck_assert_int_eq(site_ask(s, "/api/v1/session",
					  SITE_JSON "-d '{\"token\":\"x\"}'"),
				 401);
	ck_assert_int_eq(site_ask(s, "/api/v1/session",
				  SITE_JSON "-d '{\"token\":\"%s\"}'",
				  s->token),
			 429);
	ck_assert_ptr_nonnull(strstr(s->head, "Retry-After: "));
	/* One who is known goes on. 60 changes at once are too many. */
	ck_assert_int_eq(site_ask_in(s, "/api/v1/me", "-k"), 200);
	run(w,
	    "for i in $(seq 60); do printf 'url = "
	    "\"http://127.0.0.1:%d/api/v1/jobs/x\"\\n"
	    "request = DELETE\\noutput = /dev/null\\n"
	    "write-out = \"%%%%{http_code} \"\\n"
	    "header = \"Authorization: Bearer %s\"\\nnext\\n'; done >many; "
	    "curl -s -K many >codes",
	    s->port, s->token);
	ck_assert_ptr_nonnull(strstr(world_read(w, "codes"), "404 404"));
	ck_assert_ptr_nonnull(strstr(world_read(w, "codes"), "429"));
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(a_password_that_is_remembered_answers_no_guesses)
{
	struct world *w = site_world(_i);
	struct site *s;
	int i;

	site_make_alice(w);
	s = site_start(w, "-o web.users=users -o web.proxies=unix");
	/* alice is at work, at one address; another one guesses. */
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-u alice:sesame"), 200);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(site_ask(s, "/api/v1/me",
					  "--unix-socket web.sock "
					  "-H 'X-Forwarded-For: 203.0.113.7' "
					  "-u alice:guess%d",
					  i),
				 401);
	ck_assert_int_eq(site_ask(s, "/api/v1/me",
				  "--unix-socket web.sock "
				  "-H 'X-Forwarded-For: 203.0.113.7' "
				  "-u alice:sesame"),
			 429);
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-u alice:sesame"), 200);
	site_stop(s);
	world_stop(w);
}
END_TEST

/* Who else may connect to the socket is not believed. */
START_TEST(one_system_user_of_the_unix_socket_is_trusted_as_a_proxy)
{
	struct world *w = site_world(_i);
	const char *me = world_text(w, "%d", (int)getuid());
	struct site *s;

	s = site_start(w, world_text(w,
				     "-o web.proxies=unix:%s "
				     "-o web.user_header=X-Remote-User "
				     "-o web.operators=alice",
				     me));
	ck_assert_int_eq(site_ask(s, "/api/v1/me",
				  "--unix-socket web.sock "
				  "-H 'X-Remote-User: alice'"),
			 200);
	ck_assert_str_eq(site_cut(s, "\"role\":\""), "operator");
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "--unix-socket web.sock"),
			 401);
	site_stop(s);
	s = site_start(w, world_text(w,
				     "-o web.proxies=unix:%d "
				     "-o web.user_header=X-Remote-User "
				     "-o web.operators=alice",
				     (int)getuid() + 4711));
	ck_assert_int_eq(site_ask(s, "/api/v1/me",
				  "--unix-socket web.sock "
				  "-H 'X-Remote-User: alice'"),
			 403);
	/* They are who they are. */
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "--unix-socket web.sock"),
			 200);
	site_stop(s);
	world_stop(w);
}
END_TEST

SUITE("web")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(nobody_gets_in_without_a_credential, 0, 2);
	TEST_LOOP(each_credential_gets_in_with_its_role, 0, 2);
	TEST_LOOP(another_site_changes_nothing_with_a_browser_that_is_logged_in,
		  0, 2);
	TEST_LOOP(a_session_outlives_a_kill_but_not_its_logout, 0, 2);
	TEST_LOOP(
	    a_submission_with_a_key_is_made_once_although_the_daemon_is_killed,
	    0, 2);
	TEST(hosts_paths_and_methods_that_are_not_ours_are_refused);
	TEST(pages_and_files_are_packed_cached_and_locked_down);
	TEST_LOOP(a_registered_task_tells_its_workers_and_figures, 0, 2);
	TEST(failed_logins_and_hasty_changes_are_limited);
	TEST_LOOP(a_password_that_is_remembered_answers_no_guesses, 0, 2);
	TEST_LOOP(one_system_user_of_the_unix_socket_is_trusted_as_a_proxy, 0,
		  2);
}
