/* SPDX-License-Identifier: MIT */
/* A real executor: cancelling, recalling, stopping, crashing. */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor/driver.h"
#include "suite.h"
#include "util/clock.h"

/* Runs a task that keeps its thread busy, and waits until it has begun. */
static void
occupy(struct driver *d, uint32_t number, const char *name)
{
	driver_run(d, number, name, "[60]");
	ck_assert_uint_eq(driver_expect(d, IPC_STARTED).task, number);
}

START_TEST(a_running_task_is_told_that_it_is_cancelled)
{
	const char *name = _i ? "timer" : "sleep";
	struct driver_end end;
	struct driver d;

	driver_start(&d, 1, "demo");
	occupy(&d, 1, name);
	driver_send(&d, IPC_CANCEL, 99); /* nobody: no harm */
	driver_send(&d, IPC_CANCEL, 1);
	end = driver_end(&d);
	ck_assert_uint_eq(end.number, 1);
	ck_assert_uint_eq(end.done.outcome, IPC_FAILED);
	ck_assert_uint_eq(end.done.limited, 1);
	ck_assert_ptr_nonnull(strstr(end.text, "told to end"));
	driver_stop(&d);
}
END_TEST

/* Each comes when the one who has just read is busy with the one before. */
START_TEST(somebody_reads_however_many_threads_are_busy)
{
	struct driver d;
	uint32_t i, round;

	driver_start(&d, 3, "noop demo");
	for (round = 0; round < 2; round++) {
		driver_run(&d, 10, "noop", "[]");
		ck_assert_uint_eq(driver_end(&d).number, 10);
		for (i = 1; i <= 3; i++) {
			driver_run(&d, i, "sleep", "[60]");
			ck_assert_uint_eq(driver_next(&d).task, i);
		}
		driver_run(&d, 4, "noop", "[]");
		driver_send(&d, IPC_CANCEL, 2);
		ck_assert_uint_eq(driver_end(&d).number, 2);
		ck_assert_uint_eq(driver_end(&d).number, 4);
		driver_send(&d, IPC_CANCEL, 3);
		ck_assert_uint_eq(driver_end(&d).number, 3);
		driver_send(&d, IPC_CANCEL, 1);
		ck_assert_uint_eq(driver_end(&d).number, 1);
	}
	driver_stop(&d);
}
END_TEST

START_TEST(a_waiting_task_that_is_cancelled_comes_back)
{
	struct driver d;

	driver_start(&d, 1, "demo");
	occupy(&d, 1, "sleep");
	driver_run(&d, 2, "sleep", "[60]");
	driver_run(&d, 3, "add", "[1,1]");
	driver_send(&d, IPC_CANCEL, 2);
	ck_assert_uint_eq(driver_expect(&d, IPC_RETURNED).task, 2);
	driver_send(&d, IPC_CANCEL, 1);
	ck_assert_uint_eq(driver_end(&d).number, 1);
	ck_assert_uint_eq(driver_end(&d).number, 3);
	driver_stop(&d);
}
END_TEST

START_TEST(a_task_is_told_when_its_time_is_up)
{
	struct driver_task t = {.number = 1,
				.name = _i ? "timer" : "sleep",
				.args = "[60]",
				.timeout_us = 20000};
	struct driver_end end;
	struct driver d;

	driver_start(&d, 1, "demo");
	driver_put(&d, &t);
	driver_flush(&d);
	end = driver_end(&d);
	ck_assert_uint_eq(end.done.outcome, IPC_FAILED);
	ck_assert_uint_eq(end.done.limited, 1);
	driver_stop(&d);
}
END_TEST

/* Though the clock of the loop is coarse, and may be ahead of what a handler sees. */
START_TEST(no_task_is_told_before_its_time_is_up)
{
	const uint32_t n = 40;
	struct driver_end end;
	struct driver d;
	uint32_t i;

	driver_start(&d, 1, "hostile");
	for (i = 1; i <= n; i++)
		driver_put(
		    &d, &(struct driver_task){.number = i,
					      .name = "await_end",
					      .timeout_us = 20000 + 700 * i});
	driver_flush(&d);
	for (i = 1; i <= n; i++) {
		end = driver_end(&d);
		ck_assert_str_eq(end.text, "0.000000 s left");
		ck_assert_uint_eq(end.done.limited, 1);
	}
	driver_stop(&d);
}
END_TEST

