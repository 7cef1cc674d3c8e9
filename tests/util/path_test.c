/* SPDX-License-Identifier: MIT */
/* The standard paths. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "util/err.h"
#include "util/path.h"

static void
expect(const char *want)
{
	struct err err = ERR_INIT;
	char *path = path_database(&err);

	ck_assert_msg(path != NULL, "%s", err.msg);
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

/* As cron and containers start programs; /tmp is where anybody can be first. */
START_TEST(without_a_home_the_password_database_has_one)
{
	const struct passwd *nobody = getpwnam("nobody");
	static const char *const homes[] = {NULL, "", "not/absolute"};
	char want[200];
	size_t i;

	unsetenv("STATE_DIRECTORY");
	ck_assert_ptr_nonnull(nobody);
	snprintf(want, sizeof(want), "%s/.local/state/flowrra/flowrra.db",
		 nobody->pw_dir);
	if (geteuid() != 0 ||
	    setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid) != 0)
		return;
	setenv("XDG_STATE_HOME", "not/absolute", 1);
	for (i = 0; i < 3; i++) {
		if (homes[i] != NULL)
			setenv("HOME", homes[i], 1);
		else
			unsetenv("HOME");
		expect(want);
	}
}
END_TEST

START_TEST(an_account_without_a_home_is_refused_with_the_remedy)
{
	struct err err = ERR_INIT;

	unsetenv("STATE_DIRECTORY");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	if (geteuid() != 0 || setresuid(4711, 4711, 4711) != 0)
		return;
	ck_assert_ptr_null(path_database(&err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "set HOME or XDG_STATE_HOME"));
}
END_TEST

#define ME 4711
#define OTHER 4712

/* What is prepared below a directory that is like /tmp. */
static const struct {
	const char *dir; /* made last, with its owner and mode */
	uid_t owner;
	mode_t mode;
	const char *link_to; /* it is a link to this directory, of ours */
	const char *refused; /* NULL: it is not */
} prepared[] = {
    {NULL, 0, 0, NULL, NULL},
    {".local/state/flowrra", ME, 0700, NULL, NULL},
    {".local/state/flowrra", 0, 0755, NULL, NULL},
    {".local/state/flowrra", OTHER, 0777, NULL, "belongs to another user"},
    {".local/state/flowrra", ME, 0777, NULL, "writable by every user"},
    {".local/state/flowrra", ME, 01777, NULL, "writable by every user"},
    {".local/state", OTHER, 0777, NULL, "belongs to another user"},
    {".local", OTHER, 0777, NULL, "belongs to another user"},
    {".local", ME, 0777, NULL, "writable by every user"},
    {".local", OTHER, 0, "mine", "is a link of another user"},
    {".local", ME, 0, "mine", NULL},
};

static void
prepare(const char *home, int i)
{
	char command[600];

	if (prepared[i].dir == NULL)
		return;
	snprintf(command, sizeof(command),
		 "cd %s && mkdir -m 755 mine && chown %d mine && d=%s &&"
		 "{ case $d in */*) mkdir -p ${d%%/*} && chown -R %d .local;;"
		 "esac; } && if test -n '%s'; then ln -s %s $d; else mkdir $d "
		 "&& chmod %o $d; fi && chown -h %u $d",
		 home, ME, prepared[i].dir, ME,
		 prepared[i].link_to != NULL ? prepared[i].link_to : "",
		 prepared[i].link_to != NULL ? prepared[i].link_to : "",
		 (unsigned int)prepared[i].mode,
		 (unsigned int)prepared[i].owner);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(a_directory_of_others_is_refused)
{
	char home[] = "/tmp/flowrra-path-XXXXXX", dir[100];
	struct err err = ERR_INIT;
	char *got;

	if (geteuid() != 0)
		return;
	umask(022);
	ck_assert_ptr_nonnull(mkdtemp(home));
	ck_assert_int_eq(chmod(home, 01777), 0);
	prepare(home, _i);
	unsetenv("STATE_DIRECTORY");
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", home, 1);
	snprintf(dir, sizeof(dir), "%s/.local/state/flowrra", home);
	ck_assert_int_eq(seteuid(ME), 0);
	got = path_state_dir(&err);
	if (prepared[_i].refused == NULL) {
		ck_assert_msg(got != NULL, "%s", err.msg);
		ck_assert_str_eq(got, dir);
		ck_assert_msg(path_make_dir(dir, &err) == 0, "%s", err.msg);
	} else {
		ck_assert_ptr_null(got);
		ck_assert_int_eq(err.code, ERR_REFUSED);
		ck_assert_msg(strstr(err.msg, prepared[_i].refused) != NULL,
			      "%s", err.msg);
		/* As if it had been made after the first look. */
		ck_assert_int_eq(path_make_dir(dir, &err), -1);
	}
	free(got);
	ck_assert_int_eq(seteuid(0), 0);
	snprintf(dir, sizeof(dir), "rm -rf %s", home);
	ck_assert_int_eq(system(dir), 0);
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
	const bool root = geteuid() == 0;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a/b", dir);
	snprintf(want, sizeof(want),
		 "no: Permission denied; make %s writable (chmod u+rwx), or "
		 "set [x] dir",
		 dir);
	ck_assert_str_eq(hint(EACCES, path), want);
	rmdir(dir);
	if (root)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_ptr_nonnull(
	    strstr(hint(EACCES, "/nowhere/x"),
		   "; / belongs to user 0 (root), but this process runs as "
		   "user "));
	ck_assert_ptr_nonnull(strstr(hint(EROFS, "/x"), "ReadWritePaths="));
	ck_assert_ptr_nonnull(strstr(hint(ENOSPC, "/x"), "; make room"));
	ck_assert_str_eq(hint(EINVAL, "/x"), "no: Invalid argument");
	ck_assert_int_eq(path_hint("/x", "y", NULL), -1);
	/* A process that has had two users is closed to its leak checker. */
	if (root)
		ck_assert(seteuid(0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
}
END_TEST

SUITE("path")
{
	TEST(systemd_says_where);
	TEST(root_has_one_for_the_system);
	TEST(a_user_has_one_of_their_own);
	TEST(without_a_home_the_password_database_has_one);
	TEST(an_account_without_a_home_is_refused_with_the_remedy);
	TEST_LOOP(a_directory_of_others_is_refused, 0,
		  sizeof(prepared) / sizeof(prepared[0]));
	TEST(a_directory_is_made_for_its_owner_only);
	TEST(what_could_not_be_made_is_told_with_what_helps);
}
