/* SPDX-License-Identifier: MIT */
/*
 * Workflows by the command line, on both stores: chains, joins, callbacks, files,
 * batches, what is cancelled, retried and repaired.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e/manual_steps.h"
#include "e2e/workflow_scene.h"

/* --- what is promised ---------------------------------------------------- */

START_TEST(a_step_runs_after_those_that_it_waits_for)
{
	struct world *w = begin(_i);
	const char *id, *a, *c, *d;

	worker_start(w, NULL);
	id = ctl_ok(w, "workflow begin --label nightly");
	a = submit(w, "add 1 2 --flow %s", id);
	submit(w, "add 3 4 --flow %s --id b", id);
	c = submit(w,
		   "add --args '[{\"$from\":\"%s\"},{\"$from\":\"b\"}]' --flow "
		   "%s --after %s,b",
		   a, id, a);
	d = submit(w,
		   "echo --args '[{\"$all\":[\"%s\",\"b\",\"%s\"]}]' "
		   "--flow %s --after %s --after b:complete --after %s",
		   a, c, id, a, c);
	ck_flow(w, id, "state", "open");
	ck_flow(w, id, "label", "nightly");
	ck_run(ctl(w, "workflow seal %s --wait", id), 0, "succeeded\n");
	ck_run(ctl(w, "result %s", c), 0, "10\n");
	ck_run(ctl(w, "result %s", d), 0,
	       "{\"args\":[[3,7,10]],\"kwargs\":{}}\n");
	ck_flow(w, id, "steps", "4");
	ck_flow(w, id, "succeeded", "4");
	ck_flow(w, id, "waiting", "0");
	ck_run(ctl(w, "workflow seal %s", id), 0, "");
	ck_run(ctl(w, "workflow wait %s", id), 0, "succeeded\n");
	ck_complains(ctl(w, "submit add 1 2 --flow %s", id), 77, "");
	ck_complains(ctl(w, "submit add 1 2 --flow nosuch"), 2, "nosuch");
	ck_complains(ctl(w, "workflow show nosuch"), 2, "nosuch");
	world_stop(w);
}
END_TEST

START_TEST(what_cannot_run_is_skipped_and_callbacks_tell)
{
	struct world *w = begin(_i);
	const char *id = ctl_ok(w, "workflow begin --id W");

	submit(w, "fail --max-retries 0 --flow W --id a --force --queue io");
	submit(w, "add 1 1 --flow W --id b --after a --force --queue io");
	submit(w, "add 1 1 --flow W --id c --after b --force --queue io");
	submit(w, "add 2 2 --flow W --id d --after a:failure --force "
		  "--queue io");
	submit(w, "add 3 3 --flow W --id e --after b:complete --force "
		  "--queue io");
	submit(w, "add 4 4 --flow W --id f --on failure --force --queue io");
	submit(w, "add 5 5 --flow W --id s --on success --force --queue io");
	submit(w, "add 6 6 --flow W --id x --on complete --force --queue io");
	ck_complains(ctl(w, "result c"), 3, "pending");
	worker_start(w, NULL);
	ck_complains(ctl(w, "workflow seal %s --wait", id), 1, "W failed");
	ck_is_skipped(w, "b");
	ck_is_skipped(w, "c");
	ck_run(ctl(w, "wait d e f x"), 0, "d\t4\ne\t6\nf\t8\nx\t12\n");
	ck_complains(ctl(w, "result s"), 2, "no record");
	ck_flow(w, "W", "failed", "1");
	ck_flow(w, "W", "skipped", "2");
	ck_flow(w, "W", "succeeded", "2");
	world_stop(w);
}
END_TEST