START_TEST(a_recall_brings_back_all_that_has_not_started_the_last_first)
{
	struct driver d;
	uint32_t i;

	driver_start(&d, 1, "demo");
	occupy(&d, 1, "sleep");
	for (i = 2; i <= 101; i++)
		driver_run(&d, i, "add", "[1,1]");
	driver_send(&d, IPC_RECALL, 0);
	for (i = 101; i >= 2; i--)
		ck_assert_uint_eq(driver_expect(&d, IPC_RETURNED).task, i);
	driver_expect(&d, IPC_RECALLED);
	/* And goes on. */
	driver_run(&d, 200, "add", "[1,1]");
	driver_send(&d, IPC_CANCEL, 1);
	ck_assert_uint_eq(driver_end(&d).number, 1);
	ck_assert_uint_eq(driver_end(&d).number, 200);
	driver_stop(&d);
}
END_TEST

START_TEST(stop_lets_running_tasks_finish_and_starts_nothing_more)
{
	struct driver_task t = {.number = 1, .name = "timer", .args = "[0.2]"};
	struct driver d;

	driver_start(&d, 1, "demo");
	driver_put(&d, &t);
	t.number = 2;
	t.name = "sleep";
	driver_put(&d, &t);
	driver_flush(&d);
	/* Both have begun. */
	driver_expect(&d, IPC_STARTED);
	driver_expect(&d, IPC_STARTED);
	driver_run(&d, 3, "add", "[1,1]");
	driver_send(&d, IPC_STOP, 0);
	driver_run(&d, 4, "add", "[1,1]");
	ck_assert_uint_eq(driver_expect(&d, IPC_RETURNED).task, 3);
	ck_assert_uint_eq(driver_expect(&d, IPC_RETURNED).task, 4);
	ck_assert_uint_eq(driver_end(&d).done.outcome, IPC_SUCCESS);
	ck_assert_uint_eq(driver_end(&d).done.outcome, IPC_SUCCESS);
	ck_assert_int_eq(driver_wait(&d), 0);
	driver_done(&d);
}
END_TEST

/* No thread is left that could read. */
START_TEST(somebody_reads_while_timers_end_after_stop)
{
	struct driver d;

	driver_start(&d, 1, "demo");
	occupy(&d, 1, "timer");
	driver_send(&d, IPC_STOP, 0);
	driver_send(&d, IPC_RECALL, 7);
	ck_assert_uint_eq(driver_expect(&d, IPC_RECALLED).task, 7);
	driver_send(&d, IPC_CANCEL, 1);
	ck_assert_uint_eq(driver_end(&d).number, 1);
	ck_assert_int_eq(driver_wait(&d), 0);
	driver_done(&d);
}
END_TEST

START_TEST(an_executor_without_flowrrad_dies_within_a_second)
{
	static const char *const names[] = {"loop", "loop_async", "sleep"};
	struct driver d;
	int64_t begun;

	/* One thread is idle and reads, or none is. */
	driver_start(&d, 1 + (unsigned int)_i % 2, "hostile demo");
	occupy(&d, 1, names[_i / 2]);
	begun = clock_mono_ms();
	shutdown(d.channel.fd, SHUT_RDWR);
	ck_assert_int_ne(driver_wait(&d), 0);
	ck_assert_int_lt(clock_mono_ms() - begun, 1000);
	driver_done(&d);
}
END_TEST

START_TEST(bytes_that_are_no_frame_end_the_executor)
{
	static const struct ipc_header broken[] = {
	    {12, 77, 0},	   /* no such message */
	    {4, IPC_STOP, 0},	   /* too short */
	    {~0u, IPC_RUN, 0},	   /* too large */
	    {12, IPC_RECALLED, 0}, /* wrong direction */
	    {12, IPC_RECALL, 0},   /* fine, but before INIT */
	};
	struct driver d;

	driver_spawn(&d);
	ck_assert_int_eq(write(d.channel.fd, &broken[_i], sizeof(broken[_i])),
			 sizeof(broken[_i]));
	ck_assert_int_eq(WEXITSTATUS(driver_wait(&d)), 65);
	driver_done(&d);
}
END_TEST

