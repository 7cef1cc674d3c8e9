/* SPDX-License-Identifier: MIT */
/* A real executor: what it makes of tasks. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "executor/driver.h"
#include "suite.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

START_TEST(a_task_runs_and_its_result_comes_back)
{
	struct driver_end end;
	struct driver d;

	driver_start(&d, 1, "demo");
	driver_run(&d, 7, "add", "[2,3]");
	end = driver_end(&d);
	ck_assert_uint_eq(end.number, 7);
	ck_assert_uint_eq(end.done.outcome, IPC_SUCCESS);
	ck_assert_uint_eq(end.done.limited, 0);
	ck_assert_str_eq(end.text, "5");
	ck_assert_int_le(end.done.started_us, end.done.finished_us);
	ck_assert_int_le(llabs(clock_wall_us() - end.done.finished_us),
			 10000000);
	driver_stop(&d);
}
END_TEST

/* What each task ends with. */
static const struct {
	struct driver_task task;
	enum ipc_outcome outcome;
	const char *text; /* a part of it */
} ends[] = {
    {{.name = "add", .args = "[1.5,1]"}, IPC_SUCCESS, "2.5"},
    {{.name = "add", .args = "[1]"}, IPC_FAILED_FINAL, "needs two numbers"},
    {{.name = "echo", .args = "[\"\xc3\xa9\",null]", .kwargs = "{\"a\":[]}"},
     IPC_SUCCESS,
     "{\"args\":[\"\xc3\xa9\",null],\"kwargs\":{\"a\":[]}}"},
    {{.name = "fail", .args = "[\"why not\"]"}, IPC_FAILED, "why not"},
    {{.name = "flaky", .args = "[3]", .attempt = 2}, IPC_FAILED, "2 of 3"},
    {{.name = "flaky", .args = "[3]", .attempt = 3}, IPC_SUCCESS, "3"},
    {{.name = "resize", .args = "[{\"w\":640}]"},
     IPC_SUCCESS,
     "\"w\":640,\"h\":480"},
    {{.name = "resize"}, IPC_FAILED_FINAL, "resize needs"},
    {{.name = "timer", .args = "[0.01]"}, IPC_SUCCESS, "0.01"},
    {{.name = "timer", .args = "[\"x\"]"}, IPC_FAILED_FINAL, "timer needs"},
    {{.name = "noop"}, IPC_SUCCESS, "null"},
    {{.name = "noop_async"}, IPC_SUCCESS, "null"},
    {{.name = "no.such"}, IPC_FAILED_FINAL, "no module of this executor"},
    {{.name = "noop", .args = "[1,"}, IPC_FAILED_FINAL, "args cannot be read"},
    {{.name = "noop", .args = "{}"}, IPC_FAILED_FINAL, "not a JSON array"},
    {{.name = "noop", .args = "1"}, IPC_FAILED_FINAL, "args"},
    {{.name = "noop", .args = ""}, IPC_FAILED_FINAL, "args cannot be read"},
    {{.name = "noop", .kwargs = "[]"}, IPC_FAILED_FINAL, "not a JSON object"},
    {{.name = "noop_async", .kwargs = "{"},
     IPC_FAILED_FINAL,
     "kwargs cannot be read"},
    {{.name = "mute"}, IPC_FAILED, "mute returned 7 without a reason"},
    {{.name = "garbled"}, IPC_FAILED, "caf? \xc3\xa9 ???"},
    {{.name = "large", .args = "[60000]"}, IPC_SUCCESS, "[0,2,4"},
    {{.name = "large", .args = "[70000]"},
     IPC_FAILED_FINAL,
     "larger than 65536 bytes"},
    {{.name = "leakfd"}, IPC_SUCCESS, "null"},
};

START_TEST(a_task_ends_as_its_handler_says)
{
	struct driver_end end;
	struct driver d;

	driver_start(&d, 2, "demo noop hostile");
	driver_put(&d, &ends[_i].task);
	driver_flush(&d);
	end = driver_end(&d);
	ck_assert_msg(strstr(end.text, ends[_i].text) != NULL, "%s", end.text);
	ck_assert_uint_eq(end.done.outcome, ends[_i].outcome);
	driver_stop(&d);
}
END_TEST

START_TEST(arguments_nested_too_deep_are_refused)
{
	static char deep[200001];
	struct driver_end end;
	struct driver d;

	memset(deep, '[', sizeof(deep) - 1);
	driver_start(&d, 1, "noop");
	driver_run(&d, 1, "noop", deep);
	end = driver_end(&d);
	ck_assert_uint_eq(end.done.outcome, IPC_FAILED_FINAL);
	ck_assert_ptr_nonnull(strstr(end.text, "too deep"));
	driver_stop(&d);
}
END_TEST

