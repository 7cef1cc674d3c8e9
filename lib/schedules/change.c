/* SPDX-License-Identifier: MIT */
/*
 * Schedules that are made, edited and removed. Each call is a transaction that
 * also tells those who watch: a scheduler that sleeps until tomorrow must learn
 * of a schedule that is due in a second.
 *
 * The column `identity` is unique. It is bare in what a program creates: of two
 * that create the same at one time, one fails to insert. All that has an ID of
 * somebody's choice, or was edited, has that ID behind it, so that it does not
 * keep others from being the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schedules/handle.h"
#include "schedules/row.h"
#include "util/err.h"
#include "util/uuid.h"

/* Of one definition there may be many under IDs of their own; to find one among
 * them, as many as anybody has. */
#define ALIKE_MAX 100

#define IDENTITY_SIZE (ROW_IDENTITY_SIZE + 1 + SCHEDULE_ID_MAX)

/* --- creating ------------------------------------------------------------ */

/* All identities that begin so: ';' is behind ':'. */
static void
identity_range(const char *identity, char end[ROW_IDENTITY_SIZE + 1])
{
	snprintf(end, ROW_IDENTITY_SIZE + 1, "%s;", identity);
}

/* 1: there is an identical one. The index answers, so that this costs the same
 * for any number of schedules. */
static int
find_identical(struct db *db, const char *identity,
	       char ret_id[SCHEDULE_ID_MAX + 1], struct err *err)
{
	char end[ROW_IDENTITY_SIZE + 1];
	struct db_value range[2] = {{.type = DB_NULL}};
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	identity_range(identity, end);
	range[0] = DB_S(identity);
	range[1] = DB_S(end);
	result = DB_RUN(db, Q_FIND_IDENTICAL, range, &rows, NULL, err);
	if (result == 0 && rows.n > 0) {
		result = 1;
		*stpncpy(ret_id, db_text(&rows, 0, 0).p, SCHEDULE_ID_MAX) =
		    '\0';
	}
	db_rows_done(&rows);
	return result;
}

int
schedules_alike(struct schedules *s, const struct schedule *schedule,
		struct schedules_list **ret, struct err *err)
{
	char identity[ROW_IDENTITY_SIZE], end[ROW_IDENTITY_SIZE + 1];
	struct db_value values[3] = {{.type = DB_NULL}};
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	if (row_identity(schedule, identity, err) != 0)
		return -1;
	identity_range(identity, end);
	values[0] = DB_S(identity);
	values[1] = DB_S(end);
	values[2] = DB_I(ALIKE_MAX);
	if (db_enter(s->db, err) != 0)
		return -1;
	result = DB_RUN(s->db, Q_ALIKE, values, &rows, NULL, err);
	if (result == 0)
		result = row_read_list(&rows, ret, err);
	db_rows_done(&rows);
	return result;
}

/* *changed: 0 if the ID or the identity is taken. */
static int
insert_row(struct db *db, const struct schedule *schedule, const char *identity,
	   int64_t *changed, struct err *err)
{
	/* The identity is behind the columns that are read. */
	struct db_value values[SQL_N_COLUMNS + 1];

	row_write(schedule, values);
	values[SQL_N_COLUMNS] = DB_S(identity);
	/* NULL, so that no index holds it. */
	if (schedule->due_us == 0)
		values[SQL_DUE_COLUMN].type = DB_NULL;
	return DB_RUN(db, Q_CREATE, values, NULL, changed, err);
}

/*
 * Asks first, and inserts if nothing is found: most programs create the same
 * schedules at each start, and a question takes no lock. Between the two
 * somebody else may create it, which the unique index notices; the statement
 * then changes nothing, rather than fail and end the transaction.
 */
static int
insert(struct db *db, const struct schedule *schedule, const char *identity,
       char ret_id[SCHEDULE_ID_MAX + 1], bool *ret_existing, struct err *err)
{
	int64_t changed = 0;
	int found = find_identical(db, identity, ret_id, err);

	if (found == 0 &&
	    insert_row(db, schedule, identity, &changed, err) != 0)
		return -1;
	/* Somebody else may have stored it just now. */
	if (found == 0 && changed == 0)
		found = find_identical(db, identity, ret_id, err);
	if (found < 0)
		return -1;
	if (found == 0 && changed == 0)
		return err_set(err, ERR_REFUSED,
			       "another schedule has the ID %s; delete it or "
			       "choose another ID",
			       schedule->id);
	*ret_existing = found == 1;
	if (found == 1)
		return 0;
	memcpy(ret_id, schedule->id, strlen(schedule->id) + 1);
	return db->driver->notify(db, err);
}

