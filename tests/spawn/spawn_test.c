/* SPDX-License-Identifier: MIT */
/* Programs run through a real spawner. */
#include "spawn/client.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn/probe.h"
#include "suite.h"
#include "util/err.h"

static void
ck_gone(pid_t pid)
{
	int i;

	/* A zombie is gone, too, until somebody reaps it. */
	for (i = 0; i < PROBE_DEADLINE_S * 100; i++) {
		char path[64], state = '?';
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		if ((f = fopen(path, "re")) == NULL)
			return;
		if (fscanf(f, "%*d %*s %c", &state) != 1)
			state = 'X';
		fclose(f);
		if (state == 'Z' || state == 'X')
			return;
		usleep(10000);
	}
	ck_abort_msg("process %d lives", (int)pid);
}

START_TEST(input_output_and_status_go_where_they_belong)
{
	struct probe b;

	probe_run(&b, "cat; echo \" $A $1\"; echo err >&2; exit 7", "x  y");
	ck_assert_str_eq(b.out[0].data, "input b x  y\n");
	ck_assert_str_eq(b.out[1].data, "err\n");
	ck_assert(!b.end.lost);
	ck_assert(WIFEXITED(b.end.status));
	ck_assert_int_eq(WEXITSTATUS(b.end.status), 7);
	probe_done(&b);
}
END_TEST

START_TEST(a_program_finds_nothing_unusual)
{
	struct probe b;

	/* 3 is the folder that ls itself reads. Signals 32 and 33 are the C
	 * library's, which may have inherited them ignored. */
	probe_run(&b,
		  "ls /proc/self/fd | tr '\\n' ' '; sed -nE "
		  "'s/^Sig(Blk|Ign).*(.{7})$/\\1 \\2/p' /proc/self/status",
		  "");
	ck_assert_str_eq(b.out[0].data, "0 1 2 3 Blk 0000000\nIgn 0000000\n");
	probe_done(&b);
}
END_TEST

START_TEST(a_program_has_a_session_of_its_own)
{
	struct probe b;

	/* In another's it could open the terminal, and type on it. */
	probe_run(&b,
		  "read -r pid name state parent group session rest "
		  "</proc/$$/stat; [ $session = $$ ] && [ $group = $$ ]",
		  "");
	ck_assert(WIFEXITED(b.end.status));
	ck_assert_int_eq(WEXITSTATUS(b.end.status), 0);
	probe_done(&b);
}
END_TEST

START_TEST(a_signal_is_told_and_reaches_the_whole_group)
{
	struct probe b;

	probe_script(&b, "sleep 1000 & echo $!; wait", "");
	b.awaited = "\n";
	probe_wait(&b);
	ck_assert(WIFSIGNALED(b.end.status));
	ck_assert_int_eq(WTERMSIG(b.end.status), SIGTERM);
	ck_gone(atoi(b.out[0].data));
	probe_done(&b);
}
END_TEST

START_TEST(what_is_left_of_a_group_is_killed)
{
	struct probe b;

	probe_run(&b, "trap '' TERM; sleep 1000 & echo $!; exit 0", "");
	ck_assert_int_eq(b.end.status, 0);
	ck_gone(atoi(b.out[0].data));
	probe_done(&b);
}
END_TEST

START_TEST(a_process_that_leaves_the_group_does_not_hold_up_the_end)
{
	struct probe b;

	probe_run(&b, "setsid sh -c 'echo $$; sleep 1000' & sleep 0.2", "");
	ck_assert_int_eq(b.end.status, 0);
	ck_assert_int_eq(kill(atoi(b.out[0].data), 0), 0);
	/* But it does not outlive the spawner. */
	spawner_free(probe_spawner);
	probe_spawner = NULL;
	ck_gone(atoi(b.out[0].data));
	probe_done(&b);
}
END_TEST

