/* SPDX-License-Identifier: MIT */
/*
 * What the embedded store keeps in its file, as lib/sqlite is handed it:
 * SQL_NAME for each statement of statements.def, and the description of all of
 * it. Broker and backend share one, and so the connection and its thread.
 */
#ifndef STORE_SQLITE_STATEMENTS_H
#define STORE_SQLITE_STATEMENTS_H

struct description;

enum statement_index {
#define STATEMENT(name, parameters, sql) SQL_##name,
#include "store/sqlite/statements.def"
#undef STATEMENT
	SQL_COUNT
};

extern const struct description statements_description;

#endif
