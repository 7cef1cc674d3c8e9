/* SPDX-License-Identifier: MIT */
/* Steps of workflows that no queue has: which of them end as lost, and when. */
#include "dispatch/worker.h"

#include <stdio.h>
#include <time.h>

#include "dispatch/mend.h"
#include "suite.h"

#define RECORD                                                                 \
	"{\"task_id\":\"a\",\"status\":\"pending\",\"queue\":\"io\","          \
	"\"flow\":\"f\"}"
#define MOVED                                                                  \
	"{\"task_id\":\"a\",\"status\":\"pending\",\"queue\":\"cpu\","         \
	"\"flow\":\"f\"}"
#define DONE                                                                   \
	"{\"task_id\":\"a\",\"status\":\"success\",\"queue\":\"io\","          \
	"\"flow\":\"f\",\"result\":1}"
#define HOUR_MS INT64_C(3600000)

/* A broker with one workflow, "f", of which one step, "a", is released. */
static struct flows {
	struct event_base *base;
	struct broker_ops ops;
	struct broker_flow_ops flow;
	bool stale;	     /* it is due */
	enum flow_role role; /* of "a" */
	bool missing;	     /* no place of the queue has the step */
	unsigned int pages, asked;
	char queue[64]; /* that was asked last */
	char ended[64]; /* "f/a 1; ", with how it has ended */
	broker_names_fn *on_names;
	broker_steps_fn *on_page;
	broker_value_fn *on_value;
	void *arg;
} f;

static void
answer_stale(evutil_socket_t fd, short what, void *arg)
{
	const struct slice name = SLICE("f");
	const bool stale = f.stale;

	f.stale = false;
	f.on_names(&name, stale, NULL, f.arg);
}

static void
answer_missing(evutil_socket_t fd, short what, void *arg)
{
	const struct slice name = SLICE("a");

	f.on_names(&name, f.missing, NULL, f.arg);
}

static void
answer_page(evutil_socket_t fd, short what, void *arg)
{
	const struct flow_step step = {
	    .id = SLICE("a"), .role = f.role, .place = FLOW_RELEASED};
	const struct flow_page page = {.steps = &step, .n = 1};

	f.pages++;
	f.on_page(&page, NULL, f.arg);
}

static void
answer_value(evutil_socket_t fd, short what, void *arg)
{
	f.on_value(SLICE("1"), NULL, f.arg);
}

/* From the loop, as the contract says. */
static void
answer_by(event_callback_fn fn)
{
	const struct timeval now = {0, 0};

	event_base_once(f.base, -1, EV_TIMEOUT, fn, NULL, &now);
}

static void
flows_stale(struct broker *b, broker_names_fn *on_names, void *arg)
{
	f.on_names = on_names;
	f.arg = arg;
	answer_by(answer_stale);
}

static void
flows_missing(struct broker *b, const struct flow_missing *ask,
	      broker_names_fn *on_names, void *arg)
{
	ck_assert_uint_eq(ask->n, 1);
	ck_assert(slice_eq(ask->ids[0], SLICE("a")));
	snprintf(f.queue, sizeof(f.queue), "%.*s", (int)ask->queue.len,
		 ask->queue.p);
	f.asked++;
	f.on_names = on_names;
	f.arg = arg;
	answer_by(answer_missing);
}

static void
flows_repair(struct broker *b, struct slice flow, struct slice cursor,
	     broker_steps_fn *on_page, void *arg)
{
	f.on_page = on_page;
	f.arg = arg;
	answer_by(answer_page);
}

static void
flows_end_step(struct broker *b, const struct flow_end *end,
	       broker_value_fn *on_value, void *arg)
{
	snprintf(f.ended + strlen(f.ended), sizeof(f.ended) - strlen(f.ended),
		 "%.*s/%.*s %d; ", (int)end->flow.len, end->flow.p,
		 (int)end->step.len, end->step.p, (int)end->outcome);
	f.on_value = on_value;
	f.arg = arg;
	answer_by(answer_value);
}

/* --- time ------------------------------------------------------------------- */

static int64_t ahead_ms;

static int64_t
mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000 + ahead_ms * 1000;
}

static int64_t
wall_us(void)
{
	return INT64_C(1700000000000000);
}

/* --- the worker ---------------------------------------------------------------- */

static struct worker *
begin(void)
{
	static const struct clock_source source = {mono_us, wall_us};
	struct worker *w = worker_begin();

	clock_replace(&source);
	f = (struct flows){.base = w->base,
			   .ops = *w->dispatch->broker->ops,
			   .stale = true,
			   .missing = true};
	f.flow = (struct broker_flow_ops){.stale = flows_stale,
					  .repair = flows_repair,
					  .end_step = flows_end_step,
					  .missing = flows_missing};
	f.ops.flow = &f.flow;
	w->dispatch->broker->ops = &f.ops;
	w->store.stored = RECORD;
	return w;
}

static bool
is_at_rest(struct worker *w)
{
	return fake_store_unanswered(&w->store) == 0 &&
	       TAILQ_EMPTY(&w->store.puts) && !w->dispatch->mend->under_way;
}

/* Housekeeping, to its end. */
static void
look(struct worker *w)
{
	mend_turn(w->dispatch);
	FAKE_WAIT(&w->store, is_at_rest(w));
}

