/* SPDX-License-Identifier: MIT */
/* Many tasks at once, by what they are: cancelled, and their records deleted. */
#include <signal.h>
#include <string.h>

#include "e2e/operate_scene.h"
#include "e2e/run_scene.h"

#define CTL "flowrractl --config flowrra.conf "

START_TEST(a_filter_cancels_what_it_selects_and_nothing_else)
{
	struct world *w = begin(_i);
	struct run *r;

	worker_start(w, NULL);
	submit(w, "sleep 60 --id runs --queue cpu");
	WAIT_UNTIL(strstr(ctl(w, "tasks running")->out, "runs") != NULL);
	ctl_ok(w, "queue pause io");
	submit(w, "add 1 2 --id waits");
	submit(w, "echo x --id other");
	submit(w, "add 1 2 --id later --delay 1h");
	/* Without a word nothing is done. */
	ck_complains(ctl(w, "cancel"), 64, "missing selection");
	ck_complains(ctl(w, "cancel --task add --all"), 64, "--all");
	ck_complains(ctl(w, "cancel x --queue io"), 64, "cannot use IDs");
	ck_complains(ctl(w, "cancel --state gone"), 65, "unknown state");
	ck_complains(ctl(w, "cancel --state dead"), 65, "tasks delete --dead");
	ck_complains(ctl(w, "cancel --task add </dev/null"), 64, "say --yes");
	r = ctl(w, "cancel --all --dry-run");
	ck_complains(r, 0, "4 would be cancelled");
	ck_assert_ptr_nonnull(strstr(r->out, "runs\tsleep\tcpu\trunning\n"));
	ck_assert_ptr_nonnull(strstr(r->out, "later\tadd\tio\tdelayed\n"));
	ck_answer(w, "stats", "waiting", "2");
	/* A person is asked. */
	r = run(w, "echo n | script -qec '" CTL "cancel --queue io' /dev/null");
	ck_assert_int_eq(r->status, 64);
	ck_assert_ptr_nonnull(strstr(r->out, "Cancel 3 tasks of queue io? "));
	ck_answer(w, "stats", "waiting", "2");
	r = run(w, "echo y | script -qec '" CTL
		   "cancel --queue io --task add --state waiting' /dev/null");
	ck_assert_ptr_nonnull(strstr(r->out, "Cancel 1 task of queue io? "));
	ck_assert_ptr_nonnull(strstr(r->out, "1 cancelled"));
	ck_complains(ctl(w, "result waits"), 1, "cancelled");
	ck_complains(ctl(w, "result later"), 3, "pending");
	ck_run(ctl(w, "cancel --older-than 1h --yes"), 0, "0 cancelled\n");
	ck_run(ctl(w, "cancel --task add --yes"), 0, "1 cancelled\n");
	ck_run(ctl(w, "cancel --worker test:1 --state running --yes"), 0,
	       "0 cancelled, 1 ordered to end\n");
	ck_complains(ctl(w, "wait runs"), 1, "cancelled");
	ck_answer(w, "stats", "waiting", "1");
	r = ctl(w, "cancel --all --yes --json");
	ck_run(r, 0, "{\"id\":\"other\",\"outcome\":\"cancelled\"}\n");
	world_stop(w);
}
END_TEST

/* Killed at any point, it is called once more; what the worker takes meanwhile
 * runs. Each task ends once, in one way. */
START_TEST(a_cancel_that_is_killed_is_finished_by_the_next)
{
	struct world *w = begin(_i);
	struct run *r;
	int i;

	worker_start(w, NULL);
	ctl_ok(w, "queue pause io");
	run(w,
	    "seq 1 2000 | sed 's/.*/{\"name\":\"add\",\"args\":[&,1]}/' | " CTL
	    "submit --stdin >ids");
	for (i = 0; i < 10; i++) {
		r = run_start(w, "exec " CTL "cancel --queue io --yes");
		/* The first is killed in its midst, however slow it is. */
		if (i == 0)
			WAIT_UNTIL(!says(w, "stats", "waiting", "2000"));
		run(w, "sleep 0.%02d", i);
		kill(r->pid, SIGKILL);
		run_end(w, r);
		if (i == 5)
			ctl_ok(w, "queue resume io");
	}
	ctl_ok(w, "cancel --queue io --yes");
	/* What was taken out and not recorded yet is nowhere. */
	run(w, "xargs " CTL "cancel <ids >/dev/null 2>&1");
	r = run(w, CTL "wait --stdin --timeout 60 <ids");
	ck_assert_int_eq(r->status, 1);
	world_write(w, "ends", r->out, strlen(r->out));
	ck_run(run(w, "cut -f1 ends | cmp - ids"), 0, "");
	ck_answer(w, "stats", "waiting", "0");
	ck_answer(w, "stats", "in_flight", "0");
	world_stop(w);
}
END_TEST

