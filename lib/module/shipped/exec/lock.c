/* SPDX-License-Identifier: MIT */
/* Locks between commands, as files that come and go with them. */
#include "module/shipped/exec/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/err.h"
#include "util/fnv.h"

/* Two keys with one number would only keep each other waiting. */
static char *
lock_path(const char *store, const char *key)
{
	char *path;

	return asprintf(&path, "%s-locks/%016" PRIx64, store,
			fnv_64(FNV_BASIS_64, slice_of(key))) < 0
		   ? NULL
		   : path;
}

/* Beside the store, and not in a worker's own directory: all workers of the store must
 * come to the same file. Nobody else can write there (trust_check_database()). */
static int
lock_make_directory(const char *store, struct err *err)
{
	char *path;
	int r = 0;

	if (asprintf(&path, "%s-locks", store) < 0)
		return err_nomem(err);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		r = err_sys(err, ERR_SYSTEM, "cannot create %s", path);
	free(path);
	return r;
}

/* Who has the lock removes the file in the end: what is locked may not be there any
 * more, and another file of that name in its place. */
static bool
lock_is_there(const char *path, int fd)
{
	struct stat locked, named;

	return fstat(fd, &locked) == 0 && lstat(path, &named) == 0 &&
	       locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

int
lock_take(const char *store, const char *key, int *ret_fd, struct err *err)
{
	char *path = lock_path(store, key);
	int fd, r = -1;

	if (path == NULL)
		return err_nomem(err);
	if (lock_make_directory(store, err) != 0) {
		free(path);
		return -1;
	}
	for (;;) {
		fd =
		    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0) {
			err_sys(err, ERR_SYSTEM, "cannot open the lock %s",
				path);
			break;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			r = errno == EWOULDBLOCK
				? 1
				: err_sys(err, ERR_SYSTEM, "cannot lock %s",
					  path);
			close(fd);
			break;
		}
		if (lock_is_there(path, fd)) {
			*ret_fd = fd;
			r = 0;
			break;
		}
		close(fd);
	}
	free(path);
	return r;
}

/* The spawner may hold it for a moment longer: then the file stays for the next
 * one. It is removed by who has it alone. */
void
lock_release(const char *store, const char *key, int fd)
{
	struct err err = ERR_INIT;
	char *path;

	close(fd);
	if (lock_take(store, key, &fd, &err) != 0)
		return;
	if ((path = lock_path(store, key)) != NULL)
		unlink(path);
	free(path);
	close(fd);
}
