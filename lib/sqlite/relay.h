/* SPDX-License-Identifier: MIT */
/*
 * A relay: bytes that processes hand to one another, in a file beside the
 * database, whose rows say what lies where.
 *
 * SQLite would copy each byte into its cache, the log, and from there into the
 * file, and sum it up for the log. What is only handed over needs none of that: it
 * is written once, and never flushed, since after a power cut nobody waits for it.
 *
 * The file is a ring. Positions count on from 0; of all that was written, the last
 * RELAY_BYTES are there. Before each piece stands its mark, by which a reader sees
 * that it is the one that a row means: the file may have been emptied, or written
 * by a transaction that was rolled back.
 *
 * Only to be used in transactions that have the writers' lock.
 */
#ifndef SQLITE_RELAY_H
#define SQLITE_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

/* In the directory of the wake sockets. */
#define RELAY_NAME "events"
#define RELAY_BYTES (INT64_C(96) << 20)
/* The bytes that a piece of `len` bytes takes in the file. */
#define RELAY_SPAN(len) ((int64_t)(len) + (int64_t)sizeof(int64_t))

struct err;
struct relay;

/* Opens the file, or makes it, in a directory that only this user writes to. NULL
 * with *err. */
struct relay *relay_open(int dir_fd, struct err *err);
void relay_close(struct relay *r);
/* Whether its file is still the one in the directory; else it has to be opened again,
 * as others do. */
bool relay_is_there(const struct relay *r, int dir_fd);

/* 0, or -1 with *err: not all of it is there, as on a full disk. */
int relay_write(struct relay *r, int64_t at, int64_t mark, struct slice piece,
		struct err *err);
/* False if the piece is not there. `at`, `mark` and `len` may be any. */
bool relay_read(struct relay *r, int64_t at, int64_t mark, char *to,
		size_t len);
/* Gives its room back: all that is there is gone. */
void relay_empty(struct relay *r);

#endif
