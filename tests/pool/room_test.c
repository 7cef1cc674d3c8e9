/* SPDX-License-Identifier: MIT */
/*
 * Room: how many jobs executors take, which executor gets one, and how there
 * come to be more and fewer of them.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "pool/user.h"
#include "suite.h"

/* Runs n jobs, one after the other, that claim to have taken so long. */
static void
run_jobs_of(struct user *u, unsigned int n, enum pool_kind kind,
	    const char *ran)
{
	struct run *r;

	while (n-- > 0) {
		r = STEPS(u, USER_JOBS - 1, kind, ran, "done=1");
		WAIT(u, r->done);
	}
}

static struct conf_executor
with_cpu_workers(unsigned int n)
{
	struct conf_executor conf = user_conf;

	conf.cpu_workers = n;
	return conf;
}

/* --- the io executor --------------------------------------------------- */

START_TEST(threads_and_asynchronous_jobs_have_room_of_their_own)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	STEPS(u, 0, POOL_THREAD, "started");
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 1);
	ck_assert_uint_eq(pool_room(u->pool, POOL_ASYNC), 2);
	STEPS(u, 1, POOL_ASYNC, "started");
	STEPS(u, 2, POOL_ASYNC, "started");
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 1);
	ck_assert(!pool_has_room(u->pool, POOL_ASYNC));
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	ck_assert_uint_eq(pool_running(u->pool, POOL_THREAD), 1);
	ck_assert_uint_eq(pool_running(u->pool, POOL_ASYNC), 2);
	ck_assert_uint_eq(pool_running(u->pool, POOL_CPU), 0);
	user_close(u);
}
END_TEST

START_TEST(a_job_that_ends_gives_its_room_back)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *a = STEPS(u, 0, POOL_ASYNC, "done=1");
	struct run *b = STEPS(u, 1, POOL_ASYNC, "failed=no");
	struct run *c;

	ck_assert_uint_eq(pool_room(u->pool, POOL_ASYNC), 0);
	WAIT(u, a->done && b->done);
	ck_assert_uint_eq(pool_room(u->pool, POOL_ASYNC), 2);
	c = STEPS(u, 2, POOL_THREAD, "returned");
	WAIT(u, c->returned);
	ck_assert_uint_eq(pool_running(u->pool, POOL_THREAD), 0);
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 2);
	user_close(u);
}
END_TEST

START_TEST(there_are_as_many_slots_as_are_configured)
{
	struct user *u = user_fake(&user_conf, NULL);

	ck_assert_uint_eq(pool_slots(u->pool, POOL_THREAD), 2);
	ck_assert_uint_eq(pool_slots(u->pool, POOL_ASYNC), 2);
	ck_assert_uint_eq(pool_slots(u->pool, POOL_CPU), 1);
	user_close(u);
}
END_TEST

START_TEST(without_a_number_there_is_a_cpu_executor_for_each_core)
{
	const struct conf_executor conf = with_cpu_workers(0);
	struct user *u = user_fake(&conf, NULL);

	ck_assert_uint_eq(pool_slots(u->pool, POOL_CPU),
			  (unsigned int)sysconf(_SC_NPROCESSORS_ONLN));
	user_close(u);
}
END_TEST

START_TEST(an_executor_that_is_coming_up_has_no_room)
{
	struct user *u = user_fake(&user_conf, NULL);

	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 0);
	ck_assert(!pool_has_room(u->pool, POOL_ASYNC));
	ck_assert(pool_is_starting(u->pool, POOL_THREAD));
	WAIT(u, u->ready);
	ck_assert(!pool_is_starting(u->pool, POOL_THREAD));
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 2);
	user_close(u);
}
END_TEST

/* --- short and long ---------------------------------------------------- */

START_TEST(short_jobs_make_room_for_more)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	run_jobs_of(u, 80, POOL_THREAD, "ran=0");
	/* It never has more waiting than it gets through in a moment. */
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 2 + 512);
	user_close(u);
}
END_TEST

START_TEST(long_jobs_take_the_room_away_again)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	run_jobs_of(u, 80, POOL_THREAD, "ran=0");
	run_jobs_of(u, 1, POOL_THREAD, "ran=1000000");
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 2);
	user_close(u);
}
END_TEST

START_TEST(asynchronous_jobs_say_nothing_of_the_others)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	run_jobs_of(u, 80, POOL_ASYNC, "ran=0");
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 2);
	user_close(u);
}
END_TEST

