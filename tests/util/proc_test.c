/* SPDX-License-Identifier: MIT */
/* Starting programs: what the child gets, and what it does not. */
#include "util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "util/err.h"

/* Runs a shell line with its standard output in a pipe and returns what it
 * wrote. */
static char *
output_of(const char *line, struct proc_options o)
{
	static char out[4096];
	const char *argv[] = {"sh", "-c", line, NULL};
	struct err err = ERR_INIT;
	size_t len = 0;
	int fds[2], table[3];
	pid_t pid;
	ssize_t n;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	table[0] = -1;
	table[1] = fds[1];
	table[2] = 2;
	o.path = "/bin/sh";
	o.argv = argv;
	o.fds = table;
	o.n_fds = 3;
	ck_assert_msg(proc_spawn(&o, &pid, &err) == 0, "%s", err.msg);
	close(fds[1]);
	while ((n = read(fds[0], out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return out;
}

START_TEST(a_child_has_the_given_descriptors_and_no_other)
{
	struct proc_options o = {.path = NULL};

	/* Left open on purpose, without CLOEXEC. */
	ck_assert_int_eq(dup2(2, 9), 9);
	ck_assert_int_eq(dup2(2, 200), 200);
	ck_assert_str_eq(output_of("for n in $(seq 0 255); do "
				   "[ -e /proc/$$/fd/$n ] && echo $n; done",
				   o),
			 "0\n1\n2\n");
}
END_TEST

/* A pipe with its writing end at `place`. */
static int
pipe_at(int place)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(fds[1], place), place);
	close(fds[1]);
	return fds[0];
}

START_TEST(descriptors_that_trade_places_arrive_right)
{
	const char *argv[] = {"sh", "-c", "echo 8 >&8; echo 9 >&9", NULL};
	int table[] = {-1, 2, 2, 2, 2, 2, 2, 2, 9, 8};
	struct proc_options o = {
	    .path = "/bin/sh", .argv = argv, .fds = table, .n_fds = 10};
	struct err err = ERR_INIT;
	int at8 = pipe_at(8), at9 = pipe_at(9);
	char text[3] = "";
	pid_t pid;

	ck_assert_msg(proc_spawn(&o, &pid, &err) == 0, "%s", err.msg);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(read(at8, text, 2), 2);
	ck_assert_str_eq(text, "9\n");
	ck_assert_int_eq(read(at9, text, 2), 2);
	ck_assert_str_eq(text, "8\n");
}
END_TEST

START_TEST(a_missing_program_is_an_error_that_names_it)
{
	const char *argv[] = {"x", NULL};
	struct proc_options o = {.path = "/no/such/program", .argv = argv};
	struct err err = ERR_INIT;
	pid_t pid = -1;

	ck_assert_int_eq(proc_spawn(&o, &pid, &err), -1);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "/no/such/program"));
	ck_assert_int_eq(pid, -1);
	/* Nothing is left to be reaped. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(a_child_starts_with_default_signals)
{
	/* 32 and 33 are the C library's own; posix_spawn() ignores them. */
	static const unsigned long long internal = 3ULL << 31;
	struct proc_options o = {.path = NULL};
	unsigned long long blocked, ignored;
	sigset_t set;
	char *out;

	signal(SIGPIPE, SIG_IGN);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	out = output_of("exec grep -E 'Sig(Blk|Ign)' /proc/self/status", o);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	ck_assert_int_eq(
	    sscanf(out, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
	ck_assert_uint_eq(blocked, 0);
	ck_assert_uint_eq(ignored & ~internal, 0);
}
END_TEST

START_TEST(a_child_gets_the_environment_it_is_given)
{
	const char *envp[] = {"ONLY=this", NULL};
	struct proc_options o = {.envp = envp};

	setenv("SECRET", "x", 1);
	ck_assert_str_eq(output_of("echo $ONLY$SECRET", o), "this\n");
}
END_TEST

START_TEST(a_child_dies_with_its_parent)
{
	const char *argv[] = {"sleep", "1000", NULL};
	struct proc_options o = {.path = "/bin/sleep",
				 .argv = argv,
				 .new_group = true,
				 .die_with_parent = true};
	struct err err = ERR_INIT;
	int life[2], table[3];
	pid_t middle, pid;
	char byte;

	ck_assert_int_eq(pipe2(life, O_CLOEXEC), 0);
	if ((middle = fork()) == 0) {
		memcpy(table, (int[]){-1, 2, life[1]}, sizeof(table));
		o.fds = table;
		o.n_fds = 3;
		_exit(proc_spawn(&o, &pid, &err) == 0 ? 0 : 1);
	}
	close(life[1]);
	/* End of file comes when the last holder, the grandchild, is gone. */
	ck_assert_int_eq(read(life[0], &byte, 1), 0);
	waitpid(middle, NULL, 0);
}
END_TEST

START_TEST(a_file_is_found_beside_the_program)
{
	char self[4096], *path, *slash;
	struct err err = ERR_INIT;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	path = proc_beside(strrchr(self, '/') + 1, &err);
	ck_assert_str_eq(path, self);
	free(path);
	*strrchr(self, '/') = '\0';
	slash = strrchr(self, '/');
	strcpy(slash, "/lib/x.so");
	path = proc_beside("../lib/x.so", &err);
	ck_assert_str_eq(path, self);
	free(path);
}
END_TEST

static void
use_closed_descriptors(void)
{
	char c;
	int fd;

	for (fd = 0; fd <= 2; fd++)
		close(fd);
	proc_hold_standard_fds();
	if (dup(0) < 3)
		_exit(1);
	if (read(0, &c, 1) != -1 || errno != EBADF)
		_exit(2);
	for (fd = 1; fd <= 2; fd++)
		if (write(fd, "x", 1) != -1 || errno != EBADF)
			_exit(3);
	_exit(0);
}

START_TEST(closed_standard_descriptors_are_no_files_of_others)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		use_closed_descriptors();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* The limit is raised first, as far as it goes: else an environment that allows
 * no core files would hide a fault. */
START_TEST(a_process_that_forbids_dumps_leaves_no_core_file)
{
	struct rlimit limit;
	int status;
	pid_t pid;

	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_CORE, &limit), 0);
	proc_forbid_dumps();
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, 0);
	ck_assert_uint_eq(limit.rlim_max, 0);
	if ((pid = fork()) == 0) {
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert(!WCOREDUMP(status));
}
END_TEST

SUITE("proc")
{
	TEST(a_process_that_forbids_dumps_leaves_no_core_file);
	TEST(a_child_has_the_given_descriptors_and_no_other);
	TEST(descriptors_that_trade_places_arrive_right);
	TEST(a_missing_program_is_an_error_that_names_it);
	TEST(a_child_starts_with_default_signals);
	TEST(a_child_gets_the_environment_it_is_given);
	TEST(a_child_dies_with_its_parent);
	TEST(closed_standard_descriptors_are_no_files_of_others);
	TEST(a_file_is_found_beside_the_program);
}
