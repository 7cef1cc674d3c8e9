/* SPDX-License-Identifier: MIT */
/* Rows of SQLite; and a statement on a database that is not ours. */
#ifndef SCHEDULES_SQLITE_ROW_H
#define SCHEDULES_SQLITE_ROW_H

#include "schedules/db.h"

struct err;
struct sqlite3_stmt;

/* Adds the row that a statement stands at. */
void sqlite_take_row(struct sqlite3_stmt *stmt, struct db_rows *rows);

/*
 * Asks another program's file, which is opened for reading only, and in which
 * nothing of ours is looked for. ERR_NOT_FOUND: there is no such file.
 */
int sqlite_ask_foreign(const char *path, enum query query, struct db_rows *rows,
		       struct err *err);

#endif
