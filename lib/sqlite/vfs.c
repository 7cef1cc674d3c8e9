/* SPDX-License-Identifier: MIT */
/* SQLite's own files, without the flush of a directory that nobody needs. */
#include "sqlite/vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loaded/sqlite3.h"

/* No other program's: a process may use SQLite for its own matters, too. */
#define VFS_NAME "flowrra"

static sqlite3_vfs *vfs_default;
static bool vfs_registered;

/* As SQLite does, which goes on if it fails: there are file systems that cannot. */
static void
vfs_flush_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash != NULL && slash > path
			? strndup(path, (size_t)(slash - path))
			: strdup(slash != NULL ? "/" : ".");
	const int fd =
	    dir != NULL ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(dir);
}

static int
vfs_open_log(const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	sqlite3_int64 size;
	int status = SQLITE_CANTOPEN;

	if (access(name, F_OK) == 0)
		status =
		    vfs_default->xOpen(vfs_default, name, file,
				       flags & ~SQLITE_OPEN_CREATE, ret_flags);
	if (status != SQLITE_OK)
		status = vfs_default->xOpen(vfs_default, name, file, flags,
					    ret_flags);
	if (status == SQLITE_OK &&
	    (file->pMethods->xFileSize(file, &size) != SQLITE_OK || size == 0))
		vfs_flush_directory(name);
	return status;
}

static int
vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
	 int *ret_flags)
{
	const int made_log = SQLITE_OPEN_WAL | SQLITE_OPEN_CREATE;

	if ((flags & made_log) == made_log)
		return vfs_open_log(name, file, flags, ret_flags);
	return vfs_default->xOpen(vfs_default, name, file, flags, ret_flags);
}

static void
vfs_register(void)
{
	static sqlite3_vfs vfs;

	if ((vfs_default = sqlite3_vfs_find(NULL)) == NULL)
		return;
	vfs = *vfs_default;
	vfs.zName = VFS_NAME;
	vfs.pNext = NULL;
	vfs.xOpen = vfs_open;
	vfs_registered = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}

const char *
vfs_name(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, vfs_register);
	return vfs_registered ? VFS_NAME : NULL;
}
