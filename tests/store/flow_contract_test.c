/* SPDX-License-Identifier: MIT */
/* The contract of workflows: in which order steps run, and how they are added. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/flow_scene.h"
#include "suite.h"
#include "util/clock.h"

/* --- order ------------------------------------------------------------------ */

START_TEST(a_step_goes_to_its_queue_when_those_before_it_have_ended)
{
	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", NULL);
	flow_add("c", "a:success b:success");
	flow_add("d", "c:success");
	CK_COUNTS("4 2 2 0 0 0");
	flow_run("a", "success");
	CK_COUNTS("4 2 1 1 0 0");
	ck_assert(!flow_is_claimed("c"));
	flow_run("b", "success");
	flow_run("c", "success");
	flow_run("d", "success");
	CK_COUNTS("4 0 0 4 0 0");
	/* It is open: more may come. */
	ck_assert_str_eq(flow_state(), "open");
	flow_add("e", "d:success a:complete");
	flow_run("e", "success");
	ck_assert_str_eq(flow_seal_one(), "succeeded");
	ck_assert_int_gt(fs.info.begun_ms, 0);
	ck_assert_int_eq(flow_queued(), 0);
	flow_close();
}
END_TEST

static const struct {
	const char *how, *status;
	bool runs;
} conditions[] = {
    {"success", "success", true},  {"success", "failed", false},
    {"failure", "failed", true},   {"failure", "success", false},
    {"complete", "success", true}, {"complete", "failed", true},
};
#define N_CONDITIONS (int)(sizeof(conditions) / sizeof(conditions[0]))

/* Also of one that is added when the other has ended already. */
START_TEST(a_step_runs_only_if_those_before_it_have_ended_as_they_have_to)
{
	const int kind = _i / N_CONDITIONS;
	const size_t k = (size_t)(_i % N_CONDITIONS);
	char after[32];

	flow_open(kind);
	flow_begin_one();
	snprintf(after, sizeof(after), "a:%s", conditions[k].how);
	flow_add("a", NULL);
	flow_add("b", after);
	flow_run("a", conditions[k].status);
	flow_add("c", after);
	if (conditions[k].runs) {
		flow_run("b", "success");
		flow_run("c", "success");
	} else {
		flow_wait_skipped("b", "task a ");
		flow_wait_skipped("c", "task a ");
	}
	UNTIL(&fs.stage, flow_queued() == 0);
	ck_assert_str_eq(flow_seal_one(),
			 strcmp(conditions[k].status, "failed") == 0
			     ? "failed"
			     : "succeeded");
	flow_close();
}
END_TEST

START_TEST(
    what_comes_after_a_skipped_step_is_skipped_unless_it_runs_in_any_case)
{
	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	flow_add("c", "b:success");
	flow_add("d", "c:failure");
	flow_add("e", "d:complete");
	flow_run("a", "failed");
	flow_wait_skipped("b", "task a failed");
	flow_wait_skipped("c", "task b was skipped");
	flow_wait_skipped("d", "task c was skipped");
	flow_run("e", "success");
	CK_COUNTS("5 0 0 1 1 3");
	ck_assert_str_eq(flow_seal_one(), "failed");
	flow_close();
}
END_TEST

/* As soon as it is certain, not when all have ended. */
START_TEST(a_step_is_skipped_with_the_first_that_has_not_ended_as_it_had_to)
{
	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", NULL);
	flow_add("c", "a:success b:success");
	flow_run("a", "failed");
	flow_wait_skipped("c", "task a failed");
	flow_run("b", "success");
	UNTIL(&fs.stage, flow_queued() == 0);
	CK_COUNTS("3 0 0 1 1 1");
	flow_close();
}
END_TEST

static char *
after_many(char prefix, int n)
{
	char *text = malloc((size_t)n * 32), *p = text;
	int i;

	for (i = 0; i < n; i++)
		p += sprintf(p, "%c%d:complete ", prefix, i);
	p[-1] = '\0';
	return text;
}