/* What a schedule has when it is stored for the first time. */
static struct schedule
newborn(const struct schedule *schedule, int64_t now_us)
{
	struct schedule new = *schedule;

	new.created_us = new.updated_us = now_us;
	new.last_run_us = new.runs = 0;
	new.fault = "";
	if (!new.enabled || new.next_run_us == 0)
		new.due_us = 0;
	return new;
}

/* All checks come before the database is asked: what is wrong with a schedule
 * is told with the server away, too. */
int
schedules_create(struct schedules *s, const struct schedule *schedule,
		 int64_t now_us, char ret_id[SCHEDULE_ID_MAX + 1],
		 bool *ret_existing, struct err *err)
{
	char identity[ROW_IDENTITY_SIZE], id[UUID_TEXT_SIZE];
	struct schedule new;

	if (row_check(schedule, err) != 0 ||
	    row_identity(schedule, identity, err) != 0)
		return -1;
	new = newborn(schedule, now_us);
	if (new.id == NULL || new.id[0] == '\0') {
		uuid_make(id);
		new.id = id;
	}
	if (db_enter(s->db, err) != 0 || db_begin(s->db, err) != 0)
		return -1;
	return db_end(s->db,
		      insert(s->db, &new, identity, ret_id, ret_existing, err),
		      err);
}

/* --- editing ------------------------------------------------------------- */

/* The values of Q_UPDATE: all columns but the four of SQL_KEPT; then the
 * identity, the ID, and the two by which a change in between is noticed. */
#define N_SET (SQL_N_COLUMNS - 4)
#define N_UPDATE (N_SET + 4)

/* Walks the columns and SQL_KEPT, which is sorted, side by side. */
static void
update_values(const struct schedules_change *change,
	      const struct schedule *schedule, const char *identity,
	      struct db_value to[N_UPDATE])
{
	static const size_t kept[] = SQL_KEPT;
	struct db_value values[SQL_N_COLUMNS];
	size_t i, next = 0, n = 0;

	row_write(schedule, values);
	if (schedule->due_us == 0)
		values[SQL_DUE_COLUMN].type = DB_NULL;
	for (i = 0; i < SQL_N_COLUMNS; i++)
		if (next < sizeof(kept) / sizeof(kept[0]) && i == kept[next])
			next++;
		else
			to[n++] = values[i];
	to[n++] = DB_S(identity);
	to[n++] = DB_S(schedule->id);
	to[n++] = DB_I(change->old_updated_us);
	to[n++] = DB_I(change->old_next_run_us);
}

/* What the change drops has happened: it is noted as a claim notes it. */
static int
note_dropped(struct db *db, const char *id, const struct schedule_skip *skip,
	     int64_t now_us, struct err *err)
{
	const char *reason = schedule_reason_name(skip->reason);
	const struct db_value row[] = {
	    DB_S(id),	   DB_I(skip->fire_us), DB_I(skip->last_us),
	    DB_I(skip->n), DB_S(reason),	DB_I(now_us),
	};
	const struct db_value count[] = {DB_S(id), DB_S(reason), DB_I(skip->n),
					 DB_I(now_us)};

	if (DB_RUN(db, Q_ADD_SKIPPED, row, NULL, NULL, err) != 0)
		return -1;
	return DB_RUN(db, Q_ADD_SKIP, count, NULL, NULL, err);
}

/* The identity of what has an ID of its own. */
static int
own_identity(const struct schedule *s, char text[IDENTITY_SIZE],
	     struct err *err)
{
	if (row_identity(s, text, err) != 0)
		return -1;
	snprintf(text + ROW_IDENTITY_SIZE - 1,
		 IDENTITY_SIZE - (ROW_IDENTITY_SIZE - 1), ":%s", s->id);
	return 0;
}

/*
 * A claim locks the row of a schedule, and so does the UPDATE here: a claim
 * sees the old rule or the new one, never a part of each. What the editor read
 * before may be outdated; the statement's WHERE compares it, and changes no row
 * then.
 */
static int
update_row(struct db *db, const struct schedules_change *change, int64_t now_us,
	   bool *ret_done, struct err *err)
{
	struct schedule new = *change->schedule;
	struct db_value values[N_UPDATE];
	char identity[IDENTITY_SIZE];
	int64_t changed = 0;

	/* Clocks differ, and two changes may come within a microsecond: each is
	 * another version all the same. */
	new.updated_us = now_us > change->old_updated_us
			     ? now_us
			     : change->old_updated_us + 1;
	if (!new.enabled || new.next_run_us == 0)
		new.due_us = 0;
	if (own_identity(&new, identity, err) != 0)
		return -1;
	update_values(change, &new, identity, values);
	if (DB_RUN(db, Q_UPDATE, values, NULL, &changed, err) != 0)
		return -1;
	*ret_done = changed > 0;
	if (changed == 0 || change->dropped == NULL)
		return 0;
	return note_dropped(db, new.id, change->dropped, new.updated_us, err);
}

