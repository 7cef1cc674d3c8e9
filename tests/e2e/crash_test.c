/* SPDX-License-Identifier: MIT */
/* Handlers and executors that die: only the task at fault pays for it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

#ifdef __SANITIZE_ADDRESS__
/* It makes other ends of some crashes. */
#define ENDS_ALTERED 1
#else
#define ENDS_ALTERED 0
#endif

static const struct {
	const char *task, *error;
	bool only_io;
} crashes[] = {
    {"segv", "SIGSEGV", false},
    {"fpe", "SIGFPE", false},
    {"ill", "SIGILL", false},
    {"abort", "SIGABRT", false},
#ifndef __SANITIZE_THREAD__ /* whose malloc() does not notice */
    {"double_free", "SIGABRT", false},
#endif
    {"stack_overflow", "SIGSEGV", false},
    {"raise 7", "SIGBUS", false},
    {"raise 9", "SIGKILL", false},
    {"exit 0", "ended its process", false},
    {"exit 3", "ended its process", false},
    {"_exit", "ended its process", false},
    {"quick_exit", "ended its process", false},
    {"errx", "ended its process", false},
    {"async", "SIGSEGV", true},
};
#define N_CRASHES (sizeof(crashes) / sizeof(crashes[0]))

static void
check_crashed(struct world *w, const char *queue, const char *id,
	      const char *error)
{
	const char *info;

	wait_status(w, id, "failed");
	ck_field(w, id, "reason", "crashed");
	ck_field(w, id, "attempts", "3");
	WAIT_UNTIL(dead(w, queue) == 1);
	info = dead_info(w, queue, id);
	ck_assert_str_eq(json_field(w, info, "reason"), "crashed");
	if (!ENDS_ALTERED)
		ck_assert_msg(strstr(json_field(w, info, "error"), error) !=
				  NULL,
			      "%s", info);
	ck_assert_str_eq(json_field(w, dead_task(w, queue, id), "id"), id);
}

/* Submits n neighbours NAME0, NAME1, … as one process: they do not last, and are
 * to run at the same time. */
static void
submit_neighbours(struct world *w, size_t n, const char *name, const char *args)
{
	ck_assert_int_eq(run(w,
			     "for i in $(seq 0 %zu); do echo '{\"name\":\"%s\","
			     "\"args\":[%s],\"id\":\"%s'$i'\"}'; done | "
			     "flowrractl --config flowrra.conf submit --stdin",
			     n - 1, name, args, name)
			     ->status,
			 0);
}

static bool
all_run(struct world *w, int n)
{
	return atoi(run(w, "flowrractl --config flowrra.conf tasks running "
			   "--json | jq length")
			->out) == n;
}

static void
expect_neighbours_untouched(struct world *w, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		expect_untouched(w, world_text(w, "%s%zu", name, i));
}

/* It is tried three times, all in all, among tasks that have done nothing. */
START_TEST(a_crash_in_the_io_executor_harms_no_neighbour)
{
	const struct world_options o = {.modules = "demo crash",
					.crashes = true};
	struct world *w = world_start(&o);
	const char *id;

	submit_neighbours(w, 2, "sleep", "1.2");
	submit_neighbours(w, 1, "timer", "1.2");
	WAIT_UNTIL(all_run(w, 3));
	id = submit(w, "crash.%s", crashes[_i].task);
	check_crashed(w, "io", id, crashes[_i].error);
	expect_neighbours_untouched(w, 2, "sleep");
	expect_neighbours_untouched(w, 1, "timer");
	world_stop(w);
}
END_TEST

START_TEST(a_crash_in_a_cpu_executor_harms_no_neighbour)
{
	const struct world_options o = {.modules = "demo crash_cpu mark",
					.crashes = true,
					.config =
					    "[executor]\ncpu_workers = 2\n"};
	struct world *w = world_start(&o);
	const char *neighbour = submit(w, "mark_cpu marks 0.3"), *id;

	if (crashes[_i].only_io) {
		world_stop(w);
		return;
	}
	wait_status(w, neighbour, "running");
	id = submit(w, "crash_cpu.%s", crashes[_i].task);
	check_crashed(w, "cpu", id, crashes[_i].error);
	expect_untouched(w, neighbour);
	ck_assert_str_eq(world_read(w, "marks"),
			 world_text(w, "%s\n", neighbour));
	world_stop(w);
}
END_TEST

