/* SPDX-License-Identifier: MIT */
/*
 * The record of an ID in the database: where it is, and how it becomes another one.
 *
 * A task that waits has no record of its own in most cases: what a producer would say
 * of it stands in the task's bytes, and is made of them for those who ask. A record
 * that says more (that the task runs, or is retried), and one of another broker's
 * task, is a row; so is a final one, which is written once, behind all others of its
 * kind, in the order in which tasks end.
 *
 * All functions run in the I/O thread, in a transaction, and return -1 with *err if a
 * statement failed.
 */
#ifndef STORE_SQLITE_RECORD_H
#define STORE_SQLITE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

struct err;
struct tx;

/* What `final` of a row is: a lost one (store/lost.h) gives way to another. */
enum { SRECORD_OPEN, SRECORD_FINAL, SRECORD_LOST };

struct srecord {
	int64_t row;	 /* 0: it is made of the task's bytes */
	int64_t task;	 /* the task's number; 0: it is not known */
	int64_t expires; /* 0: never */
	int64_t final;
};

/* Of one kind of final records; [true]: of tasks that failed. */
struct stotals {
	/* How many have ended; also the place of the last one in their list. */
	int64_t ended[2];
	/* The latest time at which one of them expires. */
	int64_t latest[2];
	/* Those up to this number are gone, or go by their own time (expire.c). */
	int64_t passed[2];
	/* While records are stored: somebody may wait for the end of one of
	 * these, or follow one. */
	bool awaited, followed;
	/* The same of a task that waits for one of them, and whether any of them is
	 * a step of a workflow; not known: true. */
	bool waited, stepped;
	/* Where it is noted what one transaction has not got to (waits.h); NULL:
	 * nowhere. */
	struct buf *behind;
};
int stotals_get_run(struct tx *tx, struct stotals *totals, struct err *err);
int stotals_set_run(struct tx *tx, const struct stotals *totals,
		    struct err *err);

/*
 * Numbers of the rows: those that have not ended, then those that succeeded, then
 * those that failed. Each kind has numbers from the first one + 1 to the last: enough
 * for ten years of 100,000 a second. With all of them SQLite takes six bytes for a
 * place, as it does for the number of a task in one of the first 128 queues: the end
 * of a task overwrites its place, and no page of full ones has to be split.
 */
#define SRECORD_KIND_BITS 45
int64_t srecord_first(bool failed);
int64_t srecord_last(bool failed);
#define SRECORD_OPEN_LAST ((INT64_C(1) << SRECORD_KIND_BITS) - 1)

/* 1, or 0 if there is none. One that has expired is there. */
int srecord_find_run(struct tx *tx, struct slice id, struct srecord *ret,
		     struct err *err);
/* Appends its text; 0: there is none after all, since the task is not readable. */
int srecord_text_run(struct tx *tx, const struct srecord *r, struct buf *out,
		     struct err *err);
/* Both of a record that has not expired: 1, or 0 if there is none. */
int srecord_read_run(struct tx *tx, struct slice id, struct buf *out,
		     bool *ret_final, struct err *err);

/*
 * A task is submitted: 1, or 0 if another record stays. An empty `record` is one that
 * is made of the task's bytes. `replaces`: in the place of any that is not final.
 */
struct srecord_birth {
	struct slice id, record;
	int64_t task; /* 0: of another broker */
	bool replaces;
};
int srecord_begin_run(struct tx *tx, const struct srecord_birth *birth,
		      struct err *err);
/* It runs, say: 1, or 0 if a final one stays. */
int srecord_note_run(struct tx *tx, struct slice id, struct slice record,
		     struct err *err);
/* It has ended: 1, or 0 if a final one stays. Tasks that wait for it go on. */
struct srecord_end {
	struct slice id, record;
	int64_t expires, final;
	bool failed;
	int64_t task; /* if that is known */
};
int srecord_end_run(struct tx *tx, const struct srecord_end *end,
		    struct stotals *totals, struct err *err);
/* The same without what follows from it for those that wait (waits.c). */
int srecord_end_alone_run(struct tx *tx, const struct srecord_end *end,
			  struct stotals *totals, struct err *err);
/* The task runs again, whatever is there. */
int srecord_reopen_run(struct tx *tx, struct slice id, struct slice record,
		       struct err *err);
int srecord_forget_run(struct tx *tx, struct slice id, struct err *err);
/* The task has another number. */
int srecord_move_run(struct tx *tx, struct slice id, int64_t task,
		     struct err *err);
/* The bytes of the task go; a record that is made of them becomes a row. */
int srecord_keep_run(struct tx *tx, int64_t task, struct slice bytes,
		     struct err *err);

/* --- expire.c ----------------------------------------------------------- */

/* Removes expired records: how many, at most `rows` or a few more, and not many
 * more bytes than `bytes`. */
int srecords_expire_run(struct tx *tx, struct stotals *totals, int64_t rows,
			int64_t bytes, struct err *err);
/* The same for those who have no totals at hand. */
int srecords_tidy_run(struct tx *tx, int64_t rows, int64_t bytes,
		      struct err *err);

#endif
