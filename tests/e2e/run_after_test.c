/* SPDX-License-Identifier: MIT */
/* flowrractl run --after and --on-failure: what runs when, what is skipped and why, and
 * that no kill starts a command early, or loses it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/run_scene.h"

#define KILLS 12
#define CHAIN 40

/* Holds the first command until the file is there. */
#define GATE "sh -c 'while ! test -e gate; do sleep 0.01; done; %s'"

static const char *
shown(struct world *w, const char *id, const char *path)
{
	return json_field(w, own(w, "tasks show %s --json", id)->out, path);
}

static void
ck_is_skipped(struct world *w, const char *id, const char *why)
{
	WAIT_UNTIL(own_is(w, id, "failed"));
	ck_assert_str_eq(shown(w, id, "record.reason"), "skipped");
	ck_assert_ptr_nonnull(strstr(shown(w, id, "record.error"), why));
}

START_TEST(a_command_runs_after_those_that_it_waits_for)
{
	struct world *w = own_world();

	ck_run(own(w, "run -- " GATE, "echo 1 >>order"), 0, "1\n");
	ck_run(own(w, "run --after 1 -- sh -c 'echo 2 >>order'"), 0, "2\n");
	ck_run(own(w, "run --after 1,2 -- sh -c 'echo 3 >>order; exit 5'"), 0,
	       "3\n");
	ck_run(own(w, "run --after 3:failure --after 2 -- "
		      "sh -c 'echo 4 >>order'"),
	       0, "4\n");
	ck_run(own(w, "run --after 3 -- sh -c 'echo 5 >>order'"), 0, "5\n");
	ck_run(own(w, "run --after 5:complete -- sh -c 'echo 6 >>order'"), 0,
	       "6\n");
	/* Until then all can see it. */
	ck_assert_str_eq(shown(w, "4", "where"), "delayed");
	ck_run(run(w, OWN "flowrractl --user tasks | grep -v running | "
			  "cut -f1,4,7"),
	       0,
	       "6\theld\t5:complete\n5\theld\t3\n"
	       "4\theld\t2,3:failure\n3\theld\t1,2\n2\theld\t1\n");
	ck_run(run(w, "touch gate; " OWN "flowrractl --user wait 6"), 0,
	       "null\n");
	ck_run(own(w, "wait 4"), 0, "null\n");
	ck_assert_str_eq(world_read(w, "order"), "1\n2\n3\n4\n6\n");
	ck_is_skipped(w, "5", "task 3 failed");
	/* What has ended decides at once. */
	ck_run(own(w, "run --wait --after 1 echo now"), 0, "now\n");
	ck_complains(own(w, "run --wait --after 5 true"), 125,
		     "task 5 was skipped");
	ck_complains(own(w, "run --after 99 true"), 2, "task 99");
	ck_run(own(w, "tasks"), 0, "");
	own_stop(w);
}
END_TEST

START_TEST(one_that_is_cancelled_takes_those_behind_it_along)
{
	struct world *w = own_world();

	own(w, "run -- " GATE, "true");
	own(w, "run --after 1 true");
	own(w, "run --after 2 true");
	own(w, "run --after 2:failure touch cleaned");
	own(w, "run --after 1 true");
	own(w, "run --after 5 true");
	ck_run(own(w, "cancel 2"), 0, "");
	ck_is_skipped(w, "3", "task 2 failed");
	ck_run(own(w, "tasks show 4 --format '{entry.after}'"), 0, "-\n");
	/* A queue that is emptied: all of them at once. */
	own(w, "queue purge run");
	WAIT_UNTIL(own_is(w, "5", "failed") && own_is(w, "6", "failed"));
	run(w, "touch gate");
	own(w, "wait 1");
	ck_run(own(w, "tasks"), 0, "");
	own_stop(w);
}
END_TEST

START_TEST(what_is_to_be_done_on_failure_is_done_then_only)
{
	struct world *w = own_world();

	ck_complains(own(w, "run --wait --on-failure 'echo $FLOWRRA_FAILED_ID "
			    ">>bad' -- sh -c 'exit 3'"),
		     3, "");
	ck_run(own(w, "wait 2"), 0, "null\n");
	ck_assert_str_eq(world_read(w, "bad"), "1\n");
	ck_run(own(w, "run --wait --on-failure 'echo no >>bad' -- true"), 0,
	       "");
	ck_is_skipped(w, "4", "task 3 succeeded");
	/* Only when it has failed for good. */
	ck_run(own(w, "run --max-retries 1 --retry-delay 0 --on-failure "
		      "'echo $FLOWRRA_FAILED_ID >>bad' -- "
		      "sh -c 'echo try >>bad; exit 1'"),
	       0, "5\n");
	own(w, "wait 6");
	ck_assert_str_eq(world_read(w, "bad"), "1\ntry\ntry\n5\n");
	/* Of one that is queued already there is none. */
	own(w, "run --unique k --delay 1h true");
	ck_run(own(w, "run --unique k --on-failure true true"), 0, "7\n");
	ck_run(run(w, OWN "flowrractl --user tasks | wc -l"), 0, "1\n");
	own_stop(w);
}
END_TEST

