/* SPDX-License-Identifier: MIT */
/*
 * Tells our database files from those of other programs: a user who names the
 * wrong file in a URL must not get tables into it.
 */
#include "sqlite/identity.h"

#include <stddef.h>

#include "loaded/sqlite3.h"
#include "sqlite/fault.h"
#include "util/err.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

int
identity_number(sqlite3 *db, const char *sql, int *ret)
{
	sqlite3_stmt *stmt;
	int status;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return -1;
	if ((status = sqlite3_step(stmt)) == SQLITE_ROW)
		*ret = sqlite3_column_int(stmt, 0);
	return sqlite3_finalize(stmt) == SQLITE_OK && status == SQLITE_ROW ? 0
									   : -1;
}

/* Takes no lock, and no transaction of its own: each query sees a state of its
 * own, which the order of the two makes up for. */
int
identity_check(sqlite3 *db, const char *name, struct err *err)
{
	int id, tables;

	/*
	 * The tables first: a process that makes the first one has marked the
	 * file by then. The other way round, a file that another process makes
	 * between the two queries would look like another program's.
	 */
	if (identity_number(db, "SELECT count(*) FROM sqlite_schema",
			    &tables) != 0 ||
	    identity_number(db, "PRAGMA application_id", &id) != 0)
		return fault_set(err, db, name, "cannot read the schema");
	if (id == IDENTITY_APPLICATION)
		return 1;
	if (tables == 0)
		return 0;
	return err_set(err, ERR_CONFIG,
		       "%s is the database of another program; name another "
		       "file",
		       name);
}

int
identity_claim(sqlite3 *db, const char *name, struct err *err)
{
	int status;

	/* Most of the time the file is marked: that takes no lock to see. */
	if ((status = identity_check(db, name, err)) != 0)
		return status < 0 ? -1 : 0;
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return fault_set(err, db, name, "cannot mark the file");
	/* Again, with the lock: another process may have been faster. */
	status = identity_check(db, name, err);
	if (status == 0 &&
	    (sqlite3_exec(db,
			  "PRAGMA application_id = " TEXT(IDENTITY_APPLICATION),
			  NULL, NULL, NULL) != SQLITE_OK ||
	     sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK))
		status = fault_set(err, db, name, "cannot mark the file");
	/* Nothing was written, or writing failed. */
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return status < 0 ? -1 : 0;
}