/* Whoever submits it: a client, a file, or a step of the workflow. */
START_TEST(a_callback_is_told_how_its_workflow_has_ended)
{
	static const char told_of[] =
	    "\"outcome\":\"succeeded\",\"failed\":[],\"counts\":{\"steps\":"
	    "1,\"succeeded\":1,\"failed\":0,\"skipped\":0,\"unlisted\":0}";
	struct world *w = begin_with(
	    _i, "[task adder]\ncommand = flowrractl submit tell --flow {0} "
		"--on complete --id inner\nqueue = io\n"
		"[task tell]\ncommand = echo {flow} {outcome} {failed}\n"
		"queue = io\n");
	const char *id;

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W");
	submit(w, "adder W --flow W");
	submit(w, "echo --kw flow=mine --flow W --on success --id own");
	ctl_ok(w, "workflow seal W");
	WAIT_UNTIL(is(w, "own", "status", "success"));
	ck_run(ctl(w, "result own"), 0,
	       world_text(w,
			  "{\"args\":[],\"kwargs\":{\"flow\":\"mine\",%s}}\n",
			  told_of));
	WAIT_UNTIL(is(w, "inner", "status", "success"));
	ck_run(ctl(w, "result inner"), 0, "\"W succeeded []\"\n");
	id = submit_file(w,
			 "{\"id\":\"a\",\"name\":\"add\",\"args\":[1,1]}\n"
			 "{\"id\":\"b\",\"name\":\"echo\",\"on\":\"complete\","
			 "\"kwargs\":{\"sum\":{\"$from\":\"a\"}}}\n",
			 "");
	WAIT_UNTIL(is(w, at(w, id, "b"), "status", "success"));
	ck_run(ctl(w, "result %s", at(w, id, "b")), 0,
	       world_text(w,
			  "{\"args\":[],\"kwargs\":{\"sum\":2,\"flow\":\"%s\""
			  ",%s}}\n",
			  id, told_of));
	world_stop(w);
}
END_TEST

START_TEST(a_file_runs_as_a_whole)
{
	struct world *w = begin(_i);
	const char *id;

	worker_start(w, NULL);
	id = submit_file(
	    w,
	    "{\"label\":\"sums\",\"steps\":[\n"
	    "{\"id\":\"c\",\"name\":\"add\",\"args\":[{\"$from\":\"a\"},"
	    "{\"$from\":\"b\"}]},\n"
	    "{\"id\":\"a\",\"name\":\"add\",\"args\":[1,2]},\n"
	    "{\"id\":\"b\",\"name\":\"add\",\"args\":[3,4]},\n"
	    "{\"id\":\"d\",\"name\":\"add\",\"args\":[1,{\"$from\":\"c\"}],"
	    "\"on\":\"success\"}]}\n",
	    "");
	ck_run(ctl(w, "workflow wait %s", id), 0, "succeeded\n");
	ck_run(ctl(w, "result %s", at(w, id, "c")), 0, "10\n");
	ck_run(ctl(w, "wait %s", at(w, id, "d")), 0, "11\n");
	ck_flow(w, id, "label", "sums");
	/* Nothing of one with a mistake. */
	run(w, "printf '{\"name\":\"add\"}\\n{\"name\":\"ad\"}\\n' >bad.json");
	ck_complains(ctl(w, "workflow submit bad.json --id V"), 65,
		     "bad.json:2: step \"2\": unknown task \"ad\"");
	ck_complains(ctl(w, "workflow show V"), 2, "V");
	ck_complains(ctl(w, "workflow submit flow.json --id %s", id), 77, id);
	world_stop(w);
}
END_TEST

START_TEST(a_chain_passes_results_on)
{
	struct world *w = begin(_i);
	const char *id;

	worker_start(w, NULL);
	ck_run(ctl(w, "chain --wait 'add 1 2' 'add 10' 'echo'"), 0,
	       "{\"args\":[13],\"kwargs\":{}}\n");
	ck_complains(ctl(w, "chain --wait 'add 1 2' 'fail' 'echo'"), 1,
		     "skipped");
	id = ctl_ok(w, "chain 'echo \"a b\"' 'echo'");
	ck_run(ctl(w, "workflow wait %s", id), 0, "succeeded\n");
	ck_run(
	    ctl(w, "result %s", at(w, id, "2")), 0,
	    "{\"args\":[{\"args\":[\"a b\"],\"kwargs\":{}}],\"kwargs\":{}}\n");
	ck_complains(ctl(w, "chain 'add 1' 'ad'"), 65, "\"add\"");
	world_stop(w);
}
END_TEST

START_TEST(a_batch_is_joined_by_a_callback)
{
	struct world *w = begin(_i);
	const char *id;

	worker_start(w, NULL);
	id = ctl_ok(w, "workflow begin");
	ck_run(run(w,
		   "seq 1500 | sed 's/.*/{\"name\":\"add\",\"args\":[&,1]}/' | "
		   "flowrractl --config flowrra.conf submit --stdin --flow %s "
		   "| wc -l",
		   id),
	       0, "1500\n");
	submit(w, "add 1 1 --flow %s --on success --id joined", id);
	ck_run(ctl(w, "workflow seal %s --wait", id), 0, "succeeded\n");
	ck_run(ctl(w, "wait joined"), 0, "2\n");
	ck_flow(w, id, "succeeded", "1500");
	world_stop(w);
}
END_TEST

