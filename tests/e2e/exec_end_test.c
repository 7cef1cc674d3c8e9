/* SPDX-License-Identifier: MIT */
/* How commands end, and what ends them. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "e2e/exec_scene.h"

/* A command that leaves its pids in the file "pids" and ignores SIGTERM, as its
 * child does; and one that obeys. A quarter of kill_grace is left for what killed
 * it to say so: a second, on a machine that is busy. */
static const char of_ends[] =
    "[executor]\nkill_grace = 4s\n"
    "[task deaf]\n"
    "command = sh -c 'trap \"\" TERM; sleep 1000 & echo $$ $! >pids; wait'\n"
    "max_retries = 0\n"
    "[task obedient]\n"
    "command = sh -c 'sleep 1000 & echo $$ $! >pids; wait'\n"
    "max_retries = 0\n"
    "[task graceful]\n"
    "command = sh -c 'trap \"echo 7; exit 0\" TERM; echo $$ $$ >pids; while :; "
    "do sleep 0.02; done'\n"
    "[task parent]\n"
    "command = sh -c 'sleep 1000 & echo $! $! >pids; echo started >&2'\n"
    "[task stray]\n"
    "command = sh -c 'setsid sleep 1000 & echo $! $! >pids; sleep 1000'\n"
    "[task cpu]\n"
    "command = sh -c 'trap \"\" TERM; sleep 1000 & echo $$ $! >pids; wait'\n"
    "cpu_bound = yes\nmax_retries = 0\n"
    "[task noisy]\n"
    "command = sh -c 'echo first >&2; sleep 1000'\n"
    "[task ok]\ncommand = echo fine\n"
    "[task cpu_ok]\ncommand = sh -c 'cat; echo >&2 quiet'\ncpu_bound = yes\n";

struct pids {
	pid_t leader, other;
};

static bool
read_pids(struct world *w, struct pids *ret)
{
	return sscanf(world_read(w, "pids"), "%d %d", &ret->leader,
		      &ret->other) == 2;
}

static struct pids
pids_of(struct world *w)
{
	struct pids p = {0, 0};

	WAIT_UNTIL(read_pids(w, &p));
	return p;
}

static void
ck_all_gone(struct pids p)
{
	WAIT_UNTIL(is_gone(p.leader));
	WAIT_UNTIL(is_gone(p.other));
}

START_TEST(a_timeout_ends_the_whole_process_group)
{
	static const char *const names[] = {"deaf", "obedient", "cpu"};
	struct world *w = start(of_ends);
	struct pids p;
	const char *id;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		run(w, "rm -f pids");
		id = submit(w, "%s --timeout 300ms", names[i]);
		p = pids_of(w);
		end_of(w, id);
		ck_told(w, id, "status", "failed");
		ck_told(w, id, "reason", "timeout");
		ck_told_part(w, id, "error",
			     i == 1 ? "killed by SIGTERM, after it was told to "
				      "end"
				    : "killed by SIGKILL, after it was told to "
				      "end");
		ck_all_gone(p);
	}
	/* Their executors lived through it. */
	ck_assert(!worker_logged(worker_of(w), "does not stop"));
	ck_assert_str_eq(submit(w, "ok --wait"), "\"fine\"");
	world_stop(w);
}
END_TEST

START_TEST(a_cancelled_command_ends)
{
	static const char *const names[] = {"obedient", "deaf", "cpu"};
	struct world *w = start(of_ends);
	struct pids p;
	const char *id;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		run(w, "rm -f pids");
		id = submit(w, "%s", names[i]);
		p = pids_of(w);
		ctl_ok(w, "cancel %s", id);
		WAIT_UNTIL(is(w, id, "status", "failed"));
		ck_told(w, id, "reason", "cancelled");
		ck_all_gone(p);
	}
	run(w, "rm -f pids");
	id = submit(w, "graceful");
	pids_of(w);
	ctl_ok(w, "cancel %s", id);
	ck_assert_str_eq(ctl_ok(w, "wait %s", id), "7");
	world_stop(w);
}
END_TEST

START_TEST(a_task_ends_with_its_first_process)
{
	struct world *w = start(of_ends);

	ck_assert_str_eq(submit(w, "parent --wait"), "null");
	ck_all_gone(pids_of(w));
	world_stop(w);
}
END_TEST

/* The io executor: it has a child, the spawner. */
static pid_t
executor_of(struct world *w)
{
	pid_t children[CHILDREN_MAX], its[CHILDREN_MAX];
	size_t n = children_of(worker_pid(worker_of(w)), children), i;

	for (i = 0; i < n; i++)
		if (children_of(children[i], its) > 0)
			return children[i];
	ck_abort_msg("no executor has a spawner");
	return 0;
}

