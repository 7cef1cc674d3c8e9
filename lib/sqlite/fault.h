/* SPDX-License-Identifier: MIT */
/* What SQLite says when it fails, in our words. */
#ifndef SQLITE_FAULT_H
#define SQLITE_FAULT_H

#include <stdbool.h>

struct err;
struct sqlite3;

/* Sets *err from the last failure on `db` (NULL: out of memory); `name` is the
 * file, `what` was tried. Returns -1. */
int fault_set(struct err *err, struct sqlite3 *db, const char *name,
	      const char *what);
/* Whether it would meet any other statement just as well: a full disk, a lock,
 * a broken file. Else it is the one statement's, with what it was given. */
bool fault_is_general(int status);

/* Whether the last failure was that the disk is full. */
bool fault_is_full(struct sqlite3 *db);

#endif
