/* SPDX-License-Identifier: MIT */
/* Executors and their jobs, without any store. */
#include "pool/pool.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "executor/driver.h"
#include "pool/executor_process.h"
#include "pool/handlers.h"
#include "suite.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"

#define JOBS 4

struct run {
	struct pool_job job;
	struct task task;
	bool started, done, returned, ended;
	enum pool_fate fate;
	char text[256];
};

struct user {
	struct event_base *base;
	struct pool *pool;
	struct run runs[JOBS];
	bool ready;
	unsigned int reloads;
	struct err reload_err;
};

#define RUN_OF(ptr) ((struct run *)(void *)(ptr)) /* its first member */

/* --- what the pool calls ----------------------------------------------- */

static struct pool_job *
find_job(uint32_t number, void *arg)
{
	struct user *u = arg;

	return number > 0 && number <= JOBS ? &u->runs[number - 1].job : NULL;
}

static void
on_started(struct pool_job *job, int64_t started_us, void *arg)
{
	RUN_OF(job)->started = true;
}

static void
on_text(struct pool_job *job, struct slice text, void *arg)
{
}

static void
on_log(struct pool_job *job, int level, struct slice text, void *arg)
{
}

static void
on_submit(struct pool_job *job, pid_t executor, const struct ipc_submit *fixed,
	  struct slice json, void *arg)
{
}

static void
on_done(struct pool_job *job, const struct ipc_done *done, struct slice text,
	void *arg)
{
	struct run *r = RUN_OF(job);

	ck_assert_ptr_null(job->executor);
	ck_assert_uint_lt(text.len, sizeof(r->text));
	memcpy(r->text, text.p, text.len);
	r->done = true;
}

static void
on_returned(struct pool_job *job, void *arg)
{
	ck_assert_ptr_null(job->executor);
	RUN_OF(job)->returned = true;
}

static void
on_exit_of(struct pool_job *job, const struct pool_exit *end, void *arg)
{
	ck_assert_ptr_null(job->executor);
	RUN_OF(job)->ended = true;
	RUN_OF(job)->fate = end->fate;
}

static void
on_ready(void *arg)
{
	((struct user *)arg)->ready = true;
}

static void
on_reloaded(const struct err *why, void *arg)
{
	struct user *u = arg;

	u->reloads++;
	if (why != NULL)
		u->reload_err = *why;
}

static void
on_change(void *arg)
{
}

static const struct pool_events events = {.find = find_job,
					  .on_started = on_started,
					  .on_progress = on_text,
					  .on_log = on_log,
					  .on_print = on_text,
					  .on_submit = on_submit,
					  .on_done = on_done,
					  .on_returned = on_returned,
					  .on_exit = on_exit_of,
					  .on_ready = on_ready,
					  .on_reloaded = on_reloaded,
					  .on_change = on_change};

/* --- what a test does -------------------------------------------------- */

static const struct conf_executor conf = {.io_workers = 2,
					  .cpu_workers = 1,
					  .async_tasks = 2,
					  .max_result_size = 65536};

