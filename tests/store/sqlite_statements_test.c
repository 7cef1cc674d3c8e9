/* SPDX-License-Identifier: MIT */
/* What SQLite makes of the statements of the embedded store. */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sqlite/description.h"
#include "sqlite/load.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/statements.h"
#include "suite.h"
#include "util/err.h"

#define PROGRAM_MAX 8192

static const char *const names[SQL_COUNT] = {
#define STATEMENT(name, parameters, sql) [SQL_##name] = #name,
#include "store/sqlite/statements.def"
#undef STATEMENT
};

/* Those that run seldom, or only where a look before them has found something.
 */
static const enum statement_index seldom[] = {
    SQL_UNIQUES_EXPIRE,	 SQL_SET_ASIDE_DROP,  SQL_DEAD_COPY,
    SQL_QUEUES_FIND,	 SQL_WORKER_ENTER,    SQL_LANE_CUT,
    SQL_UNKNOWN_TRIM,	 SQL_LISTENER_ADD,    SQL_LISTENERS_SOCKETS,
    SQL_MEASURES_EXPIRE, SQL_SOCKETS_WAITING, SQL_QUEUES_SURVEY,
    SQL_QUEUES_FORGET,	 SQL_UNKNOWN_FORGET,  SQL_QUEUES_IDLE,
    SQL_REGISTRY_IDLE,	 SQL_REGISTRY_FORGET, SQL_RECALL_QUEUE,
    SQL_RECALL_NAMES,	 SQL_BLOB_USES_DROP,  SQL_READY_ALL,
    SQL_CALLBACKS_AGAIN,
};

static bool
is_seldom(size_t which)
{
	size_t i;

	for (i = 0; i < sizeof(seldom) / sizeof(seldom[0]); i++)
		if (seldom[i] == which)
			return true;
	return false;
}

static bool
makes_a_table(sqlite3 *db, const char *sql)
{
	char explain[PROGRAM_MAX];
	sqlite3_stmt *stmt;
	bool makes = false;

	ck_assert_int_lt(snprintf(explain, sizeof(explain), "EXPLAIN %s", sql),
			 (int)sizeof(explain));
	ck_assert_msg(sqlite3_prepare_v2(db, explain, -1, &stmt, NULL) ==
			  SQLITE_OK,
		      "%s: %s", sql, sqlite3_errmsg(db));
	while (sqlite3_step(stmt) == SQLITE_ROW)
		makes =
		    makes || strcmp((const char *)sqlite3_column_text(stmt, 1),
				    "OpenEphemeral") == 0;
	sqlite3_finalize(stmt);
	return makes;
}

static int
on_upgrade(const struct err *what, void *arg)
{
	(void)what, (void)arg;
	return 0;
}

/* SQLite opens one for RETURNING and for some subqueries, each time: that costs
 * ten times what the rest does. */
START_TEST(no_statement_that_runs_for_each_task_makes_a_table_of_its_own)
{
	const struct statement *all = statements_description.statements;
	struct err err = ERR_INIT;
	sqlite3 *db;
	size_t i;

	ck_assert_int_eq(sqlite_load(NULL), 0);
	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	ck_assert_msg(schema_prepare(db, "memory", on_upgrade, NULL, &err) == 0,
		      "%s", err.msg);
	for (i = 0; i < SQL_COUNT; i++)
		ck_assert_msg(is_seldom(i) || !makes_a_table(db, all[i].sql),
			      "%s; does it run seldom?", names[i]);
	/* It would tell. */
	ck_assert(makes_a_table(db, "DELETE FROM waiters RETURNING port"));
	sqlite3_close(db);
}
END_TEST

SUITE("sqlite-statements")
{
	TEST(no_statement_that_runs_for_each_task_makes_a_table_of_its_own);
}
