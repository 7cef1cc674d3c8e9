/* SPDX-License-Identifier: MIT */
/*
 * The outbox: fires that wait to be sent, and when the next ones come.
 *
 * A fire waits while waits_us is set; a mark makes that NULL and drops the
 * task's text. The index of those that wait holds only them, so that a look at
 * the outbox costs the same after a million fires as after ten.
 */
#include <stdlib.h>
#include <string.h>

#include "schedules/claim.h"
#include "schedules/fires.h"
#include "schedules/handle.h"
#include "schedules/row.h"
#include "util/clock.h"
#include "util/err.h"

/* The most that is answered at a time; see schedules.h. */
#define LIMIT_MAX 10000
#define MARK_VALUES 4
/* Marks in one transaction: a server's log and its locks stay small, and the
 * round trips are few all the same. */
#define MARKS 1000
/* What NTP holds easily between two machines. */
#define OFF_MAX_US INT64_C(1000000)

/* A limit comes from the caller; an answer is in memory as a whole. */
static int64_t
bounded(size_t limit)
{
	return limit > LIMIT_MAX ? LIMIT_MAX : (int64_t)limit;
}

/* --- unsent fires -------------------------------------------------------- */

/* A schedule that is gone, or has a value that makes no sense, says nothing. */
static struct schedule_patience
read_patience(const struct db_rows *rows, size_t i)
{
	const int misfire = schedule_misfire_of(db_text(rows, i, 7).p);

	return (struct schedule_patience){
	    .known = misfire >= 0,
	    .misfire =
		misfire >= 0 ? (enum schedule_misfire)misfire : SCHEDULE_LATEST,
	    .grace_us = db_int(rows, i, 8),
	    .jitter_us = db_us(rows, i, 9),
	    .next_run_us = db_us(rows, i, 10)};
}

/* Copies: the rows are gone when the fires are sent. */
static int
read_fires(const struct db_rows *rows, struct schedules_fires **ret,
	   struct err *err)
{
	struct fires fires = {.cap = 0};
	struct schedule_fire fire;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		fire = (struct schedule_fire){
		    .schedule = db_text(rows, i, 0).p,
		    .fire_us = db_int(rows, i, 1),
		    .task_id = db_text(rows, i, 2).p,
		    .work = schedule_work_of_id(db_text(rows, i, 2).p),
		    .queue = db_text(rows, i, 3).p,
		    .priority = (int32_t)db_int(rows, i, 4),
		    .body = db_text(rows, i, 5).p,
		    .created_us = db_us(rows, i, 6),
		    .patience = read_patience(rows, i),
		};
		fires_add(&fires, &fire);
	}
	if (fires_seal(&fires) == 0 && (*ret = fires_take(&fires)) != NULL)
		return 0;
	fires_done(&fires);
	return err_nomem(err);
}

/* Takes no lock: two schedulers that find the same fires both send them, which
 * the broker's key makes harmless. A lock would have to outlive the sending. */
int
schedules_unsent(struct schedules *s, int64_t before_us, size_t limit,
		 struct schedules_fires **ret, struct err *err)
{
	const struct db_value values[] = {DB_I(before_us),
					  DB_I(bounded(limit))};
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	if (db_enter(s->db, err) != 0)
		return -1;
	result = DB_RUN(s->db, Q_UNSENT, values, &rows, NULL, err);
	if (result == 0)
		result = read_fires(&rows, ret, err);
	db_rows_done(&rows);
	return result;
}

/* --- marking ------------------------------------------------------------- */

/* The reason is cut to what its column takes: it may quote a server. */
static void
mark_values(const struct schedule_mark *mark, int64_t now_us,
	    struct db_value *to)
{
	to[0] = DB_I(now_us);
	to[1] = (struct db_value){.type = DB_NULL};
	if (mark->refused != NULL)
		to[1] = (struct db_value){
		    .type = DB_TEXT,
		    .s = row_cut(mark->refused, SCHEDULE_TEXT_MAX)};
	to[2] = DB_S(mark->schedule);
	to[3] = DB_I(mark->fire_us);
}

/* Refused ones one by one, since each is counted where it was not yet. */
static int
mark_refused(struct db *db, const struct schedule_mark *mark, int64_t now_us,
	     struct err *err)
{
	const int named = schedule_reason_of(mark->refused);
	const enum schedule_reason reason =
	    named >= 0 ? (enum schedule_reason)named : SCHEDULE_REFUSED;
	struct db_value values[MARK_VALUES];
	const struct db_value skip[] = {
	    DB_S(mark->schedule),
	    DB_S(schedule_reason_name(reason)),
	    DB_I(1),
	    DB_I(now_us),
	};
	int64_t changed;

	mark_values(mark, now_us, values);
	if (DB_RUN(db, Q_MARK, values, NULL, &changed, err) != 0)
		return -1;
	return changed > 0 ? DB_RUN(db, Q_ADD_SKIP, skip, NULL, NULL, err) : 0;
}

/* In one transaction: `n` is MARKS at most. */
static int
mark_some(struct db *db, const struct schedule_mark *marks, size_t n,
	  int64_t now_us, struct err *err)
{
	struct db_value *values;
	size_t i, sent = 0;
	int result = 0;

	values = calloc(n + 1, MARK_VALUES * sizeof(*values));
	if (values == NULL)
		return err_nomem(err);
	for (i = 0; i < n && result == 0; i++)
		if (marks[i].refused != NULL)
			result = mark_refused(db, &marks[i], now_us, err);
		else
			mark_values(&marks[i], now_us,
				    values + sent++ * MARK_VALUES);
	if (result == 0 && sent > 0)
		result = db->driver->run_many(db, Q_MARK, values, MARK_VALUES,
					      sent, NULL, err);
	free(values);
	return result;
}

