/* SPDX-License-Identifier: MIT */
/* The WebSocket of flowrra-web: what it sends is what the Python package sent
 * (tests/web/seed/README), who may open it, and how much it sends. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/web_scene.h"

#define JSON "-H 'Content-Type: application/json' "

/* Starts a client that writes what it hears to the file "heard", and waits until
 * events come: workers are told of a listener some time after it has begun. */
static void
listen_for_updates(struct site *s)
{
	struct world *w = s->w;
	int i;

	run_start(w,
		  "exec /usr/bin/python3 %s %d 'Authorization: Bearer %s' "
		  ">heard",
		  world_source(w, "tests/e2e/ws_client.py"), s->port, s->token);
	WAIT_UNTIL(strncmp(world_read(w, "heard"), "pong\n", 5) == 0);
	for (i = 0; strstr(world_read(w, "heard"), "task.update") == NULL;
	     i++) {
		ck_assert_int_lt(i, 400);
		ctl_ok(w, "wait %s", submit(w, "add %d 1", i));
	}
}

/* The event of `id` with that status after so many retries, or NULL. */
static json_t *
heard_update(struct world *w, const char *id, const char *status, int retries)
{
	char *line, *rest, *text = world_read(w, "heard");
	json_t *event, *task;

	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		/* The last one may not be whole yet. */
		event = json_loads(line, 0, NULL);
		task = json_object_get(event, "task");
		if (strcmp(json_string_value(json_object_get(task, "task_id"))
			       ?: "",
			   id) == 0 &&
		    strcmp(json_string_value(json_object_get(task, "status"))
			       ?: "",
			   status) == 0 &&
		    json_integer_value(json_object_get(task, "retries")) ==
			retries)
			return event;
		json_decref(event);
	}
	return NULL;
}

/* Where a task waits, and that it began, is not told while it costs each task a
 * command more: workers tell of what runs for more than a moment, as "flaky" of
 * this module does. */
static bool
is_told(const json_t *theirs)
{
	const char *status =
	    json_string_value(json_object_get(theirs, "status"));
	const char *name =
	    json_string_value(json_object_get(theirs, "task_name"));

	return strcmp(status, "pending") != 0 &&
	       (strcmp(status, "running") != 0 || strcmp(name, "flaky") == 0);
}

/* Ours have these beside the package's members. */
static void
ck_others_are_known(const json_t *theirs, json_t *ours)
{
	const char *name;
	json_t *value;

	json_object_foreach (ours, name, value)
		ck_assert_msg(json_object_get(theirs, name) != NULL ||
				  strcmp(name, "queue") == 0 ||
				  strcmp(name, "worker") == 0 ||
				  strcmp(name, "attempts") == 0 ||
				  strcmp(name, "reason") == 0 ||
				  strcmp(name, "errors") == 0 ||
				  strcmp(name, "schedule_id") == 0,
			      "%s", name);
}

/* What the package knows at that moment is what ours says. It forgets times and
 * arguments when a task goes on, and says null, [] or {}; ours goes on to say
 * them, in the same types. Times are those of another day. */
static bool
says_the_same(const char *name, bool retried, const json_t *theirs,
	      const json_t *ours)
{
	const size_t len = strlen(name);

	if (len > 3 && strcmp(name + len - 3, "_at") == 0)
		return json_is_string(ours) ||
		       (json_is_null(theirs) && json_is_null(ours));
	/* Why the last attempt failed is said there only in the end. */
	if (strcmp(name, "error") == 0 && retried)
		return json_is_null(theirs) && json_is_string(ours);
	if (json_is_array(theirs) || json_is_object(theirs))
		return json_typeof(ours) == json_typeof(theirs) &&
		       (json_equal(theirs, ours) ||
			json_array_size(theirs) + json_object_size(theirs) ==
			    0);
	return json_equal(theirs, ours) || strcmp(name, "task_id") == 0;
}

static void
ck_heard(struct world *w, const char *id, const json_t *recorded)
{
	const json_t *theirs = json_object_get(recorded, "task");
	const char *status =
	    json_string_value(json_object_get(theirs, "status"));
	const json_int_t retries =
	    json_integer_value(json_object_get(theirs, "retries"));
	const bool retried = strcmp(status, "retrying") == 0;
	json_t *event, *ours, *value, *own;
	const char *name;

	WAIT_UNTIL((event = heard_update(w, id, status, (int)retries)) != NULL);
	ck_assert(json_equal(json_object_get(event, "type"),
			     json_object_get(recorded, "type")));
	ck_assert_uint_eq(json_object_size(event), json_object_size(recorded));
	ours = json_object_get(event, "task");
	json_object_foreach ((json_t *)theirs, name, value) {
		own = json_object_get(ours, name);
		ck_assert_msg(own != NULL &&
				  says_the_same(name, retried, value, own),
			      "%s: %s: theirs is %s, ours %s", status, name,
			      json_dumps(value, JSON_ENCODE_ANY),
			      json_dumps(own, JSON_ENCODE_ANY) ?: "absent");
	}
	ck_others_are_known(theirs, ours);
	json_decref(event);
}

