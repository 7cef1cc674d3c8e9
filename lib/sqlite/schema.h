/* SPDX-License-Identifier: MIT */
/*
 * The schema of the database, as ordered migrations.
 *
 * The version is PRAGMA user_version: how many migrations were carried out. A
 * database with more of them than this program knows is refused; PRAGMA
 * application_id tells ours from those of others.
 */
#ifndef SQLITE_SCHEMA_H
#define SQLITE_SCHEMA_H

/* A task's number is its queue's id and, in so many bits, the queue's serial.
 */
#define SCHEMA_SERIAL_BITS 40

struct err;
struct sqlite3;

/*
 * Brings the database up to date. `name` is for messages. 0, or -1 with *err;
 * ERR_CONFIG or ERR_DATA: it will not do for this program.
 *
 * What holds millions of tasks takes minutes to be upgraded: so before, or
 * before waiting for another process that may be doing it, on_upgrade is told.
 */
typedef void schema_upgrade_fn(const struct err *what, void *arg);
int schema_prepare(struct sqlite3 *db, const char *name,
		   schema_upgrade_fn *on_upgrade, void *arg, struct err *err);
/* Which version this program knows. */
int schema_version(void);

#endif
