/* SPDX-License-Identifier: MIT */
/* Counts of what has ended: what is counted, when it is sent, and what not. */
#include "dispatch/worker.h"

#include <inttypes.h>
#include <stdio.h>

#include "suite.h"

/* What was measured, as the fake has it. */
#define ck_measured(w, text)                                                   \
	ck_assert_msg(strstr(measured(w), text) != NULL, "%s", measured(w))
#define ck_not_measured(w, text)                                               \
	ck_assert_msg(strstr(measured(w), text) == NULL, "%s", measured(w))

static const char *
measured(struct worker *w)
{
	struct buf *b = &w->store.measured;

	buf_addc(b, '\0');
	b->len--;
	return b->data;
}

/* Sends what was counted, and waits for the answer. */
static void
send_now(struct worker *w)
{
	const unsigned int before = w->store.measurings;

	tally_send(w->dispatch->tally);
	FAKE_WAIT(&w->store, w->store.measurings > before);
	worker_settle(w);
}

START_TEST(what_ended_is_counted_by_queue_task_and_how)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	STEPS(w, "job", ",\"max_retries\":1", "started", "failed=oh");
	WAIT_FOR(w, "retry; ");
	STEPS(w, "job", ",\"max_retries\":0", "started", "failed=oh");
	WAIT_FOR(w, "dead");
	worker_settle(w);
	send_now(w);
	ck_measured(w, "io/job 0+1; ");
	ck_measured(w, "io/job 1+1; ");
	ck_measured(w, "io/job 2+1; ");
	ck_assert_uint_eq(w->store.measurings, 1);
	worker_end(w);
}
END_TEST

START_TEST(an_idle_worker_sends_nothing)
{
	struct worker *w = worker_begin();

	ck_assert(!tally_send(w->dispatch->tally));
	worker_settle(w);
	ck_assert_uint_eq(w->store.measurings, 0);
	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	/* By itself, within a second. */
	FAKE_WAIT(&w->store, w->store.measurings == 1);
	worker_settle(w);
	ck_assert(!tally_send(w->dispatch->tally));
	ck_assert_uint_eq(w->store.measurings, 1);
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_never_ran_has_neither_waited_nor_run)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"expires_at\":\"2001-01-01T00:00:00Z\"", "done=1");
	WAIT_FOR(w, "failed; ack");
	worker_settle(w);
	send_now(w);
	ck_assert_str_eq(measured(w), "io/job 1+1; ");
	worker_end(w);
}
END_TEST

/* The first ran before; the claim says when it was due. */
START_TEST(a_retry_has_waited_since_it_was_due)
{
	struct worker *w = worker_begin();
	char more[200], wanted[40];

	snprintf(more, sizeof(more), ",\"current_retry\":1,\"due_ms\":%" PRId64,
		 clock_wall_us() / 1000 - 40000);
	STEPS(w, "job", more, "started", "done=1");
	WAIT_FOR(w, "ack");
	worker_settle(w);
	send_now(w);
	snprintf(wanted, sizeof(wanted), "io/job %u+1; ",
		 MEASURE_WAIT + bucket_of(41 * INT64_C(1000000)));
	ck_measured(w, wanted);
	worker_end(w);
}
END_TEST

/* Its producer's clock is. */
START_TEST(a_task_whose_clock_is_ahead_has_waited_for_no_time)
{
	struct worker *w = worker_begin();
	char more[100], wanted[40];

	snprintf(more, sizeof(more), ",\"due_ms\":%" PRId64,
		 clock_wall_us() / 1000 + 40000);
	STEPS(w, "job", more, "started", "done=1");
	WAIT_FOR(w, "ack");
	worker_settle(w);
	send_now(w);
	snprintf(wanted, sizeof(wanted), "io/job %u+1; ",
		 MEASURE_WAIT + bucket_of(0));
	ck_measured(w, wanted);
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_will_be_retried_says_when_it_is_due)
{
	struct worker *w = worker_begin();
	const int64_t before_s = clock_wall_us() / 1000000;
	const char *due;

	STEPS(w, "job", ",\"max_retries\":3,\"retry_delay\":100", "started",
	      "failed=oh");
	WAIT_FOR(w, "retry; ");
	due = strstr(w->store.last_retry.data, "\"due_ms\":");
	ck_assert_ptr_nonnull(due);
	ck_assert_int_ge(atoll(due + 9) / 1000, before_s + 99);
	ck_assert_int_le(atoll(due + 9) / 1000,
			 clock_wall_us() / 1000000 + 101);
	worker_end(w);
}
END_TEST

