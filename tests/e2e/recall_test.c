/* SPDX-License-Identifier: MIT */
/* Tasks that no living worker had in its modules, when the one that has them is
 * back: they do not wait for what is left of their delays. */
#include <signal.h>
#include <stdlib.h>

#include "e2e/operate_scene.h"

#define N_TASKS 50

static struct worker *
start(struct world *w, const char *id, const char *modules)
{
	return worker_start(w, world_text(w,
					  WORLD_COMMAND
					  " -o worker.id=%s "
					  "-o worker.state_dir=%s/%s "
					  "-o worker.modules=%s",
					  id, world_dir(w), id, modules));
}

static long long
count(struct world *w, const char *path)
{
	return atoll(json_field(w, only(w, "queues io"), path));
}

/* Their IDs are in file "ids". */
static void
submit_many(struct world *w)
{
	ck_run(run(w,
		   "seq %d | sed 's/.*/{\"name\":\"add\",\"args\":[1,2]}/' | "
		   "flowrractl --config flowrra.conf submit --stdin >ids",
		   N_TASKS),
	       0, "");
}

/* Whether all are delayed, each by 20 s more at least. */
static bool
are_put_back(struct world *w)
{
	if (count(w, "delayed") != N_TASKS)
		return false;
	return run(w, "test $(date -d '%s' +%%s) -gt $(($(date +%%s) + 20))",
		   json_field(w, only(w, "queues io"), "next_due_at"))
		   ->status == 0;
}

/* The name is known for some seconds after the worker has stopped; then they go
 * back for 2, 4, 8, 16 and 32 s. */
static void
wait_until_put_back(struct world *w)
{
	WAIT_UNTIL_WITHIN(120000, are_put_back(w));
}

static void
expect_recalled(struct world *w)
{
	const int64_t began = now_ms();

	ck_run(ctl(w, "wait --timeout 60 $(cat ids) >/dev/null"), 0, "");
	ck_assert_int_lt(now_ms() - began, 15000);
	ck_answer(w, "stats", "dead", "0");
	ck_assert_int_eq(count(w, "delayed"), 0);
}

START_TEST(what_was_put_back_for_a_worker_that_was_frozen_runs_when_it_goes_on)
{
	struct world *w = begin(_i);
	struct worker *k = start(w, "test:1", "demo"), *other;

	other = start(w, "test:other", world_built(w, "tests/modules/noop.so"));
	ctl_ok(w, "submit add 1 2 --wait");
	worker_signal(k, SIGSTOP);
	submit_many(w);
	wait_until_put_back(w);
	worker_signal(k, SIGCONT);
	expect_recalled(w);
	worker_stop(other);
	worker_stop(k);
	world_stop(w);
}
END_TEST

START_TEST(what_was_put_back_for_a_worker_that_was_killed_runs_when_it_is_back)
{
	struct world *w = begin(_i);
	struct worker *k = start(w, "test:1", "demo"), *other;

	other = start(w, "test:other", world_built(w, "tests/modules/noop.so"));
	ctl_ok(w, "submit add 1 2 --wait");
	worker_kill(k);
	submit_many(w);
	wait_until_put_back(w);
	worker_restart(k);
	expect_recalled(w);
	worker_stop(other);
	world_stop(w);
}
END_TEST

SUITE("recall")
{
	SUITE_TIMEOUT(180);
	TEST_BOTH(
	    what_was_put_back_for_a_worker_that_was_frozen_runs_when_it_goes_on);
	TEST_BOTH(
	    what_was_put_back_for_a_worker_that_was_killed_runs_when_it_is_back);
}
