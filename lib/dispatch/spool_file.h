/* SPDX-License-Identifier: MIT */
/*
 * The spool: final records that the backend could not take, on disk until it
 * has them, so that not even a killed worker has to run their tasks again.
 *
 * A thread of its own writes and flushes (fdatasync), so that nobody waits for
 * the disk. When the disk is full it says so, once, and tries on. The worker's
 * lock keeps the file from being shared.
 */
#ifndef DISPATCH_SPOOL_FILE_H
#define DISPATCH_SPOOL_FILE_H

#include <stdbool.h>

#include "dispatch/spool_read.h"
#include "util/buf.h"

struct err;
struct spool_file;

/*
 * Opens or makes the file and calls on_record for each whole record in it; a
 * last one that is cut short is left out, since the process that wrote it was
 * killed before it counted. What else is not whole, and what on_record does not
 * take, is named in the log and put aside (spool_read.h).
 */
struct spool_file *spool_file_open(const char *path, spool_record_fn *on_record,
				   void *arg, struct err *err);
/*
 * Adds the whole records of another spool, which nobody has open, to that at
 * `path`, and flushes them; what is damaged there is put aside here. 0, or -1
 * with *err; then some may be in both.
 */
int spool_file_adopt(const char *path, const char *other, struct err *err);
/* Writes what waits, and ends the thread. */
void spool_file_close(struct spool_file *s);

/* Puts a record on disk, soon. */
void spool_file_put(struct spool_file *s, struct slice id, struct slice record);
/* The backend has them all. */
void spool_file_clear(struct spool_file *s);
/* Whether anything was put since the last clearing. */
bool spool_file_used(const struct spool_file *s);

#endif