START_TEST(tasks_are_moved_to_another_queue)
{
	struct world *w = begin(_i);
	struct run *r;

	put(w, "a", "--queue one");
	put(w, "b", "--queue one");
	put(w, "c", "--queue one --priority -3");
	put(w, "d", "--queue one --delay 1h");
	ck_complains(ctl(w, "move"), 64, "missing --to");
	ck_complains(ctl(w, "move --to two"), 64, "missing selection");
	ck_complains(ctl(w, "move --to two a --queue one"), 64, "with filters");
	ck_complains(ctl(w, "move --to 't wo' a"), 65, "t wo");
	ck_complains(ctl(w, "move --to one --queue one"), 65, "same queue");
	ck_complains(ctl(w, "move --to two --state running"), 65, "running");
	ck_complains(ctl(w, "move --to two --all </dev/null"), 64, "say --yes");
	ck_complains(ctl(w, "move --to one a"), 77, "already");
	ck_complains(ctl(w, "move --to two nope"), 2, "nope");
	ck_complains(ctl(w, "move --resume --to two"), 64, "--resume");
	r = ctl(w, "move --queue one --to two --dry-run");
	ck_complains(r, 0, "4 would be moved");
	r = run(w, "echo y | script -qec '" CTL
		   "move --queue one --to two' /dev/null");
	ck_assert_ptr_nonnull(strstr(r->out, "Move 4 tasks of queue one? "));
	ck_assert_ptr_nonnull(strstr(r->out, "4 moved"));
	ck_run(ctl(w, "tasks pending --queue two --columns ID,queue "
		      "--sort id"),
	       0, "a\ttwo\nb\ttwo\nc\ttwo\nd\ttwo\n");
	ck_answer(w, "tasks show d", "queue", "two");
	ck_answer(w, "tasks show d", "record.queue", "two");
	ck_run(ctl(w, "tasks delayed --columns ID,queue"), 0, "d\ttwo\n");
	/* They run there, in their order, and their records say so. */
	ck_run(ctl(w, "move --to io c a b --json"), 0,
	       "{\"task_id\":\"c\",\"outcome\":\"moved\",\"queue\":\"io\"}\n"
	       "{\"task_id\":\"a\",\"outcome\":\"moved\",\"queue\":\"io\"}\n"
	       "{\"task_id\":\"b\",\"outcome\":\"moved\",\"queue\":\"io\"}\n");
	worker_start(w, NULL);
	ck_assert_int_eq(ctl(w, "wait a b c")->status, 0);
	ck_answer(w, "tasks show a", "record.queue", "io");
	ck_complains(ctl(w, "move --to two a"), 77, "success");
	ck_run(ctl(w, "move --resume"), 0, "0 moved\n");
	world_stop(w);
}
END_TEST

/* Killed at any point, back and forth, while workers take what they get: each runs
 * once. What was on its way is brought in by a worker. */
