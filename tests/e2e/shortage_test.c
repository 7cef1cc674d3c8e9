/* SPDX-License-Identifier: MIT */
/*
 * Workers that run short of descriptors, processes or memory: tasks wait for
 * them, and no attempt is charged. On both brokers.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "e2e/load.h"
#include "e2e/look.h"
#include "e2e/worker.h"

/* A user that has no process and no file: another one for each test. */
#define LONELY_UID (40000 + getpid() % 20000)
/* Far more than a slow machine takes for some hundred commands. */
#define LONG_MS 60000

/* A command is one process, which starts no other: a limit that stops the
 * command itself is not the worker's business. */
static const char of_commands[] =
    "[executor]\nmax_retries = 0\nio_workers = 2\n"
    "[task wait]\ncommand = sh -c 'echo $FLOWRRA_TASK_ATTEMPT "
    "$FLOWRRA_TASK_ID >>marks; read line <gate'\n"
    "[task hasty]\ncommand = sh -c 'echo $FLOWRRA_TASK_ATTEMPT "
    "$FLOWRRA_TASK_ID >>marks; exec sleep 0.2'\ntimeout = 1.5\n"
    "[task bound]\ncommand = sh -c 'echo $FLOWRRA_TASK_ATTEMPT "
    "$FLOWRRA_TASK_ID >>marks; exec sleep 1'\ntimeout = 1.7\n"
    "cpu_bound = yes\n";

/* Each command that runs takes a line out of the gate, or waits for one: so as
 * many run as can, until the test lets them end. */
static int gate;

static void
open_gate(struct world *w)
{
	const char *path = world_text(w, "%s/gate", world_dir(w));

	ck_assert_int_eq(mkfifo(path, 0666), 0);
	gate = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(gate, 0);
}

static void
let_end(size_t n)
{
	while (n-- > 0)
		ck_assert_int_eq(write(gate, "\n", 1), 1);
}

static struct world *
open_world(bool embedded)
{
	const struct world_options o = {.embedded = embedded,
					.no_worker = true,
					.modules = "",
					.config = of_commands};
	struct world *w = world_start(&o);

	open_gate(w);
	return w;
}

static long
total(struct world *w, const char *name)
{
	const char *workers = ctl(w, "workers --json")->out;
	const char *found;

	workers = world_text(w, "%s", workers);
	found = strstr(workers, world_text(w, "\"%s\":", name));
	return found != NULL ? strtol(strchr(found, ':') + 1, NULL, 10) : -1;
}

static size_t
count_text(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)) != NULL; text += strlen(part))
		n++;
	return n;
}

/* All of n commands ran, with their first attempt, and one line of the log says
 * what is to be raised. */
static void
ck_all_ran_once(struct world *w, size_t n, const char *limit)
{
	struct worker *k = worker_of(w);

	WAIT_UNTIL(worker_logged(k, limit));
	let_end(n);
	WAIT_UNTIL_WITHIN(LONG_MS, count_marks(w, "marks") >= n);
	WAIT_UNTIL(total(w, "succeeded") >= (long)n);
	ck_assert_uint_eq(count_marks(w, "marks"), n);
	ck_assert_uint_eq(
	    strtoul(run(w, "sort -u marks | grep -c '^1 '")->out, NULL, 10), n);
	ck_assert_int_eq(total(w, "failed"), 0);
	ck_assert_int_eq(total(w, "retried"), 0);
	ck_assert_uint_eq(count_text(worker_log(k), limit), 1);
}

/* --- descriptors --------------------------------------------------------- */

static const unsigned int few_files[] = {64, 256, 1024};

START_TEST(commands_wait_for_descriptors)
{
	const unsigned int files = few_files[_i / 2];
	struct world *w = open_world(_i % 2 == 0);

	worker_start(w, world_text(w, "ulimit -n %u; " WORLD_COMMAND, files));
	submit_many(w, 600, "wait", "[]");
	ck_all_ran_once(w, 600,
			world_text(w,
				   "the limit on open files is %u; raise "
				   "LimitNOFILE= of the unit, or ulimit -n",
				   files));
	world_stop(w);
}
END_TEST

