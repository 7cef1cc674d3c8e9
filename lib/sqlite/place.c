/* SPDX-License-Identifier: MIT */
/*
 * Where the database file lies: whether it is there and ours to use, else its
 * directory and an empty file are made. SQLite would fail later, with less to
 * say: a wrong owner, a directory in between, a mistyped path.
 *
 * Nothing here may open and close the database's path on its own: by POSIX, to
 * close any descriptor of a file drops all locks that the process has on it.
 */
#include "sqlite/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite/database.h"
#include "sqlite/file.h"
#include "sqlite/owner.h"
#include "util/err.h"
#include "util/path.h"

static const char SCHEME[] = "sqlite://";

/* Nobody has typed it: where the database is by default, or with --user. */
static bool
place_is_ours(bool is_default, const char *dir)
{
	char *personal = is_default ? NULL : path_personal_dir(NULL);
	const bool ours =
	    is_default || (personal != NULL && strcmp(dir, personal) == 0);

	free(personal);
	return ours;
}

/* What nobody has typed, with all directories above it; else only the last one,
 * so that a mistyped path is an error. */
static int
place_make_dir(const struct tx *tx, struct err *err)
{
	const char *slash = strrchr(tx->path, '/');
	char *dir = strndup(tx->path, (size_t)(slash - tx->path));
	int result = 0;

	if (dir == NULL)
		return err_nomem(err);
	if (place_is_ours(tx->default_place, dir))
		result = path_make_dir(dir, err);
	else if (dir[0] != '\0' && mkdir(dir, 0700) != 0 && errno != EEXIST)
		result = err_sys(err, ERR_CONFIG,
				 "cannot create %s, the directory of the "
				 "database",
				 dir);
	free(dir);
	return result;
}

static int
place_cannot_make(const struct tx *tx, struct err *err)
{
	err_sys(err, ERR_UNAVAILABLE, "cannot create %s", tx->path);
	return path_hint(tx->path, "another path in its URL", err);
}

/*
 * Makes an empty file that only its owner may read. Under another name first:
 * to close a descriptor of the database would drop the locks that another
 * thread of this process may have on it by then.
 */
static int
place_make(const struct tx *tx, struct err *err)
{
	char *temporary = NULL;
	int fd, result = 0;

	if (asprintf(&temporary, "%s.XXXXXX", tx->path) < 0)
		return err_nomem(err);
	if ((fd = mkostemp(temporary, O_CLOEXEC)) < 0) { /* mode 0600 */
		result = place_cannot_make(tx, err);
	} else {
		close(fd);
		if (link(temporary, tx->path) != 0 && errno != EEXIST)
			result = place_cannot_make(tx, err);
		unlink(temporary);
	}
	free(temporary);
	return result;
}

/* A path right below the root is most likely meant to be relative: SQLAlchemy
 * and the Python package read three slashes that way. */
static const char *
place_slashes_hint(const struct tx *tx)
{
	return strrchr(tx->path, '/') == tx->path
		   ? "; sqlite:/// is followed by an absolute path without its "
		     "first slash, so that this file lies in the root directory"
		   : "";
}

static void
place_say_absent(const struct tx *tx, struct err *err)
{
	err_set(err, ERR_NOT_FOUND,
		"there is no database %s; start flowrrad, or flowrra-beat for "
		"schedules, which makes it (your own: flowrractl run)%s",
		tx->path, place_slashes_hint(tx));
	if (err != NULL)
		err->sys = ENOENT;
}

/* The file lies in a directory of another user. Returns -1 and names the first
 * directory on the path that keeps us out, and its owner. */
