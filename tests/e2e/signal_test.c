/* SPDX-License-Identifier: MIT */
/* Signals and the service manager: stopping, reloading, what is notified. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/load.h"
#include "e2e/look.h"
#include "e2e/worker.h"

static const char two_threads[] = "[executor]\nio_workers = 2\n";

/* Ids in queue io, the first to run first. */
static const char *
queued_ids(struct world *w)
{
	return run(w,
		   "redis-cli -s %s/redis.sock lrange flowrra:queue:io 0 -1 | "
		   "sed 's/.*\"id\":\"\\([^\"]*\\)\".*/\\1/' | tac | xargs",
		   redis_server_dir(world_redis(w)))
	    ->out;
}

/* A fifo: who opens it to write, as the task mark does, waits for a reader. */
static const char *
make_gate(struct world *w)
{
	const char *path = world_text(w, "%s/gate", world_dir(w));

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	return path;
}

/* Returns the reader, to be kept until the tasks have written. */
static int
open_gate(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(what_a_parent_left_of_signals_does_not_matter)
{
	const struct world_options o = {
	    .command = "exec env --ignore-signal=CHLD --block-signal=TERM "
		       "--block-signal=HUP --block-signal=CHLD "
		       "flowrrad --config flowrra.conf"};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	const pid_t executor = worker_executor(k);
	pid_t children[CHILDREN_MAX];

	kill(executor, SIGKILL);
	WAIT_UNTIL(is_gone(executor) &&
		   children_of(worker_pid(k), children) == 1 &&
		   children[0] != executor);
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	worker_forget_notified(k);
	worker_signal(k, SIGHUP);
	worker_notified(k, "RELOADING=1");
	world_stop(w);
}
END_TEST

/* As a file of a server that does not answer would. */
START_TEST(a_configuration_that_cannot_be_read_holds_up_nothing_else)
{
	struct world *w = world_start(NULL);
	struct worker *k = worker_of(w);

	run(w, "mv flowrra.conf before.conf && mkfifo flowrra.conf");
	worker_forget_notified(k);
	worker_signal(k, SIGHUP);
	worker_notified(k, "RELOADING=1");
	ck_run(run(w, "flowrractl -c before.conf submit add 1 2 --wait"), 0,
	       "3\n");
	/* The reader gets all of it at last, and the reload its end. */
	run(w, "cat before.conf > flowrra.conf; mv before.conf flowrra.conf");
	worker_notified(k, "READY=1");
	worker_signal(k, SIGHUP);
	worker_notified(k, "READY=1");
	run(w, "mv flowrra.conf before.conf && mkfifo flowrra.conf");
	worker_signal(k, SIGHUP);
	worker_notified(k, "RELOADING=1");
	worker_signal(k, SIGTERM);
	ck_assert_int_eq(worker_end(k), 0);
	world_stop(w);
}
END_TEST

START_TEST(a_stop_lets_running_tasks_finish_and_puts_the_others_back)
{
	const struct world_options o = {.modules = "mark noop",
					.config = two_threads};
	struct world *w = world_start(&o);
	const char *gate = make_gate(w), *a, *b;
	int i, reader;

	/* Its tasks being short, it takes more than it has threads. */
	submit_many(w, 500, "noop", "[]");
	wait_all_done(w, 500);
	a = submit(w, "mark %s", gate);
	b = submit(w, "mark %s", gate);
	wait_status(w, a, "running");
	wait_status(w, b, "running");
	for (i = 0; i < 9; i++)
		submit(w, "noop --id t%d", i);
	worker_signal(worker_of(w), SIGTERM);
	/* stop_timeout, 30 s, and a margin: so long it must not be killed. */
	worker_notified(worker_of(w), "EXTEND_TIMEOUT_USEC=45000000");
	reader = open_gate(gate);
	ck_assert_int_eq(worker_end(worker_of(w)), 0);
	close(reader);
	expect_untouched(w, a);
	expect_untouched(w, b);
	ck_assert_str_eq(queued_ids(w), "t0 t1 t2 t3 t4 t5 t6 t7 t8\n");
	ck_assert_int_eq(in_flight(w, "io"), 0);
	worker_start(w, NULL);
	for (i = 0; i < 9; i++)
		expect_untouched(w, world_text(w, "t%d", i));
	world_stop(w);
}
END_TEST

static void
check_put_back(struct world *w, const char *id)
{
	const char *task =
	    redis_text(w, world_redis(w), "LINDEX flowrra:queue:io -1");

	ck_assert_int_eq(waiting(w, "io"), 1);
	ck_assert_int_eq(in_flight(w, "io"), 0);
	ck_assert_str_eq(json_field(w, task, "id"), id);
	ck_assert_str_eq(json_field(w, task, "current_retry"), "0");
}

START_TEST(a_second_signal_ends_the_patience)
{
	const struct world_options o = {.modules = "demo hostile"};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	const char *id = submit(w, "loop");

	wait_status(w, id, "running");
	worker_signal(k, SIGTERM);
	worker_notified(k, "STOPPING=1");
	worker_signal(k, SIGTERM);
	ck_assert_int_eq(worker_end(k), 0);
	check_put_back(w, id);
	world_stop(w);
}
END_TEST

START_TEST(patience_ends_by_itself_after_stop_timeout)
{
	const struct world_options o = {.modules = "demo hostile",
					.config = "stop_timeout = 300ms\n"};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	const char *id = submit(w, "loop");

	wait_status(w, id, "running");
	worker_signal(k, SIGINT);
	ck_assert_int_eq(worker_end(k), 0);
	WAIT_UNTIL(worker_logged(k, "stop_timeout"));
	ck_assert(worker_logged(
	    k, world_text(w, "task %s (loop) is interrupted after 0.", id)));
	check_put_back(w, id);
	world_stop(w);
}
END_TEST

/* --- reloading ----------------------------------------------------------- */

START_TEST(a_reload_loads_a_new_module_and_running_tasks_go_on)
{
	const struct world_options o = {.modules = "mark"};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	const char *gate = make_gate(w), *said;
	const char *old = submit(w, "mark %s", gate);
	const pid_t executor = worker_executor(k);
	int reader;

	wait_status(w, old, "running");
	world_configure(w, "mark plain", NULL);
	worker_signal(k, SIGHUP);
	said = worker_notified(k, "RELOADING=1");
	ck_assert_ptr_nonnull(strstr(said, "MONOTONIC_USEC="));
	worker_notified(k, "READY=1");
	WAIT_UNTIL(submit(w, "plain --force --queue io --wait") != NULL);
	ck_assert(!is_gone(executor));
	ck_field(w, old, "status", "running");
	reader = open_gate(gate);
	expect_untouched(w, old);
	close(reader);
	WAIT_UNTIL(is_gone(executor));
	world_stop(w);
}
END_TEST

START_TEST(a_reload_during_a_reload_counts)
{
	struct world *w = world_start(NULL);
	struct worker *k = worker_of(w);

	world_configure(w, "demo plain", NULL);
	worker_signal(k, SIGHUP);
	worker_notified(k, "RELOADING=1");
	world_configure(w, "demo hostile", NULL);
	worker_signal(k, SIGHUP);
	worker_notified(k, "READY=1");
	WAIT_UNTIL(run(w, "flowrractl --config flowrra.conf tasks info garbled")
		       ->status == 0);
	ck_assert(!worker_logged(k, "reload failed"));
	world_stop(w);
}
END_TEST

START_TEST(a_stop_is_no_time_for_another_reload)
{
	struct world *w = world_start(NULL);
	struct worker *k = worker_of(w);

	worker_signal(k, SIGHUP);
	worker_notified(k, "RELOADING=1");
	worker_signal(k, SIGHUP);
	worker_signal(k, SIGTERM);
	ck_assert_int_eq(worker_end(k), 0);
	ck_assert(!worker_logged(k, "the worker is starting or stopping"));
	world_stop(w);
}
END_TEST

static void
reload_in_vain(struct world *w, const char *modules, const char *config,
	       const char *why)
{
	struct worker *k = worker_of(w);
	const pid_t executor = worker_executor(k);
	pid_t children[CHILDREN_MAX];

	world_configure(w, modules, config);
	worker_signal(k, SIGHUP);
	worker_notified(k, "RELOADING=1");
	worker_notified(k, "READY=1");
	world_configure(w, "demo", NULL);
	WAIT_UNTIL(worker_logged(
	    k, "reload failed, the old configuration stays in use"));
	WAIT_UNTIL(worker_logged(k, why));
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	WAIT_UNTIL(children_of(worker_pid(k), children) == 1 &&
		   children[0] == executor);
}

START_TEST(a_reload_with_a_broken_module_keeps_the_old_ones)
{
	struct world *w = world_start(NULL);

	reload_in_vain(w, "demo old_abi", NULL, "old_abi.so");
	reload_in_vain(w, "demo", "log_level = loud\n", "log_level");
	reload_in_vain(w, "demo", "[nonsense]\n", "nonsense");
	world_stop(w);
}
END_TEST

START_TEST(reloads_under_load_lose_and_repeat_nothing)
{
	const struct world_options o = {.modules = "demo mark"};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);
	struct run *r = submit_many_start(w, 6000, "mark", "[\"marks\"]");
	int i;

	for (i = 0; i < 5; i++) {
		WAIT_UNTIL(count_marks(w, "marks") > (size_t)i * 800);
		worker_signal(k, SIGHUP);
		worker_notified(k, "READY=1");
	}
	ck_run(run_end(w, r), 0, "");
	wait_all_done(w, 6000);
	ck_assert_uint_eq(count_marks(w, "marks"), 6000);
	ck_assert_uint_eq(count_different_marks(w, "marks"), 6000);
	ck_assert_int_eq(count_records(w, "\"attempts\":1"), 6000);
	world_stop(w);
}
END_TEST

