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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "util/err.h"
#include "util/limits.h"

#define DEADLINE_S 10
/* What ask.c leaves to others, at least. */
#define RESERVE 8

static struct event_base *base;
static struct spawner *spawner;

static void
setup(void)
{
	struct err err = ERR_INIT;
	char path[4096];
	const char *build = getenv("BUILD_DIR");

	ck_assert_msg(build != NULL, "BUILD_DIR is not set");
	snprintf(path, sizeof(path), "%s/libexec/flowrra/flowrra-spawner",
		 build);
	base = event_base_new();
	spawner = spawner_new(base, path, &err);
	ck_assert_ptr_nonnull(spawner);
}

static void
teardown(void)
{
	spawner_free(spawner);
	event_base_free(base);
}

/* One program and what came of it. */
struct probe {
	struct spawn *program;
	struct buf out[2];
	struct spawn_end end;
	char why[256];
	bool over;
	/* Told when this is in standard output. */
	const char *awaited;
	int sig;
};

static void
on_output(void *arg, int fd, const char *p, size_t len)
{
	struct probe *b = arg;

	buf_add(&b->out[fd - 1], p, len);
	if (b->awaited != NULL && fd == 1 &&
	    strstr(b->out[0].data, b->awaited) != NULL) {
		b->awaited = NULL;
		spawn_signal(b->program, b->sig);
	}
}

static void
on_end(void *arg, const struct spawn_end *end)
{
	struct probe *b = arg;

	ck_assert(!b->over);
	b->over = true;
	b->end = *end;
	if (end->why != NULL)
		snprintf(b->why, sizeof(b->why), "%s", end->why);
}

static void
begin(struct probe *b, const struct spawn_orders *orders, const char *input)
{
	struct err err = ERR_INIT;
	const struct spawn_options o = {.orders = *orders,
					.input = slice_of(input),
					.on_output = on_output,
					.on_end = on_end,
					.arg = b};

	b->program = spawn_start(spawner, &o, &err);
	ck_assert_msg(b->program != NULL, "%s", err.msg);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	ck_abort_msg("waited in vain");
}

static void
wait_for(struct probe *b)
{
	const struct timeval tv = {.tv_sec = DEADLINE_S};
	struct event *deadline = evtimer_new(base, on_deadline, NULL);

	evtimer_add(deadline, &tv);
	while (!b->over)
		event_base_loop(base, EVLOOP_ONCE);
	event_free(deadline);
}

static void
probe_done(struct probe *b)
{
	buf_done(&b->out[0]);
	buf_done(&b->out[1]);
}

/* A shell's script; `$1` is `arg`. */
static void
script(struct probe *b, const char *text, const char *arg)
{
	const char *argv[] = {"sh", "-c", text, "sh", arg, NULL};
	const char *envp[] = {"PATH=/usr/bin:/bin", "A=b", NULL};

	*b = (struct probe){.sig = SIGTERM};
	begin(b, &(struct spawn_orders){.argv = argv, .envp = envp}, "input");
}

static void
run_script(struct probe *b, const char *text, const char *arg)
{
	script(b, text, arg);
	wait_for(b);
	ck_assert_msg(b->end.ran, "%s", b->why);
}

