/* SPDX-License-Identifier: MIT */
/* Following the events of tasks. */
#include "manager/events.h"

#include <pthread.h>
#include <stdatomic.h>

#include "manager/scene.h"
#include "suite.h"

#define EVENT(id, name, queue)                                                 \
	"{\"type\":\"task.update\",\"task\":{\"task_id\":\"" id                \
	"\",\"task_name\":\"" name "\",\"queue\":\"" queue "\"}}"

static struct buf seen;
static size_t wanted;

static int
on_event(const json_t *event, void *arg)
{
	const json_t *task = json_object_get(event, "task");

	ck_assert_ptr_eq(arg, &seen);
	buf_addf(&seen, "%s ",
		 json_string_value(json_object_get(task, "task_id")));
	return --wanted == 0 ? 1 : 0;
}

static void
on_trouble(const struct err *why, void *arg)
{
	buf_addf(&seen, "(%s) ", why->msg);
}

static const char *const heard[] = {EVENT("a", "add", "io"),
				    "nonsense",
				    "[1]",
				    EVENT("b", "mul", "io"),
				    "!",
				    "{\"type\":\"other\"}",
				    EVENT("c", "add", "cpu"),
				    EVENT("d", "add", "io"),
				    NULL};

static const struct {
	struct events_follow what;
	size_t wanted;
	const char *seen;
} cases[] = {
    /* What is not an event is passed over; one without a task is kept. */
    {{.on_trouble = on_trouble}, 5, "a b (some may be missing) (null) c d "},
    {{.id = "c"}, 1, "c "},
    {{.task = "add"}, 3, "a c d "},
    {{.queue = "io", .on_trouble = on_trouble},
     3,
     "a b (some may be missing) d "},
    {{.task = "add", .queue = "io"}, 2, "a d "},
    /* That was the last: what comes behind it is not shown. */
    {{.task = "add"}, 1, "a "},
};

START_TEST(events_of_what_is_asked_for_come_in_their_order)
{
	struct events_follow what = cases[_i].what;

	scene.heard = heard;
	what.on_event = on_event;
	what.arg = &seen;
	wanted = cases[_i].wanted;
	ck_assert_int_eq(events_follow(scene.client, &what, &scene.err), 0);
	ck_assert_str_eq(seen.data, cases[_i].seen);
	scene_journal_is("listen; unlisten; ");
	buf_done(&seen);
}
END_TEST

static atomic_bool ends;

static bool
on_asked(void *arg)
{
	return atomic_load(&ends);
}

static void *
stop_soon(void *arg)
{
	atomic_store(&ends, true);
	return NULL;
}

/* While nothing happens; or before it begins. */
START_TEST(listening_ends_when_another_thread_says_so)
{
	static const char *const nothing[] = {NULL};
	struct events_follow what = {.on_event = on_event, .stopped = on_asked};
	pthread_t thread;

	scene.heard = nothing;
	if (_i == 1)
		stop_soon(NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, NULL), 0);
	ck_assert_int_eq(events_follow(scene.client, &what, &scene.err), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	scene_journal_is("listen; unlisten; ");
}
END_TEST

/* It is away, and any operation would wait a minute for it: this one ends when
 * it is told to, and tells the store nothing. */
START_TEST(listening_ends_while_the_backend_is_absent)
{
	struct events_follow what = {.on_event = on_event, .stopped = on_asked};
	pthread_t thread;

	scene_reach(false, false);
	scene.client->results_ready.timeout_ms = 60000;
	if (_i == 1)
		stop_soon(NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, NULL), 0);
	ck_assert_int_eq(events_follow(scene.client, &what, &scene.err), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	scene_journal_is("");
}
END_TEST

START_TEST(who_cannot_listen_is_told_at_once)
{
	const struct events_follow what = {.on_event = on_event};

	scene.heard = heard;
	scene_fail(SCENE_listen, 0, 1, ERR_USAGE, "this backend has no events");
	scene_refused(
	    events_follow(scene.client, &what, &scene.err) == 0 ? &what : NULL,
	    ERR_USAGE, "this backend has no events");
	scene_reach(false, false);
	scene_refused(
	    events_follow(scene.client, &what, &scene.err) == 0 ? &what : NULL,
	    ERR_UNAVAILABLE, "nobody listens");
}
END_TEST

SUITE("manager-events")
{
	tcase_add_checked_fixture(suite_case_, scene_begin, scene_end);
	TEST_LOOP(events_of_what_is_asked_for_come_in_their_order, 0,
		  sizeof(cases) / sizeof(cases[0]));
	TEST_LOOP(listening_ends_when_another_thread_says_so, 0, 2);
	TEST_LOOP(listening_ends_while_the_backend_is_absent, 0, 2);
	TEST(who_cannot_listen_is_told_at_once);
}
