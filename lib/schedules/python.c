/* SPDX-License-Identifier: MIT */
/* The table of the Python package, which lies in a database of its own: that is
 * opened without our schema, and only read. */
#include <string.h>

#include "schedules/db.h"
#include "schedules/schedules.h"
#include "schedules/sqlite_row.h"
#include "util/clock.h"
#include "util/err.h"

#define TIMEOUT_MS 10000

/* In the order of Q_PYTHON. */
enum python_column {
	COLUMN_ID,
	COLUMN_TASK,
	COLUMN_TYPE,
	COLUMN_SCHEDULE,
	COLUMN_ARGS,
	COLUMN_KWARGS,
	COLUMN_ENABLED,
	COLUMN_NEXT_RUN,
	COLUMN_CREATED,
	COLUMN_DESCRIPTION,
	COLUMN_MAX_RETRIES,
	COLUMN_RETRY_DELAY,
	COLUMN_PRIORITY,
	N_COLUMNS
};

static const char *
python_text(const struct db_rows *rows, size_t row, enum python_column column)
{
	const struct db_value *v = db_value(rows, row, column);

	return v->type == DB_TEXT ? v->s.p : NULL;
}

static int
python_rows(const struct db_rows *rows, schedules_python_fn *on_row, void *arg,
	    struct err *err)
{
	struct schedules_python one;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		one = (struct schedules_python){
		    .id = python_text(rows, i, COLUMN_ID),
		    .task = python_text(rows, i, COLUMN_TASK),
		    .type = python_text(rows, i, COLUMN_TYPE),
		    .schedule = python_text(rows, i, COLUMN_SCHEDULE),
		    .args = python_text(rows, i, COLUMN_ARGS),
		    .kwargs = python_text(rows, i, COLUMN_KWARGS),
		    .description = python_text(rows, i, COLUMN_DESCRIPTION),
		    .next_run = python_text(rows, i, COLUMN_NEXT_RUN),
		    .created = python_text(rows, i, COLUMN_CREATED),
		    .retry_delay = python_text(rows, i, COLUMN_RETRY_DELAY),
		    .enabled = db_int(rows, i, COLUMN_ENABLED) != 0,
		    .max_retries = db_int(rows, i, COLUMN_MAX_RETRIES),
		    .priority = db_int(rows, i, COLUMN_PRIORITY)};
		if (on_row(arg, &one, err) != 0)
			return -1;
	}
	return 0;
}

/* Ours is another database: its schema must not be made there. */
static int
ask_server(const char *url, struct db_rows *rows, struct err *err)
{
	struct db *db = db_open(url, TIMEOUT_MS, err);
	int result = -1;

	if (db == NULL)
		return -1;
	db->reads = true;
	db->deadline_ms = clock_mono_ms() + TIMEOUT_MS;
	if (db->driver->connect(db, err) == 0) {
		db->connected = true;
		result =
		    db->driver->run(db, Q_PYTHON, NULL, 0, rows, NULL, err);
	}
	db_free(db);
	return result;
}

int
schedules_read_python(const char *url, schedules_python_fn *on_row, void *arg,
		      struct err *err)
{
	static const char scheme[] = "sqlite://";
	struct db_rows rows = DB_ROWS_INIT;
	int result;

	if (url == NULL || url[0] == '\0')
		return err_set(err, ERR_USAGE, "the URL is empty");
	if (strncmp(url, scheme, sizeof(scheme) - 1) == 0)
		result = sqlite_ask_foreign(url + sizeof(scheme) - 1, Q_PYTHON,
					    &rows, err);
	else
		result = ask_server(url, &rows, err);
	if (result == 0 && rows.n > 0)
		result = python_rows(&rows, on_row, arg, err);
	db_rows_done(&rows);
	return result;
}
