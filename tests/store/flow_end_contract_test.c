/* SPDX-License-Identifier: MIT */
/* The contract of workflows: how they end, begin again, and are shown. */
#include <stdio.h>
#include <string.h>

#include "store/flow_scene.h"
#include "suite.h"

/* --- the end ------------------------------------------------------------------ */

START_TEST(an_empty_workflow_ends_with_its_seal)
{
	flow_open(_i);
	ck_assert_str_eq(flow_seal_one(), "no workflow f");
	flow_begin_one();
	ck_assert_str_eq(flow_seal_one(), "succeeded");
	ck_assert_str_eq(flow_state(), "succeeded");
	ck_assert_int_gt(fs.info.ended_ms, 0);
	ck_assert(slice_eq(slice_of(fs.info.id), SLICE("f")));
	flow_close();
}
END_TEST

static const struct {
	const char *status;
	bool cancelled;
	const char *state, *called;
} callback_cases[] = {
    {"success", false, "succeeded", "on-success"},
    {"failed", false, "failed", "on-failure"},
    {"success", true, "cancelled", "on-failure"},
};
#define N_CALLBACK_CASES                                                       \
	(int)(sizeof(callback_cases) / sizeof(callback_cases[0]))

START_TEST(callbacks_are_called_once_by_how_it_has_ended)
{
	const size_t k = (size_t)(_i % N_CALLBACK_CASES);

	flow_open(_i / N_CALLBACK_CASES);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add_callback("on-success", FLOW_ON_SUCCESS);
	flow_add_callback("on-failure", FLOW_ON_FAILURE);
	flow_add_callback("on-complete", FLOW_ON_COMPLETE);
	ck_assert_str_eq(flow_seal_one(), "running");
	if (callback_cases[k].cancelled)
		ck_assert_str_eq(flow_cancel_one(), "cancelling");
	flow_run("a", callback_cases[k].status);
	ck_assert_str_eq(flow_state(), callback_cases[k].state);
	flow_run(callback_cases[k].called, "failed");
	flow_run("on-complete", "success");
	/* All again changes nothing. */
	flow_seal_one();
	flow_cancel_one();
	flow_end_one("a", FLOW_STEP_SUCCEEDED);
	ck_assert_str_eq(flow_state(), callback_cases[k].state);
	CK_COUNTS(k == 1 ? "1 0 0 0 1 0" : "1 0 0 1 0 0");
	ck_assert_int_eq(flow_queued(), 0);
	ck_assert_int_eq(fs.worker->n_claims, 3);
	flow_close();
}
END_TEST

START_TEST(cancelled_what_waits_is_skipped_and_what_runs_goes_on)
{
	char name[16];
	int i;

	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	for (i = 0; i < FLOW_MANY; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		flow_add(name, "a:complete");
	}
	UNTIL(&fs.stage, flow_is_claimed("a"));
	ck_assert_str_eq(flow_cancel_one(), "cancelling");
	flow_wait_skipped("m0", "workflow was cancelled");
	flow_run("a", "success");
	UNTIL(&fs.stage, flow_is_claimed("x") || flow_queued() == 0);
	ck_assert_str_eq(flow_state(), "cancelled");
	CK_COUNTS("351 0 0 1 0 350");
	ck_assert_str_eq(flow_cancel_one(), "cancelled");
	flow_close();
}
END_TEST

START_TEST(where_the_first_failure_cancels_nothing_more_runs)
{
	const struct flow_begin begin = {
	    .id = SLICE("f"), .on_failure = FLOW_CANCEL, .life_s = 1000};

	flow_open(_i);
	ck_assert_int_eq(flow_begin_with(&begin), ERR_NONE);
	flow_add("a", NULL);
	flow_add("b", NULL);
	flow_add("c", "b:success");
	flow_add("d", "a:failure");
	flow_run("a", "failed");
	flow_wait_skipped("c", "workflow was cancelled");
	flow_wait_skipped("d", "");
	ck_assert_str_eq(flow_state(), "cancelling");
	flow_run("b", "success");
	ck_assert_str_eq(flow_state(), "cancelled");
	flow_close();
}
END_TEST

static void
on_removed(const struct broker_page *page, const struct err *err, void *arg)
{
	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	fs.client->answered = true;
}

