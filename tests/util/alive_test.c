/* SPDX-License-Identifier: MIT */
/* Whether a process lives, as others see it by its locks. */
#include "util/alive.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

static char path[64];

static int
open_file(void)
{
	const int fd = open(path, O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void
begin(void)
{
	int fd;

	strcpy(path, "/tmp/flowrra-alive-XXXXXX");
	ck_assert_int_ge(fd = mkstemp(path), 0);
	close(fd);
}

START_TEST(it_lives_leaves_stays_and_ends)
{
	int fd;

	begin();
	ck_assert_int_eq(alive_ask("/nowhere/at/all"), ALIVE_NO);
	ck_assert_int_eq(alive_ask(path), ALIVE_NO);
	fd = open_file();
	ck_assert_int_eq(alive_ask(path), ALIVE_NO);
	ck_assert_int_eq(alive_begin(fd), 0);
	ck_assert_int_eq(alive_ask(path), ALIVE_RUNNING);
	ck_assert_int_eq(alive_leave(fd, true), 0);
	ck_assert_int_eq(alive_ask(path), ALIVE_LEAVING);
	ck_assert_int_eq(alive_leave(fd, false), 0);
	ck_assert_int_eq(alive_ask(path), ALIVE_RUNNING);
	alive_end(fd);
	ck_assert_int_eq(alive_ask(path), ALIVE_NO);
	ck_assert_int_eq(alive_begin(fd), 0);
	close(fd);
	ck_assert_int_eq(alive_ask(path), ALIVE_NO);
	unlink(path);
}
END_TEST

/* Who asks takes nothing, and another lock on the file does not matter. */
START_TEST(asking_keeps_nobody_from_it)
{
	int fd, other;

	begin();
	fd = open_file();
	other = open_file();
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
	ck_assert_int_eq(alive_ask(path), ALIVE_NO);
	ck_assert_int_eq(alive_begin(fd), 0);
	ck_assert_int_eq(alive_ask(path), ALIVE_RUNNING);
	/* Of two, one is: the other may not begin. */
	ck_assert_int_ne(alive_begin(other), 0);
	close(other);
	ck_assert_int_eq(alive_ask(path), ALIVE_RUNNING);
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(a_kill_ends_it)
{
	int said[2], fd;
	pid_t pid;
	char c;

	begin();
	ck_assert_int_eq(pipe(said), 0);
	if ((pid = fork()) == 0) {
		fd = open_file();
		if (alive_begin(fd) != 0 || alive_leave(fd, true) != 0 ||
		    write(said[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(read(said[0], &c, 1), 1);
	ck_assert_int_eq(alive_ask(path), ALIVE_LEAVING);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(alive_ask(path), ALIVE_NO);
	unlink(path);
}
END_TEST

SUITE("alive")
{
	TEST(it_lives_leaves_stays_and_ends);
	TEST(asking_keeps_nobody_from_it);
	TEST(a_kill_ends_it);
}
