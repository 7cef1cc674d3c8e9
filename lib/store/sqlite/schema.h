/* SPDX-License-Identifier: MIT */
/*
 * The schema of the database, as ordered migrations.
 *
 * The version is PRAGMA user_version: how many migrations were carried out. A
 * database with more of them than this program knows is refused.
 */
#ifndef STORE_SQLITE_SCHEMA_H
#define STORE_SQLITE_SCHEMA_H

#include <stdint.h>

#include "sqlite/description.h"

/* A task's number is its queue's id and, in the lower bits, the queue's serial.
 */
#define SCHEMA_SERIAL_BITS 40

/* Both come from the database, and may be anything: a shift of what is negative, or
 * too large, is undefined for signed numbers. */
static inline int64_t
schema_number(int64_t queue, int64_t serial)
{
	return (int64_t)((uint64_t)queue << SCHEMA_SERIAL_BITS |
			 (uint64_t)serial);
}

struct err;
struct sqlite3;

/*
 * Brings the database up to date. `name` is for messages. 0, or -1 with *err;
 * ERR_CONFIG or ERR_DATA: it will not do for this program.
 *
 * See description.h for on_upgrade: a database with millions of tasks takes
 * minutes to be upgraded.
 */
int schema_prepare(struct sqlite3 *db, const char *name,
		   description_upgrade_fn *on_upgrade, void *arg,
		   struct err *err);
/* Which version this program knows. */
int schema_version(void);

#endif
