/* SPDX-License-Identifier: MIT */
/* The library that holds the embedded store. */
#include "sqlite/load.h"

#include "loaded/sqlite3.h"
#include "util/library.h"

LIBRARY("SQLite", sqlite3);

int
sqlite_load(struct err *err)
{
	return library_load(&library_sqlite3, err);
}
