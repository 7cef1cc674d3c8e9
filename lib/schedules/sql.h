/* SPDX-License-Identifier: MIT */
/*
 * The statements and the schema, in the words of each database.
 *
 * common.def has the statements that all three understand; the rest stand in
 * sqlite_sql.c, postgresql_sql.c and mysql_sql.c, with the migrations. A '?' is
 * a parameter in all of them.
 */
#ifndef SCHEDULES_SQL_H
#define SCHEDULES_SQL_H

#include <stddef.h>

/* X(NAME, the parameters in their order) */
#define QUERIES(X)                                                             \
	X(CREATE, "all columns of a schedule, identity")                       \
	X(FIND_IDENTICAL, "identity, the end of its range")                    \
	X(ALIKE, "identity, the end of its range, limit")                      \
	X(GET, "id")                                                           \
	X(LIST, "after, task, task, state, state, limit")                      \
	X(LIST_DUE, "due, due, after, task, task, limit")                      \
	X(LIST_IDLE, "after, task, task, state, state, limit")                 \
	X(LIST_LAST, "limit")                                                  \
	X(LIST_ASIDE, "after, limit")                                          \
	X(UPDATE, "SQL_SET, identity, id, old updated, old next_run")          \
	X(ENABLE, "next_run, due, tz_data, now, id")                           \
	X(DISABLE, "now, id")                                                  \
	X(SET_NEXT, "next_run, due, tz_data, id, old next_run")                \
	X(DELETE, "id")                                                        \
	X(DELETE_OWNED, "id, owner")                                           \
	X(DELETE_SKIPPED, "id")                                                \
	X(DELETE_SKIPS, "id")                                                  \
	X(NEXT_DUE, "zones")                                                   \
	X(CLAIM_DUE, "now, zones, limit")                                      \
	X(CLAIM_STALE, "tz_data, after, limit")                                \
	X(CLAIM_ALL, "after, limit")                                           \
	X(MADE, "schedule, from, limit")                                       \
	X(SETTLE, "next_run, due, last_run, runs, tz_data, fault, id")         \
	X(SET_ASIDE, "fault, id")                                              \
	X(ADD_FIRE, "schedule, fire, task_id, queue, priority, task, created," \
		    " waits, claim")                                           \
	X(FIRE_CLAIM, "schedule, fire")                                        \
	X(ADD_SKIPPED, "schedule, fire, last, n, reason, noted")               \
	X(HISTORY, "schedule, before, limit")                                  \
	X(SKIPPED, "schedule, before, limit")                                  \
	X(SKIPS_OF, "schedule")                                                \
	X(THIN_NEXT, "after")                                                  \
	X(THIN_FROM, "schedule, keep")                                         \
	X(THIN, "schedule, fire, marked before")                               \
	X(THIN_SKIPPED_FROM, "schedule, keep")                                 \
	X(THIN_SKIPPED, "schedule, fire")                                      \
	X(PRUNE_SKIPPED, "before")                                             \
	X(ADD_SKIP, "schedule, reason, n, last")                               \
	X(UNSENT, "before, limit")                                             \
	X(MARK, "now, refused, schedule, fire")                                \
	X(PRUNE, "before, before, limit")                                      \
	X(PRUNED, "")                                                          \
	X(RAISE_PRUNED, "fire, fire")                                          \
	X(SET_PRUNED, "fire")                                                  \
	X(PRUNE_SCHEDULERS, "before, after")                                   \
	X(BEAT, "id, host, pid, started, seen, lag, max_lag, fires,"           \
		" clock_off, state, lacks")                                    \
	X(CLOCK, "")                                                           \
	X(FAREWELL, "id")                                                      \
	X(SCHEDULERS, "")                                                      \
	X(COUNTS, "now, id, id")                                               \
	X(UNSENT_COUNTS, "id, id")                                             \
	X(SKIPS, "id, id")                                                     \
	X(NOTIFY, "")                                                          \
	X(REVISION, "")                                                        \
	X(HAS_VERSION, "")                                                     \
	X(VERSION, "")                                                         \
	X(SET_VERSION, "version")                                              \
	X(LOCK_SCHEMA, "")                                                     \
	X(UNLOCK_SCHEMA, "")                                                   \
	X(PYTHON, "")                                                          \
	X(PORTS, "")                                                           \
	X(ADD_PORT, "port")                                                    \
	X(DROP_PORT, "port")

enum query {
#define X(name, parameters) Q_##name,
	QUERIES(X)
#undef X
	    N_QUERIES
};
const char *query_name(enum query query);

/* The statements of one migration, NULL at the end. */
typedef const char *const migration[16];

struct dialect {
	const char *begin; /* a transaction that writes */
	/* NULL: this database does not have it. */
	const char *queries[N_QUERIES];
	/* For many sets of values at a time, as arrays. NULL: one by one. */
	const char *many[N_QUERIES];
	/* Makes the table of the version; may be run again at any time. */
	const char *make_version;
	/* In their order; each leads to the version that is its place, from 1.
	 * Where a migration is not a transaction (MySQL), each statement can be
	 * repeated after a crash. */
	migration *migrations;
	size_t n_migrations;
};

extern const struct dialect sql_sqlite, sql_postgresql, sql_mysql;

/* The columns of a schedule, as row.c reads and writes them. Those of the
 * task's settings stand in the order of core/task_options.def. */
#define SQL_COLUMNS                                                            \
	"id, task, type, rule, tz, args, kwargs, queue, description, enabled," \
	" max_retries, retry_delay_us, retry_backoff_millionths,"              \
	" retry_delay_max_us, retry_jitter_millionths, timeout_us,"            \
	" expires_us, priority, misfire, max_catchup, grace_us, overlap,"      \
	" jitter_us, day_match, start_us, end_us, max_runs, created_us, "      \
	"updated_us, last_run_us, next_run_us, due_us, runs,"                  \
	" tz_data, fault, rule_us, owner, traceparent, task_group, workflow"
#define SQL_SELECT "SELECT " SQL_COLUMNS " FROM flowrra_schedules"
#define SQL_N_COLUMNS 40
#define SQL_DUE_COLUMN 31 /* from 0 */
#define SQL_COLUMN_MARKS                                                       \
	"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?," \
	" ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
/* The columns that an edit writes, in the order of SQL_COLUMNS: all but those
 * that SQL_KEPT names, which are the id and what only fires change. */
#define SQL_SET                                                                \
	"task = ?, type = ?, rule = ?, tz = ?, args = ?, kwargs = ?,"          \
	" queue = ?, description = ?, enabled = ?, max_retries = ?,"           \
	" retry_delay_us = ?, retry_backoff_millionths = ?,"                   \
	" retry_delay_max_us = ?, retry_jitter_millionths = ?,"                \
	" timeout_us = ?, expires_us = ?, priority = ?, misfire = ?,"          \
	" max_catchup = ?, grace_us = ?, overlap = ?, jitter_us = ?,"          \
	" day_match = ?, start_us = ?, end_us = ?, max_runs = ?,"              \
	" updated_us = ?, next_run_us = ?, due_us = ?, tz_data = ?,"           \
	" fault = ?, rule_us = ?, owner = ?, traceparent = ?, task_group = ?," \
	" workflow = ?"
/* Places in SQL_COLUMNS: id, created_us, last_run_us, runs. */
#define SQL_KEPT                                                               \
	{                                                                      \
		0, 27, 29, 32                                                  \
	}

#endif
