/* SPDX-License-Identifier: MIT */
/*
 * Handles, and what people do with schedules. Each change is a transaction of its
 * own that also tells those who watch: a scheduler that sleeps until tomorrow
 * must learn of a schedule that is due in a second.
 */
#include "schedules/schedules.h"

#include <stdlib.h>
#include <string.h>

#include "schedules/handle.h"
#include "schedules/row.h"
#include "util/err.h"
#include "util/uuid.h"

/* A trade: longer than a server that is busy takes, and short for a
 * scheduler, whose loop a call blocks. */
#define TIMEOUT_MS 5000
/* Of one answer, which is in memory as a whole. */
#define LIST_MAX 10000
#define LIST_USUAL 1000

/* --- opening ------------------------------------------------------------- */

struct schedules *
schedules_open(const struct schedules_options *options, struct err *err)
{
	struct schedules *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	s->db = db_open(
	    options->url,
	    options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS, err);
	if (s->db != NULL) {
		s->db->reads = options->reads;
		return s;
	}
	free(s);
	return NULL;
}

void
schedules_close(struct schedules *s)
{
	if (s == NULL)
		return;
	db_free(s->db);
	free(s);
}

const char *
schedules_name(const struct schedules *s)
{
	return s->db->name;
}

/* Everything else needs a person: a wrong URL, no right, a schema that is too
 * new. */
bool
schedules_transient(const struct err *err)
{
	return err->code == ERR_UNAVAILABLE || err->code == ERR_SYSTEM;
}

int
schedules_connect(struct schedules *s, struct err *err)
{
	return db_enter(s->db, err);
}

void
schedules_disconnect(struct schedules *s)
{
	db_disconnect(s->db);
}

int
schedules_schema_version(const struct schedules *s)
{
	return (int)s->db->sql->n_migrations;
}

/* --- creating ------------------------------------------------------------ */

/* 1: there is an identical one. */
static int
find_identical(struct db *db, const char *identity,
	       char ret_id[SCHEDULE_ID_MAX + 1], struct err *err)
{
	const struct db_value values[] = {DB_S(identity)};
	struct db_rows rows = DB_ROWS_INIT;
	int result = DB_RUN(db, Q_FIND_IDENTICAL, values, &rows, NULL, err);

	if (result == 0 && rows.n > 0) {
		result = 1;
		*stpncpy(ret_id, db_text(&rows, 0, 0).p, SCHEDULE_ID_MAX) =
		    '\0';
	}
	db_rows_done(&rows);
	return result;
}

static int
insert(struct db *db, const struct schedule *schedule, const char *identity,
       char ret_id[SCHEDULE_ID_MAX + 1], bool *ret_existing, struct err *err)
{
	/* The identity is behind the columns that are read. */
	struct db_value values[SQL_N_COLUMNS + 1];
	int64_t changed = 0;
	int found = find_identical(db, identity, ret_id, err);

	row_write(schedule, values);
	values[SQL_N_COLUMNS] = DB_S(identity);
	/* NULL, so that no index holds it. */
	if (schedule->due_us == 0)
		values[SQL_DUE_COLUMN].type = DB_NULL;
	if (found == 0 &&
	    DB_RUN(db, Q_CREATE, values, NULL, &changed, err) != 0)
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

int
schedules_create(struct schedules *s, const struct schedule *schedule,
		 int64_t now_us, char ret_id[SCHEDULE_ID_MAX + 1],
		 bool *ret_existing, struct err *err)
{
	char identity[ROW_IDENTITY_SIZE], id[UUID_TEXT_SIZE];
	struct schedule new = *schedule;

	if (row_check(schedule, err) != 0 ||
	    row_identity(schedule, identity, err) != 0)
		return -1;
	if (new.id == NULL || new.id[0] == '\0') {
		uuid_make(id);
		new.id = id;
	}
	new.created_us = new.updated_us = now_us;
	new.last_run_us = new.runs = 0;
	new.fault = "";
	if (!new.enabled || new.next_run_us == 0)
		new.due_us = 0;
	if (db_enter(s->db, err) != 0 || db_begin(s->db, err) != 0)
		return -1;
	return db_end(s->db,
		      insert(s->db, &new, identity, ret_id, ret_existing, err),
		      err);
}

/* --- looking ------------------------------------------------------------- */

static int
not_found(const char *id, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "no schedule with ID %s", id);
}

int
schedules_get(struct schedules *s, const char *id, struct schedules_list **ret,
	      struct err *err)
{
	const struct db_value values[] = {DB_S(id)};
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	if (db_enter(s->db, err) != 0)
		return -1;
	result = DB_RUN(s->db, Q_GET, values, &rows, NULL, err);
	if (result == 0)
		result = rows.n > 0 ? row_read_list(&rows, ret, err)
				    : not_found(id, err);
	db_rows_done(&rows);
	return result;
}

