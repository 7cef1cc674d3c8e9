/* SPDX-License-Identifier: MIT */
/*
 * What schedulers say of themselves, and figures. For people only: no scheduler
 * decides anything by them, so they may be late.
 */
#include "schedules/health.h"

#include <stdlib.h>
#include <string.h>

#include "schedules/claim.h"
#include "schedules/handle.h"
#include "schedules/row.h"
#include "util/err.h"

int
schedules_beat(struct schedules *s, const struct schedules_scheduler *scheduler,
	       struct err *err)
{
	const struct db_value values[] = {
	    DB_S(scheduler->id),
	    DB_S(scheduler->host),
	    DB_I(scheduler->pid),
	    DB_I(scheduler->started_us),
	    DB_I(scheduler->seen_us),
	    DB_I(scheduler->lag_us),
	    DB_I(scheduler->max_lag_us),
	    DB_I(scheduler->fires),
	    DB_I(scheduler->clock_off_us),
	    DB_S(scheduler->state != NULL ? scheduler->state : ""),
	    {.type = DB_TEXT,
	     .s = row_cut(scheduler->lacks != NULL ? scheduler->lacks : "",
			  SCHEDULE_TEXT_MAX)},
	};

	if (db_enter(s->db, err) != 0)
		return -1;
	return DB_RUN(s->db, Q_BEAT, values, NULL, NULL, err);
}

int
schedules_farewell(struct schedules *s, const char *id, struct err *err)
{
	const struct db_value values[] = {DB_S(id)};

	if (db_enter(s->db, err) != 0)
		return -1;
	return DB_RUN(s->db, Q_FAREWELL, values, NULL, NULL, err);
}

/* --- figures ------------------------------------------------------------- */

/* The figures with the rows that the schedulers borrow from; `stats` is first,
 * for schedules_stats_free(). */
struct figures {
	struct schedules_stats stats;
	struct db_rows rows;
};

/* `id` is "" for all schedules; it stands in each statement twice, since a
 * parameter has no name in all dialects. */
static int
read_counts(struct db *db, const char *id, int64_t now_us,
	    struct schedules_stats *to, struct err *err)
{
	const struct db_value values[] = {DB_I(now_us), DB_S(id), DB_S(id)};
	struct db_rows rows = DB_ROWS_INIT;
	int result = DB_RUN(db, Q_COUNTS, values, &rows, NULL, err);

	if (result == 0 && rows.n > 0) {
		to->schedules = db_int(&rows, 0, 0);
		to->enabled = db_int(&rows, 0, 1);
		to->set_aside = db_int(&rows, 0, 2);
		to->due = db_int(&rows, 0, 3);
		to->runs = db_int(&rows, 0, 4);
	}
	db_rows_done(&rows);
	return result;
}

/* Each figure has a statement of its own, which an index answers or one
 * table. */
static int
read_unsent(struct db *db, const char *id, struct schedules_stats *to,
	    struct err *err)
{
	const struct db_value values[] = {DB_S(id), DB_S(id)};
	struct db_rows rows = DB_ROWS_INIT;
	int result = DB_RUN(db, Q_UNSENT_COUNTS, values, &rows, NULL, err);

	if (result == 0 && rows.n > 0) {
		to->unsent = db_int(&rows, 0, 0);
		to->oldest_unsent_us = db_us(&rows, 0, 1);
	}
	db_rows_done(&rows);
	return result;
}

/* A reason that this program does not know, of a newer one, is passed over. */
static int
read_skips(struct db *db, const char *id, struct schedules_stats *to,
	   struct err *err)
{
	const struct db_value values[] = {DB_S(id), DB_S(id)};
	struct db_rows rows = DB_ROWS_INIT;
	int result = DB_RUN(db, Q_SKIPS, values, &rows, NULL, err);
	size_t i;
	int reason;

	for (i = 0; i < rows.n && result == 0; i++)
		for (reason = 0; reason < SCHEDULE_N_REASONS; reason++)
			if (slice_eq(db_text(&rows, i, 0),
				     slice_of(schedule_reason_name(
					 (enum schedule_reason)reason)))) {
				to->skipped[reason] = db_int(&rows, i, 1);
				to->last_skipped_us[reason] =
				    db_us(&rows, i, 2);
			}
	db_rows_done(&rows);
	return result;
}

static int
read_schedulers(struct db *db, struct figures *f, struct err *err)
{
	struct schedules_scheduler *to;
	size_t i;

	if (db->driver->run(db, Q_SCHEDULERS, NULL, 0, &f->rows, NULL, err) !=
	    0)
		return -1;
	/* One more: calloc(0) may return NULL, which is a failure here. */
	f->stats.schedulers = calloc(f->rows.n + 1, sizeof(*to));
	if (f->stats.schedulers == NULL)
		return err_nomem(err);
	for (i = 0; i < f->rows.n; i++) {
		to = &f->stats.schedulers[f->stats.n_schedulers++];
		to->id = db_text(&f->rows, i, 0).p;
		to->host = db_text(&f->rows, i, 1).p;
		to->pid = db_int(&f->rows, i, 2);
		to->started_us = db_us(&f->rows, i, 3);
		to->seen_us = db_us(&f->rows, i, 4);
		to->lag_us = db_us(&f->rows, i, 5);
		to->max_lag_us = db_us(&f->rows, i, 6);
		to->fires = db_int(&f->rows, i, 7);
		to->clock_off_us = db_int(&f->rows, i, 8);
		to->state = db_text(&f->rows, i, 9).p;
		to->lacks = db_text(&f->rows, i, 10).p;
	}
	return 0;
}

/* The counts are of several moments, not of one: a transaction that reads all
 * rows would hold up nobody, but be long on large tables. */
int
schedules_stats(struct schedules *s, const char *id, int64_t now_us,
		struct schedules_stats **ret, struct err *err)
{
	struct figures *f = calloc(1, sizeof(*f));
	const char *only = id != NULL ? id : "";

	if (f == NULL)
		return err_nomem(err);
	if (schedules_next_due(s, &f->stats.next_due_us, err) == 0 &&
	    schedules_pruned(s, &f->stats.pruned_us, err) == 0 &&
	    schedules_clock(s, &f->stats.clock_us, err) == 0 &&
	    read_counts(s->db, only, now_us, &f->stats, err) == 0 &&
	    read_unsent(s->db, only, &f->stats, err) == 0 &&
	    read_skips(s->db, only, &f->stats, err) == 0 &&
	    read_schedulers(s->db, f, err) == 0) {
		*ret = &f->stats;
		return 0;
	}
	schedules_stats_free(&f->stats);
	return -1;
}

void
schedules_stats_free(struct schedules_stats *stats)
{
	struct figures *f = (struct figures *)stats;

	if (f == NULL)
		return;
	free(f->stats.schedulers);
	db_rows_done(&f->rows);
	free(f);
}
