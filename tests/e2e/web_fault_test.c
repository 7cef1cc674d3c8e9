/* SPDX-License-Identifier: MIT */
/* What faults, reloads and attacks do to flowrra-web as a whole. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/look.h"
#include "e2e/web_scene.h"

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
	    {"-o web.listen=unix:/nowhere/web.sock",
	     "make its directory first"},
	    {"-o web.tokens=missing", "[web] tokens: cannot read missing"},
	    {"-o web.hosts=http://tasks.example.com", "leave out http://"},
	};
	struct world *w = site_world(_i);
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

START_TEST(a_second_daemon_is_told_what_has_its_port)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "");

	ck_complains(run(w,
			 "exec flowrra-web --config flowrra.conf "
			 "-o web.runtime_dir=%s/run -o web.state_dir=%s/state "
			 "-o web.listen=127.0.0.1:%d",
			 world_dir(w), world_dir(w), s->port),
		     78, "another program has it");
	ck_assert_int_eq(site_ask(s, "/healthz", "-k"), 200);
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(with_a_frozen_store_the_daemon_answers_and_says_so)
{
	struct world *w = site_world(false);
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
	WAIT_UNTIL(strstr(world_read(w, s->daemon->files[1]),
			  "warning: stores: ") != NULL);
	redis_server_continue(world_redis(w));
	WAIT_UNTIL(site_ask(s, "/readyz", "-k") == 200);
	WAIT_UNTIL(strstr(world_read(w, "events"), "event: live") != NULL);
	WAIT_UNTIL(site_ask_in(s, "/api/v1/queues", "-k") == 200);
	ck_assert_ptr_nonnull(strstr(world_read(w, s->daemon->files[1]),
				     "notice: stores are reachable again"));
	site_stop(s);
	world_stop(w);
}
END_TEST

START_TEST(a_reload_takes_new_users_and_keeps_what_is_wrong_out)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "");

	world_configure(w, "demo", "[web]\nread_only = yes\n");
	ck_assert_int_eq(kill(s->daemon->pid, SIGHUP), 0);
	WAIT_UNTIL(site_ask_in(s, "/api/v1/queues/io/pause",
			       SITE_JSON "-d '{}'") == 403);
	world_configure(w, "demo", "[web]\nproxies = nobody\n");
	ck_assert_int_eq(kill(s->daemon->pid, SIGHUP), 0);
	WAIT_UNTIL(strstr(world_read(w, s->daemon->files[1]),
			  "reload failed") != NULL);
	ck_assert_int_eq(
	    site_ask_in(s, "/api/v1/queues/io/pause", SITE_JSON "-d '{}'"),
	    403);
	site_stop(s);
	world_stop(w);
}
END_TEST

/* A disk that was full leaves such a file. */
START_TEST(an_empty_token_file_is_named_and_not_used)
{
	struct world *w = site_world(1);
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
	struct world *w = site_world(false);
	char reply[64];
	struct site *s;
	int fds[3], i;
	ssize_t n;

	site_make_alice(w);
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
	struct world *w = site_world(_i);
	const char *id = "t1",
		   *token = site_make_token(w, "web token eve viewer");
	struct site *s;

	s = site_start(w, "-o web.tokens=tokens -o web.peers=root:operator");
	ck_assert_int_eq(site_ask(s, "/api/v1/tasks",
				  "--unix-socket web.sock " SITE_JSON
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

SUITE("web-fault")
{
	SUITE_TIMEOUT(120);
	TEST(nobody_fills_the_memory_with_bodies_without_a_password);
	TEST(what_is_unsafe_is_refused_at_the_start);
	TEST(a_second_daemon_is_told_what_has_its_port);
	TEST(with_a_frozen_store_the_daemon_answers_and_says_so);
	TEST(an_empty_token_file_is_named_and_not_used);
	TEST_LOOP(a_reload_hides_more_from_viewers_at_once, 0, 2);
	TEST(a_reload_takes_new_users_and_keeps_what_is_wrong_out);
}
