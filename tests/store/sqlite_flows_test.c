/* SPDX-License-Identifier: MIT */
/* Workflows in an embedded database: what is left to housekeeping, and what people do to
 * steps behind a workflow's back. */
#include <stdio.h>
#include <string.h>

#include "store/flow_stage.h"
#include "suite.h"

#define N_MANY 1200 /* more than one transaction does */

static struct flow_stage s;

static void
begin(bool whole)
{
	fstage_open(&s, KIND_SQLITE);
	fstage_begin(&s, FLOW_CONTINUE, whole);
}

static void
tidy(void)
{
	static const struct broker_limits limits = {.record_ttl_s = 60};

	broker_tidy(s.worker->broker, &limits);
}

#define TIDY_UNTIL(condition)                                                  \
	do {                                                                   \
		int64_t until_ = stage_deadline();                             \
		while (!(condition)) {                                         \
			tidy();                                                \
			ck_assert_msg(stage_turn(&s.stage, until_),            \
				      "waited for " #condition);               \
		}                                                              \
	} while (0)

static void
add_many(const char *after)
{
	char id[16];
	int i;

	for (i = 0; i < N_MANY; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		fstage_add(&s, id, after);
	}
}

/* --- what one transaction does not finish -------------------------------------- */

/* The policy: nobody is there who could ask for more. */
START_TEST(all_of_a_large_workflow_is_cancelled_by_a_failure)
{
	fstage_open(&s, KIND_SQLITE);
	fstage_begin(&s, FLOW_CANCEL, false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "");
	add_many("b:complete");
	fstage_seal(&s);
	fstage_finish(&s, "a", FLOW_STEP_FAILED);
	fstage_look(&s);
	ck_assert_int_eq(s.info.state, FLOW_CANCELLING);
	ck_assert_int_gt(s.info.waiting, 0);
	TIDY_UNTIL(fstage_look(&s)->waiting == 0);
	ck_assert_int_eq(s.info.ended[FLOW_STEP_SKIPPED], N_MANY);
	ck_assert_int_eq(s.info.state, FLOW_CANCELLING);
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_CANCELLED);
	fstage_close(&s);
}
END_TEST

/* The process that sealed it died then. */
START_TEST(a_seal_that_was_cut_off_is_finished)
{
	begin(true);
	add_many("");
	stage_sql(&s.stage, "UPDATE flows SET state = 1");
	TIDY_UNTIL(s.worker->n_claims == N_MANY);
	fstage_look(&s);
	ck_assert_int_eq(s.info.released, N_MANY);
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT count(*) FROM waits"), 0);
	fstage_close(&s);
}
END_TEST

START_TEST(one_that_nobody_seals_is_cancelled)
{
	begin(true);
	fstage_add(&s, "a", "");
	stage_sql(&s.stage, "UPDATE flows SET moved = moved - 604700000");
	tidy();
	fstage_settle_down(&s);
	fstage_look(&s);
	ck_assert_int_eq(s.info.state, FLOW_OPEN);
	stage_sql(&s.stage, "UPDATE flows SET moved = moved - 604700000");
	TIDY_UNTIL(fstage_look(&s)->state == FLOW_CANCELLED);
	fstage_ck_skipped(&s, "a");
	fstage_close(&s);
}
END_TEST

/* --- lives -------------------------------------------------------------------------- */

START_TEST(what_has_ended_is_gone_after_its_life)
{
	begin(false);
	add_many("");
	fstage_add(&s, "last", "t0:failure");
	fstage_cancel(&s);
	stage_sql(&s.stage, "UPDATE steps SET state = 2 WHERE state = 1");
	fstage_end_step(&s, "t0", FLOW_STEP_FAILED);
	fstage_cancel(&s);
	stage_sql(&s.stage, "UPDATE flows SET ended = 1, state = 5, gone = 1");
	/* Nobody sees it, though its rows are still there. */
	ck_assert_ptr_null(fstage_look(&s));
	ck_assert_int_eq(s.err.code, ERR_NOT_FOUND);
	TIDY_UNTIL(stage_sql(&s.stage, "SELECT count(*) FROM flows") == 0);
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT count(*) FROM steps"), 0);
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT count(*) FROM spares"), 0);
	fstage_begin(&s, FLOW_CONTINUE, false);
	fstage_close(&s);
}
END_TEST

