/* SPDX-License-Identifier: MIT */
/* The worker of flowrractl run: it comes when it is needed, runs what it should, and
 * ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/run_scene.h"

START_TEST(two_clients_start_one_worker)
{
	struct world *w = own_world();
	struct run *clients[8];
	char seen[9] = "";
	size_t i;

	for (i = 0; i < 8; i++)
		clients[i] =
		    run_start(w, OWN "flowrractl run -- sh -c 'echo x >>done'");
	for (i = 0; i < 8; i++) {
		ck_assert_int_eq(run_end(w, clients[i])->status, 0);
		seen[atoi(clients[i]->out) - 1]++;
	}
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(seen[i], 1);
	ck_assert_int_eq(own(w, "wait 1 2 3 4 5 6 7 8")->status, 0);
	ck_assert_uint_eq(lines_of(w, "done"), 8);
	ck_run(run(w, "grep -c 'is ready' own/flowrra/flowrrad.log"), 0, "1\n");
	own_stop(w);
}
END_TEST

START_TEST(commands_run_one_at_a_time_in_their_order)
{
	struct world *w = own_world();
	size_t i;

	for (i = 0; i < 5; i++)
		own(w,
		    "run -- flock -n lock sh -c 'sleep 0.1; echo %zu >>done'",
		    i);
	ck_assert_int_eq(own(w, "wait 1 2 3 4 5")->status, 0);
	ck_assert_str_eq(world_read(w, "done"), "0\n1\n2\n3\n4\n");
	own_stop(w);
}
END_TEST

/* With room for many; also of two workers of one store. */
START_TEST(commands_with_one_key_run_one_at_a_time)
{
	struct world *w = own_world();
	struct worker *other;
	size_t i;

	run(w, "mkdir config; printf '[executor]\nasync_tasks = 8\n' "
	       ">config/flowrra.conf");
	ck_run(own(w, "run --wait true"), 0, "");
	other = worker_start(w, OWN "exec flowrrad --user -o worker.id=t:2");
	for (i = 0; i < 12; i++)
		own(w,
		    "run --lock k%zu -- sh -c 'flock -n f%zu sh -c \"echo b >>"
		    "log%zu; sleep 0.1; echo e >>log%zu\" || echo both >>bad'",
		    i % 2, i % 2, i % 2, i % 2);
	/* One without a key, and one with another, do not wait for them. */
	own(w, "run -- touch free");
	own(w, "run --lock k3 -- touch third");
	ck_assert_int_eq(own(w, "wait 14 15")->status, 0);
	ck_assert_int_eq(own(w, "wait 2 3 4 5 6 7 8 9 10 11 12 13")->status, 0);
	for (i = 0; i < 2; i++)
		ck_assert_str_eq(world_read(w, i == 0 ? "log0" : "log1"),
				 "b\ne\nb\ne\nb\ne\nb\ne\nb\ne\nb\ne\n");
	ck_assert_str_eq(world_read(w, "bad"), "");
	/* One file a key at most is left of them. */
	ck_assert_int_le(
	    atoi(run(w, "ls own/flowrra/flowrra.db-locks | wc -l")->out), 3);
	worker_stop(other);
	own_stop(w);
}
END_TEST

/* What the command has started is in its group. */
START_TEST(a_lock_outlives_its_executor_until_the_command_is_gone)
{
	struct world *w = own_world();
	struct run *r;

	own(w,
	    "run --lock k -- sh -c 'exec 9>f; flock -n 9 && echo x >>locked; "
	    "sleep 60'");
	WAIT_UNTIL(lines_of(w, "locked") == 1);
	r = run_start(w,
		      OWN "flowrractl run --wait --lock k -- sh -c 'flock -n f "
			  "true && echo alone'");
	run(w, "kill -9 %d", (int)own_worker(w));
	/* The first one runs again, and is cancelled; then it is the other's
	 * turn. */
	WAIT_UNTIL(lines_of(w, "locked") == 2);
	own(w, "cancel 1");
	ck_run(run_end(w, r), 0, "alone\n");
	own_stop(w);
}
END_TEST

START_TEST(a_worker_with_nothing_to_do_ends_and_the_next_call_starts_one)
{
	struct world *w = own_world();
	struct worker *k =
	    worker_start(w, OWN "exec flowrrad --user --idle-exit=0.1");

	own(w, "run --delay 4 -- touch later");
	ck_run(own(w, "run --wait true"), 0, "");
	/* What is delayed keeps it. */
	ck_assert_int_eq(worker_end(k), 0);
	ck_assert_int_eq(run(w, "test -e later")->status, 0);
	ck_assert_int_eq(own_worker(w), 0);
	ck_run(own(w, "run --wait echo again"), 0, "again\n");
	ck_assert_int_ne(own_worker(w), 0);
	own_stop(w);
}
END_TEST

START_TEST(without_a_worker_a_command_stays_queued_and_that_is_said)
{
	struct world *w = own_world();
	const struct run *r;

	/* A configuration that no worker can start with. */
	run(w, "mkdir -p config; echo nonsense >config/flowrra.conf");
	ck_complains(own(w, "run true"), 78, "flowrra.conf");
	run(w, "printf '[worker]\\nmodules = /no/module.so\\n[executor]\\n"
	       "io_workers = 4\\n' >config/flowrra.conf; mkdir -p "
	       "own/flowrra; touch own/flowrra/output; chmod 000 own/flowrra");
	run(w, "chmod 700 own/flowrra; ln -s /dev/full "
	       "own/flowrra/worker-$(hostname):user.lock");
	r = own(w, "run -- echo hello");
	ck_assert_int_eq(r->status, 69);
	ck_assert_str_eq(r->out, "1\n");
	ck_assert_ptr_nonnull(strstr(r->err, "queued as 1, but"));
	run(w, "rm own/flowrra/worker-* own/flowrra/output config/*");
	ck_run(own(w, "run --wait -- echo next"), 0, "next\n");
	ck_run(own(w, "logs 1"), 0, "hello\n");
	own_stop(w);
}
END_TEST

/* Nothing but the worker itself makes its directory. */
START_TEST(a_worker_that_a_command_has_started_is_shown_by_where)
{
	struct world *w = own_world();

	ck_run(run(w, "mkdir -m 700 runtime && " OWN "XDG_RUNTIME_DIR=$PWD/"
		      "runtime flowrractl run --wait -- echo here"),
	       0, "here\n");
	ck_run(run(w, OWN "XDG_RUNTIME_DIR=$PWD/runtime flowrractl --user "
			  "where | grep -c '^flowrrad'"),
	       0, "1\n");
	own_stop(w);
}
END_TEST

SUITE("run-worker")
{
	SUITE_TIMEOUT(120);
	TEST(two_clients_start_one_worker);
	TEST(commands_run_one_at_a_time_in_their_order);
	TEST(commands_with_one_key_run_one_at_a_time);
	TEST(a_lock_outlives_its_executor_until_the_command_is_gone);
	TEST(a_worker_with_nothing_to_do_ends_and_the_next_call_starts_one);
	TEST(without_a_worker_a_command_stays_queued_and_that_is_said);
	TEST(a_worker_that_a_command_has_started_is_shown_by_where);
}
