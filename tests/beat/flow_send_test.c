/* SPDX-License-Identifier: MIT */
/*
 * Workflows of fires on their way into each store: whole, and once, whoever dies at
 * whatever step.
 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "beat/flow_form.h"
#include "beat/flow_send.h"
#include "schedules/claim.h"
#include "store/flow_scene.h"
#include "suite.h"
#include "util/conf.h"

#define NOW_US INT64_C(1796000000000000)
#define WORKFLOW                                                               \
	"{\"steps\":[{\"id\":\"a\",\"name\":\"n\"},"                           \
	"{\"id\":\"b\",\"name\":\"n\",\"after\":[\"a:complete\"],"             \
	"\"args\":[{\"$from\":\"a\"}]},"                                       \
	"{\"id\":\"c\",\"name\":\"n\",\"on\":\"failure\"}]}"

/* What the fire carries, and the answer. */
static struct buf carried;
static struct schedule_fire fire;
struct sending {
	struct flow_send *send;
	bool answered;
	struct err why;
};

static void
carry(const char *workflow)
{
	const struct schedule s = {
	    .task = "nightly", .workflow = workflow, .traceparent = ""};
	static const struct conf conf = {
	    .executor = {.max_retries = 3, .retry_delay = 1000000},
	    .backend = {.ttl = INT64_C(86400000000)}};
	const struct flow_fire of = {
	    .schedule = &s, .id = "f", .conf = &conf, .now_us = NOW_US};
	struct flow_form form = {.n = 0};
	struct err err = ERR_INIT;
	size_t i;

	buf_reset(&carried);
	ck_assert_msg(flow_form_read(&form, workflow, &err) == 0, "%s",
		      err.msg);
	for (i = 0; i < form.n; i++)
		registered_decode((struct slice){NULL, 0},
				  &form.steps[i].defaults, NULL);
	ck_assert_msg(flow_form_encode(&form, &of, &carried, &err) == 0, "%s",
		      err.msg);
	buf_addc(&carried, '\0');
	flow_form_done(&form);
	fire = (struct schedule_fire){.schedule = "s",
				      .task_id = "f",
				      .work = SCHEDULE_WORKFLOW,
				      .body = carried.data};
}

static void
on_sent(const struct err *why, void *arg)
{
	struct sending *s = arg;

	s->answered = true;
	s->send = NULL;
	s->why = *why;
}

static void
start(struct sending *s, struct party *p)
{
	const struct flow_send_options options = {
	    .broker = p->broker,
	    .results = fs.results->results,
	    .one_store = fs.stage.options.with_results,
	    .fire = &fire,
	    .on_sent = on_sent,
	    .arg = s};
	struct err err = ERR_INIT;

	*s = (struct sending){.answered = false};
	s->send = flow_send_start(&options, &err);
	ck_assert_msg(s->send != NULL, "%s", err.msg);
}

static void
send_it(void)
{
	struct sending s;

	start(&s, fs.client);
	UNTIL(&fs.stage, s.answered);
	ck_assert_msg(s.why.code == ERR_NONE, "%s", s.why.msg);
}

/* One "f" with two steps, which run once each. */
static void
ck_one(void)
{
	ck_assert_str_eq(flow_state(), "running");
	ck_assert_str_eq(flow_show(), "f.a released; f.b waits after "
				      "f.a:complete; f.c waits on failure; ");
	flow_run("f.a", "failed");
	flow_run("f.b", "success");
	flow_run("f.c", "success");
	ck_assert_str_eq(flow_state(), "failed");
	UNTIL(&fs.stage, flow_queued() == 0);
	ck_assert_uint_eq(fs.worker->n_claims, 3);
}

START_TEST(a_workflow_is_there_as_a_whole)
{
	flow_open(_i);
	carry(WORKFLOW);
	send_it();
	ck_one();
	/* It is kept for so long that a fire that is sent again finds it. */
	ck_assert_int_ge(fs.info.life_s, FLOW_FORM_LIFE_S);
	buf_done(&carried);
	flow_close();
}
END_TEST

START_TEST(one_that_has_run_is_not_begun_again)
{
	flow_open(_i);
	carry(WORKFLOW);
	send_it();
	send_it();
	ck_one();
	send_it();
	ck_assert_str_eq(flow_state(), "failed");
	ck_assert_int_eq(flow_queued(), 0);
	buf_done(&carried);
	flow_close();
}
END_TEST

