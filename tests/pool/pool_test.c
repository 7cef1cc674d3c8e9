/* SPDX-License-Identifier: MIT */
/* The pool with real executors and modules, without any store. */
#include "pool/pool.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "executor/driver.h"
#include "pool/handlers.h"
#include "pool/user.h"
#include "suite.h"

static struct user *
begin(void)
{
	static char executor[4096], demo[4096], hostile[4096], crash[4096];
	const char *modules[] = {demo, hostile, crash, NULL};
	struct user *u;

	strcpy(executor, driver_path("libexec/flowrra/flowrra-executor"));
	strcpy(demo, driver_path("lib/flowrra/demo.so"));
	strcpy(hostile, driver_path("tests/modules/hostile.so"));
	strcpy(crash, driver_path("tests/modules/crash.so"));
	u = user_open(executor, &user_conf, modules);
	WAIT(u, u->ready);
	return u;
}

/* --- jobs -------------------------------------------------------------- */

START_TEST(a_job_comes_back_with_its_result)
{
	struct user *u = begin();
	struct run *r = user_run(u, 0, POOL_THREAD, "add", "[1,2]");

	ck_assert_uint_eq(pool_running(u->pool, POOL_THREAD), 1);
	ck_assert_ptr_eq(pool_next_job(u->pool, NULL), &r->job);
	ck_assert_ptr_null(pool_next_job(u->pool, &r->job));
	WAIT(u, r->done);
	ck_assert_str_eq(r->text, "3");
	ck_assert_uint_eq(pool_running(u->pool, POOL_THREAD), 0);
	user_close(u);
}
END_TEST

START_TEST(handlers_are_known_when_the_pool_is_ready)
{
	struct user *u = begin();
	const struct handlers *h = pool_handlers(u->pool);

	ck_assert_ptr_nonnull(h);
	ck_assert(handlers_find(h, "resize")->cpu_bound);
	ck_assert(handlers_find(h, "timer")->async);
	ck_assert_ptr_null(handlers_find(h, "elsewhere"));
	user_close(u);
}
END_TEST

START_TEST(an_executor_takes_as_many_jobs_as_it_has_slots)
{
	struct user *u = begin();

	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 2);
	ck_assert_uint_eq(pool_room(u->pool, POOL_ASYNC), 2);
	user_run(u, 0, POOL_THREAD, "sleep", "[60]");
	user_run(u, 1, POOL_THREAD, "sleep", "[60]");
	ck_assert(!pool_has_room(u->pool, POOL_THREAD));
	ck_assert(!pool_run(u->pool, &u->runs[2].job));
	ck_assert(pool_has_room(u->pool, POOL_ASYNC));
	user_close(u);
}
END_TEST

START_TEST(a_cpu_executor_is_started_when_it_is_needed)
{
	struct user *u = begin();
	struct run *r;

	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 1);
	ck_assert(!pool_has_room(u->pool, POOL_CPU));
	pool_start(u->pool, POOL_CPU);
	ck_assert(pool_is_starting(u->pool, POOL_CPU));
	pool_start(u->pool, POOL_CPU); /* no second one */
	WAIT(u, pool_has_room(u->pool, POOL_CPU));
	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 1);
	r = user_run(u, 0, POOL_CPU, "resize", "[{}]");
	WAIT(u, r->done);
	user_close(u);
}
END_TEST

/* --- executors that die ------------------------------------------------ */

