/* SPDX-License-Identifier: MIT */
/*
 * Generations: executors that do not come up, another configuration, and how
 * a pool ends.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pool/fake_executor.h"
#include "pool/handlers.h"
#include "pool/user.h"
#include "suite.h"

/* A step for executors that come up only when let_them_up() was called. */
static char *
need_file(char *path)
{
	char *step;

	strcpy(path, "/tmp/pool-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	strcat(path, "/up");
	ck_assert_int_gt(asprintf(&step, "needs=%s", path), 0);
	return step;
}

static void
let_them_up(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void
forget_file(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

/* The configuration and modules (one step) of a reload. */
static int
reload(struct user *u, const struct conf_executor *conf, const char *step,
       struct err *err)
{
	const char *steps[] = {step, NULL};
	const struct pool_modules modules = {steps, "{}", NULL, NULL, NULL};

	return pool_reload(u->pool, conf, &modules, err);
}

static void
reload_well(struct user *u, const struct conf_executor *conf, const char *step)
{
	struct err err;

	ck_assert_msg(reload(u, conf, step, &err) == 0, "%s", err.msg);
}

/* --- executors that do not come up ------------------------------------- */

START_TEST(an_executor_that_does_not_come_up_is_tried_again)
{
	char path[64], *step = need_file(path);
	struct user *u = user_fake(&user_conf, step);
	const pid_t first = user_executor(u, "io", 0);
	unsigned int changes;

	WAIT(u, user_executor(u, "io", 0) == 0);
	changes = u->changes;
	ck_assert(pool_is_empty(u->pool));
	ck_assert(pool_is_starting(u->pool, POOL_THREAD));
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 0);
	WAIT(u, user_executor(u, "io", 0) != 0);
	ck_assert_int_ne(user_executor(u, "io", 0), first);
	ck_assert_uint_gt(u->changes, changes);
	let_them_up(path);
	WAIT(u, u->ready);
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
	forget_file(path);
	free(step);
}
END_TEST

START_TEST(each_try_comes_later_than_the_one_before)
{
	struct user *u = user_fake(&user_conf, "exit=1");
	int64_t wait[3], since;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		WAIT(u, user_executor(u, "io", 0) == 0);
		since = clock_mono_ms();
		WAIT(u, user_executor(u, "io", 0) != 0);
		wait[i] = clock_mono_ms() - since;
	}
	/* 100, 200 and 400 ms; a busy machine only makes them longer. The
	 * first may have begun up to a turn of the loop before it was seen. */
	ck_assert_int_ge(wait[0], 80);
	ck_assert_int_ge(wait[1], 180);
	ck_assert_int_ge(wait[2], 380);
	user_close(u);
}
END_TEST

START_TEST(an_executor_that_describes_no_valid_tasks_is_killed)
{
	struct user *u = user_fake(&user_conf, "ready={\"tasks\":[1]}");
	const pid_t first = user_executor(u, "io", 0);

	WAIT(u, user_executor(u, "io", 0) != first);
	ck_assert(!u->ready);
	ck_assert_ptr_null(pool_handlers(u->pool));
	user_close(u);
}
END_TEST

START_TEST(a_pool_without_the_program_cannot_be_opened)
{
	const char *const none[] = {NULL};
	struct event_base *base = event_base_new();
	struct pool_options options = {
	    .base = base,
	    .executor = "/nowhere/executor",
	    .conf = &user_conf,
	    .modules = {.paths = none, .config = "{}"}};
	struct err err;

	ck_assert_ptr_null(pool_new(&options, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "/nowhere/executor"));
	pool_free(NULL);
	event_base_free(base);
}
END_TEST

START_TEST(an_executor_that_can_not_be_replaced_at_once_is_later)
{
	char dir[] = "/tmp/pool-XXXXXX", path[64];
	const char *const none[] = {NULL};
	struct user *u;
	struct run *r;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/executor", dir);
	ck_assert_int_eq(symlink(fake_executor_path(), path), 0);
	u = user_open(path, &user_conf, none);
	WAIT(u, u->ready);
	/* As in the middle of an upgrade. */
	unlink(path);
	r = STEPS(u, 0, POOL_THREAD, "exit=1");
	WAIT(u, r->ends == 1);
	WAIT(u, pool_is_empty(u->pool));
	ck_assert_int_eq(symlink(fake_executor_path(), path), 0);
	WAIT(u, pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(a_cpu_executor_that_does_not_come_up_is_not_tried_at_once)
{
	struct user *u = user_fake_up(&user_conf, "cpu:exit=1");

	pool_start(u->pool, POOL_CPU);
	ck_assert_uint_eq(user_executors(u, "cpu"), 1);
	WAIT(u, user_executors(u, "cpu") == 0);
	/* Nobody may count on one now. */
	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 0);
	pool_start(u->pool, POOL_CPU);
	ck_assert_uint_eq(user_executors(u, "cpu"), 0);
	WAIT(u, pool_room(u->pool, POOL_CPU) == 1);
	pool_start(u->pool, POOL_CPU);
	ck_assert_uint_eq(user_executors(u, "cpu"), 1);
	/* All of this is nothing to the io executor. */
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
}
END_TEST

START_TEST(at_the_start_modules_may_be_refused)
{
	struct user *u =
	    user_fake_up(&user_conf, "ready={\"tasks\":[{\"name\":\"a\","
				     "\"queue\":\"q\"}],\"refused\":"
				     "[{\"error\":\"too old\"}]}");

	ck_assert_uint_eq(pool_handlers(u->pool)->n, 1);
	ck_assert_uint_eq(pool_handlers(u->pool)->n_refused, 1);
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
}
END_TEST

START_TEST(a_pool_without_tasks_is_ready_all_the_same)
{
	struct user *u = user_fake_up(&user_conf, "ready={}");

	ck_assert_ptr_nonnull(pool_handlers(u->pool));
	ck_assert_uint_eq(pool_handlers(u->pool)->n, 0);
	user_close(u);
}
END_TEST

/* --- reload ------------------------------------------------------------ */

START_TEST(a_reload_changes_limits_modules_and_executors)
{
	struct conf_executor conf = user_conf;
	struct user *u = user_fake_up(&user_conf, NULL);
	const pid_t first = user_executor(u, "io", 0);
	struct run *old = STEPS(u, 0, POOL_THREAD, "started"), *new;

	WAIT(u, old->started);
	conf.io_workers = 5;
	reload_well(u, &conf, "cpu:pad");
	ck_assert_uint_eq(u->reloads, 0);
	WAIT(u, u->reloads == 1);
	ck_assert_int_eq(u->reload_err.code, ERR_NONE);
	ck_assert_uint_eq(pool_slots(u->pool, POOL_THREAD), 5);
	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 5);
	ck_assert_str_eq(pool_modules(u->pool)[0], "cpu:pad");
	ck_assert_ptr_null(pool_modules(u->pool)[1]);
	/* New jobs go to the new executor, the old one finishes its own. */
	new = STEPS(u, 1, POOL_THREAD, "done=1");
	ck_assert_ptr_ne(new->job.executor, old->job.executor);
	WAIT(u, new->done);
	ck_assert_int_eq(user_executor(u, "io", 0), first);
	pool_cancel(&old->job);
	WAIT(u, old->done);
	WAIT(u, user_executors(u, "io") == 1);
	ck_assert_int_ne(user_executor(u, "io", 0), first);
	user_close(u);
}
END_TEST

START_TEST(a_reload_calls_back_what_has_not_begun)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *runs = STEPS(u, 0, POOL_THREAD, "started");
	struct run *waits = STEPS(u, 1, POOL_THREAD, "queued");

	reload_well(u, &user_conf, NULL);
	WAIT(u, u->reloads == 1 && waits->returned);
	ck_assert(!runs->returned);
	user_close(u);
}
END_TEST

