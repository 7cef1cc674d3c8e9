/* SPDX-License-Identifier: MIT */
/*
 * What tasks share: the environments of commands (codec/blob.h), each once, and who
 * uses which. A use lasts as long as the ID has a task or a record, or there is a dead
 * task of it; housekeeping looks, and what nobody uses goes with the last use.
 *
 * All functions run in the I/O thread, in a transaction, and return -1 with *err if a
 * statement failed.
 */
#ifndef STORE_SQLITE_BLOBS_H
#define STORE_SQLITE_BLOBS_H

#include "util/buf.h"

struct broker_submit;
struct err;
struct tx;

/* Of a task that is submitted. */
int sblobs_add_run(struct tx *tx, const struct broker_submit *task,
		   struct err *err);
/* Appends what a task has a name of: 1, or 0 if it has none, or nothing is there. */
int sblobs_of_run(struct tx *tx, struct slice task, struct buf *out,
		  struct err *err);
/* Looks at some uses, those behind *after, which is moved on, and emptied at the end;
 * how many have gone. */
int sblobs_sweep_run(struct tx *tx, struct buf *after, struct err *err);

#endif
