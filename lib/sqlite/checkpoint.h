/* SPDX-License-Identifier: MIT */
/* Moves the write-ahead log into the file, in the I/O thread. */
#ifndef SQLITE_CHECKPOINT_H
#define SQLITE_CHECKPOINT_H

#include <stdbool.h>

struct sqlite3;
struct tx;

/* How long readers are waited for, with the writers' lock. Reads of ours take some
 * milliseconds. */
#define CHECKPOINT_WAIT_MS 100
/* A longer log (400 KiB) is not left by the last process that has the file: who
 * opens it next reads the log from its beginning, page by page. Without a worker
 * each submission is such a process, and adds five pages: twenty of them share the
 * three flushes of moving the log, and read 50 pages on average. */
#define CHECKPOINT_LEFT_PAGES 100

/* For sqlite3_wal_hook(), with the struct tx: how long the log is after each
 * commit. It replaces SQLite's own checkpoint. */
int checkpoint_on_commit(void *tx, struct sqlite3 *db, const char *schema,
			 int pages);
/* Moves the log, if it has grown long; `all`: however short. */
void checkpoint_if_long(struct tx *tx, bool all);
/* Moves it and cuts it off, if no reader keeps it. */
void checkpoint_truncate(struct tx *tx);

#endif