START_TEST(a_reload_ends_the_cpu_executors_of_before)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	pid_t old;

	user_add_cpu(u);
	old = user_executor(u, "cpu", 0);
	reload_well(u, &user_conf, NULL);
	WAIT(u, u->reloads == 1);
	ck_assert(!pool_has_room(u->pool, POOL_CPU));
	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 1);
	user_add_cpu(u);
	WAIT(u, user_executors(u, "cpu") == 1);
	ck_assert_int_ne(user_executor(u, "cpu", 0), old);
	user_close(u);
}
END_TEST

START_TEST(a_cpu_executor_that_is_coming_up_during_a_reload_goes_again)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	reload_well(u, &user_conf, NULL);
	pool_start(u->pool, POOL_CPU);
	WAIT(u, u->reloads == 1);
	WAIT(u, user_executors(u, "cpu") == 0 && user_executors(u, "io") == 1);
	user_close(u);
}
END_TEST

START_TEST(a_reload_whose_executor_does_not_come_up_changes_nothing)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	const pid_t first = user_executor(u, "io", 0);

	reload_well(u, &user_conf, "exit=1");
	WAIT(u, u->reloads == 1);
	ck_assert_int_eq(u->reload_err.code, ERR_UNAVAILABLE);
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	ck_assert_int_eq(user_executor(u, "io", 0), first);
	ck_assert_ptr_null(pool_modules(u->pool)[0]);
	/* And the next one may work. */
	reload_well(u, &user_conf, NULL);
	WAIT(u, u->reloads == 2);
	ck_assert_int_eq(u->reload_err.code, ERR_NONE);
	user_close(u);
}
END_TEST