static void
ck_gone(pid_t pid)
{
	int i;

	/* A zombie is gone, too, until somebody reaps it. */
	for (i = 0; i < DEADLINE_S * 100; i++) {
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

	run_script(&b, "cat; echo \" $A $1\"; echo err >&2; exit 7", "x  y");
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
	run_script(&b,
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
	run_script(&b,
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

	script(&b, "sleep 1000 & echo $!; wait", "");
	b.awaited = "\n";
	wait_for(&b);
	ck_assert(WIFSIGNALED(b.end.status));
	ck_assert_int_eq(WTERMSIG(b.end.status), SIGTERM);
	ck_gone(atoi(b.out[0].data));
	probe_done(&b);
}
END_TEST

START_TEST(what_is_left_of_a_group_is_killed)
{
	struct probe b;

	run_script(&b, "trap '' TERM; sleep 1000 & echo $!; exit 0", "");
	ck_assert_int_eq(b.end.status, 0);
	ck_gone(atoi(b.out[0].data));
	probe_done(&b);
}
END_TEST

START_TEST(whoever_leaves_the_group_does_not_hold_up_the_end)
{
	struct probe b;

	run_script(&b, "setsid sh -c 'echo $$; sleep 1000' & sleep 0.2", "");
	ck_assert_int_eq(b.end.status, 0);
	ck_assert_int_eq(kill(atoi(b.out[0].data), 0), 0);
	/* But it does not outlive the spawner. */
	spawner_free(spawner);
	spawner = NULL;
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
		event_reinit(base);
		script(&b, "trap '' TERM; sleep 1000 & echo $$ $!; wait", "");
		while (b.out[0].len == 0 ||
		       memchr(b.out[0].data, '\n', b.out[0].len) == NULL)
			event_base_loop(base, EVLOOP_ONCE);
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
	script(&b, "setsid sleep 1000 & echo $! $PPID; wait", "");
	while (b.out[0].len == 0)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(sscanf(b.out[0].data, "%d %d", &pids[0], &pids[1]), 2);
	/* It writes before the spawner has told its pid, maybe; not before the
	 * spawner has started and ended another one. */
	run_script(&next, "true", "");
	probe_done(&next);
	kill(pids[1], SIGKILL);
	wait_for(&b);
	ck_assert(b.end.ran && b.end.lost);
	ck_assert_msg(strstr(b.why, "has died") != NULL, "%s", b.why);
	/* At once: it could be started again now. */
	ck_assert(kill(pids[0], 0) == -1 && errno == ESRCH);
	run_script(&next, "echo again", "");
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

	begin(&b, o, "");
	wait_for(&b);
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

	begin(&b, &o, "");
	wait_for(&b);
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

	script(&b, "echo", "");
	spawn_signal(b.program, SIGTERM);
	wait_for(&b);
	ck_assert(!b.end.ran);
	ck_assert_int_eq(b.end.sys, ECANCELED);
	probe_done(&b);
}
END_TEST

/* --- what is short --------------------------------------------------------- */

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
				  .on_output = on_output,
				  .on_end = on_end,
				  .on_short = on_short};
	char number[16];
	int i;

	argv[4] = number;
	for (i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%d", i);
		o.arg = &all[i];
		all[i].program = spawn_start(spawner, &o, NULL);
		ck_assert_ptr_nonnull(all[i].program);
	}
	for (i = 0; i < n; i++) {
		wait_for(&all[i]);
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
	int i, fds[RESERVE];

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (i = 0; i < 40; i++)
		script(&all[i], "echo; exec sleep 0.3", "");
	while (all[0].out[0].len == 0)
		event_base_loop(base, EVLOOP_ONCE);
	for (i = 0; i < RESERVE; i++) {
		fds[i] = dup(0);
		ck_assert_int_ge(fds[i], 0);
	}
	for (i = 0; i < RESERVE; i++)
		close(fds[i]);
	for (i = 0; i < 40; i++) {
		wait_for(&all[i]);
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

	run_script(&first, "echo", "");
	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	script(&b, "echo x", "");
	event_base_once(base, -1, EV_TIMEOUT, raise_limit, &old, &tv);
	wait_for(&b);
	ck_assert_msg(b.end.ran, "%s", b.why);
	ck_assert_str_eq(b.out[0].data, "x\n");
	probe_done(&b);
	probe_done(&first);
}
END_TEST

START_TEST(a_program_that_waits_can_be_told_to_end)
{
	struct rlimit old, few = {8, 8};
	struct probe first, b;

	run_script(&first, "echo", "");
	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	script(&b, "echo x", "");
	event_base_loop(base, EVLOOP_NONBLOCK);
	spawn_signal(b.program, SIGTERM);
	wait_for(&b);
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert_int_eq(b.end.sys, ECANCELED);
	probe_done(&b);
	probe_done(&first);
}
END_TEST

/* A user that has no process: the limit does not bind root, and counts all
 * processes of the user. */
#define LONELY_UID 54321

START_TEST(without_processes_programs_wait_for_others)
{
	const struct rlimit few = {6, 6};

	if (geteuid() != 0) {
		fputs("SKIPPED: a user without processes needs root\n", stderr);
		return;
	}
	ck_assert_int_eq(setresuid(LONELY_UID, LONELY_UID, LONELY_UID), 0);
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

	if (geteuid() != 0) {
		fputs("SKIPPED: a user without processes needs root\n", stderr);
		return;
	}
	ck_assert_int_eq(setresuid(LONELY_UID, LONELY_UID, LONELY_UID), 0);
	getrlimit(RLIMIT_NPROC, &none);
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	give_back = evtimer_new(base, raise_processes, NULL);
	evtimer_add(give_back, &tv);
	ck_all_run(3, "echo $1");
	ck_assert_int_eq(n_warnings, 1);
	event_free(give_back);
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

	run_script(&first, "echo $PPID", "");
	spawner_pid = atoi(first.out[0].data);
	probe_done(&first);
	ck_assert_int_eq(prlimit(spawner_pid, RLIMIT_AS, NULL, &memory_before),
			 0);
	none = memory_before;
	none.rlim_cur = 4096;
	ck_assert_int_eq(prlimit(spawner_pid, RLIMIT_AS, &none, NULL), 0);
	event_base_once(base, -1, EV_TIMEOUT, raise_memory, NULL, &tv);
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
	run_script(&b, "ulimit -Sn; ulimit -Hn", "");
	ck_assert_str_eq(b.out[0].data, "100\n200\n");
	probe_done(&b);
	ck_assert_uint_eq(limits_files(), 200);
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
		script(&all[i], "sleep 0.5; echo $1", text);
	}
	for (i = 0; i < MANY; i++) {
		wait_for(&all[i]);
		ck_assert_msg(all[i].end.ran, "%s", all[i].why);
		ck_assert_int_eq(atoi(all[i].out[0].data), i);
		probe_done(&all[i]);
	}
}
END_TEST

START_TEST(all_output_is_delivered_before_the_end)
{
	struct probe b;

	run_script(&b, "head -c 3000000 /dev/zero; echo end", "");
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
	tcase_add_checked_fixture(suite_case_, setup, teardown);
	TEST(input_output_and_status_go_where_they_belong);
	TEST(a_program_finds_nothing_unusual);
	TEST(a_program_has_a_session_of_its_own);
	TEST(a_signal_is_told_and_reaches_the_whole_group);
	TEST(what_is_left_of_a_group_is_killed);
	TEST(whoever_leaves_the_group_does_not_hold_up_the_end);
	TEST(all_ends_with_the_spawners_master);
	TEST(a_dead_spawner_is_told_and_replaced);
#ifndef __SANITIZE_THREAD__
	TEST(what_cannot_be_started_is_told_with_its_reason);
#endif
	TEST(a_program_can_have_another_user_and_directory);
	TEST(a_program_that_has_not_begun_need_not);
	TEST(without_descriptors_programs_wait_for_others);
	TEST(programs_leave_descriptors_to_the_rest_of_the_process);
	TEST(
	    a_program_that_waits_alone_starts_when_others_give_descriptors_back);
	TEST(a_program_that_waits_can_be_told_to_end);
	TEST(without_processes_programs_wait_for_others);
	TEST(without_a_process_for_the_spawner_programs_wait);
#ifndef __SANITIZE_THREAD__
	TEST(while_the_spawner_lacks_memory_programs_wait);
#endif
	TEST(programs_find_the_limit_on_descriptors_that_this_process_found);
	TEST(many_run_at_the_same_time);
	TEST(all_output_is_delivered_before_the_end);
	TEST(orders_survive_being_written_and_read);
}