START_TEST(a_websocket_hears_of_tasks_as_the_package_sent_it)
{
	static const char *const tasks[] = {
	    "add 1 2", "add 1 --kwargs '{\"b\":4}'", "fail --max-retries 0",
	    "flaky --max-retries 1 --retry-delay 0.1"};
	const struct world_options o = {.embedded = _i == 1,
					.modules = "recorded"};
	struct world *w = world_start(&o);
	struct site *s = site_start(w, "");
	json_t *recorded = json_load_file("tests/web/seed/ws.json", 0, NULL);
	const json_t *messages = json_object_get(recorded, "messages");
	const char *id = NULL, *before = "", *theirs;
	json_t *message;
	size_t i, n = 0;

	ck_assert_uint_gt(json_array_size(messages), 10);
	listen_for_updates(s);
	json_array_foreach (messages, i, message) {
		theirs = json_string_value(json_object_get(
		    json_object_get(message, "task"), "task_id"));
		if (strcmp(theirs, before) != 0)
			id = submit(w, "%s", tasks[n++]);
		before = theirs;
		if (is_told(json_object_get(message, "task")))
			ck_heard(w, id, message);
	}
	ck_assert_uint_eq(n, sizeof(tasks) / sizeof(tasks[0]));
	json_decref(recorded);
	site_stop(s);
	world_stop(w);
}
END_TEST

/* The exit status of a client with these headers; it is ended when it hears. */
static int
shake_hands(struct site *s, const char *headers)
{
	struct world *w = s->w;
	struct run *r = run_start(w, "exec /usr/bin/python3 %s %d %s",
				  world_source(w, "tests/e2e/ws_client.py"),
				  s->port, headers);

	WAIT_UNTIL(world_read(w, r->files[0])[0] != '\0');
	kill(r->pid, SIGKILL);
	run_end(w, r);
	return strcmp(r->out, "pong\n") == 0
		   ? 101
		   : (int)strtol(strchr(r->out, ' ') ?: "", NULL, 10);
}

START_TEST(another_sites_page_gets_no_websocket_of_a_browser)
{
	const struct world_options o = {.embedded = true, .no_worker = true};
	struct world *w = world_start(&o);
	struct site *s = site_start(w, "");
	const char *cookie;

	ck_assert_int_eq(site_ask(s, "/api/v1/session",
				  JSON "-H 'Sec-Fetch-Site: same-origin' "
				       "-d '{\"token\":\"%s\"}'",
				  s->token),
			 200);
	cookie = strstr(s->head, "Set-Cookie: ");
	ck_assert_ptr_nonnull(cookie);
	cookie += strlen("Set-Cookie: ");
	cookie =
	    world_text(w, "'Cookie: %.*s'", (int)strcspn(cookie, ";"), cookie);
	ck_assert_int_eq(
	    shake_hands(s, world_text(w, "%s 'Origin: http://127.0.0.1:%d'",
				      cookie, s->port)),
	    101);
	ck_assert_int_eq(
	    shake_hands(
		s, world_text(w, "%s 'Origin: http://evil.example'", cookie)),
	    403);
	ck_assert_int_eq(
	    shake_hands(s, world_text(w, "%s 'Origin: http://127.0.0.1:%d'",
				      cookie, s->port + 1)),
	    403);
	ck_assert_int_eq(shake_hands(s, "'Origin: null'"), 401);
	/* A program has no other site's pages. */
	ck_assert_int_eq(
	    shake_hands(s, world_text(w,
				      "'Authorization: Bearer %s' "
				      "'Origin: http://evil.example'",
				      s->token)),
	    101);
	site_stop(s);
	world_stop(w);
}
END_TEST

#define FLOOD 2000
#define FEED_PER_S 50

static size_t
heard_lines(struct world *w)
{
	const char *at = world_read(w, "heard");
	size_t n = 0;

	while ((at = strchr(at, '\n')) != NULL) {
		at++;
		n++;
	}
	return n;
}

START_TEST(a_websocket_gets_at_most_fifty_events_a_second)
{
	const struct world_options o = {.embedded = _i == 1};
	struct world *w = world_start(&o);
	struct site *s = site_start(w, "");
	const char *id;
	int64_t began;
	size_t before, n;

	listen_for_updates(s);
	before = heard_lines(w);
	began = now_ms();
	run(w,
	    "seq %d | sed 's/.*/{\"name\":\"echo\",\"args\":[&]}/' | "
	    "flowrractl -q -c flowrra.conf submit --stdin >ids && "
	    "xargs flowrractl -q -c flowrra.conf wait --all <ids >results",
	    FLOOD);
	/* One more tells that what was sent before has arrived; it may be left
	 * out itself, and then another one does. */
	do {
		ck_assert_int_lt(now_ms(), began + PATIENCE_MS);
		id = submit(w, "echo last");
		ctl_ok(w, "wait %s", id);
	} while (strstr(world_read(w, "heard"), id) == NULL);
	n = heard_lines(w) - before;
	ck_assert_uint_ge(n, FEED_PER_S / 2);
	ck_assert_uint_le(n,
			  (size_t)((now_ms() - began) / 1000 + 2) * FEED_PER_S);
	ck_assert_uint_lt(n, FLOOD);
	ck_assert_int_eq(site_ask(s, "/healthz", "-k"), 200);
	site_stop(s);
	world_stop(w);
}
END_TEST

SUITE("web-socket")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(a_websocket_hears_of_tasks_as_the_package_sent_it, 0, 2);
	TEST(another_sites_page_gets_no_websocket_of_a_browser);
	TEST_LOOP(a_websocket_gets_at_most_fifty_events_a_second, 0, 2);
}