int
schedules_list(struct schedules *s, const struct schedules_filter *filter,
	       struct schedules_list **ret, struct err *err)
{
	static const struct schedules_filter all;
	const struct schedules_filter *f = filter != NULL ? filter : &all;
	const char *task = f->task != NULL ? f->task : "";
	int64_t enabled = f->only_enabled ? 1 : f->only_disabled ? 0 : -1;
	size_t limit = f->limit == 0	     ? LIST_USUAL
		       : f->limit > LIST_MAX ? LIST_MAX
					     : f->limit;
	const struct db_value values[] = {
	    DB_S(f->after != NULL ? f->after : ""),
	    DB_S(task),
	    DB_S(task),
	    DB_I(enabled),
	    DB_I(enabled),
	    DB_I((int64_t)limit),
	};
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	if (db_enter(s->db, err) != 0)
		return -1;
	result = DB_RUN(s->db, Q_LIST, values, &rows, NULL, err);
	if (result == 0)
		result = row_read_list(&rows, ret, err);
	db_rows_done(&rows);
	return result;
}

/* --- changing ------------------------------------------------------------ */

/* One statement on one schedule, told to those who watch if it did something.
 */
static int
change(struct db *db, enum query query, const struct db_value *values, size_t n,
       int64_t *ret_changed, struct err *err)
{
	int result;

	if (db_enter(db, err) != 0 || db_begin(db, err) != 0)
		return -1;
	result = db->driver->run(db, query, values, n, NULL, ret_changed, err);
	if (result == 0 && *ret_changed > 0)
		result = db->driver->notify(db, err);
	return db_end(db, result, err);
}

/* MySQL counts rows that are what they shall be as not changed. */
static int
check_there(struct db *db, const char *id, struct err *err)
{
	const struct db_value values[] = {DB_S(id)};
	struct db_rows rows = DB_ROWS_INIT;
	int result = DB_RUN(db, Q_GET, values, &rows, NULL, err);

	if (result == 0 && rows.n == 0)
		result = not_found(id, err);
	db_rows_done(&rows);
	return result;
}

int
schedules_enable(struct schedules *s, const char *id,
		 const struct schedule_next *next, int64_t now_us,
		 struct err *err)
{
	const struct db_value values[] = {
	    DB_I(next->next_run_us),
	    DB_O(next->next_run_us != 0 ? next->due_us : 0),
	    DB_S(next->tz_data != NULL ? next->tz_data : ""),
	    DB_I(now_us),
	    DB_S(id),
	};
	int64_t changed;

	if (change(s->db, Q_ENABLE, values, 5, &changed, err) != 0)
		return -1;
	return changed > 0 ? 0 : check_there(s->db, id, err);
}

int
schedules_disable(struct schedules *s, const char *id, int64_t now_us,
		  struct err *err)
{
	const struct db_value values[] = {DB_I(now_us), DB_S(id)};
	int64_t changed;

	if (change(s->db, Q_DISABLE, values, 2, &changed, err) != 0)
		return -1;
	return changed > 0 ? 0 : check_there(s->db, id, err);
}

int
schedules_set_next(struct schedules *s, const char *id, int64_t old_next_run_us,
		   const struct schedule_next *next, bool *ret_done,
		   struct err *err)
{
	const struct db_value values[] = {
	    DB_I(next->next_run_us),
	    DB_O(next->next_run_us != 0 ? next->due_us : 0),
	    DB_S(next->tz_data != NULL ? next->tz_data : ""),
	    DB_S(id),
	    DB_I(old_next_run_us),
	};
	int64_t changed;

	if (change(s->db, Q_SET_NEXT, values, 5, &changed, err) != 0)
		return -1;
	*ret_done = changed > 0;
	return 0;
}

/* Fires stay in the outbox: they have happened. */
int
schedules_delete(struct schedules *s, const char *id, struct err *err)
{
	const struct db_value values[] = {DB_S(id)};
	struct db *db = s->db;
	int64_t changed = 0;
	int result;

	if (db_enter(db, err) != 0 || db_begin(db, err) != 0)
		return -1;
	result = DB_RUN(db, Q_DELETE, values, NULL, &changed, err);
	if (result == 0)
		result = DB_RUN(db, Q_DELETE_SKIPS, values, NULL, NULL, err);
	if (result == 0 && changed > 0)
		result = db->driver->notify(db, err);
	if (db_end(db, result, err) != 0)
		return -1;
	return changed > 0 ? 0 : not_found(id, err);
}
