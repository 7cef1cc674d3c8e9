/* SPDX-License-Identifier: MIT */
/* A VFS that fails when it is told to. */
#include "sqlite/shim.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shim_file {
	sqlite3_file pub;
	sqlite3_file *real;
	int is_log;
};

static sqlite3_vfs real_vfs;
static atomic_int fault, countdown, times_left, operations, failures;

void
shim_fail(enum shim_fault what, int nth, int times)
{
	atomic_store(&fault, SHIM_NONE);
	atomic_store(&countdown, nth);
	atomic_store(&times_left, times);
	atomic_store(&operations, 0);
	atomic_store(&failures, 0);
	atomic_store(&fault, (int)what);
}

int
shim_operations(void)
{
	return atomic_load(&operations);
}

int
shim_failures(void)
{
	return atomic_load(&failures);
}

/* Whether this operation is to fail. */
static int
is_hit(void)
{
	int left;

	atomic_fetch_add(&operations, 1);
	if (atomic_load(&fault) == SHIM_NONE ||
	    atomic_fetch_sub(&countdown, 1) > 1)
		return 0;
	if ((left = atomic_load(&times_left)) == 0)
		return 0;
	if (left > 0)
		atomic_store(&times_left, left - 1);
	atomic_fetch_add(&failures, 1);
	return 1;
}

/* --- power cuts -------------------------------------------------------- */

/* The log as it was flushed last, by any connection of the process. Not through SQLite,
 * whose connections come and go; it has no locks on the log. */
struct log_copy {
	char *p;
	off_t len;
};

static struct {
	pthread_mutex_t lock;
	char path[256];
	struct log_copy copy;
} flushed = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct log_copy
log_read(void)
{
	const int fd = open(flushed.path, O_RDONLY | O_CLOEXEC);
	struct log_copy copy = {NULL, lseek(fd, 0, SEEK_END)};

	copy.p = malloc((size_t)copy.len + 1);
	if (fd < 0 || copy.p == NULL ||
	    (copy.len = pread(fd, copy.p, (size_t)copy.len, 0)) < 0)
		abort();
	close(fd);
	return copy;
}

static void
log_set(struct log_copy copy)
{
	free(flushed.copy.p);
	flushed.copy = copy;
}

/* What an earlier process wrote, it has flushed, or we do not count on it. */
static void
log_note_opened(const char *path)
{
	pthread_mutex_lock(&flushed.lock);
	if (strcmp(path, flushed.path) != 0) {
		strncpy(flushed.path, path, sizeof(flushed.path) - 1);
		log_set(log_read());
	}
	pthread_mutex_unlock(&flushed.lock);
}

/* What another thread writes meanwhile, it may not have flushed. */
static int
log_sync(sqlite3_file *real, int flags)
{
	struct log_copy copy;
	int status;

	pthread_mutex_lock(&flushed.lock);
	copy = log_read();
	if ((status = real->pMethods->xSync(real, flags)) == SQLITE_OK)
		log_set(copy);
	else
		free(copy.p);
	pthread_mutex_unlock(&flushed.lock);
	return status;
}

/* The log goes back to what the disk surely has; the shared memory is gone. */
static void
cut_power(void)
{
	int fd;

	pthread_mutex_lock(&flushed.lock);
	if ((fd = open(flushed.path, O_WRONLY | O_TRUNC | O_CLOEXEC)) >= 0) {
		if (write(fd, flushed.copy.p, (size_t)flushed.copy.len) !=
		    flushed.copy.len)
			abort();
		memcpy(flushed.path + strlen(flushed.path) - 3, "shm", 3);
		unlink(flushed.path);
	}
	kill(getpid(), SIGKILL);
	pause();
}

static sqlite3_file *
real_of(sqlite3_file *file)
{
	return ((struct shim_file *)(void *)file)->real;
}

static int
shim_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	sqlite3_file *real = real_of(file);

	if (!is_hit())
		return real->pMethods->xWrite(real, p, n, at);
	switch (atomic_load(&fault)) {
	case SHIM_FULL:
		return SQLITE_FULL;
	case SHIM_POWER:
		cut_power();
		return SQLITE_IOERR_WRITE;
	case SHIM_FREEZE:
		kill(getpid(), SIGSTOP);
		return real->pMethods->xWrite(real, p, n, at);
	case SHIM_CUT:
		real->pMethods->xWrite(real, p, n / 2, at);
		kill(getpid(), SIGKILL);
		pause();
		return SQLITE_IOERR_WRITE;
	default:
		return SQLITE_IOERR_WRITE;
	}
}