START_TEST(a_job_without_a_time_changes_no_room)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	run_jobs_of(u, 80, POOL_THREAD, "ran=-1");
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 2);
	user_close(u);
}
END_TEST

START_TEST(jobs_behind_a_long_one_come_back)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *a, *b, *c, *d;

	run_jobs_of(u, 80, POOL_THREAD, "ran=0");
	a = STEPS(u, 0, POOL_THREAD, "started");
	b = STEPS(u, 1, POOL_THREAD, "started");
	c = STEPS(u, 2, POOL_THREAD, "queued");
	d = STEPS(u, 3, POOL_THREAD, "queued");
	/* As the dispatcher does it, every POOL_STUCK_MS. */
	while (pool_unstick(u->pool) && !c->returned)
		user_turn(u->base);
	WAIT(u, c->returned);
	ck_assert(d->returned);
	/* The first to be returned is the last that was given. */
	ck_assert_uint_lt(d->back_as, c->back_as);
	ck_assert(!a->returned && !b->returned);
	/* What blocked them is taken for long. */
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 0);
	ck_assert(!pool_unstick(u->pool));
	user_close(u);
}
END_TEST

START_TEST(nothing_is_called_back_before_its_time)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	unsigned int i;

	run_jobs_of(u, 80, POOL_THREAD, "ran=0");
	ck_assert(!pool_unstick(u->pool));
	for (i = 0; i < 3; i++)
		STEPS(u, i, POOL_THREAD, "queued");
	/* It may be that they are just about to run: look again later. */
	ck_assert(pool_unstick(u->pool));
	user_close(u);
}
END_TEST

START_TEST(a_second_recall_waits_for_the_first)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	int64_t stuck_ms;
	struct run *a, *b;

	user_add_cpu(u);
	run_jobs_of(u, 80, POOL_CPU, "ran=0");
	a = STEPS(u, 0, POOL_CPU, "started", "stall");
	b = STEPS(u, 1, POOL_CPU, "queued");
	stuck_ms = clock_mono_ms() + POOL_STUCK_MS;
	WAIT(u, a->started && clock_mono_ms() >= stuck_ms);
	ck_assert(pool_unstick(u->pool));
	WAIT(u, a->progresses == 1);
	ck_assert(pool_unstick(u->pool));
	ck_assert(pool_unstick(u->pool));
	/* A second RECALL would be told before this. */
	pool_cancel(&a->job);
	WAIT(u, a->done);
	ck_assert_uint_eq(a->progresses, 1);
	ck_assert(!b->returned);
	user_close(u);
}
END_TEST

/* --- cpu executors ----------------------------------------------------- */

START_TEST(cpu_executors_are_started_one_by_one_up_to_the_limit)
{
	const struct conf_executor conf = with_cpu_workers(2);
	struct user *u = user_fake_up(&conf, NULL);

	ck_assert_uint_eq(user_executors(u, "cpu"), 0);
	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 2);
	pool_start(u->pool, POOL_CPU);
	pool_start(u->pool, POOL_CPU); /* one is coming up already */
	ck_assert_uint_eq(user_executors(u, "cpu"), 1);
	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 1);
	WAIT(u, pool_has_room(u->pool, POOL_CPU));
	user_add_cpu(u);
	ck_assert_uint_eq(user_executors(u, "cpu"), 2);
	pool_start(u->pool, POOL_CPU); /* there are as many as there may be */
	ck_assert_uint_eq(user_executors(u, "cpu"), 2);
	ck_assert_uint_eq(user_executors(u, "io"), 1);
	user_close(u);
}
END_TEST

START_TEST(the_cpu_executor_with_the_fewest_jobs_gets_the_next)
{
	const struct conf_executor conf = with_cpu_workers(2);
	struct user *u = user_fake_up(&conf, NULL);
	struct run *a, *b;

	user_add_cpu(u);
	user_add_cpu(u);
	a = STEPS(u, 0, POOL_CPU, "started");
	b = STEPS(u, 1, POOL_CPU, "started");
	ck_assert_ptr_ne(a->job.executor, b->job.executor);
	ck_assert(!pool_has_room(u->pool, POOL_CPU));
	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 0);
	ck_assert_uint_eq(pool_running(u->pool, POOL_CPU), 2);
	user_close(u);
}
END_TEST

