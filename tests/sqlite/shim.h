/* SPDX-License-Identifier: MIT */
/*
 * A file system that fails when it is told to: it stands between SQLite and
 * the real one, as the default VFS of this process.
 */
#ifndef TESTS_SQLITE_SHIM_H
#define TESTS_SQLITE_SHIM_H

enum shim_fault {
	SHIM_NONE,
	SHIM_FULL,     /* writes: no room on the disk */
	SHIM_IOERR,    /* writes and flushes: an I/O error */
	SHIM_READONLY, /* opening for writing */
	SHIM_CUT,      /* the process is killed in the middle of a write */
	SHIM_POWER,    /* the same, and the log is as it was last flushed */
	SHIM_FREEZE    /* the process is stopped before a write, or a flush */
};

void shim_install(void);
/* Lets the fault come with the n-th operation from now on (1: the next), and
 * `times` times in all; -1: until it is told otherwise. */
void shim_fail(enum shim_fault fault, int nth, int times);
/* Operations that could have failed, since shim_install() or shim_fail(). */
int shim_operations(void);
/* How often it has failed since then. */
int shim_failures(void);

#endif
