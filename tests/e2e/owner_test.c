/* SPDX-License-Identifier: MIT */
/*
 * Whose a task is: workers that share an id, that freeze for longer than a
 * heartbeat is good for, or that are cut off for so long. These take as long as
 * a heartbeat lives, and twice that for a takeover.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "e2e/load.h"
#include "e2e/look.h"
#include "e2e/worker.h"

/* As on another machine: nothing of the first one's files is in sight. */
#define ELSEWHERE WORLD_COMMAND " -o worker.state_dir=elsewhere"
#define OTHER ELSEWHERE " -o worker.id=test:2"
/* A heartbeat's life, and some. */
#define LIFE_MS 15000
/* Until a worker is dead to the others: two of them. */
#define DEATH_MS 40000

static const struct world_options marking = {
    .modules = "demo mark",
    .config = "log_level = info\n[executor]\nkill_grace = 300ms\n"};
static const struct world_options embedded = {
    .modules = "demo mark", .embedded = true, .config = "log_level = info\n"};

/* The status of a task, of whatever store. */
static const char *
status_of(struct world *w, const char *id)
{
	return json_field(w, ctl_ok(w, "tasks show %s --json", id),
			  "record.status");
}

/* --- one id, two workers ------------------------------------------------- */

static void
refuse_the_second(struct world *w)
{
	struct worker *first = worker_of(w), *second;
	const char *id = submit(w, "mark marks 5");

	WAIT_UNTIL(strcmp(status_of(w, id), "running") == 0);
	second = worker_spawn(w, ELSEWHERE);
	ck_assert_int_eq(worker_end(second), 77);
	WAIT_UNTIL(worker_logged(second, "test:1"));
	WAIT_UNTIL(worker_logged(
	    second, world_text(w, "process %d on host", worker_pid(first))));
	WAIT_UNTIL(worker_logged(second, "[worker] id"));
	ck_assert(!worker_logged(second, "is ready"));
	WAIT_UNTIL(strcmp(status_of(w, id), "success") == 0);
	ck_assert_uint_eq(count_marks(w, "marks"), 1);
	world_stop(w);
}

START_TEST(a_second_worker_with_one_id_ends_and_names_the_first)
{
	refuse_the_second(world_start(_i ? &embedded : &marking));
}
END_TEST

START_TEST(a_worker_that_was_killed_starts_elsewhere_when_its_life_is_over)
{
	struct world *w = world_start(&marking);
	struct worker *second;
	const char *id = submit(w, "mark marks 1");

	wait_status(w, id, "running");
	worker_kill(worker_of(w));
	second = worker_spawn(w, ELSEWHERE);
	WAIT_UNTIL_WITHIN(LIFE_MS, worker_logged(second, "is ready"));
	WAIT_UNTIL(worker_logged(second, "waiting for the end"));
	wait_status(w, id, "success");
	ck_assert_uint_eq(count_marks(w, "marks"), 2);
	world_stop(w);
}
END_TEST

START_TEST(a_frozen_worker_ends_when_another_has_its_id)
{
	struct world *w = world_start(&marking);
	struct worker *first = worker_of(w), *second;
	const char *id = submit(w, "mark_first_fails marks 1");

	wait_status(w, id, "running");
	worker_signal(first, SIGSTOP);
	second = worker_spawn(w, ELSEWHERE);
	WAIT_UNTIL_WITHIN(LIFE_MS, worker_logged(second, "is ready"));
	wait_status(w, id, "success");
	worker_signal(first, SIGCONT);
	ck_assert_int_eq(worker_end(first), 77);
	WAIT_UNTIL(worker_logged(first, "another process has the worker ID"));
	ck_field(w, id, "status", "success");
	WAIT_UNTIL(in_flight(w, "io") == 0);
	/* The second one is still known. */
	ck_assert_int_eq(
	    redis_integer(world_redis(w), "EXISTS flowrra:worker:test:1"), 1);
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	world_stop(w);
}
END_TEST

/* --- frozen, or cut off -------------------------------------------------- */

/* Of two tasks of the first worker, one has ended by the time that it comes
 * back, and one runs. */
struct owned {
	const char *ended, *running;
	struct worker *second;
};

static struct owned
submit_owned(struct world *w)
{
	struct owned o = {.ended = submit(w, "mark_first_fails ended 1")};

	o.running = submit(w, "mark_cpu running 3600");
	wait_status(w, o.ended, "running");
	wait_status(w, o.running, "running");
	return o;
}

/* The other one has taken all of them over, and has done the first. */
static void
wait_taken(struct world *w, const struct owned *o)
{
	WAIT_UNTIL_WITHIN(DEATH_MS, count_marks(w, "running") == 2);
	wait_status(w, o->ended, "success");
	ck_assert_uint_eq(count_marks(w, "ended"), 2);
}