START_TEST(a_terminals_interrupt_does_not_end_an_executor)
{
	struct driver d;

	driver_start(&d, 1, "demo");
	occupy(&d, 1, "sleep");
	kill(d.pid, SIGINT);
	kill(d.pid, SIGTERM);
	driver_send(&d, IPC_CANCEL, 1);
	ck_assert_uint_eq(driver_end(&d).number, 1);
	driver_stop(&d);
}
END_TEST

/* Every way down, and the signal that is to be told. */
static const struct {
	const char *name;
	const char *args;
	int signal; /* 0: exit; -1: no words */
	int kill;   /* the signal, if it leaves no words */
} ways[] = {
    {"crash.segv", NULL, SIGSEGV, 0},
    {"crash.raise", "[7]", SIGBUS, 0},
    {"crash.raise", "[31]", SIGSYS, 0},
    {"crash.raise", "[5]", SIGTRAP, 0},
    {"crash.fpe", NULL, SIGFPE, 0},
    {"crash.ill", NULL, SIGILL, 0},
    {"crash.abort", NULL, SIGABRT, 0},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    {"crash.double_free", NULL, SIGABRT, 0}, /* glibc's heap finds it */
#endif
    {"crash.stack_overflow", NULL, SIGSEGV, 0},
    {"crash.async", NULL, SIGSEGV, 0},
    {"crash.finish_twice", NULL, SIGABRT, 0},
    {"crash.exit", "[0]", 0, 0},
    {"crash.exit", "[3]", 0, 0},
    {"crash._exit", NULL, 0, 0},
    {"crash.quick_exit", NULL, 0, 0},
    {"crash.errx", NULL, 0, 0},
    {"crash.pthread_exit", NULL, 0, 0},
    {"crash.raise", "[9]", -1, SIGKILL},
};

START_TEST(a_crash_is_told_with_the_task_and_the_signal)
{
	struct ipc_last_words words = {.task = 0};
	struct driver d;
	int status;

	driver_start(&d, 3, "crash demo");
	/* Neighbours, which are not to be blamed. */
	occupy(&d, 1, "sleep");
	occupy(&d, 2, "timer");
	driver_run(&d, 42, ways[_i].name, ways[_i].args);
	status = driver_wait(&d);
	if (ways[_i].signal < 0) {
		ck_assert_int_eq(driver_last_words(&d, &words), -1);
		ck_assert_int_eq(WTERMSIG(status), ways[_i].kill);
		driver_done(&d);
		return;
	}
	ck_assert_int_eq(driver_last_words(&d, &words), 0);
	ck_assert_int_eq(words.signal, ways[_i].signal);
	ck_assert_uint_eq(words.task, 42);
	if (ways[_i].signal == 0)
		ck_assert_int_eq(WEXITSTATUS(status), 70);
	else
		ck_assert_int_eq(WTERMSIG(status), ways[_i].signal);
	driver_done(&d);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
START_TEST(a_child_of_a_handler_may_exit)
{
	struct driver d;

	driver_start(&d, 1, "crash");
	driver_run(&d, 1, "crash.fork_exit", "[3]");
	ck_assert_str_eq(driver_end(&d).text, "3");
	driver_stop(&d);
}
END_TEST
#endif

SUITE("executor_end")
{
	TEST_LOOP(a_running_task_is_told_that_it_is_cancelled, 0, 2);
	TEST(somebody_reads_however_many_threads_are_busy);
	TEST(a_waiting_task_that_is_cancelled_comes_back);
	TEST_LOOP(a_task_is_told_when_its_time_is_up, 0, 2);
	TEST(no_task_is_told_before_its_time_is_up);
	TEST(a_recall_brings_back_all_that_has_not_started_the_last_first);
	TEST(stop_lets_running_tasks_finish_and_starts_nothing_more);
	TEST(somebody_reads_while_timers_end_after_stop);
	TEST_LOOP(an_executor_without_flowrrad_dies_within_a_second, 0, 6);
	TEST_LOOP(bytes_that_are_no_frame_end_the_executor, 0, 5);
	TEST(a_terminals_interrupt_does_not_end_an_executor);
	TEST_LOOP(a_crash_is_told_with_the_task_and_the_signal, 0,
		  sizeof(ways) / sizeof(ways[0]));
#ifndef __SANITIZE_ADDRESS__ /* finds the other threads' memory leaked */
	TEST(a_child_of_a_handler_may_exit);
#endif
}