/* With the default of [worker] lost_after. */
START_TEST(a_step_that_stays_nowhere_ends_as_lost)
{
	struct worker *w = begin();

	look(w);
	ck_assert_str_eq(f.queue, "io");
	ahead_ms += HOUR_MS - 60000;
	f.stale = true;
	look(w);
	ck_assert_uint_eq(f.asked, 2);
	ck_assert_str_eq(f.ended, "");
	look(w);
	ck_assert_uint_eq(f.pages, 2);
	/* It is looked at now though nobody says that it is due. */
	ahead_ms += 60000;
	look(w);
	ck_assert_str_eq(f.ended, "f/a 1; ");
	ck_record(w, "\"status\":\"failed\"");
	ck_record(w, "\"reason\":\"lost\"");
	ck_record(w, "failed in its workflow");
	ck_assert(w->store.last_put.final && w->store.last_put.failed);
	ck_assert_int_gt(w->store.last_put.ttl_s, 0);
	ck_assert_int_eq(w->dispatch->upkeep.lost, 1);
	look(w);
	ck_assert_uint_eq(f.pages, 3);
	worker_end(w);
}
END_TEST

/* It was on its way from one queue to another, or is with another kind of worker. */
START_TEST(a_step_with_another_record_is_not_lost)
{
	struct worker *w = begin();

	look(w);
	ahead_ms += HOUR_MS;
	w->store.stored = MOVED;
	look(w);
	ck_assert_str_eq(f.queue, "cpu");
	ck_assert_str_eq(f.ended, "");
	ck_journal(w, "");
	/* With that record, it begins once more. */
	f.stale = true;
	look(w);
	ahead_ms += HOUR_MS - 1000;
	look(w);
	ck_assert_str_eq(f.ended, "");
	ahead_ms += 1000;
	look(w);
	ck_assert_str_eq(f.ended, "f/a 1; ");
	worker_end(w);
}
END_TEST

START_TEST(a_step_that_is_somewhere_is_not_lost)
{
	struct worker *w = begin();

	look(w);
	ahead_ms += HOUR_MS;
	f.missing = false;
	look(w);
	ck_assert_uint_eq(f.asked, 2);
	/* That it was nowhere is forgotten. */
	f.missing = true;
	f.stale = true;
	look(w);
	ck_assert_uint_eq(f.asked, 3);
	ck_assert_str_eq(f.ended, "");
	ck_journal(w, "");
	worker_end(w);
}
END_TEST

/* A person's command stores the end of what it has taken out, just then. */
START_TEST(an_end_that_comes_first_stays)
{
	struct worker *w = begin();

	look(w);
	ahead_ms += HOUR_MS;
	w->store.answer = RESULTS_ENDED;
	look(w);
	ck_assert_str_eq(f.ended, "");
	ck_assert_int_eq(w->dispatch->upkeep.lost, 0);
	w->store.stored = DONE;
	f.stale = true;
	look(w);
	ck_assert_str_eq(f.ended, "f/a 0; ");
	worker_end(w);
}
END_TEST

START_TEST(a_callback_that_stays_nowhere_ends_as_lost)
{
	struct worker *w = begin();

	f.role = FLOW_ON_FAILURE;
	look(w);
	ck_assert_str_eq(f.queue, "io");
	ck_assert_str_eq(f.ended, "");
	ahead_ms += HOUR_MS;
	look(w);
	ck_assert_str_eq(f.ended, "f/a 1; ");
	ck_record(w, "\"reason\":\"lost\"");
	worker_end(w);
}
END_TEST

/* With records elsewhere it has none before it runs. */
START_TEST(a_callback_without_a_record_has_not_ended)
{
	struct worker *w = begin();

	f.role = FLOW_ON_FAILURE;
	w->store.stored = NULL;
	look(w);
	ck_assert_uint_eq(f.pages, 1);
	ck_assert_uint_eq(f.asked, 0);
	ck_assert_str_eq(f.ended, "");
	f.role = FLOW_STEP;
	f.stale = true;
	look(w);
	ck_assert_str_eq(f.ended, "f/a 1; ");
	worker_end(w);
}
END_TEST

/* Counts of dead lists are stored in between; that ends no look at workflows. */
START_TEST(a_look_goes_on_while_counts_are_stored)
{
	struct worker *w = begin();
	const struct broker_trimmed trimmed = {.queue = SLICE("io"),
					       .expired = 1};

	look(w);
	ahead_ms += HOUR_MS;
	mend_turn(w->dispatch);
	upkeep_note(w->dispatch, &trimmed);
	upkeep_turn(w->dispatch);
	FAKE_WAIT(&w->store, is_at_rest(w));
	ck_assert_str_eq(f.ended, "f/a 1; ");
	worker_end(w);
}
END_TEST

SUITE("dispatch-mend")
{
	TEST(a_step_that_stays_nowhere_ends_as_lost);
	TEST(a_step_with_another_record_is_not_lost);
	TEST(a_step_that_is_somewhere_is_not_lost);
	TEST(an_end_that_comes_first_stays);
	TEST(a_callback_that_stays_nowhere_ends_as_lost);
	TEST(a_callback_without_a_record_has_not_ended);
	TEST(a_look_goes_on_while_counts_are_stored);
}
