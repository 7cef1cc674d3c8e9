/* SPDX-License-Identifier: MIT */
/* Tasks move from one store to another, and none is lost or run twice. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

#define TO "--to-url sqlite://$PWD/other.db --yes"

/* A world whose tasks wait, and another store, with a worker that pauses. */
static struct world *
two_stores(int embedded)
{
	static const char config[] = "[worker]\nmodules = demo\n"
				     "queues = io q\nstate_dir = other\n"
				     "[broker]\nurl = sqlite://";
	const struct world_options o = {.no_worker = true,
					.embedded = embedded == 1,
					.config = "[worker]\nqueues = io q\n"};
	struct world *w = world_start(&o);
	const char *text =
	    world_text(w, "%s%s/other.db\n", config, world_dir(w));

	world_write(w, "other.conf", text, strlen(text));
	run_start(w, "exec flowrrad -c other.conf");
	WAIT_UNTIL(
	    run(w, "exec flowrractl -c other.conf queue pause io")->status ==
	    0);
	WAIT_UNTIL(
	    run(w, "exec flowrractl -c other.conf tasks info add")->status ==
	    0);
	worker_start(w, NULL);
	WAIT_UNTIL(ctl(w, "tasks info add")->status == 0);
	ctl_ok(w, "queue pause io");
	return w;
}

/* What the other store says. */
static const char *
other(struct world *w, const char *words)
{
	const struct run *r = run(w, "exec flowrractl -c other.conf %s", words);

	ck_assert_msg(r->status == 0, "%s: %s", words, r->err);
	return r->out;
}

static void
submit_many(struct world *w, int n)
{
	ctl_ok(w,
	       "submit --stdin <<END\n$(seq %d | sed 's/.*/"
	       "{\"name\":\"add\",\"args\":[&,1],\"id\":\"t&\"}/')\nEND",
	       n);
}

START_TEST(tasks_move_to_another_store)
{
	struct world *w = two_stores(_i);

	submit_many(w, 250);
	ctl_ok(w, "submit add 1 1 --id first --priority -1");
	ctl_ok(w, "submit add 1 1 --id later --delay 1h");
	ck_run(ctl(w, "move --all " TO), 0, "252 moved\n");
	ck_run(ctl(w, "tasks"), 0, "");
	ck_assert_int_eq(ctl(w, "result t1")->status, 2);
	ck_assert_ptr_nonnull(strstr(other(w, "queues io --format "
					      "'{waiting} {delayed}'"),
				     "251 1"));
	/* In their order. */
	ck_run(run(w, "flowrractl -c other.conf export --state waiting | "
		      "grep -o 'id..:..[a-z0-9]*' | cut -d '\"' -f 3 | tr "
		      "-d '\\\\\\\\' | head -n 3 | tr '\\n' ' '"),
	       0, "first t1 t2 ");
	other(w, "queue resume io");
	ck_assert_str_eq(other(w, "wait t250"), "251\n");
	world_stop(w);
}
END_TEST

START_TEST(what_the_other_store_has_already_stays)
{
	struct world *w = two_stores(_i);

	other(w, "submit add 9 9 --id same");
	ctl_ok(w, "submit add 1 1 --id same");
	ctl_ok(w, "submit add 1 1 --id other");
	ck_complains(ctl(w, "move --queue io " TO), 77, "another task");
	ck_assert_str_eq(
	    ctl_ok(w, "tasks pending --format '{task_id} {queue}'"), "same io");
	ck_complains(ctl(w, "move --all --yes --to-url %s", world_url(w)), 64,
		     "the same place");
	ck_complains(ctl(w, "move --all --yes --to-url sqlite:///none/x.db"), 2,
		     "the other store");
	ck_assert_str_eq(
	    ctl_ok(w, "tasks pending --format '{task_id} {queue}'"), "same io");
	world_stop(w);
}
END_TEST

/* Killed again and again, at any point. */
START_TEST(a_move_that_is_killed_loses_and_doubles_nothing)
{
	struct world *w = two_stores(_i);
	int ms;

	submit_many(w, 300);
	other(w, "queue resume io");
	for (ms = 5; ms < 200; ms += 15)
		ctl(w,
		    "move --all " TO " & p=$!; sleep 0.%03d; kill -9 $p; wait",
		    ms);
	ck_assert_int_eq(ctl(w, "move --all " TO)->status, 0);
	ctl_ok(w, "move --resume " TO);
	ck_run(ctl(w, "tasks"), 0, "");
	other(w, "wait --queue io");
	/* Each once: attempts that have ended are counted. */
	ck_assert_str_eq(other(w, "stats --format '{succeeded} {failed}'"),
			 "300 0\n");
	ck_run(run(w, "flowrractl -c other.conf tasks completed -n 1000 "
		      "--format '{task_id}' | sort -u | wc -l"),
	       0, "300\n");
	world_stop(w);
}
END_TEST

