/* SPDX-License-Identifier: MIT */
/* What callbacks of workflows are told in their keyword arguments. */
#include "dispatch/worker.h"

#include <stdio.h>

#include "store/flow.h"
#include "suite.h"

/* A broker with a workflow, "f", whose steps are "s0", "s1" and so on, of which the
 * first have failed. */
static struct flows {
	struct event_base *base;
	struct broker_ops ops;
	struct broker_flow_ops flow;
	struct flow_info info;
	struct err err; /* it cannot be told, if this has a code */
	unsigned int asked, pages;
	size_t from;
	broker_flows_fn *on_flows;
	broker_steps_fn *on_page;
	void *arg;
} f;

static void
answer_flows(evutil_socket_t fd, short what, void *arg)
{
	if (f.err.code != ERR_NONE)
		f.on_flows(NULL, 0, SLICE(""), &f.err, f.arg);
	else
		f.on_flows(&f.info, 1, SLICE(""), NULL, f.arg);
}

#define PAGE 40

/* The cursor is how many came before. A callback is among them. */
static void
answer_page(evutil_socket_t fd, short what, void *arg)
{
	struct flow_step steps[PAGE];
	char ids[PAGE][24], next[24] = "";
	struct flow_page page = {.steps = steps};
	const size_t n = (size_t)f.info.steps;
	size_t i = f.from;

	for (; page.n < PAGE && i < n; i++, page.n++) {
		snprintf(ids[page.n], sizeof(ids[0]), "s%zu", i);
		steps[page.n] = (struct flow_step){
		    .id = slice_of(ids[page.n]),
		    .role = i == 1 ? FLOW_ON_COMPLETE : FLOW_STEP,
		    .place = FLOW_ENDED,
		    .outcome = (int64_t)i <= f.info.ended[FLOW_STEP_FAILED]
				   ? FLOW_STEP_FAILED
				   : FLOW_STEP_SUCCEEDED};
	}
	if (i < n)
		snprintf(next, sizeof(next), "%zu", i);
	page.next = slice_of(next);
	f.on_page(&page, NULL, f.arg);
}

/* From the loop, as the contract says. */
static void
answer_by(event_callback_fn fn)
{
	const struct timeval now = {0, 0};

	event_base_once(f.base, -1, EV_TIMEOUT, fn, NULL, &now);
}

static void
flows_get(struct broker *b, struct slice flow, broker_flows_fn *on_flows,
	  void *arg)
{
	ck_assert(slice_eq(flow, SLICE("f")));
	f.asked++;
	f.on_flows = on_flows;
	f.arg = arg;
	answer_by(answer_flows);
}

static void
flows_steps(struct broker *b, struct slice flow, struct slice cursor,
	    unsigned int n, broker_steps_fn *on_page, void *arg)
{
	char text[24];

	snprintf(text, sizeof(text), "%.*s", (int)cursor.len,
		 cursor.len > 0 ? cursor.p : "");
	f.from = strtoul(text, NULL, 10);
	f.pages++;
	f.on_page = on_page;
	f.arg = arg;
	answer_by(answer_page);
}

static struct worker *
begin(enum flow_state state, int64_t steps, int64_t failed)
{
	struct worker *w = worker_begin();

	f = (struct flows){
	    .base = w->base,
	    .ops = *w->dispatch->broker->ops,
	    .flow = {.get = flows_get, .steps = flows_steps},
	    .info = {.state = state,
		     .steps = steps,
		     .ended = {[FLOW_STEP_SUCCEEDED] = steps - failed,
			       [FLOW_STEP_FAILED] = failed}},
	    .err = ERR_INIT};
	f.ops.flow = &f.flow;
	w->dispatch->broker->ops = &f.ops;
	return w;
}

/* A task that is done at once; returns the record of its end. */
static const char *
run(struct worker *w, const char *kwargs, const char *more)
{
	char task[512];

	snprintf(task, sizeof(task),
		 "{\"id\":\"t\",\"name\":\"job\",\"args\":[\"started\","
		 "\"done=1\"],\"kwargs\":%s%s}",
		 kwargs, more);
	fake_store_claim(&w->store, 0, task, false);
	WAIT_FOR(w, "ack");
	return w->store.last_record.data;
}

#define CALLBACK ",\"flow\":\"f\",\"on\":\"complete\""
#define ck_told(record, text)                                                  \
	ck_assert_msg(strstr(record, text) != NULL, "%s", record)

START_TEST(a_callback_is_told_of_its_workflow)
{
	struct worker *w = begin(FLOW_FAILED, 5, 2);

	ck_told(run(w, "{\"text\":\"it: failed\"}", CALLBACK),
		"\"kwargs\":{\"text\":\"it: failed\",\"flow\":\"f\","
		"\"outcome\":\"failed\",\"failed\":[\"s0\",\"s2\"],"
		"\"counts\":{\"steps\":5,\"succeeded\":3,\"failed\":2,"
		"\"skipped\":0,\"unlisted\":0}}");
	worker_end(w);
}
END_TEST

