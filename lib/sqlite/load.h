/* SPDX-License-Identifier: MIT */
/* SQLite itself, which programs on Redis do without. */
#ifndef SQLITE_LOAD_H
#define SQLITE_LOAD_H

struct err;

/* Before a first database is opened, and so before any of SQLite's functions is
 * called. 0, or -1 with *err (ERR_CONFIG). */
int sqlite_load(struct err *err);

#endif
