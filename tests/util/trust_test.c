/* SPDX-License-Identifier: MIT */
/* The way to a file: who could exchange a part of it. The other user is 65534;
 * only root can give files away, so these run as root. */
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
#include "util/trust.h"

#define OTHER 65534

static char root[32];

/* "<root>/<name>", one of four at a time. */
static const char *
at(const char *name)
{
	static char paths[4][96];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

static void
make_file(const char *path)
{
	const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void
open_scene(void)
{
	umask(022);
	strcpy(root, "/tmp/flowrra-trust-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(chmod(root, 0755), 0);
	ck_assert_int_eq(mkdir(at("d"), 0755), 0);
	make_file(at("d/file"));
}

static void
close_scene(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

static void
refused(const char *path, const char *text)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(trust_check(path, false, &err), -1);
	ck_assert_msg(strstr(err.msg, text) != NULL, "%s", err.msg);
}

static void
accepted(const char *path, const char *leads_to)
{
	struct err err = ERR_INIT;
	struct stat walked, named;
	struct trust t;

	ck_assert_msg(trust_walk(path, false, &t, &err) == 0, "%s", err.msg);
	ck_assert_msg(trust_check_file(&t, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(t.path, leads_to);
	ck_assert_int_eq(fstat(t.fd, &walked), 0);
	ck_assert_int_eq(stat(t.path, &named), 0);
	ck_assert_uint_eq(walked.st_ino, named.st_ino);
	trust_done(&t);
}

START_TEST(links_and_dots_are_followed_to_the_real_path)
{
	open_scene();
	ck_assert_int_eq(symlink("d/../d/./file", at("relative")), 0);
	ck_assert_int_eq(symlink(at("d"), at("absolute")), 0);
	accepted(at("d/file"), at("d/file"));
	accepted(at("relative"), at("d/file"));
	accepted(at("absolute//file"), at("d/file"));
	accepted(at("d/../absolute/../d/file"), at("d/file"));
	refused(at("d/file/more"), "Not a directory");
	refused(at("none/file"), "No such file");
	refused(at("d"), "not a regular file");
	refused("/", "not a regular file");
	/* From the working directory, as a shell would. */
	ck_assert_int_eq(chdir(root), 0);
	ck_assert_int_eq(trust_check("d/file", false, NULL), 0);
	refused("none/file", "No such file");
	ck_assert_int_eq(symlink("circle", at("circle")), 0);
	refused(at("circle"), "Too many levels");
	close_scene();
}
END_TEST

START_TEST(every_directory_counts)
{
	open_scene();
	chmod(root, 0775);
	refused(at("d/file"), "writable by its group");
	chmod(root, 0757);
	refused(at("d/file"), "writable by every user");
	chmod(root, 01777);
	accepted(at("d/file"), at("d/file"));
	make_file(at("file"));
	refused(at("file"), "writable by every user");
	chmod(root, 0755);
	chmod(at("d"), 01777);
	refused(at("d/file"), "writable by every user");
	close_scene();
}
END_TEST

START_TEST(nothing_on_the_way_may_be_another_users)
{
	char message[256];

	open_scene();
	ck_assert_int_eq(chown(at("d/file"), OTHER, 0), 0);
	refused(at("d/file"), "belongs to user 65534");
	ck_assert_int_eq(chown(at("d/file"), 0, 0), 0);
	ck_assert_int_eq(chown(at("d"), OTHER, 0), 0);
	refused(at("d/file"), "belongs to user 65534");
	ck_assert_int_eq(chown(at("d"), 0, 0), 0);
	/* In a shared directory anybody may make a link to our file. */
	chmod(root, 01777);
	ck_assert_int_eq(symlink("d", at("link")), 0);
	accepted(at("link/file"), at("d/file"));
	ck_assert_int_eq(lchown(at("link"), OTHER, 0), 0);
	snprintf(message, sizeof(message),
		 "the link %s belongs to user 65534; it must belong to root, "
		 "who runs this (run chown -h on it)",
		 at("link"));
	refused(at("link/file"), message);
	close_scene();
}
END_TEST

/* Exchanges a directory of ours for one of the attacker's, and back, as fast as
 * it can. */
static _Noreturn void
exchange(void)
{
	const char *good = at("shared/good"), *bad = at("shared/bad"),
		   *way = at("shared/way");

	if (setgid(OTHER) != 0 || setuid(OTHER) != 0)
		_exit(1);
	for (;;) {
		unlink(way);
		if (symlink(good, way) != 0)
			_exit(1);
		unlink(way);
		if (symlink(bad, way) != 0)
			_exit(1);
	}
}

/* The attacker wins each race with those who look at a path, and then use it. */
START_TEST(no_exchange_on_the_way_is_missed)
{
	struct err err = ERR_INIT;
	struct trust t;
	pid_t attacker;
	int i;

	open_scene();
	ck_assert_int_eq(mkdir(at("shared"), 0777), 0);
	chmod(at("shared"), 01777);
	ck_assert_int_eq(mkdir(at("shared/good"), 0755), 0);
	make_file(at("shared/good/file"));
	ck_assert_int_eq(mkdir(at("shared/bad"), 0755), 0);
	make_file(at("shared/bad/file"));
	ck_assert_int_eq(chown(at("shared/bad"), OTHER, 0), 0);
	if ((attacker = fork()) == 0)
		exchange();
	for (i = 0; i < 20000; i++) {
		if (trust_walk(at("shared/way/file"), false, &t, &err) == 0)
			ck_abort_msg("accepted %s", t.path);
		ck_assert_ptr_null(strstr(err.msg, "out of memory"));
	}
	ck_assert_int_eq(kill(attacker, SIGKILL), 0);
	ck_assert_int_eq(waitpid(attacker, NULL, 0), attacker);
	close_scene();
}
END_TEST

/* As a user, root's files are fine, and those of the user. */
START_TEST(a_user_trusts_root_and_themselves)
{
	int status;
	pid_t pid;

	open_scene();
	ck_assert_int_eq(mkdir(at("d/mine"), 0755), 0);
	make_file(at("d/mine/file"));
	ck_assert_int_eq(chown(at("d/mine"), OTHER, 0), 0);
	ck_assert_int_eq(chown(at("d/mine/file"), OTHER, 0), 0);
	refused(at("d/mine/file"), "must belong to root, who runs this");
	if ((pid = fork()) == 0) {
		if (setgid(OTHER) != 0 || setuid(OTHER) != 0)
			_exit(2);
		_exit(trust_check(at("d/mine/file"), false, NULL) == 0 &&
			      trust_check(at("d/file"), false, NULL) == 0
			  ? 0
			  : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close_scene();
}
END_TEST

SUITE("trust")
{
	TEST(links_and_dots_are_followed_to_the_real_path);
	TEST(every_directory_counts);
	TEST(nothing_on_the_way_may_be_another_users);
	TEST(no_exchange_on_the_way_is_missed);
	TEST(a_user_trusts_root_and_themselves);
}
