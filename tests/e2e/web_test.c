/* SPDX-License-Identifier: MIT */
/* flowrra-web as a whole, by curl: who gets in, what is refused, and what faults
 * do to it. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/look.h"
#include "e2e/web_scene.h"

#define JSON "-H 'Content-Type: application/json' "
#define SAME "-H 'Sec-Fetch-Site: same-origin' "
#define CROSS "-H 'Sec-Fetch-Site: cross-site' "

/* With each store. */
static struct world *
begin(bool embedded)
{
	const struct world_options o = {.embedded = embedded,
					.config =
					    "[broker]\nsocket_timeout = 2\n"
					    "[backend]\nsocket_timeout = 2\n"};

	return world_start(&o);
}

/* Logs in by `flowrractl web`, and has curl keep the cookie in the file "jar". */
static void
log_in(struct site *s)
{
	const char *url = ctl_ok(s->w,
				 "web -o web.runtime_dir=%s/run "
				 "-o web.listen=127.0.0.1:%d",
				 world_dir(s->w), s->port);
	const char *code = strstr(url, "#code=");

	ck_assert_msg(code != NULL, "%s", url);
	code += strlen("#code=");
	ck_assert_int_eq(site_ask(s, "/api/v1/session",
				  "-c jar " JSON SAME "-d '{\"code\":\"%s\"}'",
				  code),
			 200);
	ck_assert_ptr_nonnull(strstr(s->head, "HttpOnly; SameSite=Strict"));
	/* It is good once. */
	ck_assert_int_eq(site_ask(s, "/api/v1/session",
				  JSON SAME "-d '{\"code\":\"%s\"}'", code),
			 401);
}