START_TEST(a_reload_that_refuses_a_module_changes_nothing)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	reload_well(u, &user_conf,
		    "ready={\"tasks\":[],\"refused\":[{\"error\":\"bad\"}]}");
	WAIT(u, u->reloads == 1);
	ck_assert_int_eq(u->reload_err.code, ERR_CONFIG);
	ck_assert_str_eq(u->reload_err.msg, "bad");
	ck_assert_ptr_nonnull(handlers_find(pool_handlers(u->pool), "job"));
	/* The new executor goes again. */
	WAIT(u, user_executors(u, "io") == 1);
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	user_close(u);
}
END_TEST

START_TEST(a_reload_is_refused_while_another_is_under_way)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct err err;

	reload_well(u, &user_conf, NULL);
	ck_assert_int_eq(reload(u, &user_conf, NULL, &err), -1);
	ck_assert_int_eq(err.code, ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(err.msg, "already in progress"));
	WAIT(u, u->reloads == 1);
	reload_well(u, &user_conf, NULL);
	user_close(u);
}
END_TEST

START_TEST(a_reload_is_refused_before_the_pool_is_ready_and_after_it_stops)
{
	struct user *u = user_fake(&user_conf, NULL);
	struct err err;

	ck_assert_int_eq(reload(u, &user_conf, NULL, &err), -1);
	ck_assert_int_eq(err.code, ERR_UNAVAILABLE);
	WAIT(u, u->ready);
	pool_stop(u->pool);
	ck_assert_int_eq(reload(u, &user_conf, NULL, &err), -1);
	ck_assert_int_eq(err.code, ERR_UNAVAILABLE);
	user_close(u);
}
END_TEST

START_TEST(a_crash_during_a_reload_leaves_the_reload_alone)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "exit=1");

	reload_well(u, &user_conf, NULL);
	WAIT(u, r->ends == 1 && u->reloads == 1);
	ck_assert_int_eq(u->reload_err.code, ERR_NONE);
	WAIT(u, pool_has_room(u->pool, POOL_THREAD) &&
		    user_executors(u, "io") == 1);
	user_close(u);
}
END_TEST

/* --- stopping ---------------------------------------------------------- */

START_TEST(a_pool_that_stops_returns_what_has_not_begun)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *runs = STEPS(u, 0, POOL_THREAD, "started");
	struct run *waits = STEPS(u, 1, POOL_ASYNC, "queued");

	WAIT(u, runs->started);
	pool_stop(u->pool);
	pool_stop(u->pool); /* once is enough */
	ck_assert(!pool_has_room(u->pool, POOL_ASYNC));
	WAIT(u, waits->returned);
	ck_assert(!pool_is_empty(u->pool));
	pool_cancel(&runs->job);
	WAIT(u, runs->done && pool_is_empty(u->pool));
	ck_assert_uint_eq(runs->ends, 0);
	user_close(u);
}
END_TEST

START_TEST(a_pool_that_stops_starts_no_executor)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "started", "exit=1");

	WAIT(u, r->started);
	pool_stop(u->pool);
	pool_start(u->pool, POOL_CPU);
	WAIT(u, pool_is_empty(u->pool));
	ck_assert_int_eq(r->fate, POOL_SUSPECT);
	user_close(u);
}
END_TEST

START_TEST(a_pool_may_stop_before_it_is_ready)
{
	struct user *u = user_fake(&user_conf, NULL);

	pool_stop(u->pool);
	WAIT(u, pool_is_empty(u->pool));
	ck_assert(!u->ready);
	user_close(u);
}
END_TEST

/* The next try would be after 0.1 or 0.2 s. */
START_TEST(a_pool_may_stop_between_two_tries)
{
	struct user *u = user_fake(&user_conf, "exit=1");
	const int64_t until_ms = clock_mono_ms() + 500;

	WAIT(u, pool_is_empty(u->pool));
	pool_stop(u->pool);
	while (clock_mono_ms() < until_ms) {
		ck_assert(pool_is_empty(u->pool));
		user_turn(u->base);
	}
	user_close(u);
}
END_TEST