/* Records may have shorter lives than workflows. */
START_TEST(a_step_is_known_after_its_record_is_gone)
{
	begin(false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "");
	fstage_finish(&s, "a", FLOW_STEP_FAILED);
	stage_sql(&s.stage, "DELETE FROM results WHERE id = 'a'; "
			    "DELETE FROM ids WHERE id = 'a'");
	fstage_add(&s, "c", "a:failure");
	fstage_add(&s, "d", "a,b");
	fstage_finish(&s, "c", FLOW_STEP_SUCCEEDED);
	fstage_ck_skipped(&s, "d");
	fstage_close(&s);
}
END_TEST

/* --- behind its back ------------------------------------------------------------------ */

static void
on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	ck_assert_ptr_null(err);
	ck_assert_uint_eq(page->n, 1);
	((struct party *)arg)->answered = true;
}

START_TEST(a_step_that_a_person_hastens_counts_as_released)
{
	begin(false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	fstage_add(&s, "c", "b");
	s.worker->answered = false;
	broker_hasten(s.worker->broker, SLICE("io"), SLICE("b"),
		      (struct slice){NULL, 0}, on_page, s.worker);
	UNTIL(&s.stage, s.worker->answered);
	ck_assert_str_eq(fstage_steps(&s), "a=released b=released c=waits");
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "c", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_seal(&s);
	fstage_await(&s, FLOW_SUCCEEDED);
	fstage_close(&s);
}
END_TEST

/* Of one that was taken out its record says what has become of it. */
START_TEST(a_step_that_is_taken_out_ends_with_its_record)
{
	begin(false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	fstage_add(&s, "c", "b");
	fstage_add(&s, "d", "b:failure");
	s.worker->answered = false;
	broker_remove(s.worker->broker, SLICE("io"), SLICE("b"),
		      (struct slice){NULL, 0}, on_page, s.worker);
	UNTIL(&s.stage, s.worker->answered);
	ck_assert_str_eq(fstage_steps(&s),
			 "a=released b=waits c=waits d=waits");
	backend_put(&s.stage, s.results, "b",
		    "{\"task_id\":\"b\",\"status\":\"failed\"}", true, 60);
	fstage_ck_skipped(&s, "c");
	fstage_finish(&s, "d", FLOW_STEP_SUCCEEDED);
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_seal(&s);
	fstage_await(&s, FLOW_FAILED);
	fstage_close(&s);
}
END_TEST

/* And one that was taken out, and never had an end, does not stop a cancellation. */
START_TEST(a_step_whose_task_is_gone_is_cancelled)
{
	begin(false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	s.worker->answered = false;
	broker_remove(s.worker->broker, SLICE("io"), SLICE("b"),
		      (struct slice){NULL, 0}, on_page, s.worker);
	UNTIL(&s.stage, s.worker->answered);
	fstage_cancel(&s);
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_CANCELLED);
	ck_assert_str_eq(fstage_steps(&s), "a=succeeded b=skipped");
	fstage_close(&s);
}
END_TEST

/* --- repair ------------------------------------------------------------------------------ */

static void
on_stale(const struct slice *names, size_t n, const struct err *err, void *arg)
{
	ck_assert_ptr_null(err);
	s.answered = true;
	s.n = n;
	if (n > 0)
		ck_assert(slice_eq(names[0], SLICE("f")));
}

static size_t
count_stale(void)
{
	s.answered = false;
	broker_flow_stale(s.worker->broker, on_stale, NULL);
	UNTIL(&s.stage, s.answered);
	return s.n;
}

static void
on_repair(const struct flow_page *page, const struct err *err, void *arg)
{
	ck_assert_ptr_null(err);
	s.answered = true;
	s.n = page->n;
	ck_assert_uint_eq(page->next.len, 0);
	ck_assert(slice_eq(page->steps[0].id, SLICE("b")));
	ck_assert_int_eq(page->steps[0].place, FLOW_RELEASED);
}

START_TEST(one_in_which_nothing_happens_is_looked_at)
{
	begin(false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "");
	fstage_add(&s, "c", "a,b");
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	stage_sql(&s.stage, "UPDATE flows SET looked = 0");
	ck_assert_uint_eq(count_stale(), 0);
	stage_sql(&s.stage,
		  "UPDATE flows SET looked = 0, moved = moved - 60001");
	ck_assert_uint_eq(count_stale(), 1);
	/* One who looks is enough. */
	ck_assert_uint_eq(count_stale(), 0);
	s.answered = false;
	broker_flow_repair(s.worker->broker, SLICE("f"), SLICE(""), on_repair,
			   NULL);
	UNTIL(&s.stage, s.answered);
	ck_assert_uint_eq(s.n, 1);
	fstage_close(&s);
}
END_TEST

/* Who had taken a failure back died before he had put the task into its queue. */
START_TEST(a_failure_that_was_taken_back_for_nothing_comes_again)
{
	begin(false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	fstage_seal(&s);
	fstage_finish(&s, "a", FLOW_STEP_FAILED);
	fstage_ck_skipped(&s, "b");
	ck_assert_str_eq(fstage_reopen(&s, "a"), "a b");
	tidy();
	fstage_settle_down(&s);
	ck_assert_str_eq(fstage_steps(&s), "a=released b=waits");
	/* What the repair does: its record is final. */
	ck_assert_str_eq(fstage_end_step(&s, "a", FLOW_STEP_FAILED), "1");
	fstage_await(&s, FLOW_FAILED);
	ck_assert_str_eq(fstage_steps(&s), "a=failed b=skipped");
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT size FROM queues"), 0);
	fstage_close(&s);
}
END_TEST

/* The same of one that has nothing to wait for but its record. */
START_TEST(a_step_that_was_taken_back_for_nothing_ends_again)
{
	begin(false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "");
	fstage_add(&s, "c", "b");
	fstage_finish(&s, "a", FLOW_STEP_FAILED);
	fstage_cancel(&s);
	fstage_ck_skipped(&s, "c");
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_CANCELLED);
	ck_assert_str_eq(fstage_reopen(&s, "a"), "a c");
	/* Its answer was lost. */
	ck_assert_str_eq(fstage_reopen(&s, "a"), "a");
	ck_assert_str_eq(fstage_end_step(&s, "a", FLOW_STEP_FAILED), "1");
	tidy();
	fstage_settle_down(&s);
	ck_assert_str_eq(fstage_steps(&s), "a=failed b=succeeded c=waits");
	stage_sql(&s.stage, "UPDATE flows SET moved = moved - 60001");
	TIDY_UNTIL(fstage_look(&s)->state == FLOW_FAILED);
	ck_assert_str_eq(fstage_steps(&s), "a=failed b=succeeded c=skipped");
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT size FROM queues"), 0);
	fstage_close(&s);
}
END_TEST

/* --- records elsewhere -------------------------------------------------------------------- */

START_TEST(workflows_need_their_records_in_the_same_file)
{
	const struct broker_submit more = {.flow = SLICE("f")};
	const struct flow_begin other = {.id = SLICE("g"), .life_s = 1};

	begin(false);
	party_close(s.worker);
	s.stage.options.with_results = false;
	s.worker = party_open(&s.stage, "host:a");
	ck_assert_int_eq(fstage_begin_with(&s, &other), ERR_CONFIG);
	ck_assert_int_eq(fstage_add_with(&s, "a", "", &more), ERR_CONFIG);
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT count(*) FROM flows"), 1);
	ck_assert_int_eq(stage_sql(&s.stage, "SELECT count(*) FROM tasks"), 0);
	fstage_close(&s);
}
END_TEST

/* --- damage ---------------------------------------------------------------------------- */

/* Values that are no numbers of ours; each in all rows. */
static const char *const values[] = {
    "9223372036854775807",
    "-9223372036854775807 - 1",
    "'a text'",
    "1e300",
    "x'00ff'",
};
#define N_VALUES ((int)(sizeof(values) / sizeof(values[0])))

static void
damage(const char *value)
{
	static const char *const columns[] = {
	    "flows SET made",	   "flows SET moved",	  "flows SET life",
	    "flows SET waiting",   "flows SET succeeded", "flows SET label",
	    "flows SET cancels",   "steps SET after",	  "spares SET at",
	    "spares SET priority", "waits SET at",	  "waits SET delay",
	    "steps SET role"};
	char sql[128];
	size_t i;

	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		snprintf(sql, sizeof(sql), "UPDATE %s = %s", columns[i], value);
		stage_sql(&s.stage, sql);
	}
}

static void
on_damaged_flows(const struct flow_info *flows, size_t n, struct slice next,
		 const struct err *err, void *arg)
{
	size_t i;

	ck_assert(err != NULL || n == 1);
	for (i = 0; i < n; i++)
		ck_assert(flows[i].steps >= 0 && flows[i].begun_ms >= 0 &&
			  flows[i].moved_ms >= 0 && flows[i].life_s >= 0);
	s.answered = true;
}

/* It is told of, and cancelled, as far as it goes; and nothing goes on for ever. */
START_TEST(a_damaged_workflow_is_told_of)
{
	const struct broker_submit more = {.role = FLOW_ON_COMPLETE};

	begin(false);
	fstage_add_with(&s, "call", "", &more);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a:failure");
	fstage_add(&s, "c", "a");
	fstage_add(&s, "d", "c");
	fstage_seal(&s);
	fstage_finish(&s, "a", FLOW_STEP_FAILED);
	damage(values[_i]);
	s.answered = false;
	broker_flow_list(s.worker->broker, SLICE(""), 10, on_damaged_flows,
			 NULL);
	UNTIL(&s.stage, s.answered);
	fstage_steps(&s);
	fstage_reopen(&s, "a");
	fstage_cancel(&s);
	fstage_finish(&s, "b", FLOW_STEP_SUCCEEDED);
	tidy();
	fstage_settle_down(&s);
	fstage_close(&s);
}
END_TEST

/* Of a step that waits, the place where it does is gone. */
START_TEST(a_step_that_waits_nowhere_is_cancelled)
{
	begin(false);
	fstage_add(&s, "a", "");
	fstage_add(&s, "b", "a");
	stage_sql(&s.stage, "DROP TRIGGER waits_leave; DELETE FROM delayed");
	fstage_cancel(&s);
	fstage_finish(&s, "a", FLOW_STEP_SUCCEEDED);
	fstage_await(&s, FLOW_CANCELLED);
	ck_assert_str_eq(fstage_steps(&s), "a=succeeded b=skipped");
	fstage_close(&s);
}
END_TEST

SUITE("flow-sqlite-only")
{
	SUITE_TIMEOUT(60);
	TEST(all_of_a_large_workflow_is_cancelled_by_a_failure);
	TEST(a_seal_that_was_cut_off_is_finished);
	TEST(one_that_nobody_seals_is_cancelled);
	TEST(what_has_ended_is_gone_after_its_life);
	TEST(a_step_is_known_after_its_record_is_gone);
	TEST(a_step_that_a_person_hastens_counts_as_released);
	TEST(a_step_that_is_taken_out_ends_with_its_record);
	TEST(a_step_whose_task_is_gone_is_cancelled);
	TEST(one_in_which_nothing_happens_is_looked_at);
	TEST(a_failure_that_was_taken_back_for_nothing_comes_again);
	TEST(a_step_that_was_taken_back_for_nothing_ends_again);
	TEST(workflows_need_their_records_in_the_same_file);
	TEST_LOOP(a_damaged_workflow_is_told_of, 0, N_VALUES);
	TEST(a_step_that_waits_nowhere_is_cancelled);
}
