/* SPDX-License-Identifier: MIT */
/* Events, as results.h promises them, of every implementation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

#define SUCCESS "{\"task_id\":\"1\",\"status\":\"success\",\"task_name\":\"t\"}"

static struct stage w;

struct listener {
	struct backend *backend;
	unsigned int heard, troubles;
	bool in_order;
	int next;  /* the event that is expected */
	int first; /* those before were told before it listened: nodes of a
		      Cluster pass events on late */
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
	if (event.len > 0 && atoi(event.p) < l->first)
		return;
	l->in_order = l->in_order && event.len > 0 && atoi(event.p) == l->next;
	l->next++;
	l->heard++;
}

static void
listen(struct backend *r, struct listener *l)
{
	struct err err;

	*l = (struct listener){.backend = r, .in_order = true};
	ck_assert_int_eq(
	    results_listen(r->results,
			   &(struct results_ear){.detail = RESULTS_WHOLE,
						 .on_event = on_event,
						 .arg = l},
			   &err),
	    0);
}

static void
publish(struct backend *r, int first, int n)
{
	char text[16];
	int i;

	for (i = first; i < first + n; i++) {
		snprintf(text, sizeof(text), "%d", i);
		results_event(r->results, RESULTS_WHOLE, slice_of(text));
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
	ck_assert_int_eq(results_listen(ear->results, NULL, NULL), 0);
	stage_linger(&w, 100);
	publish(teller, 1, 1);
	/* The next one that tells something notices, at the latest. */
	UNTIL(&w, (publish(teller, 2, 1), !results_heard(teller->results)));
	backend_get(&w, teller, "none"); /* it follows all that was told */
	ck_assert_uint_eq(l.heard, 1);
	listen(ear, &l);
	l.next = l.first = 3;
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
	    results_listen(l.backend->results,
			   &(struct results_ear){.detail = RESULTS_WHOLE,
						 .on_event = on_last_event,
						 .arg = &l},
			   NULL),
	    0);
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

/* What was heard, each with "|" behind it; brief events come together, or not. */
struct ear {
	char text[256];
	bool ready;
};

static void
ear_on_event(struct slice event, const struct err *err, void *arg)
{
	struct ear *e = arg;
	char *end = e->text + strlen(e->text), *p;

	ck_assert(err == NULL && e->ready);
	snprintf(end, (size_t)(e->text + sizeof(e->text) - end), "%.*s|",
		 (int)event.len, event.p);
	for (p = end; (p = strchr(p, '\n')) != NULL;)
		*p = '|';
}

static void
ear_on_ready(void *arg)
{
	struct ear *e = arg;

	ck_assert(!e->ready);
	e->ready = true;
}

static void
ear_open(struct ear *e, struct backend *r, enum results_detail detail)
{
	const struct results_ear ear = {.detail = detail,
					.on_event = ear_on_event,
					.on_ready = ear_on_ready,
					.arg = e};

	*e = (struct ear){.ready = false};
	ck_assert_int_eq(results_listen(r->results, &ear, NULL), 0);
	UNTIL(&w, e->ready);
}

START_TEST(who_listens_hears_events_of_that_kind_only)
{
	struct backend *teller, *backends[RESULTS_DETAILS];
	struct ear ears[RESULTS_DETAILS];
	unsigned int i;

	stage_open(&w, _i);
	teller = backend_open(&w);
	results_heard(teller->results);
	backends[0] = backend_open(&w);
	backends[1] = backend_open(&w);
	ear_open(&ears[0], backends[0], RESULTS_BRIEF);
	UNTIL(&w, results_heard(teller->results) == 1u << RESULTS_BRIEF);
	ear_open(&ears[1], backends[1], RESULTS_WHOLE);
	/* It may be one that learns with the next event only. */
	results_expect(teller->results, RESULTS_WHOLE);
	ck_assert_uint_eq(results_heard(teller->results), 3);
	for (i = 0; i < 3; i++) {
		results_event(teller->results, RESULTS_BRIEF, SLICE("b"));
		results_event(teller->results, RESULTS_WHOLE, SLICE("w"));
	}
	UNTIL(&w, strcmp(ears[RESULTS_BRIEF].text, "b|b|b|") == 0);
	UNTIL(&w, strcmp(ears[RESULTS_WHOLE].text, "w|w|w|") == 0);
	stage_linger(&w, 50);
	ck_assert_str_eq(ears[RESULTS_BRIEF].text, "b|b|b|");
	backend_close(backends[0]);
	backend_close(backends[1]);
	backend_close(teller);
	stage_close(&w);
}
END_TEST

/* Nobody has looked yet who listens: that would take up to a second. */
START_TEST(what_is_told_after_a_listener_said_so_is_heard)
{
	struct backend *teller, *r;
	struct ear e;

	stage_open(&w, _i);
	teller = backend_open(&w);
	results_heard(teller->results);
	stage_linger(&w, 50);
	r = backend_open(&w);
	ear_open(&e, r, RESULTS_BRIEF);
	results_expect(teller->results, RESULTS_BRIEF);
	ck_assert_uint_eq(results_heard(teller->results), 1);
	results_event(teller->results, RESULTS_BRIEF, SLICE("b"));
	UNTIL(&w, strcmp(e.text, "b|") == 0);
	backend_close(r);
	backend_close(teller);
	stage_close(&w);
}
END_TEST

/* What was heard, without what stands between the events. */
static const char *
letters(const struct ear *e)
{
	static char text[256];
	size_t n = 0;
	const char *p;

	for (p = e->text; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			text[n++] = *p;
	text[n] = '\0';
	return text;
}

/* Each row wakes all who listen, who write how far they have read. */
START_TEST(brief_events_of_one_moment_are_one_row)
{
	struct backend *teller, *r;
	struct ear e;
	int64_t begin, most;
	int i;

	stage_open(&w, KIND_SQLITE);
	teller = backend_open(&w);
	results_heard(teller->results);
	r = backend_open(&w);
	ear_open(&e, r, RESULTS_BRIEF);
	UNTIL(&w, results_heard(teller->results) == 1u << RESULTS_BRIEF);
	begin = clock_mono_ms();
	for (i = 0; i < 60; i++) {
		results_event(teller->results, RESULTS_BRIEF, SLICE("b"));
		stage_linger(&w, 1);
	}
	most = (clock_mono_ms() - begin) / 20 + 2;
	UNTIL(&w, strlen(letters(&e)) == 60);
	ck_assert_int_le(stage_sql(&w, "SELECT seq FROM sqlite_sequence "
				       "WHERE name = 'events'"),
			 most);
	backend_close(r);
	backend_close(teller);
	stage_close(&w);
}
END_TEST

START_TEST(who_is_about_to_end_tells_at_once)
{
	struct backend *teller, *r;
	struct ear e;

	stage_open(&w, _i);
	teller = backend_open(&w);
	results_heard(teller->results);
	r = backend_open(&w);
	ear_open(&e, r, RESULTS_BRIEF);
	UNTIL(&w, results_heard(teller->results) == 1u << RESULTS_BRIEF);
	results_event(teller->results, RESULTS_BRIEF, SLICE("a"));
	stage_linger(&w, 5);
	results_event(teller->results, RESULTS_BRIEF, SLICE("b"));
	results_hurry(teller->results);
	results_event(teller->results, RESULTS_BRIEF, SLICE("c"));
	stage_linger(&w, 5);
	backend_close(teller);
	UNTIL(&w, strcmp(letters(&e), "abc") == 0);
	backend_close(r);
	stage_close(&w);
}
END_TEST

START_TEST(a_record_that_changes_is_told_in_both_ways)
{
	const char record[] = "{\"task_id\":\"1\",\"status\":\"failed\","
			      "\"error\":\"no\",\"args\":[7]}";
	struct backend *teller, *r;
	struct ear e;
	int i;

	stage_open(&w, _i);
	teller = backend_open(&w);
	/* A file is there from the first record on. */
	backend_put(&w, teller, "0", SUCCESS, true, 60);
	for (i = 0; i < 2; i++) {
		r = backend_open(&w);
		ear_open(&e, r, i == 0 ? RESULTS_BRIEF : RESULTS_WHOLE);
		/* It finds out with each record that it stores. */
		backend_put(&w, teller, "1", record, true, 60);
		results_changed(teller->results, slice_of(record));
		UNTIL(&w, e.text[0] != '\0');
		if (i == 0)
			ck_assert_str_eq(e.text,
					 "{\"type\":\"task.update\",\"task\":"
					 "{\"task_id\":\"1\",\"status\":"
					 "\"failed\",\"task_name\":null,"
					 "\"error\":\"no\","
					 "\"submitted_at\":null,"
					 "\"started_at\":null,"
					 "\"finished_at\":null,"
					 "\"retries\":0}}|");
		else
			ck_assert_ptr_nonnull(
			    strstr(e.text, "\"args\":[7]}}|"));
		backend_close(r);
	}
	backend_close(teller);
	stage_close(&w);
}
END_TEST

#define TEST_KINDS(name) TEST_LOOP(name, 0, N_KINDS)

static void
fill_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	TEST_LOOP(events_reach_all_listeners_in_their_order, KIND_REDIS,
		  KIND_REDIS + 1);
	TEST_LOOP(who_listens_no_more_hears_nothing_and_may_begin_again,
		  KIND_REDIS, KIND_REDIS + 1);
	TEST_LOOP(who_listens_hears_events_of_that_kind_only, KIND_REDIS,
		  KIND_REDIS + 1);
	TEST_LOOP(a_record_that_changes_is_told_in_both_ways, KIND_REDIS,
		  KIND_REDIS + 1);
}

__attribute__((constructor)) static void
register_cluster(void)
{
	suite_register("results-events-cluster", fill_cluster);
}

SUITE("results-events")
{
	TEST_KINDS(events_reach_all_listeners_in_their_order);
	TEST_KINDS(who_listens_no_more_hears_nothing_and_may_begin_again);
	TEST_KINDS(a_listener_may_close_its_backend);
	TEST_KINDS(an_event_that_nobody_hears_is_no_harm);
	TEST_KINDS(who_listens_hears_events_of_that_kind_only);
	TEST_KINDS(what_is_told_after_a_listener_said_so_is_heard);
	TEST_KINDS(a_record_that_changes_is_told_in_both_ways);
	TEST(brief_events_of_one_moment_are_one_row);
	TEST_KINDS(who_is_about_to_end_tells_at_once);
}