START_TEST(no_command_outlives_its_executor)
{
	static const char *const names[] = {"deaf", "stray"};
	struct world *w = start(of_ends);
	struct pids p;
	const char *id;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		run(w, "rm -f pids");
		id = submit(w, "%s --max-retries 3", names[i]);
		p = pids_of(w);
		run(w, "rm -f pids");
		kill(executor_of(w), SIGKILL);
		ck_all_gone(p);
		/* It is tried again. */
		p = pids_of(w);
		ctl_ok(w, "cancel %s", id);
		WAIT_UNTIL(is(w, id, "status", "failed"));
		/* It ran alone; who has left the group goes with the
		 * executor. */
		ck_all_gone(p);
	}
	ck_assert_str_eq(submit(w, "ok --wait"), "\"fine\"");
	world_stop(w);
}
END_TEST

START_TEST(no_command_outlives_its_worker)
{
	struct world *w = start(of_ends);
	struct worker *k = worker_of(w);
	struct pids p;
	const char *id = submit(w, "deaf");

	p = pids_of(w);
	run(w, "rm -f pids");
	worker_kill(k);
	ck_all_gone(p);
	worker_restart(k);
	p = pids_of(w);
	ctl_ok(w, "cancel %s", id);
	ck_all_gone(p);
	world_stop(w);
}
END_TEST

static void
kill_spawner(struct world *w)
{
	pid_t spawner[CHILDREN_MAX];

	ck_assert_uint_eq(children_of(executor_of(w), spawner), 1);
	run(w, "rm -f pids");
	kill(spawner[0], SIGKILL);
}

/* Whose doing that was is not known: it runs again, alone, and uncharged. */
START_TEST(no_command_outlives_the_spawner)
{
	struct world *w = start(of_ends);
	struct pids p;
	const char *id = submit(w, "deaf");

	p = pids_of(w);
	kill_spawner(w);
	ck_all_gone(p);
	p = pids_of(w);
	ck_told(w, id, "retries", "0");
	kill_spawner(w);
	end_of(w, id);
	ck_told(w, id, "reason", "crashed");
	ck_told_part(w, id, "error", "has died");
	ck_all_gone(p);
	ck_assert_str_eq(submit(w, "ok --wait"), "\"fine\"");
	world_stop(w);
}
END_TEST

START_TEST(standard_error_is_logged_as_it_comes)
{
	struct world *w = start(of_ends);
	const char *id = submit(w, "noisy");

	WAIT_UNTIL(worker_logged(worker_of(w),
				 world_text(w, "task %s (noisy): first", id)));
	WAIT_UNTIL(is(w, id, "status", "running"));
	ctl_ok(w, "cancel %s", id);
	world_stop(w);
}
END_TEST

START_TEST(a_cpu_bound_command_is_like_another)
{
	struct world *w = start(of_ends);
	const char *id = submit(w, "cpu_ok 1"), *line;

	line = ctl_ok(w, "wait %s", id);
	ck_assert_str_eq(json_field(w, line, "args"), "[1]");
	ck_told(w, id, "queue", "cpu");
	WAIT_UNTIL(worker_logged(worker_of(w), "(cpu_ok): quiet"));
	world_stop(w);
}
END_TEST

/* --- exit codes ---------------------------------------------------------- */