START_TEST(a_workflow_is_listed_and_shown)
{
	struct world *w = begin(_i);

	ctl_ok(w, "workflow begin --id A --label first");
	ctl_ok(w, "workflow begin --id B --on-failure cancel");
	submit(w, "add 1 1 --flow B --id one --force --queue io");
	submit(w, "add 1 1 --flow B --id B.two --after one:complete --force "
		  "--queue io");
	submit(w, "add 1 1 --flow B --id B.end --on failure --force --queue "
		  "io");
	ck_run(ctl(w, "workflow list | cut -f1-6"), 0,
	       "B\t-\topen\t2\t1\t1\nA\tfirst\topen\t0\t0\t0\n");
	ck_run(ctl(w, "workflow list --limit 1 2>&1 | cut -f1"), 0,
	       "B\nflowrractl: workflow list: there are more; see --limit\n");
	ck_run(ctl(w, "workflow show B | tail -3"), 0,
	       "one\tadd\tpending\t-\tone\n"
	       "two\tadd\twaiting\tone:complete\tB.two\n"
	       "end\t-\twaiting\ton failure\tB.end\n");
	ck_flow(w, "B", "on_failure", "cancel");
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "workflow show B --json"),
				     "\"after_steps\":[\"one:complete\"]"));
	world_stop(w);
}
END_TEST

START_TEST(a_cancelled_workflow_runs_no_more_steps)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W");
	submit(w, "sleep 60 --flow W --id a");
	submit(w, "add 1 1 --flow W --id b --after a");
	submit(w, "add 2 2 --flow W --id x --on failure");
	WAIT_UNTIL(is(w, "a", "status", "running"));
	ck_run(ctl(w, "workflow cancel W"), 0, "");
	ck_is_skipped(w, "b");
	ck_complains(ctl(w, "submit add 1 1 --flow W"), 77, "W");
	/* What runs goes on, until it is cancelled itself. */
	ck_flow(w, "W", "state", "cancelling");
	ck_run(ctl(w, "cancel a"), 0, "");
	WAIT_UNTIL(flow_is(w, "W", "cancelled"));
	ck_run(ctl(w, "wait x"), 0, "4\n");
	world_stop(w);
}
END_TEST

/* Where no worker is told of the end. */
START_TEST(a_step_that_is_taken_out_ends)
{
	struct world *w = begin(_i);

	ctl_ok(w, "workflow begin --id W");
	submit(w, "add 1 1 --flow W --id a --force --queue io");
	submit(w, "add 1 1 --flow W --id b --force --queue cpu");
	submit(w, "add 1 1 --flow W --id c --after a:failure,b:failure --force "
		  "--queue other");
	submit(w, "add 1 1 --flow W --id d --after a --force --queue io");
	ck_run(ctl(w, "cancel a"), 0, "");
	ck_run(ctl(w, "queue purge cpu"), 0, "1\n");
	ck_run(ctl(w, "workflow show W | grep ^c | cut -f3"), 0, "pending\n");
	/* One that waits for others is in no queue. */
	submit(w, "add 1 1 --flow W --id e --after c --force --queue other");
	ck_run(ctl(w, "cancel e"), 0, "");
	ck_assert_str_eq(told(w, "e", "reason"), "cancelled");
	ck_run(ctl(w, "cancel c"), 0, "");
	ctl_ok(w, "workflow seal W");
	worker_start(w, NULL);
	WAIT_UNTIL(flow_is(w, "W", "failed"));
	world_stop(w);
}
END_TEST

