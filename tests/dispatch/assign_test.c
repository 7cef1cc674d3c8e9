/* SPDX-License-Identifier: MIT */
/* Which jobs go to the pool, which are held, and how many more are claimed. */
#include <stdio.h>

#include "dispatch/worker.h"
#include "suite.h"

/* What the worker wants once it has thought about all that happened. */
static unsigned int
wanted(struct worker *w, unsigned int queue)
{
	dispatch_turn(w->dispatch);
	worker_settle(w);
	return w->store.wanted[queue];
}

/* Lets the queues be cold, or hot: as if they had (not) just brought tasks. */
static void
set_heat(struct worker *w, bool io, bool cpu)
{
	const int64_t now = clock_mono_ms();

	w->dispatch->queues[0].claimed_ms = io ? now + 60000 : 0;
	w->dispatch->queues[1].claimed_ms = cpu ? now + 60000 : 0;
}

static bool
all_run(const struct worker *w)
{
	const struct dispatch *d = w->dispatch;
	uint32_t i;

	for (i = 0; i < d->cap_jobs; i++)
		if (d->jobs[i] != NULL && d->jobs[i]->started_us == 0)
			return false;
	return true;
}

/* --- how many are wanted ----------------------------------------------- */

START_TEST(a_worker_that_nobody_reaches_wants_nothing)
{
	struct worker *w = worker_open(&(struct worker_setup){0});

	FAKE_WAIT(&w->store, pool_handlers(w->dispatch->pool) != NULL);
	ck_assert_uint_eq(wanted(w, 0), 0);
	ck_assert(!w->ready);
	worker_up(w);
	FAKE_WAIT(&w->store, w->store.wanted[0] > 0);
	worker_end(w);
}
END_TEST

START_TEST(a_worker_wants_as_many_tasks_as_its_executors_have_room_for)
{
	struct worker *w = worker_begin_with("executor.io_workers=3");

	ck_assert_uint_eq(wanted(w, 0), 3);
	ck_assert_uint_eq(wanted(w, 1), 1);
	ENDLESS(w);
	FAKE_WAIT(&w->store, all_run(w));
	set_heat(w, false, false);
	ck_assert_uint_eq(wanted(w, 0), 2);
	worker_end(w);
}
END_TEST

START_TEST(a_full_worker_wants_nothing)
{
	struct worker *w = worker_begin();

	ENDLESS(w);
	ENDLESS(w);
	FAKE_WAIT(&w->store, all_run(w));
	ck_assert_uint_eq(wanted(w, 0), 0);
	/* There is another kind, of which it has room. */
	ck_assert_uint_eq(wanted(w, 1), 1);
	worker_end(w);
}
END_TEST

START_TEST(a_queue_that_brings_tasks_is_asked_for_all_others_for_one)
{
	struct worker *w = worker_begin_with("executor.io_workers=6");

	w->dispatch->queues[1].kind = POOL_THREAD;
	set_heat(w, true, false);
	ck_assert_uint_eq(wanted(w, 0), 6);
	ck_assert_uint_eq(wanted(w, 1), 1);
	set_heat(w, true, true);
	ck_assert_uint_eq(wanted(w, 0), 3);
	ck_assert_uint_eq(wanted(w, 1), 3);
	/* With none of them known to bring any, each may bring all. */
	set_heat(w, false, false);
	ck_assert_uint_eq(wanted(w, 0), 6);
	ck_assert_uint_eq(wanted(w, 1), 6);
	worker_end(w);
}
END_TEST

#define MANY 24

/* Of those that hold something, only one is asked, for all that there is room. */
static void
ck_turn_of(struct worker *w, unsigned int queue)
{
	unsigned int i;

	FAKE_WAIT(&w->store, w->store.wanted[queue] >= 32);
	for (i = 0; i < MANY; i++)
		ck_assert(i == queue || w->store.wanted[i] <= 1);
}

static bool
all_want_one(const struct worker *w)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		if (w->store.wanted[i] != 1)
			return false;
	return true;
}

/* Nothing comes meanwhile, and their turns come by themselves. */
START_TEST(many_queues_that_bring_tasks_take_turns)
{
	static const char *const settings[] = {"executor.io_workers=32", NULL};
	static const char *queues[MANY + 1];
	static char names[MANY][8];
	struct worker *w;
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "q%u", i);
		queues[i] = names[i];
	}
	w = worker_open(
	    &(struct worker_setup){.settings = settings, .queues = queues});
	worker_up(w);
	/* It is not known that any holds something. */
	FAKE_WAIT(&w->store, all_want_one(w));
	for (i = 0; i < MANY; i++) {
		w->dispatch->queues[i].kind = POOL_THREAD;
		w->dispatch->queues[i].busy = true;
		w->store.wanted[i] = 0;
	}
	wanted(w, 0);
	for (i = 0; i < MANY; i++) {
		ck_turn_of(w, i);
		w->store.empty[i] = true;
	}
	FAKE_WAIT(&w->store, all_want_one(w));
	worker_end(w);
}
END_TEST

START_TEST(a_queue_counts_for_the_kind_of_job_that_it_brought_last)
{
	struct worker *w = worker_begin();

	STEPS(w, "async", "", "done=1");
	FAKE_WAIT(&w->store, w->dispatch->n_jobs == 0);
	ck_assert_int_eq(w->dispatch->queues[0].kind, POOL_ASYNC);
	ck_assert_uint_gt(wanted(w, 0), 100);
	worker_end(w);
}
END_TEST

