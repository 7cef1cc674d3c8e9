/* SPDX-License-Identifier: MIT */
/* Workflows: what becomes of steps, whatever becomes of the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/flow_stage.h"
#include "suite.h"

/* Stores that have workflows. */
static const enum kind kinds[] = {KIND_SQLITE, KIND_REDIS};
#define N_STORES (sizeof(kinds) / sizeof(kinds[0]))

#define N_MANY 1200 /* more than one transaction does */

static struct flow_stage s;

static void
begin(int kind, enum flow_policy policy, bool whole)
{
	fstage_open(&s, kind);
	fstage_begin(&s, policy, whole);
}

static void
add_callback(const char *id, enum flow_role role)
{
	const struct broker_submit more = {.role = role};

	ck_assert_msg(fstage_add_with(&s, id, "", &more) == ERR_NONE, "%s",
		      s.worker->err.msg);
}

static void
add_callbacks(void)
{
	add_callback("on-success", FLOW_ON_SUCCESS);
	add_callback("on-failure", FLOW_ON_FAILURE);
	add_callback("on-complete", FLOW_ON_COMPLETE);
}

/* Nothing of the workflow is left behind where tasks are. */
static void
ck_nothing_left(void)
{
	if (s.stage.kind != KIND_SQLITE)
		return;
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT count(*) FROM waits"), 0);
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT count(*) FROM delayed"),
			 0);
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT size FROM queues"), 0);
	ck_assert_int_eq(
	    stage_sql(&s.stage,
		      "SELECT count(*) FROM flows f WHERE (waiting, released, "
		      "succeeded, failed, skipped) <> (SELECT count(*) FILTER "
		      "(WHERE state = 0), count(*) FILTER (WHERE state = 1), "
		      "count(*) FILTER (WHERE state = 2), count(*) FILTER "
		      "(WHERE state = 3), count(*) FILTER (WHERE state = 4) "
		      "FROM steps WHERE flow = f.number AND role = 0)"),
	    0);
}

/* --- going on ------------------------------------------------------------------ */

