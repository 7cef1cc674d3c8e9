/* SPDX-License-Identifier: MIT */
/*
 * Handles, and what people do with schedules. Each change is a transaction of
 * its own that also tells those who watch: a scheduler that sleeps until
 * tomorrow must learn of a schedule that is due in a second.
 */
#include "schedules/schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedules/handle.h"
#include "schedules/row.h"
#include "schedules/schema.h"
#include "util/err.h"
#include "util/path.h"

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

char *
schedules_url_name(const char *url, struct err *err)
{
	const struct schedules_options options = {.url = url, .reads = true};
	struct schedules *s = schedules_open(&options, err);
	const char *name = s != NULL ? schedules_name(s) : NULL;
	char *result = NULL, *path;

	if (name == NULL) {
		schedules_close(s);
		return NULL;
	}
	if (!schedules_in_file(url)) {
		result = strdup(name);
	} else if ((path = path_canonical(strchr(name, '/') + 2)) != NULL) {
		if (asprintf(&result, "sqlite://%s", path) < 0)
			result = NULL;
		free(path);
	}
	if (result == NULL)
		err_nomem(err);
	schedules_close(s);
	return result;
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
	const struct db_value last[] = {DB_I((int64_t)limit)};
	const struct db_value aside[] = {DB_S(after), last[0]};
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

	if (f->last_due)
		return DB_RUN(db, Q_LIST_LAST, last, rows, NULL, err);
	if (f->only_aside)
		return DB_RUN(db, Q_LIST_ASIDE, aside, rows, NULL, err);
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
int
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
	result = delete_row(db, Q_DELETE, values, 1, &changed, err);
	if (result == 0 && changed > 0)
		result = db->driver->notify(db, err);
	if (db_end(db, result, err) != 0)
		return -1;
	return changed > 0 ? 0 : not_found(id, err);
}
