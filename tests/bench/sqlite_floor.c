/* SPDX-License-Identifier: MIT */
/*
 * The floor of `flowrractl submit` on the embedded store: opens a database, inserts
 * one row, flushes it, and ends. Usage: sqlite_floor FILE
 */
#include <err.h>
#include <sqlite3.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	sqlite3 *db;

	if (argc != 2)
		errx(64, "usage: sqlite_floor FILE");
	if (sqlite3_open_v2(argv[1], &db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(db, 5000) != SQLITE_OK ||
	    sqlite3_exec(db,
			 "PRAGMA journal_mode = WAL;"
			 "PRAGMA synchronous = FULL;"
			 "CREATE TABLE IF NOT EXISTS tasks("
			 " id INTEGER PRIMARY KEY, bytes BLOB);"
			 "BEGIN IMMEDIATE;"
			 "INSERT INTO tasks (bytes) VALUES"
			 " ('{\"name\":\"noop\",\"args\":[],\"kwargs\":{}}');"
			 "COMMIT",
			 NULL, NULL, NULL) != SQLITE_OK)
		errx(1, "%s: %s", argv[1], sqlite3_errmsg(db));
	sqlite3_close(db);
	puts("submitted");
	return 0;
}
