/* SPDX-License-Identifier: MIT */
/*
 * The embedded store when something is wrong with its disk or its neighbours:
 * a clear error, nothing lost, and work goes on by itself.
 */
#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sqlite/shim.h"
#include "store/sqlite/schema.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;

/* --- the file is gone -------------------------------------------------- */

static const char *const ways_to_lose_it[] = {
    "rm \"$FILE\"", "rm -r \"$FILE\"*", "mv \"$FILE\" \"$FILE.old\"",
    "cp \"$FILE\" \"$FILE.new\" && mv \"$FILE.new\" \"$FILE\""};

START_TEST(a_file_that_is_deleted_or_replaced_under_a_worker_is_noticed)
{
	struct party *producer, *worker;
	struct stage other;
	struct stat st;

	stage_open(&w, KIND_SQLITE);
	worker = party_open(&w, "host:a");
	/* On a loop of its own, it has opened the file itself. */
	other = w;
	other.base = other.options.base = event_base_new();
	producer = party_open(&other, NULL);
	broker_want(worker->broker, 0, 10);
	stage_linger(&w, 50);
	setenv("FILE", stage_path(&w), 1);
	ck_assert_int_eq(system(ways_to_lose_it[_i]), 0);
	ck_assert_int_eq(party_submit(producer, "1", "[1]", 0, 0),
			 ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(producer->err.msg, "deleted or replaced"));
	UNTIL(&other, producer->refused);
	ck_assert(!worker->refused);
	broker_heartbeat(worker->broker, SLICE("{}"));
	UNTIL(&w, worker->refused);
	ck_assert_int_eq(worker->why.code, ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(worker->why.msg, "deleted or replaced"));
	ck_assert_uint_eq(worker->troubles, 1);
	ck_assert(!broker_is_up(worker->broker));
	/* They made no other one in its place. */
	ck_assert_int_eq(stat(stage_path(&w), &st), _i == 3 ? 0 : -1);
	party_close(producer);
	event_base_free(other.base);
	party_close(worker);
	worker = party_open(&w, "host:a");
	ck_assert(!worker->refused);
	ck_assert_int_eq(party_submit(worker, "2", "[2]", 0, 0), ERR_NONE);
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* --- disks ------------------------------------------------------------- */

START_TEST(a_full_disk_refuses_submissions_and_keeps_what_was_queued)
{
	struct party *producer, *worker;

	shim_install();
	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	ck_assert_int_eq(party_submit(producer, "1", "[1]", 0, 0), ERR_NONE);
	shim_fail(SHIM_FULL, 1, -1);
	ck_assert_int_eq(party_submit(producer, "2", "[2]", 0, 0),
			 ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(producer->err.msg, "disk is full"));
	shim_fail(SHIM_NONE, 0, 0);
	ck_assert_int_eq(party_submit(producer, "3", "[3]", 0, 0), ERR_NONE);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 2);
	ck_assert(party_has(worker, 0, "[1]"));
	ck_assert(party_has(worker, 1, "[3]"));
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

static void
on_settled(struct broker_settle *s)
{
	*(bool *)s->arg = true;
}

static void
on_stored(struct results_put *put)
{
	*(bool *)put->arg = true;
}

START_TEST(a_worker_goes_on_by_itself_when_the_disk_has_room_again)
{
	bool settled = false, stored = false;
	struct broker_settle settle = {
	    .disposition = BROKER_ACK, .on_done = on_settled, .arg = &settled};
	struct results_put put = {.id = SLICE("1"),
				  .record = SLICE("{}"),
				  .final = true,
				  .on_done = on_stored,
				  .arg = &stored};
	struct party *producer, *worker;
	struct backend *results;

	shim_install();
	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	results = backend_open(&w);
	party_submit(producer, "1", "[1]", 0, 0);
	party_submit(producer, "2", "[2]", 0, 0);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	shim_fail(SHIM_FULL, 1, -1);
	settle.claim = worker->claims[0];
	broker_settle(worker->broker, &settle);
	results_put(results->results, &put);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->troubles == 1 && results->troubles == 1);
	ck_assert_ptr_nonnull(strstr(worker->why.msg, "disk is full"));
	/* Some tries later: one complaint, nothing given up. */
	UNTIL(&w, shim_failures() >= 3);
	ck_assert(!settled && !stored);
	ck_assert_uint_eq(worker->troubles, 1);
	ck_assert_uint_eq(broker_unsettled(worker->broker), 1);
	shim_fail(SHIM_NONE, 0, 0);
	UNTIL(&w, settled && stored && worker->n_claims == 2);
	ck_assert_ptr_nonnull(backend_get(&w, results, "1"));
	backend_close(results);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* One life of a task, with the n-th operation of the file system failing.
 * Returns whether it failed. */
static bool
live_with_fault(enum shim_fault fault, int nth)
{
	bool hit;

	stage_open(&w, KIND_SQLITE);
	w.options.with_results = true;
	party_close(party_open(&w, NULL));
	shim_fail(fault, nth, 1);
	stage_live(&w);
	hit = shim_failures() > 0;
	shim_fail(SHIM_NONE, 0, 0);
	stage_close(&w);
	return hit;
}

START_TEST(whatever_operation_fails_nothing_is_lost)
{
	static const enum shim_fault faults[] = {SHIM_FULL, SHIM_IOERR};
	int nth = 1;

	/* It fails above the disk: to wait for a real one adds nothing. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	shim_install();
	while (live_with_fault(faults[_i], nth))
		nth++;
	ck_assert_int_gt(nth, 10); /* there were that many to fail */
}
END_TEST

/* --- neighbours -------------------------------------------------------- */

START_TEST(a_second_worker_of_the_same_name_is_refused)
{
	struct party *first, *second, *producer;
	struct stage other;

	stage_open(&w, KIND_SQLITE);
	first = party_open(&w, "host:a");
	/* On a loop of its own, it opens the file again. */
	other = w;
	other.base = other.options.base = event_base_new();
	second = party_open(&other, "host:a");
	ck_assert(second->refused);
	ck_assert_int_eq(second->why.code, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(second->why.msg, "host:a"));
	party_close(second);
	/* The first has noticed nothing: orders reach it as before. */
	producer = party_open(&other, NULL);
	broker_control(producer->broker, SLICE("{}"), party_on_value, producer);
	UNTIL(&other, producer->answered);
	UNTIL(&w, first->orders == 1);
	party_close(producer);
	event_base_free(other.base);
	party_close(first);
	stage_close(&w);
}
END_TEST

/* In a child: claims what there is and waits to be killed. */
static void
claim_and_hang(int ready)
{
	struct party *worker;

	event_reinit(w.base);
	worker = party_open(&w, "host:doomed");
	broker_want(worker->broker, 0, 2);
	UNTIL(&w, worker->n_claims == 2);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

START_TEST(a_dead_workers_tasks_are_taken_over_and_a_stopped_ones_are_not)
{
	struct party *producer, *worker;
	int ready[2], status;
	char scrap;
	pid_t pid;

	stage_open(&w, KIND_SQLITE);
	ck_assert_int_eq(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		event_reinit(w.base);
		producer = party_open(&w, NULL);
		party_submit(producer, "1", "[1]", 0, 0);
		party_submit(producer, "2", "[2]", 0, 0);
		claim_and_hang(ready[1]);
	}
	ck_assert_int_eq(read(ready[0], &scrap, 1), 1);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	worker = party_open(&w, "host:heir");
	broker_want(worker->broker, 0, 10);
	broker_heartbeat(worker->broker, SLICE("{}"));
	stage_linger(&w, 2300);
	broker_heartbeat(worker->broker, SLICE("{}"));
	stage_linger(&w, 300);
	ck_assert_uint_eq(worker->n_claims, 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	broker_heartbeat(worker->broker, SLICE("{}"));
	stage_linger(&w, 2100);
	ck_assert_uint_eq(worker->n_claims, 0); /* its executors may live */
	broker_heartbeat(worker->broker, SLICE("{}"));
	UNTIL(&w, worker->n_claims == 2);
	ck_assert(party_has(worker, 0, "[1]"));
	ck_assert(party_has(worker, 1, "[2]"));
	ck_assert(worker->claims[0]->recovered);
	ck_assert(worker->claims[1]->recovered);
	party_close(worker);
	stage_close(&w);
}
END_TEST

static long
cpu_ticks(void)
{
	char text[1024] = "";
	long user, system;
	FILE *f = fopen("/proc/self/stat", "r");

	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	ck_assert_int_eq(sscanf(strrchr(text, ')'),
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
				"%*u %ld %ld",
				&user, &system),
			 2);
	return user + system;
}

/* How often any thread of this process has gone to sleep. */
static long
naps(void)
{
	char line[128], path[300];
	const struct dirent *task;
	long n, sum = 0;
	DIR *tasks;
	FILE *f;

	ck_assert_ptr_nonnull(tasks = opendir("/proc/self/task"));
	while ((task = readdir(tasks)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
			 task->d_name);
		if (task->d_name[0] == '.' || (f = fopen(path, "r")) == NULL)
			continue;
		while (fgets(line, sizeof(line), f) != NULL)
			if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) ==
			    1)
				sum += n;
		fclose(f);
	}
	closedir(tasks);
	return sum;
}

#ifdef __SANITIZE_THREAD__ /* which has a thread of its own */
#define NAPS_MAX 1000
#else
#define NAPS_MAX 4 /* in two seconds, some of them for a page of memory */
#endif

START_TEST(an_idle_worker_uses_no_processor_time)
{
	struct timeval seconds = {.tv_sec = 2};
	struct party *worker;
	struct backend *results;
	long ticks, slept;

	stage_open(&w, KIND_SQLITE);
	worker = party_open(&w, "host:a");
	results = backend_open(&w);
	broker_want(worker->broker, 0, 10);
	broker_want(worker->broker, 1, 10);
	stage_linger(&w, 1500); /* what is left to tidy up */
	ticks = cpu_ticks();
	slept = naps();
	event_base_loopexit(w.base, &seconds);
	event_base_dispatch(w.base);
	ck_assert_int_le(cpu_ticks() - ticks, 1);
	/* The loop itself, to the end of this, and nobody else. */
	ck_assert_int_le(naps() - slept, NAPS_MAX);
	backend_close(results);
	party_close(worker);
	stage_close(&w);
}
END_TEST

START_TEST(a_dead_processs_socket_is_removed)
{
	char path[160];
	struct party *producer;
	int ready[2], status;
	char scrap;
	pid_t pid;

	stage_open(&w, KIND_SQLITE);
	ck_assert_int_eq(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		event_reinit(w.base);
		producer = party_open(&w, NULL);
		party_submit(producer, "1", "[1]", 0, 0);
		party_submit(producer, "2", "[2]", 0, 0);
		claim_and_hang(ready[1]);
	}
	ck_assert_int_eq(read(ready[0], &scrap, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	producer = party_open(&w, "host:b");
	snprintf(path, sizeof(path),
		 "test $(ls %s-wake | grep -cE '^[0-9a-f]{16}$') = 1",
		 stage_path(&w));
	ck_assert_int_eq(system(path), 0);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(a_wake_up_whose_socket_was_removed_is_made_good)
{
	struct party *producer, *worker;
	char command[300];

	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 1);
	stage_linger(&w, 100);
	snprintf(command, sizeof(command), "rm -r '%s-wake'", stage_path(&w));
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(party_submit(producer, "1", "[1]", 0, 0), ERR_NONE);
	stage_linger(&w, 100);
	broker_heartbeat(worker->broker, SLICE("{}"));
	UNTIL(&w, worker->n_claims == 1);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

SUITE("sqlite-fault")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(a_file_that_is_deleted_or_replaced_under_a_worker_is_noticed,
		  0, 4);
	TEST(a_full_disk_refuses_submissions_and_keeps_what_was_queued);
	TEST(a_worker_goes_on_by_itself_when_the_disk_has_room_again);
	TEST_LOOP(whatever_operation_fails_nothing_is_lost, 0, 2);
	TEST(a_second_worker_of_the_same_name_is_refused);
	TEST(a_dead_workers_tasks_are_taken_over_and_a_stopped_ones_are_not);
	TEST(an_idle_worker_uses_no_processor_time);
	TEST(a_dead_processs_socket_is_removed);
	TEST(a_wake_up_whose_socket_was_removed_is_made_good);
}
