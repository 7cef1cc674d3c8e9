/* SPDX-License-Identifier: MIT */
/* Which job the end of an executor, its silence and its delay are held against. */
#include <signal.h>
#include <string.h>

#include "pool/user.h"
#include "suite.h"

/* --- the end of an executor -------------------------------------------- */

START_TEST(last_words_tell_which_job_it_was)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *b;

	STEPS(u, 0, POOL_THREAD, "started");
	b = STEPS(u, 1, POOL_THREAD, "started", "words=11:0", "kill=11");
	FATES(u, POOL_INNOCENT, POOL_CRASHED);
	ck_assert_int_eq(b->how.signal, SIGSEGV);
	ck_assert(b->how.ready);
	user_close(u);
}
END_TEST

/* A module that has run wild may claim anything. */
START_TEST(last_words_about_a_job_that_it_does_not_have_blame_nobody_else)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *io, *cpu;

	user_add_cpu(u);
	io = STEPS(u, 0, POOL_THREAD, "started");
	WAIT(u, io->started);
	cpu = STEPS(u, 1, POOL_CPU, "words=6:0:1", "done=1", "kill=6");
	WAIT(u, cpu->done);
	WAIT(u, user_executor(u, "cpu", 0) == 0);
	ck_assert_uint_eq(io->ends, 0);
	user_close(u);
}
END_TEST

/* What ran before it may have left something behind. */
START_TEST(not_even_the_only_job_of_the_io_executor_is_blamed)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	STEPS(u, 0, POOL_ASYNC, "exit=5");
	FATES(u, POOL_SUSPECT);
	user_close(u);
}
END_TEST

START_TEST(a_job_that_crashed_alone_is_blamed)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r;

	user_add(u, POOL_ALONE);
	r = STEPS(u, 0, POOL_ALONE, "exit=5");
	FATES(u, POOL_CRASHED);
	ck_assert_int_eq(r->how.signal, 0);
	ck_assert_int_eq(r->how.status, 5);
	user_close(u);
}
END_TEST

/* That one has not said that it has begun proves nothing: it may have been too
 * short for that. */
START_TEST(those_that_may_have_been_running_are_suspect)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	STEPS(u, 0, POOL_THREAD, "started");
	STEPS(u, 1, POOL_ASYNC, "queued");
	STEPS(u, 2, POOL_THREAD, "kill=9");
	FATES(u, POOL_SUSPECT, POOL_SUSPECT, POOL_SUSPECT);
	user_close(u);
}
END_TEST

/* The executor has two threads, which take them in their order. */
START_TEST(of_blocking_jobs_as_many_as_there_are_threads_are_suspect)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *runs[5];
	unsigned int i;

	user_short_jobs(u, 0, POOL_THREAD);
	for (i = 0; i < 5; i++)
		runs[i] = STEPS(u, i, POOL_THREAD, i < 4 ? "queued" : "exit=1");
	FATES(u, POOL_SUSPECT, POOL_SUSPECT, POOL_INNOCENT, POOL_INNOCENT,
	      POOL_INNOCENT);
	/* The last comes back first, so that the first is put in front. */
	ck_assert_uint_lt(runs[4]->back_as, runs[3]->back_as);
	user_close(u);
}
END_TEST

START_TEST(last_words_of_the_loop_make_only_its_jobs_suspect)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	STEPS(u, 0, POOL_THREAD, "started");
	STEPS(u, 1, POOL_ASYNC, "started");
	STEPS(u, 2, POOL_ASYNC, "started", "words=11:0:0:1", "kill=11");
	FATES(u, POOL_INNOCENT, POOL_SUSPECT, POOL_SUSPECT);
	user_close(u);
}
END_TEST

START_TEST(what_is_lost_outside_of_an_executor_is_suspect_and_alone_to_blame)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_ASYNC, "started", "lost=it died");

	FATES(u, POOL_SUSPECT);
	user_add(u, POOL_ALONE);
	r = STEPS(u, 0, POOL_ALONE, "started", "lost=it died");
	FATES(u, POOL_CRASHED);
	ck_assert_str_eq(r->text, "it died");
	user_close(u);
}
END_TEST

START_TEST(an_executor_for_a_suspect_runs_nothing_else)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r;
	pid_t pid;

	user_add(u, POOL_ALONE);
	pid = user_executor(u, "alone", 0);
	r = STEPS(u, 0, POOL_ALONE, "ran=0", "done=1");
	ck_assert(!pool_has_room(u->pool, POOL_ALONE));
	WAIT(u, r->done);
	WAIT(u, user_executor(u, "alone", 0) != pid);
	user_close(u);
}
END_TEST

