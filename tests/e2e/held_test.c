/* SPDX-License-Identifier: MIT */
/* Limits, as those see them who run it: what may run at once, on Redis and on
 * SQLite. */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/operate_scene.h"

START_TEST(limits_are_set_shown_and_unset)
{
	struct world *w = begin(_i);

	put(w, "a", "");
	ck_complains(ctl(w, "limit show io"), 2, "io");
	ck_run(ctl(w, "limit set io --concurrency 5"), 0, "");
	ck_run(ctl(w, "limit set io --task sleep --concurrency 4"), 0, "");
	ck_run(ctl(w, "limit set io --group acme --concurrency 3"), 0, "");
	ck_run(ctl(w, "limit set io --each-group --by kwargs.tenant "
		      "--concurrency 2 --json"),
	       0,
	       "{\"queue\":\"io\",\"scope\":\"each_group\",\"key\":null,"
	       "\"concurrency\":2,\"rate\":null,\"burst\":null}\n");
	ck_run(ctl(w, "limit set io --task echo --rate 100/1m --burst 5"), 0,
	       "");
	ck_run(ctl(w, "limit show io"), 0,
	       "io\tqueue\t-\t5\t0\t0\tkwargs.tenant\t-\t-\t-\t-\n"
	       "io\ttask\techo\t-\t0\t0\tkwargs.tenant\t100\t1m\t5\t-\n"
	       "io\ttask\tsleep\t4\t0\t0\tkwargs.tenant\t-\t-\t-\t-\n"
	       "io\tgroup\tacme\t3\t0\t0\tkwargs.tenant\t-\t-\t-\t-\n"
	       "io\teach_group\t-\t2\t0\t0\tkwargs.tenant\t-\t-\t-\t-\n");
	ck_run(ctl(w, "limit unset io"), 0, "");
	ck_run(ctl(w, "limit unset io --task sleep"), 0, "");
	ck_run(ctl(w, "limit unset io --task echo"), 0, "");
	ck_run(ctl(w, "limit unset io --each-group"), 0, "");
	ck_complains(ctl(w, "limit unset io --each-group"), 2, "io");
	ck_run(ctl(w, "limit list"), 0,
	       "io\tgroup\tacme\t3\t0\t0\tkwargs.tenant\t-\t-\t-\t-\n");
	ck_run(ctl(w, "limit unset io --group acme"), 0, "");
	ck_run(ctl(w, "limit list io"), 0, "");
	ck_complains(ctl(w, "limit set io --group a --task b --concurrency 1"),
		     64, "not of several");
	ck_complains(ctl(w, "limit set io --by kwargs.a --concurrency 1"), 64,
		     "each group");
	ck_complains(ctl(w, "limit set io --each-group --by tenant "
			    "--concurrency 1"),
		     65, "kwargs.NAME");
	ck_complains(ctl(w, "limit set io --rate 100"), 65, "100/1m");
	ck_complains(ctl(w, "limit set io --concurrency 1 --burst 2"), 64,
		     "needs a rate");
	ck_complains(ctl(w, "limit set io --declared --concurrency 1"), 64,
		     "--declared");
	ck_complains(ctl(w, "limit set io --declared"), 2, "io");
	world_stop(w);
}
END_TEST

/* RFC 3339 of one form: texts compare as times do. */
static void
ck_one_after_another(struct world *w, const char *first, const char *second)
{
	const char *ended =
	    world_text(w, "%s",
		       answer(w, world_text(w, "tasks show %s", first),
			      "record.finished_at"));
	const char *began = answer(w, world_text(w, "tasks show %s", second),
				   "record.started_at");

	ck_assert_msg(strcmp(ended, began) <= 0, "%s ended %s, %s began %s",
		      first, ended, second, began);
}

START_TEST(tasks_of_a_group_run_one_after_another)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	ck_run(ctl(w, "limit set io --each-group --concurrency 1"), 0, "");
	submit(w, "sleep 60 --id long --group b");
	submit(w, "sleep 0.2 --id a1 --group a");
	submit(w, "sleep 0.2 --id a2 --group a");
	submit(w, "sleep 0.2 --id a3 --group a");
	submit(w, "sleep 60 --id held --group b");
	ctl_ok(w, "wait a1 a2 a3 --all --timeout 20 --quiet");
	ck_one_after_another(w, "a1", "a2");
	ck_one_after_another(w, "a2", "a3");
	/* Another group is in nobody's way, and is seen. */
	ck_only(w, "queues io", "held", "1");
	ck_only(w, "tasks pending", "limited", "true");
	ck_only(w, "limit list io", "held", "1");
	ck_run(ctl(w, "cancel held long"), 0, "");
	ck_only(w, "queues io", "held", "0");
	world_stop(w);
}
END_TEST