START_TEST(many_steps_come_after_one_and_one_comes_after_many)
{
	char *after = after_many('m', FLOW_MANY), name[16];
	int i;

	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	for (i = 0; i < FLOW_MANY; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		flow_add(name, "a:success");
	}
	flow_add("z", after);
	flow_run("a", "success");
	UNTIL(&fs.stage, fs.worker->n_claims == FLOW_MANY + 1);
	for (i = 0; i < FLOW_MANY; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		ck_assert(!flow_is_claimed("z"));
		flow_run(name, i % 2 == 0 ? "success" : "failed");
	}
	flow_run("z", "success");
	ck_assert_str_eq(flow_seal_one(), "failed");
	ck_assert_int_eq(fs.worker->n_claims, FLOW_MANY + 2);
	free(after);
	flow_close();
}
END_TEST

START_TEST(the_delay_of_a_step_begins_when_it_is_released)
{
	struct broker_submit task = {
	    .id = SLICE("b"), .flow = SLICE("f"), .delay_ms = 300};
	int64_t before_ms;

	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	ck_assert_int_eq(flow_add_with(&task, "a:success"), ERR_NONE);
	stage_linger(&fs.stage, 350);
	ck_assert(!flow_is_claimed("b"));
	before_ms = clock_mono_ms();
	flow_run("a", "success");
	UNTIL(&fs.stage, flow_is_claimed("b"));
	ck_assert_int_ge(clock_mono_ms() - before_ms, 290);
	flow_close();
}
END_TEST

/* --- adding ----------------------------------------------------------------- */

static void
ck_refused(const char *id, const char *flow, const char *after,
	   enum err_code code, const char *text)
{
	struct broker_submit task = {.id = slice_of(id),
				     .flow = slice_of(flow)};

	ck_assert_int_eq(flow_add_with(&task, after), code);
	ck_assert_msg(strstr(task.err.msg, text) != NULL, "%s", task.err.msg);
	if (fs.stage.options.with_results)
		ck_assert_ptr_null(backend_get(&fs.stage, fs.results, id));
}

START_TEST(what_cannot_be_added_is_refused_and_leaves_nothing_behind)
{
	flow_open(_i);
	ck_refused("a", "f", NULL, ERR_NOT_FOUND, "no workflow f");
	flow_begin_one();
	flow_add("a", NULL);
	ck_refused("b", "f", "x:success", ERR_NOT_FOUND, "no step x");
	ck_refused("b", "f", "b:success", ERR_NOT_FOUND, "no step b");
	ck_refused("b", "no such", NULL, ERR_DATA, "workflow ID");
	ck_assert_str_eq(flow_seal_one(), "running");
	ck_refused("b", "f", NULL, ERR_REFUSED, "is sealed");
	flow_run("a", "success");
	ck_assert_str_eq(flow_state(), "succeeded");
	ck_refused("b", "f", NULL, ERR_REFUSED, "has ended");
	CK_COUNTS("1 0 0 1 0 0");
	flow_close();
}
END_TEST

/* Its client has lost the answer. */
START_TEST(a_step_that_is_added_twice_is_there_once)
{
	struct broker_submit task = {.id = SLICE("a"), .flow = SLICE("f")};

	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("b", "a:success");
	ck_assert_int_eq(flow_add_with(&task, NULL), ERR_NONE);
	ck_assert(task.duplicate);
	ck_assert_str_eq(task.owner, "a");
	flow_run("a", "success");
	task.duplicate = false;
	ck_assert_int_eq(flow_add_with(&task, NULL), ERR_NONE);
	ck_assert(task.duplicate);
	flow_add("b", "a:success");
	flow_run("b", "success");
	CK_COUNTS("2 0 0 2 0 0");
	ck_assert_int_eq(fs.worker->n_claims, 2);
	/* What is stored of it stays. */
	ck_assert_ptr_nonnull(
	    strstr(backend_get(&fs.stage, fs.results, "a"), "success"));
	flow_close();
}
END_TEST