START_TEST(a_child_of_a_handler_that_exits_is_no_crash)
{
	const struct world_options o = {.modules = "demo crash",
					.crashes = true};
	struct world *w = world_start(&o);

	const char *status = submit(w, "crash.fork_exit 3 --wait");

	if (!ENDS_ALTERED)
		ck_assert_str_eq(status, "3");
	world_stop(w);
}
END_TEST

START_TEST(a_crashed_task_is_put_back_within_a_tenth_of_a_second)
{
	const struct world_options o = {.modules = "demo crash",
					.crashes = true};
	struct world *w = world_start(&o);
	const int64_t begin = now_ms();
	const char *id = submit(w, "crash.raise 9");
	int64_t took;

	/* Three attempts, so three times put back and once buried. */
	wait_status(w, id, "failed");
	took = now_ms() - begin;
	if (!ENDS_ALTERED)
		ck_assert_int_lt(took, 3 * 300);
	world_stop(w);
}
END_TEST

static size_t
lines_of(struct world *w, const char *path)
{
	const char *p = world_read(w, path);
	size_t n = 0;

	for (; (p = strchr(p, '\n')) != NULL; p++)
		n++;
	return n;
}

/* --- nobody pays for being near ------------------------------------------ */

/* A crash in a callback has no task's name: last words say which thread it
 * was, and the tasks of that thread run alone the next time. */
START_TEST(a_crash_in_a_callback_is_charged_to_its_task_alone)
{
	const struct world_options o = {.modules = "demo crash mark",
					.crashes = true,
					.config =
					    "[executor]\nio_workers = 4\n"};
	struct world *w = world_start(&o);
	const char *id;

	submit_neighbours(w, 1, "mark", "\"marks\",1.7");
	submit_neighbours(w, 10, "timer", "1.5");
	WAIT_UNTIL(all_run(w, 11));
	id = submit(w, "crash.callback");
	check_crashed(w, "io", id, "SIGSEGV");
	expect_neighbours_untouched(w, 10, "timer");
	expect_neighbours_untouched(w, 1, "mark");
	ck_assert_uint_le(lines_of(w, "marks"), 3);
	ck_assert_int_eq(dead(w, "io"), 1);
	world_stop(w);
}
END_TEST

/* It is gone before it can say that it has begun, and leaves no last words:
 * that its neighbours had begun is no reason to take them for it. */
START_TEST(a_crash_without_last_words_is_found_by_running_suspects_alone)
{
	const struct world_options o = {.modules = "demo crash",
					.crashes = true};
	struct world *w = world_start(&o);
	const char *killers[3];
	size_t i;

	submit_neighbours(w, 3, "timer", "1.5");
	submit_neighbours(w, 3, "sleep", "1.5");
	WAIT_UNTIL(all_run(w, 6));
	for (i = 0; i < 3; i++)
		killers[i] = submit(w, "crash.raise 9");
	for (i = 0; i < 3; i++) {
		wait_status(w, killers[i], "failed");
		ck_field(w, killers[i], "reason", "crashed");
		ck_field(w, killers[i], "attempts", "3");
	}
	expect_neighbours_untouched(w, 3, "timer");
	expect_neighbours_untouched(w, 3, "sleep");
	ck_assert_int_eq(dead(w, "io"), 3);
	world_stop(w);
}
END_TEST

/* --- commands ---------------------------------------------------------- */

static const char killing_commands[] =
    "[executor]\nmax_crashes = 3\n"
    "[task killer]\ncommand = sh -c 'echo x >>kills; kill -9 $PPID; sleep 5'\n"
    "[task nap]\ncommand = sh -c 'echo x >>naps; sleep 1.2'\n";

START_TEST(a_command_that_kills_the_spawner_pays_alone)
{
	const struct world_options o = {
	    .modules = "demo", .crashes = true, .config = killing_commands};
	struct world *w = world_start(&o);
	const char *id;

	submit_neighbours(w, 1, "timer", "1.5");
	submit_neighbours(w, 6, "nap", "");
	WAIT_UNTIL(all_run(w, 7));
	id = submit(w, "killer");
	wait_status(w, id, "failed");
	ck_field(w, id, "reason", "crashed");
	ck_field(w, id, "attempts", "3");
	expect_neighbours_untouched(w, 6, "nap");
	expect_neighbours_untouched(w, 1, "timer");
	ck_assert_int_eq(dead(w, "io"), 1);
	/* Once among the others, and three times alone. */
	ck_assert_uint_eq(lines_of(w, "kills"), 4);
	ck_assert_uint_le(lines_of(w, "naps"), 12);
	world_stop(w);
}
END_TEST