/* What a worker that was killed has in flight counts until another one has it. */
START_TEST(a_killed_worker_leaves_no_place_taken_for_ever)
{
	struct world *w = begin(_i);
	struct worker *worker = worker_start(w, NULL);

	ck_run(ctl(w, "limit set io --group a --concurrency 1"), 0, "");
	submit(w, "sleep 1 --id a1 --group a");
	submit(w, "sleep 0 --id a2 --group a");
	WAIT_UNTIL(says(w, "tasks show a1", "record.status", "running"));
	worker_kill(worker);
	worker_start(w, NULL);
	ctl_ok(w, "wait a1 a2 --all --timeout 40 --quiet");
	ck_one_after_another(w, "a1", "a2");
	world_stop(w);
}
END_TEST

START_TEST(a_limit_of_the_configuration_is_a_default)
{
	struct world *w =
	    begin_with(_i, "[task nap]\ncommand = sleep {0}\nqueue = io\n"
			   "concurrency = 1\n");
	struct worker *worker;

	/* They are there before the worker, and do not start beyond it. */
	submit(w, "nap 0.2 --id a --force --queue io");
	submit(w, "nap 0.2 --id b --force --queue io");
	worker = worker_start(w, NULL);
	ctl_ok(w, "wait a b --all --timeout 20 --quiet");
	ck_one_after_another(w, "a", "b");
	ck_only(w, "limit list io", "concurrency", "1");
	ck_only(w, "limit list io", "declared_by", "test:1");
	world_configure(w, "demo",
			"[task nap]\ncommand = sleep {0}\nqueue = io\n"
			"rate = 6000/1m\nburst = 2\n");
	worker_signal(worker, SIGHUP);
	WAIT_UNTIL(strcmp(json_field(w, only(w, "limit list io"), "rate"),
			  "6000") == 0);
	ck_only(w, "limit list io", "concurrency", "null");
	ck_only(w, "limit list io", "burst", "2");
	ck_only(w, "limit list io", "declared_by", "test:1");
	/* A command has the last word. */
	ck_run(ctl(w, "limit set io --task nap --concurrency 7"), 0, "");
	ck_only(w, "limit list io", "declared_by", "null");
	worker_stop(worker);
	worker_restart(worker);
	WAIT_UNTIL(worker_logged(worker, "a command has set another limit"));
	ck_only(w, "limit list io", "concurrency", "7");
	ck_run(ctl(w, "limit unset io --task nap"), 0, "");
	worker_stop(worker);
	worker_restart(worker);
	WAIT_UNTIL(worker_logged(worker, "a command has removed it"));
	ck_run(ctl(w, "limit list io"), 0, "");
	ck_run(ctl(w, "limit set io --task nap --declared --json"), 0,
	       "{\"queue\":\"io\",\"scope\":\"task\",\"key\":\"nap\"}\n");
	ck_only(w, "limit list io", "rate", "6000");
	world_stop(w);
}
END_TEST

static bool
has_watcher(struct world *w)
{
	redisReply *reply = redis_server_command(
	    world_redis(w), "EXISTS {flowrra:queue:io}:watcher");
	const bool has = reply->integer == 1;

	freeReplyObject(reply);
	return has;
}

/* Less than the 10 seconds after which an idle worker looks by itself. */
#define SOON_MS 6000
#define OTHER WORLD_COMMAND " -o worker.id=test:2 -o worker.state_dir=elsewhere"

/* The first one is told of new tasks, since it was there before the other. */
START_TEST(an_idle_worker_takes_a_new_task_when_the_other_is_dead_or_frozen)
{
	static const int signals[] = {SIGKILL, SIGSTOP};
	struct world *w = begin(ON_REDIS);
	struct worker *first, *second;

	ck_run(ctl(w, "limit set io --concurrency 2"), 0, "");
	first = worker_start(w, NULL);
	submit(w, "sleep 0 --id before");
	ctl_ok(w, "wait before --timeout 20 --quiet");
	WAIT_UNTIL(has_watcher(w));
	second = worker_start(w, OTHER);
	if (signals[_i] == SIGKILL)
		worker_kill(first);
	else
		worker_signal(first, SIGSTOP);
	submit(w, "sleep 0 --id after");
	WAIT_UNTIL_WITHIN(
	    SOON_MS, says(w, "tasks show after", "record.status", "success"));
	if (signals[_i] == SIGSTOP)
		worker_signal(first, SIGCONT);
	worker_stop(second);
	world_stop(w);
}
END_TEST

SUITE("held")
{
	TEST_BOTH(limits_are_set_shown_and_unset);
	TEST_BOTH(tasks_of_a_group_run_one_after_another);
	TEST_BOTH(a_limit_of_the_configuration_is_a_default);
	TEST_BOTH(a_killed_worker_leaves_no_place_taken_for_ever);
	TEST_LOOP(
	    an_idle_worker_takes_a_new_task_when_the_other_is_dead_or_frozen, 0,
	    2);
}
