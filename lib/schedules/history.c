/* SPDX-License-Identifier: MIT */
/*
 * What has fired: fires that were sent stay in the outbox for a while, and
 * those that became no tasks are noted beside it. For people only, but for one
 * thing: a fire that is there is not made a second time (schedules_thin()).
 */
#include "schedules/history.h"

#include <stdlib.h>
#include <string.h>

#include "schedules/claim.h"
#include "schedules/handle.h"
#include "schedules/row.h"
#include "util/err.h"

/* The most that is answered at a time; see schedules.h. */
#define LIMIT_MAX 10000

/* --- reading ------------------------------------------------------------- */

/* The answer, with the rows that it borrows from; `list` is the first member,
 * so that schedules_history_free() finds them. */
struct history {
	struct schedules_history list;
	struct db_rows sent, skipped;
};

/* A row of Q_HISTORY. A mark with a reason is of a fire that the queue refused,
 * or that was too late to be sent: its task ID was never used. */
static struct schedule_past
past_fire(const struct db_rows *rows, size_t i)
{
	const struct slice refused = db_text(rows, i, 4);
	const int64_t fire_us = db_us(rows, i, 0);
	const int64_t marked_us = db_us(rows, i, 3);
	const int named = schedule_reason_of(refused.p);
	const enum schedule_reason reason =
	    named >= 0 ? (enum schedule_reason)named : SCHEDULE_REFUSED;

	return (struct schedule_past){
	    .fire_us = fire_us,
	    .last_us = fire_us,
	    .n = 1,
	    .outcome = marked_us == 0			   ? SCHEDULE_UNSENT
		       : refused.len == 0		   ? SCHEDULE_SENT
		       : schedule_reason_is_missed(reason) ? SCHEDULE_MISSED
							   : SCHEDULE_SKIPPED,
	    .task_id = refused.len > 0 ? "" : db_text(rows, i, 1).p,
	    .sent_us = marked_us,
	    .reason = refused.len > 0 ? schedule_reason_name(reason) : "",
	    .refused = named >= 0 ? "" : refused.p,
	};
}

/* A row of Q_SKIPPED. A reason that this program does not know, of a newer one,
 * counts as missed. */
static struct schedule_past
past_skip(const struct db_rows *rows, size_t i)
{
	struct schedule_past past = {
	    .fire_us = db_us(rows, i, 0),
	    .last_us = db_us(rows, i, 1),
	    .n = db_int(rows, i, 2),
	    .outcome = SCHEDULE_MISSED,
	    .task_id = "",
	    .sent_us = db_us(rows, i, 4),
	    .reason = db_text(rows, i, 3).p,
	    .refused = "",
	};
	const int reason = schedule_reason_of(past.reason);

	if (reason >= 0 &&
	    !schedule_reason_is_missed((enum schedule_reason)reason))
		past.outcome = SCHEDULE_SKIPPED;
	return past;
}

/* The two lists as one, the latest first. */
static int
merge_history(struct history *h, size_t limit, struct err *err)
{
	size_t a = 0, b = 0;
	struct schedule_past *to;

	/* One more: calloc(0) may return NULL, which is a failure here. */
	h->list.items =
	    calloc(h->sent.n + h->skipped.n + 1, sizeof(*h->list.items));
	if (h->list.items == NULL)
		return err_nomem(err);
	while (h->list.n < limit && (a < h->sent.n || b < h->skipped.n)) {
		to = &h->list.items[h->list.n++];
		if (b == h->skipped.n ||
		    (a < h->sent.n &&
		     db_int(&h->sent, a, 0) >= db_int(&h->skipped, b, 0)))
			*to = past_fire(&h->sent, a++);
		else
			*to = past_skip(&h->skipped, b++);
	}
	return 0;
}

/* Each of the two lists may have all that are asked for: `n` of both are read,
 * and the merge stops at `n`. */
int
schedules_history(struct schedules *s, const char *id, int64_t before_us,
		  size_t limit, struct schedules_history **ret, struct err *err)
{
	const size_t n = limit < 1 ? 1 : limit > LIMIT_MAX ? LIMIT_MAX : limit;
	const struct db_value values[] = {DB_S(id), DB_I(before_us),
					  DB_I((int64_t)n)};
	struct history *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return err_nomem(err);
	if (db_enter(s->db, err) == 0 &&
	    DB_RUN(s->db, Q_HISTORY, values, &h->sent, NULL, err) == 0 &&
	    DB_RUN(s->db, Q_SKIPPED, values, &h->skipped, NULL, err) == 0 &&
	    merge_history(h, n, err) == 0) {
		*ret = &h->list;
		return 0;
	}
	schedules_history_free(&h->list);
	return -1;
}