/* --- not answering ----------------------------------------------------- */

static const struct conf_executor impatient = {.io_workers = 2,
					       .cpu_workers = 1,
					       .async_tasks = 2,
					       .stuck_grace = 1000000,
					       .max_result_size = 65536};

START_TEST(a_job_that_keeps_the_loop_is_blamed_alone)
{
	struct user *u = user_fake_up(&impatient, NULL);
	struct run *keeps;

	STEPS(u, 0, POOL_THREAD, "started");
	STEPS(u, 1, POOL_ASYNC, "started");
	keeps = STEPS(u, 2, POOL_ASYNC, "started", "behind=5");
	FATES(u, POOL_INNOCENT, POOL_INNOCENT, POOL_CRASHED);
	ck_assert_ptr_nonnull(strstr(keeps->text, "kept the event loop"));
	ck_assert_uint_ge(u->silents, 1);
	WAIT(u, pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
}
END_TEST

START_TEST(a_callback_that_keeps_the_loop_makes_its_jobs_suspect)
{
	struct user *u = user_fake_up(&impatient, NULL);

	STEPS(u, 0, POOL_THREAD, "started");
	STEPS(u, 1, POOL_ASYNC, "nameless=5");
	FATES(u, POOL_INNOCENT, POOL_SUSPECT);
	user_close(u);
}
END_TEST

START_TEST(an_executor_that_answers_nothing_is_named_and_killed)
{
	struct conf_executor conf = impatient;
	const struct executor *e;
	struct pool_member member;
	struct user *u;
	struct run *r;

	conf.stuck_grace = 4000000;
	u = user_fake_up(&conf, NULL);
	r = STEPS(u, 0, POOL_THREAD, "started", "kill=19");
	WAIT(u, u->silents == 1);
	e = pool_next_executor(u->pool, NULL, &member);
	ck_assert_ptr_nonnull(e);
	ck_assert_uint_ge(member.silent_s, 3);
	/* Nothing more is sent to it. */
	ck_assert(!pool_has_room(u->pool, POOL_THREAD));
	ck_assert_uint_eq(r->ends, 0);
	FATES(u, POOL_SUSPECT);
	user_close(u);
}
END_TEST

START_TEST(an_executor_that_answers_again_is_forgiven)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "started", "kill=19");
	struct pool_member member;

	WAIT(u, u->silents == 1);
	pool_next_executor(u->pool, NULL, &member);
	kill(member.pid, SIGCONT);
	WAIT(u, u->silents == 2);
	pool_next_executor(u->pool, NULL, &member);
	ck_assert_uint_eq(member.silent_s, 0);
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	ck_assert_uint_eq(r->ends, 0);
	user_close(u);
}
END_TEST

/* It cannot have had its time while another one held the loop. */
START_TEST(an_overdue_job_behind_one_that_keeps_the_loop_pays_nothing)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *waits = STEPS(u, 0, POOL_ASYNC, "started", "deaf");
	struct run *keeps = STEPS(u, 1, POOL_ASYNC, "started", "behind=5");

	WAIT(u, u->silents == 1);
	pool_kill_for(&waits->job);
	ck_assert_uint_eq(waits->ends, 0);
	pool_kill_for(&keeps->job);
	FATES(u, POOL_INNOCENT, POOL_OVERDUE);
	user_close(u);
}
END_TEST

START_TEST(a_cpu_executor_takes_only_its_first_job_down)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *a;

	user_add_cpu(u);
	user_short_jobs(u, 2, POOL_CPU);
	a = STEPS(u, 0, POOL_CPU, "started");
	WAIT(u, a->started);
	STEPS(u, 1, POOL_CPU, "kill=9");
	FATES(u, POOL_CRASHED, POOL_INNOCENT);
	user_close(u);
}
END_TEST

START_TEST(an_executor_without_jobs_may_end_and_is_replaced)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	const pid_t first = user_executor(u, "io", 0);
	struct run *r = STEPS(u, 0, POOL_THREAD, "done=1", "exit=0");

	WAIT(u, r->done);
	WAIT(u, user_executor(u, "io", 0) != first);
	WAIT(u, pool_has_room(u->pool, POOL_THREAD));
	ck_assert_uint_eq(r->ends, 0);
	r = STEPS(u, 1, POOL_THREAD, "done=2");
	WAIT(u, r->done);
	user_close(u);
}
END_TEST

