/* SPDX-License-Identifier: MIT */
/* The standard paths. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "util/err.h"
#include "util/path.h"

static void
expect(const char *want)
{
	char *path = path_database();

	ck_assert_str_eq(path, want);
	free(path);
}

START_TEST(systemd_says_where)
{
	setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", 1);
	expect("/var/lib/a/flowrra.db");
}
END_TEST

START_TEST(root_has_one_for_the_system)
{
	unsetenv("STATE_DIRECTORY");
	setenv("XDG_STATE_HOME", "/elsewhere", 1);
	if (geteuid() == 0)
		expect("/var/lib/flowrra/flowrra.db");
}
END_TEST

START_TEST(a_user_has_one_of_their_own)
{
	unsetenv("STATE_DIRECTORY");
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
		return;
	setenv("XDG_STATE_HOME", "/state", 1);
	expect("/state/flowrra/flowrra.db");
	setenv("XDG_STATE_HOME", "not/absolute", 1);
	setenv("HOME", "/home/anna", 1);
	expect("/home/anna/.local/state/flowrra/flowrra.db");
}
END_TEST

START_TEST(a_directory_is_made_for_its_owner_only)
{
	char dir[] = "/tmp/flowrra-path-XXXXXX", path[64];
	struct err err = ERR_INIT;
	struct stat st;

	umask(022);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a/b", dir);
	ck_assert_int_eq(path_make_dir(path, &err), 0);
	ck_assert_int_eq(path_make_dir(path, &err), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	rmdir(path);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0755);
	rmdir(path);
	rmdir(dir);
	ck_assert_int_ne(path_make_dir("/dev/null/x", &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "/dev/null/x"));
}
END_TEST

/* The error of a call that has failed with `sys`, and what is added to it. */
static const char *
hint(int sys, const char *path)
{
	static struct err err;

	errno = sys;
	err_sys(&err, ERR_SYSTEM, "no");
	ck_assert_int_eq(path_hint(path, "[x] dir", &err), -1);
	return err.msg;
}

START_TEST(what_could_not_be_made_is_told_with_what_helps)
{
	char dir[] = "/tmp/flowrra-path-XXXXXX", path[64], want[160];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a/b", dir);
	snprintf(want, sizeof(want),
		 "no: Permission denied; make %s writable (chmod u+rwx), or "
		 "set [x] dir",
		 dir);
	ck_assert_str_eq(hint(EACCES, path), want);
	rmdir(dir);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_ptr_nonnull(
	    strstr(hint(EACCES, "/nowhere/x"),
		   "; / belongs to user 0 (root), but this process runs as "
		   "user "));
	ck_assert_ptr_nonnull(strstr(hint(EROFS, "/x"), "ReadWritePaths="));
	ck_assert_ptr_nonnull(strstr(hint(ENOSPC, "/x"), "; make room"));
	ck_assert_str_eq(hint(EINVAL, "/x"), "no: Invalid argument");
	ck_assert_int_eq(path_hint("/x", "y", NULL), -1);
}
END_TEST

SUITE("path")
{
	TEST(systemd_says_where);
	TEST(root_has_one_for_the_system);
	TEST(a_user_has_one_of_their_own);
	TEST(a_directory_is_made_for_its_owner_only);
	TEST(what_could_not_be_made_is_told_with_what_helps);
}
