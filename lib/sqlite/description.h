/* SPDX-License-Identifier: MIT */
/*
 * What the user of a file keeps in it: its statements, and how its schema is
 * made. lib/sqlite itself knows neither.
 */
#ifndef SQLITE_DESCRIPTION_H
#define SQLITE_DESCRIPTION_H

#include <stddef.h>

struct err;
struct sqlite3;

/*
 * A statement, and one letter for each of its parameters: i an integer
 * (int64_t), o one that is NULL when it is 0, t a text and b bytes (both struct
 * slice).
 */
struct statement {
	const char *parameters;
	const char *sql;
};

/* Tells that `what` is under way and may take minutes. From the I/O thread. -1: it
 * must not be, and is given up with `what` as the error. */
typedef int description_upgrade_fn(const struct err *what, void *arg);

struct description {
	/* What tx.h calls `which` is an index into them. */
	const struct statement *statements;
	size_t n_statements;
	/*
	 * Brings the schema up to date, in the I/O thread, right after the file
	 * was opened; `name` is for messages. Before what may take minutes, or
	 * before waiting for another process that may be doing it, on_upgrade
	 * is called. 0, or -1 with *err; ERR_CONFIG or ERR_DATA: the file will
	 * not do for this program.
	 */
	int (*prepare)(struct sqlite3 *db, const char *name,
		       description_upgrade_fn *on_upgrade, void *arg,
		       struct err *err);
};

#endif
