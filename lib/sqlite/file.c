/* SPDX-License-Identifier: MIT */
/*
 * The connection to the database file: opening, transactions, tidiness.
 *
 * The file is in WAL mode: a commit appends to the log, so readers do not wait
 * for writers, and one flush of the log makes it durable. Free pages are given
 * back here rather than inside a commit, where SQLite would do it, so that no job
 * waits for that; checkpoint.c does the same with the log.
 *
 * Whether the file is there, and ours, is place.c's to say. Nothing here may
 * open and close the database's path on its own, for the reason given there.
 */
#include "sqlite/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "loaded/sqlite3.h"
#include "sqlite/checkpoint.h"
#include "sqlite/fault.h"
#include "sqlite/fork_guard.h"
#include "sqlite/identity.h"
#include "sqlite/load.h"
#include "sqlite/place.h"
#include "sqlite/relay.h"
#include "sqlite/reserve.h"
#include "sqlite/vfs.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/suspend.h"

/* What the log file may keep of its size once it was moved: to overwrite it is
 * cheaper than to grow it again. Four times the length at which it is moved. */
#define LOG_SIZE "33554432"
/* Free pages that are kept for what comes (8 MiB), and how many go at a time:
 * few enough that a job which arrives meanwhile does not notice. */
#define FREE_PAGES 2048
#define SHRINK "PRAGMA incremental_vacuum(1024)"
/* The patience with locks when somebody waits for us to end: less than what
 * a person or a service manager calls hung. */
#define HURRY_MS 500

/* --- locks of ours, and of others -------------------------------------- */

/* While a lock is held that others wait for, Ctrl-Z waits, too. */
void
file_hold(struct tx *tx)
{
	if (tx->holding)
		return;
	suspend_hold();
	tx->holding = true;
}

void
file_release(struct tx *tx)
{
	if (!tx->holding)
		return;
	tx->holding = false;
	suspend_release();
}

/*
 * SQLite's busy handler: nonzero to try again. Others hold the lock for one
 * flush, most of the time, which is below a millisecond on a good disk: so look
 * again soon first, and then less often, to leave them the processor.
 */
static int
file_on_busy(void *arg, int tries)
{
	struct tx *tx = arg;
	int64_t now = clock_mono_ms(), patience;
	long us = tries < 12 ? 50 + 25L * tries : tries < 40 ? 1000 : 10000;
	bool begins;

	if (tries == 0)
		tx->waiting_since_ms = now;
	patience = tx->patience_ms != 0	     ? tx->patience_ms
		   : atomic_load(&tx->hurry) ? HURRY_MS
					     : tx->timeout_ms;
	if (now - tx->waiting_since_ms >= patience)
		return 0;
	/* Who begins has no lock yet that a stop could keep from others. */
	begins = tx->holding && tx->patience_ms == 0 &&
		 sqlite3_get_autocommit(tx->db) != 0;
	if (begins)
		file_release(tx);
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
	if (begins)
		file_hold(tx);
	return 1;
}

/* --- opening ----------------------------------------------------------- */

static int
file_exec(struct tx *tx, const char *sql)
{
	return sqlite3_exec(tx->db, sql, NULL, NULL, NULL);
}

static int
file_is_wal(void *arg, int n, char **values, char **names)
{
	*(bool *)arg = values[0] != NULL && strcmp(values[0], "wal") == 0;
	return 0;
}

/* SQLite does not ask the busy handler while it changes the mode, so this loop
 * does. The mode is the file's: it is there at all times but the first. */
static int
file_set_wal(struct tx *tx, struct err *err)
{
	bool wal = false;
	int status, tries = 0;

	do {
		status = sqlite3_exec(tx->db, "PRAGMA journal_mode = WAL",
				      file_is_wal, &wal, NULL);
	} while ((status & 0xff) == SQLITE_BUSY && file_on_busy(tx, tries++));
	if (status != SQLITE_OK)
		return tx_fail(tx, err, "opening");
	if (!wal)
		return err_set(err, ERR_CONFIG,
			       "%s is on a file system without shared memory "
			       "(a network file system?); name a local file",
			       tx->name);
	return 0;
}