START_TEST(nobody_gets_in_without_a_credential)
{
	static const char *const paths[] = {"/api/v1/me",
					    "/api/v1/queues",
					    "/api/v1/tasks?state=failed",
					    "/api/v1/audit",
					    "/api/v1/openapi.json",
					    "/api/v1/events?topics=overview",
					    "/ws"};
	struct world *w = begin(_i);
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
	struct world *w = begin(_i);
	char *line = ctl_ok(w, "web token ci viewer 2>token");
	char *token = strstr(world_read(w, "token"), "again: ");
	struct site *s;

	world_write(w, "tokens", line, strlen(line));
	/* alice:sesame */
	line = world_text(w, "alice:%s\n",
			  "$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/"
			  "TgnMHhkvl85RW");
	world_write(w, "users", line, strlen(line));
	run(w, "chmod 600 tokens users");
	s = site_start(w, "-o web.tokens=tokens -o web.users=users "
			  "-o web.operators=alice");
	ck_assert_ptr_nonnull(token);
	token = world_text(w, "%.*s", (int)strcspn(token + 7, "\n"), token + 7);
	ck_assert_int_eq(
	    site_ask(s, "/api/v1/me", "-H 'Authorization: Bearer %s'", token),
	    200);
	ck_assert_str_eq(site_cut(s, "\"role\":\""), "viewer");
	ck_assert_int_eq(site_ask(s, "/api/v1/jobs/x",
				  "-X DELETE -H 'Authorization: Bearer %s'",
				  token),
			 403);
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-u alice:sesame"), 200);
	ck_assert_str_eq(site_cut(s, "\"role\":\""), "operator");
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-u alice:open"), 401);
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-u bob:sesame"), 401);
	ck_assert_int_eq(site_ask(s, "/api/v1/session",
				  "-c jar " JSON SAME "-d '{\"user\":\"alice\","
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
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(another_site_changes_nothing_with_a_browser_that_is_logged_in)
{
	struct world *w = begin(_i);
	struct site *s = site_start(w, "");
	const char *pause = "/api/v1/queues/io/pause";

	log_in(s);
	ck_assert_int_eq(site_ask(s, pause, "-b jar " JSON CROSS "-d '{}'"),
			 403);
	ck_assert_int_eq(site_ask(s, pause,
				  "-b jar " JSON
				  "-H 'Origin: http://evil.example' -d '{}'"),
			 403);
	ck_assert_int_eq(site_ask(s, pause, "-b jar " JSON "-d '{}'"), 403);
	/* A form cannot send JSON. */
	ck_assert_int_eq(site_ask(s, pause,
				  "-b jar " SAME
				  "-H 'Content-Type: text/plain' -d '{}'"),
			 415);
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "--json queues io"), "\"paused\":false"));
	ck_assert_int_eq(site_ask(s, pause, "-b jar " JSON SAME "-d '{}'"),
			 200);
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
	struct world *w = begin(_i);
	struct site *s = site_start(w, "");

	log_in(s);
	site_kill(s);
	site_again(s);
	ck_assert_int_eq(site_ask(s, "/api/v1/me", "-b jar"), 200);
	ck_assert_int_eq(
	    site_ask(s, "/api/v1/session", "-b jar " SAME "-X DELETE"), 204);
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
	struct world *w = begin(_i);
	struct site *s = site_start(w, "");
	const char *const post = JSON "-H 'Idempotency-Key: order-17' "
				      "-d '{\"name\":\"echo\",\"args\":[17]}'";
	const char *id;

	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks", "%s", post), 201);
	id = site_cut(s, "\"task_id\":\"");
	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks", "%s", post), 201);
	ck_assert_str_eq(site_cut(s, "\"task_id\":\""), id);
	ck_assert_ptr_nonnull(strstr(s->head, "Idempotency-Replayed: true"));
	/* The same key for another request is a mistake. */
	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks",
				     JSON "-H 'Idempotency-Key: order-17' "
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
	struct world *w = begin(_i);
	struct site *s = site_start(w, "-o web.prefix=/flowrra "
				       "-o web.hosts=tasks.example.com");

	ck_assert_int_eq(
	    site_ask_in(s, "/api/v1/me", "-H 'Host: evil.example'"), 421);
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
	ck_assert_int_eq(site_ask_in(s, "/api/v1/tasks", JSON "-d '{'"), 400);
	/* 70 KiB where 64 may be. */
	run(w, "head -c 70000 /dev/zero >big");
	ck_assert_int_eq(site_ask_in(s, "/api/v1/queues/io/pause",
				     JSON "--data-binary @big"),
			 413);
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(pages_and_files_are_packed_cached_and_locked_down)
{
	struct world *w = begin(_i);
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
	/* Another version's, and what is no file. */
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
	struct world *w = begin(_i);
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
	struct world *w = begin(_i);
	struct site *s = site_start(w, "");
	int i;

	for (i = 0; i < 5; i++)
		ck_assert_int_eq(site_ask(s, "/api/v1/session",
					  JSON "-d '{\"token\":\"x\"}'"),
				 401);
	ck_assert_int_eq(site_ask(s, "/api/v1/session",
				  JSON "-d '{\"token\":\"%s\"}'", s->token),
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
	struct world *w = begin(_i);
	const char *line = "alice:$2b$04$abcdefghijklmnopqrstuuinwY/"
			   "tkBVrn3xrxQI/TgnMHhkvl85RW\n";
	struct site *s;
	int i;

	world_write(w, "users", line, strlen(line));
	run(w, "chmod 600 users");
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

START_TEST(what_is_unsafe_is_refused_at_the_start)
{
	static const struct {
		const char *settings, *why;
	} bad[] = {
	    {"-o web.listen=0.0.0.0:7480", "set tls_cert and tls_key"},
	    {"-o web.listen=[::]:7480", "set tls_cert and tls_key"},
	    {"-o web.listen=example:7480", "is not ADDRESS:PORT"},
	    {"-o web.prefix=flowrra", "is not a path"},
	    {"-o web.user_header=X-Remote-User", "name the proxies"},
	    {"-o web.proxies=proxy", "is neither an address"},
	    {"-o web.proxies=unix:no-such-user", "there is no system user"},
	    /* That proxy encrypts nothing on the network. */
	    {"-o web.listen=0.0.0.0:7480 -o web.proxies=unix",
	     "set tls_cert and tls_key"},
	    {"-o web.tls_cert=x", "set both, or none"},
	    {"-o web.tokens=missing", "cannot read missing"},
	};
	struct world *w = begin(_i);
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_complains(run(w,
				 "exec flowrra-web --config flowrra.conf "
				 "-o web.runtime_dir=%s/run "
				 "-o web.state_dir=%s/state "
				 "-o web.listen=127.0.0.1:0 %s",
				 world_dir(w), world_dir(w), bad[i].settings),
			     78, bad[i].why);
	world_stop(w);
}
END_TEST

/* --- live -------------------------------------------------------------------- */

START_TEST(a_stream_begins_with_all_and_goes_on_with_what_changes)
{
	struct world *w = begin(_i);
	struct site *s = site_start(w, "");
	const char *id = submit(w, "sleep 4");

	run_start(w,
		  "exec curl -sN -H 'Authorization: Bearer %s' "
		  "'http://127.0.0.1:%d/api/v1/events?topics="
		  "queues,running,task:%s' >events",
		  s->token, s->port, id);
	WAIT_UNTIL(strstr(world_read(w, "events"), "event: queues") != NULL);
	WAIT_UNTIL(strstr(world_read(w, "events"), "\"snapshot\":true") !=
		   NULL);
	WAIT_UNTIL(strstr(world_read(w, "events"),
			  world_text(w, "event: task:%s", id)) != NULL);
	/* It ends: its record says so, and it is no row of running any more. */
	WAIT_UNTIL(strstr(world_read(w, "events"), "\"status\":\"success\"") !=
		   NULL);
	WAIT_UNTIL(strstr(world_read(w, "events"),
			  world_text(w, "\"removed\":[\"%s\"]", id)) != NULL);
	ck_assert_int_eq(site_ask_in(s, "/api/v1/events?topics=nothing", "-k"),
			 400);
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(the_feed_tells_of_tasks_as_they_end)
{
	struct world *w = begin(_i);
	struct site *s = site_start(w, "");
	const char *id;
	int i;

	run_start(w,
		  "exec curl -sN -H 'Authorization: Bearer %s' "
		  "'http://127.0.0.1:%d/api/v1/events?topics=feed' >events",
		  s->token, s->port);
	/* Workers hear of a listener some time after it has begun. */
	for (i = 0; strstr(world_read(w, "events"), "task.update") == NULL;
	     i++) {
		ck_assert_int_lt(i, 400);
		id = submit(w, "echo %d", i);
		ctl_ok(w, "wait %s", id);
	}
	id = submit(w, "echo last");
	WAIT_UNTIL(strstr(world_read(w, "events"), id) != NULL);
	site_stop(s);
	world_stop(w);
}
END_TEST

#define STREAMS 500
/* A sanitizer's own memory is not counted against it. */
#define RESIDENT_KIB (SANITIZED ? 4 << 20 : 100 << 10)

/* Reads what is there; true: it has seen `wanted` by now. */
static bool
stream_has(int fd, const char *wanted)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[16384];
	ssize_t n;

	while (poll(&p, 1, 0) == 1) {
		if ((n = recv(fd, text, sizeof(text) - 1, 0)) <= 0)
			ck_abort_msg("a stream has ended");
		text[n] = '\0';
		if (strstr(text, wanted) != NULL)
			return true;
	}
	return false;
}

static long
resident_kib(struct world *w, pid_t pid)
{
	char *text =
	    run(w, "awk '/VmRSS/ { print $2 }' /proc/%d/status", (int)pid)->out;

	return atol(text); /* NOLINT: the kernel's own number */
}

START_TEST(five_hundred_streams_are_told_of_a_change)
{
	struct world *w = begin(_i);
	struct site *s = site_start(w, "-o web.max_streams=600 "
				       "-o web.max_per_peer=600 "
				       "-o web.max_connections=700");
	const char *const request =
	    world_text(w,
		       "GET /api/v1/events?topics=queues HTTP/1.1\r\n"
		       "Host: localhost\r\nAuthorization: Bearer %s\r\n\r\n",
		       s->token);
	int fds[STREAMS], i, left = STREAMS;
	bool told[STREAMS] = {false};
	const int64_t deadline = now_ms() + PATIENCE_MS;

	for (i = 0; i < STREAMS; i++) {
		ck_assert_int_ge(fds[i] = site_connect(s), 0);
		ck_assert_int_eq(send(fds[i], request, strlen(request), 0),
				 (ssize_t)strlen(request));
	}
	for (i = 0; i < STREAMS; i++)
		WAIT_UNTIL(stream_has(fds[i], "\"snapshot\":true"));
	ck_assert_int_eq(site_ask(s, "/healthz", "-k"), 200);
	ctl_ok(w, "queue pause io");
	while (left > 0) {
		ck_assert_int_lt(now_ms(), deadline);
		for (i = 0; i < STREAMS; i++)
			if (!told[i] && stream_has(fds[i], "\"paused\":true")) {
				told[i] = true;
				left--;
			}
	}
	ck_assert_int_lt(resident_kib(w, s->daemon->pid), RESIDENT_KIB);
	for (i = 0; i < STREAMS; i++)
		close(fds[i]);
	site_stop(s);
	world_stop(w);
}
END_TEST

/* --- faults -------------------------------------------------------------------- */

START_TEST(with_a_frozen_store_the_daemon_answers_and_says_so)
{
	struct world *w = begin(false);
	struct site *s = site_start(w, "-o web.timeout=3");
	int64_t began;
	int status;

	WAIT_UNTIL(site_ask(s, "/readyz", "-k") == 200);
	ck_assert_str_eq(s->body, "");
	run_start(w,
		  "exec curl -sN -H 'Authorization: Bearer %s' "
		  "'http://127.0.0.1:%d/api/v1/events?topics=queues' >events",
		  s->token, s->port);
	WAIT_UNTIL(strstr(world_read(w, "events"), "snapshot") != NULL);
	redis_server_pause(world_redis(w));
	began = now_ms();
	status = site_ask_in(s, "/api/v1/queues", "-k");
	ck_assert_msg(status == 503 || status == 504, "%d: %.300s", status,
		      s->body);
	ck_assert_int_lt(now_ms() - began, 5000);
	began = now_ms();
	ck_assert_int_eq(site_ask(s, "/healthz", "-k"), 200);
	ck_assert_int_eq(site_ask(s, "/", "-k"), 200);
	ck_assert_int_lt(now_ms() - began, 1500);
	WAIT_UNTIL(strstr(world_read(w, "events"), "event: stale") != NULL);
	WAIT_UNTIL(site_ask(s, "/readyz", "-k") == 503);
	redis_server_continue(world_redis(w));
	WAIT_UNTIL(site_ask(s, "/readyz", "-k") == 200);
	WAIT_UNTIL(strstr(world_read(w, "events"), "event: live") != NULL);
	WAIT_UNTIL(site_ask_in(s, "/api/v1/queues", "-k") == 200);
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(a_reload_takes_new_users_and_keeps_what_is_wrong_out)
{
	struct world *w = begin(_i);
	struct site *s = site_start(w, "");

	world_configure(w, "demo", "[web]\nread_only = yes\n");
	ck_assert_int_eq(kill(s->daemon->pid, SIGHUP), 0);
	WAIT_UNTIL(site_ask_in(s, "/api/v1/queues/io/pause", JSON "-d '{}'") ==
		   403);
	world_configure(w, "demo", "[web]\nproxies = nobody\n");
	ck_assert_int_eq(kill(s->daemon->pid, SIGHUP), 0);
	WAIT_UNTIL(strstr(world_read(w, s->daemon->files[1]),
			  "reload failed") != NULL);
	ck_assert_int_eq(
	    site_ask_in(s, "/api/v1/queues/io/pause", JSON "-d '{}'"), 403);
	site_stop(s);
	world_stop(w);
}
END_TEST

/* A disk that was full leaves such a file. */
START_TEST(an_empty_token_file_is_named_and_not_used)
{
	struct world *w = begin(1);
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/web.token", world_dir(w));
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fclose(f);
	ck_complains(ctl(w, "web -o web.runtime_dir=%s", world_dir(w)), 78,
		     "web.token: not a token");
	world_stop(w);
}
END_TEST

/* Of what is open when a user logs out. */
START_TEST(a_stream_ends_with_the_login)
{
	struct world *w = begin(_i);
	struct site *s = site_start(w, "");
	struct run *stream, *other;

	log_in(s);
	stream = run_start(w,
			   "exec curl -sN -b jar 'http://127.0.0.1:%d/api/v1/"
			   "events?topics=queues' >events",
			   s->port);
	/* One that has logged in otherwise goes on. */
	other = run_start(w,
			  "exec curl -sN -H 'Authorization: Bearer %s' "
			  "'http://127.0.0.1:%d/api/v1/events?topics=queues' "
			  ">others",
			  s->token, s->port);
	WAIT_UNTIL(strstr(world_read(w, "events"), "event: queues") != NULL);
	WAIT_UNTIL(strstr(world_read(w, "others"), "event: queues") != NULL);
	ck_assert_int_eq(
	    site_ask(s, "/api/v1/session", "-X DELETE -b jar " SAME), 204);
	ck_assert_int_eq(run_end(w, stream)->status, 0);
	ck_assert_int_eq(kill(other->pid, 0), 0);
	site_stop(s);
	world_stop(w);
}
END_TEST

/* Who else may connect to the socket is not believed. */
START_TEST(one_system_user_of_the_unix_socket_is_trusted_as_a_proxy)
{
	struct world *w = begin(_i);
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

/* A connection that has sent a head and waits to be told to go on. */
static int
begin_long_body(const struct site *s, const char *credential)
{
	const int fd = site_connect(s);
	char head[512];
	int n;

	n = snprintf(head, sizeof(head),
		     "POST /api/v1/tasks/batch HTTP/1.1\r\nHost: localhost\r\n"
		     "Authorization: %s\r\nContent-Type: application/json\r\n"
		     "Expect: 100-continue\r\nContent-Length: 16000000\r\n\r\n",
		     credential);
	ck_assert_int_eq(write(fd, head, (size_t)n), n);
	return fd;
}

/* "Basic eDp5" is x:y. */
START_TEST(nobody_fills_the_memory_with_bodies_without_a_password)
{
	struct world *w = begin(false);
	const char *line = "alice:$2b$04$abcdefghijklmnopqrstuuinwY/"
			   "tkBVrn3xrxQI/TgnMHhkvl85RW\n";
	char reply[64];
	struct site *s;
	int fds[3], i;
	ssize_t n;

	world_write(w, "users", line, strlen(line));
	run(w, "chmod 600 users");
	s = site_start(w, "-o web.users=users");
	for (i = 0; i < 3; i++) {
		fds[i] = begin_long_body(s, "Basic eDp5");
		n = read(fds[i], reply, sizeof(reply) - 1);
		ck_assert_int_gt(n, 12);
		reply[n] = '\0';
		ck_assert_msg(strncmp(reply + 9, i < 2 ? "100" : "503", 3) == 0,
			      "%d: %s", i, reply);
	}
	/* Those that are gone make room. */
	for (i = 0; i < 3; i++)
		close(fds[i]);
	WAIT_UNTIL(site_ask(s, "/api/v1/me", "-u alice:sesame") == 200);
	fds[0] = begin_long_body(s, "Basic eDp5");
	n = read(fds[0], reply, sizeof(reply) - 1);
	ck_assert_int_gt(n, 12);
	ck_assert_int_eq(strncmp(reply + 9, "100", 3), 0);
	close(fds[0]);
	site_stop(s);
	world_stop(w);
}
END_TEST

/* A viewer who looks already, and one who comes later. */
START_TEST(a_reload_hides_more_from_viewers_at_once)
{
	struct world *w = begin(_i);
	char *line = ctl_ok(w, "web token eve viewer 2>token");
	char *token = strstr(world_read(w, "token"), "again: ");
	const char *id = "t1";
	struct site *s;

	world_write(w, "tokens", line, strlen(line));
	run(w, "chmod 600 tokens");
	s = site_start(w, "-o web.tokens=tokens -o web.peers=root:operator");
	token = world_text(w, "%.*s", (int)strcspn(token + 7, "\n"), token + 7);
	ck_assert_int_eq(site_ask(s, "/api/v1/tasks",
				  "--unix-socket web.sock " JSON
				  "-d '{\"id\":\"%s\",\"name\":\"x\",\"queue\":"
				  "\"none\",\"force\":true,\"kwargs\":"
				  "{\"colour\":\"sesame\"}}'",
				  id),
			 201);
	run_start(w,
		  "exec curl -sN -H 'Authorization: Bearer %s' "
		  "'http://127.0.0.1:%d/api/v1/events?topics=task:%s' >events",
		  token, s->port, id);
	WAIT_UNTIL(strstr(world_read(w, "events"), "sesame") != NULL);
	world_configure(w, "demo", "[web]\nhide = colour\n");
	ck_assert_int_eq(kill(s->daemon->pid, SIGHUP), 0);
	WAIT_UNTIL(strstr(world_read(w, "events"), "\"colour\":\"•••\"") !=
		   NULL);
	ck_assert_int_eq(site_ask(s, "/api/v1/tasks/t1",
				  "-H 'Authorization: Bearer %s'", token),
			 200);
	ck_assert_ptr_null(strstr(s->body, "sesame"));
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
	TEST_LOOP(a_stream_ends_with_the_login, 0, 2);
	TEST_LOOP(one_system_user_of_the_unix_socket_is_trusted_as_a_proxy, 0,
		  2);
	TEST(nobody_fills_the_memory_with_bodies_without_a_password);
	TEST(what_is_unsafe_is_refused_at_the_start);
	TEST_LOOP(a_stream_begins_with_all_and_goes_on_with_what_changes, 0, 2);
	TEST_LOOP(the_feed_tells_of_tasks_as_they_end, 0, 2);
	TEST_LOOP(five_hundred_streams_are_told_of_a_change, 0, 2);
	TEST(with_a_frozen_store_the_daemon_answers_and_says_so);
	TEST(an_empty_token_file_is_named_and_not_used);
	TEST_LOOP(a_reload_hides_more_from_viewers_at_once, 0, 2);
	TEST(a_reload_takes_new_users_and_keeps_what_is_wrong_out);
}