START_TEST(steps_go_on_as_those_before_them_end)
{
	begin(kinds[_i], FLOW_CONTINUE, false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	fstage_add(&s, "c", "a");
	fstage_add(&s, "d", "b,c:complete");
	fstage_settle_down(&s);
	ck_assert(!fstage_is_claimed(&s, "b"));
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	fstage_settle_down(&s);
	ck_assert(!fstage_is_claimed(&s, "d"));
	ck_assert_str_eq(fstage_steps(&s),
			 "a=succeeded b=succeeded c=released d=waits");
	ck_assert_str_eq(fstage_seal(&s), "running");
	fstage_finish(&s, "c", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "d", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_SUCCEEDED);
	ck_assert_int_eq(s.info.steps, 4);
	ck_assert_int_eq(s.info.ended[FLOW_STEP_SUCCEEDED], 4);
	ck_assert_int_eq(s.info.waiting + s.info.released, 0);
	ck_assert_int_ge(s.info.ended_ms, s.info.begun_ms);
	ck_assert_str_eq(s.label, "nightly");
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

static const struct {
	enum flow_outcome before;
	const char *how;
	bool runs;
} ways[] = {
    {FLOW_STEP_SUCCEEDED, "success", true},
    {FLOW_STEP_SUCCEEDED, "failure", false},
    {FLOW_STEP_SUCCEEDED, "complete", true},
    {FLOW_STEP_FAILED, "success", false},
    {FLOW_STEP_FAILED, "failure", true},
    {FLOW_STEP_FAILED, "complete", true},
    {FLOW_STEP_SKIPPED, "success", false},
    {FLOW_STEP_SKIPPED, "failure", false},
    {FLOW_STEP_SKIPPED, "complete", true},
};
#define N_WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

/* "c" is that one before. */
static void
end_as(enum flow_outcome outcome)
{
	if (outcome == FLOW_STEP_SKIPPED) {
		fstage_finish(&s, "a", FLOW_STEP_FAILED);
		fstage_ck_skipped(&s, "c");
	} else {
		fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
		fstage_finish(&s, "c", outcome);
	}
}

/* Also of one that has ended when the other is added. */
START_TEST(each_way_to_end_has_its_followers)
{
	char late[32], soon[32];
	int i;

	begin(kinds[_i % (int)N_STORES], FLOW_CONTINUE, false);
	i = _i / (int)N_STORES;
	snprintf(soon, sizeof(soon), "c:%s", ways[i].how);
	snprintf(late, sizeof(late), "c:%s", ways[i].how);
	fstage_add(&s, "a", "");
	fstage_add(&s, "c", "a");
	fstage_add(&s, "soon", soon);
	end_as(ways[i].before);
	fstage_add(&s, "late", late);
	if (ways[i].runs) {
		fstage_finish(&s, "soon", FLOW_STEP_SUCCEEDED);
		fstage_finish(&s, "late", FLOW_STEP_SUCCEEDED);
	} else {
		fstage_ck_skipped(&s, "soon");
		fstage_ck_skipped(&s, "late");
	}
	fstage_seal(&s);
	fstage_await(&s, ways[i].before == FLOW_STEP_SUCCEEDED ? FLOW_SUCCEEDED
							       : FLOW_FAILED);
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

/* Of a chain that is longer than the stack would be deep. */
START_TEST(all_behind_a_failed_step_are_skipped)
{
	char id[16], before[16] = "a";
	int i;

	begin(kinds[_i], FLOW_CONTINUE, false);
	fstage_add(&s, "a", "");
	for (i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		fstage_add(&s, id, before);
		memcpy(before, id, sizeof(id));
	}
	fstage_add(&s, "cleanup", "c299:complete");
	fstage_seal(&s);
	fstage_finish(&s, "a", FLOW_STEP_FAILED);
	for (i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		fstage_ck_skipped(&s, id);
	}
	fstage_finish(&s, "cleanup", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_FAILED);
	ck_assert_int_eq(s.info.ended[FLOW_STEP_SKIPPED], 300);
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

START_TEST(a_delay_begins_when_a_step_goes_on)
{
	const struct broker_submit more = {.delay_ms = 3600000};

	begin(kinds[_i], FLOW_CONTINUE, false);
	fstage_add(&s, "a", "");
	ck_assert_int_eq(fstage_add_with(&s, "b", "a", &more), ERR_NONE);
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_settle_down(&s);
	ck_assert(!fstage_is_claimed(&s, "b"));
	ck_assert_str_eq(fstage_steps(&s), "a=succeeded b=released");
	fstage_close(&s);
}
END_TEST

/* --- callbacks ------------------------------------------------------------------- */

static const struct {
	const char *called;
	const char *const not [3];
	enum flow_outcome last;
	bool cancels;
	enum flow_state state;
} calls[] = {
    {"on-success", {"on-failure"}, FLOW_STEP_SUCCEEDED, false, FLOW_SUCCEEDED},
    {"on-failure", {"on-success"}, FLOW_STEP_FAILED, false, FLOW_FAILED},
    {"on-failure", {"on-success"}, FLOW_STEP_SUCCEEDED, true, FLOW_CANCELLED},
};
#define N_CALLS ((int)(sizeof(calls) / sizeof(calls[0])))

START_TEST(callbacks_are_called_once_all_has_ended)
{
	int i;

	begin(kinds[_i % (int)N_STORES], FLOW_CONTINUE, false);
	i = _i / (int)N_STORES;
	add_callbacks();
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "");
	fstage_seal(&s);
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	if (calls[i].cancels)
		ck_assert_str_eq(fstage_cancel(&s), "cancelling");
	fstage_settle_down(&s);
	ck_assert(!fstage_is_claimed(&s, "on-complete"));
	ck_assert_ptr_null(backend_get(&s.stage, s.results, "on-complete"));
	fstage_finish(&s, "b", calls[i].last);
	fstage_await(&s, calls[i].state);
	fstage_finish(&s, "on-complete", FLOW_STEP_FAILED);
	fstage_finish(&s, calls[i].called, FLOW_STEP_SUCCEEDED);
	fstage_settle_down(&s);
	ck_assert(!fstage_is_claimed(&s, calls[i].not [0]));
	ck_assert_ptr_null(backend_get(&s.stage, s.results, calls[i].not [0]));
	/* What becomes of them does not matter to it. */
	fstage_look(&s);
	ck_assert_int_eq(s.info.state, calls[i].state);
	ck_assert_int_eq(s.info.steps, 2);
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

START_TEST(an_empty_workflow_ends_when_it_is_sealed)
{
	begin(kinds[_i], FLOW_CONTINUE, _i % 2);
	add_callbacks();
	ck_assert_str_eq(fstage_seal(&s), "succeeded");
	fstage_finish(&s, "on-success", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "on-complete", FLOW_STEP_SUCCEEDED);
	fstage_close(&s);
}
END_TEST

/* --- the seal -------------------------------------------------------------------- */

START_TEST(nothing_of_a_whole_runs_before_the_seal)
{
	char id[16];
	int i;

	begin(kinds[_i], FLOW_CONTINUE, true);
	for (i = 0; i < N_MANY; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		fstage_add(&s, id, "");
	}
	fstage_add(&s, "last", "t0,t1199");
	fstage_settle_down(&s);
	ck_assert(!fstage_is_claimed(&s, "t0"));
	fstage_look(&s);
	ck_assert_int_eq(s.info.waiting, N_MANY + 1);
	ck_assert(s.info.whole);
	ck_assert_str_eq(fstage_seal(&s), "running");
	fstage_look(&s);
	ck_assert_int_eq(s.info.waiting, 1);
	/* Once more, it is the same. */
	ck_assert_str_eq(fstage_seal(&s), "running");
	for (i = 0; i < N_MANY; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		fstage_finish(&s, id, FLOW_STEP_SUCCEEDED);
	}
	fstage_finish(&s, "last", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_SUCCEEDED);
	ck_assert_str_eq(fstage_seal(&s), "succeeded");
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

/* --- cancelling --------------------------------------------------------------------- */

START_TEST(a_cancelled_workflow_lets_nothing_more_begin)
{
	char id[16];
	int i;

	begin(kinds[_i], FLOW_CONTINUE, false);
	fstage_add(&s, "a", "");
	for (i = 0; i < N_MANY; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		fstage_add(&s, id, i % 2 ? "a:complete" : "a");
	}
	UNTIL(&s.stage, fstage_is_claimed(&s, "a"));
	ck_assert_str_eq(fstage_cancel(&s), "cancelling");
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	for (i = 0; i < N_MANY; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		fstage_ck_skipped(&s, id);
	}
	fstage_await(&s, FLOW_CANCELLED);
	ck_assert_int_eq(s.info.ended[FLOW_STEP_SUCCEEDED], 1);
	ck_assert_int_eq(s.info.ended[FLOW_STEP_SKIPPED], N_MANY);
	ck_assert_str_eq(fstage_cancel(&s), "cancelled");
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

START_TEST(a_whole_is_cancelled_before_it_was_sealed)
{
	begin(kinds[_i], FLOW_CONTINUE, true);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a:failure");
	ck_assert_ptr_nonnull(fstage_cancel(&s));
	fstage_ck_skipped(&s, "a");
	fstage_ck_skipped(&s, "b");
	fstage_await(&s, FLOW_CANCELLED);
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

/* What would come after the failure is not done either. */
START_TEST(a_failure_cancels_all_if_that_is_the_policy)
{
	begin(kinds[_i], FLOW_CANCEL, false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "");
	fstage_add(&s, "c", "a:failure");
	fstage_add(&s, "d", "b");
	fstage_seal(&s);
	UNTIL(&s.stage, fstage_is_claimed(&s, "b"));
	fstage_finish(&s, "a", FLOW_STEP_FAILED);
	fstage_ck_skipped(&s, "c");
	fstage_ck_skipped(&s, "d");
	fstage_await(&s, FLOW_CANCELLING);
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_CANCELLED);
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

/* --- adding -------------------------------------------------------------------------- */

static void
ck_refused(const char *after, const struct broker_submit *more,
	   enum err_code code, const char *why)
{
	ck_assert_int_eq(fstage_add_with(&s, "new", after, more), code);
	ck_assert_msg(strstr(s.worker->err.msg, why) != NULL, "%s",
		      s.worker->err.msg);
	ck_assert_ptr_null(backend_get(&s.stage, s.results, "new"));
}

START_TEST(what_cannot_be_a_step_is_refused)
{
	const struct broker_submit plain = {.flow = SLICE("f")},
				   other = {.flow = SLICE("nobody")},
				   within = {.within = SLICE("a")},
				   gone = {.within = SLICE("b")};

	begin(kinds[_i], FLOW_CONTINUE, false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "");
	ck_refused("", &other, ERR_NOT_FOUND, "nobody");
	ck_refused("a,x", &plain, ERR_NOT_FOUND, "x");
	ck_refused("new", &plain, ERR_NOT_FOUND, "new");
	fstage_seal(&s);
	ck_refused("", &plain, ERR_REFUSED, "sealed");
	/* Who is at work in it may add to it. */
	ck_assert_int_eq(fstage_add_with(&s, "c", "a", &within), ERR_NONE);
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	ck_refused("", &gone, ERR_REFUSED, "sealed");
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "c", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_SUCCEEDED);
	ck_refused("", &within, ERR_REFUSED, "ended");
	fstage_close(&s);
}
END_TEST

START_TEST(a_step_that_is_added_again_is_there_once)
{
	begin(kinds[_i], FLOW_CONTINUE, false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	fstage_look(&s);
	ck_assert_int_eq(s.info.steps, 2);
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_add(&s, "a", "");
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	/* It was sent before the seal, but its answer was lost. */
	fstage_seal(&s);
	fstage_add(&s, "b", "a");
	fstage_settle_down(&s);
	ck_assert(!fstage_is_claimed(&s, "a") && !fstage_is_claimed(&s, "b"));
	fstage_await(&s, FLOW_SUCCEEDED);
	ck_assert_int_eq(s.info.steps, 2);
	fstage_close(&s);
}
END_TEST

START_TEST(a_full_queue_takes_steps)
{
	begin(kinds[_i], FLOW_CONTINUE, false);
	party_close(s.worker);
	s.stage.options.max_queue_size = 1;
	s.worker = party_open(&s.stage, "host:a");
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "");
	fstage_add(&s, "c", "a");
	ck_assert_int_eq(party_submit(s.worker, "x", "{}", 0, 0), ERR_FULL);
	fstage_close(&s);
}
END_TEST

/* --- ends without a worker ------------------------------------------------------------ */

START_TEST(a_step_that_nobody_settles_is_ended)
{
	begin(kinds[_i], FLOW_CONTINUE, false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a:failure");
	ck_assert_str_eq(fstage_end_step(&s, "a", FLOW_STEP_FAILED), "1");
	ck_assert_str_eq(fstage_end_step(&s, "a", FLOW_STEP_SUCCEEDED), "");
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	ck_assert_ptr_null(fstage_end_step(&s, "x", FLOW_STEP_FAILED));
	ck_assert_int_eq(s.err.code, ERR_NOT_FOUND);
	fstage_seal(&s);
	fstage_await(&s, FLOW_FAILED);
	/* The worker that has it all the same changes nothing. */
	fstage_settle(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_settle_down(&s);
	fstage_look(&s);
	ck_assert_int_eq(s.info.state, FLOW_FAILED);
	fstage_close(&s);
}
END_TEST

/* Between the record and the settlement: who has the claim next does it again. */
START_TEST(a_worker_that_dies_before_it_settles_leaves_all_to_the_next)
{
	begin(kinds[_i], FLOW_CONTINUE, false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	fstage_add(&s, "c", "b");
	fstage_seal(&s);
	fstage_store(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_restart(&s);
	fstage_settle(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_store(&s, "b", FLOW_STEP_SUCCEEDED);
	fstage_restart(&s);
	fstage_settle(&s, "b", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "c", FLOW_STEP_SUCCEEDED);
	fstage_settle_down(&s);
	ck_assert(!fstage_is_claimed(&s, "b") && !fstage_is_claimed(&s, "c"));
	fstage_await(&s, FLOW_SUCCEEDED);
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

/* --- once more ----------------------------------------------------------------------- */

static void
on_reopened(struct slice record, const struct err *err, void *arg)
{
	ck_assert_ptr_null(err);
	*(bool *)arg = true;
}

static void
reopen_record(const char *id)
{
	bool done = false;

	results_reopen(s.results->results, slice_of(id),
		       SLICE("{\"status\":\"pending\"}"), on_reopened, &done);
	UNTIL(&s.stage, done);
}

static void
on_requeued(struct broker_requeue *batch, size_t n, void *arg)
{
	ck_assert_int_eq(batch[0].err.code, ERR_NONE);
	*(bool *)arg = true;
}

/* As flowrractl does, in that order. */
static void
retry(const char *id, const char *expected)
{
	char names[sizeof(s.value)], *rest = names, *name, bytes[128];
	struct broker_requeue requeue = {.key = slice_of(id)};
	bool done = false;

	ck_assert_msg(fstage_reopen(&s, id) != NULL, "%s", s.err.msg);
	ck_assert_str_eq(s.value, expected);
	snprintf(names, sizeof(names), "%s", s.value);
	while ((name = strsep(&rest, " ")) != NULL)
		reopen_record(name);
	snprintf(bytes, sizeof(bytes),
		 "{\"id\":\"%s\",\"name\":\"n\",\"flow\":\"f\"}", id);
	requeue.retry_bytes = slice_of(bytes);
	broker_requeue(s.worker->broker, SLICE("io"), &requeue, 1, on_requeued,
		       &done);
	UNTIL(&s.stage, done);
}

START_TEST(a_failed_step_is_run_again_with_all_behind_it)
{
	begin(kinds[_i], FLOW_CONTINUE, false);
	add_callbacks();
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	fstage_add(&s, "c", "b");
	fstage_add(&s, "d", "a:failure");
	fstage_add(&s, "e", "b,d:complete");
	fstage_seal(&s);
	fstage_finish(&s, "a", FLOW_STEP_FAILED);
	fstage_ck_skipped(&s, "b");
	fstage_ck_skipped(&s, "c");
	fstage_finish(&s, "d", FLOW_STEP_SUCCEEDED);
	fstage_ck_skipped(&s, "e");
	fstage_await(&s, FLOW_FAILED);
	fstage_finish(&s, "on-failure", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "on-complete", FLOW_STEP_SUCCEEDED);
	ck_assert_ptr_null(fstage_reopen(&s, "b"));
	ck_assert_int_eq(s.err.code, ERR_REFUSED);
	ck_assert_ptr_null(fstage_reopen(&s, "d"));
	ck_assert_int_eq(s.err.code, ERR_REFUSED);
	retry("a", "a b c e");
	fstage_look(&s);
	ck_assert_int_eq(s.info.state, FLOW_RUNNING);
	ck_assert_str_eq(fstage_steps(&s) + strlen("a=released b=waits c=waits "
						   "d=succeeded e=waits"),
			 " on-complete=waits on-failure=waits "
			 "on-success=waits");
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "c", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "e", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_SUCCEEDED);
	fstage_finish(&s, "on-success", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "on-complete", FLOW_STEP_SUCCEEDED);
	ck_nothing_left();
	fstage_close(&s);
}
END_TEST

/* None of them runs before its record can say so. */
START_TEST(a_step_that_waits_again_waits_for_its_record)
{
	begin(kinds[_i], FLOW_CONTINUE, false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	fstage_finish(&s, "a", FLOW_STEP_FAILED);
	fstage_ck_skipped(&s, "b");
	ck_assert_str_eq(fstage_reopen(&s, "a"), "a b");
	ck_assert_str_eq(fstage_end_step(&s, "a", FLOW_STEP_SUCCEEDED), "1");
	fstage_settle_down(&s);
	if (s.stage.kind == KIND_SQLITE)
		ck_assert(!fstage_is_claimed(&s, "b"));
	reopen_record("b");
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	fstage_seal(&s);
	fstage_await(&s, FLOW_SUCCEEDED);
	fstage_close(&s);
}
END_TEST

SUITE("flow-more")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(steps_go_on_as_those_before_them_end, 0, N_STORES);
	TEST_LOOP(each_way_to_end_has_its_followers, 0, N_WAYS * (int)N_STORES);
	TEST_LOOP(all_behind_a_failed_step_are_skipped, 0, N_STORES);
	TEST_LOOP(a_delay_begins_when_a_step_goes_on, 0, N_STORES);
	TEST_LOOP(callbacks_are_called_once_all_has_ended, 0,
		  N_CALLS * (int)N_STORES);
	TEST_LOOP(an_empty_workflow_ends_when_it_is_sealed, 0, N_STORES);
	TEST_LOOP(nothing_of_a_whole_runs_before_the_seal, 0, N_STORES);
	TEST_LOOP(a_cancelled_workflow_lets_nothing_more_begin, 0, N_STORES);
	TEST_LOOP(a_whole_is_cancelled_before_it_was_sealed, 0, N_STORES);
	TEST_LOOP(a_failure_cancels_all_if_that_is_the_policy, 0, N_STORES);
	TEST_LOOP(what_cannot_be_a_step_is_refused, 0, N_STORES);
	TEST_LOOP(a_step_that_is_added_again_is_there_once, 0, N_STORES);
	TEST_LOOP(a_full_queue_takes_steps, 0, N_STORES);
	TEST_LOOP(a_step_that_nobody_settles_is_ended, 0, N_STORES);
	TEST_LOOP(a_worker_that_dies_before_it_settles_leaves_all_to_the_next,
		  0, N_STORES);
	TEST_LOOP(a_failed_step_is_run_again_with_all_behind_it, 0, N_STORES);
	TEST_LOOP(a_step_that_waits_again_waits_for_its_record, 0, N_STORES);
}