START_TEST(a_failed_step_is_retried_with_what_was_skipped)
{
	struct world *w =
	    begin_with(_i, "[task gate]\ncommand = test -e gate\nqueue = io\n");
	const char *id;

	worker_start(w, NULL);
	id = submit_file(w,
			 "{\"id\":\"a\",\"name\":\"gate\",\"max_retries\":0}\n"
			 "{\"id\":\"b\",\"name\":\"add\",\"args\":[1,1],"
			 "\"after\":[\"a\"]}\n",
			 "");
	ck_complains(ctl(w, "workflow wait %s", id), 1, "failed");
	ck_is_skipped(w, at(w, id, "b"));
	world_write(w, "gate", "", 0);
	ck_run(ctl(w, "workflow retry %s", id), 0, "1\n");
	ck_run(ctl(w, "workflow wait %s", id), 0, "succeeded\n");
	ck_run(ctl(w, "result %s", at(w, id, "b")), 0, "2\n");
	world_stop(w);
}
END_TEST

/* sidekiq#2268: a batch whose jobs add jobs. */
START_TEST(a_step_that_runs_adds_others_to_its_own_workflow)
{
	struct world *w = begin_with(
	    _i,
	    "[task adder]\ncommand = sh -c 'flowrractl submit add 1 2 --flow "
	    "\"$FLOWRRA_FLOW\" --id more && flowrractl submit add 3 4 --flow "
	    "\"$FLOWRRA_FLOW\" --after more --id last'\nqueue = io\n"
	    "[task env]\ncommand = sh -c 'echo ${FLOWRRA_FLOW-none}'\n"
	    "queue = io\n");

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W --whole");
	submit(w, "adder --flow W");
	submit(w, "env --flow W --id env");
	ck_run(ctl(w, "workflow seal W --wait"), 0, "succeeded\n");
	ck_flow(w, "W", "steps", "4");
	ck_run(ctl(w, "wait last env"), 0, "last\t7\nenv\t\"W\"\n");
	ck_run(ctl(w, "submit env --wait"), 0, "\"none\"\n");
	world_stop(w);
}
END_TEST

/* It has no store, but its worker has: so a schedule starts a workflow. */
START_TEST(a_command_starts_a_workflow)
{
	struct world *w = begin_with(
	    _i,
	    "[task nightly]\ncommand = flowrractl workflow submit flow.json "
	    "--id "
	    "N --on-failure cancel\nqueue = io\nmax_retries = 0\n"
	    "[task bad]\ncommand = flowrractl workflow submit bad.json --id B\n"
	    "queue = io\nmax_retries = 0\n"
	    "[task chain]\ncommand = flowrractl chain 'add 1 2' 'add 3' "
	    "--wait\n"
	    "queue = io\n"
	    "[task steps]\ncommand = sh -c 'w=$(flowrractl workflow begin) && "
	    "flowrractl submit add 1 2 --flow $w >/dev/null && "
	    "flowrractl workflow seal $w && echo $w'\nqueue = io\n");
	const char *id;

	worker_start(w, NULL);
	run(w, "printf '[{\"name\":\"add\",\"args\":[1,2]}]' >flow.json");
	run(w, "printf '{\"name\":\"add\"}\\n{\"name\":\"ad\"}\\n' >bad.json");
	ck_run(ctl(w, "submit nightly --wait"), 0, "\"N\"\n");
	ck_run(ctl(w, "workflow wait N"), 0, "succeeded\n");
	ck_flow(w, "N", "on_failure", "cancel");
	ck_complains(ctl(w, "submit nightly --wait"), 1, "");
	ck_complains(ctl(w, "submit bad --wait"), 1, "");
	ck_flow(w, "B", "succeeded", "0");
	ck_run(ctl(w, "submit chain --wait"), 0, "6\n");
	id = ctl_ok(w, "submit steps --wait");
	ck_run(ctl(w, "workflow wait %.36s", id + 1), 0, "succeeded\n");
	world_stop(w);
}
END_TEST

START_TEST(events_are_those_of_a_workflow)
{
	struct world *w = begin(_i);
	const int64_t deadline = now_ms() + PATIENCE_MS;
	struct run *told_of;
	const char *p;
	size_t n = 0;

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W");
	told_of = run_start(
	    w, "flowrractl --config flowrra.conf events --flow W --count 3");
	/* The worker learns later of who listens. */
	while (!is_gone(told_of->pid) && now_ms() < deadline) {
		submit(w, "add 1 1 --wait");
		submit(w, "add 1 1 --flow W --wait");
	}
	ck_assert_int_eq(run_end(w, told_of)->status, 0);
	for (p = told_of->out; (p = strstr(p, "\"flow\":\"W\"")) != NULL; p++)
		n++;
	ck_assert_uint_eq(n, 3);
	world_stop(w);
}
END_TEST