/* 180 commands of 0.2 s, and a limit that lets a few run at once: most of them
 * wait for longer than their timeout. */
START_TEST(to_wait_for_descriptors_longer_than_the_timeout_is_no_attempt)
{
	struct world *w = open_world(_i == 0);

	worker_start(w, "ulimit -n 64; " WORLD_COMMAND);
	submit_many(w, 180, "hasty", "[]");
	ck_all_ran_once(w, 180, "the limit on open files is 64");
	world_stop(w);
}
END_TEST

/* The soft limit of a process. */
static long
files_of(struct world *w, pid_t pid)
{
	return strtol(run(w,
			  "awk '/Max open files/ { print $4 }' "
			  "/proc/%d/limits",
			  (int)pid)
			  ->out,
		      NULL, 10);
}

/* select(2) writes beyond its sets with a higher descriptor than 1023. */
START_TEST(modules_have_the_soft_limit_that_their_worker_was_given)
{
	const struct world_options o = {.embedded = true,
					.command =
					    "ulimit -Sn 500; "
					    "ulimit -Hn 2000; " WORLD_COMMAND};
	struct world *w = world_start(&o);
	struct worker *k = worker_of(w);

	ck_assert_int_eq(files_of(w, worker_pid(k)), 2000);
	ck_assert_int_eq(files_of(w, worker_executor(k)), 500);
	world_stop(w);
}
END_TEST

/* --- processes ----------------------------------------------------------- */

static bool
is_root(void)
{
	if (geteuid() == 0)
		return true;
	fputs("SKIPPED: a user without processes, and control groups, need "
	      "root\n",
	      stderr);
	return false;
}

/* A worker whose user may have 40 processes. */
static struct worker *
start_lonely(struct world *w)
{
	struct worker *k;

	ck_assert_int_eq(run(w, "chown -R %d .", LONELY_UID)->status, 0);
	k = worker_spawn(w, world_text(w,
				       "exec prlimit --nproc=40 setpriv "
				       "--reuid %d --regid %d --clear-groups "
				       "flowrrad --config flowrra.conf",
				       LONELY_UID, LONELY_UID));
	/* The socket of the service manager is there only now. */
	ck_assert_int_eq(run(w, "chmod a+rw notify-*")->status, 0);
	worker_notified(k, "READY=1");
	return k;
}

START_TEST(commands_wait_for_processes_of_the_user)
{
	struct world *w;

	if (!is_root())
		return;
	w = open_world(_i == 0);
	start_lonely(w);
	submit_many(w, 100, "wait", "[]");
	ck_all_ran_once(w, 100,
			"of the user is 40; raise LimitNPROC= of the unit, or "
			"ulimit -u");
	world_stop(w);
}
END_TEST

/* Takes all processes that the worker's user may have: the shell, which may have
 * one more, ends when it gets no more. */
static void
take_processes(struct world *w)
{
	run(w,
	    "prlimit --nproc=41 setpriv --reuid %d --regid %d --clear-groups "
	    "sh -c 'while :; do sleep 3600 & echo $! >>taken; done' "
	    ">/dev/null 2>&1",
	    LONELY_UID, LONELY_UID);
}

/* It waits for less than its timeout, and then runs for less: together they are
 * more. */
START_TEST(the_time_of_a_cpu_bound_command_begins_when_it_does)
{
	const struct timespec most_of_it = {.tv_sec = 1};
	struct world *w;
	struct worker *k;
	const char *id;

	if (!is_root())
		return;
	w = open_world(_i == 0);
	k = start_lonely(w);
	/* The executor is there, with its spawner. */
	ck_assert_str_eq(submit(w, "bound --wait"), "null");
	take_processes(w);
	id = submit(w, "bound");
	WAIT_UNTIL(worker_logged(k, "of the user is 40; raise LimitNPROC="));
	/* It takes a part of its timeout, not luck. */
	nanosleep(&most_of_it, NULL);
	ck_run(run(w, "kill $(cat taken)"), 0, "");
	WAIT_UNTIL(json_field(w, ctl(w, "tasks show %s --json", id)->out,
			      "record.status")[0] == 's');
	ck_assert_str_eq(json_field(w, ctl_ok(w, "tasks show %s --json", id),
				    "record.attempts"),
			 "1");
	world_stop(w);
}
END_TEST