/* The first is back: it drops what is another's, and goes on. */
static void
check_dropped(struct world *w, struct worker *first, const struct owned *o)
{
	const char *taken = world_text(
	    w, "task %s: another worker has taken it over", o->running);

	WAIT_UNTIL(worker_logged(first, taken));
	/* With a backend of its own, by the record that is there. */
	WAIT_UNTIL(worker_logged(first, world_text(w, "task %s: another worker",
						   o->ended)) ||
		   worker_logged(
		       first, world_text(w, "task %s has another", o->ended)));
	WAIT_UNTIL(worker_logged(first, "killing its executor"));
	ck_field(w, o->ended, "status", "success");
	ck_field(w, o->running, "status", "running");
	ck_field(w, o->running, "worker", "test:2");
	ck_assert_uint_eq(count_marks(w, "running"), 2);
	ck_assert_int_eq(in_flight(w, "cpu"), 1);
	/* The first is a worker as before. */
	worker_signal(o->second, SIGKILL);
	ck_assert_int_eq(worker_end(o->second), 128 + SIGKILL);
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
}

START_TEST(a_frozen_worker_drops_what_another_has_taken_over)
{
	struct world_options o = marking;
	struct world *w;
	struct worker *first;
	struct owned owned;

	o.separate_backend = _i;
	w = world_start(&o);
	first = worker_of(w);
	owned = submit_owned(w);
	worker_signal(first, SIGSTOP);
	owned.second = worker_start(w, OTHER);
	wait_taken(w, &owned);
	worker_signal(first, SIGCONT);
	check_dropped(w, first, &owned);
	world_stop(w);
}
END_TEST

/* Its process keeps its lock, so nobody takes its tasks over: nobody is told to
 * wait for that. */
START_TEST(
    the_doctor_says_what_to_do_about_a_frozen_worker_of_the_embedded_store)
{
	struct world *w = world_start(&embedded);
	struct worker *first = worker_of(w);
	const char *id = submit(w, "mark_first_fails marks 1");
	const char *cont =
	    world_text(w, "kill -CONT %d", (int)worker_pid(first));
	const char *out;

	WAIT_UNTIL(strcmp(status_of(w, id), "running") == 0);
	worker_signal(first, SIGSTOP);
	worker_start(w, OTHER);
	WAIT_UNTIL_WITHIN(LIFE_MS, strstr(ctl(w, "doctor")->out, cont) != NULL);
	out = ctl(w, "doctor")->out;
	ck_assert_ptr_nonnull(strstr(out, "keeps 1 task in flight"));
	ck_assert_ptr_null(strstr(out, "Wait half a minute"));
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "workers --json"), "\"frozen\":true"));
	/* What it says is true. */
	worker_kill(first);
	WAIT_UNTIL_WITHIN(LIFE_MS, strcmp(status_of(w, id), "success") == 0);
	ck_assert_ptr_null(strstr(ctl(w, "doctor")->out, "kill -CONT"));
	world_stop(w);
}
END_TEST

START_TEST(a_worker_that_was_cut_off_drops_what_another_has_taken_over)
{
	struct world_options o = marking;
	struct owned owned;
	struct worker *first;
	struct world *w;
	const char *link;

	o.no_worker = true;
	w = world_start(&o);
	/* The way of the first to the server, which can be taken away. */
	link = world_text(w, "%s/way", world_dir(w));
	ck_assert_int_eq(symlink(world_text(w, "%s/redis.sock",
					    redis_server_dir(world_redis(w))),
				 link),
			 0);
	first = worker_start(
	    w, world_text(w, WORLD_COMMAND " -o broker.url=unix://%s", link));
	owned = submit_owned(w);
	ck_assert_int_eq(rename(link, world_text(w, "%s.not", link)), 0);
	redis_server_run(world_redis(w), "CLIENT KILL TYPE normal");
	redis_server_run(world_redis(w), "CLIENT KILL TYPE pubsub");
	owned.second = worker_start(w, OTHER);
	wait_taken(w, &owned);
	ck_assert_int_eq(rename(world_text(w, "%s.not", link), link), 0);
	check_dropped(w, first, &owned);
	world_stop(w);
}
END_TEST

/* --- another id ---------------------------------------------------------- */

/* As a container does that keeps its volume and gets a new name. */
START_TEST(results_that_another_id_has_left_are_delivered)
{
	struct world_options o = marking;
	struct world *w;
	const char *id;
	struct worker *next;

	o.separate_backend = true;
	w = world_start(&o);
	id = submit(w, "mark marks 1");
	wait_status(w, id, "running");
	redis_server_pause(world_backend(w));
	WAIT_UNTIL(world_read(w, "state/worker-test:1.spool")[0] != '\0');
	worker_kill(worker_of(w));
	redis_server_continue(world_backend(w));
	next = worker_start(w, WORLD_COMMAND " -o worker.id=test:9");
	WAIT_UNTIL(worker_logged(next, "results that another worker left"));
	wait_status(w, id, "success");
	ck_field(w, id, "worker", "test:1");
	ck_run(run(w, "ls state"), 0,
	       "worker-test:1.lock\nworker-test:9.lock\n"
	       "worker-test:9.spool\n");
	/* Its claim, which was the other one's, is settled with that. */
	WAIT_UNTIL_WITHIN(DEATH_MS, in_flight(w, "io") == 0);
	ck_assert_uint_eq(count_marks(w, "marks"), 1);
	world_stop(w);
}
END_TEST