START_TEST(a_move_that_is_killed_loses_and_doubles_nothing)
{
	struct world *w =
	    world_start(&(struct world_options){.modules = "demo mark",
						.embedded = _i == ON_SQLITE,
						.no_worker = true});
	struct run *r;
	int i;

	ctl(w, "queue pause io");
	ctl(w, "queue pause cpu");
	worker_start(w, NULL);
	run(w,
	    "seq 1 2000 | sed \"s|.*|{\\\"name\\\":\\\"mark\\\",\\\"queue\\\":"
	    "\\\"io\\\",\\\"args\\\":[\\\"$PWD/marks\\\",0]}|\" | " CTL
	    "submit --stdin --force >ids");
	ck_assert_uint_eq(lines_of(w, "ids"), 2000);
	for (i = 0; i < 24; i++) {
		r = run_start(w, "exec " CTL "move --queue %s --to %s --yes",
			      i % 2 == 0 ? "io" : "cpu",
			      i % 2 == 0 ? "cpu" : "io");
		/* The first is killed in its midst, however slow it is. */
		if (i == 0)
			WAIT_UNTIL(!says(w, "queues cpu", "0.waiting", "0"));
		run(w, "sleep 0.%02d", i * 2);
		kill(r->pid, SIGKILL);
		run_end(w, r);
		if (i == 18) {
			ctl_ok(w, "queue resume io");
			ctl_ok(w, "queue resume cpu");
		}
	}
	ck_assert_int_eq(
	    run(w, CTL "wait --stdin --timeout 60 <ids >/dev/null")->status, 0);
	/* Of some, all that is left is the note that they were on their way. */
	ctl_ok(w, "move --resume");
	ck_run(ctl(w, "move --resume"), 0, "0 moved\n");
	ck_assert_uint_eq(lines_of(w, "marks"), 2000);
	ck_answer(w, "stats", "waiting", "0");
	ck_answer(w, "stats", "delayed", "0");
	world_stop(w);
}
END_TEST

/* Who moved it is gone: the task is nowhere to be run any more. */
START_TEST(a_task_that_is_on_its_way_is_cancelled)
{
	struct world *w = begin(ON_REDIS);

	put(w, "a", "--queue one");
	redis_server_run(world_redis(w),
			 "EVAL %s 2 flowrra:queue:one "
			 "{flowrra:queue:one}:leaving",
			 "redis.call('RPUSH', KEYS[2], 'two a token 0 0\\n' .. "
			 "redis.call('RPOP', KEYS[1]))");
	ck_run(ctl(w, "cancel a --json"), 0,
	       "{\"id\":\"a\",\"outcome\":\"cancelled\"}\n");
	ck_answer(w, "stats", "waiting", "0");
	ck_run(ctl(w, "move --resume"), 0, "0 moved\n");
	ck_answer(w, "stats", "waiting", "0");
	world_stop(w);
}
END_TEST

START_TEST(records_are_deleted_by_their_end)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	submit(w, "add 1 2 --id good");
	submit(w, "fail x --max-retries 0 --id bad");
	submit(w, "sleep 0 --id echo");
	submit(w, "sleep 60 --id runs");
	ck_run(ctl(w, "wait good echo"), 0, "good\t3\necho\t0.0\n");
	ck_complains(ctl(w, "wait bad"), 1, "bad");
	ck_complains(ctl(w, "tasks delete --succeeded"), 64, "selection");
	ck_complains(ctl(w, "tasks delete --succeeded x"), 64, "with IDs");
	ck_complains(ctl(w, "tasks delete --failed --dead --all"), 64,
		     "with --dead");
	ck_run(ctl(w, "tasks delete --succeeded --older-than 1h"), 0,
	       "0 deleted\n");
	ck_complains(ctl(w, "tasks delete --succeeded --all --dry-run"), 0,
		     "2 would be deleted");
	ck_run(ctl(w, "tasks delete --succeeded --task add"), 0, "1 deleted\n");
	ck_complains(ctl(w, "result good"), 2, "no record");
	ck_run(ctl(w, "result echo"), 0, "0.0\n");
	run(w, "sleep 0.1");
	ck_run(ctl(w, "tasks delete --succeeded --failed --older-than 50ms"), 0,
	       "2 deleted\n");
	ck_complains(ctl(w, "result bad"), 2, "no record");
	/* Neither the dead list, nor what has not ended. */
	ck_only(w, "tasks dead", "key", "bad");
	ck_complains(ctl(w, "result runs"), 3, "running");
	ck_run(ctl(w, "tasks delete --dead --all"), 0, "1 deleted\n");
	ctl_ok(w, "cancel runs");
	world_stop(w);
}
END_TEST

SUITE("bulk")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_filter_cancels_what_it_selects_and_nothing_else);
	TEST_BOTH(a_cancel_that_is_killed_is_finished_by_the_next);
	TEST_BOTH(tasks_are_moved_to_another_queue);
	TEST_BOTH(a_move_that_is_killed_loses_and_doubles_nothing);
	TEST(a_task_that_is_on_its_way_is_cancelled);
	TEST_BOTH(records_are_deleted_by_their_end);
}