static int
shim_sync(sqlite3_file *file, int flags)
{
	sqlite3_file *real = real_of(file);
	int what = atomic_load(&fault);

	if (what != SHIM_FULL && is_hit()) {
		if (what == SHIM_POWER)
			cut_power();
		if (what == SHIM_CUT)
			kill(getpid(), SIGKILL);
		if (what != SHIM_FREEZE)
			return SQLITE_IOERR_FSYNC;
		kill(getpid(), SIGSTOP);
	}
	if (what == SHIM_POWER && ((struct shim_file *)(void *)file)->is_log)
		return log_sync(real, flags);
	return real->pMethods->xSync(real, flags);
}

#define FORWARD(name, parameters, ...)                                         \
	static int shim_##name parameters                                      \
	{                                                                      \
		sqlite3_file *real = real_of(file);                            \
                                                                               \
		return real->pMethods->x##name(__VA_ARGS__);                   \
	}
FORWARD(Read, (sqlite3_file * file, void *p, int n, sqlite3_int64 at), real, p,
	n, at)
FORWARD(Truncate, (sqlite3_file * file, sqlite3_int64 size), real, size)
FORWARD(FileSize, (sqlite3_file * file, sqlite3_int64 *size), real, size)
FORWARD(Lock, (sqlite3_file * file, int level), real, level)
FORWARD(Unlock, (sqlite3_file * file, int level), real, level)
FORWARD(CheckReservedLock, (sqlite3_file * file, int *out), real, out)
FORWARD(FileControl, (sqlite3_file * file, int op, void *arg), real, op, arg)
FORWARD(SectorSize, (sqlite3_file * file), real)
FORWARD(DeviceCharacteristics, (sqlite3_file * file), real)
FORWARD(ShmMap,
	(sqlite3_file * file, int page, int size, int extend,
	 void volatile **out),
	real, page, size, extend, out)
FORWARD(ShmLock, (sqlite3_file * file, int offset, int n, int flags), real,
	offset, n, flags)
FORWARD(ShmUnmap, (sqlite3_file * file, int drop), real, drop)

static void
shim_barrier(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);

	real->pMethods->xShmBarrier(real);
}

static int
shim_close(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);
	int status = real->pMethods->xClose(real);

	free(real);
	return status;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_Read,
    .xWrite = shim_write,
    .xTruncate = shim_Truncate,
    .xSync = shim_sync,
    .xFileSize = shim_FileSize,
    .xLock = shim_Lock,
    .xUnlock = shim_Unlock,
    .xCheckReservedLock = shim_CheckReservedLock,
    .xFileControl = shim_FileControl,
    .xSectorSize = shim_SectorSize,
    .xDeviceCharacteristics = shim_DeviceCharacteristics,
    .xShmMap = shim_ShmMap,
    .xShmLock = shim_ShmLock,
    .xShmBarrier = shim_barrier,
    .xShmUnmap = shim_ShmUnmap,
};

static int
shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file,
	  int flags, int *out_flags)
{
	struct shim_file *shim = (struct shim_file *)(void *)file;
	int status;

	shim->pub.pMethods = NULL;
	if (atomic_load(&fault) == SHIM_READONLY) {
		if (!(flags & SQLITE_OPEN_MAIN_DB) || !is_hit())
			return SQLITE_CANTOPEN;
		flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
		flags |= SQLITE_OPEN_READONLY;
	}
	if ((shim->real = calloc(1, (size_t)real_vfs.szOsFile)) == NULL)
		return SQLITE_NOMEM;
	status = real_vfs.xOpen(&real_vfs, name, shim->real, flags, out_flags);
	if (status != SQLITE_OK)
		free(shim->real);
	else
		shim->pub.pMethods = &methods;
	shim->is_log = (flags & SQLITE_OPEN_WAL) != 0;
	if (status == SQLITE_OK && shim->is_log)
		log_note_opened(name);
	return status;
}

/* In place: the default may have been taken as the base of another one already. Its files
 * are larger than ours. */
void
shim_install(void)
{
	sqlite3_vfs *vfs;

	sqlite3_initialize();
	vfs = sqlite3_vfs_find(NULL);
	if (vfs->xOpen == shim_open)
		return;
	real_vfs = *vfs;
	vfs->xOpen = shim_open;
}
