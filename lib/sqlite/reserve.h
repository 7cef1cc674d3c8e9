/* SPDX-License-Identifier: MIT */
/*
 * Room on the disk that is kept for making room.
 *
 * To delete is to write first: the log grows by what a deletion changes, and
 * only then are pages free. On a full disk nothing could be deleted, then. So a
 * file beside the database holds some blocks, which are given back to the file
 * system when a job that makes room fails for want of it, and taken again after
 * it.
 */
#ifndef SQLITE_RESERVE_H
#define SQLITE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/* Fills the reserve of the database at `path`, unless the disk is too small or
 * too full; its owner becomes that of the database. */
void reserve_fill(const char *path);

/* Enough to open a database: its -shm file. */
#define RESERVE_TO_OPEN 65536
/* Gives blocks back, `bytes` of them or (0) all. Returns whether there were
 * any. */
bool reserve_release(const char *path, size_t bytes);

#endif
