/* SPDX-License-Identifier: MIT */
/*
 * Handles, and what people do with schedules. Each change is a transaction of
 * its own that also tells those who watch: a scheduler that sleeps until
 * tomorrow must learn of a schedule that is due in a second.
 */
#include "schedules/schedules.h"

#include <stdlib.h>
#include <string.h>

#include "schedules/handle.h"
#include "schedules/row.h"
#include "schedules/schema.h"
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

bool
schedules_in_file(const char *url)
{
	return url == NULL || strncmp(url, "sqlite:", strlen("sqlite:")) == 0 ||
	       url[0] == '\0';
}

int
schedules_print_schema(const char *url, FILE *out, struct err *err)
{
	const struct schedules_options options = {.url = url, .reads = true};
	struct schedules *s;

	if (schedules_in_file(url))
		return err_set(err, ERR_CONFIG,
			       "[scheduler] database_url: an SQLite database "
			       "gets its tables from the first program that "
			       "uses it; to print those of a server, name "
			       "postgresql:// or mysql://");
	if ((s = schedules_open(&options, err)) == NULL)
		return -1;
	schema_print(s->db->sql, out);
	schedules_close(s);
	if (fflush(out) != 0)
		return err_sys(err, ERR_SYSTEM, "cannot write the schema");
	return 0;
}

int
schedules_check_url(const char *url, struct err *err)
{
	const struct schedules_options options = {.url = url, .reads = true};
	struct schedules *s = schedules_open(&options, err);

	schedules_close(s);
	return s != NULL ? 0 : -1;
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

/* 1: there is an identical one. Its unique index answers, so that this costs
 * the same for any number of schedules. */
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

/* All checks come before the database is asked: what is wrong with a schedule
 * is told with the server away, too. */
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

/*
 * A claim locks the row of a schedule, and so does the UPDATE here: a claim
 * sees the old rule or the new one, never a part of each. What the editor read
 * before may be outdated; the statement's WHERE compares it, and changes no row
 * then.
 */
static int
update_row(struct db *db, const struct schedules_change *change,
	   const struct schedule *schedule, bool *ret_done, struct err *err)
{
	char identity[ROW_IDENTITY_SIZE], other[SCHEDULE_ID_MAX + 1];
	struct db_value values[N_UPDATE];
	int64_t changed = 0;
	int found;

	if (row_identity(schedule, identity, err) != 0 ||
	    (found = find_identical(db, identity, other, err)) < 0)
		return -1;
	if (found == 1 && strcmp(other, schedule->id) != 0)
		return err_set(err, ERR_REFUSED,
			       "schedule %s has the same task, rule and "
			       "arguments; delete it or make a difference",
			       other);
	update_values(change, schedule, identity, values);
	if (DB_RUN(db, Q_UPDATE, values, NULL, &changed, err) != 0)
		return -1;
	*ret_done = changed > 0;
	if (changed == 0)
		return 0;
	if (change->dropped != NULL &&
	    note_dropped(db, schedule->id, change->dropped,
			 schedule->updated_us, err) != 0)
		return -1;
	return db->driver->notify(db, err);
}

static int check_there(struct db *db, const char *id, struct err *err);

int
schedules_update(struct schedules *s, const struct schedules_change *change,
		 int64_t now_us, bool *ret_done, struct err *err)
{
	struct schedule new = *change->schedule;
	bool done = false;

	if (row_check(&new, err) != 0)
		return -1;
	/* Clocks differ, and two changes may come within a microsecond: each is
	 * another version all the same. */
	new.updated_us = now_us > change->old_updated_us
			     ? now_us
			     : change->old_updated_us + 1;
	if (!new.enabled || new.next_run_us == 0)
		new.due_us = 0;
	if (db_enter(s->db, err) != 0 || db_begin(s->db, err) != 0 ||
	    db_end(s->db, update_row(s->db, change, &new, &done, err), err) !=
		0)
		return -1;
	*ret_done = done;
	return done ? 0 : check_there(s->db, new.id, err);
}

/* --- looking ------------------------------------------------------------- */

/* IDs are printable ASCII, or nothing would have been stored under them. */
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

/* Two orders, three statements: each follows one index from where the last page
 * ended, so that a page costs the same wherever it is. A filter is given twice,
 * since a parameter has no name in all dialects. */
static int
run_list(struct db *db, const struct schedules_filter *f, struct db_rows *rows,
	 struct err *err)
{
	const bool idle = f->by_due && f->after_due_us == SCHEDULES_IDLE;
	const char *task = f->task != NULL ? f->task : "";
	const char *after = f->after != NULL ? f->after : "";
	int64_t enabled = f->only_enabled ? 1 : f->only_disabled ? 0 : -1;
	size_t limit = f->limit == 0	     ? LIST_USUAL
		       : f->limit > LIST_MAX ? LIST_MAX
					     : f->limit;
	const struct db_value by_id[] = {
	    DB_S(after),   DB_S(task),	  DB_S(task),
	    DB_I(enabled), DB_I(enabled), DB_I((int64_t)limit),
	};
	const struct db_value by_due[] = {
	    DB_I(f->after_due_us),
	    DB_I(f->after_due_us),
	    DB_S(after),
	    DB_S(task),
	    DB_S(task),
	    DB_I((int64_t)limit),
	};

	if (f->by_due && !idle)
		return DB_RUN(db, Q_LIST_DUE, by_due, rows, NULL, err);
	return DB_RUN(db, idle ? Q_LIST_IDLE : Q_LIST, by_id, rows, NULL, err);
}

int
schedules_list(struct schedules *s, const struct schedules_filter *filter,
	       struct schedules_list **ret, struct err *err)
{
	static const struct schedules_filter all;
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	if (db_enter(s->db, err) != 0)
		return -1;
	result = run_list(s->db, filter != NULL ? filter : &all, &rows, err);
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

/* That no row changed has two reasons: there is none, or it already was as it
 * should be, which MySQL counts as not changed. Only the first is an error. */
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

/* No error if the schedule is gone: *ret_done says enough to a scheduler, which
 * goes on with the next one. */
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

/* Fires stay in the outbox: they have happened. The notes go with the schedule,
 * in one transaction: a new one with the same ID begins with none. */
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
	if (result == 0)
		result = DB_RUN(db, Q_DELETE_SKIPPED, values, NULL, NULL, err);
	if (result == 0 && changed > 0)
		result = db->driver->notify(db, err);
	if (db_end(db, result, err) != 0)
		return -1;
	return changed > 0 ? 0 : not_found(id, err);
}