/* What runs ends where it is; what is to be retried goes along. */
START_TEST(a_move_waits_for_what_runs)
{
	struct world *w = two_stores(_i);

	submit(w, "flaky 3 --queue q --retry-delay 1h --id again");
	WAIT_UNTIL(strcmp(field(w, "again", "status"), "retrying") == 0 ||
		   strstr(ctl_ok(w, "tasks retrying"), "again") != NULL);
	submit(w, "sleep 1 --queue q --id runs");
	WAIT_UNTIL(strstr(ctl_ok(w, "tasks running"), "runs") != NULL);
	ck_assert_int_eq(ctl(w, "move --queue q --wait " TO)->status, 0);
	ck_assert_int_eq(ctl(w, "result runs")->status, 0);
	ck_run(ctl(w, "tasks"), 0, "");
	ck_assert_ptr_nonnull(strstr(other(w, "tasks retrying"), "again"));
	world_stop(w);
}
END_TEST

/* Dead tasks, d1 to dN, of queue q. */
static void
bury_many(struct world *w, int n)
{
	ctl_ok(w,
	       "submit --stdin <<END\n$(seq %d | sed 's/.*/"
	       "{\"name\":\"fail\",\"args\":[],\"max_retries\":0,"
	       "\"queue\":\"q\",\"id\":\"d&\"}/')\nEND",
	       n);
	ctl(w, "wait --queue q");
}

START_TEST(dead_tasks_move_to_another_store_with_their_records)
{
	struct world *w = two_stores(_i);
	const char *was;

	bury_many(w, 130);
	was = world_text(w, "%s\n", ctl_ok(w, "tasks show d7 --json"));
	other(w, "submit add 9 9 --id d9");
	ck_complains(ctl(w, "move --state dead --queue q " TO), 77,
		     "another task with the ID d9");
	ck_assert_str_eq(ctl_ok(w, "tasks dead --format '{task_id}'"), "d9");
	ck_run(ctl(w, "tasks failed -n 500 --format '{task_id}'"), 0, "d9\n");
	ck_run(run(w, "flowrractl -c other.conf tasks dead -n 500 "
		      "--format '{queue}' | sort | uniq -c | tr -d ' '"),
	       0, "129q\n");
	/* As they were: why and when they died, and their records. */
	ck_assert_str_eq(other(w, "tasks show d7 --json"), was);
	/* There they run again. */
	other(w, "queue resume io");
	other(w, "move --state dead --task fail --to io --yes");
	other(w, "tasks retry d7");
	WAIT_UNTIL(strstr(other(w, "tasks show d7"), "failed") != NULL &&
		   strstr(other(w, "tasks show d7"), "io") != NULL);
	world_stop(w);
}
END_TEST

/* Killed again and again, at any point: each is in one of the lists at least, and in
 * the end in one. */
START_TEST(a_move_of_dead_tasks_that_is_killed_loses_none)
{
	struct world *w = two_stores(_i);
	int ms;

	bury_many(w, 300);
	for (ms = 2; ms < 100; ms += 7) {
		ctl(w,
		    "move --state dead " TO
		    " & p=$!; sleep 0.%03d; kill -9 $p; wait",
		    ms);
		ck_run(run(w, "(flowrractl -c flowrra.conf tasks dead -n 500 "
			      "--format '{task_id}'; flowrractl -c other.conf "
			      "tasks dead -n 500 --format '{task_id}') | "
			      "sort -u | wc -l"),
		       0, "300\n");
	}
	ck_assert_int_eq(ctl(w, "move --state dead --queue q " TO)->status, 0);
	ck_run(ctl(w, "tasks dead"), 0, "");
	ck_run(run(w, "flowrractl -c other.conf tasks failed -n 500 "
		      "--format '{task_id}' | sort -u | wc -l"),
	       0, "300\n");
	world_stop(w);
}
END_TEST

SUITE("move_store")
{
	SUITE_TIMEOUT(90);
	TEST_LOOP(tasks_move_to_another_store, 0, 2);
	TEST_LOOP(what_the_other_store_has_already_stays, 0, 2);
	TEST_LOOP(a_move_that_is_killed_loses_and_doubles_nothing, 0, 2);
	TEST_LOOP(a_move_waits_for_what_runs, 0, 2);
	TEST_LOOP(dead_tasks_move_to_another_store_with_their_records, 0, 2);
	TEST_LOOP(a_move_of_dead_tasks_that_is_killed_loses_none, 0, 2);
}
