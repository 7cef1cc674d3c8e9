/* SPDX-License-Identifier: MIT */
/*
 * What a command may ask of its own worker, without the worker's URL: to wait for
 * tasks, for results, and to tell how far it is. A command that waits lends its slot
 * to others, and never do more run than there are slots.
 */
#include <stdlib.h>
#include <string.h>

#include "e2e/run_scene.h"

/* A worker whose commands do not get its URL, with the task "inner", which runs this
 * script. */
static struct world *
scripted_world(bool embedded, const char *config, const char *script)
{
	const struct world_options o = {
	    .no_worker = true, .embedded = embedded, .config = config};
	struct world *w = world_start(&o);

	world_write(w, "script", script, strlen(script));
	run(w, "sed '/^url/d' flowrra.conf >worker.conf");
	setenv("URL", world_url(w), 1);
	run_start(w, "FLOWRRA_BROKER_URL=$URL exec flowrrad -c worker.conf");
	WAIT_UNTIL(ctl(w, "tasks info inner")->status == 0);
	return w;
}

#define INNER                                                                  \
	"[task inner]\n"                                                       \
	"command = sh script {0}\n"                                            \
	"output = text\n"                                                      \
	"max_retries = 0\n"

/* The script's output is the result. */
static const char *
printed(struct world *w, const char *arguments)
{
	const char *id = submit(w, "inner %s", arguments);
	const struct run *r = ctl(w, "wait %s --timeout 50", id);

	ck_assert_msg(r->status == 0, "%s", r->err);
	return ctl_ok(w, "result --raw %s", id);
}

START_TEST(a_command_waits_through_its_worker)
{
	static const char script[] =
	    "id=$(flowrractl submit add 2 3)\n"
	    "flowrractl wait $id\n"
	    "flowrractl result $id\n"
	    "flowrractl result $id --json | grep -c '\"status\":\"success\"'\n"
	    "flowrractl submit add 3 4 --wait\n"
	    "flowrractl submit fail no --max-retries 0 --wait; echo $?\n"
	    "flowrractl wait nosuch; echo $?\n"
	    "flowrractl result 'a b'; echo $?\n"
	    "long=$(flowrractl submit sleep 60 --id long)\n"
	    "flowrractl result $long; echo $?\n"
	    "flowrractl wait $long --timeout 0.1; echo $?\n"
	    "flowrractl wait $long $id --timeout 0.1 | cut -f 2; echo $?\n"
	    "flowrractl wait --any $long $id | cut -f 2\n"
	    "flowrractl wait $id $id | cut -f 2\n"
	    "flowrractl wait --queue io; echo $?\n"
	    "flowrractl wait $FLOWRRA_TASK_ID; echo $?\n"
	    "flowrractl result $FLOWRRA_TASK_ID; echo $?\n";
	struct world *w = scripted_world(_i == 1, INNER, script);

	ck_assert_str_eq(
	    printed(w, "x"),
	    "5\n5\n1\n7\n1\n2\n65\n3\n3\n5\n0\n5\n5\n5\n77\n77\n3");
	ctl_ok(w, "cancel long");
	world_stop(w);
}
END_TEST

START_TEST(a_command_waits_for_many)
{
	static const char script[] =
	    "tasks() { seq 200 |\n"
	    "  sed 's/.*/{\"name\":\"add\",\"args\":[&,1]}/'; }\n"
	    "tasks | flowrractl submit --stdin --wait | cut -f 2 | md5sum\n"
	    "tasks | flowrractl submit --stdin | flowrractl wait --stdin |\n"
	    "  cut -f 2 | md5sum\n"
	    "seq 2 201 | md5sum\n"
	    "printf '\\nnosuch\\n' | flowrractl wait --stdin | wc -l\n"
	    "(echo '{\"name\":\"add\",\"args\":[1,1]}'; echo junk) |\n"
	    "  flowrractl submit --stdin --wait | cut -f 2; echo $?\n";
	struct world *w = scripted_world(_i == 1, INNER, script);
	const char *out = printed(w, "x");

	ck_assert_msg(strncmp(out, out + 36, 36) == 0 &&
			  strncmp(out, out + 72, 36) == 0,
		      "%s", out);
	ck_assert_str_eq(out + 108, "2\n2\n\n0");
	world_stop(w);
}
END_TEST

