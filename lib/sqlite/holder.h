/* SPDX-License-Identifier: MIT */
/* Which process keeps others from writing into the database, or its log from being
 * moved. */
#ifndef SQLITE_HOLDER_H
#define SQLITE_HOLDER_H

#include <stddef.h>

/* "process 4711 (sqlite3)", or "another process" where that cannot be told:
 * longer names are cut off. */
#define HOLDER_TEXT_MAX 64

struct sqlite3;

/* Names the process that holds the writers' lock at this moment. */
void holder_describe(struct sqlite3 *db, char *ret, size_t size);
/* The one that has read for longest. */
void holder_describe_reader(struct sqlite3 *db, char *ret, size_t size);

#endif
