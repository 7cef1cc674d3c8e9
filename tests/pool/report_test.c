/* SPDX-License-Identifier: MIT */
/* What executors say of their jobs, and what the pool believes. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "pool/user.h"
#include "suite.h"

/* --- messages ---------------------------------------------------------- */

START_TEST(the_result_comes_with_its_times)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_ASYNC, "ran=1234", "done={\"a\":[1]}");

	WAIT(u, r->done);
	ck_assert(!r->started); /* a short one costs one message */
	ck_assert_uint_eq(r->end.outcome, IPC_SUCCESS);
	ck_assert_int_eq(r->end.ran_us, 1234);
	ck_assert_int_eq(r->end.finished_us - r->end.started_us, 1234);
	ck_assert_str_eq(r->text, "{\"a\":[1]}");
	user_close(u);
}
END_TEST

START_TEST(an_error_comes_with_its_text)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *a = STEPS(u, 0, POOL_ASYNC, "failed=no luck");
	struct run *b = STEPS(u, 1, POOL_ASYNC, "final=never");

	WAIT(u, a->done && b->done);
	ck_assert_uint_eq(a->end.outcome, IPC_FAILED);
	ck_assert_str_eq(a->text, "no luck");
	ck_assert_uint_eq(b->end.outcome, IPC_FAILED_FINAL);
	ck_assert_str_eq(b->text, "never");
	user_close(u);
}
END_TEST

START_TEST(a_result_that_is_not_json_fails_the_job)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "done={\"a\":");

	WAIT(u, r->done);
	ck_assert_uint_eq(r->end.outcome, IPC_FAILED_FINAL);
	ck_assert_ptr_nonnull(strstr(r->text, "not valid JSON"));
	user_close(u);
}
END_TEST

START_TEST(progress_is_told_if_it_is_json)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "progress={\"done\":3}",
			      "progress={\"done\":", "progress=", "done=1");

	WAIT(u, r->done);
	ck_assert_uint_eq(r->progresses, 1);
	ck_assert_str_eq(r->said, "{\"done\":3}");
	user_close(u);
}
END_TEST

START_TEST(handlers_log_at_the_levels_that_there_are)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "log=2:some text",
			      "log=99:at no level", "done=1");

	WAIT(u, r->done);
	ck_assert_uint_eq(r->logs, 1);
	ck_assert_int_eq(r->level, 2);
	ck_assert_str_eq(r->said, "some text");
	user_close(u);
}
END_TEST

START_TEST(a_submission_is_answered)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "submit={\"name\":\"b\"}");
	const struct err none = {.code = ERR_NONE};

	WAIT(u, r->submits == 1);
	ck_assert_str_eq(r->said, "{\"name\":\"b\"}");
	ck_assert_int_eq(r->asker, user_executor(u, "io", 0));
	pool_submitted(u->pool, r->asker, r->job.number, r->request, &none);
	WAIT(u, r->done);
	ck_assert_str_eq(r->text, "{\"code\":0,\"text\":\"\"}");
	user_close(u);
}
END_TEST

START_TEST(a_submission_that_failed_says_why)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "submit={}");
	char expected[64];
	struct err why;

	WAIT(u, r->submits == 1);
	err_set(&why, ERR_DATA, "it has no name");
	/* To an executor that is gone: nothing happens. */
	pool_submitted(u->pool, r->asker + 1, r->job.number, 7, &why);
	pool_submitted(u->pool, r->asker, r->job.number, 7, &why);
	WAIT(u, r->done);
	snprintf(expected, sizeof(expected),
		 "{\"code\":%d,\"text\":\"it has no name\"}", (int)ERR_DATA);
	ck_assert_str_eq(r->text, expected);
	user_close(u);
}
END_TEST

START_TEST(a_job_that_is_cancelled_says_so)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "started");

	WAIT(u, r->started);
	pool_cancel(&r->job);
	WAIT(u, r->done);
	ck_assert_uint_eq(r->end.limited, 1);
	user_close(u);
}
END_TEST

START_TEST(a_message_for_a_job_of_another_executor_is_ignored)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *io, *cpu;

	user_add_cpu(u);
	io = STEPS(u, 0, POOL_THREAD, "log=0:");
	WAIT(u, io->logs == 1);
	/* Job 1 is not its own, and job 9 is nobody's. */
	cpu = STEPS(u, 1, POOL_CPU, "other=1", "other=9", "other=4000000000",
		    "done=1");
	WAIT(u, cpu->done);
	ck_assert(!io->started);
	ck_assert_int_ne(user_executor(u, "cpu", 0), 0);
	user_close(u);
}
END_TEST

START_TEST(a_message_for_a_job_that_is_over_is_ignored)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "done=1", "other=1");
	struct run *next;

	WAIT(u, r->done);
	next = STEPS(u, 1, POOL_THREAD, "done=2");
	WAIT(u, next->done);
	ck_assert(!r->started);
	user_close(u);
}
END_TEST

START_TEST(an_executor_that_greets_twice_is_killed)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "hello=1", "silent");

	WAIT(u, r->ends == 1);
	ck_assert_int_eq(r->how.signal, SIGKILL);
	WAIT(u, pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
}
END_TEST

/* --- what handlers print ----------------------------------------------- */

START_TEST(a_line_belongs_to_the_only_job)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_ASYNC, "print=hello");

	WAIT(u, r->prints == 1);
	ck_assert_str_eq(r->said, "hello");
	user_close(u);
}
END_TEST

START_TEST(a_line_belongs_to_no_job_if_two_may_have_printed_it)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *a = STEPS(u, 0, POOL_THREAD, "started");
	struct run *b = STEPS(u, 1, POOL_THREAD, "print=hello", "exit=0");

	WAIT(u, a->ends && b->ends);
	ck_assert_uint_eq(a->prints + b->prints, 0);
	user_close(u);
}
END_TEST

START_TEST(in_a_cpu_executor_a_line_belongs_to_the_first_job)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *a, *b;

	user_add_cpu(u);
	user_short_jobs(u, 2, POOL_CPU);
	a = STEPS(u, 0, POOL_CPU, "print=hello");
	b = STEPS(u, 1, POOL_CPU, "queued");
	WAIT(u, a->prints == 1);
	ck_assert_uint_eq(b->prints, 0);
	user_close(u);
}
END_TEST

SUITE("pool-report")
{
	TEST(the_result_comes_with_its_times);
	TEST(an_error_comes_with_its_text);
	TEST(a_result_that_is_not_json_fails_the_job);
	TEST(progress_is_told_if_it_is_json);
	TEST(handlers_log_at_the_levels_that_there_are);
	TEST(a_submission_is_answered);
	TEST(a_submission_that_failed_says_why);
	TEST(a_job_that_is_cancelled_says_so);
	TEST(a_message_for_a_job_of_another_executor_is_ignored);
	TEST(a_message_for_a_job_that_is_over_is_ignored);
	TEST(an_executor_that_greets_twice_is_killed);
	TEST(a_line_belongs_to_the_only_job);
	TEST(a_line_belongs_to_no_job_if_two_may_have_printed_it);
	TEST(in_a_cpu_executor_a_line_belongs_to_the_first_job);
}
