/* SPDX-License-Identifier: MIT */
/* Another program's file of SQLite. */
#include <errno.h>
#include <unistd.h>

#include "loaded/sqlite3.h"
#include "schedules/sqlite_row.h"
#include "sqlite/load.h"
#include "util/err.h"

#define BUSY_MS 5000

/* 0, or -1 with the message of the connection. */
static int
foreign_rows(sqlite3 *db, const char *sql, struct db_rows *rows)
{
	sqlite3_stmt *stmt;
	int status;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return -1;
	while ((status = sqlite3_step(stmt)) == SQLITE_ROW)
		sqlite_take_row(stmt, rows);
	sqlite3_finalize(stmt);
	return status == SQLITE_DONE ? 0 : -1;
}

int
sqlite_ask_foreign(const char *path, enum query query, struct db_rows *rows,
		   struct err *err)
{
	sqlite3 *db = NULL;
	int result = 0;

	if (access(path, R_OK) != 0)
		return err_sys(err,
			       errno == ENOENT ? ERR_NOT_FOUND : ERR_REFUSED,
			       "cannot read %s", path);
	if (sqlite_load(err) != 0)
		return -1;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) !=
		SQLITE_OK ||
	    sqlite3_busy_timeout(db, BUSY_MS) != SQLITE_OK ||
	    foreign_rows(db, sql_sqlite.queries[query], rows) != 0)
		result =
		    err_set(err, ERR_DATA, "%s: %s", path, sqlite3_errmsg(db));
	sqlite3_close(db);
	if (result == 0 && db_rows_seal(rows) != 0)
		return err_nomem(err);
	return result;
}