START_TEST(if_none_has_failed_no_step_is_looked_at)
{
	struct worker *w = begin(FLOW_SUCCEEDED, 5, 0);

	ck_told(run(w, "{}", CALLBACK),
		"\"kwargs\":{\"flow\":\"f\",\"outcome\":\"succeeded\","
		"\"failed\":[],");
	ck_assert_uint_eq(f.pages, 0);
	worker_end(w);
}
END_TEST

START_TEST(keywords_of_its_own_stay)
{
	struct worker *w = begin(FLOW_CANCELLED, 5, 1);

	ck_told(run(w, "{\"failed\":1,\"flow\":{\"counts\":2}}", CALLBACK),
		"\"kwargs\":{\"failed\":1,\"flow\":{\"counts\":2},"
		"\"outcome\":\"cancelled\",\"counts\":{");
	worker_end(w);
}
END_TEST

START_TEST(a_hundred_that_failed_are_listed)
{
	struct worker *w = begin(FLOW_FAILED, 1000, 140);
	const char *record = run(w, "{}", CALLBACK);

	ck_told(record, "\"s100\"],\"counts\"");
	ck_told(record, "\"failed\":140,\"skipped\":0,\"unlisted\":40}");
	ck_assert_uint_eq(f.pages, 3);
	worker_end(w);
}
END_TEST

START_TEST(what_would_be_too_large_is_left_out)
{
	struct worker *w = begin(FLOW_FAILED, 200, 200);

	w->conf->worker.max_task_size = 400;
	ck_told(run(w, "{\"a\":1}", CALLBACK),
		"\"kwargs\":{\"a\":1,\"flow\":\"f\",\"outcome\":\"failed\","
		"\"failed\":[],\"counts\":{\"steps\":200,\"succeeded\":0,"
		"\"failed\":200,\"skipped\":0,\"unlisted\":200}");
	worker_end(w);
}
END_TEST

START_TEST(the_callback_of_a_workflow_that_is_gone_runs)
{
	struct worker *w = begin(FLOW_FAILED, 5, 1);

	err_set(&f.err, ERR_NOT_FOUND, "no workflow f");
	ck_told(run(w, "{}", CALLBACK),
		"\"kwargs\":{\"flow\":\"f\",\"outcome\":null,\"failed\":[],"
		"\"counts\":null}");
	worker_end(w);
}
END_TEST

START_TEST(a_store_that_is_away_is_asked_again)
{
	struct worker *w = begin(FLOW_FAILED, 5, 1);

	err_set(&f.err, ERR_UNAVAILABLE, "away");
	fake_store_claim(&w->store, 0,
			 "{\"id\":\"t\",\"name\":\"job\",\"args\":"
			 "[\"started\",\"done=1\"],\"kwargs\":{}" CALLBACK "}",
			 false);
	FAKE_WAIT(&w->store, f.asked == 1);
	worker_settle(w);
	ck_journal(w, "");
	f.err.code = ERR_NONE;
	worker_due(w, w->dispatch->heartbeat);
	WAIT_FOR(w, "ack");
	ck_record(w, "\"outcome\":\"failed\"");
	worker_end(w);
}
END_TEST

static const struct {
	const char *kwargs, *more;
} ordinary[] = {{"{\"a\":1}", ",\"flow\":\"f\""},
		{"{}", ",\"on\":\"complete\""},
		{"{}", ",\"flow\":\"f\",\"on\":7"}};

START_TEST(what_is_no_callback_is_told_nothing)
{
	struct worker *w = begin(FLOW_RUNNING, 5, 1);
	char text[64];

	snprintf(text, sizeof(text), "\"kwargs\":%s,", ordinary[_i].kwargs);
	ck_told(run(w, ordinary[_i].kwargs, ordinary[_i].more), text);
	ck_assert_uint_eq(f.asked, 0);
	worker_end(w);
}
END_TEST

SUITE("dispatch-callback")
{
	TEST(a_callback_is_told_of_its_workflow);
	TEST(if_none_has_failed_no_step_is_looked_at);
	TEST(keywords_of_its_own_stay);
	TEST(a_hundred_that_failed_are_listed);
	TEST(what_would_be_too_large_is_left_out);
	TEST(the_callback_of_a_workflow_that_is_gone_runs);
	TEST(a_store_that_is_away_is_asked_again);
	TEST_LOOP(what_is_no_callback_is_told_nothing, 0,
		  (int)(sizeof(ordinary) / sizeof(ordinary[0])));
}
