/* SPDX-License-Identifier: MIT */
/*
 * Tasks that wait for others (broker_submit.after).
 *
 * A task that ends has its final record stored, whoever stores it; in that same
 * transaction those that wait for it go on, or are skipped, and then those that
 * wait for these. So there is no moment at which a process could die and leave one
 * behind. What is not done there, since it is a large number, is done in others that
 * follow; and by housekeeping, from the rows that are left, if nobody has done it, or a
 * record is gone without an end.
 *
 * All functions run in the I/O thread, in a transaction, and return -1 with *err if a
 * statement failed.
 */
#ifndef STORE_SQLITE_WAITS_H
#define STORE_SQLITE_WAITS_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct broker_after;
struct broker_submit;
struct err;
struct stotals;
struct tx;

/* How a task has ended, for those that wait for it. */
enum swaits_outcome {
	SWAITS_SUCCEEDED,
	SWAITS_FAILED,
	SWAITS_SKIPPED,
	SWAITS_GONE /* nobody knows */
};
struct swaits_end {
	enum swaits_outcome outcome;
	int64_t expires; /* the record's; those that are skipped have it, too */
};

/* About as many tasks go on, or are skipped, in one transaction. */
#define SWAITS_STEP 500

/* Ends, and what follows from them, in one transaction. */
struct swaits_work {
	struct buf ended; /* that are to be looked at; waits.c */
	size_t at;
	int left;	 /* tasks that may still go on */
	int64_t goes_on; /* a workflow that is not being cancelled; 0: none */
	struct stotals *totals;
};
/* A row of `waits`; of a step of a workflow (flows.h) `flow` is not 0. */
struct swaits_row {
	int64_t number, wants, at_ms, delay_ms;
	int64_t flow, place;
};

/* Whether the tasks that it waits for are there; sets task->err of one that cannot
 * wait. */
int swaits_check_run(struct tx *tx, struct broker_submit *task,
		     struct err *err);
/* The task of `row` has its record: it waits, goes on at once, or is skipped. Rows
 * of names (flows.h) may have been added already. */
int swaits_begin_run(struct tx *tx, const struct broker_submit *task,
		     const struct swaits_row *row, struct err *err);
/* It waits for this one, too. */
int swaits_add_run(struct tx *tx, const struct swaits_row *row,
		   const struct broker_after *after, struct err *err);
/* A task has ended, or what a name stands for has happened. */
int swaits_end_run(struct tx *tx, struct slice id, const struct swaits_end *end,
		   struct stotals *totals, struct err *err);
/* The same of what one of these has left in totals->behind. */
int swaits_go_on_run(struct tx *tx, struct slice behind, struct stotals *totals,
		     struct err *err);
/* The same of all that has been noted in *w, which is freed. */
int swaits_work_run(struct swaits_work *w, struct tx *tx, struct err *err);
/* The task of `row` is skipped, for `why`; the record has gone by `expires`. */
int swaits_skip_run(struct swaits_work *w, struct tx *tx,
		    const struct swaits_row *row, const char *why,
		    int64_t expires, struct err *err);
/* Steps of a workflow, by its number, are left to be skipped. */
int swaits_leave_cancel(struct swaits_work *w, int64_t flow, struct err *err);
/*
 * Housekeeping: looks at some that are waited for, those behind *after, which is
 * moved on, and emptied at the end. `ttl_s` is of the records of those that are
 * skipped since a record is gone. Returns whether there is more to be done at
 * once.
 */
int swaits_sweep_run(struct tx *tx, struct buf *after, int64_t ttl_s,
		     struct err *err);

#endif
