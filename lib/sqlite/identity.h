/* SPDX-License-Identifier: MIT */
/*
 * Whose database a file is. PRAGMA application_id tells ours from those of
 * other programs. Several parts of Flowrra may keep their tables in one file;
 * each of them can be the first to open it, so each may mark it.
 */
#ifndef SQLITE_IDENTITY_H
#define SQLITE_IDENTITY_H

#define IDENTITY_APPLICATION 1181501298 /* "Flwr" */

struct err;
struct sqlite3;

/* Whether the file may be used: 1 if it is ours, 0 if it is empty and not yet
 * marked; -1 with *err, ERR_CONFIG if it is another program's. */
int identity_check(struct sqlite3 *db, const char *name, struct err *err);
/* The same, and marks an empty file as ours. 0, or -1 with *err. */
int identity_claim(struct sqlite3 *db, const char *name, struct err *err);
/* The first column of the first row of a query. 0, or -1 if there is none. */
int identity_number(struct sqlite3 *db, const char *sql, int *ret);

#endif
