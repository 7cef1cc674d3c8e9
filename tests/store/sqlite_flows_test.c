/* SPDX-License-Identifier: MIT */
/* Workflows in an embedded database: what is left to housekeeping, and what people do to
 * steps behind a workflow's back. */
#include <stdio.h>
#include <string.h>

#include "store/flow_scene.h"
#include "suite.h"

#define N_MANY 1200 /* more than one transaction does */

static void
begin_as(enum flow_policy policy, bool whole)
{
	const struct flow_begin begin = {.id = SLICE("f"),
					 .on_failure = policy,
					 .whole = whole,
					 .life_s = 3600};

	flow_open(KIND_SQLITE);
	ck_assert_int_eq(flow_begin_with(&begin), ERR_NONE);
}

static void
begin(bool whole)
{
	begin_as(FLOW_CONTINUE, whole);
}

static const struct flow_info *
look(void)
{
	flow_state();
	return &fs.info;
}

/* Waits until it has that state. */
static void
await_state(enum flow_state state)
{
	UNTIL(&fs.stage, strcmp(flow_state(), flow_state_word(state)) == 0);
}

/* What is queued behind all others has come: so has all that was released before. */
static void
settle_down(void)
{
	static unsigned int n;
	struct broker_submit task = {.queue = "io", .priority = 1000000};
	char id[32], bytes[64];

	snprintf(id, sizeof(id), "last-%u", n++);
	snprintf(bytes, sizeof(bytes), "{\"id\":\"%s\",\"name\":\"n\"}", id);
	task.id = slice_of(id);
	task.bytes = slice_of(bytes);
	ck_assert_int_eq(party_submit_with(fs.client, &task), ERR_NONE);
	UNTIL(&fs.stage, flow_is_claimed(id));
}

static void
tidy(void)
{
	static const struct broker_limits limits = {.record_ttl_s = 60};

	broker_tidy(fs.worker->broker, &limits);
}