START_TEST(a_pool_that_stops_during_a_reload_ends_both)
{
	struct user *u = user_fake_up(&user_conf, NULL);

	reload_well(u, &user_conf, NULL);
	ck_assert_uint_eq(user_executors(u, "io"), 2);
	pool_stop(u->pool);
	WAIT(u, pool_is_empty(u->pool));
	ck_assert_uint_eq(u->reloads, 1);
	ck_assert_int_eq(u->reload_err.code, ERR_UNAVAILABLE);
	user_close(u);
}
END_TEST

START_TEST(a_pool_that_does_not_end_in_time_is_killed)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *a = STEPS(u, 0, POOL_THREAD, "started", "deaf", "silent");
	struct run *b;

	user_add_cpu(u);
	b = STEPS(u, 1, POOL_CPU, "started", "words=6:0", "silent");
	WAIT(u, a->started && b->started);
	pool_stop(u->pool);
	user_settle(u->base);
	ck_assert(!pool_is_empty(u->pool));
	pool_kill(u->pool);
	WAIT(u, pool_is_empty(u->pool));
	/* Whatever they claim: it was us. */
	FATES(u, POOL_INNOCENT, POOL_INNOCENT);
	user_close(u);
}
END_TEST

START_TEST(a_job_that_is_overdue_when_the_pool_is_killed_stays_overdue)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *a = STEPS(u, 0, POOL_THREAD, "started", "deaf");
	struct run *b = STEPS(u, 1, POOL_THREAD, "started", "deaf");

	WAIT(u, a->started && b->started);
	pool_stop(u->pool);
	pool_kill_for(&a->job);
	ck_assert_uint_eq(user_executors(u, "io"), 1); /* not replaced */
	pool_kill(u->pool);
	WAIT(u, pool_is_empty(u->pool));
	FATES(u, POOL_OVERDUE, POOL_INNOCENT);
	user_close(u);
}
END_TEST

START_TEST(a_pool_can_be_freed_in_the_middle_of_everything)
{
	struct user *u = user_fake_up(&user_conf, NULL);
	struct run *r = STEPS(u, 0, POOL_THREAD, "started");
	int io, cpu;

	user_add_cpu(u);
	reload_well(u, &user_conf, NULL);
	io = (int)syscall(SYS_pidfd_open, user_executor(u, "io", 1), 0);
	cpu = (int)syscall(SYS_pidfd_open, user_executor(u, "cpu", 0), 0);
	ck_assert(io >= 0 && cpu >= 0);
	user_close(u); /* nobody is called back, and no job is left with it */
	ck_assert(user_has_ended(io) && user_has_ended(cpu));
	close(io);
	close(cpu);
	(void)r;
}
END_TEST

SUITE("pool-generation")
{
	TEST(an_executor_that_does_not_come_up_is_tried_again);
	TEST(each_try_comes_later_than_the_one_before);
	TEST(an_executor_that_describes_no_valid_tasks_is_killed);
	TEST(a_pool_without_the_program_cannot_be_opened);
	TEST(an_executor_that_can_not_be_replaced_at_once_is_later);
	TEST(a_cpu_executor_that_does_not_come_up_is_not_tried_at_once);
	TEST(at_the_start_modules_may_be_refused);
	TEST(a_pool_without_tasks_is_ready_all_the_same);
	TEST(a_reload_changes_limits_modules_and_executors);
	TEST(a_reload_calls_back_what_has_not_begun);
	TEST(a_reload_ends_the_cpu_executors_of_before);
	TEST(a_cpu_executor_that_is_coming_up_during_a_reload_goes_again);
	TEST(a_reload_whose_executor_does_not_come_up_changes_nothing);
	TEST(a_reload_that_refuses_a_module_changes_nothing);
	TEST(a_reload_is_refused_while_another_is_under_way);
	TEST(a_reload_is_refused_before_the_pool_is_ready_and_after_it_stops);
	TEST(a_crash_during_a_reload_leaves_the_reload_alone);
	TEST(a_pool_that_stops_returns_what_has_not_begun);
	TEST(a_pool_that_stops_starts_no_executor);
	TEST(a_pool_may_stop_before_it_is_ready);
	TEST(a_pool_may_stop_between_two_tries);
	TEST(a_pool_that_stops_during_a_reload_ends_both);
	TEST(a_pool_that_does_not_end_in_time_is_killed);
	TEST(a_job_that_is_overdue_when_the_pool_is_killed_stays_overdue);
	TEST(a_pool_can_be_freed_in_the_middle_of_everything);
}
