/* SPDX-License-Identifier: MIT */
/* A VFS that fails when it is told to. */
#include "sqlite/shim.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536

struct shim_file {
	sqlite3_file pub;
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
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

/* The log as it was flushed last; there is one connection in the process. */
static struct {
	sqlite3_file *real;
	char path[256];
	char *p;
	sqlite3_int64 len;
} flushed;

static void
note_flushed(void)
{
	free(flushed.p);
	flushed.p = NULL;
	if (flushed.real->pMethods->xFileSize(flushed.real, &flushed.len) !=
		SQLITE_OK ||
	    flushed.len == 0)
		return;
	flushed.p = malloc((size_t)flushed.len);
	if (flushed.p == NULL ||
	    flushed.real->pMethods->xRead(flushed.real, flushed.p,
					  (int)flushed.len, 0) != SQLITE_OK)
		abort();
}

/* The log goes back to what the disk surely has; the shared memory is gone. */
static void
cut_power(void)
{
	size_t len = strlen(flushed.path);
	sqlite3_int64 at;
	int n;

	if (flushed.real != NULL) {
		flushed.real->pMethods->xTruncate(flushed.real, 0);
		/* SQLite's own file system takes no more than this at once. */
		for (at = 0; at < flushed.len; at += n) {
			n = flushed.len - at < CHUNK ? (int)(flushed.len - at)
						     : CHUNK;
			flushed.real->pMethods->xWrite(flushed.real,
						       flushed.p + at, n, at);
		}
		memcpy(flushed.path + len - 3, "shm", 3);
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
	int what = atomic_load(&fault), status;

	if (what != SHIM_FULL && is_hit()) {
		if (what == SHIM_POWER)
			cut_power();
		if (what == SHIM_CUT)
			kill(getpid(), SIGKILL);
		if (what != SHIM_FREEZE)
			return SQLITE_IOERR_FSYNC;
		kill(getpid(), SIGSTOP);
	}
	status = real->pMethods->xSync(real, flags);
	if (what == SHIM_POWER && real == flushed.real)
		note_flushed();
	return status;
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

	if (real == flushed.real)
		flushed.real = NULL;
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
	if ((shim->real = calloc(1, (size_t)real_vfs->szOsFile)) == NULL)
		return SQLITE_NOMEM;
	status = real_vfs->xOpen(real_vfs, name, shim->real, flags, out_flags);
	if (status != SQLITE_OK)
		free(shim->real);
	else
		shim->pub.pMethods = &methods;
	if (status == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) {
		flushed.real = shim->real;
		strncpy(flushed.path, name, sizeof(flushed.path) - 1);
		/* What an earlier process wrote, it has flushed, or we do not
		 * count on it. */
		note_flushed();
	}
	return status;
}

void
shim_install(void)
{
	static sqlite3_vfs vfs;

	sqlite3_initialize();
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "shim";
	vfs.szOsFile = sizeof(struct shim_file);
	vfs.pNext = NULL;
	vfs.xOpen = shim_open;
	sqlite3_vfs_register(&vfs, 1);
}