/* Tells those who watch, if there is something to tell. */
static int
update_and_notify(struct db *db, const struct schedules_change *change,
		  int64_t now_us, bool *ret_done, struct err *err)
{
	if (update_row(db, change, now_us, ret_done, err) != 0)
		return -1;
	return *ret_done ? db->driver->notify(db, err) : 0;
}

int
schedules_update(struct schedules *s, const struct schedules_change *change,
		 int64_t now_us, bool *ret_done, struct err *err)
{
	bool done = false;

	if (row_check(change->schedule, err) != 0)
		return -1;
	if (db_enter(s->db, err) != 0 || db_begin(s->db, err) != 0 ||
	    db_end(s->db, update_and_notify(s->db, change, now_us, &done, err),
		   err) != 0)
		return -1;
	*ret_done = done;
	return done ? 0 : check_there(s->db, change->schedule->id, err);
}

/* --- removing ------------------------------------------------------------ */

/* The notes go with the schedule: a new one with the same ID begins with
 * none. */
int
delete_row(struct db *db, enum query query, const struct db_value *values,
	   size_t n, int64_t *changed, struct err *err)
{
	if (db->driver->run(db, query, values, n, NULL, changed, err) != 0)
		return -1;
	if (*changed == 0)
		return 0;
	/* The ID is the first value of each statement. */
	if (db->driver->run(db, Q_DELETE_SKIPS, values, 1, NULL, NULL, err) !=
	    0)
		return -1;
	return db->driver->run(db, Q_DELETE_SKIPPED, values, 1, NULL, NULL,
			       err);
}

/* --- many ---------------------------------------------------------------- */

/* Others change many rows at a time, too, in an order of their own. Of two that
 * wait for each other one goes on; the other begins again when that should be
 * through, or they would meet again. */
#define TRIES_MAX 8
#define DEADLOCK_PAUSE_US 100000

static int
take_step(struct db *db, struct schedules_step *step, int64_t now_us,
	  struct err *err)
{
	const struct schedules_change change = {
	    step->schedule, step->old_updated_us, step->old_next_run_us,
	    step->dropped};
	const struct db_value owned[] = {DB_S(step->schedule->id),
					 DB_S(step->schedule->owner)};
	char identity[IDENTITY_SIZE];
	struct schedule new;
	int64_t changed = 0;

	if (step->kind == SCHEDULES_SET)
		return update_row(db, &change, now_us, &step->done, err);
	if (step->kind == SCHEDULES_ADD) {
		new = newborn(step->schedule, now_us);
		if (own_identity(&new, identity, err) != 0 ||
		    insert_row(db, &new, identity, &changed, err) != 0)
			return -1;
	} else if (delete_row(db, Q_DELETE_OWNED, owned, 2, &changed, err) !=
		   0) {
		return -1;
	}
	step->done = changed > 0;
	return 0;
}

/* One word to those who watch for all of them. */
static int
take_all(struct db *db, struct schedules_step *steps, size_t n, int64_t now_us,
	 struct err *err)
{
	bool any = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (take_step(db, &steps[i], now_us, err) != 0)
			return -1;
		any = any || steps[i].done;
	}
	return any ? db->driver->notify(db, err) : 0;
}

int
schedules_take_steps(struct schedules *s, struct schedules_step *steps,
		     size_t n, int64_t now_us, struct err *err)
{
	int result = -1, tries;
	size_t i;

	for (i = 0; i < n; i++) {
		steps[i].done = false;
		if (steps[i].kind != SCHEDULES_DROP &&
		    row_check(steps[i].schedule, err) != 0)
			return err_prefix(err, "%s", steps[i].schedule->id);
	}
	if (n == 0)
		return 0;
	for (tries = 0; tries < TRIES_MAX; tries++) {
		if (db_enter(s->db, err) != 0 || db_begin(s->db, err) != 0)
			return -1;
		result =
		    db_end(s->db, take_all(s->db, steps, n, now_us, err), err);
		if (result == 0 || !s->db->deadlock)
			break;
		usleep(DEADLOCK_PAUSE_US << (tries < 3 ? tries : 3));
	}
	return result;
}
