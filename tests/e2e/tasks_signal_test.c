/* SPDX-License-Identifier: MIT */
/* flowrractl tasks signal: whichever worker has the command, and whatever the store;
 * and why a task gets none. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "e2e/exec_scene.h"

enum { IN_REDIS, IN_SQLITE, N_STORES };

/* Each leaves a line for each signal, and a file that says that it listens. */
#define TRAP(name)                                                             \
	"sh -c 'trap \"echo usr1 >>" name ".got\" USR1; "                      \
	"trap \"echo end >>" name ".got; exit 0\" TERM; "                      \
	"touch " name ".up; while :; do sleep 0.02; done'\n"
static const char config[] =
    "[executor]\nasync_tasks = 1\ncpu_workers = 1\n"
    "[task one]\ncommand = " TRAP("one") "[task two]\ncommand = " TRAP(
	"two") "[task cpu]\ncpu_bound = yes\ncommand = " TRAP("cpu") "[task "
								     "lasting]"
								     "\ncommand"
								     " = sh -c "
								     "'touch "
								     "lasting."
								     "up; "
								     "sleep "
								     "1000'"
								     "\nmax_"
								     "retries "
								     "= 0\n";

static struct world *
begin_store(int store)
{
	const struct world_options o = {.embedded = store == IN_SQLITE,
					.config = config};

	return world_start(&o);
}

static void
await(struct world *w, const char *file)
{
	WAIT_UNTIL(run(w, "test -e %s", file)->status == 0);
}

static size_t
got(struct world *w, const char *name)
{
	return strlen(world_read(w, world_text(w, "%s.got", name)));
}

START_TEST(a_signal_reaches_the_command_in_any_worker)
{
	struct world *w = begin_store(_i);
	struct worker *other =
	    worker_start(w, "FLOWRRA_WORKER_ID=second " WORLD_COMMAND);
	const char *one, *two, *a, *b;

	one = submit(w, "one");
	two = submit(w, "two");
	await(w, "one.up");
	await(w, "two.up");
	WAIT_UNTIL(is(w, one, "status", "running") &&
		   is(w, two, "status", "running"));
	a = json_field(w, ctl_ok(w, "tasks signal %s USR1 --json", one),
		       "worker");
	b = json_field(w, ctl_ok(w, "tasks signal %s sigusr1 --json", two),
		       "worker");
	ck_assert_str_ne(a, b);
	WAIT_UNTIL(got(w, "one") == 5 && got(w, "two") == 5);
	/* By its number; and one that is stopped gets the next when it goes on. */
	ctl_ok(w, "tasks signal %s STOP", one);
	ctl_ok(w, "tasks signal %s %d", one, SIGUSR1);
	ctl_ok(w, "tasks signal %s CONT", one);
	WAIT_UNTIL(got(w, "one") == 10);
	/* What ends it, ends it as from a shell. */
	ctl_ok(w, "tasks signal %s TERM", one);
	end_of(w, one);
	ck_told(w, one, "status", "success");
	ctl_ok(w, "tasks signal %s TERM", two);
	end_of(w, two);
	worker_stop(other);
	world_stop(w);
}
END_TEST

START_TEST(a_cpu_bound_command_gets_it_too)
{
	struct world *w = begin_store(_i);
	const char *id = submit(w, "cpu");

	await(w, "cpu.up");
	WAIT_UNTIL(is(w, id, "status", "running"));
	ctl_ok(w, "tasks signal %s USR1", id);
	WAIT_UNTIL(got(w, "cpu") == 5);
	ctl_ok(w, "tasks signal %s TERM", id);
	end_of(w, id);
	ck_told(w, id, "status", "success");
	world_stop(w);
}
END_TEST

/* Its time goes on while it is stopped. */
START_TEST(a_stopped_command_still_has_its_timeout)
{
	struct world *w = begin_store(_i);
	const char *id = submit(w, "lasting --timeout 1s");

	await(w, "lasting.up");
	WAIT_UNTIL(is(w, id, "status", "running"));
	ctl_ok(w, "tasks signal %s STOP", id);
	end_of(w, id);
	ck_told(w, id, "reason", "timeout");
	world_stop(w);
}
END_TEST

START_TEST(a_task_that_gets_none_says_why)
{
	struct world *w = begin_store(_i);
	const char *running = submit(w, "sleep 100"), *later, *done;
	struct worker *k;

	later = submit(w, "one --delay 1h");
	done = submit(w, "add 1 2");
	end_of(w, done);
	WAIT_UNTIL(is(w, running, "status", "running"));
	ck_complains(ctl(w, "tasks signal %s USR1", running), 77,
		     "runs a function of a module");
	ck_complains(ctl(w, "tasks signal %s USR1", later), 77,
		     "has not begun");
	ck_complains(ctl(w, "tasks signal %s USR1", done), 77, "has ended");
	ck_complains(ctl(w, "tasks signal nobody USR1"), 2, "no record");
	ck_complains(ctl(w, "tasks signal %s FROB", running), 65,
		     "unknown signal");
	/* One whose worker is dead. */
	k = worker_of(w);
	worker_kill(k);
	ck_complains(ctl(w, "tasks signal %s USR1", running), 69,
		     "its worker did not answer");
	worker_restart(k);
	ctl(w, "cancel %s", running);
	world_stop(w);
}
END_TEST

SUITE("tasks-signal")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(a_signal_reaches_the_command_in_any_worker, 0, N_STORES);
	TEST_LOOP(a_cpu_bound_command_gets_it_too, 0, N_STORES);
	TEST_LOOP(a_stopped_command_still_has_its_timeout, 0, N_STORES);
	TEST_LOOP(a_task_that_gets_none_says_why, 0, N_STORES);
}