/* Another worker has it, or has recorded it, and counts it. */
START_TEST(what_another_worker_has_recorded_is_not_counted)
{
	struct worker *w = worker_begin();

	w->store.answer = RESULTS_ENDED;
	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	worker_settle(w);
	ck_assert(!tally_send(w->dispatch->tally));
	worker_end(w);
}
END_TEST

START_TEST(a_record_that_is_not_stored_yet_is_not_counted)
{
	struct worker *w = worker_begin();

	w->store.hold_records = true;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "success");
	ck_assert(!tally_send(w->dispatch->tally));
	w->store.hold_records = false;
	WAIT_FOR(w, "ack");
	ck_assert(tally_send(w->dispatch->tally));
	worker_settle(w);
	worker_end(w);
}
END_TEST

START_TEST(counts_wait_for_a_backend_that_is_away)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	fake_results_reach(&w->store, false);
	ck_assert(!tally_send(w->dispatch->tally));
	ck_assert_uint_eq(w->store.measurings, 0);
	fake_results_reach(&w->store, true);
	FAKE_WAIT(&w->store, w->store.measurings == 1);
	ck_measured(w, "io/job 0+1; ");
	worker_end(w);
}
END_TEST

/* What came of it is not known: a dent in a chart is better than a lie. */
START_TEST(counts_whose_answer_is_lost_are_not_sent_again)
{
	struct worker *w = worker_begin();

	err_set(&w->store.measure_err, ERR_UNAVAILABLE, "gone");
	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	worker_settle(w);
	send_now(w);
	ck_assert(!tally_send(w->dispatch->tally));
	ck_assert_uint_eq(w->store.measurings, 1);
	worker_end(w);
}
END_TEST

START_TEST(one_batch_is_under_way_at_a_time)
{
	struct worker *w = worker_begin();

	w->store.hold_measures = true;
	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	worker_settle(w);
	ck_assert(tally_send(w->dispatch->tally));
	STEPS(w, "job", "", "started", "done=1");
	FAKE_WAIT(&w->store, worker_count(w, "ack") == 2);
	ck_assert(tally_send(w->dispatch->tally));
	ck_assert_uint_eq(w->store.measurings, 1);
	w->store.hold_measures = false;
	FAKE_WAIT(&w->store, w->store.measurings == 2);
	worker_end(w);
}
END_TEST

START_TEST(a_stop_waits_for_the_last_counts)
{
	struct worker *w = worker_begin();

	w->store.hold_measures = true;
	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->store.measurings == 1);
	worker_settle(w);
	ck_assert(!w->stopped);
	w->store.hold_measures = false;
	FAKE_WAIT(&w->store, w->stopped);
	worker_end(w);
}
END_TEST

/* --- names ------------------------------------------------------------- */

/* A tally of its own, with the fake as its backend. */
static void
on_sent(void *arg)
{
}

static struct tally *
tally_of(struct worker *w)
{
	static const char *const queues[] = {"io", "cpu", NULL};
	const struct tally_options options = {.base = w->base,
					      .results = w->dispatch->results,
					      .queues = queues,
					      .on_sent = on_sent};
	struct err err;
	struct tally *t = tally_new(&options, &err);

	ck_assert_ptr_nonnull(t);
	return t;
}

