/* SPDX-License-Identifier: MIT */
/* Which daemons run, as they tell it, and what others could put there. */
#include "util/running.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "util/err.h"

static struct running_list list;

/* The directory of one that a unit has, in the test's own. */
static void
begin(void)
{
	char path[4200];

	snprintf(path, sizeof(path), "/run/other:%s/flowrra", suite_scratch());
	ck_assert_int_eq(mkdir("flowrra", 0755), 0);
	setenv("RUNTIME_DIRECTORY", path, 1);
	unsetenv("XDG_RUNTIME_DIR");
}

static char program[] = "flowrrad", user[] = "anna", unit[] = "a.service",
	    since[] = "today", mode[] = RUNNING_SERVICES,
	    tasks[] = "redis://h:6379/0", none[] = "",
	    configuration[] = "/a\npid=1";

static const struct running me = {.program = program,
				  .user = user,
				  .unit = unit,
				  .since = since,
				  .mode = mode,
				  .tasks = tasks,
				  .results = tasks,
				  .schedules = none,
				  .configuration = configuration};

static struct running_file *
tell(void)
{
	struct err err;
	struct running_file *file = running_tell(&me, &err);

	ck_assert_msg(file != NULL, "%s", err.msg);
	return file;
}

/* Those of this test: others may run on the machine. */
static size_t
count(void)
{
	size_t i, n = 0;

	running_list_done(&list);
	running_find(&list);
	for (i = 0; i < list.n; i++)
		n += strcmp(list.items[i].user, "anna") == 0;
	return n;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(what_is_told_is_found_until_it_is_withdrawn)
{
	struct running_file *file;
	struct stat st;
	char name[64];

	begin();
	umask(077);
	ck_assert_uint_eq(count(), 0);
	file = tell();
	ck_assert_uint_eq(count(), 1);
	ck_assert_int_eq(list.items[0].pid, getpid());
	ck_assert_str_eq(list.items[0].tasks, "redis://h:6379/0");
	ck_assert_str_eq(list.items[0].schedules, "");
	/* What is in a value does not become a line. */
	ck_assert_str_eq(list.items[0].configuration, "/a?pid=1");
	/* Others may read it. */
	snprintf(name, sizeof(name), "flowrra/where/flowrrad.%d", getpid());
	ck_assert_int_eq(stat(name, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0644);
	ck_assert_int_eq(stat("flowrra/where", &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0755);
	running_withdraw(file);
	ck_assert_uint_eq(count(), 0);
	ck_assert_int_ne(access(name, F_OK), 0);
}
END_TEST

START_TEST(one_that_was_killed_does_not_count_and_is_removed)
{
	struct running_file *file;
	int said[2];
	char c, name[64];
	pid_t pid;

	begin();
	ck_assert_int_eq(pipe(said), 0);
	if ((pid = fork()) == 0) {
		tell();
		if (write(said[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	ck_assert_int_eq(read(said[0], &c, 1), 1);
	ck_assert_uint_eq(count(), 1);
	ck_assert_int_eq(list.items[0].pid, pid);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_uint_eq(count(), 0);
	snprintf(name, sizeof(name), "flowrra/where/flowrrad.%d", pid);
	ck_assert_int_eq(access(name, F_OK), 0);
	file = tell();
	ck_assert_int_ne(access(name, F_OK), 0);
	ck_assert_uint_eq(count(), 1);
	running_withdraw(file);
}
END_TEST

/* A lock that each reader can have must not keep a file alive. */
START_TEST(a_reader_s_lock_makes_nothing_live)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int said[2], fd;
	char name[64], c;
	pid_t pid;

	begin();
	ck_assert_int_eq(pipe(said), 0);
	if ((pid = fork()) == 0) {
		tell();
		if (write(said[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	ck_assert_int_eq(read(said[0], &c, 1), 1);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	snprintf(name, sizeof(name), "flowrra/where/flowrrad.%d", pid);
	ck_assert_int_ge(fd = open(name, O_RDONLY | O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
	ck_assert_uint_eq(count(), 0);
	close(fd);
}
END_TEST

/* A process that lives has locked it, and it is not one. */
static void
put_locked(const char *name, const char *text)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd;

	put(name, text);
	ck_assert_int_ge(fd = open(name, O_RDWR | O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
}

START_TEST(what_is_not_such_a_file_is_passed_over)
{
	struct running_file *file;
	char long_line[70000];

	begin();
	file = tell();
	memset(long_line, 'x', sizeof(long_line));
	long_line[sizeof(long_line) - 1] = '\0';
	put_locked("flowrra/where/empty", "");
	put_locked("flowrra/where/garbage", "\1\2=\3\n=\n==\n\nuser=anna\n");
	put_locked("flowrra/where/long", long_line);
	put_locked("flowrra/where/some", "pid=5\nprogram=flowrrad\nuser=anna");
	put_locked("elsewhere", "pid=5\nuser=anna\n");
	ck_assert_int_eq(symlink("../../elsewhere", "flowrra/where/link"), 0);
	ck_assert_int_eq(mkfifo("flowrra/where/fifo", 0644), 0);
	ck_assert_int_eq(mkdir("flowrra/where/directory", 0755), 0);
	ck_assert_uint_eq(count(), 1);
	running_withdraw(file);
}
END_TEST

/* The services' user could point root elsewhere. */
START_TEST(a_link_in_the_place_of_the_directory_is_not_followed)
{
	struct err err;

	begin();
	ck_assert_int_eq(mkdir("target", 0755), 0);
	ck_assert_int_eq(symlink("../target", "flowrra/where"), 0);
	ck_assert_ptr_null(running_tell(&me, &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	ck_assert_int_eq(rmdir("target"), 0);
}
END_TEST

START_TEST(a_file_of_another_user_does_not_count)
{
	struct running_file *file;
	char name[64];

	if (geteuid() != 0)
		return;
	begin();
	file = tell();
	snprintf(name, sizeof(name), "flowrra/where/flowrrad.%d", getpid());
	ck_assert_int_eq(chown(name, 4711, 4711), 0);
	ck_assert_uint_eq(count(), 0);
	ck_assert_int_eq(chown("flowrra/where", 4711, 4711), 0);
	ck_assert_uint_eq(count(), 1);
	running_withdraw(file);
}
END_TEST

/* It would be root's, and the services could not tell of themselves. */
START_TEST(a_directory_that_root_makes_is_of_the_services_user)
{
	struct running_file *file;
	struct stat st;

	if (geteuid() != 0)
		return;
	begin();
	ck_assert_int_eq(chown("flowrra", 4711, 4712), 0);
	file = tell();
	ck_assert_int_eq(stat("flowrra/where", &st), 0);
	ck_assert_uint_eq(st.st_uid, 4711);
	ck_assert_uint_eq(st.st_gid, 4712);
	running_withdraw(file);
}
END_TEST

START_TEST(without_a_directory_nothing_is_told)
{
	struct err err;

	begin();
	ck_assert_int_eq(rmdir("flowrra"), 0);
	ck_assert_ptr_null(running_tell(&me, &err));
	ck_assert_int_eq(err.code, ERR_NONE);
}
END_TEST

SUITE("running")
{
	TEST(what_is_told_is_found_until_it_is_withdrawn);
	TEST(one_that_was_killed_does_not_count_and_is_removed);
	TEST(a_reader_s_lock_makes_nothing_live);
	TEST(what_is_not_such_a_file_is_passed_over);
	TEST(a_link_in_the_place_of_the_directory_is_not_followed);
	TEST(a_file_of_another_user_does_not_count);
	TEST(a_directory_that_root_makes_is_of_the_services_user);
	TEST(without_a_directory_nothing_is_told);
}
