/* SPDX-License-Identifier: MIT */
/*
 * SQLite's own files, without the flush of a directory that nobody needs.
 *
 * A connection of SQLite flushes the directory of its write-ahead log when it first
 * writes into it, since it may have made the log. A producer that lives for one
 * submission would pay for two flushes each time. So a log that is there is opened as
 * one that is there.
 *
 * What makes that safe: a log in which there is something is in a directory that was
 * flushed. A connection that makes a log, or finds an empty one (the process that made it
 * may have been killed), flushes the directory before it writes into the log.
 */
#ifndef SQLITE_VFS_H
#define SQLITE_VFS_H

/* The name to give to sqlite3_open_v2(). SQLite must be loaded. NULL: memory ran out, and
 * SQLite's default does. Any thread may call it. */
const char *vfs_name(void);

#endif