START_TEST(tasks_beyond_the_limit_count_for_others)
{
	const struct tally_attempt a = {MEASURE_SUCCEEDED, -1, -1};
	struct worker *w = worker_begin();
	struct tally *t = tally_of(w);
	char name[32];
	int i;

	for (i = 0; i < 2 * TALLY_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		tally_add(t, tally_find(t, 0, slice_of(name)), &a);
		tally_add(t, tally_find(t, 0, slice_of(name)), &a);
	}
	tally_add(t, tally_find(t, 1, SLICE("not a name")), &a);
	ck_assert(tally_send(t));
	worker_settle(w);
	ck_measured(w, "io/t0 0+2; ");
	ck_measured(w, "io/t499 0+2; ");
	ck_not_measured(w, "io/t500 ");
	ck_measured(w, "io/other 0+1000; ");
	ck_measured(w, "cpu/other 0+1; ");
	tally_free(t);
	worker_end(w);
}
END_TEST

/* More numbers than one batch takes: none is lost between two. */
START_TEST(many_numbers_go_in_several_batches)
{
	struct worker *w = worker_begin();
	struct tally *t = tally_of(w);
	char name[32];
	int i;

	for (i = 0; i < 400; i++) {
		const struct tally_attempt a = {MEASURE_FAILED, i, i * 1000};

		snprintf(name, sizeof(name), "t%d", i);
		tally_add(t, tally_find(t, 0, slice_of(name)), &a);
	}
	ck_assert(tally_send(t));
	worker_settle(w);
	/* Five each, but for the sums of the first, which are 0. */
	ck_assert_uint_eq(w->store.measurings, 2);
	for (i = 1; i < 400; i++) {
		snprintf(name, sizeof(name), "io/t%d 4+%d; ", i, i * 1000);
		ck_measured(w, name);
	}
	tally_free(t);
	worker_end(w);
}
END_TEST

/* Measured 17 ns; the bar is loose, since tests share the machine. */
START_TEST(a_count_costs_less_than_a_microsecond)
{
	struct tally_attempt a = {MEASURE_SUCCEEDED, 12345, 6789};
	struct worker *w = worker_begin();
	struct tally *t = tally_of(w);
	int64_t began = clock_mono_us(), best = INT64_MAX;
	int round, i;

	for (round = 0; round < 5; round++) {
		began = clock_mono_us();
		for (i = 0; i < 100000; i++) {
			a.wait_us += 17;
			tally_add(t,
				  tally_find(t, 0, SLICE("mail.send_welcome")),
				  &a);
		}
		if (clock_mono_us() - began < best)
			best = clock_mono_us() - began;
	}
	if (getenv("TALLY_COST") != NULL)
		printf("%" PRId64 " ns a count\n", best / 100);
	/* A sanitizer looks at each access. */
	ck_assert_int_lt(best, SANITIZED ? 2000000 : 100000);
	tally_free(t);
	worker_end(w);
}
END_TEST

SUITE("tally")
{
	TEST(what_ended_is_counted_by_queue_task_and_how);
	TEST(an_idle_worker_sends_nothing);
	TEST(a_task_that_never_ran_has_neither_waited_nor_run);
	TEST(a_retry_has_waited_since_it_was_due);
	TEST(a_task_whose_clock_is_ahead_has_waited_for_no_time);
	TEST(a_task_that_will_be_retried_says_when_it_is_due);
	TEST(what_another_worker_has_recorded_is_not_counted);
	TEST(a_record_that_is_not_stored_yet_is_not_counted);
	TEST(counts_wait_for_a_backend_that_is_away);
	TEST(counts_whose_answer_is_lost_are_not_sent_again);
	TEST(one_batch_is_under_way_at_a_time);
	TEST(a_stop_waits_for_the_last_counts);
	TEST(tasks_beyond_the_limit_count_for_others);
	TEST(many_numbers_go_in_several_batches);
	TEST(a_count_costs_less_than_a_microsecond);
}
