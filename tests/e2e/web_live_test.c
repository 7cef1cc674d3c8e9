/* SPDX-License-Identifier: MIT */
/* Streams of flowrra-web, by curl and by sockets: what they tell, and when they
 * end. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/look.h"
#include "e2e/web_scene.h"
#include "util/buf.h"
#include "web/hub.h"

START_TEST(a_stream_begins_with_all_and_goes_on_with_what_changes)
{
	struct world *w = site_world(_i);
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
	/* It ends: its record says so, and it leaves the rows of running
	 * tasks. */
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
	struct world *w = site_world(_i);
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
	struct world *w = site_world(_i);
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

/* Of what is open when a user logs out. */
START_TEST(a_stream_ends_with_the_login)
{
	struct world *w = site_world(_i);
	struct site *s = site_start(w, "");
	struct run *stream, *other;

	site_log_in(s);
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
	    site_ask(s, "/api/v1/session", "-X DELETE -b jar " SITE_SAME), 204);
	ck_assert_int_eq(run_end(w, stream)->status, 0);
	ck_assert_int_eq(kill(other->pid, 0), 0);
	site_stop(s);
	world_stop(w);
}
END_TEST

/* A stream of tasks that do not exist, which are watched all the same. */
static int
watch_tasks(struct site *s, int first, int n)
{
	struct buf text = BUF_INIT;
	int fd = site_connect(s), i;

	ck_assert_int_ge(fd, 0);
	buf_adds(&text, "GET /api/v1/events?topics=");
	for (i = first; i < first + n; i++)
		buf_addf(&text, "%stask:t%d", i > first ? "," : "", i);
	buf_addf(&text,
		 " HTTP/1.1\r\nHost: localhost\r\n"
		 "Authorization: Bearer %s\r\n\r\n",
		 s->token);
	ck_assert_int_eq(send(fd, text.data, text.len, 0), (ssize_t)text.len);
	buf_done(&text);
	return fd;
}

/* With a status: what is ended later, pages ask for again and again. */
START_TEST(a_stream_of_too_many_tasks_is_refused)
{
	struct world *w = site_world(false);
	struct site *s = site_start(w, "-o web.max_per_peer=100");
	int fds[HUB_TASKS_MAX / HUB_TOPICS_MAX + 1], i;
	const int last = HUB_TASKS_MAX / HUB_TOPICS_MAX;

	for (i = 0; i < last; i++) {
		fds[i] = watch_tasks(s, i * HUB_TOPICS_MAX, HUB_TOPICS_MAX);
		WAIT_UNTIL(stream_has(fds[i], "retry: 2000"));
	}
	fds[last] = watch_tasks(s, HUB_TASKS_MAX, 1);
	WAIT_UNTIL(stream_has(fds[last], "too many tasks are watched"));
	ck_assert_int_eq(site_ask(s, "/healthz", "-k"), 200);
	for (i = 0; i <= last; i++)
		close(fds[i]);
	site_stop(s);
	world_stop(w);
}
END_TEST

SUITE("web-live")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(a_stream_ends_with_the_login, 0, 2);
	TEST_LOOP(a_stream_begins_with_all_and_goes_on_with_what_changes, 0, 2);
	TEST_LOOP(the_feed_tells_of_tasks_as_they_end, 0, 2);
	TEST_LOOP(five_hundred_streams_are_told_of_a_change, 0, 2);
	TEST(a_stream_of_too_many_tasks_is_refused);
}