START_TEST(nothing_is_claimed_while_the_stores_are_far_behind)
{
	struct worker *w = worker_begin();
	unsigned int i;

	w->store.hold_claims = true;
	for (i = 0; i < 512; i++)
		fake_store_claim(&w->store, 0, "[]", false);
	FAKE_WAIT(&w->store, worker_count(w, "dead") == 512);
	ck_assert_uint_eq(wanted(w, 0), 0);
	ck_assert_uint_eq(wanted(w, 1), 0);
	w->store.hold_claims = false;
	FAKE_WAIT(&w->store, w->dispatch->n_jobs == 0);
	ck_assert_uint_eq(wanted(w, 0), 2);
	worker_end(w);
}
END_TEST

/* --- held jobs --------------------------------------------------------- */

START_TEST(a_job_without_room_goes_back_to_its_queue_after_a_moment)
{
	struct worker *w = worker_begin();

	ENDLESS(w);
	ENDLESS(w);
	FAKE_WAIT(&w->store, all_run(w));
	STEPS(w, "job", "", "done=1");
	ck_assert_uint_eq(w->dispatch->n_held[POOL_THREAD], 1);
	WAIT_FOR(w, "release");
	ck_assert_uint_eq(w->dispatch->n_held[POOL_THREAD], 0);
	ck_assert_uint_eq(worker_count(w, "success"), 0);
	worker_end(w);
}
END_TEST

START_TEST(a_job_waits_for_a_cpu_executor_that_is_coming_up)
{
	struct worker *w = worker_begin();

	STEPS(w, "cpu", "", "done=1");
	ck_assert_uint_eq(w->dispatch->n_held[POOL_CPU], 1);
	dispatch_turn(w->dispatch);
	worker_settle(w);
	ck_assert(pool_is_starting(w->dispatch->pool, POOL_CPU));
	/* It has waited for longer than others may. */
	if (!TAILQ_EMPTY(&w->dispatch->held[POOL_CPU]))
		TAILQ_FIRST(&w->dispatch->held[POOL_CPU])->held_ms = 0;
	assign_unstick(w->dispatch);
	ck_assert(!fake_store_saw(&w->store, "release"));
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_job_that_has_room_is_not_released_however_long_it_was_held)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "done=1");
	TAILQ_FIRST(&w->dispatch->held[POOL_THREAD])->held_ms = 0;
	assign_unstick(w->dispatch);
	ck_assert_uint_eq(w->dispatch->n_held[POOL_THREAD], 1);
	ck_assert(evtimer_pending(w->dispatch->stall, NULL));
	WAIT_FOR(w, "ack");
	worker_end(w);
}
END_TEST

START_TEST(a_held_job_runs_when_another_one_ends)
{
	struct worker *w = worker_begin();

	ENDLESS(w);
	ENDLESS(w);
	FAKE_WAIT(&w->store, all_run(w));
	STEPS(w, "job", "", "done=1");
	TAILQ_FIRST(&w->dispatch->held[POOL_THREAD])->held_ms += 60000;
	worker_cancel(w, "t1");
	WAIT_FOR(w, "success");
	worker_end(w);
}
END_TEST

START_TEST(a_job_that_an_executor_gives_back_is_given_to_one_again)
{
	struct worker *w = worker_begin();
	struct job *job;

	STEPS(w, "job", "", "returned");
	job = worker_job(w);
	FAKE_WAIT(&w->store, job->state == JOB_RUNNING);
	job->held_ms = 0;
	FAKE_WAIT(&w->store, job->held_ms != 0);
	FAKE_WAIT(&w->store, job->state == JOB_RUNNING);
	dispatch_stop(w->dispatch);
	WAIT_FOR(w, "release");
	ck_journal(w, "release; ");
	worker_end(w);
}
END_TEST

START_TEST(a_cancelled_job_that_an_executor_gives_back_does_not_run)
{
	struct worker *w = worker_begin_with("executor.kill_grace=60");

	STEPS(w, "job", "", "queued", "deaf");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_RUNNING);
	worker_cancel(w, "t1");
	dispatch_stop(w->dispatch);
	WAIT_FOR(w, "ack");
	ck_record(w, "cancelled before it started");
	worker_end(w);
}
END_TEST

START_TEST(jobs_behind_a_long_one_are_called_back)
{
	struct worker *w = worker_begin_with("executor.io_workers=1");
	int i;

	/* Short ones: the executor gets more than it has slots. */
	for (i = 0; i < 60; i++)
		STEPS(w, "job", "", "done=1");
	FAKE_WAIT(&w->store, worker_count(w, "ack") == 60);
	ENDLESS(w);
	STEPS(w, "job", "", "queued");
	FAKE_WAIT(&w->store, pool_running(w->dispatch->pool, POOL_THREAD) == 2);
	WAIT_FOR(w, "release");
	ck_assert_uint_eq(pool_running(w->dispatch->pool, POOL_THREAD), 1);
	worker_end(w);
}
END_TEST

SUITE("dispatch-assign")
{
	TEST(a_worker_that_nobody_reaches_wants_nothing);
	TEST(a_worker_wants_as_many_tasks_as_its_executors_have_room_for);
	TEST(a_full_worker_wants_nothing);
	TEST(a_queue_that_brings_tasks_is_asked_for_all_others_for_one);
	TEST(many_queues_that_bring_tasks_take_turns);
	TEST(a_queue_counts_for_the_kind_of_job_that_it_brought_last);
	TEST(nothing_is_claimed_while_the_stores_are_far_behind);
	TEST(a_job_without_room_goes_back_to_its_queue_after_a_moment);
	TEST(a_job_waits_for_a_cpu_executor_that_is_coming_up);
	TEST(a_job_that_has_room_is_not_released_however_long_it_was_held);
	TEST(a_held_job_runs_when_another_one_ends);
	TEST(a_job_that_an_executor_gives_back_is_given_to_one_again);
	TEST(a_cancelled_job_that_an_executor_gives_back_does_not_run);
	TEST(jobs_behind_a_long_one_are_called_back);
}