/* Sends `n` tasks at once and sees each end once. */
static void
run_many(const char *name, unsigned int n, unsigned int threads)
{
	struct driver_task t = {.name = name, .args = "[0.01]"};
	bool *seen = calloc(n + 1, sizeof(*seen));
	struct driver_end end;
	struct driver d;
	unsigned int i;

	driver_start(&d, threads, "noop demo");
	for (t.number = 1; t.number <= n; t.number++)
		driver_put(&d, &t);
	driver_flush(&d);
	for (i = 0; i < n; i++) {
		end = driver_end(&d);
		ck_assert_uint_eq(end.done.outcome, IPC_SUCCESS);
		ck_assert_uint_ge(end.number, 1);
		ck_assert_uint_le(end.number, n);
		ck_assert(!seen[end.number]);
		seen[end.number] = true;
	}
	driver_stop(&d);
	free(seen);
}

START_TEST(ten_thousand_tasks_each_end_once)
{
	run_many("noop", 10000, 4);
}
END_TEST

START_TEST(ten_thousand_tasks_each_end_once_in_one_thread)
{
	run_many("noop", 10000, 1);
}
END_TEST

START_TEST(five_thousand_timers_wait_at_once)
{
	run_many("timer", 5000, 1);
}
END_TEST

START_TEST(as_many_tasks_run_at_once_as_there_are_threads)
{
	struct driver_task t = {.name = "sleep", .args = "[60]"};
	struct driver d;
	uint32_t i;

	driver_start(&d, 4, "demo");
	for (t.number = 1; t.number <= 5; t.number++)
		driver_put(&d, &t);
	driver_flush(&d);
	for (i = 1; i <= 4; i++)
		ck_assert_uint_eq(driver_next(&d).type, IPC_STARTED);
	driver_send(&d, IPC_RECALL, 0);
	ck_assert_uint_eq(driver_next(&d).type, IPC_RETURNED);
	ck_assert_uint_eq(driver_next(&d).type, IPC_RECALLED);
	driver_kill(&d);
}
END_TEST

#define LONG_THREADS 50

/* How many µs after the first of as many long tasks as there are threads the
 * last one begins. */
static int64_t
measure_spread(struct driver *d)
{
	struct driver_task t = {.name = "sleep", .args = "[60]"};
	int64_t first = INT64_MAX, last = 0;
	struct ipc_started started;
	struct ipc_message m;

	for (t.number = 1; t.number <= LONG_THREADS; t.number++)
		driver_put(d, &t);
	driver_flush(d);
	for (t.number = 1; t.number <= LONG_THREADS; t.number++) {
		m = driver_next(d);
		ck_assert_uint_eq(m.type, IPC_STARTED);
		memcpy(&started, m.fixed, sizeof(started));
		if (started.started_us < first)
			first = started.started_us;
		if (started.started_us > last)
			last = started.started_us;
	}
	return last - first;
}

/* All that an executor knows of handlers at first is that they are short. One
 * more thread a tick would be too slow if they are not; it must not be that in
 * every round. */
START_TEST(long_tasks_do_not_wait_for_each_other)
{
	int64_t us = INT64_MAX;
	unsigned int round, i;
	struct driver d;

	for (round = 0; round < 5 && us > LONG_THREADS * 1000 / 4; round++) {
		driver_start(&d, LONG_THREADS, "demo");
		/* Gives its threads the time to begin. */
		for (i = 0; i < 100; i++) {
			driver_send(&d, IPC_RECALL, i);
			driver_expect(&d, IPC_RECALLED);
		}
		us = measure_spread(&d);
		driver_kill(&d);
	}
	ck_assert_int_le(us, LONG_THREADS * 1000 / 4);
}
END_TEST

START_TEST(an_end_does_not_wait_behind_a_long_handler)
{
	struct driver_task quick = {.number = 1, .name = "noop"};
	struct driver_task slow = {
	    .number = 2, .name = "sleep", .args = "[60]"};
	struct driver d;

	/* One thread: the first end is left to be sent with the second. */
	driver_start(&d, 1, "noop demo");
	driver_put(&d, &quick);
	driver_put(&d, &slow);
	driver_flush(&d);
	ck_assert_uint_eq(driver_end(&d).number, 1);
	driver_kill(&d);
}
END_TEST