static size_t
count_of(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

/* As fields of the record, of the attempts before, and of the dead entry; and as the
 * exit status of who waits. */
START_TEST(an_exit_code_is_told_as_a_number)
{
	struct world *w = start(
	    "[executor]\nretry_delay = 0\n[exec]\noutput_max = 1m\n"
	    "[task code]\ncommand = sh -c 'echo said; exit $1' sh {0}\n"
	    "success_exit_codes = 0 24\nmax_retries = 1\n"
	    "[task killed]\ncommand = sh -c 'kill -9 $$'\nmax_retries = 0\n"
	    "[task slow]\ncommand = sleep 60\ntimeout = 0.2\nmax_retries = 0\n"
	    "[task text]\ncommand = printf '%b' {0}\noutput = text\n");
	const char *id = end_of(w, submit(w, "code 7"));
	const struct run *r;

	ck_told(w, id, "exit_code", "7");
	ck_told(w, id, "signal", "");
	r = ctl(w, "tasks dead --exit-code 7 --json");
	ck_assert_ptr_nonnull(strstr(r->out, "\"exit_code\":7"));
	r = ctl(w, "tasks failed --exit-code 7 --json");
	ck_assert_ptr_nonnull(strstr(r->out, id));
	ck_run(ctl(w, "tasks dead --exit-code 8 --json"), 0, "[]\n");
	ck_run(ctl(w, "tasks failed --exit-code 8 --json"), 0, "[]\n");
	ck_complains(ctl(w, "tasks failed --exit-code 256"), 65,
		     "is not an exit code");
	r = ctl(w, "tasks show %s --json", id);
	/* The record, and both attempts. */
	ck_assert_ptr_nonnull(strstr(r->out, "\"attempt\":1,"));
	ck_assert_uint_ge(count_of(r->out, "\"exit_code\":7"), 3);
	id = end_of(w, submit(w, "killed"));
	ck_told(w, id, "signal", "9");
	ck_told(w, id, "exit_code", "");
	ck_told(w, end_of(w, submit(w, "code 24")), "status", "success");
	ck_told(w, end_of(w, submit(w, "code 24")), "exit_code", "24");
	ck_run(ctl(w, "submit code 0 --wait --exit-code"), 0, "\"said\"\n");
	ck_run(ctl(w, "submit code 24 --wait --exit-code"), 24, "\"said\"\n");
	ck_run(ctl(w, "submit code 7 --wait --exit-code"), 7, "");
	ck_run(ctl(w, "submit code 7 --wait"), 1, "");
	ck_run(ctl(w, "submit killed --wait --exit-code"), 137, "");
	ck_run(ctl(w, "submit slow --wait --exit-code"), 124, "");
	ck_complains(ctl(w, "submit code 0 --exit-code"), 64,
		     "--exit-code needs --wait");
	/* What a declared command prints is kept, too, if that is wanted. */
	id = end_of(w, submit(w, "code 7"));
	ck_run(ctl(w, "logs %s --all", id), 0,
	       "==> attempt 1\nsaid\n==> attempt 2\nsaid\n");
	id = end_of(w, submit(w, "text 'a\\tb\\033\\n\\n'"));
	ck_run(ctl(w, "result %s", id), 0, "\"a\\tb\\u001B\\n\"\n");
	ck_run(ctl(w, "result %s --raw", id), 0, "a\tb\033\n");
	ck_complains(ctl(w, "result %s --raw --json", id), 64, "--raw");
	world_stop(w);
}
END_TEST

START_TEST(a_worker_that_keeps_no_output_is_told_of)
{
	struct world *w = start("[exec]\noutput_store = 0\n"
				"[task one]\ncommand = true\n");

	ck_complains(ctl(w, "logs %s", end_of(w, submit(w, "one"))), 2,
		     "[exec] output_max");
	world_stop(w);
}
END_TEST

/* The worker's files are elsewhere: what the record has is shown. */
START_TEST(logs_on_another_machine_show_what_the_record_has)
{
	struct world *w = start(
	    "[executor]\nretry_delay = 0\n[exec]\noutput_max = 1m\n"
	    "output_store = 2k\n"
	    "[task speak]\nmax_retries = 0\n"
	    "command = sh -c 'seq 1000; echo problem >&2; exit $1' sh {0}\n"
	    "[task silent]\noutput = none\n"
	    "command = sh -c 'echo said; echo told >&2'\n"
	    "[task answer]\ncommand = sh -c 'echo told >&2; echo said'\n");
#define ELSEWHERE "-o worker.state_dir=/nonexistent logs "
	const char *id = end_of(w, submit(w, "speak 3")), *text;

	text = ctl_ok(w, ELSEWHERE "%s", id);
	ck_assert_msg(strlen(text) > 1900 && strlen(text) <= 2048, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "\n999\n1000\nproblem"));
	ck_assert_str_eq(ctl_ok(w, ELSEWHERE "%s -n 2", id), "1000\nproblem");
	ck_run(ctl(w, ELSEWHERE "%s -f | tail -n 1", id), 0, "problem\n");
	ck_assert_int_eq(ctl(w, ELSEWHERE "%s -f", id)->status, 3);
	id = end_of(w, submit(w, "silent"));
	ck_assert_str_eq(ctl_ok(w, ELSEWHERE "%s", id), "said\ntold");
	id = end_of(w, submit(w, "answer"));
	ck_assert_str_eq(ctl_ok(w, ELSEWHERE "%s", id), "told\nsaid");
	ck_assert_str_eq(ctl_ok(w, ELSEWHERE "%s --stdout", id), "said");
	ck_assert_str_eq(ctl_ok(w, ELSEWHERE "%s --stderr", id), "told");
	world_stop(w);
}
END_TEST

SUITE("exec-end")
{
	SUITE_TIMEOUT(120);
	TEST(a_timeout_ends_the_whole_process_group);
	TEST(a_cancelled_command_ends);
	TEST(a_task_ends_with_its_first_process);
	TEST(no_command_outlives_its_executor);
	TEST(no_command_outlives_its_worker);
	TEST(no_command_outlives_the_spawner);
	TEST(standard_error_is_logged_as_it_comes);
	TEST(a_cpu_bound_command_is_like_another);
	TEST(an_exit_code_is_told_as_a_number);
	TEST(a_worker_that_keeps_no_output_is_told_of);
	TEST(logs_on_another_machine_show_what_the_record_has);
}