#define OTHER OWN "XDG_STATE_HOME=$PWD/other flowrractl --user "

START_TEST(what_waits_is_exported_and_imported)
{
	struct world *w = own_world();
	const struct run *r;

	own(w, "run -- " GATE, "true");
	own(w, "run --delay 1h true");
	own(w, "run --after 2:complete true");
	own(w, "run --after 1 true");
	run(w,
	    "mkdir -p other/flowrra; " OWN "flowrractl --user export >lines");
	/* The one that runs stays behind, and of what waits for it is told. */
	r = run(w, OTHER "import <lines");
	ck_assert_int_eq(r->status, 2);
	ck_assert_str_eq(r->out,
			 "2 imported, 0 were there, 0 skipped, 1 refused\n");
	ck_assert_ptr_nonnull(strstr(r->err, "no record of task 1"));
	ck_run(run(w, OTHER "tasks delayed --format '{task_id} {after}'"), 0,
	       "3 [\"2:complete\"]\n2 -\n");
	/* There, too, it goes on. */
	ck_run(run(w, OTHER "cancel 2"), 0, "");
	ck_run(run(w, OTHER "tasks show 3 --format '{entry.after}'"), 0, "-\n");
	run(w, "touch gate");
	own_stop(w);
}
END_TEST

/* --- what commands share -------------------------------------------------- */

START_TEST(commands_with_one_environment_store_it_once)
{
	struct world *w = own_world();
	const struct run *r;

	run(w, OWN "BIG=$(yes x | head -c 600 | tr -d '\\n') flowrractl "
		   "--user run -- sh -c 'echo $BIG | wc -c; test -e again'");
	WAIT_UNTIL(own_is(w, "1", "failed"));
	run(w, "touch again");
	ck_run(own(w, "tasks show 1 --format '{record.kwargs.env}'"), 0, "-\n");
	/* Who puts it back, or carries it off, has all of it. */
	run(w, "mkdir -p other/flowrra; " OWN
	       "flowrractl --user export --state dead >lines");
	ck_run(own(w, "tasks retry 1"), 0, "1 retried\n");
	WAIT_UNTIL(own_is(w, "1", "success"));
	ck_run(own(w, "logs 1"), 0, "301\n");
	run(w, OTHER "import --requeue-dead <lines");
	ck_assert_ptr_nonnull(
	    strstr(run(w, OTHER "tasks pending --json")->out, "\"BIG\":\"xxx"));
	r = run(w,
		"seq 100 | " OWN
		"flowrractl --user run --each true | wc -l; " OWN
		"flowrractl --user run --wait true; "
		"python3 -c 'import sqlite3; "
		"print(sqlite3.connect(\"own/flowrra/flowrra.db\").execute("
		"\"SELECT (SELECT count(*) FROM blobs), (SELECT count(*) FROM "
		"blob_uses)\").fetchone())'");
	ck_assert_str_eq(r->out, "100\n(2, 102)\n");
	own_stop(w);
}
END_TEST

/* --- kills ------------------------------------------------------------------ */

/* Each looks for the mark of the one before it. */
static void
queue_chain(struct world *w)
{
	int i;

	own(w, "run -- sh -c 'touch d1'");
	for (i = 2; i <= CHAIN; i++)
		own(w,
		    "run --after %d -- sh -c 'test -e d%d || echo %d >>early; "
		    "sleep 0.0%d; touch d%d'",
		    i - 1, i - 1, i, i % 4 + 1, i);
}

START_TEST(a_chain_goes_on_wherever_its_worker_is_killed)
{
	struct world *w = own_world();
	unsigned int seed = 17;
	int i;

	run(w, "mkdir config; printf '[executor]\\nmax_crashes = 1000\\n' "
	       ">config/flowrra.conf");
	queue_chain(w);
	for (i = 0; i < KILLS; i++) {
		pid_t pid = own_worker(w);

		run(w, "sleep 0.0%d", rand_r(&seed) % 9);
		if (pid > 0)
			kill(pid, SIGKILL);
		own(w, "run true");
	}
	ck_run(own(w, "wait %d", CHAIN), 0, "null\n");
	ck_assert_str_eq(world_read(w, "early"), "");
	for (i = 1; i <= CHAIN; i++)
		ck_assert(own_is(w, world_text(w, "%d", i), "success"));
	own_stop(w);
}
END_TEST

SUITE("run-after")
{
	SUITE_TIMEOUT(180);
	TEST(a_command_runs_after_those_that_it_waits_for);
	TEST(one_that_is_cancelled_takes_those_behind_it_along);
	TEST(what_is_to_be_done_on_failure_is_done_then_only);
	TEST(what_waits_is_exported_and_imported);
	TEST(commands_with_one_environment_store_it_once);
	TEST(a_chain_goes_on_wherever_its_worker_is_killed);
}