START_TEST(only_a_task_that_takes_long_is_reported_as_started)
{
	struct ipc_started started;
	struct ipc_message m;
	struct driver d;
	unsigned int i;

	driver_start(&d, 1, "noop demo");
	for (i = 0; i < 2; i++) {
		driver_run(&d, 9, i ? "timer" : "sleep", "[60]");
		m = driver_next(&d);
		ck_assert_uint_eq(m.type, IPC_STARTED);
		ck_assert_uint_eq(m.task, 9);
		memcpy(&started, m.fixed, sizeof(started));
		ck_assert_int_le(started.started_us, clock_wall_us());
		driver_send(&d, IPC_CANCEL, 9);
		ck_assert_int_eq(driver_end(&d).done.started_us,
				 started.started_us);
	}
	driver_stop(&d);
}
END_TEST

static void
check_has(const struct ipc_message *m, const char *text)
{
	ck_assert_msg(
	    memmem(m->rest.p, m->rest.len, text, strlen(text)) != NULL,
	    "%s: %.*s", ipc_name(m->type), (int)m->rest.len, m->rest.p);
}

START_TEST(progress_and_submitted_tasks_reach_flowrrad)
{
	struct ipc_submit submit;
	struct ipc_submitted yes = {.code = ERR_NONE};
	struct ipc_submitted no = {.code = ERR_FULL};
	struct slice why = SLICE("queue full");
	struct driver_end end;
	struct ipc_message m;
	struct driver d;

	driver_start(&d, 1, "demo");
	driver_run(&d, 3, "progress", "[1]");
	m = driver_expect(&d, IPC_PROGRESS);
	ck_assert_uint_eq(m.task, 3);
	ck_assert_int_eq(strncmp(m.rest.p, "{\"step\":1,\"of\":1}", m.rest.len),
			 0);
	ck_assert_uint_eq(driver_end(&d).number, 3);

	driver_run(&d, 4, "fanout", "[2]");
	m = driver_expect(&d, IPC_SUBMIT);
	ck_assert_uint_eq(m.task, 4);
	check_has(&m, "\"name\":\"add\",\"args\":[1,1],\"kwargs\":{}");
	memcpy(&submit, m.fixed, sizeof(submit));
	yes.request = submit.request;
	ipc_put(&d.channel.out, IPC_SUBMITTED, 4, &yes, NULL, 0);
	driver_flush(&d);
	m = driver_expect(&d, IPC_SUBMIT);
	memcpy(&submit, m.fixed, sizeof(submit));
	no.request = submit.request;
	ipc_put(&d.channel.out, IPC_SUBMITTED, 4, &no, &why, 1);
	driver_flush(&d);
	m = driver_expect(&d, IPC_LOG);
	ck_assert_uint_eq(((const struct ipc_log *)m.fixed)->level,
			  LOG_LEVEL_error);
	check_has(&m, "queue full");
	end = driver_end(&d);
	ck_assert_str_eq(end.text, "could not submit number 2");
	driver_stop(&d);
}
END_TEST

/* More than the outbox holds before a handler has to wait for room, 1 MiB, and
 * not much more: from then on each step costs a change of processes. */
#define MANY_STEPS 30000

START_TEST(a_slow_flowrrad_loses_nothing)
{
	struct ipc_message m;
	struct driver d;
	int waiting = 0, last = -1, steps = 0, done = 0;
	char steps_wanted[16];

	driver_start(&d, 1, "demo");
	snprintf(steps_wanted, sizeof(steps_wanted), "[%d]", MANY_STEPS);
	driver_run(&d, 1, "progress", steps_wanted);
	/* Reads nothing until the socket is full. */
	while (waiting == 0 || waiting != last) {
		last = waiting;
		poll(NULL, 0, 20);
		ck_assert_int_eq(ioctl(d.channel.fd, FIONREAD, &waiting), 0);
	}
	/* Meanwhile the executor hears what it is told. */
	driver_run(&d, 2, "timer", "[0]");
	driver_send(&d, IPC_CANCEL, 99);
	while (done < 2) {
		m = driver_next(&d);
		if (m.type == IPC_PROGRESS)
			steps++;
		else if (m.type == IPC_DONE)
			done++;
		if (m.type == IPC_DONE && m.task == 1)
			ck_assert_int_eq(steps, MANY_STEPS);
	}
	ck_assert_int_eq(steps, MANY_STEPS);
	driver_stop(&d);
}
END_TEST