START_TEST(the_job_that_takes_its_executor_down_is_blamed)
{
	struct user *u = begin();

	user_run(u, 0, POOL_ASYNC, "timer", "[60]");
	user_run(u, 1, POOL_THREAD, "crash.segv", "[]");
	FATES(u, POOL_INNOCENT, POOL_CRASHED);
	WAIT(u, pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
}
END_TEST

START_TEST(all_are_suspect_if_it_cannot_be_known)
{
	struct user *u = begin();
	struct run *a = user_run(u, 0, POOL_THREAD, "sleep", "[60]");
	struct run *b = user_run(u, 1, POOL_THREAD, "sleep", "[60]");
	struct pool_member member;

	WAIT(u, a->started && b->started);
	ck_assert_ptr_nonnull(pool_next_executor(u->pool, NULL, &member));
	ck_assert_str_eq(member.kind, "io");
	kill(member.pid, SIGKILL);
	FATES(u, POOL_SUSPECT, POOL_SUSPECT);
	user_close(u);
}
END_TEST

START_TEST(an_executor_is_killed_when_only_overdue_jobs_are_left)
{
	struct user *u = begin();
	struct run *a = user_run(u, 0, POOL_THREAD, "loop", "[]");
	struct run *b = user_run(u, 1, POOL_THREAD, "loop", "[]");
	struct run *c;

	WAIT(u, a->started && b->started);
	pool_kill_for(&a->job);
	/* Another executor takes its place, and the other job may go on. */
	WAIT(u, pool_has_room(u->pool, POOL_THREAD));
	c = user_run(u, 2, POOL_THREAD, "add", "[1,2]");
	WAIT(u, c->done);
	ck_assert(!a->ends && !b->ends);
	pool_kill_for(&b->job);
	FATES(u, POOL_OVERDUE, POOL_OVERDUE);
	user_close(u);
}
END_TEST

/* --- stop and reload --------------------------------------------------- */

START_TEST(a_pool_that_stops_lets_its_jobs_end)
{
	struct user *u = begin();
	struct run *r = user_run(u, 0, POOL_THREAD, "sleep", "[0.3]");

	WAIT(u, r->started);
	pool_stop(u->pool);
	ck_assert(!pool_has_room(u->pool, POOL_THREAD));
	WAIT(u, pool_is_empty(u->pool));
	ck_assert(r->done);
	user_close(u);
}
END_TEST

START_TEST(a_pool_that_is_killed_blames_no_job)
{
	struct user *u = begin();
	struct run *r = user_run(u, 0, POOL_THREAD, "sleep", "[60]");

	WAIT(u, r->started);
	pool_stop(u->pool);
	pool_kill(u->pool);
	WAIT(u, pool_is_empty(u->pool));
	ck_assert(r->ends);
	ck_assert_int_eq(r->fate, POOL_INNOCENT);
	user_close(u);
}
END_TEST

START_TEST(a_reload_brings_other_handlers)
{
	const char *modules[] = {strdup(driver_path("lib/flowrra/demo.so")),
				 NULL};
	struct user *u = begin();
	const struct pool_modules next = {modules, "{}", NULL, NULL, NULL};
	struct run *r = user_run(u, 0, POOL_THREAD, "sleep", "[0.3]");
	struct err err;

	WAIT(u, r->started);
	ck_assert_int_eq(pool_reload(u->pool, &user_conf, &next, &err), 0);
	ck_assert_int_eq(pool_reload(u->pool, &user_conf, &next, &err), -1);
	WAIT(u, u->reloads == 1);
	ck_assert_int_eq(u->reload_err.code, ERR_NONE);
	ck_assert_ptr_null(handlers_find(pool_handlers(u->pool), "loop"));
	/* What ran before goes on in the old executor. */
	WAIT(u, r->done);
	user_close(u);
	free((char *)modules[0]);
}
END_TEST

START_TEST(a_reload_with_a_bad_module_changes_nothing)
{
	const char *modules[] = {"/nowhere/missing.so", NULL};
	struct user *u = begin();
	const struct pool_modules next = {modules, "{}", NULL, NULL, NULL};
	struct err err;

	ck_assert_int_eq(pool_reload(u->pool, &user_conf, &next, &err), 0);
	WAIT(u, u->reloads == 1);
	ck_assert_int_eq(u->reload_err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(handlers_find(pool_handlers(u->pool), "loop"));
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
}
END_TEST

SUITE("pool")
{
	TEST(a_job_comes_back_with_its_result);
	TEST(handlers_are_known_when_the_pool_is_ready);
	TEST(an_executor_takes_as_many_jobs_as_it_has_slots);
	TEST(a_cpu_executor_is_started_when_it_is_needed);
	TEST(the_job_that_takes_its_executor_down_is_blamed);
	TEST(all_are_suspect_if_it_cannot_be_known);
	TEST(an_executor_is_killed_when_only_overdue_jobs_are_left);
	TEST(a_pool_that_stops_lets_its_jobs_end);
	TEST(a_pool_that_is_killed_blames_no_job);
	TEST(a_reload_brings_other_handlers);
	TEST(a_reload_with_a_bad_module_changes_nothing);
}