START_TEST(what_ended_without_a_word_is_repaired)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W");
	submit(w, "add 1 1 --flow W --id a");
	ck_run(ctl(w, "workflow repair W --json"), 0,
	       "{\"workflow\":\"W\",\"ended\":0}\n");
	ck_run(ctl(w, "workflow seal W --wait"), 0, "succeeded\n");
	world_stop(w);
}
END_TEST

/* --- the manual ---------------------------------------------------------- */

#define PAGE "lib/store/flowrra-workflows.7"

/* The script of the manual, word for word: when all goes well, and when not. */
START_TEST(the_script_of_the_manual_does_what_it_says)
{
	struct world *w = begin(_i);
	char *at = world_read(w, world_source(w, PAGE)), *config, *script;
	const struct run *r;

	at = strstr(at, ".Ss A script");
	ck_assert_ptr_nonnull(at);
	config = manual_commands(w, manual_block(w, &at));
	script = manual_commands(w, manual_block(w, &at)) + 1;
	world_configure(w, "demo", config);
	world_write(w, "nightly", script, strlen(script));
	setenv("FLOWRRA_BROKER_URL", world_url(w), _i == ON_REDIS);
	worker_start(w, NULL);
	run(w, "printf 'an apple\\na plum\\na pear\\nplums\\n' >good; "
	       "printf 'an apple\\na pear\\n' >bad");
	ck_run(run(w, "sh nightly good"), 0, "4\n");
	WAIT_UNTIL(access(world_text(w, "%s/words.txt", world_dir(w)), F_OK) !=
		   0);
	r = run(w, "sh nightly bad");
	ck_assert_int_eq(r->status, 1);
	ck_assert_ptr_nonnull(strstr(r->err, "skipped"));
	WAIT_UNTIL(strstr(world_read(w, "failures"), "nightly ") != NULL);
	WAIT_UNTIL(access(world_text(w, "%s/words.txt", world_dir(w)), F_OK) !=
		   0);
	world_stop(w);
}
END_TEST

/* Something takes a step from its queue, ends it, and says nothing to its workflow. */
START_TEST(housekeeping_finds_what_ended_without_a_word)
{
	struct world *w = begin(ON_REDIS);

	ctl_ok(w, "workflow begin --id W");
	submit(w, "add 1 1 --flow W --id a --force --queue io");
	submit(w, "add 1 1 --flow W --id b --after a --force --queue io");
	redis_server_run(world_redis(w), "DEL flowrra:queue:io");
	redis_server_run(world_redis(w), "SET flowrra:task:a "
					 "{\"task_id\":\"a\",\"status\":"
					 "\"success\",\"result\":1}");
	ctl_ok(w, "workflow seal W");
	redis_server_run(world_redis(w),
			 "HSET {flowrra:queue:flow:W}:meta moved 1");
	redis_server_run(world_redis(w), "ZADD {flowrra:queue:flows}:due 1 W");
	worker_start(w, NULL);
	ck_run(ctl(w, "wait b"), 0, "2\n");
	WAIT_UNTIL(flow_is(w, "W", "succeeded"));
	world_stop(w);
}
END_TEST

SUITE("workflow")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_step_runs_after_those_that_it_waits_for);
	TEST_BOTH(what_cannot_run_is_skipped_and_callbacks_tell);
	TEST_BOTH(a_callback_is_told_how_its_workflow_has_ended);
	TEST_BOTH(a_file_runs_as_a_whole);
	TEST_BOTH(a_chain_passes_results_on);
	TEST_BOTH(a_batch_is_joined_by_a_callback);
	TEST_BOTH(a_workflow_is_listed_and_shown);
	TEST_BOTH(a_cancelled_workflow_runs_no_more_steps);
	TEST_BOTH(a_step_that_is_taken_out_ends);
	TEST_BOTH(a_failed_step_is_retried_with_what_was_skipped);
	TEST_BOTH(a_step_that_runs_adds_others_to_its_own_workflow);
	TEST_BOTH(the_script_of_the_manual_does_what_it_says);
	TEST_BOTH(a_command_starts_a_workflow);
	TEST_BOTH(events_are_those_of_a_workflow);
	TEST_BOTH(what_ended_without_a_word_is_repaired);
	TEST(housekeeping_finds_what_ended_without_a_word);
}