START_TEST(ready_tells_of_tasks_and_of_refused_modules)
{
	struct driver d;

	driver_spawn(&d);
	driver_init(&d, 1,
		    "noop plain old_abi no_entry bad_init twin missing demo");
	ck_assert_ptr_nonnull(strstr(d.ready, "\"name\":\"add\""));
	ck_assert_ptr_nonnull(
	    strstr(d.ready, "\"name\":\"noop_cpu\",\"cpu_bound\":true,"
			    "\"async\":false,\"queue\":\"cpu\","
			    "\"max_retries\":null,\"retry_delay\":null"));
	ck_assert_ptr_nonnull(
	    strstr(d.ready, "for module interface 0, but this executor has 1"));
	ck_assert_ptr_nonnull(strstr(d.ready, "flowrra_module()"));
	ck_assert_ptr_nonnull(strstr(d.ready, "no licence for the moon"));
	ck_assert_ptr_nonnull(strstr(d.ready, "\\\"plain\\\" exists already"));
	ck_assert_ptr_nonnull(strstr(d.ready, "missing.so"));
	/* All of a refused module is refused. */
	ck_assert_ptr_null(strstr(d.ready, "twin.own"));
	driver_run(&d, 1, "noop", NULL);
	ck_assert_uint_eq(driver_end(&d).done.outcome, IPC_SUCCESS);
	driver_stop(&d);
}
END_TEST

/* The flags of a descriptor, as of open(2). */
static unsigned int
fd_flags(pid_t pid, int fd)
{
	unsigned int flags = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	ck_assert_ptr_nonnull(f = fopen(path, "r"));
	ck_assert_int_eq(fscanf(f, "pos: %*d flags: %o", &flags), 1);
	fclose(f);
	return flags;
}

START_TEST(an_executor_inherits_no_descriptor_and_passes_none_on)
{
	char path[64];
	struct dirent *e;
	struct driver d;
	DIR *dir;

	/* What flowrrad could have forgotten to close. */
	ck_assert_int_eq(dup2(2, 100), 100);
	driver_start(&d, 1, "noop");
	snprintf(path, sizeof(path), "/proc/%d/fd", d.pid);
	ck_assert_ptr_nonnull(dir = opendir(path));
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || atoi(e->d_name) < IPC_FD)
			continue;
		ck_assert_int_ne(atoi(e->d_name), 100);
		ck_assert_msg(fd_flags(d.pid, atoi(e->d_name)) & O_CLOEXEC,
			      "descriptor %s", e->d_name);
	}
	closedir(dir);
	driver_stop(&d);
}
END_TEST

START_TEST(the_program_is_not_meant_to_be_started_by_hand)
{
	static const struct {
		const char *arguments;
		int status;
		const char *out;
	} calls[] = {
	    {"", 64, "flowrrad has not started me"},
	    {"--version", 0, "flowrra-executor "},
	    {"--help", 0, "usage: flowrra-executor"},
	    {"--bad", 64, "usage: flowrra-executor"},
	};
	char command[5000], out[1000];
	size_t i, n;
	FILE *f;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		snprintf(command, sizeof(command), "%s %s 3<&- 2>&1",
			 driver_path("libexec/flowrra/flowrra-executor"),
			 calls[i].arguments);
		ck_assert_ptr_nonnull(f = popen(command, "r"));
		n = fread(out, 1, sizeof(out) - 1, f);
		out[n] = '\0';
		ck_assert_int_eq(WEXITSTATUS(pclose(f)), calls[i].status);
		ck_assert_msg(strstr(out, calls[i].out) != NULL, "%s", out);
	}
}
END_TEST

SUITE("executor_run")
{
	SUITE_TIMEOUT(60);
	TEST(a_task_runs_and_its_result_comes_back);
	TEST_LOOP(a_task_ends_as_its_handler_says, 0,
		  sizeof(ends) / sizeof(ends[0]));
	TEST(arguments_nested_too_deep_are_refused);
	TEST(ten_thousand_tasks_each_end_once);
	TEST(ten_thousand_tasks_each_end_once_in_one_thread);
	TEST(five_thousand_timers_wait_at_once);
	TEST(as_many_tasks_run_at_once_as_there_are_threads);
	TEST(long_tasks_do_not_wait_for_each_other);
	TEST(an_end_does_not_wait_behind_a_long_handler);
	TEST(only_a_task_that_takes_long_is_reported_as_started);
	TEST(progress_and_submitted_tasks_reach_flowrrad);
	TEST(a_slow_flowrrad_loses_nothing);
	TEST(ready_tells_of_tasks_and_of_refused_modules);
	TEST(the_program_is_not_meant_to_be_started_by_hand);
	TEST(an_executor_inherits_no_descriptor_and_passes_none_on);
}