void
schedules_history_free(struct schedules_history *history)
{
	struct history *h = (struct history *)history;

	if (h == NULL)
		return;
	db_rows_done(&h->sent);
	db_rows_done(&h->skipped);
	free(h->list.items);
	free(h);
}

int
schedules_skipped(struct schedules *s, const char *id,
		  int64_t ret[SCHEDULE_N_REASONS], struct err *err)
{
	const struct db_value values[] = {DB_S(id)};
	struct db_rows rows = DB_ROWS_INIT;
	int result, reason;
	size_t i;

	if (db_enter(s->db, err) != 0)
		return -1;
	memset(ret, 0, SCHEDULE_N_REASONS * sizeof(*ret));
	result = DB_RUN(s->db, Q_SKIPS_OF, values, &rows, NULL, err);
	for (i = 0; i < rows.n && result == 0; i++)
		for (reason = 0; reason < SCHEDULE_N_REASONS; reason++)
			if (slice_eq(db_text(&rows, i, 0),
				     slice_of(schedule_reason_name(
					 (enum schedule_reason)reason))))
				ret[reason] = db_int(&rows, i, 1);
	db_rows_done(&rows);
	return result;
}

/* --- thinning ------------------------------------------------------------ */

/* The latest fire that is beyond the first `keep` of them. 1: there is one; 0:
 * the schedule has no more than `keep`. */
static int
find_limit(struct db *db, enum query query, const char *id, size_t keep,
	   int64_t *ret_us, struct err *err)
{
	const struct db_value values[] = {DB_S(id), DB_I((int64_t)keep)};
	struct db_rows rows = DB_ROWS_INIT;
	int result = DB_RUN(db, query, values, &rows, NULL, err);

	if (result == 0 && rows.n > 0) {
		*ret_us = db_int(&rows, 0, 0);
		result = 1;
	}
	db_rows_done(&rows);
	return result;
}

/* As prune_made(): what is forgotten is known to be. */
static int
thin_made(struct db *db, const struct db_value values[3], struct err *err)
{
	const struct db_value raise[] = {values[1], values[1]};
	int64_t changed = 0;
	int result;

	if (db_begin(db, err) != 0)
		return -1;
	result = db->driver->run(db, Q_THIN, values, 3, NULL, &changed, err);
	if (result == 0 && changed > 0)
		result = DB_RUN(db, Q_RAISE_PRUNED, raise, NULL, NULL, err);
	return db_end(db, result, err);
}

static int
thin_schedule(struct db *db, const char *id, size_t keep, int64_t before_us,
	      struct err *err)
{
	struct db_value values[] = {DB_S(id), DB_I(0), DB_I(before_us)};
	int found = find_limit(db, Q_THIN_FROM, id, keep, &values[1].i, err);

	/* What was made early by a clock that was ahead is still to come. */
	if (values[1].i > before_us)
		values[1].i = before_us;
	if (found < 0 || (found == 1 && thin_made(db, values, err) != 0))
		return -1;
	found =
	    find_limit(db, Q_THIN_SKIPPED_FROM, id, keep, &values[1].i, err);
	if (found != 1)
		return found;
	/* The last of the three is of fires only. */
	return db->driver->run(db, Q_THIN_SKIPPED, values, 2, NULL, NULL, err);
}

/* Schedules are gone round one by one: to find all that have too many at once
 * would take a look at every fire. */
int
schedules_thin(struct schedules *s, size_t keep, int64_t before_us,
	       char id[SCHEDULE_ID_MAX + 1], struct err *err)
{
	const struct db_value values[] = {DB_S(id)};
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	if (db_enter(s->db, err) != 0)
		return -1;
	result = DB_RUN(s->db, Q_THIN_NEXT, values, &rows, NULL, err);
	if (result == 0) {
		id[0] = '\0';
		if (rows.n > 0)
			*stpncpy(id, db_text(&rows, 0, 0).p, SCHEDULE_ID_MAX) =
			    '\0';
		if (id[0] != '\0')
			result = thin_schedule(s->db, id, keep, before_us, err);
	}
	db_rows_done(&rows);
	return result;
}