/* They run in processes of their own. */
START_TEST(a_crash_in_a_module_does_not_touch_commands)
{
	const struct world_options o = {.modules = "demo crash",
					.crashes = true,
					.config = killing_commands};
	struct world *w = world_start(&o);
	const char *nap = submit(w, "nap"), *id;

	wait_status(w, nap, "running");
	id = submit(w, "crash.raise 9");
	wait_status(w, id, "failed");
	expect_untouched(w, nap);
	ck_assert_uint_eq(lines_of(w, "naps"), 1);
	world_stop(w);
}
END_TEST

START_TEST(a_command_that_kills_its_executor_does_not_touch_modules)
{
	const struct world_options o = {
	    .modules = "demo mark",
	    .crashes = true,
	    .config =
		"[task killer]\ncommand = sh -c 'kill -9 $(ps -o ppid= -p "
		"$PPID)'\nmax_retries = 0\n"};
	struct world *w = world_start(&o);
	const char *marked = submit(w, "mark marks 0.6"), *id;

	wait_status(w, marked, "running");
	id = submit(w, "killer");
	wait_status(w, id, "failed");
	expect_untouched(w, marked);
	ck_assert_uint_eq(lines_of(w, "marks"), 1);
	world_stop(w);
}
END_TEST

/* --- killed from outside ------------------------------------------------- */

START_TEST(when_the_io_executor_is_killed_nobody_is_to_blame)
{
	const struct world_options o = {.modules = "demo mark"};
	struct world *w = world_start(&o);

	submit_neighbours(w, 3, "sleep", "1.2");
	submit_neighbours(w, 1, "timer", "1.2");
	WAIT_UNTIL(all_run(w, 4));
	kill(worker_executor(worker_of(w)), SIGKILL);
	expect_neighbours_untouched(w, 3, "sleep");
	expect_neighbours_untouched(w, 1, "timer");
	ck_assert_int_eq(dead(w, "io"), 0);
	WAIT_UNTIL(worker_logged(worker_of(w), "was killed by SIGKILL"));
	world_stop(w);
}
END_TEST

START_TEST(when_a_cpu_executor_is_killed_its_task_pays)
{
	const struct world_options o = {.modules = "demo hostile",
					.config =
					    "[executor]\nkill_grace = 0\n"};
	struct world *w = world_start(&o);
	pid_t children[CHILDREN_MAX], io = worker_executor(worker_of(w));
	const char *id = submit(w, "loop_cpu");

	wait_status(w, id, "running");
	ck_assert_uint_eq(children_of(worker_pid(worker_of(w)), children), 2);
	kill(children[0] == io ? children[1] : children[0], SIGKILL);
	WAIT_UNTIL(has(w, id, "retries", "1") &&
		   has(w, id, "status", "running"));
	ctl_ok(w, "cancel %s", id);
	wait_status(w, id, "failed");
	ck_field(w, id, "attempts", "2");
	world_stop(w);
}
END_TEST

SUITE("crash")
{
	SUITE_TIMEOUT(90);
	TEST_LOOP(a_crash_in_the_io_executor_harms_no_neighbour, 0,
		  (int)N_CRASHES);
	TEST_LOOP(a_crash_in_a_cpu_executor_harms_no_neighbour, 0,
		  (int)N_CRASHES);
	TEST(a_child_of_a_handler_that_exits_is_no_crash);
	TEST(a_crashed_task_is_put_back_within_a_tenth_of_a_second);
	TEST(a_crash_in_a_callback_is_charged_to_its_task_alone);
	TEST(a_crash_without_last_words_is_found_by_running_suspects_alone);
	TEST(a_command_that_kills_the_spawner_pays_alone);
	TEST(a_crash_in_a_module_does_not_touch_commands);
	TEST(a_command_that_kills_its_executor_does_not_touch_modules);
	TEST(when_the_io_executor_is_killed_nobody_is_to_blame);
	TEST(when_a_cpu_executor_is_killed_its_task_pays);
}