/* What a scheduler does that is killed after so many turns of its loop: true if it
 * had its answer. */
static bool
die_after(int turns)
{
	struct sending s;
	int i;

	start(&s, fs.client);
	for (i = 0; i < turns && !s.answered; i++)
		ck_assert(stage_turn(&fs.stage, stage_deadline()));
	backend_close(fs.results);
	party_close(fs.client);
	flow_send_free(s.send);
	fs.client = party_open(&fs.stage, NULL);
	fs.results = backend_open(&fs.stage);
	return s.answered;
}

START_TEST(a_scheduler_that_dies_at_any_step_leaves_one_workflow)
{
	bool answered = false;
	int turns;

	carry(WORKFLOW);
	for (turns = 0; !answered; turns++) {
		flow_open(_i);
		answered = die_after(turns);
		send_it();
		ck_one();
		flow_close();
	}
	/* There were steps to die at. */
	ck_assert_int_gt(turns, 3);
	buf_done(&carried);
}
END_TEST

START_TEST(two_schedulers_that_send_a_fire_make_one_workflow)
{
	struct sending one, two;
	struct party *other;
	int ahead;

	carry(WORKFLOW);
	for (ahead = 0; ahead < 6; ahead++) {
		int i;

		flow_open(_i);
		other = party_open(&fs.stage, NULL);
		start(&one, fs.client);
		for (i = 0; i < ahead && !one.answered; i++)
			ck_assert(stage_turn(&fs.stage, stage_deadline()));
		start(&two, other);
		UNTIL(&fs.stage, one.answered && two.answered);
		ck_assert_msg(one.why.code == ERR_NONE, "%s", one.why.msg);
		ck_assert_msg(two.why.code == ERR_NONE, "%s", two.why.msg);
		party_close(other);
		ck_one();
		flow_close();
	}
	buf_done(&carried);
}
END_TEST

/* Several times as many as are added at once; each waits for the one before. */
START_TEST(many_steps_are_added_in_pieces)
{
	struct buf text = BUF_INIT;
	int i;

	flow_open(_i);
	buf_adds(&text, "{\"steps\":[");
	for (i = 0; i < 1200; i++) {
		buf_addf(&text, "%s{\"id\":\"s%d\",\"name\":\"n\"",
			 i > 0 ? "," : "", i);
		if (i > 0)
			buf_addf(&text, ",\"after\":[\"s%d:success\"]", i - 1);
		buf_addc(&text, '}');
	}
	buf_adds(&text, "]}");
	buf_addc(&text, '\0');
	carry(text.data);
	send_it();
	CK_COUNTS("1200 1199 1 0 0 0");
	buf_done(&text);
	buf_done(&carried);
	flow_close();
}
END_TEST

/* The steps before the one that is refused do not run either. */
START_TEST(what_the_store_does_not_want_is_cancelled)
{
	struct sending s;

	flow_open(_i);
	carry("{\"steps\":[{\"id\":\"a\",\"name\":\"n\"},"
	      "{\"id\":\"b\",\"name\":\"n\",\"after\":[\"x:success\"]}]}");
	start(&s, fs.client);
	UNTIL(&fs.stage, s.answered);
	ck_assert_int_eq(s.why.code, ERR_DATA);
	ck_assert_msg(strstr(s.why.msg, "step f.b") != NULL, "%s", s.why.msg);
	/* Of a store that has workers say what is skipped, this one does. */
	UNTIL(&fs.stage, !flow_is_claimed("none") &&
			     strcmp(flow_state(), "cancelled") == 0);
	ck_assert_str_eq(flow_show(), "f.a skipped; ");
	buf_done(&carried);
	flow_close();
}
END_TEST

#define CASES(kind)                                                            \
	FLOW_EACH(a_workflow_is_there_as_a_whole, kind)                        \
	FLOW_EACH(one_that_has_run_is_not_begun_again, kind)                   \
	FLOW_EACH(a_scheduler_that_dies_at_any_step_leaves_one_workflow, kind) \
	FLOW_EACH(two_schedulers_that_send_a_fire_make_one_workflow, kind)     \
	FLOW_EACH(many_steps_are_added_in_pieces, kind)                        \
	FLOW_EACH(what_the_store_does_not_want_is_cancelled, kind)

FLOW_SUITES("beat-flow")
