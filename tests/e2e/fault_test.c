/* SPDX-License-Identifier: MIT */
/* Workers and servers that die, pause and come back. */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "e2e/load.h"
#include "e2e/look.h"
#include "e2e/worker.h"

static const char *const durable[] = {"--appendonly", "yes", "--appendfsync",
				      "always", NULL};

static const struct world_options marking = {
    .modules = "demo mark",
    .config = "[executor]\ncpu_workers = 2\n",
    .redis = {.args = durable}};

/* --- the worker dies ----------------------------------------------------- */

START_TEST(a_killed_workers_executors_die_and_its_tasks_go_on)
{
	struct world *w = world_start(&marking);
	struct worker *k = worker_of(w);
	pid_t children[CHILDREN_MAX];
	size_t n, i;
	int64_t begin;

	submit_many(w, 4, "mark", "[\"long\",3600]");
	submit_many(w, 300, "mark", "[\"short\"]");
	WAIT_UNTIL(count_marks(w, "long") == 4);
	submit(w, "mark_cpu cpu 3600 --id cpu");
	wait_status(w, "cpu", "running");
	n = children_of(worker_pid(k), children);
	ck_assert_uint_eq(n, 2);
	worker_kill(k);
	for (i = 0; i < n; i++)
		WAIT_UNTIL_WITHIN(1000, is_gone(children[i]));
	begin = now_ms();
	worker_restart(k);
	WAIT_UNTIL(count_marks(w, "long") == 8 && count_marks(w, "cpu") == 2);
	ck_assert_int_lt(now_ms() - begin, 2000 + PATIENCE_MS / 10);
	ck_assert_uint_eq(count_different_marks(w, "long"), 4);
	worker_kill(k);
	world_stop(w);
}
END_TEST

START_TEST(however_often_a_worker_is_killed_each_task_is_completed)
{
	struct world *w = world_start(&marking);
	struct worker *k = worker_of(w);
	struct run *r = submit_many_start(w, 4000, "mark", "[\"marks\"]");
	int i;

	for (i = 0; i < 5; i++) {
		WAIT_UNTIL(count_marks(w, "marks") > (size_t)i * 700);
		worker_kill(k);
		worker_restart(k);
	}
	ck_run(run_end(w, r), 0, "");
	wait_all_done(w, 4000);
	ck_assert_uint_eq(count_different_marks(w, "marks"), 4000);
	world_stop(w);
}
END_TEST

START_TEST(what_was_stored_as_complete_is_not_run_again)
{
	static const char rec[] =
	    "{\"task_id\":\"done\",\"status\":\"success\",\"task_name\":"
	    "\"mark\",\"result\":7,\"error\":null}";
	const struct world_options o = {.modules = "demo mark",
					.no_worker = true};
	struct world *w = world_start(&o);
	struct redis_server *s = world_redis(w);

	redis_server_run(s, "SET flowrra:task:done %s EX 1000", rec);
	redis_server_run(s, "LPUSH {flowrra:queue:io}:inflight:test:1 %s",
			 "{\"id\":\"done\",\"name\":\"mark\",\"args\":"
			 "[\"marks\"],\"kwargs\":{}}");
	redis_server_run(s, "LPUSH {flowrra:queue:io}:inflight:test:1 %s",
			 "{\"id\":\"open\",\"name\":\"mark\",\"args\":"
			 "[\"marks\"],\"kwargs\":{}}");
	worker_start(w, NULL);
	wait_status(w, "open", "success");
	WAIT_UNTIL(in_flight(w, "io") == 0);
	ck_assert_str_eq(world_read(w, "marks"), "open\n");
	ck_assert_str_eq(record(w, "done"), rec);
	world_stop(w);
}
END_TEST

/* --- Redis dies, pauses, forgets ----------------------------------------- */