/*
 * Whether nobody can change the file, so that it may be read without the files
 * beside it: these could not be made. A log with something in it has to be
 * read, and -shm says that another mount of the file system is in use.
 */
static bool
file_is_frozen(const struct tx *tx)
{
	char *wal = NULL, *shm = NULL;
	struct statvfs fs;
	struct stat st;
	bool frozen = false;

	if (!tx->worker && statvfs(tx->path, &fs) == 0 &&
	    (fs.f_flag & ST_RDONLY) != 0 &&
	    asprintf(&wal, "%s-wal", tx->path) > 0 &&
	    asprintf(&shm, "%s-shm", tx->path) > 0)
		frozen = stat(shm, &st) != 0 &&
			 (stat(wal, &st) != 0 || st.st_size == 0);
	free(wal);
	free(shm);
	return frozen;
}

/* "file:PATH?immutable=1", with what has a meaning in a URI escaped. */
static char *
file_frozen_uri(const char *path)
{
	struct buf uri = BUF_INIT;

	buf_adds(&uri, "file:");
	for (; *path != '\0'; path++)
		if (strchr("%?#", *path) != NULL)
			buf_addf(&uri, "%%%02x", (unsigned int)*path);
		else
			buf_add(&uri, path, 1);
	buf_adds(&uri, "?immutable=1");
	return buf_take(&uri);
}

/* On a file system that is read-only, SQLite opens for reading by itself. */
static int
file_connect(struct tx *tx, struct err *err)
{
	char *uri;
	int status;

	if (fork_guard_enter(err) != 0)
		return -1;
	tx->guarded = true;
	if (!file_is_frozen(tx)) {
		status = sqlite3_open_v2(
		    tx->path, &tx->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs_name());
	} else if ((uri = file_frozen_uri(tx->path)) != NULL) {
		status =
		    sqlite3_open_v2(uri, &tx->db,
				    SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
					SQLITE_OPEN_NOMUTEX,
				    NULL);
		free(uri);
	} else {
		return err_nomem(err);
	}
	return status == SQLITE_OK ? 0 : tx_fail(tx, err, "opening");
}

/*
 * auto_vacuum has to be set before the first table is made. Later it would
 * change nothing, but SQLite would write it all the same: a program that only
 * opens a file must neither wait for a lock nor need room on the disk.
 */
static int
file_set_up_new(struct tx *tx, struct err *err)
{
	int pages = 0;

	if (identity_number(tx->db, "PRAGMA page_count", &pages) != 0 ||
	    (pages == 0 &&
	     file_exec(tx, "PRAGMA auto_vacuum = INCREMENTAL") != SQLITE_OK))
		return tx_fail(tx, err, "opening");
	return 0;
}

/*
 * Prepares the connection. What is deleted is not overwritten with zeros: tasks
 * come and go all the time, and the file's mode is what keeps them private.
 * Temporary tables are small, so they need no file.
 */
static int
file_set_up(struct tx *tx, struct err *err)
{
	/* Those who only ask can do so; the others' jobs fail by it. */
	const bool read_only = sqlite3_db_readonly(tx->db, "main") == 1;

	if (read_only && tx->worker)
		return err_set(
		    err, ERR_UNAVAILABLE,
		    "%s is read-only; make the file and its directory writable",
		    tx->name);
	sqlite3_extended_result_codes(tx->db, 1);
	sqlite3_busy_handler(tx->db, file_on_busy, tx);
	/* A producer, which may be short-lived, does not checkpoint each time
	 * it ends: see file_close(). */
	sqlite3_db_config(tx->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
			  (int)!tx->worker, NULL);
	if (file_exec(tx, "PRAGMA synchronous = FULL;"
			  "PRAGMA secure_delete = OFF;"
			  "PRAGMA temp_store = MEMORY;"
			  "PRAGMA cache_size = -4000;"
			  "PRAGMA journal_size_limit = " LOG_SIZE) != SQLITE_OK)
		return tx_fail(tx, err, "opening");
	if (!read_only &&
	    (file_set_up_new(tx, err) != 0 || file_set_wal(tx, err) != 0))
		return -1;
	/* It also turns the automatic checkpoint off. */
	sqlite3_wal_hook(tx->db, checkpoint_on_commit, tx);
	tx->sync = DATABASE_NOW;
	return 0;
}