static int
place_refuse_directory(const struct tx *tx, struct err *err)
{
	char *path = strdup(tx->path), *slash;
	char owner[PATH_USER_SIZE];
	struct stat st;

	while (path != NULL && (slash = strrchr(path, '/')) != NULL &&
	       slash != path) {
		*slash = '\0';
		if (stat(path, &st) == 0)
			break;
	}
	if (path == NULL || path[0] == '\0' || stat(path, &st) != 0) {
		free(path);
		return err_set(err, ERR_REFUSED,
			       "cannot open %s: Permission denied", tx->path);
	}
	path_user_name(st.st_uid, owner);
	err_set(err, ERR_REFUSED,
		"cannot open %s: %s belongs to user %u (%s), and this process "
		"runs as user %u; run it as that user, or name another store",
		tx->path, path, (unsigned int)st.st_uid, owner,
		(unsigned int)geteuid());
	free(path);
	return -1;
}

/* Judges a file that is there. One of another user is refused even if it is
 * writable: the -wal and -shm files that we made beside it would lock its owner
 * out. */
static int
place_judge(const struct tx *tx, const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(
		    err, ERR_CONFIG,
		    "%s is not a regular file; name a file for the tasks",
		    tx->path);
	if (geteuid() == 0)
		return owner_check_root(tx->path, err);
	if (st->st_uid != geteuid())
		return err_set(
		    err, ERR_REFUSED,
		    "%s belongs to user %u, but this process runs as user %u; "
		    "run it as that user, or name another file",
		    tx->path, (unsigned int)st->st_uid,
		    (unsigned int)geteuid());
	if ((st->st_mode & 0600) != 0600)
		return err_set(err, ERR_REFUSED,
			       "%s is read-only; make it writable (chmod 600)",
			       tx->path);
	return 0;
}

int
place_find_or_make(const struct tx *tx, bool create, bool *ret_final,
		   struct err *err)
{
	struct stat st;
	int result;

	if (stat(tx->path, &st) != 0 && errno == ENOENT) {
		if (!create) {
			place_say_absent(tx, err);
			return 1;
		}
		if (place_make_dir(tx, err) != 0 ||
		    (geteuid() == 0 && owner_check_root(tx->path, err) != 0)) {
			*ret_final = true;
			return -1;
		}
		return place_make(tx, err);
	}
	if (stat(tx->path, &st) != 0) {
		*ret_final = errno == EACCES || errno == ENOTDIR;
		if (errno == EACCES)
			return place_refuse_directory(tx, err);
		return err_sys(err, ERR_UNAVAILABLE, "cannot open %s",
			       tx->path);
	}
	result = place_judge(tx, &st, err);
	*ret_final = result != 0;
	return result;
}

int
place_check_url(const char *url, struct err *err)
{
	const bool is_default = url == NULL || url[0] == '\0';
	struct tx tx = {.default_place = is_default};
	bool final = false;
	char *path;
	int result;

	if (geteuid() == 0 ||
	    (!is_default && strncmp(url, SCHEME, strlen(SCHEME)) != 0))
		return 0;
	if ((path = database_path(url, err)) == NULL)
		return -1;
	tx.path = path;
	result = place_find_or_make(&tx, false, &final, err);
	free(path);
	return result < 0 ? -1 : 0;
}

/* Cuts the last part off; false: nothing would be left. */
static bool
place_go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || path[1] == '\0')
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* As place_make_dir(): what may be missing of the directory. */
static int
place_check_dir(const char *path, struct err *err)
{
	char *dir = strdup(path);
	bool ours;
	int r = 0;

	if (dir == NULL)
		return err_nomem(err);
	place_go_up(dir);
	ours = place_is_ours(false, dir);
	if (access(dir, F_OK) != 0)
		place_go_up(dir);
	while (ours && access(dir, F_OK) != 0 && place_go_up(dir))
		;
	if (access(dir, W_OK | X_OK) != 0)
		r = err_sys(err, ERR_CONFIG, "cannot create %s: directory %s",
			    path, dir);
	free(dir);
	return r;
}

int
place_check_makeable(const char *url, struct err *err)
{
	char *path;
	int r = 0;

	if (url == NULL || strncmp(url, SCHEME, strlen(SCHEME)) != 0)
		return 0;
	if ((path = database_path(url, err)) == NULL)
		return -1;
	if (access(path, F_OK) != 0)
		r = place_check_dir(path, err);
	free(path);
	return r;
}