/* A piece that fails leaves those before it marked, which is as good as any:
 * marks that are missing only cost another submission. */
int
schedules_mark(struct schedules *s, const struct schedule_mark *marks, size_t n,
	       int64_t now_us, struct err *err)
{
	size_t i, some;

	for (i = 0; i < n; i += some) {
		some = n - i < MARKS ? n - i : MARKS;
		if (db_enter(s->db, err) != 0 || db_begin(s->db, err) != 0 ||
		    db_end(s->db,
			   mark_some(s->db, marks + i, some, now_us, err),
			   err) != 0)
			return -1;
	}
	return 0;
}

/* In one transaction: what is forgotten is known to be. */
static int
prune_made(struct db *db, int64_t before_us, size_t limit, int64_t *ret_n,
	   struct err *err)
{
	const struct db_value values[] = {DB_I(before_us), DB_I(before_us),
					  DB_I(bounded(limit))};
	const struct db_value raise[] = {DB_I(before_us), DB_I(before_us)};
	int result;

	if (db_begin(db, err) != 0)
		return -1;
	result = DB_RUN(db, Q_PRUNE, values, NULL, ret_n, err);
	if (result == 0 && *ret_n > 0)
		result = DB_RUN(db, Q_RAISE_PRUNED, raise, NULL, NULL, err);
	return db_end(db, result, err);
}

/* No transaction around the three: each removes what nothing else refers to. */
int
schedules_prune(struct schedules *s, int64_t before_us, size_t limit,
		size_t *ret_n, struct err *err)
{
	const struct db_value skipped[] = {DB_I(before_us)};
	const struct db_value schedulers[] = {DB_I(before_us), DB_I(INT64_MAX)};
	int64_t changed = 0;

	if (db_enter(s->db, err) != 0 ||
	    prune_made(s->db, before_us, limit, &changed, err) != 0 ||
	    DB_RUN(s->db, Q_PRUNE_SKIPPED, skipped, NULL, NULL, err) != 0 ||
	    DB_RUN(s->db, Q_PRUNE_SCHEDULERS, schedulers, NULL, NULL, err) != 0)
		return -1;
	*ret_n = (size_t)changed;
	return 0;
}

int
schedules_prune_future(struct schedules *s, int64_t after_us, struct err *err)
{
	const struct db_value values[] = {DB_I(0), DB_I(after_us)};

	if (db_enter(s->db, err) != 0)
		return -1;
	return DB_RUN(s->db, Q_PRUNE_SCHEDULERS, values, NULL, NULL, err);
}

/* The number of a query that answers with one, or with none. */
static int
ask_number(struct schedules *s, enum query query, int64_t *ret, struct err *err)
{
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	if (db_enter(s->db, err) != 0)
		return -1;
	result = s->db->driver->run(s->db, query, NULL, 0, &rows, NULL, err);
	if (result == 0)
		*ret = rows.n > 0 ? db_int(&rows, 0, 0) : 0;
	db_rows_done(&rows);
	return result;
}

int
schedules_pruned(struct schedules *s, int64_t *ret_us, struct err *err)
{
	return ask_number(s, Q_PRUNED, ret_us, err);
}

int
schedules_set_pruned(struct schedules *s, int64_t us, struct err *err)
{
	const struct db_value values[] = {DB_I(us)};

	if (db_enter(s->db, err) != 0)
		return -1;
	return DB_RUN(s->db, Q_SET_PRUNED, values, NULL, NULL, err);
}

/* --- clocks -------------------------------------------------------------- */

int
schedules_clock(struct schedules *s, int64_t *ret_us, struct err *err)
{
	int64_t us = 0;

	if (s->db->sql->queries[Q_CLOCK] != NULL &&
	    ask_number(s, Q_CLOCK, &us, err) != 0)
		return -1;
	*ret_us = us != 0 && s->db_clock != NULL ? s->db_clock() : us;
	return 0;
}

/* The server's clock was read at some moment while it was asked. */
int
schedules_now(struct schedules *s, int64_t *ret_us, int64_t *ret_off_us,
	      struct err *err)
{
	int64_t asked_us, answered_us, theirs_us, off_us = 0;

	asked_us = clock_wall_us();
	if (schedules_clock(s, &theirs_us, err) != 0)
		return -1;
	answered_us = clock_wall_us();
	if (theirs_us != 0 && theirs_us < asked_us)
		off_us = asked_us - theirs_us;
	else if (theirs_us > answered_us)
		off_us = answered_us - theirs_us;
	if (off_us <= OFF_MAX_US && off_us >= -OFF_MAX_US)
		off_us = 0;
	*ret_us = theirs_us != 0 ? theirs_us : answered_us;
	*ret_off_us = off_us;
	return 0;
}

unsigned int
schedules_connections(const struct schedules *s)
{
	return s->db->connections;
}

/* --- what comes ---------------------------------------------------------- */

/* The first entry of the index of due schedules. */
int
schedules_next_due_but(struct schedules *s, const char *lacks, int64_t *ret_us,
		       struct err *err)
{
	const struct db_value values[] = {DB_S(lacks)};
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	if (db_enter(s->db, err) != 0)
		return -1;
	result = DB_RUN(s->db, Q_NEXT_DUE, values, &rows, NULL, err);
	if (result == 0)
		*ret_us = rows.n > 0 ? db_us(&rows, 0, 0) : INT64_MAX;
	db_rows_done(&rows);
	return result;
}

int
schedules_next_due(struct schedules *s, int64_t *ret_us, struct err *err)
{
	return schedules_next_due_but(s, "", ret_us, err);
}