START_TEST(a_command_tells_its_progress)
{
	static const char script[] =
	    "flowrractl progress '{\"done\":3}'\n"
	    "flowrractl progress half; echo $?\n"
	    "while ! test -e go; do sleep 0.02; done\n";
	struct world *w = scripted_world(_i == 1, INNER, script);
	const char *id = submit(w, "inner x");

	WAIT_UNTIL(strstr(ctl_ok(w, "tasks show %s --json", id),
			  "\"progress\":\"half\"") != NULL);
	world_write(w, "go", "", 0);
	ck_assert_str_eq(ctl_ok(w, "wait %s --timeout 20", id), "\"0\"");
	ck_complains(run(w, "exec flowrractl progress 1"), 64,
		     "only the command of a task");
	world_stop(w);
}
END_TEST

/* --- slots --------------------------------------------------------------- */

/* Runs the script in a worker with one slot: it prints this. */
static struct world *
printed_in_one_slot(bool embedded, const char *script, const char *argument,
		    const char *wanted)
{
	struct world *w = scripted_world(
	    embedded, INNER "[executor]\nasync_tasks = 1\n", script);

	ck_assert_str_eq(printed(w, argument), wanted);
	return w;
}

/* Each waits for the next one, and there is one slot for all. */
START_TEST(a_command_that_waits_lends_its_slot)
{
	static const char script[] =
	    "test $1 = 0 && echo bottom ||\n"
	    "  flowrractl submit inner $(($1 - 1)) --wait | grep -o bottom\n";

	world_stop(printed_in_one_slot(_i == 1, script, "6", "bottom"));
}
END_TEST

/* The mark of one that works is a file; each counts those of all. */
START_TEST(never_do_more_commands_work_than_there_are_slots)
{
	static const char script[] =
	    "work() { >busy/$$; ls busy | wc -l >>counts; sleep 0.02;\n"
	    "  rm busy/$$; }\n"
	    "work\n"
	    "test $1 = 0 && exit\n"
	    "for i in 1 2 3; do flowrractl submit inner 0; done >ids.$$\n"
	    "flowrractl wait --stdin <ids.$$\n"
	    "work\n";
	struct world *w = scripted_world(
	    _i == 1, INNER "[executor]\nasync_tasks = 2\n", script);

	ck_run(run(w, "mkdir busy"), 0, "");
	ctl_ok(w,
	       "submit --stdin <<'END' | flowrractl wait --stdin --timeout 50 "
	       "-c flowrra.conf\n"
	       "{\"name\":\"inner\",\"args\":[1]}\n"
	       "{\"name\":\"inner\",\"args\":[1]}\n"
	       "{\"name\":\"inner\",\"args\":[1]}\n"
	       "{\"name\":\"inner\",\"args\":[1]}\n"
	       "{\"name\":\"inner\",\"args\":[1]}\n"
	       "END");
	/* Five parents before and after, and three children each. */
	ck_run(run(w, "wc -l <counts; sort -u counts | tail -n 1"), 0,
	       "25\n2\n");
	world_stop(w);
}
END_TEST

/* The one that waits is killed: its command works on, and no other one does
 * meanwhile. */
START_TEST(who_waits_no_longer_has_its_slot_again)
{
	static const char script[] =
	    "test $1 = 0 && exit\n"
	    "long=$(flowrractl submit sleep 60 --id long)\n"
	    "flowrractl wait $long & sleep 0.2; kill -9 $!; wait\n"
	    "id=$(flowrractl submit inner 0)\n"
	    "for i in $(seq 30); do\n"
	    "  flowrractl result $id --json | grep -o '\"status\":\"[a-z]*'\n"
	    "done | sort -u\n";
	struct world *w =
	    printed_in_one_slot(_i == 1, script, "1", "\"status\":\"pending");

	ctl_ok(w, "cancel long");
	world_stop(w);
}
END_TEST

/* What the second one waits for has no room before the first has its answer. */
START_TEST(a_command_waits_in_several_processes)
{
	static const char script[] =
	    "test $1 = 0 && exit\n"
	    "for i in 1 2 3; do\n"
	    "  flowrractl submit inner 0 --wait >/dev/null || echo no &\n"
	    "done\n"
	    "wait\n"
	    "echo all\n";

	world_stop(printed_in_one_slot(_i == 1, script, "1", "all"));
}
END_TEST

/* Of two that wait one is killed, before that for which the other waits is due. */
START_TEST(a_slot_is_lent_as_long_as_one_process_waits)
{
	static const char script[] =
	    "test $1 = 0 && exit\n"
	    "long=$(flowrractl submit sleep 60 --id long)\n"
	    "flowrractl wait $long & victim=$!\n"
	    "flowrractl submit inner 0 --delay 0.5 --wait >/dev/null &\n"
	    "other=$!; sleep 0.2; kill -9 $victim\n"
	    "wait $other; echo $?\n";
	struct world *w = printed_in_one_slot(_i == 1, script, "1", "0");

	ctl_ok(w, "cancel long");
	world_stop(w);
}
END_TEST