#define TIDY_UNTIL(condition)                                                  \
	do {                                                                   \
		int64_t until_ = stage_deadline();                             \
		while (!(condition)) {                                         \
			tidy();                                                \
			ck_assert_msg(stage_turn(&fs.stage, until_),           \
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
		flow_add(id, after);
	}
}

/* --- what one transaction does not finish -------------------------------------- */

/* The policy: nobody is there who could ask for more. */
START_TEST(all_of_a_large_workflow_is_cancelled_by_a_failure)
{
	begin_as(FLOW_CANCEL, false);
	flow_add("a", NULL);
	flow_add("b", NULL);
	add_many("b:complete");
	flow_seal_one();
	flow_run("a", "failed");
	/* Housekeeping is not waited for. */
	UNTIL(&fs.stage, look()->waiting == 0);
	ck_assert_int_eq(fs.info.ended[FLOW_STEP_SKIPPED], N_MANY);
	ck_assert_int_eq(fs.info.state, FLOW_CANCELLING);
	flow_run("b", "success");
	await_state(FLOW_CANCELLED);
	flow_close();
}
END_TEST

/* The worker that has ended the step died then. */
START_TEST(a_cancellation_that_was_cut_off_is_finished)
{
	begin_as(FLOW_CANCEL, true);
	add_many(NULL);
	stage_sql(&fs.stage, "UPDATE flows SET state = 2");
	TIDY_UNTIL(look()->state == FLOW_CANCELLED);
	ck_assert_int_eq(fs.info.ended[FLOW_STEP_SKIPPED], N_MANY);
	flow_close();
}
END_TEST

/* The process that sealed it died then. */
START_TEST(a_seal_that_was_cut_off_is_finished)
{
	begin(true);
	add_many(NULL);
	stage_sql(&fs.stage, "UPDATE flows SET state = 1");
	TIDY_UNTIL(fs.worker->n_claims == N_MANY);
	flow_state();
	ck_assert_int_eq(fs.info.released, N_MANY);
	ck_assert_int_eq(stage_sql(&fs.stage, "SELECT count(*) FROM waits"), 0);
	flow_close();
}
END_TEST

START_TEST(one_that_nobody_seals_is_cancelled)
{
	begin(true);
	flow_add("a", NULL);
	stage_sql(&fs.stage, "UPDATE flows SET moved = moved - 604700000");
	tidy();
	settle_down();
	flow_state();
	ck_assert_int_eq(fs.info.state, FLOW_OPEN);
	stage_sql(&fs.stage, "UPDATE flows SET moved = moved - 604700000");
	TIDY_UNTIL(look()->state == FLOW_CANCELLED);
	flow_wait_skipped("a", "");
	flow_close();
}
END_TEST

START_TEST(many_go_on_with_the_seal_and_many_are_skipped)
{
	begin(true);
	add_many(NULL);
	flow_add("last", "t0:success t1199:success");
	ck_assert_str_eq(flow_seal_one(), "running");
	CK_COUNTS("1201 1 1200 0 0 0");
	UNTIL(&fs.stage, fs.worker->n_claims == N_MANY);
	flow_run("t0", "success");
	flow_run("t1199", "success");
	flow_run("last", "success");
	flow_close();
	begin(false);
	flow_add("a", NULL);
	add_many("a:complete");
	ck_assert_str_eq(flow_cancel_one(), "cancelling");
	CK_COUNTS("1201 0 1 0 0 1200");
	flow_run("a", "success");
	await_state(FLOW_CANCELLED);
	ck_assert_int_eq(stage_sql(&fs.stage, "SELECT count(*) FROM waits"), 0);
	flow_close();
}
END_TEST

/* A chain that is longer than the stack would be deep. */
START_TEST(all_behind_a_failed_step_are_skipped)
{
	char id[16], after[32] = "a:success";
	int i;

	begin(false);
	flow_add("a", NULL);
	for (i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		flow_add(id, after);
		snprintf(after, sizeof(after), "%s:success", id);
	}
	flow_add("cleanup", "c299:complete");
	flow_seal_one();
	flow_run("a", "failed");
	CK_COUNTS("302 0 1 0 1 300");
	flow_run("cleanup", "success");
	await_state(FLOW_FAILED);
	flow_close();
}
END_TEST

START_TEST(a_full_queue_takes_steps)
{
	begin(false);
	party_close(fs.client);
	fs.stage.options.max_queue_size = 1;
	fs.client = party_open(&fs.stage, NULL);
	flow_kill_worker();
	flow_add("a", NULL);
	flow_add("b", NULL);
	flow_add("c", "a:success");
	ck_assert_int_eq(party_submit(fs.client, "x", "{}", 0, 0), ERR_FULL);
	flow_close();
}
END_TEST

/* --- lives -------------------------------------------------------------------------- */

START_TEST(what_has_ended_is_gone_after_its_life)
{
	begin(false);
	add_many(NULL);
	flow_add("last", "t0:failure");
	flow_cancel_one();
	stage_sql(&fs.stage, "UPDATE steps SET state = 2 WHERE state = 1");
	flow_end_one("t0", FLOW_STEP_FAILED);
	flow_cancel_one();
	stage_sql(&fs.stage, "UPDATE flows SET ended = 1, state = 5, gone = 1");
	/* Nobody sees it, though its rows are still there. */
	ck_assert_str_eq(flow_seal_one(), "no workflow f");
	TIDY_UNTIL(stage_sql(&fs.stage, "SELECT count(*) FROM flows") == 0);
	ck_assert_int_eq(stage_sql(&fs.stage, "SELECT count(*) FROM steps"), 0);
	ck_assert_int_eq(stage_sql(&fs.stage, "SELECT count(*) FROM spares"),
			 0);
	flow_begin_one();
	flow_close();
}
END_TEST

/* Records may have shorter lives than workflows. */
START_TEST(a_step_is_known_after_its_record_is_gone)
{
	begin(false);
	flow_add("a", NULL);
	flow_add("b", NULL);
	flow_run("a", "failed");
	stage_sql(&fs.stage, "DELETE FROM results WHERE id = 'a'; "
			     "DELETE FROM ids WHERE id = 'a'");
	flow_add("c", "a:failure");
	flow_add("d", "a:success b:success");
	flow_run("c", "success");
	flow_wait_skipped("d", "");
	flow_close();
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
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_add("c", "b:success");
	fs.client->answered = false;
	broker_hasten(fs.client->broker, SLICE("io"), SLICE("b"),
		      (struct slice){NULL, 0}, on_page, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	ck_assert_str_eq(flow_show(), "a released; b released after a:success; "
				      "c waits after b:success; ");
	flow_run("b", "success");
	flow_run("c", "success");
	flow_run("a", "success");
	flow_seal_one();
	await_state(FLOW_SUCCEEDED);
	flow_close();
}
END_TEST

static void
on_held(const struct broker_page *page, const struct err *err, void *arg)
{
	ck_assert_ptr_null(err);
	ck_assert_uint_eq(page->n, 2);
	ck_assert(
	    slice_eq(page->items[0].info, SLICE("[{\"id\":\"a\",\"how\":0}]")));
	/* That is for nothing that has an ID. */
	ck_assert(slice_eq(page->items[1].info, SLICE("[]")));
	ck_assert_int_eq(page->items[1].time_ms, BROKER_HELD_MS);
	((struct party *)arg)->answered = true;
}

START_TEST(a_step_that_waits_for_the_seal_is_held)
{
	const struct broker_view view = {
	    .queue = SLICE("io"), .place = BROKER_DELAYED, .n = 10};

	begin(true);
	flow_add("a", NULL);
	flow_add("b", "a:success");
	fs.client->answered = false;
	broker_view(fs.client->broker, &view, on_held, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	flow_close();
}
END_TEST

/* Of one that was taken out its record says what has become of it. */
START_TEST(a_step_that_is_taken_out_ends_with_its_record)
{
	begin(false);
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_add("c", "b:success");
	flow_add("d", "b:failure");
	fs.client->answered = false;
	broker_remove(fs.client->broker, SLICE("io"), SLICE("b"),
		      (struct slice){NULL, 0}, on_page, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	ck_assert_str_eq(flow_show(),
			 "a released; b waits after a:success; c waits after "
			 "b:success; d waits after b:failure; ");
	backend_put(&fs.stage, fs.results, "b",
		    "{\"task_id\":\"b\",\"status\":\"failed\"}", true, 60);
	flow_wait_skipped("c", "");
	flow_run("d", "success");
	flow_run("a", "success");
	flow_seal_one();
	await_state(FLOW_FAILED);
	flow_close();
}
END_TEST

/* And one that was taken out, and never had an end, does not stop a cancellation. */
START_TEST(a_step_whose_task_is_gone_is_cancelled)
{
	begin(false);
	flow_add("a", NULL);
	flow_add("b", "a:success");
	fs.client->answered = false;
	broker_remove(fs.client->broker, SLICE("io"), SLICE("b"),
		      (struct slice){NULL, 0}, on_page, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	flow_cancel_one();
	flow_run("a", "success");
	await_state(FLOW_CANCELLED);
	ck_assert_str_eq(flow_show(),
			 "a succeeded; b skipped after a:success; ");
	flow_close();
}
END_TEST

/* --- repair ------------------------------------------------------------------------------ */

static struct {
	bool answered;
	size_t n;
} asked;

static void
on_stale(const struct slice *names, size_t n, const struct err *err, void *arg)
{
	ck_assert_ptr_null(err);
	asked.answered = true;
	asked.n = n;
	if (n > 0)
		ck_assert(slice_eq(names[0], SLICE("f")));
}

static size_t
count_stale(void)
{
	asked.answered = false;
	broker_flow_stale(fs.client->broker, on_stale, NULL);
	UNTIL(&fs.stage, asked.answered);
	return asked.n;
}

static void
on_repair(const struct flow_page *page, const struct err *err, void *arg)
{
	ck_assert_ptr_null(err);
	asked.answered = true;
	asked.n = page->n;
	ck_assert_uint_eq(page->next.len, 0);
	ck_assert(slice_eq(page->steps[0].id, SLICE("b")));
	ck_assert_int_eq(page->steps[0].place, FLOW_RELEASED);
}

START_TEST(one_in_which_nothing_happens_is_looked_at)
{
	begin(false);
	flow_add("a", NULL);
	flow_add("b", NULL);
	flow_add("c", "a:success b:success");
	flow_run("a", "success");
	stage_sql(&fs.stage, "UPDATE flows SET looked = 0");
	ck_assert_uint_eq(count_stale(), 0);
	stage_sql(&fs.stage,
		  "UPDATE flows SET looked = 0, moved = moved - 60001");
	ck_assert_uint_eq(count_stale(), 1);
	/* One who looks is enough. */
	ck_assert_uint_eq(count_stale(), 0);
	asked.answered = false;
	broker_flow_repair(fs.client->broker, SLICE("f"), SLICE(""), on_repair,
			   NULL);
	UNTIL(&fs.stage, asked.answered);
	ck_assert_uint_eq(asked.n, 1);
	flow_close();
}
END_TEST

/* Who had taken a failure back died before he had put the task into its queue. */
START_TEST(a_failure_that_was_taken_back_for_nothing_comes_again)
{
	begin(false);
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_seal_one();
	flow_run("a", "failed");
	flow_wait_skipped("b", "");
	ck_assert_str_eq(flow_reopen_one("a"), "a b ");
	tidy();
	settle_down();
	ck_assert_str_eq(flow_show(), "a released; b waits after a:success; ");
	/* What the repair does: its record is final. */
	ck_assert_str_eq(flow_end_one("a", FLOW_STEP_FAILED), "1");
	await_state(FLOW_FAILED);
	ck_assert_str_eq(flow_show(), "a failed; b skipped after a:success; ");
	ck_assert_int_eq(stage_sql(&fs.stage, "SELECT size FROM queues"), 0);
	flow_close();
}
END_TEST

/* The same of one that has nothing to wait for but its record. */
START_TEST(a_step_that_was_taken_back_for_nothing_ends_again)
{
	begin(false);
	flow_add("a", NULL);
	flow_add("b", NULL);
	flow_add("c", "b:success");
	flow_run("a", "failed");
	flow_cancel_one();
	flow_wait_skipped("c", "");
	flow_run("b", "success");
	await_state(FLOW_CANCELLED);
	ck_assert_str_eq(flow_reopen_one("a"), "a c ");
	/* Its answer was lost. */
	ck_assert_str_eq(flow_reopen_one("a"), "a ");
	ck_assert_str_eq(flow_end_one("a", FLOW_STEP_FAILED), "1");
	tidy();
	settle_down();
	ck_assert_str_eq(flow_show(),
			 "a failed; b succeeded; c waits after b:success; ");
	stage_sql(&fs.stage, "UPDATE flows SET moved = moved - 60001");
	TIDY_UNTIL(look()->state == FLOW_FAILED);
	ck_assert_str_eq(flow_show(),
			 "a failed; b succeeded; c skipped after b:success; ");
	ck_assert_int_eq(stage_sql(&fs.stage, "SELECT size FROM queues"), 0);
	flow_close();
}
END_TEST

/* --- records elsewhere -------------------------------------------------------------------- */

START_TEST(workflows_need_their_records_in_the_same_file)
{
	struct broker_submit task = {.id = SLICE("a"), .flow = SLICE("f")};
	const struct flow_begin other = {.id = SLICE("g"), .life_s = 1};

	begin(false);
	party_close(fs.client);
	fs.stage.options.with_results = false;
	fs.client = party_open(&fs.stage, NULL);
	ck_assert_int_eq(flow_begin_with(&other), ERR_CONFIG);
	ck_assert_int_eq(flow_add_with(&task, NULL), ERR_CONFIG);
	ck_assert_int_eq(stage_sql(&fs.stage, "SELECT count(*) FROM flows"), 1);
	ck_assert_int_eq(stage_sql(&fs.stage, "SELECT count(*) FROM tasks"), 0);
	flow_close();
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
		stage_sql(&fs.stage, sql);
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
	asked.answered = true;
}

/* It is told of, and cancelled, as far as it goes; and nothing goes on for ever. */
START_TEST(a_damaged_workflow_is_told_of)
{
	begin(false);
	flow_add_callback("call", FLOW_ON_COMPLETE);
	flow_add("a", NULL);
	flow_add("b", "a:failure");
	flow_add("c", "a:success");
	flow_add("d", "c:success");
	flow_seal_one();
	flow_run("a", "failed");
	damage(values[_i]);
	asked.answered = false;
	broker_flow_list(fs.client->broker, SLICE(""), 10, on_damaged_flows,
			 NULL);
	UNTIL(&fs.stage, asked.answered);
	flow_show();
	flow_reopen_one("a");
	flow_cancel_one();
	flow_run("b", "success");
	tidy();
	settle_down();
	flow_close();
}
END_TEST

/* Of a step that waits, the place where it does is gone. */
START_TEST(a_step_that_waits_nowhere_is_cancelled)
{
	begin(false);
	flow_add("a", NULL);
	flow_add("b", "a:success");
	stage_sql(&fs.stage, "DROP TRIGGER waits_leave; DELETE FROM delayed");
	flow_cancel_one();
	flow_run("a", "success");
	await_state(FLOW_CANCELLED);
	ck_assert_str_eq(flow_show(),
			 "a succeeded; b skipped after a:success; ");
	flow_close();
}
END_TEST

SUITE("flow-sqlite-only")
{
	SUITE_TIMEOUT(60);
	TEST(all_of_a_large_workflow_is_cancelled_by_a_failure);
	TEST(a_cancellation_that_was_cut_off_is_finished);
	TEST(a_seal_that_was_cut_off_is_finished);
	TEST(one_that_nobody_seals_is_cancelled);
	TEST(many_go_on_with_the_seal_and_many_are_skipped);
	TEST(all_behind_a_failed_step_are_skipped);
	TEST(a_full_queue_takes_steps);
	TEST(what_has_ended_is_gone_after_its_life);
	TEST(a_step_is_known_after_its_record_is_gone);
	TEST(a_step_that_a_person_hastens_counts_as_released);
	TEST(a_step_that_waits_for_the_seal_is_held);
	TEST(a_step_that_is_taken_out_ends_with_its_record);
	TEST(a_step_whose_task_is_gone_is_cancelled);
	TEST(one_in_which_nothing_happens_is_looked_at);
	TEST(a_failure_that_was_taken_back_for_nothing_comes_again);
	TEST(a_step_that_was_taken_back_for_nothing_ends_again);
	TEST(workflows_need_their_records_in_the_same_file);
	TEST_LOOP(a_damaged_workflow_is_told_of, 0, N_VALUES);
	TEST(a_step_that_waits_nowhere_is_cancelled);
}
