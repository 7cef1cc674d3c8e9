/* SPDX-License-Identifier: MIT */
/*
 * Short ids: numbers that are never given twice, for tasks whose ids people type.
 *
 * The counter is a row of sqlite_sequence, where SQLite keeps those of its own
 * tables: no table of ours has the row's name. It is in one log with all that
 * follows: if a task that bears a number is on disk, so is the counter.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite/broker.h"

/* The question is how many are wanted. */
static int
number_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct squestion *q = container_of(job, struct squestion, job);
	const int64_t n = strtoll(squestion_text(q).p, NULL, 10);
	int64_t last;
	int changed, found;

	/* A job may run again from the start. */
	buf_reset(&q->value);
	q->found = true;
	if ((changed = tx_run(tx, err, SQL_NUMBERS_TAKE, n)) < 0 ||
	    (changed == 0 && tx_run(tx, err, SQL_NUMBERS_BEGIN, n) < 0) ||
	    (found = tx_first(tx, err, SQL_NUMBERS_LAST)) < 0)
		return -1;
	last = found == 1 ? tx_int(tx, SQL_NUMBERS_LAST, 0) : n;
	tx_end(tx, SQL_NUMBERS_LAST);
	buf_addf(&q->value, "%" PRId64, last - n + 1);
	return q->value.failed ? err_nomem(err) : 0;
}

/* Not flushed by itself: a number that no task bears may be given again. */
void
sbroker_numbers(struct broker *b, unsigned int n, broker_value_fn *on_value,
		void *arg)
{
	const struct database_job job = {.run = number_run,
					 .sync = DATABASE_LATER,
					 /* Who only looks makes no file. */
					 .absent = n > 0 ? DATABASE_MAKE
							 : DATABASE_FAIL};
	char text[16];

	/* With its NUL, which ends the number. */
	squestion_ask(
	    b, &job,
	    (struct slice){text,
			   (size_t)snprintf(text, sizeof(text), "%u", n) + 1},
	    on_value, arg);
}
