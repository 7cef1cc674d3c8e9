/* SPDX-License-Identifier: MIT */
/* Workflows: what other task queues have been reported to hang on. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/workflow_scene.h"

/* celery#4207, #941, bullmq#3122, #3362, #800: a part fails, and what waits for all
 * of them never hears of it. */
START_TEST(a_join_ends_though_a_part_fails)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W");
	submit(w, "add 1 1 --flow W --id a");
	submit(w, "fail --max-retries 0 --flow W --id b");
	submit(w, "add 2 2 --flow W --id join --after a,b");
	submit(w, "add 3 3 --flow W --id rest --after a:complete,b:complete");
	submit(w, "add 4 4 --flow W --id tell --on failure");
	ck_complains(ctl(w, "workflow seal W --wait"), 1, "W failed");
	ck_is_skipped(w, "join");
	ck_run(ctl(w, "wait rest tell"), 0, "rest\t6\ntell\t8\n");
	world_stop(w);
}
END_TEST

/* celery#1401: a part is retried, and the callback runs too early or never. */
START_TEST(a_part_that_is_retried_ends_once)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W --on-failure cancel");
	submit(w, "flaky 3 --retry-delay 0.1s --max-retries 5 --flow W --id a");
	submit(w, "add 1 1 --flow W --id b --after a");
	submit(w, "add 2 2 --flow W --id done --on success");
	ck_run(ctl(w, "workflow seal W --wait"), 0, "succeeded\n");
	ck_run(ctl(w, "wait b done"), 0, "b\t2\ndone\t4\n");
	ck_assert_str_eq(told(w, "a", "attempts"), "3");
	ck_assert_str_eq(told(w, "b", "attempts"), "1");
	ck_assert_str_eq(told(w, "done", "attempts"), "1");
	world_stop(w);
}
END_TEST

/* celery#6220, #6792: an error in a chain that is a part of a group. */
START_TEST(a_chain_within_a_group_fails_and_the_group_ends)
{
	struct world *w = begin(_i);
	const char *id;

	worker_start(w, NULL);
	id = submit_file(
	    w,
	    "{\"id\":\"a1\",\"name\":\"add\",\"args\":[1,1]}\n"
	    "{\"id\":\"a2\",\"name\":\"fail\",\"max_retries\":0,"
	    "\"after\":[\"a1\"]}\n"
	    "{\"id\":\"a3\",\"name\":\"add\",\"args\":[{\"$from\":\"a2\"},1]}\n"
	    "{\"id\":\"b1\",\"name\":\"add\",\"args\":[2,2]}\n"
	    "{\"id\":\"b2\",\"name\":\"add\",\"args\":[{\"$from\":\"b1\"},1]}\n"
	    "{\"id\":\"j\",\"name\":\"echo\",\"args\":[{\"$all\":[\"a3\","
	    "\"b2\"]}"
	    "],\"after\":[\"a3:complete\",\"b2:complete\"]}\n",
	    "");
	ck_complains(ctl(w, "workflow wait %s", id), 1, "failed");
	ck_is_skipped(w, at(w, id, "a3"));
	ck_run(ctl(w, "result %s", at(w, id, "j")), 0,
	       "{\"args\":[[null,5]],\"kwargs\":{}}\n");
	world_stop(w);
}
END_TEST

/* django-celery-results#397, sidekiq#4361: a part runs twice, since its worker was
 * killed, or shut down, and is counted twice. */
START_TEST(a_part_that_runs_twice_counts_once)
{
	static const int signals[] = {SIGKILL, SIGTERM};
	struct world *w = begin_with(_i, "[worker]\nstop_timeout = 100ms\n");
	struct worker *k = worker_start(w, NULL);
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		const char *id = ctl_ok(w, "workflow begin --whole");

		submit(w, "sleep 1 --flow %s --id %s.a", id, id);
		submit(w, "sleep 1 --flow %s --id %s.b", id, id);
		submit(w, "add 1 1 --flow %s --id %s.c --after %s.a,%s.b", id,
		       id, id, id);
		submit(w, "add 2 2 --flow %s --id %s.done --on success", id,
		       id);
		ctl_ok(w, "workflow seal %s", id);
		WAIT_UNTIL(is(w, at(w, id, "a"), "status", "running"));
		worker_signal(k, signals[i]);
		worker_end(k);
		worker_restart(k);
		ck_run(ctl(w, "workflow wait %s", id), 0, "succeeded\n");
		ck_flow(w, id, "succeeded", "3");
		ck_flow(w, id, "released", "0");
		ck_run(ctl(w, "wait %s", at(w, id, "done")), 0, "4\n");
		ck_assert_str_eq(told(w, at(w, id, "c"), "attempts"), "1");
	}
	world_stop(w);
}
END_TEST

/* bullmq#2464: a child that stalls, since it takes its process down each time. */
START_TEST(a_step_that_crashes_too_often_ends)
{
	const struct world_options o = {
	    .modules = "demo crash", .no_worker = true, .crashes = true};
	struct world *w = world_start(&o);

	if (_i == ON_SQLITE)
		setenv("FLOWRRA_BROKER_URL",
		       world_text(w, "sqlite://%s/flowrra.db", world_dir(w)),
		       1);
	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W");
	submit(w, "crash.segv --flow W --id a --retry-delay 0");
	submit(w, "add 1 1 --flow W --id b --after a");
	submit(w, "add 2 2 --flow W --id c --after a:failure");
	ck_complains(ctl(w, "workflow seal W --wait"), 1, "W failed");
	ck_assert_str_eq(told(w, "a", "reason"), "crashed");
	ck_is_skipped(w, "b");
	ck_run(ctl(w, "wait c"), 0, "4\n");
	world_stop(w);
}
END_TEST

/* sidekiq#5068, #6260: the callback comes before the last part has ended, or never.
 * faktory#340, #361: its worker dies while it runs, and it does not know of what it
 * is the callback. */
START_TEST(a_callback_comes_last_and_survives_its_worker)
{
	struct world *w =
	    begin_with(_i, "[task last]\ncommand = sh -c 'echo $FLOWRRA_FLOW "
			   ">>runs; sleep 1; cat runs'\nqueue = io\n");
	struct worker *k = worker_start(w, NULL);

	ctl_ok(w, "workflow begin --id W");
	submit(w, "sleep 0.3 --flow W --id a");
	submit(w, "add 1 1 --flow W --id b --delay 0.5s");
	submit(w, "last --flow W --id last --on complete");
	ctl_ok(w, "workflow seal W");
	WAIT_UNTIL(strstr(world_read(w, "runs"), "W") != NULL);
	worker_kill(k);
	worker_restart(k);
	ck_run(ctl(w, "wait last"), 0, "\"W\\nW\"\n");
	ck_assert_str_gt(told(w, "last", "started_at"),
			 told(w, "a", "finished_at"));
	ck_assert_str_gt(told(w, "last", "started_at"),
			 told(w, "b", "finished_at"));
	ck_flow(w, "W", "succeeded", "2");
	world_stop(w);
}
END_TEST

SUITE("workflow-lessons")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_join_ends_though_a_part_fails);
	TEST_BOTH(a_part_that_is_retried_ends_once);
	TEST_BOTH(a_chain_within_a_group_fails_and_the_group_ends);
	TEST_BOTH(a_part_that_runs_twice_counts_once);
	TEST_BOTH(a_step_that_crashes_too_often_ends);
	TEST_BOTH(a_callback_comes_last_and_survives_its_worker);
}