static void
check_each_once(struct world *w, size_t n)
{
	wait_all_done(w, (long long)n);
	ck_assert_uint_eq(count_marks(w, "marks"), n);
	ck_assert_uint_eq(count_different_marks(w, "marks"), n);
	ck_assert_int_eq(count_records(w, "\"attempts\":1"), (long long)n);
}

START_TEST(a_killed_redis_loses_nothing_that_it_had_confirmed)
{
	struct world *w = world_start(&marking);
	int64_t begin;
	int i;

	submit_many(w, 3000, "mark", "[\"marks\",0.002]");
	for (i = 0; i < 2; i++) {
		WAIT_UNTIL(count_marks(w, "marks") > (size_t)i * 800 + 200);
		redis_server_kill(world_redis(w));
		redis_server_restart(world_redis(w));
		begin = now_ms();
		submit(w, "add 1 2 --id after%d --priority -1", i);
		wait_status(w, world_text(w, "after%d", i), "success");
		ck_assert_int_lt(now_ms() - begin, 5000 + PATIENCE_MS / 10);
	}
	wait_all_done(w, 3002);
	ck_assert_uint_eq(count_different_marks(w, "marks"), 3000);
	world_stop(w);
}
END_TEST

START_TEST(finished_work_is_delivered_when_redis_is_back)
{
	struct world *w = world_start(&marking);
	const char *id = submit(w, "mark marks 0.5");

	wait_status(w, id, "running");
	redis_server_kill(world_redis(w));
	WAIT_UNTIL(worker_logged(worker_of(w), "retrying"));
	run(w, "sleep 0.7");
	redis_server_restart(world_redis(w));
	expect_untouched(w, id);
	ck_assert_uint_eq(count_marks(w, "marks"), 1);
	world_stop(w);
}
END_TEST

START_TEST(a_paused_redis_makes_no_task_run_twice)
{
	const struct world_options o = {.modules = "demo mark",
					.url = NULL,
					.command = WORLD_COMMAND
					" -o broker.socket_timeout=300ms"};
	struct world *w = world_start(&o);
	const struct timespec pause = {.tv_nsec = 900000000};
	int i;

	submit_many(w, 600, "mark", "[\"marks\",0.01]");
	for (i = 0; i < 2; i++) {
		WAIT_UNTIL(count_marks(w, "marks") > (size_t)i * 200 + 50);
		redis_server_pause(world_redis(w));
		/* This long it takes to be taken for dead, and more. */
		nanosleep(&pause, NULL);
		redis_server_continue(world_redis(w));
	}
	check_each_once(w, 600);
	world_stop(w);
}
END_TEST

/* How many of the tasks in flight have this text in them. */
static long long
in_flight_with(struct world *w, const char *text)
{
	static const char script[] =
	    "local n = 0 "
	    "for _, k in ipairs(redis.call('KEYS', '*:inflight:*')) do "
	    "for _, t in ipairs(redis.call('LRANGE', k, 0, -1)) do "
	    "if t:find(ARGV[1], 1, true) then n = n + 1 end end end return n";

	return redis_integer(world_redis(w), "EVAL %s 0 %s", script, text);
}

#define SUBMITTED "\"submitted_at\":\"2026-01-02T03:04:05+00:00\","

