/* SPDX-License-Identifier: MIT */
/*
 * A transaction under way, in the I/O thread: statements and what goes with
 * them.
 *
 * A statement is named by its index in the description of the file, see
 * description.h; each is prepared once for a connection. One statement shows
 * one row at a time; what it shows is valid until the statement is used again.
 */
#ifndef SQLITE_TX_H
#define SQLITE_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

struct err;
struct relay;
struct tx;

/* Runs a statement to its end; its parameters follow, as its letters say.
 * Returns how many rows it changed, or -1 with *err. */
int tx_run(struct tx *tx, struct err *err, unsigned int which, ...);
/* Runs it up to the first row: 1 if there is one, 0 if not, -1 with *err. */
int tx_first(struct tx *tx, struct err *err, unsigned int which, ...);
/* Only whether there is one: the statement has ended. */
int tx_any(struct tx *tx, struct err *err, unsigned int which, ...);
/* Goes on to the next row; the same answers. */
int tx_next(struct tx *tx, struct err *err, unsigned int which);
/* Ends it before its last row. */
void tx_end(struct tx *tx, unsigned int which);
int64_t tx_int(struct tx *tx, unsigned int which, int column);
struct slice tx_bytes(struct tx *tx, unsigned int which, int column);

/*
 * Wakes the process whose wake socket has this name. It happens right before
 * the transaction is committed, not after: see database.h.
 */
void tx_wake(struct tx *tx, struct slice name);
/* Wakes all that a statement names in its first column; `more` is what
 * tx_first() answered. 0, or -1 with *err. */
int tx_wake_all(struct tx *tx, struct err *err, unsigned int which, int more);
/* Whether a process still listens on a wake socket; wakes it. */
bool tx_reaches(struct tx *tx, struct slice name);
/* The name of this process's own wake socket, made at the first call; empty and
 * *err set if it cannot be. */
struct slice tx_wake_socket(struct tx *tx, struct err *err);
/* The directory of the wake sockets and of the locks of workers: an open
 * descriptor, or -1 with *err. */
int tx_directory(struct tx *tx, struct err *err);
/* What is handed from one process to another beside the database (relay.h); NULL
 * with *err. It is the transaction's. */
struct relay *tx_relay(struct tx *tx, struct err *err);
/* Removes the sockets of processes that are gone; wakes all others, but not
 * this one. */
void tx_sweep_sockets(struct tx *tx);

/* Milliseconds of the wall clock: the transaction's, the same all through. */
int64_t tx_now(const struct tx *tx);
/* Sets *err by what SQLite said last; returns -1. */
int tx_fail(struct tx *tx, struct err *err, const char *what);

#endif
