/* SPDX-License-Identifier: MIT */
/* The states of a result record. */
#include "core/result.h"

#include "core/task.h"
#include "suite.h"

#define N_STATUSES 5

static const char *const texts[N_STATUSES] = {
    "pending", "running", "success", "failed", "retrying",
};

START_TEST(there_are_five_states_and_no_other)
{
	enum result_status status;
	int i;

	for (i = 0; i < N_STATUSES; i++) {
		ck_assert_int_eq(
		    result_status_parse(slice_of(texts[i]), &status), 0);
		ck_assert_str_eq(result_status_text(status), texts[i]);
	}
	ck_assert_int_eq(result_status_parse(SLICE(""), &status), -1);
	ck_assert_int_eq(result_status_parse(SLICE("Success"), &status), -1);
	ck_assert_int_eq(result_status_parse(SLICE("successful"), &status), -1);
	ck_assert_int_eq(result_status_parse(SLICE("cancelled"), &status), -1);
}
END_TEST

START_TEST(success_and_failed_are_final)
{
	ck_assert(!result_status_final(RESULT_PENDING));
	ck_assert(!result_status_final(RESULT_RUNNING));
	ck_assert(result_status_final(RESULT_SUCCESS));
	ck_assert(result_status_final(RESULT_FAILED));
	ck_assert(!result_status_final(RESULT_RETRYING));
}
END_TEST

START_TEST(a_pending_record_says_what_was_submitted)
{
	struct task task = {.id = "7",
			    .name = "add",
			    .queue = "io",
			    .args = SLICE("[1]"),
			    .kwargs = SLICE("{}"),
			    .submitted_us = 42};
	struct result pending = result_pending(&task);

	ck_assert_int_eq(pending.status, RESULT_PENDING);
	ck_assert(slice_eq(pending.task_id, SLICE("7")));
	ck_assert(slice_eq(pending.task_name, SLICE("add")));
	ck_assert(slice_eq(pending.queue, SLICE("io")));
	ck_assert(slice_eq(pending.args, SLICE("[1]")));
	ck_assert(slice_eq(pending.kwargs, SLICE("{}")));
	ck_assert_int_eq(pending.submitted_us, 42);
	ck_assert_int_eq(pending.started_us, 0);
	ck_assert_int_eq(pending.attempts, 0);
	task.queue = NULL;
	ck_assert_ptr_null(result_pending(&task).queue.p);
}
END_TEST

SUITE("result")
{
	TEST(there_are_five_states_and_no_other);
	TEST(success_and_failed_are_final);
	TEST(a_pending_record_says_what_was_submitted);
}
