/* SPDX-License-Identifier: MIT */
/* Events, as results.h promises them, of every implementation. */
#include <stdio.h>
#include <stdlib.h>

#include "store/stage.h"
#include "suite.h"

#define SUCCESS "{\"task_id\":\"1\",\"status\":\"success\",\"task_name\":\"t\"}"

static struct stage w;

struct listener {
	struct backend *backend;
	unsigned int heard, troubles;
	bool in_order;
	int next; /* the event that is expected */
};

static void
on_event(struct slice event, const struct err *err, void *arg)
{
	struct listener *l = arg;

	if (err != NULL) {
		ck_assert_uint_eq(event.len, 0);
		l->troubles++;
		return;
	}
	l->in_order = l->in_order && event.len > 0 && atoi(event.p) == l->next;
	l->next++;
	l->heard++;
}

static void
listen(struct backend *r, struct listener *l)
{
	struct err err;

	*l = (struct listener){.backend = r, .in_order = true};
	ck_assert_int_eq(results_listen(r->results, on_event, l, &err), 0);
}

static void
publish(struct backend *r, int first, int n)
{
	char text[16];
	int i;

	for (i = first; i < first + n; i++) {
		snprintf(text, sizeof(text), "%d", i);
		results_event(r->results, slice_of(text));
	}
}

START_TEST(events_reach_all_listeners_in_their_order)
{
	struct backend *teller, *ears[2];
	struct listener listeners[2];
	int i;

	stage_open(&w, _i);
	teller = backend_open(&w);
	ck_assert(!results_heard(teller->results));
	for (i = 0; i < 2; i++) {
		ears[i] = backend_open(&w);
		listen(ears[i], &listeners[i]);
	}
	UNTIL(&w, results_heard(teller->results));
	stage_linger(&w, 100); /* both of them */
	for (i = 0; i < 1000; i += 250) {
		publish(teller, i, 250);
		stage_linger(&w, 20);
	}
	UNTIL(&w, listeners[0].heard == 1000 && listeners[1].heard == 1000);
	for (i = 0; i < 2; i++) {
		ck_assert(listeners[i].in_order);
		ck_assert_uint_eq(listeners[i].troubles, 0);
		backend_close(ears[i]);
	}
	backend_close(teller);
	stage_close(&w);
}
END_TEST

START_TEST(who_listens_no_more_hears_nothing_and_may_begin_again)
{
	struct backend *teller, *ear;
	struct listener l;

	stage_open(&w, _i);
	teller = backend_open(&w);
	ear = backend_open(&w);
	results_heard(teller->results);
	listen(ear, &l);
	UNTIL(&w, results_heard(teller->results));
	publish(teller, 0, 1);
	UNTIL(&w, l.heard == 1);
	ck_assert_int_eq(results_listen(ear->results, NULL, NULL, NULL), 0);
	stage_linger(&w, 100);
	publish(teller, 1, 1);
	/* Whoever tells something notices, at the latest. */
	UNTIL(&w, (publish(teller, 2, 1), !results_heard(teller->results)));
	backend_get(&w, teller, "none"); /* it follows all that was told */
	ck_assert_uint_eq(l.heard, 1);
	listen(ear, &l);
	l.next = 3;
	UNTIL(&w, results_heard(teller->results));
	publish(teller, 3, 1);
	UNTIL(&w, l.heard == 1);
	ck_assert(l.in_order);
	ck_assert_uint_eq(l.troubles, 0);
	backend_close(ear);
	backend_close(teller);
	stage_close(&w);
}
END_TEST

/* Closes its backend with the first event. */
static void
on_last_event(struct slice event, const struct err *err, void *arg)
{
	struct listener *l = arg;

	l->heard++;
	backend_close(l->backend);
}

START_TEST(a_listener_may_close_its_backend)
{
	struct backend *teller;
	struct listener l = {.heard = 0};

	stage_open(&w, _i);
	teller = backend_open(&w);
	results_heard(teller->results);
	l.backend = backend_open(&w);
	ck_assert_int_eq(
	    results_listen(l.backend->results, on_last_event, &l, NULL), 0);
	UNTIL(&w, results_heard(teller->results));
	publish(teller, 0, 10);
	UNTIL(&w, l.heard > 0);
	stage_linger(&w, 100);
	ck_assert_uint_eq(l.heard, 1);
	backend_close(teller);
	stage_close(&w);
}
END_TEST

START_TEST(an_event_that_nobody_hears_is_no_harm)
{
	struct backend *r;

	stage_open(&w, _i);
	r = backend_open(&w);
	ck_assert(!results_heard(r->results));
	publish(r, 0, 10);
	backend_put(&w, r, "1", SUCCESS, true, 60);
	ck_assert_str_eq(backend_get(&w, r, "1"), SUCCESS);
	backend_close(r);
	stage_close(&w);
}
END_TEST

#define TEST_KINDS(name) TEST_LOOP(name, 0, N_KINDS)

SUITE("results-events")
{
	TEST_KINDS(events_reach_all_listeners_in_their_order);
	TEST_KINDS(who_listens_no_more_hears_nothing_and_may_begin_again);
	TEST_KINDS(a_listener_may_close_its_backend);
	TEST_KINDS(an_event_that_nobody_hears_is_no_harm);
}
