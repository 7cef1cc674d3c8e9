/* SPDX-License-Identifier: MIT */
/*
 * Whether a module's file can be trusted: only root and the user who runs the
 * worker may be able to change what is loaded. The rules resemble those of
 * sshd's StrictModes; loader.h says where they are laxer, and why.
 */
#include "module/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/err.h"

/* The messages name the command that helps: most files that fail were copied by
 * hand. */
static int
check_file(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_sys(err, ERR_CONFIG, "cannot inspect it");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "%s is not a regular file",
			       path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(err, ERR_REFUSED,
			       "%s belongs to user %u; it must belong to root "
			       "or to user %u, who runs it (run chown on it)",
			       path, st.st_uid, geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(
		    err, ERR_REFUSED,
		    "%s is writable by %s; only its owner may write to it (run "
		    "chmod go-w on it)",
		    path, st.st_mode & S_IWOTH ? "every user" : "its group");
	return 0;
}

/* Who can write to a directory can put another file, or another directory, in
 * the place of what is in it; so all of them up to the root count. */
static int
check_directories(const char *path, struct err *err)
{
	char *dir = strdup(path), *slash;
	struct stat st;
	int r = 0;

	if (dir == NULL)
		return err_nomem(err);
	while (r == 0 && (slash = strrchr(dir, '/')) != NULL) {
		*slash = '\0';
		if (stat(slash == dir ? "/" : dir, &st) != 0)
			r = err_sys(err, ERR_CONFIG, "cannot inspect %s", dir);
		else if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
			r = err_set(err, ERR_REFUSED,
				    "its directory %s is writable by every "
				    "user (run chmod o-w on it)",
				    slash == dir ? "/" : dir);
	}
	free(dir);
	return r;
}

/* Links are resolved first, and the checks look at what they lead to; a link
 * itself belongs to a directory that is checked, too. */
char *
file_check(const char *path, struct err *err)
{
	char *real;

	if (path[0] != '/') {
		err_set(err, ERR_CONFIG, "its path must begin with \"/\"");
		return NULL;
	}
	if ((real = realpath(path, NULL)) == NULL) {
		err_sys(err, ERR_CONFIG, "cannot find it");
		return NULL;
	}
	if (check_file(real, err) != 0 || check_directories(real, err) != 0) {
		free(real);
		return NULL;
	}
	return real;
}