START_TEST(all_ends_with_the_spawners_master)
{
	struct probe b;
	char text[64] = "";
	int fds[2], pids[2];
	pid_t master;
	size_t len;
	ssize_t n;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	if ((master = fork()) == 0) {
		event_reinit(probe_base);
		probe_script(&b, "trap '' TERM; sleep 1000 & echo $$ $!; wait",
			     "");
		while (b.out[0].len == 0 ||
		       memchr(b.out[0].data, '\n', b.out[0].len) == NULL)
			event_base_loop(probe_base, EVLOOP_ONCE);
		if (write(fds[1], b.out[0].data, b.out[0].len) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	close(fds[1]);
	/* Its death closes the pipe. */
	for (len = 0;
	     (n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0;)
		len += (size_t)n;
	close(fds[0]);
	waitpid(master, NULL, 0);
	ck_assert_int_eq(sscanf(text, "%d %d", &pids[0], &pids[1]), 2);
	ck_gone(pids[0]);
	ck_gone(pids[1]);
}
END_TEST

START_TEST(a_dead_spawner_is_told_and_replaced)
{
	struct probe b, next;
	int pids[2];

	/* It has left its group, and the kernel does not kill it either. */
	probe_script(&b, "setsid sleep 1000 & echo $! $PPID; wait", "");
	while (b.out[0].len == 0)
		event_base_loop(probe_base, EVLOOP_ONCE);
	ck_assert_int_eq(sscanf(b.out[0].data, "%d %d", &pids[0], &pids[1]), 2);
	/* It writes before the spawner has told its pid, maybe; not before the
	 * spawner has started and ended another one. */
	probe_run(&next, "true", "");
	probe_done(&next);
	kill(pids[1], SIGKILL);
	probe_wait(&b);
	ck_assert(b.end.ran && b.end.lost);
	ck_assert_msg(strstr(b.why, "has died") != NULL, "%s", b.why);
	/* At once: it could be started again now. */
	ck_assert(kill(pids[0], 0) == -1 && errno == ESRCH);
	probe_run(&next, "echo again", "");
	ck_assert_str_eq(next.out[0].data, "again\n");
	probe_done(&b);
	probe_done(&next);
}
END_TEST

#ifndef __SANITIZE_THREAD__ /* which makes a fork() of each vfork() */
static void
ck_fails(const struct spawn_orders *o, int sys, const char *why)
{
	struct probe b = {.over = false};

	probe_begin(&b, o, "");
	probe_wait(&b);
	ck_assert(!b.end.ran);
	ck_assert_int_eq(b.end.sys, sys);
	ck_assert_msg(strstr(b.why, why) != NULL, "%s", b.why);
	probe_done(&b);
}

START_TEST(what_cannot_be_started_is_told_with_its_reason)
{
	static char huge[200000];
	const char *none[] = {NULL},
		   *missing[] = {"/nonexistent/program", NULL};
	const char *unknown[] = {"no-such-program", NULL},
		   *ok[] = {"true", NULL};
	const char *data[] = {"/etc/passwd", NULL},
		   *large[] = {"true", huge, NULL};

	memset(huge, 'x', sizeof(huge) - 1);
	ck_fails(&(struct spawn_orders){.argv = missing, .envp = none}, ENOENT,
		 "cannot start /nonexistent/program: could not execute it: No "
		 "such file");
	ck_fails(&(struct spawn_orders){.argv = unknown, .envp = none}, ENOENT,
		 "cannot start no-such-program");
	ck_fails(&(struct spawn_orders){.argv = data, .envp = none}, EACCES,
		 "Permission denied");
	ck_fails(&(struct spawn_orders){.argv = large, .envp = none}, E2BIG,
		 "Argument list too long");
	ck_fails(&(struct spawn_orders){.argv = ok,
					.envp = none,
					.directory = "/nonexistent"},
		 ENOENT, "could not enter its working directory");
}
END_TEST
#endif

START_TEST(a_program_can_have_another_user_and_directory)
{
	const struct passwd *nobody = getpwnam("nobody");
	const gid_t groups[] = {nobody->pw_gid};
	const struct spawn_user user = {.uid = nobody->pw_uid,
					.gid = nobody->pw_gid,
					.groups = groups,
					.n_groups = 1};
	const char *argv[] = {"sh", "-c",
			      "id -u; id -G; pwd; echo e >/dev/stderr", NULL};
	const char *envp[] = {"PATH=/usr/bin:/bin", NULL};
	char want[64];
	const struct spawn_orders o = {
	    .argv = argv, .envp = envp, .directory = "/", .user = &user};
	struct probe b = {.over = false};

	probe_begin(&b, &o, "");
	probe_wait(&b);
	if (geteuid() != 0) {
		ck_assert_int_eq(b.end.sys, EPERM);
		return;
	}
	snprintf(want, sizeof(want), "%u\n%u\n/\n", user.uid, user.gid);
	ck_assert_str_eq(b.out[0].data, want);
	ck_assert_str_eq(b.out[1].data, "e\n");
	probe_done(&b);
}
END_TEST

START_TEST(a_program_that_has_not_begun_need_not)
{
	struct probe b;

	probe_script(&b, "echo", "");
	spawn_signal(b.program, SIGTERM);
	probe_wait(&b);
	ck_assert(!b.end.ran);
	ck_assert_int_eq(b.end.sys, ECANCELED);
	probe_done(&b);
}
END_TEST

#define MANY 500

START_TEST(many_run_at_the_same_time)
{
	static struct probe all[MANY];
	char text[16];
	int i;

	for (i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%d", i);
		probe_script(&all[i], "sleep 0.5; echo $1", text);
	}
	for (i = 0; i < MANY; i++) {
		probe_wait(&all[i]);
		ck_assert_msg(all[i].end.ran, "%s", all[i].why);
		ck_assert_int_eq(atoi(all[i].out[0].data), i);
		probe_done(&all[i]);
	}
}
END_TEST

START_TEST(all_output_is_delivered_before_the_end)
{
	struct probe b;

	probe_run(&b, "head -c 3000000 /dev/zero; echo end", "");
	ck_assert_uint_eq(b.out[0].len, 3000004);
	probe_done(&b);
}
END_TEST

START_TEST(orders_survive_being_written_and_read)
{
	const char *argv[] = {"a", "", "c d", NULL}, *envp[] = {NULL};
	const gid_t groups[] = {1, 2, 3};
	const struct spawn_user user = {4, 5, groups, 3};
	const struct spawn_orders o = {
	    .argv = argv, .envp = envp, .directory = "/d", .user = &user};
	struct spawn_parsed p;
	struct buf bytes = BUF_INIT;
	size_t len;

	spawn_orders_write(&o, &bytes);
	ck_assert_int_eq(spawn_orders_read(bytes.data, bytes.len, &p), 0);
	ck_assert_str_eq(p.orders.argv[0], "a");
	ck_assert_str_eq(p.orders.argv[1], "");
	ck_assert_str_eq(p.orders.argv[2], "c d");
	ck_assert_ptr_null(p.orders.argv[3]);
	ck_assert_ptr_null(p.orders.envp[0]);
	ck_assert_str_eq(p.orders.directory, "/d");
	ck_assert_uint_eq(p.user.gid, 5);
	ck_assert_uint_eq(p.user.groups[2], 3);
	spawn_parsed_done(&p);
	for (len = 0; len < bytes.len; len++)
		ck_assert_int_eq(spawn_orders_read(bytes.data, len, &p), -1);
	buf_addc(&bytes, 'x');
	ck_assert_int_eq(spawn_orders_read(bytes.data, bytes.len, &p), -1);
	buf_done(&bytes);
}
END_TEST

SUITE("spawn")
{
	tcase_add_checked_fixture(suite_case_, probe_setup, probe_teardown);
	TEST(input_output_and_status_go_where_they_belong);
	TEST(a_program_finds_nothing_unusual);
	TEST(a_program_has_a_session_of_its_own);
	TEST(a_signal_is_told_and_reaches_the_whole_group);
	TEST(what_is_left_of_a_group_is_killed);
	TEST(a_process_that_leaves_the_group_does_not_hold_up_the_end);
	TEST(all_ends_with_the_spawners_master);
	TEST(a_dead_spawner_is_told_and_replaced);
#ifndef __SANITIZE_THREAD__
	TEST(what_cannot_be_started_is_told_with_its_reason);
#endif
	TEST(a_program_can_have_another_user_and_directory);
	TEST(a_program_that_has_not_begun_need_not);
	TEST(many_run_at_the_same_time);
	TEST(all_output_is_delivered_before_the_end);
	TEST(orders_survive_being_written_and_read);
}