static void
allow(struct world *w, const char *group, long n)
{
	ck_assert_int_eq(run(w, "echo %ld >%s/pids.max", n, group)->status, 0);
}

/* What a group that counts processes has, and no other directory. */
static bool
limits_processes(struct world *w, const char *dir)
{
	return access(world_text(w, "%s/pids.max", dir), W_OK) == 0;
}

/* Outlives the world, for drop_group(). */
static char group_dir[64];

/* NULL, and a word about it, where none can be made. */
static const char *
make_group(struct world *w, int most)
{
	static const char *const roots[] = {"/sys/fs/cgroup/pids",
					    "/sys/fs/cgroup"};
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(group_dir, sizeof(group_dir), "%s/flowrra-test-XXXXXX",
			 roots[i]);
		if (mkdtemp(group_dir) == NULL)
			continue;
		if (limits_processes(w, group_dir)) {
			allow(w, group_dir, most);
			return group_dir;
		}
		rmdir(group_dir);
	}
	fputs("SKIPPED: no control group for processes can be made\n", stderr);
	return NULL;
}

/* Its processes have been told to end. */
static void
drop_group(const char *group)
{
	if (group != NULL)
		WAIT_UNTIL(rmdir(group) == 0);
}

START_TEST(commands_wait_for_processes_of_the_unit)
{
	struct world *w = open_world(_i == 0);
	const char *group = make_group(w, 40);

	if (group != NULL) {
		worker_start(
		    w, world_text(w, "echo $$ >%s/cgroup.procs; " WORLD_COMMAND,
				  group));
		submit_many(w, 100, "wait", "[]");
		ck_all_ran_once(w, 100, "is 40; raise TasksMax= of the unit");
	}
	world_stop(w);
	drop_group(group);
}
END_TEST

/* --- the worker itself ----------------------------------------------------- */

/* It needs a cpu executor. */
#define RESIZE "resize '{\"w\":64}' --wait"

/* With as many files as it asks for, it does all that a worker does. */
START_TEST(a_worker_with_too_few_files_says_how_many_it_needs)
{
	const struct world_options o = {.embedded = _i == 0, .no_worker = true};
	struct world *w = world_start(&o);
	const char *needs = "needs ", *said;
	struct worker *k;
	long n;

	said = run(w, "ulimit -n 30; " WORLD_COMMAND)->err;
	said = strstr(said, needs);
	ck_assert_ptr_nonnull(said);
	n = strtol(said + strlen(needs), NULL, 10);
	ck_assert_int_gt(n, 30);
	ck_complains(run(w, "ulimit -n 30; " WORLD_COMMAND), 78,
		     "open files at least, and the limit is 30; raise "
		     "LimitNOFILE=");
	ck_complains(run(w, "ulimit -n %ld; " WORLD_COMMAND, n - 1), 78,
		     "LimitNOFILE=");
	k = worker_start(w, world_text(w, "ulimit -n %ld; " WORLD_COMMAND, n));
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	ck_assert_ptr_nonnull(strstr(submit(w, RESIZE), "\"w\":64"));
	worker_signal(k, SIGHUP);
	worker_notified(k, "RELOADING=1");
	worker_notified(k, "READY=1");
	ck_assert_str_eq(submit(w, "add 1 2 --wait"), "3");
	ck_assert_ptr_nonnull(strstr(submit(w, RESIZE), "\"w\":64"));
	ck_assert(!worker_logged(k, "Too many open files"));
	ck_assert(!worker_logged(k, "reload failed"));
	world_stop(w);
}
END_TEST

/* The threads of the worker itself. */
static long
threads_of(struct world *w, const struct worker *k)
{
	return strtol(
	    run(w, "ls /proc/%d/task | wc -l", (int)worker_pid(k))->out, NULL,
	    10);
}

/* Looks in a row with the same number of threads: WAIT_UNTIL() takes 120 ms for
 * them at least. */
#define SETTLED_LOOKS 15

