/* SPDX-License-Identifier: MIT */
/* Ctrl-Z while this process holds something that others wait for. */
#include "util/suspend.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

/* Children are in process groups of their own, with this process in the same
 * session: so they are not orphans, which the signal would not stop. */
static pid_t
begin_child(int (*main)(int ready, int go), int *ret_ready, int *ret_go)
{
	int ready[2], go[2];
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_ge(pid = fork(), 0);
	if (pid == 0) {
		signal(SIGTSTP, SIG_DFL);
		setpgid(0, 0);
		suspend_defer();
		_exit(main(ready[1], go[0]));
	}
	close(ready[1]);
	close(go[0]);
	*ret_ready = ready[0];
	*ret_go = go[1];
	return pid;
}

static void
tell(int fd)
{
	if (write(fd, "", 1) != 1)
		abort();
}

static void
hear(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		abort();
}

static void
ck_stops(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	kill(pid, SIGCONT);
}

/* A second press of the key may reach it while it stops by the first, and then it stops
 * once more. */
static void
ck_ends_well(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status))
		kill(pid, SIGCONT);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

static int
hold_nothing(int ready, int go)
{
	tell(ready);
	hear(go);
	return 0;
}

START_TEST(who_holds_nothing_stops_at_once_and_each_time)
{
	int ready, go, i;
	pid_t pid = begin_child(hold_nothing, &ready, &go);

	hear(ready);
	for (i = 0; i < 3; i++) {
		kill(pid, SIGTSTP);
		ck_stops(pid);
	}
	tell(go);
	ck_ends_well(pid);
}
END_TEST

/* Only the other thread holds something: the signal is this one's. */
static void *
hold_in_thread(void *arg)
{
	const int *fds = arg;

	suspend_hold();
	tell(fds[0]);
	hear(fds[1]);
	tell(fds[0]); /* not stopped yet */
	suspend_release();
	suspend_hold();
	suspend_release();
	return NULL;
}

static int
hold_something(int ready, int go)
{
	int fds[] = {ready, go};
	pthread_t thread;
	sigset_t stop;

	/* As the threads of the database have it. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	if (pthread_create(&thread, NULL, hold_in_thread, fds) != 0)
		return 1;
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
	pthread_join(thread, NULL);
	return 0;
}

START_TEST(who_holds_something_stops_when_it_is_released)
{
	int ready, go;
	pid_t pid = begin_child(hold_something, &ready, &go);

	hear(ready);
	kill(pid, SIGTSTP);
	kill(pid, SIGTSTP);
	tell(go);
	hear(ready);
	ck_stops(pid);
	ck_ends_well(pid);
}
END_TEST

/* As sh -c "trap '' TSTP; ..." does. */
static int
be_deaf(int ready, int go)
{
	signal(SIGTSTP, SIG_IGN);
	suspend_defer();
	tell(ready);
	hear(go);
	suspend_hold();
	suspend_release();
	return 0;
}

START_TEST(a_signal_that_the_parent_ignores_stays_so)
{
	int ready, go;
	pid_t pid = begin_child(be_deaf, &ready, &go);

	hear(ready);
	kill(pid, SIGTSTP);
	tell(go);
	ck_ends_well(pid);
}
END_TEST

SUITE("suspend")
{
	TEST(who_holds_nothing_stops_at_once_and_each_time);
	TEST(who_holds_something_stops_when_it_is_released);
	TEST(a_signal_that_the_parent_ignores_stays_so);
}