#define WAIT(u, condition)                                                     \
	do {                                                                   \
		int64_t until_ = clock_mono_ms() + 10000;                      \
		while (!(condition)) {                                         \
			ck_assert_msg(clock_mono_ms() < until_,                \
				      "not within 10 s: " #condition);         \
			turn(u);                                               \
		}                                                              \
	} while (0)

static void
turn(struct user *u)
{
	const struct timeval ten_ms = {.tv_usec = 10000};

	event_base_loopexit(u->base, &ten_ms);
	event_base_loop(u->base, EVLOOP_ONCE);
}

static struct user *
begin(void)
{
	static char executor[4096], demo[4096], hostile[4096], crash[4096];
	const char *modules[] = {demo, hostile, crash, NULL};
	struct user *u = calloc(1, sizeof(*u));
	struct err err;

	strcpy(executor, driver_path("libexec/flowrra/flowrra-executor"));
	strcpy(demo, driver_path("lib/flowrra/demo.so"));
	strcpy(hostile, driver_path("tests/modules/hostile.so"));
	strcpy(crash, driver_path("tests/modules/crash.so"));
	u->base = event_base_new();
	u->pool = pool_new(&(struct pool_options){.base = u->base,
						  .executor = executor,
						  .conf = &conf,
						  .modules = {modules, "{}"},
						  .events = &events,
						  .arg = u},
			   &err);
	ck_assert_msg(u->pool != NULL, "%s", err.msg);
	ck_assert_ptr_null(pool_handlers(u->pool));
	WAIT(u, u->ready);
	return u;
}

static void
end(struct user *u)
{
	pool_free(u->pool);
	event_base_free(u->base);
	free(u);
}

/* Gives the pool its job number `i`, from 0. */
static struct run *
run(struct user *u, unsigned int i, enum pool_kind kind, const char *name,
    const char *args)
{
	struct run *r = &u->runs[i];

	*r = (struct run){.task = {.id = (char *)"t",
				   .name = (char *)name,
				   .args = slice_of(args),
				   .kwargs = SLICE("{}")}};
	r->job =
	    (struct pool_job){.task = &r->task, .kind = kind, .number = i + 1};
	ck_assert(pool_run(u->pool, &r->job));
	ck_assert_ptr_nonnull(r->job.executor);
	return r;
}

/* --- jobs -------------------------------------------------------------- */

START_TEST(a_job_comes_back_with_its_result)
{
	struct user *u = begin();
	struct run *r = run(u, 0, POOL_THREAD, "add", "[1,2]");

	ck_assert_uint_eq(pool_running(u->pool, POOL_THREAD), 1);
	ck_assert_ptr_eq(pool_next_job(u->pool, NULL), &r->job);
	ck_assert_ptr_null(pool_next_job(u->pool, &r->job));
	WAIT(u, r->done);
	ck_assert_str_eq(r->text, "3");
	ck_assert_uint_eq(pool_running(u->pool, POOL_THREAD), 0);
	end(u);
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
	end(u);
}
END_TEST

START_TEST(an_executor_takes_as_many_jobs_as_it_has_slots)
{
	struct user *u = begin();

	ck_assert_uint_eq(pool_room(u->pool, POOL_THREAD), 2);
	ck_assert_uint_eq(pool_room(u->pool, POOL_ASYNC), 2);
	run(u, 0, POOL_THREAD, "sleep", "[60]");
	run(u, 1, POOL_THREAD, "sleep", "[60]");
	ck_assert(!pool_has_room(u->pool, POOL_THREAD));
	ck_assert(!pool_run(u->pool, &u->runs[2].job));
	ck_assert(pool_has_room(u->pool, POOL_ASYNC));
	end(u);
}
END_TEST

START_TEST(a_cpu_executor_is_started_when_it_is_needed)
{
	struct user *u = begin();
	struct run *r;

	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 1);
	ck_assert(!pool_has_room(u->pool, POOL_CPU));
	pool_start_cpu(u->pool);
	ck_assert(pool_is_starting(u->pool, POOL_CPU));
	pool_start_cpu(u->pool); /* no second one */
	WAIT(u, pool_has_room(u->pool, POOL_CPU));
	ck_assert_uint_eq(pool_room(u->pool, POOL_CPU), 1);
	r = run(u, 0, POOL_CPU, "resize", "[{}]");
	WAIT(u, r->done);
	end(u);
}
END_TEST

/* --- executors that die ------------------------------------------------ */

START_TEST(the_job_that_takes_its_executor_down_is_blamed)
{
	struct user *u = begin();
	struct run *waits = run(u, 0, POOL_ASYNC, "timer", "[60]");
	struct run *crashes = run(u, 1, POOL_THREAD, "crash.segv", "[]");

	WAIT(u, waits->ended && crashes->ended);
	ck_assert_int_eq(crashes->fate, POOL_CRASHED);
	ck_assert_int_eq(waits->fate, POOL_INNOCENT);
	WAIT(u, pool_has_room(u->pool, POOL_THREAD));
	end(u);
}
END_TEST