START_TEST(files_of_ids_that_are_not_used_any_more_go)
{
	const struct world_options o = {.modules = "demo", .no_worker = true};
	struct world *w = world_start(&o);

	ck_run(run(w, "mkdir -p state && cd state && touch worker-old.lock "
		      "worker-old.spool worker-new.lock worker-used.lock && "
		      "touch -d '2 days ago' worker-old.lock worker-used.lock"),
	       0, "");
	run_start(w, "exec flock state/worker-used.lock sleep 3600");
	ck_run(run(w, "until ! flock -n state/worker-used.lock true; do "
		      "sleep 0.05; done"),
	       0, "");
	worker_start(w, NULL);
	ck_run(run(w, "ls state"), 0,
	       "worker-new.lock\nworker-test:1.lock\nworker-test:1.spool\n"
	       "worker-used.lock\n");
	world_stop(w);
}
END_TEST

/* --- put back ------------------------------------------------------------ */

START_TEST(the_record_of_a_task_that_is_put_back_says_that_it_waits)
{
	struct world *w = world_start(_i ? &embedded : &marking);
	struct worker *k = worker_of(w);
	const char *id = submit(w, "mark_cpu marks 3600");

	WAIT_UNTIL(strcmp(status_of(w, id), "running") == 0);
	worker_signal(k, SIGTERM);
	WAIT_UNTIL(worker_logged(k, "stop"));
	worker_signal(k, SIGTERM);
	ck_assert_int_eq(worker_end(k), 0);
	ck_assert_str_eq(status_of(w, id), "pending");
	world_stop(w);
}
END_TEST

/* --- a worker of another program ------------------------------------------ */

START_TEST(what_a_foreign_worker_runs_cannot_be_cancelled)
{
	const struct world_options o = {.modules = "demo", .no_worker = true};
	struct world *w = world_start(&o);
	const char *id = submit(w, "add 1 2 --force --queue io");
	struct run *worker =
	    run_start(w, "/usr/bin/python3 %s %s/redis.sock %s",
		      world_source(w, "tests/e2e/foreign_worker.py"),
		      redis_server_dir(world_redis(w)), _i ? "0" : "0.1");

	WAIT_UNTIL(redis_integer(world_redis(w), "LLEN popped") == 1);
	if (_i)
		wait_status(w, id, "running");
	ck_complains(ctl(w, "cancel %s", id), 77,
		     "a worker of another program runs it");
	ck_field(w, id, "status", "running");
	redis_server_run(world_redis(w), "LPUSH go 1");
	ck_run(run_end(w, worker), 0, "");
	ck_field(w, id, "status", "success");
	world_stop(w);
}
END_TEST

START_TEST(a_foreign_worker_is_named_where_a_queue_has_limits)
{
	const struct world_options o = {.modules = "demo", .no_worker = true};
	struct world *w = world_start(&o);
	struct run *worker =
	    run_start(w, "/usr/bin/python3 %s %s/redis.sock 0",
		      world_source(w, "tests/e2e/foreign_worker.py"),
		      redis_server_dir(world_redis(w)));

	WAIT_UNTIL(strstr(redis_text(w, world_redis(w), "CLIENT LIST"),
			  "cmd=brpop") != NULL);
	ck_run(ctl(w, "limit set io --task other --concurrency 1"), 0, "");
	ck_assert_ptr_nonnull(
	    strstr(ctl(w, "doctor")->out,
		   "queue io has limits, which workers of the Python package "
		   "ignore: 1 client of the broker takes tasks"));
	ck_run(ctl(w, "limit unset io --task other"), 0, "");
	ck_assert_ptr_null(strstr(ctl(w, "doctor")->out, "Python"));
	ck_run(ctl(w, "limit set io --task other --concurrency 1"), 0, "");
	submit(w, "add 1 2 --force --queue io");
	redis_server_run(world_redis(w), "LPUSH go 1");
	ck_run(run_end(w, worker), 0, "");
	ck_assert_ptr_null(strstr(ctl(w, "doctor")->out, "Python"));
	world_stop(w);
}
END_TEST

SUITE("owner")
{
	SUITE_TIMEOUT(180);
	TEST_LOOP(a_second_worker_with_one_id_ends_and_names_the_first, 0, 2);
	TEST(a_worker_that_was_killed_starts_elsewhere_when_its_life_is_over);
	TEST(a_frozen_worker_ends_when_another_has_its_id);
	TEST_LOOP(a_frozen_worker_drops_what_another_has_taken_over, 0, 2);
	TEST(
	    the_doctor_says_what_to_do_about_a_frozen_worker_of_the_embedded_store);
	TEST(a_worker_that_was_cut_off_drops_what_another_has_taken_over);
	TEST(results_that_another_id_has_left_are_delivered);
	TEST(files_of_ids_that_are_not_used_any_more_go);
	TEST_LOOP(the_record_of_a_task_that_is_put_back_says_that_it_waits, 0,
		  2);
	TEST_LOOP(what_a_foreign_worker_runs_cannot_be_cancelled, 0, 2);
	TEST(a_foreign_worker_is_named_where_a_queue_has_limits);
}