static bool
looked_settled(long n, long *before, unsigned int *looks)
{
	*looks = n == *before ? *looks + 1 : 0;
	*before = n;
	return *looks >= SETTLED_LOOKS;
}

/* A worker that has just begun may have a thread that ends soon, whose place
 * another one would take. Nothing tells of its end. */
static void
await_threads(struct world *w, const struct worker *k)
{
	unsigned int looks = 0;
	long before = 0;

	WAIT_UNTIL(looked_settled(threads_of(w, k), &before, &looks));
}

/* How often a process or thread has been refused to the group. */
static long
refused(struct world *w, const char *group)
{
	return strtol(run(w, "sed -n 's/^max //p' %s/pids.events", group)->out,
		      NULL, 10);
}

/* A worker in a group of its own, whose executor has just been killed and can
 * have `more` processes and threads; NULL if there can be no group. */
static const char *
start_short(struct world *w, long more)
{
	const char *group = make_group(w, 1000);
	struct worker *k;
	pid_t executor;

	if (group == NULL)
		return NULL;
	k = worker_start(
	    w,
	    world_text(w, "echo $$ >%s/cgroup.procs; " WORLD_COMMAND, group));
	executor = worker_executor(k);
	await_threads(w, k);
	/* Before another one is there. The worker reaps the old one first. */
	kill(worker_pid(k), SIGSTOP);
	kill(executor, SIGKILL);
	WAIT_UNTIL(is_gone(executor));
	allow(w, group, threads_of(w, k) + more);
	kill(worker_pid(k), SIGCONT);
	return group;
}

static void
ck_waits(long more, const char *text, bool embedded)
{
	const struct world_options o = {
	    .embedded = embedded, .no_worker = true, .crashes = true};
	struct world *w = world_start(&o);
	const char *group = start_short(w, more), *id;
	struct worker *k;
	long before;

	if (group != NULL) {
		k = worker_of(w);
		WAIT_UNTIL(worker_logged(k, text));
		id = submit(w, "add 1 2");
		/* Tries that fail add no line. */
		before = refused(w, group);
		WAIT_UNTIL(refused(w, group) >= before + 3);
		ck_assert_uint_eq(
		    count_text(worker_log(k), "raise TasksMax= of the unit"),
		    1);
		allow(w, group, 1000);
		ck_run(ctl(w, "wait %s --timeout 30", id), 0, "3\n");
		ck_assert_int_eq(total(w, "retried"), 0);
	}
	world_stop(w);
	drop_group(group);
}

START_TEST(tasks_wait_for_an_executor_that_cannot_be_started)
{
	ck_waits(0, "tasks wait for an executor: ", _i == 0);
}
END_TEST

START_TEST(tasks_wait_for_an_executor_that_cannot_have_a_thread)
{
	ck_waits(1, "tasks wait for an executor: the io executor", _i == 0);
}
END_TEST

START_TEST(an_executor_works_with_fewer_threads_and_gets_the_others_later)
{
	/* Its first thread, that of its loop, and one for handlers. */
	ck_waits(3, "tasks wait for threads: ", _i == 0);
}
END_TEST

SUITE("shortage")
{
	SUITE_TIMEOUT(180);
	TEST_LOOP(commands_wait_for_descriptors, 0, 6);
	TEST_LOOP(to_wait_for_descriptors_longer_than_the_timeout_is_no_attempt,
		  0, 2);
	TEST(modules_have_the_soft_limit_that_their_worker_was_given);
	TEST_LOOP(commands_wait_for_processes_of_the_user, 0, 2);
	TEST_LOOP(the_time_of_a_cpu_bound_command_begins_when_it_does, 0, 2);
	TEST_LOOP(commands_wait_for_processes_of_the_unit, 0, 2);
	TEST_LOOP(a_worker_with_too_few_files_says_how_many_it_needs, 0, 2);
	TEST_LOOP(tasks_wait_for_an_executor_that_cannot_be_started, 0, 2);
	TEST_LOOP(tasks_wait_for_an_executor_that_cannot_have_a_thread, 0, 2);
	TEST_LOOP(
	    an_executor_works_with_fewer_threads_and_gets_the_others_later, 0,
	    2);
}
