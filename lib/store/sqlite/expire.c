/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend: records whose time is over.
 *
 * Records of a kind follow one another in the order in which their tasks ended, so
 * that most of them also expire in that order: those that have are the first ones,
 * and no index is needed. One that expires before an earlier one (its worker has
 * another configuration, or the clock was set) was marked when it was stored, and is
 * in an index; it is passed over here, as is one that never expires. What was passed
 * is remembered: each row is looked at once.
 */
#include <string.h>

#include "sqlite/tx.h"
#include "store/sqlite/record.h"
#include "store/sqlite/statements.h"
#include "util/err.h"

/* Looked at in one go: IDs of that many are remembered while they are. */
#define GO_MAX 64

/* What may go, and those that are to. */
struct expiry {
	int64_t rows, bytes; /* that may still go */
	int removed;
	int64_t numbers[GO_MAX];
	size_t ends[GO_MAX]; /* of their IDs */
	struct buf ids;
	size_t n;
};

/* Remembers the row that `sql` shows. */
static void
expiry_note(struct expiry *e, struct tx *tx, enum statement_index sql)
{
	const struct slice id = tx_bytes(tx, sql, 4);

	e->numbers[e->n] = tx_int(tx, sql, 0);
	buf_add(&e->ids, id.p, id.len);
	e->ends[e->n++] = e->ids.len;
	e->rows--;
	e->bytes -= tx_int(tx, sql, 1);
}

/* The ID goes with the record, unless it has another one by now. */
static int
expiry_remove(struct expiry *e, struct tx *tx, struct err *err)
{
	size_t i, at = 0;
	struct slice id;

	if (e->ids.failed)
		return err_nomem(err);
	for (i = 0; i < e->n; at = e->ends[i++]) {
		id = (struct slice){e->ids.data + at, e->ends[i] - at};
		if (tx_run(tx, err, SQL_RECORD_DROP, e->numbers[i]) < 0 ||
		    tx_run(tx, err, SQL_ID_DROP_AT, id, -e->numbers[i]) < 0)
			return -1;
		e->removed++;
	}
	e->n = 0;
	buf_reset(&e->ids);
	return 0;
}

/* Ends a go of which `seen` rows were looked at; `more` as tx_next() said last. What
 * is only passed over counts, too: a row is looked at once. Answers as below. */
static int
expiry_end(struct expiry *e, struct tx *tx, enum statement_index sql, int more,
	   int seen, struct err *err)
{
	if (more == 1)
		tx_end(tx, sql);
	if (more < 0 || expiry_remove(e, tx, err) != 0)
		return -1;
	return more == 0 && seen == GO_MAX && e->rows > 0;
}

/* Some from the beginning of a kind: 1: perhaps there are more, 0, or -1. */
static int
expire_some(struct expiry *e, struct tx *tx, struct stotals *totals,
	    bool failed, struct err *err)
{
	const enum statement_index sql = SQL_RECORDS_BEHIND;
	int64_t *passed = &totals->passed[failed], expires;
	int more, seen = 0;

	if (*passed < srecord_first(failed))
		*passed = srecord_first(failed);
	more = tx_first(tx, err, sql, *passed, srecord_last(failed),
			(int64_t)GO_MAX);
	for (; more == 1; more = tx_next(tx, err, sql)) {
		expires = tx_int(tx, sql, 2);
		if (tx_int(tx, sql, 3) == 0 && expires != 0) {
			if (expires > tx_now(tx) || e->rows <= 0 ||
			    e->bytes <= 0)
				break;
			expiry_note(e, tx, sql);
		}
		*passed = tx_int(tx, sql, 0);
		seen++;
	}
	return expiry_end(e, tx, sql, more, seen, err);
}

/* Those that go by their own time. */
static int
expire_early(struct expiry *e, struct tx *tx, struct err *err)
{
	const enum statement_index sql = SQL_RECORDS_EARLY;
	int more, seen = 0;

	more = tx_first(tx, err, sql, tx_now(tx), (int64_t)GO_MAX);
	for (; more == 1; more = tx_next(tx, err, sql)) {
		if (e->rows <= 0 || e->bytes <= 0)
			break;
		expiry_note(e, tx, sql);
		seen++;
	}
	return expiry_end(e, tx, sql, more, seen, err);
}

/* A long run of rows that stay is passed in several calls. */
static int
expire_kind(struct expiry *e, struct tx *tx, struct stotals *totals,
	    bool failed, struct err *err)
{
	const int64_t goes = e->rows / GO_MAX + 1;
	int64_t i;
	int more = 1;

	for (i = 0; i < goes && more == 1; i++)
		more = expire_some(e, tx, totals, failed, err);
	return more;
}

int
srecords_expire_run(struct tx *tx, struct stotals *totals, int64_t rows,
		    int64_t bytes, struct err *err)
{
	struct expiry e = {.rows = rows, .bytes = bytes, .ids = BUF_INIT};
	int more = expire_kind(&e, tx, totals, false, err);

	if (more >= 0)
		more = expire_kind(&e, tx, totals, true, err);
	while (more >= 0 && e.rows > 0 &&
	       (more = expire_early(&e, tx, err)) == 1)
		;
	buf_done(&e.ids);
	return more < 0 ? -1 : e.removed;
}

int
srecords_tidy_run(struct tx *tx, int64_t rows, int64_t bytes, struct err *err)
{
	struct stotals before, totals;
	int removed;

	if (stotals_get_run(tx, &totals, err) != 0)
		return -1;
	before = totals;
	removed = srecords_expire_run(tx, &totals, rows, bytes, err);
	if (removed < 0)
		return -1;
	if (memcmp(before.passed, totals.passed, sizeof(before.passed)) != 0 &&
	    stotals_set_run(tx, &totals, err) != 0)
		return -1;
	return removed;
}