START_TEST(all_are_suspect_if_it_cannot_be_known)
{
	struct user *u = begin();
	struct run *a = run(u, 0, POOL_THREAD, "sleep", "[60]");
	struct run *b = run(u, 1, POOL_THREAD, "sleep", "[60]");
	struct pool_member member;

	WAIT(u, a->started && b->started);
	ck_assert_ptr_nonnull(pool_next_executor(u->pool, NULL, &member));
	ck_assert_str_eq(member.kind, "io");
	kill(member.pid, SIGKILL);
	WAIT(u, a->ended && b->ended);
	ck_assert_int_eq(a->fate, POOL_SUSPECT);
	ck_assert_int_eq(b->fate, POOL_SUSPECT);
	end(u);
}
END_TEST

START_TEST(an_executor_is_killed_when_only_overdue_jobs_are_left)
{
	struct user *u = begin();
	struct run *a = run(u, 0, POOL_THREAD, "loop", "[]");
	struct run *b = run(u, 1, POOL_THREAD, "loop", "[]");
	struct run *c;

	WAIT(u, a->started && b->started);
	pool_kill_for(&a->job);
	/* Another executor takes its place, and the other job may go on. */
	WAIT(u, pool_has_room(u->pool, POOL_THREAD));
	c = run(u, 2, POOL_THREAD, "add", "[1,2]");
	WAIT(u, c->done);
	ck_assert(!a->ended && !b->ended);
	pool_kill_for(&b->job);
	WAIT(u, a->ended && b->ended);
	ck_assert_int_eq(a->fate, POOL_OVERDUE);
	ck_assert_int_eq(b->fate, POOL_OVERDUE);
	end(u);
}
END_TEST

/* --- stop and reload --------------------------------------------------- */

START_TEST(a_pool_that_stops_lets_its_jobs_end)
{
	struct user *u = begin();
	struct run *r = run(u, 0, POOL_THREAD, "sleep", "[0.3]");

	WAIT(u, r->started);
	pool_stop(u->pool);
	ck_assert(!pool_has_room(u->pool, POOL_THREAD));
	WAIT(u, pool_is_empty(u->pool));
	ck_assert(r->done);
	end(u);
}
END_TEST

START_TEST(a_pool_that_is_killed_blames_no_job)
{
	struct user *u = begin();
	struct run *r = run(u, 0, POOL_THREAD, "sleep", "[60]");

	WAIT(u, r->started);
	pool_stop(u->pool);
	pool_kill(u->pool);
	WAIT(u, pool_is_empty(u->pool));
	ck_assert(r->ended);
	ck_assert_int_eq(r->fate, POOL_INNOCENT);
	end(u);
}
END_TEST

START_TEST(a_reload_brings_other_handlers)
{
	const char *modules[] = {strdup(driver_path("lib/flowrra/demo.so")),
				 NULL};
	struct user *u = begin();
	const struct pool_modules next = {modules, "{}"};
	struct run *r = run(u, 0, POOL_THREAD, "sleep", "[0.3]");
	struct err err;

	WAIT(u, r->started);
	ck_assert_int_eq(pool_reload(u->pool, &conf, &next, &err), 0);
	ck_assert_int_eq(pool_reload(u->pool, &conf, &next, &err), -1);
	WAIT(u, u->reloads == 1);
	ck_assert_int_eq(u->reload_err.code, ERR_NONE);
	ck_assert_ptr_null(handlers_find(pool_handlers(u->pool), "loop"));
	/* What ran before goes on in the old executor. */
	WAIT(u, r->done);
	end(u);
	free((char *)modules[0]);
}
END_TEST

START_TEST(a_reload_with_a_bad_module_changes_nothing)
{
	const char *modules[] = {"/nowhere/missing.so", NULL};
	struct user *u = begin();
	const struct pool_modules next = {modules, "{}"};
	struct err err;

	ck_assert_int_eq(pool_reload(u->pool, &conf, &next, &err), 0);
	WAIT(u, u->reloads == 1);
	ck_assert_int_eq(u->reload_err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(handlers_find(pool_handlers(u->pool), "loop"));
	ck_assert(pool_has_room(u->pool, POOL_THREAD));
	end(u);
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
