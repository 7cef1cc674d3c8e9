/* SPDX-License-Identifier: MIT */
/*
 * The write-ahead log: when it is moved into the file (a checkpoint).
 *
 * SQLite would do it within a commit, which a job waits for; here it is done
 * between the transactions. Most of the time nobody notices. A reader keeps the
 * part that it may still read; with always some reader the log never begins again
 * at its start, so now and then a worker waits for them, and has new ones wait.
 *
 * That wait holds the writers' lock, so it is short, and not repeated before the
 * log has grown by as much again: a reader that does not end (a backup, a program
 * that was stopped by Ctrl-Z) costs room on the disk, which "flowrractl doctor"
 * reports with its name, and nobody's submissions.
 */
#include "sqlite/checkpoint.h"

#include "loaded/sqlite3.h"
#include "sqlite/file.h"

/* The log is moved into the file when it has this many pages, twice SQLite's
 * default: 8 MiB, which takes some milliseconds. When it is eight times as long,
 * readers are waited for. */
#define LOG_PAGES 2000
#define LOG_PAGES_MAX (8 * LOG_PAGES)

int
checkpoint_on_commit(void *arg, sqlite3 *db, const char *schema, int pages)
{
	struct tx *tx = arg;

	tx->log_pages = pages;
	tx->log_moved = false;
	/* It began again at its start. */
	if (pages < tx->log_forced)
		tx->log_forced = 0;
	return SQLITE_OK;
}

/* If it fails now, a later one will see to it. */
static void
checkpoint_run(struct tx *tx, int mode)
{
	file_hold(tx);
	tx->patience_ms = CHECKPOINT_WAIT_MS;
	sqlite3_wal_checkpoint_v2(tx->db, NULL, mode, NULL, NULL);
	tx->patience_ms = 0;
	file_release(tx);
}

/* Not by a producer: with a reader that stays, each of them would wait. */
void
checkpoint_if_long(struct tx *tx, bool all)
{
	const bool force =
	    tx->worker && tx->log_pages > tx->log_forced + LOG_PAGES_MAX;

	if (tx->log_pages < (all ? 1 : LOG_PAGES))
		return;
	if (force)
		tx->log_forced = tx->log_pages;
	checkpoint_run(tx, force ? SQLITE_CHECKPOINT_RESTART
				 : SQLITE_CHECKPOINT_PASSIVE);
	tx->log_moved = tx->log_pages >= CHECKPOINT_LEFT_PAGES;
	tx->log_pages = 0; /* the next commit sets it again */
}

void
checkpoint_truncate(struct tx *tx)
{
	checkpoint_run(tx, SQLITE_CHECKPOINT_TRUNCATE);
}