START_TEST(a_step_that_runs_can_add_others_to_a_sealed_workflow)
{
	struct broker_submit task = {
	    .id = SLICE("b"), .flow = SLICE("f"), .within = SLICE("a")};
	struct broker_submit late = {
	    .id = SLICE("d"), .flow = SLICE("f"), .within = SLICE("a")};

	flow_open(_i);
	flow_begin_one();
	flow_add("a", NULL);
	flow_add("c", "a:success");
	ck_assert_str_eq(flow_seal_one(), "running");
	ck_assert_int_eq(flow_add_with(&task, NULL), ERR_NONE);
	flow_run("a", "success");
	ck_assert_int_eq(flow_add_with(&late, NULL), ERR_REFUSED);
	flow_run("c", "success");
	ck_assert_str_eq(flow_state(), "running");
	flow_run("b", "success");
	ck_assert_str_eq(flow_state(), "succeeded");
	flow_close();
}
END_TEST

START_TEST(of_a_workflow_that_begins_as_a_whole_nothing_runs_before_the_seal)
{
	const struct flow_begin begin = {
	    .id = SLICE("f"), .whole = true, .life_s = 1000};
	char name[16];
	int i;

	flow_open(_i);
	ck_assert_int_eq(flow_begin_with(&begin), ERR_NONE);
	for (i = 0; i < FLOW_MANY; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		flow_add(name, NULL);
	}
	flow_add("b", "m0:success m1:success");
	stage_linger(&fs.stage, 30);
	ck_assert_uint_eq(fs.worker->n_claims, 0);
	ck_assert_str_eq(flow_seal_one(), "running");
	ck_assert_str_eq(flow_seal_one(), "running");
	UNTIL(&fs.stage, fs.worker->n_claims == FLOW_MANY);
	flow_run("m0", "success");
	ck_assert(!flow_is_claimed("b"));
	flow_run("m1", "success");
	flow_run("b", "success");
	flow_close();
}
END_TEST

START_TEST(an_id_is_that_of_one_workflow)
{
	struct flow_begin begin = {.id = SLICE("f"), .life_s = 1000};

	flow_open(_i);
	ck_assert_int_eq(flow_begin_with(&begin), ERR_NONE);
	ck_assert_int_eq(flow_begin_with(&begin), ERR_REFUSED);
	begin.id = SLICE("a b");
	ck_assert_int_eq(flow_begin_with(&begin), ERR_DATA);
	begin.id = SLICE("g");
	begin.label = SLICE("a\nb");
	ck_assert_int_eq(flow_begin_with(&begin), ERR_DATA);
	begin.label = SLICE("\xC3\xA9");
	begin.life_s = 0;
	ck_assert_int_eq(flow_begin_with(&begin), ERR_DATA);
	begin.life_s = 1;
	ck_assert_int_eq(flow_begin_with(&begin), ERR_NONE);
	flow_close();
}
END_TEST

#define CASES(kind)                                                                \
	FLOW_EACH(a_step_goes_to_its_queue_when_those_before_it_have_ended,        \
		  kind)                                                            \
	TEST_LOOP(                                                                 \
	    a_step_runs_only_if_those_before_it_have_ended_as_they_have_to,        \
	    (kind)*N_CONDITIONS, ((kind) + 1) * N_CONDITIONS);                     \
	FLOW_EACH(                                                                 \
	    what_comes_after_a_skipped_step_is_skipped_unless_it_runs_in_any_case, \
	    kind)                                                                  \
	FLOW_EACH(                                                                 \
	    a_step_is_skipped_with_the_first_that_has_not_ended_as_it_had_to,      \
	    kind)                                                                  \
	FLOW_EACH(many_steps_come_after_one_and_one_comes_after_many, kind)        \
	FLOW_EACH(the_delay_of_a_step_begins_when_it_is_released, kind)            \
	FLOW_EACH(what_cannot_be_added_is_refused_and_leaves_nothing_behind,       \
		  kind)                                                            \
	FLOW_EACH(a_step_that_is_added_twice_is_there_once, kind)                  \
	FLOW_EACH(a_step_that_runs_can_add_others_to_a_sealed_workflow, kind)      \
	FLOW_EACH(                                                                 \
	    of_a_workflow_that_begins_as_a_whole_nothing_runs_before_the_seal,     \
	    kind)                                                                  \
	FLOW_EACH(an_id_is_that_of_one_workflow, kind)

FLOW_SUITES("flow")