START_TEST(a_result_that_was_sent_before_the_end_counts)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *a = STEPS(u, 0, POOL_THREAD, "started");
	struct run *b = STEPS(u, 1, POOL_THREAD, "done=7", "kill=9");

	WAIT(u, a->ends == 1);
	ck_assert(b->done);
	ck_assert_uint_eq(b->ends, 0);
	ck_assert_int_eq(a->fate, POOL_SUSPECT); /* the only one left */
	user_close(u);
}
END_TEST

/* --- overdue ----------------------------------------------------------- */

START_TEST(others_may_end_before_the_executor_is_killed)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *overdue = STEPS(u, 0, POOL_THREAD, "started", "deaf");
	struct run *other = STEPS(u, 1, POOL_THREAD, "started");
	struct run *waits = STEPS(u, 2, POOL_ASYNC, "queued");

	WAIT(u, overdue->started && other->started);
	pool_kill_for(&overdue->job);
	/* What has not begun is asked for. */
	WAIT(u, waits->returned);
	WAIT(u, pool_has_room(u->pool, POOL_THREAD));
	ck_assert_uint_eq(user_executors(u, "io"), 2);
	ck_assert_uint_eq(overdue->ends, 0);
	pool_cancel(&other->job);
	WAIT(u, other->done && overdue->ends);
	ck_assert_int_eq(overdue->fate, POOL_OVERDUE);
	ck_assert_int_eq(overdue->how.signal, SIGKILL);
	WAIT(u, user_executors(u, "io") == 1);
	user_close(u);
}
END_TEST

START_TEST(an_overdue_job_in_a_cpu_executor_ends_only_that)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r, *io = STEPS(u, 1, POOL_THREAD, "started");

	user_add_cpu(u);
	r = STEPS(u, 0, POOL_CPU, "started", "deaf");
	WAIT(u, r->started);
	pool_cancel(&r->job);
	pool_kill_for(&r->job);
	FATES(u, POOL_OVERDUE);
	ck_assert_uint_eq(io->ends, 0);
	WAIT(u, user_executors(u, "cpu") == 0);
	user_add_cpu(u);
	user_close(u);
}
END_TEST

START_TEST(an_overdue_job_that_ends_in_time_is_done)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *overdue = STEPS(u, 0, POOL_THREAD, "started");
	struct run *other = STEPS(u, 1, POOL_THREAD, "started");

	WAIT(u, overdue->started && other->started);
	pool_kill_for(&overdue->job);
	pool_cancel(&overdue->job);
	WAIT(u, overdue->done);
	ck_assert_uint_eq(overdue->ends, 0);
	/* It is still replaced, and the other one ends by itself. */
	pool_cancel(&other->job);
	WAIT(u, other->done);
	WAIT(u, user_executors(u, "io") == 1);
	user_close(u);
}
END_TEST

SUITE("pool-blame")
{
	TEST(last_words_tell_which_job_it_was);
	TEST(last_words_about_a_job_that_it_does_not_have_blame_nobody_else);
	TEST(not_even_the_only_job_of_the_io_executor_is_blamed);
	TEST(a_job_that_crashed_alone_is_blamed);
	TEST(those_that_may_have_been_running_are_suspect);
	TEST(of_blocking_jobs_as_many_as_there_are_threads_are_suspect);
	TEST(last_words_of_the_loop_make_only_its_jobs_suspect);
	TEST(what_is_lost_outside_of_an_executor_is_suspect_and_alone_to_blame);
	TEST(an_executor_for_a_suspect_runs_nothing_else);
	TEST(a_job_that_keeps_the_loop_is_blamed_alone);
	TEST(a_callback_that_keeps_the_loop_makes_its_jobs_suspect);
	TEST(an_executor_that_answers_nothing_is_named_and_killed);
	TEST(an_executor_that_answers_again_is_forgiven);
	TEST(an_overdue_job_behind_one_that_keeps_the_loop_pays_nothing);
	TEST(a_cpu_executor_takes_only_its_first_job_down);
	TEST(an_executor_without_jobs_may_end_and_is_replaced);
	TEST(a_result_that_was_sent_before_the_end_counts);
	TEST(others_may_end_before_the_executor_is_killed);
	TEST(an_overdue_job_in_a_cpu_executor_ends_only_that);
	TEST(an_overdue_job_that_ends_in_time_is_done);
}
