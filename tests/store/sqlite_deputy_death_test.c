/* SPDX-License-Identifier: MIT */
/*
 * Submissions by way of a worker that is killed, or stopped, at each write, or that
 * has no room on its disk: each task is queued once, and what was said of it is so.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sqlite/shim.h"
#include "store/stage.h"
#include "suite.h"

#define TASKS 3 /* of one life of a worker */
#define LIVES_MAX 200
/* So many in a row that were not cut, and nothing is left to be cut: one alone may
 * have had producers that did not wait for it, on a busy machine. */
#define WHOLE_LIVES 3

static struct stage w;

/* --- the worker, a process of its own ------------------------------------ */

struct life {
	enum shim_fault fault;
	int nth, times;
};

/* Until it is killed. */
static void
live(const struct life *life, int ready)
{
	event_reinit(w.base);
	shim_install();
	/* What is flushed is noted from the beginning on. */
	shim_fail(life->fault == SHIM_POWER ? SHIM_POWER : SHIM_NONE, INT_MAX,
		  1);
	party_open(&w, "host:w");
	shim_fail(life->fault, life->nth, life->times);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		stage_turn(&w, INT64_MAX);
}

/* Returns when it submits for others. */
static pid_t
life_begin(const struct life *life)
{
	int ready[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	if ((pid = fork()) == 0) {
		close(ready[0]);
		live(life, ready[1]);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

/* Returns whether it was cut: a process that is dying of one signal, and may take a
 * while, does not notice another. */
static bool
life_end(pid_t pid)
{
	int status;

	kill(pid, SIGUSR1);
	kill(pid, SIGCONT);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	return WTERMSIG(status) == SIGKILL;
}

static bool
is_stopped(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WUNTRACED | WNOHANG) == pid &&
	       WIFSTOPPED(status);
}

/* --- tasks ----------------------------------------------------------------- */

static void
open_stage(void)
{
	/* What fails does so above the disk. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	/* The file is made by others: else each life would begin with it. */
	party_close(party_open(&w, "host:w"));
}

static enum err_code
submit(struct party *producer, int number)
{
	char id[16];
	struct broker_submit task = {.queue = "io",
				     .bytes =
					 SLICE("{\"id\":\"x\",\"name\":\"n\"}"),
				     .record = SLICE("{}"),
				     .derived = true};

	snprintf(id, sizeof(id), "%d", number);
	task.id = slice_of(id);
	return party_submit_with(producer, &task);
}

static int
count(const char *id_or_all)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM waiting w JOIN ids i ON i.place = "
		 "w.number WHERE i.id GLOB '%s'",
		 id_or_all);
	return stage_sql(&w, sql);
}

/* Those up to `n` are there, each once, and no others. */
static void
check_all(int n)
{
	char id[16];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "%d", i);
		ck_assert_msg(count(id) == 1, "task %d is queued %d times", i,
			      count(id));
	}
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM waiting"), n);
	ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM tasks"), n);
	ck_assert_int_eq(stage_sql(&w, "SELECT sum(size) FROM queues"), n);
}

/* --- deaths ---------------------------------------------------------------- */

START_TEST(a_task_is_queued_once_whenever_its_worker_is_cut)
{
	static const enum shim_fault faults[] = {SHIM_CUT, SHIM_POWER};
	struct life life = {.fault = faults[_i], .nth = 1, .times = 1};
	struct party *producer;
	int i, n = 0, whole = 0;
	pid_t pid;

	open_stage();
	while (whole < WHOLE_LIVES) {
		ck_assert_int_lt(life.nth, LIVES_MAX);
		pid = life_begin(&life);
		producer = party_open(&w, NULL);
		for (i = 0; i < TASKS; i++)
			ck_assert_int_eq(submit(producer, n++), ERR_NONE);
		whole = life_end(pid) ? 0 : whole + 1;
		life.nth += whole == 0;
		party_close(producer);
		check_all(n);
	}
	/* Each task is a record, a row and its places, and a flush. */
	ck_assert_int_gt(life.nth, 3 * TASKS);
	stage_close(&w);
}
END_TEST

/* With the writers' lock, where nobody knows what comes of it: what is refused then
 * may be queued all the same, and is not said to have left nothing. */
START_TEST(a_task_is_queued_once_whenever_its_worker_is_stopped)
{
	struct life life = {.fault = SHIM_FREEZE, .times = 1};
	struct party *producer;
	enum err_code code;
	bool stopped = true;
	int n = 0;
	pid_t pid;

	open_stage();
	w.options.timeout_ms = 100;
	while (stopped) {
		life.nth++;
		ck_assert_int_lt(life.nth, LIVES_MAX);
		pid = life_begin(&life);
		producer = party_open(&w, NULL);
		code = submit(producer, n++);
		if ((stopped = is_stopped(pid))) {
			ck_assert_int_ne(code, ERR_FULL);
			ck_assert_int_ne(code, ERR_REFUSED);
			kill(pid, SIGCONT);
		} else {
			ck_assert_int_eq(code, ERR_NONE);
		}
		party_close(producer);
		UNTIL(&w, stage_sql(&w, "SELECT count(*) FROM waiting") == n);
		life_end(pid);
		check_all(n);
	}
	ck_assert_int_gt(life.nth, 3);
	stage_close(&w);
}
END_TEST

/* It goes on with what it was asked once it is let: that is too late. */
START_TEST(a_worker_that_was_stopped_queues_nothing_twice)
{
	const struct life life = {.fault = SHIM_NONE};
	struct party *producer, *next;
	pid_t pid;

	open_stage();
	pid = life_begin(&life);
	producer = party_open(&w, NULL);
	kill(pid, SIGSTOP);
	UNTIL(&w, is_stopped(pid));
	ck_assert_int_eq(submit(producer, 0), ERR_NONE);
	check_all(1);
	/* Queued, run, and forgotten. */
	stage_sql(&w, "DELETE FROM waiting");
	stage_sql(&w, "DELETE FROM tasks");
	stage_sql(&w, "DELETE FROM ids");
	stage_sql(&w, "UPDATE queues SET size = 0");
	kill(pid, SIGCONT);
	next = party_open(&w, NULL);
	ck_assert_int_eq(submit(next, 1), ERR_NONE);
	ck_assert_int_eq(count("0"), 0);
	ck_assert_int_eq(count("1"), 1);
	party_close(next);
	party_close(producer);
	life_end(pid);
	stage_close(&w);
}
END_TEST

/* The producer finds room, or says itself that there is none. */
START_TEST(a_worker_without_room_costs_no_task)
{
	const struct life life = {.fault = SHIM_FULL, .nth = 1, .times = -1};
	struct party *producer;
	pid_t pid;
	int i;

	open_stage();
	pid = life_begin(&life);
	producer = party_open(&w, NULL);
	for (i = 0; i < TASKS; i++)
		ck_assert_int_eq(submit(producer, i), ERR_NONE);
	party_close(producer);
	life_end(pid);
	check_all(TASKS);
	stage_close(&w);
}
END_TEST

SUITE("sqlite-deputy-death")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(a_task_is_queued_once_whenever_its_worker_is_cut, 0, 2);
	TEST(a_task_is_queued_once_whenever_its_worker_is_stopped);
	TEST(a_worker_that_was_stopped_queues_nothing_twice);
	TEST(a_worker_without_room_costs_no_task);
}
