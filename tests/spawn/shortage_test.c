/* SPDX-License-Identifier: MIT */
/* A spawner that is short of descriptors, processes or memory. */
#include "spawn/client.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "spawn/probe.h"
#include "suite.h"
#include "util/limits.h"

static int n_warnings;
static char warning[1024];

static void
on_short(void *arg, const char *why)
{
	n_warnings++;
	snprintf(warning, sizeof(warning), "%s", why);
}

/* Starts n programs, which print their number, and waits for all. */
static void
ck_all_run(int n, const char *text)
{
	struct probe *all = calloc((size_t)n, sizeof(*all));
	const char *argv[] = {"sh", "-c", text, "sh", NULL, NULL};
	const char *envp[] = {"PATH=/usr/bin:/bin", NULL};
	struct spawn_options o = {.orders = {.argv = argv, .envp = envp},
				  .on_output = probe_on_output,
				  .on_end = probe_on_end,
				  .on_short = on_short};
	char number[16];
	int i;

	argv[4] = number;
	for (i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%d", i);
		o.arg = &all[i];
		all[i].program = spawn_start(probe_spawner, &o, NULL);
		ck_assert_ptr_nonnull(all[i].program);
	}
	for (i = 0; i < n; i++) {
		probe_wait(&all[i]);
		ck_assert_msg(all[i].end.ran, "%s", all[i].why);
		ck_assert_int_eq(all[i].end.status, 0);
		ck_assert_int_eq(atoi(all[i].out[0].data), i);
		probe_done(&all[i]);
	}
	free(all);
}

START_TEST(without_descriptors_programs_wait_for_others)
{
	const struct rlimit few = {40, 40};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_all_run(300, "echo $1; exec sleep 0.02");
	ck_assert_int_eq(n_warnings, 1);
	ck_assert_msg(strstr(warning, "the limit on open files is 40; raise "
				      "LimitNOFILE=") != NULL,
		      "%s", warning);
}
END_TEST

START_TEST(programs_leave_descriptors_to_the_rest_of_the_process)
{
	const struct rlimit few = {40, 40};
	struct probe all[40];
	int i, fds[PROBE_RESERVE];

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (i = 0; i < 40; i++)
		probe_script(&all[i], "echo; exec sleep 0.3", "");
	while (all[0].out[0].len == 0)
		event_base_loop(probe_base, EVLOOP_ONCE);
	for (i = 0; i < PROBE_RESERVE; i++) {
		fds[i] = dup(0);
		ck_assert_int_ge(fds[i], 0);
	}
	for (i = 0; i < PROBE_RESERVE; i++)
		close(fds[i]);
	for (i = 0; i < 40; i++) {
		probe_wait(&all[i]);
		ck_assert_msg(all[i].end.ran, "%s", all[i].why);
		probe_done(&all[i]);
	}
}
END_TEST

static void
raise_limit(evutil_socket_t fd, short what, void *arg)
{
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, arg), 0);
}

START_TEST(a_program_that_waits_alone_starts_when_others_give_descriptors_back)
{
	const struct timeval tv = {.tv_usec = 300000};
	struct rlimit old, few = {8, 8};
	struct probe first, b;

	probe_run(&first, "echo", "");
	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	probe_script(&b, "echo x", "");
	event_base_once(probe_base, -1, EV_TIMEOUT, raise_limit, &old, &tv);
	probe_wait(&b);
	ck_assert_msg(b.end.ran, "%s", b.why);
	ck_assert_str_eq(b.out[0].data, "x\n");
	probe_done(&b);
	probe_done(&first);
}
END_TEST

static void
on_late_begin(void *arg)
{
	++*(int *)arg;
}

static void
on_late_end(void *arg, const struct spawn_end *end)
{
	ck_assert_msg(end->ran, "%s", end->why);
	*(int *)arg += 10;
}

/* Nothing is short any more when it is its turn. */
START_TEST(a_program_that_comes_behind_those_that_wait_tells_when_it_begins)
{
	const char *argv[] = {"true", NULL};
	const char *envp[] = {"PATH=/usr/bin:/bin", NULL};
	int told = 0;
	const struct spawn_options late = {
	    .orders = {.argv = argv, .envp = envp},
	    .on_output = probe_on_output,
	    .on_end = on_late_end,
	    .on_begin = on_late_begin,
	    .arg = &told};
	struct rlimit old, few = {8, 8};
	struct probe first, b;

	probe_run(&first, "echo", "");
	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	probe_script(&b, "echo x", "");
	event_base_loop(probe_base, EVLOOP_NONBLOCK);
	ck_assert_ptr_nonnull(spawn_start(probe_spawner, &late, NULL));
	setrlimit(RLIMIT_NOFILE, &old);
	probe_wait(&b);
	while (told < 10)
		event_base_loop(probe_base, EVLOOP_ONCE);
	ck_assert_int_eq(told, 11);
	probe_done(&b);
	probe_done(&first);
}
END_TEST

START_TEST(a_program_that_waits_can_be_told_to_end)
{
	struct rlimit old, few = {8, 8};
	struct probe first, b;

	probe_run(&first, "echo", "");
	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	probe_script(&b, "echo x", "");
	event_base_loop(probe_base, EVLOOP_NONBLOCK);
	spawn_signal(b.program, SIGTERM);
	probe_wait(&b);
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert_int_eq(b.end.sys, ECANCELED);
	probe_done(&b);
	probe_done(&first);
}
END_TEST

