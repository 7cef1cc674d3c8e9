/* SPDX-License-Identifier: MIT */
/*
 * The connection to the database file, as lib/sqlite's own files see it. It
 * belongs to the I/O thread.
 */
#ifndef SQLITE_FILE_H
#define SQLITE_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sqlite/database.h"
#include "sqlite/description.h"
#include "sqlite/tx.h"
#include "sqlite/wake_socket.h"
#include "util/clock.h"

struct relay;
struct sqlite3;
struct sqlite3_stmt;

struct tx {
	struct sqlite3 *db; /* NULL: not open, or the file is not there */
	bool guarded;	    /* fork_guard_leave() when it is closed */
	const char *path;
	const char *name;   /* for messages */
	bool default_place; /* make the directory, and what is above it */
	bool worker;	    /* as in struct database_options */
	/* NULL: the owner of the connection makes its own tables and
	 * statements, and uses none of tx.h's. */
	const struct description *description;
	description_upgrade_fn *on_upgrade; /* with a description */
	void *on_upgrade_arg;
	int64_t timeout_ms;  /* for locks */
	int64_t patience_ms; /* for those at this moment; 0: timeout_ms */
	int64_t waiting_since_ms;
	atomic_bool hurry; /* somebody waits for the end: little patience */
	enum database_sync sync; /* the mode the connection is in */
	int log_pages;		 /* of the write-ahead log, to be moved */
	bool log_moved; /* a long one, since the last commit: yet as long */
	int log_forced; /* how long it was when readers were waited for */
	bool holding;	/* a lock, while which Ctrl-Z waits */
	bool gone; /* deleted or replaced since it was opened: used no more */
	int64_t now_ms; /* wall clock */
	struct wake_socket socket;
	struct relay *relay; /* NULL: not opened */
	char (*wakes)[WAKE_SOCKET_NAME_LEN + 1];
	size_t n_wakes, cap_wakes;
	struct sqlite3_stmt **statements; /* as many as are described */
};

/*
 * Opens the file; 0, or -1 with *err. *ret_final: there is no use in trying
 * again before somebody has put it right. A file that is not there is made if
 * `create` is set; else nothing is made, and it is 1 with *err. Opening a file
 * that is there writes nothing, unless its schema is an old one.
 */
int file_open(struct tx *tx, bool create, bool *ret_final, struct err *err);
void file_close(struct tx *tx);

/* While a lock of the file is held, Ctrl-Z waits. Either may be called again. */
void file_hold(struct tx *tx);
void file_release(struct tx *tx);

/* Begins and ends a transaction; none begins in a file that was deleted, or
 * replaced by another one, since it was opened. file_commit() sends the
 * wake-ups first. */
int file_begin(struct tx *tx, bool writes, enum database_sync sync,
	       struct err *err);
int file_commit(struct tx *tx, struct err *err);
void file_rollback(struct tx *tx);
/* Wakes whom tx_wake() named. */
void file_wake(struct tx *tx);
/* Whether the last failure would have met any other job, too. */
bool file_failure_is_general(const struct tx *tx);

/* Whether the last failure was that the disk is full; sets such an error. */
bool file_is_full(const struct tx *tx);
int file_say_full(const struct tx *tx, struct err *err);

/* Gives free pages back to the file system, if there are many: some at a time.
 * Returns whether there are more. */
bool file_shrink(struct tx *tx);

#endif