/* --- the service manager ------------------------------------------------- */

START_TEST(the_service_manager_is_told_how_it_goes)
{
	const struct world_options o = {
	    .command = "WATCHDOG_USEC=600000 WATCHDOG_PID=$$ " WORLD_COMMAND};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);

	worker_notified(k, "WATCHDOG=1");
	worker_notified(k, "WATCHDOG=1");
	ck_assert_ptr_nonnull(
	    strstr(worker_notified(k, "STATUS="), "broker reachable"));
	worker_signal(k, SIGTERM);
	worker_notified(k, "STOPPING=1");
	ck_assert_int_eq(worker_end(k), 0);
	world_stop(w);
}
END_TEST

START_TEST(a_service_manager_that_reads_nothing_stops_nothing)
{
	/* Its socket is full after a tenth of a second. */
	const struct world_options o = {
	    .command = "WATCHDOG_USEC=30000 " WORLD_COMMAND};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);

	WAIT_UNTIL(worker_notified_in_vain(k));
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	worker_signal(k, SIGHUP);
	WAIT_UNTIL(worker_logged(k, "reloaded"));
	ck_assert_str_eq(submit(w, "add 3 4 --wait"), "7");
	/* What it must know is said when there is room. */
	worker_forget_notified(k);
	worker_notified(k, "READY=1");
	world_stop(w);
}
END_TEST

SUITE("signals")
{
	TEST(what_a_parent_left_of_signals_does_not_matter);
	TEST(a_configuration_that_cannot_be_read_holds_up_nothing_else);
	SUITE_TIMEOUT(120);
	TEST(a_stop_lets_running_tasks_finish_and_puts_the_others_back);
	TEST(a_second_signal_ends_the_patience);
	TEST(patience_ends_by_itself_after_stop_timeout);
	TEST(a_reload_during_a_reload_counts);
	TEST(a_stop_is_no_time_for_another_reload);
	TEST(a_reload_loads_a_new_module_and_running_tasks_go_on);
	TEST(a_reload_with_a_broken_module_keeps_the_old_ones);
	TEST(reloads_under_load_lose_and_repeat_nothing);
	TEST(the_service_manager_is_told_how_it_goes);
	TEST(a_service_manager_that_reads_nothing_stops_nothing);
}