START_TEST(all_jobs_of_all_executors_can_be_listed)
{
	const struct conf_executor conf = with_cpu_workers(2);
	struct user *u = user_fake_up(&conf, NULL);
	const struct pool_job *job = NULL;
	unsigned int n = 0, i;

	user_add_cpu(u);
	user_add_cpu(u);
	STEPS(u, 0, POOL_THREAD, "started");
	STEPS(u, 1, POOL_ASYNC, "started");
	/* The first of the cpu executors has none. */
	STEPS(u, 2, POOL_CPU, "started");
	STEPS(u, 3, POOL_CPU, "started");
	while ((job = pool_next_job(u->pool, job)) != NULL) {
		for (i = 0; &u->runs[i].job != job; i++)
			;
		n |= 1u << i;
	}
	ck_assert_uint_eq(n, 0xf);
	user_close(u);
}
END_TEST

START_TEST(a_cpu_executor_ends_after_as_many_jobs_as_it_may_run)
{
	struct conf_executor conf = user_conf;
	struct user *u;
	pid_t first;

	conf.max_tasks_per_child = 2;
	u = user_fake_up(&conf, NULL);
	user_add_cpu(u);
	first = user_executor(u, "cpu", 0);
	run_jobs_of(u, 1, POOL_CPU, "ran=9");
	ck_assert(pool_has_room(u->pool, POOL_CPU));
	run_jobs_of(u, 1, POOL_CPU, "ran=9");
	ck_assert(!pool_has_room(u->pool, POOL_CPU));
	/* Another one can be started at once. */
	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 1);
	WAIT(u, user_executors(u, "cpu") == 0);
	user_add_cpu(u);
	ck_assert_int_ne(user_executor(u, "cpu", 0), first);
	/* Jobs in threads do not count. */
	run_jobs_of(u, 3, POOL_THREAD, "ran=9");
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
}
END_TEST

START_TEST(jobs_that_were_prefetched_come_back_from_the_last_round)
{
	struct conf_executor conf = user_conf;
	struct user *u;
	struct run *last, *behind;

	conf.max_tasks_per_child = 81;
	u = user_fake_up(&conf, NULL);
	user_add_cpu(u);
	run_jobs_of(u, 80, POOL_CPU, "ran=0");
	behind = STEPS(u, 1, POOL_CPU, "queued");
	last = STEPS(u, 0, POOL_CPU, "done=1");
	WAIT(u, last->done && behind->returned);
	WAIT(u, user_executors(u, "cpu") == 0);
	user_close(u);
}
END_TEST

START_TEST(memory_is_limited_in_cpu_executors_only)
{
	struct conf_executor conf = user_conf;
	struct rlimit cpu, io;
	struct user *u;

	/* All that a process can address: sanitizers take most of it. */
	conf.memory_limit = INT64_C(1) << 47;
	u = user_fake_up(&conf, NULL);
	user_add_cpu(u);
	ck_assert_int_eq(
	    prlimit(user_executor(u, "cpu", 0), RLIMIT_AS, NULL, &cpu), 0);
	ck_assert_int_eq(
	    prlimit(user_executor(u, "io", 0), RLIMIT_AS, NULL, &io), 0);
	ck_assert_uint_eq(cpu.rlim_cur, (rlim_t)conf.memory_limit);
	ck_assert_uint_ne(io.rlim_cur, (rlim_t)conf.memory_limit);
	user_close(u);
}
END_TEST

SUITE("pool-room")
{
	TEST(threads_and_asynchronous_jobs_have_room_of_their_own);
	TEST(a_job_that_ends_gives_its_room_back);
	TEST(there_are_as_many_slots_as_are_configured);
	TEST(without_a_number_there_is_a_cpu_executor_for_each_core);
	TEST(an_executor_that_is_coming_up_has_no_room);
	TEST(short_jobs_make_room_for_more);
	TEST(long_jobs_take_the_room_away_again);
	TEST(asynchronous_jobs_say_nothing_of_the_others);
	TEST(a_job_without_a_time_changes_no_room);
	TEST(jobs_behind_a_long_one_come_back);
	TEST(nothing_is_called_back_before_its_time);
	TEST(a_second_recall_waits_for_the_first);
	TEST(cpu_executors_are_started_one_by_one_up_to_the_limit);
	TEST(the_cpu_executor_with_the_fewest_jobs_gets_the_next);
	TEST(all_jobs_of_all_executors_can_be_listed);
	TEST(a_cpu_executor_ends_after_as_many_jobs_as_it_may_run);
	TEST(jobs_that_were_prefetched_come_back_from_the_last_round);
	TEST(memory_is_limited_in_cpu_executors_only);
}