/* What has left the command outlives it, but not its right to ask. */
START_TEST(a_wait_ends_with_its_task)
{
	static const char script[] =
	    "flowrractl submit sleep 60 --id long\n"
	    "setsid sh -c 'echo >begun; flowrractl wait long; echo $? >left' "
	    "</dev/null >/dev/null 2>&1 &\n"
	    "while ! test -e begun; do sleep 0.02; done\n";
	struct world *w = scripted_world(_i == 1, INNER, script);

	printed(w, "x");
	WAIT_UNTIL(strcmp(world_read(w, "left"), "69\n") == 0 ||
		   strcmp(world_read(w, "left"), "77\n") == 0);
	ctl_ok(w, "cancel long");
	world_stop(w);
}
END_TEST

/* --- families --------------------------------------------------------------- */

/* With an ID that JSON has to escape; and from the middle as from the top. */
START_TEST(a_tree_of_tasks_is_shown)
{
	static const char script[] =
	    "test $1 = 0 && exit\n"
	    "flowrractl submit inner $(($1 - 1)) --id 'q\"'$1\n"
	    "flowrractl submit add 1 1\n";
	static const char tree[] = "0\tinner\n1\tinner\n2\tinner\n2\tadd\n"
				   "1\tadd";
	struct world *w = scripted_world(_i == 1, INNER, script);
	const char *top = submit(w, "inner 2");

	submit(w, "inner 0");
	WAIT_UNTIL(strcmp(ctl_ok(w,
				 "tasks show --tree %s --format "
				 "'{depth}\\t{task_name}'",
				 top),
			  tree) == 0);
	ck_assert_str_eq(ctl_ok(w, "tasks show --tree 'q\"1' --format "
				   "'{depth}\\t{task_name}'"),
			 tree);
	ck_assert_str_eq(
	    ctl_ok(w, "result 'q\"1' --json | jq -r .parent,.root"),
	    world_text(w, "q\"2\n%s", top));
	ck_complains(ctl(w, "tasks show --tree nosuch"), 2, "no record");
	world_stop(w);
}
END_TEST

/* Records may say anything: each task is told once, whoever is whose child. */
START_TEST(a_tree_is_told_whatever_its_records_say)
{
	static const char script[] =
	    "r() { jq -nc --arg b \"$(jq -nc --arg i $1 --arg p $2 '"
	    "{task_id: $i, status: \"success\", task_name: \"t\", parent: $p, "
	    "root: \"top\", finished_at: \"2026-11-30T00:00:00Z\"}')\" "
	    "'{kind: \"record\", bytes: $b}'; }\n"
	    "r top leaf; r mid top; r leaf mid; r lost nosuch; r own own\n"
	    "r x y; r y x\n";
	struct world *w = world_start(
	    &(struct world_options){.no_worker = true, .embedded = _i == 1});

	world_write(w, "forge", script, strlen(script));
	if (_i == 1)
		ctl_ok(w, "submit x --force --queue io");
	ck_run(run(w, "sh forge >records"), 0, "");
	ctl_ok(w, "import <records");
	ck_assert_str_eq(ctl_ok(w, "tasks show --tree mid | cut -f 1 | sort | "
				   "tr '\\n' ' '"),
			 "leaf lost mid own top x y ");
	world_stop(w);
}
END_TEST

START_TEST(a_command_of_ones_own_runs_another_and_waits_for_it)
{
	struct world *w = own_world();

	ck_run(run(w, OWN "timeout 40 flowrractl run --wait -- sh -c "
			  "'flowrractl run --wait -- echo inner; echo outer'"),
	       0, "inner\nouter\n");
	own_stop(w);
}
END_TEST

SUITE("own_task")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_command_waits_through_its_worker, 0, 2);
	TEST_LOOP(a_command_waits_for_many, 0, 2);
	TEST_LOOP(a_command_tells_its_progress, 0, 2);
	TEST_LOOP(a_command_that_waits_lends_its_slot, 0, 2);
	TEST_LOOP(never_do_more_commands_work_than_there_are_slots, 0, 2);
	TEST_LOOP(who_waits_no_longer_has_its_slot_again, 0, 2);
	TEST_LOOP(a_command_waits_in_several_processes, 0, 2);
	TEST_LOOP(a_slot_is_lent_as_long_as_one_process_waits, 0, 2);
	TEST_LOOP(a_wait_ends_with_its_task, 0, 2);
	TEST_LOOP(a_tree_of_tasks_is_shown, 0, 2);
	TEST_LOOP(a_tree_is_told_whatever_its_records_say, 0, 2);
	TEST(a_command_of_ones_own_runs_another_and_waits_for_it);
}