/* A user that has no process: the limit does not bind root, and counts all
 * processes of the user. */
#define LONELY_UID (40000 + getpid() % 20000)

/* The user may not be able to go where the programs lie: this is a copy. */
static char lonely_dir[] = "/tmp/flowrra-spawner-XXXXXX";

/* Becomes the user, if this is root. */
static bool
become_lonely(void)
{
	char command[4096];

	if (geteuid() != 0) {
		fputs("SKIPPED: a user without processes needs root\n", stderr);
		return false;
	}
	ck_assert_ptr_nonnull(mkdtemp(lonely_dir));
	snprintf(command, sizeof(command),
		 "cp %s/libexec/flowrra/flowrra-spawner %s && chown -R %d %s",
		 getenv("BUILD_DIR"), lonely_dir, LONELY_UID, lonely_dir);
	ck_assert_msg(system(command) == 0, "%s", command);
	ck_assert_int_eq(setresuid(LONELY_UID, LONELY_UID, LONELY_UID), 0);
	spawner_free(probe_spawner);
	snprintf(command, sizeof(command), "%s/flowrra-spawner", lonely_dir);
	probe_spawner = spawner_new(probe_base, command, NULL);
	ck_assert_ptr_nonnull(probe_spawner);
	return true;
}

static void
remove_copy(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/flowrra-spawner", lonely_dir);
	ck_assert(unlink(path) == 0 && rmdir(lonely_dir) == 0);
}

START_TEST(without_processes_programs_wait_for_others)
{
	const struct rlimit few = {6, 6};

	if (!become_lonely())
		return;
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &few), 0);
	/* Long enough for a busy machine to have six of them at the same time. */
	ck_all_run(50, "echo $1; exec sleep 0.15");
	ck_assert_int_eq(n_warnings, 1);
	ck_assert_msg(strstr(warning, "could not make a process for sh") !=
			  NULL,
		      "%s", warning);
	ck_assert_msg(strstr(warning, "of the user is 6; raise LimitNPROC=") !=
			  NULL,
		      "%s", warning);
	remove_copy();
}
END_TEST

static void
raise_processes(evutil_socket_t fd, short what, void *arg)
{
	struct rlimit enough;

	getrlimit(RLIMIT_NPROC, &enough);
	enough.rlim_cur = 50;
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &enough), 0);
}

START_TEST(without_a_process_for_the_spawner_programs_wait)
{
	struct rlimit none;
	const struct timeval tv = {.tv_usec = 300000};
	struct event *give_back;

	if (!become_lonely())
		return;
	getrlimit(RLIMIT_NPROC, &none);
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	give_back = evtimer_new(probe_base, raise_processes, NULL);
	evtimer_add(give_back, &tv);
	ck_all_run(3, "echo $1");
	ck_assert_int_eq(n_warnings, 1);
	event_free(give_back);
	remove_copy();
}
END_TEST

#ifndef __SANITIZE_THREAD__
static pid_t spawner_pid;
static struct rlimit memory_before;

static void
raise_memory(evutil_socket_t fd, short what, void *arg)
{
	ck_assert_int_eq(prlimit(spawner_pid, RLIMIT_AS, &memory_before, NULL),
			 0);
}

START_TEST(while_the_spawner_lacks_memory_programs_wait)
{
	const struct timeval tv = {.tv_usec = 300000};
	struct rlimit none;
	struct probe first;

	probe_run(&first, "echo $PPID", "");
	spawner_pid = atoi(first.out[0].data);
	probe_done(&first);
	ck_assert_int_eq(prlimit(spawner_pid, RLIMIT_AS, NULL, &memory_before),
			 0);
	none = memory_before;
	none.rlim_cur = 4096;
	ck_assert_int_eq(prlimit(spawner_pid, RLIMIT_AS, &none, NULL), 0);
	event_base_once(probe_base, -1, EV_TIMEOUT, raise_memory, NULL, &tv);
	ck_all_run(3, "echo $1");
	ck_assert_int_eq(n_warnings, 1);
	ck_assert_msg(strstr(warning, "Cannot allocate memory") != NULL, "%s",
		      warning);
}
END_TEST
#endif

START_TEST(programs_find_the_limit_on_descriptors_that_this_process_found)
{
	const struct rlimit limit = {100, 200};
	struct probe b;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	probe_run(&b, "ulimit -Sn; ulimit -Hn", "");
	ck_assert_str_eq(b.out[0].data, "100\n200\n");
	probe_done(&b);
	ck_assert_uint_eq(limits_files(), 200);
}
END_TEST

SUITE("spawn-shortage")
{
	tcase_add_checked_fixture(suite_case_, probe_setup, probe_teardown);
	TEST(without_descriptors_programs_wait_for_others);
	TEST(programs_leave_descriptors_to_the_rest_of_the_process);
	TEST(
	    a_program_that_waits_alone_starts_when_others_give_descriptors_back);
	TEST(a_program_that_comes_behind_those_that_wait_tells_when_it_begins);
	TEST(a_program_that_waits_can_be_told_to_end);
	TEST(without_processes_programs_wait_for_others);
	TEST(without_a_process_for_the_spawner_programs_wait);
#ifndef __SANITIZE_THREAD__
	TEST(while_the_spawner_lacks_memory_programs_wait);
#endif
	TEST(programs_find_the_limit_on_descriptors_that_this_process_found);
}