/* Makes of the open file what its user wants to find in it. Without a
 * description (schedules), the file is only marked as ours: the user makes its
 * own tables, and those of the queues are made when the store opens it. */
static int
file_prepare(struct tx *tx, struct err *err)
{
	const struct description *d = tx->description;

	if (d == NULL)
		return identity_claim(tx->db, tx->name, err);
	if (d->prepare(tx->db, tx->name, tx->on_upgrade, tx->on_upgrade_arg,
		       err) != 0)
		return -1;
	tx->statements = calloc(d->n_statements, sizeof(sqlite3_stmt *));
	return tx->statements != NULL ? 0 : err_nomem(err);
}

/* Returns 1 for a failure by a full disk: the files beside the database, which
 * go with its last user, could not be made. */
static int
file_open_there(struct tx *tx, bool *ret_final, struct err *err)
{
	bool full;

	if (file_connect(tx, err) == 0 && file_set_up(tx, err) == 0 &&
	    file_prepare(tx, err) == 0)
		return 0;
	/* Only a person can mend these; all else may pass. */
	*ret_final = err->code == ERR_CONFIG || err->code == ERR_DATA ||
		     err->code == ERR_USAGE;
	full = file_is_full(tx);
	file_close(tx);
	return full ? 1 : -1;
}

/* Whose lock it is has to be known before those who wait for the file give up. */
int
file_open(struct tx *tx, bool create, bool *ret_final, struct err *err)
{
	int result;

	/* First of all: what fails without a connection asks SQLite, too. */
	if (sqlite_load(err) != 0) {
		*ret_final = true;
		return -1;
	}
	*ret_final = false;
	tx->gone = false;
	tx->patience_ms = tx->timeout_ms / 2;
	result = place_find_or_make(tx, create, ret_final, err);
	if (result == 0) {
		result = file_open_there(tx, ret_final, err);
		if (result == 1 && reserve_release(tx->path, RESERVE_TO_OPEN))
			result = file_open_there(tx, ret_final, err);
		result = result == 0 ? 0 : -1;
	}
	tx->patience_ms = 0;
	return result;
}

void
file_close(struct tx *tx)
{
	size_t i;

	for (i = 0; tx->statements != NULL && i < tx->description->n_statements;
	     i++)
		sqlite3_finalize(tx->statements[i]);
	free(tx->statements);
	tx->statements = NULL;
	/* What was moved is read all the same, until a commit overwrites it. */
	if (tx->db != NULL &&
	    (tx->log_pages >= CHECKPOINT_LEFT_PAGES || tx->log_moved))
		sqlite3_db_config(tx->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
				  NULL);
	if (tx->db != NULL)
		sqlite3_close(tx->db);
	if (tx->guarded)
		fork_guard_leave();
	tx->guarded = false;
	tx->db = NULL;
	relay_close(tx->relay);
	tx->relay = NULL;
	file_release(tx);
	tx->log_pages = 0;
	tx->log_forced = 0;
	tx->log_moved = false;
}

/* --- transactions ------------------------------------------------------ */

/*
 * A file that was deleted or replaced can still be written, and all of it is
 * lost when the last process closes it: so nothing is written into it any more.
 * It is not read either: a reader would take what was there once for what is.
 * To look costs a system call: little beside a transaction.
 */
static int
file_check_place(struct tx *tx, struct err *err)
{
	int moved = 0;

	if (sqlite3_file_control(tx->db, "main", SQLITE_FCNTL_HAS_MOVED,
				 &moved) != SQLITE_OK ||
	    moved == 0)
		return 0;
	tx->gone = true;
	return err_set(err, ERR_UNAVAILABLE,
		       "%s was deleted or replaced while in use; its tasks are "
		       "lost unless the file was only moved: if you have it, "
		       "put it back and restart this program",
		       tx->name);
}