START_TEST(a_task_goes_back_only_when_its_running_record_is_stored)
{
	const struct world_options o = {.modules = "demo mark",
					.config = "log_level = info\n",
					.separate_backend = true,
					.crashes = true};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	int i;

	/* What is submitted now is recorded later. Of a task that says when it
	 * was submitted, no record is looked for. */
	redis_server_pause(world_backend(w));
	for (i = 0; i < 2; i++)
		push(w, world_text(w,
				   "{\"id\":\"%d\",\"name\":\"mark\"," SUBMITTED
				   "\"args\":[\"first\",2]}",
				   i));
	WAIT_UNTIL(count_marks(w, "first") == 2);
	/* That they run is told after a few ms, and so before the end of one
	 * that runs for longer. */
	push(w, "{\"id\":\"2\",\"name\":\"mark\"," SUBMITTED
		"\"args\":[\"next\",0.1]}");
	WAIT_UNTIL(worker_logged(k, "task 2 (mark) succeeded"));
	kill(worker_executor(k), SIGKILL);
	WAIT_UNTIL(worker_logged(k, "was killed by SIGKILL"));
	/* It would be claimed after the two. */
	push(w, "{\"id\":\"3\",\"name\":\"mark\"," SUBMITTED
		"\"args\":[\"last\"]}");
	WAIT_UNTIL(count_marks(w, "last") == 1);
	ck_assert_int_eq(in_flight_with(w, "\"suspected\":1"), 0);
	redis_server_continue(world_backend(w));
	for (i = 0; i < 2; i++)
		wait_status(w, world_text(w, "%d", i), "success");
	world_stop(w);
}
END_TEST

START_TEST(connections_and_scripts_may_vanish)
{
	const struct world_options o = {.modules = "demo mark"};
	struct world *w = world_start(&o);
	int i;

	submit_many(w, 3000, "mark", "[\"marks\",0.001]");
	for (i = 0; i < 4; i++) {
		WAIT_UNTIL(count_marks(w, "marks") > (size_t)i * 500 + 100);
		redis_server_run(world_redis(w), "SCRIPT FLUSH");
		redis_server_run(world_redis(w), "CLIENT KILL TYPE normal");
		redis_server_run(world_redis(w), "CLIENT KILL TYPE pubsub");
	}
	check_each_once(w, 3000);
	redis_server_run(world_redis(w), "CLIENT KILL TYPE normal");
	ck_assert_str_eq(submit(w, "add 1 2 --wait --wait-timeout 20"), "3");
	world_stop(w);
}
END_TEST

/* --- the server lets nobody in any more ---------------------------------- */

/* What runs comes to its end, and that is kept; nothing waits for a server that
 * will not listen. */
START_TEST(a_changed_password_ends_the_worker_as_soon_as_nothing_runs)
{
	struct world *w = world_start(&marking);
	struct worker *k = worker_of(w);
	struct redis_server *r = world_redis(w);
	const char *id = submit(w, "mark marks 1.5");
	int64_t begin = now_ms();

	WAIT_UNTIL(count_marks(w, "marks") == 1);
	redis_server_run(r, "CONFIG SET requirepass changed");
	redis_server_run(r, "CLIENT KILL TYPE normal SKIPME yes");
	redis_server_run(r, "CLIENT KILL TYPE pubsub");
	ck_assert_int_eq(worker_end(k), 77);
	ck_assert_int_ge(now_ms() - begin, 1400);
	ck_assert_int_lt(now_ms() - begin, 1500 + 2500);
	WAIT_UNTIL(worker_logged(k, "requires a password"));
	redis_server_run(r, "AUTH changed");
	redis_server_run(r, "CONFIG SET requirepass %s", "");
	worker_restart(k);
	expect_untouched(w, id);
	WAIT_UNTIL(in_flight(w, "io") == 0);
	ck_assert_uint_eq(count_marks(w, "marks"), 1);
	world_stop(w);
}
END_TEST

SUITE("faults")
{
	SUITE_TIMEOUT(180);
	TEST(a_killed_workers_executors_die_and_its_tasks_go_on);
	TEST(however_often_a_worker_is_killed_each_task_is_completed);
	TEST(what_was_stored_as_complete_is_not_run_again);
	TEST(a_killed_redis_loses_nothing_that_it_had_confirmed);
	TEST(finished_work_is_delivered_when_redis_is_back);
	TEST(a_paused_redis_makes_no_task_run_twice);
	TEST(a_task_goes_back_only_when_its_running_record_is_stored);
	TEST(connections_and_scripts_may_vanish);
	TEST(a_changed_password_ends_the_worker_as_soon_as_nothing_runs);
}