/* Cancelled by hand, say: it is taken out of its queue, if it is in one, and its record
 * is stored. */
START_TEST(a_step_can_end_without_a_worker)
{
	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_add("c", "b:failure");
	fs.client->answered = false;
	broker_remove(fs.client->broker, SLICE("io"), SLICE("b"), SLICE(""),
		      on_removed, fs.client);
	UNTIL(&fs.stage, fs.client->answered);
	backend_put(&fs.stage, fs.results, "b",
		    "{\"task_id\":\"b\",\"status\":\"failed\",\"reason\":"
		    "\"cancelled\"}",
		    true, 60);
	flow_end_one("b", FLOW_STEP_FAILED);
	flow_run("c", "success");
	ck_assert_str_eq(flow_end_one("b", FLOW_STEP_FAILED), "");
	ck_assert_str_eq(flow_end_one("x", FLOW_STEP_FAILED),
			 "workflow f has no step x");
	flow_run("a", "success");
	ck_assert_str_eq(flow_seal_one(), "failed");
	CK_COUNTS("3 0 0 2 1 0");
	ck_assert(!flow_is_claimed("b"));
	flow_close();
}
END_TEST

/* --- once more ------------------------------------------------------------------ */

START_TEST(a_step_that_has_failed_is_reopened_with_what_was_skipped_after_it)
{
	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_add("c", "b:success");
	flow_add("d", "a:failure");
	flow_add_callback("on-failure", FLOW_ON_FAILURE);
	flow_add_callback("on-success", FLOW_ON_SUCCESS);
	flow_add_callback("on-complete", FLOW_ON_COMPLETE);
	flow_seal_one();
	flow_run("a", "failed");
	flow_wait_skipped("c", "");
	flow_run("d", "success");
	UNTIL(&fs.stage, strcmp(flow_state(), "failed") == 0);
	flow_run("on-failure", "success");
	flow_run("on-complete", "success");
	ck_assert_str_eq(flow_reopen_one("b"),
			 "step b of workflow f has not failed");
	ck_assert_str_eq(flow_reopen_one("d"),
			 "step d of workflow f has not failed");
	ck_assert_str_eq(flow_reopen_one("a"), "a b c ");
	ck_assert_str_eq(flow_state(), "running");
	CK_COUNTS("4 2 1 1 0 0");
	flow_reopen_record("a");
	flow_reopen_record("b");
	flow_reopen_record("c");
	/* Its task has been put into the queue, and has run. */
	ck_assert_str_eq(flow_end_one("a", FLOW_STEP_SUCCEEDED), "1");
	flow_run("b", "success");
	flow_run("c", "success");
	flow_run("on-success", "success");
	/* It is called once more, and its record says so. */
	flow_run("on-complete", "failed");
	if (fs.stage.options.with_results)
		ck_assert_ptr_nonnull(
		    strstr(backend_get(&fs.stage, fs.results, "on-complete"),
			   "failed"));
	ck_assert_str_eq(flow_state(), "succeeded");
	flow_close();
}
END_TEST

/* --- looking -------------------------------------------------------------------- */

/* Who had taken it back died before the task was in its queue. */
START_TEST(a_failure_is_taken_back_twice_if_its_task_is_still_dead)
{
	size_t i = 0;

	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	flow_record("a", "failed");
	while (!flow_is_claim_of(i, "a"))
		i++;
	party_bury(fs.worker, i, "a", "{}");
	flow_end_one("a", FLOW_STEP_FAILED);
	ck_assert_str_eq(flow_reopen_one("a"), "a ");
	flow_reopen_record("a");
	ck_assert_str_eq(flow_reopen_one("a"), "a ");
	flow_close();
}
END_TEST

static bool
has_ended(void)
{
	flow_state();
	return flow_state_has_ended(fs.info.state);
}

/* More than a call of the store does: because of its failure, or all of them. */
static void
take_back_many(int kind, bool cancelled)
{
	char name[16];
	const char *p;
	int i, n = 0;

	flow_open(kind);
	flow_begin_one();
	flow_add("a", NULL);
	for (i = 0; i < FLOW_MANY; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		flow_add(name, "a:success");
	}
	if (cancelled)
		flow_cancel_one();
	else
		flow_seal_one();
	flow_run("a", "failed");
	UNTIL(&fs.stage, flow_is_claimed("x") || has_ended());
	CK_COUNTS("351 0 0 0 1 350");
	for (p = flow_reopen_one("a"); (p = strchr(p, ' ')) != NULL; p++)
		n++;
	ck_assert_int_eq(n, FLOW_MANY + 1);
	CK_COUNTS("351 350 1 0 0 0");
	ck_assert_str_eq(flow_state(), "running");
	flow_close();
}