int
file_begin(struct tx *tx, bool writes, enum database_sync sync, struct err *err)
{
	const bool flush = sync == DATABASE_NOW;

	if (file_check_place(tx, err) != 0)
		return -1;
	/* Can only be changed between transactions. */
	if (writes && flush != (tx->sync == DATABASE_NOW)) {
		if (file_exec(tx, flush ? "PRAGMA synchronous = FULL"
					: "PRAGMA synchronous = NORMAL") !=
		    SQLITE_OK)
			return tx_fail(tx, err, "cannot begin a transaction");
		tx->sync = sync;
	}
	/* A writer takes the lock at once: a transaction that began as a reader
	 * could fail when it first writes, whatever its patience. */
	tx->n_wakes = 0;
	file_hold(tx);
	if (file_exec(tx, writes ? "BEGIN IMMEDIATE" : "BEGIN") != SQLITE_OK) {
		file_release(tx);
		return tx_fail(tx, err, "cannot begin a transaction");
	}
	/* Not before the lock is there: it may have taken a while. */
	tx->now_ms = clock_wall_us() / 1000;
	return 0;
}

void
file_wake(struct tx *tx)
{
	size_t i;

	/* Without the directory there is nobody to wake. */
	if (tx->n_wakes > 0 &&
	    wake_socket_open_dir(&tx->socket, tx->path, NULL) != 0)
		return;
	for (i = 0; i < tx->n_wakes; i++)
		wake_socket_wake(&tx->socket, tx->wakes[i]);
}

int
file_commit(struct tx *tx, struct err *err)
{
	file_wake(tx);
	if (file_exec(tx, "COMMIT") != SQLITE_OK)
		return tx_fail(tx, err, "committing");
	file_release(tx);
	return 0;
}

void
file_rollback(struct tx *tx)
{
	size_t i;

	if (tx->db == NULL) /* it could not be opened */
		return;
	/* A statement that still shows rows keeps the transaction open. */
	for (i = 0; i < tx->description->n_statements; i++)
		sqlite3_reset(tx->statements[i]);
	/* SQLite rolls back by itself after some failures, a full disk say. */
	if (!sqlite3_get_autocommit(tx->db))
		file_exec(tx, "ROLLBACK");
	file_release(tx);
}

bool
file_failure_is_general(const struct tx *tx)
{
	return fault_is_general(sqlite3_errcode(tx->db));
}

bool
file_is_full(const struct tx *tx)
{
	return tx->db != NULL && fault_is_full(tx->db);
}

int
file_say_full(const struct tx *tx, struct err *err)
{
	return err_set(
	    err, ERR_UNAVAILABLE,
	    "%s: the disk is full, and the reserve for "
	    "deleting is used up; make room, and work goes on by itself",
	    tx->name);
}

/* --- tidiness ---------------------------------------------------------- */

static int
file_on_number(void *arg, int n, char **values, char **names)
{
	*(long *)arg = values[0] != NULL ? strtol(values[0], NULL, 10) : 0;
	return 0;
}

bool
file_shrink(struct tx *tx)
{
	long free_pages = 0, pages = 0;
	bool shrunk;

	if (tx->db == NULL)
		return false;
	sqlite3_exec(tx->db, "PRAGMA freelist_count", file_on_number,
		     &free_pages, NULL);
	sqlite3_exec(tx->db, "PRAGMA page_count", file_on_number, &pages, NULL);
	/* A quarter of the file: a queue that fills and empties every day keeps
	 * the pages that it needs every day. */
	if (free_pages < FREE_PAGES || free_pages < pages / 4)
		return false;
	file_hold(tx);
	shrunk = file_exec(tx, SHRINK) == SQLITE_OK;
	file_release(tx);
	return shrunk;
}