START_TEST(however_many_were_skipped_all_are_taken_back)
{
	take_back_many(_i, false);
	take_back_many(_i, true);
}
END_TEST

START_TEST(its_steps_are_shown_with_what_they_wait_for)
{
	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_add("c", "a:failure b:complete");
	flow_add("d", NULL);
	flow_add_callback("e", FLOW_ON_SUCCESS);
	flow_add_callback("g", FLOW_ON_FAILURE);
	ck_assert_str_eq(flow_show(),
			 "a released; b waits after a:success; "
			 "c waits after a:failure b:complete; d released; "
			 "e waits on success; g waits on failure; ");
	flow_run("a", "success");
	flow_wait_skipped("c", "");
	flow_run("b", "success");
	flow_run("d", "failed");
	flow_seal_one();
	flow_run("g", "success");
	ck_assert_str_eq(flow_show(),
			 "a succeeded; b succeeded after a:success; "
			 "c skipped after a:failure b:complete; d failed; "
			 "g succeeded on failure; ");
	flow_close();
}
END_TEST

static void
on_flows(const struct flow_info *flows, size_t n, struct slice next,
	 const struct err *err, void *arg)
{
	struct party *p = arg;
	size_t i;

	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	p->answered = true;
	for (i = 0; i < n; i++)
		sprintf(fs.names + strlen(fs.names), "%s(%.*s) ", flows[i].id,
			(int)flows[i].label.len, flows[i].label.p);
	snprintf(fs.next, sizeof(fs.next), "%.*s", (int)next.len,
		 next.p != NULL ? next.p : "");
}

START_TEST(workflows_are_listed_the_last_one_first)
{
	char id[] = "f0", label[] = "label 0";
	const struct flow_begin begin = {
	    .id = {id, 2}, .label = {label, 7}, .life_s = 1000};
	int i;

	flow_open(_i);
	for (i = 0; i < 5; i++) {
		id[1] = label[6] = (char)('0' + i);
		ck_assert_int_eq(flow_begin_with(&begin), ERR_NONE);
		/* They are told apart by the ms in which they were begun. */
		stage_linger(&fs.stage, 5);
	}
	fs.next[0] = '\0';
	do {
		fs.client->answered = false;
		broker_flow_list(fs.client->broker, slice_of(fs.next), 2,
				 on_flows, fs.client);
		UNTIL(&fs.stage, fs.client->answered);
	} while (fs.next[0] != '\0');
	ck_assert_str_eq(fs.names,
			 "f4(label 4) f3(label 3) f2(label 2) f1(label 1) "
			 "f0(label 0) ");
	flow_close();
}
END_TEST

#define CASES(kind)                                                            \
	FLOW_EACH(an_empty_workflow_ends_with_its_seal, kind)                  \
	TEST_LOOP(callbacks_are_called_once_by_how_it_has_ended,               \
		  (kind)*N_CALLBACK_CASES, ((kind) + 1) * N_CALLBACK_CASES);   \
	FLOW_EACH(cancelled_what_waits_is_skipped_and_what_runs_goes_on, kind) \
	FLOW_EACH(where_the_first_failure_cancels_nothing_more_runs, kind)     \
	FLOW_EACH(a_step_can_end_without_a_worker, kind)                       \
	FLOW_EACH(                                                             \
	    a_step_that_has_failed_is_reopened_with_what_was_skipped_after_it, \
	    kind)                                                              \
	FLOW_EACH(a_failure_is_taken_back_twice_if_its_task_is_still_dead,     \
		  kind)                                                        \
	FLOW_EACH(however_many_were_skipped_all_are_taken_back, kind)          \
	FLOW_EACH(its_steps_are_shown_with_what_they_wait_for, kind)           \
	FLOW_EACH(workflows_are_listed_the_last_one_first, kind)

FLOW_SUITES("flow-end")
