/* SPDX-License-Identifier: MIT */
/*
 * Statements and schema in SQLite's words. The tables lie in the file of the
 * queues, whose own version is another (store/sqlite/schema.h).
 *
 * A '+' before a column keeps the planner from that column's index: a walk
 * along the IDs needs no sort. Rows are not locked: BEGIN IMMEDIATE takes the
 * one lock of writers, and claims wait for each other.
 */
#include "schedules/sql.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static migration migrations[] = {
    /* 1: schedules, the outbox, what did not run, schedulers, who watches */
    {
	"CREATE TABLE flowrra_schedules ("
	" id TEXT PRIMARY KEY, identity TEXT NOT NULL UNIQUE,"
	" task TEXT NOT NULL, type TEXT NOT NULL, rule TEXT NOT NULL,"
	" tz TEXT NOT NULL, args TEXT NOT NULL, kwargs TEXT NOT NULL,"
	" queue TEXT NOT NULL, description TEXT NOT NULL,"
	" enabled INTEGER NOT NULL, max_retries INTEGER NOT NULL,"
	" retry_delay_us INTEGER NOT NULL, priority INTEGER NOT NULL,"
	" misfire TEXT NOT NULL, max_catchup INTEGER NOT NULL,"
	" grace_us INTEGER NOT NULL, overlap TEXT NOT NULL,"
	" jitter_us INTEGER NOT NULL, day_match TEXT NOT NULL,"
	" start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,"
	" max_runs INTEGER NOT NULL, created_us INTEGER NOT NULL,"
	" updated_us INTEGER NOT NULL, last_run_us INTEGER NOT NULL,"
	" next_run_us INTEGER NOT NULL, due_us INTEGER,"
	" runs INTEGER NOT NULL, tz_data TEXT NOT NULL, fault TEXT NOT NULL"
	") STRICT",
	"CREATE INDEX flowrra_schedules_due ON flowrra_schedules (due_us)"
	" WHERE due_us IS NOT NULL",
	"CREATE TABLE flowrra_fires ("
	" schedule_id TEXT NOT NULL, fire_us INTEGER NOT NULL,"
	" task_id TEXT NOT NULL, queue TEXT NOT NULL,"
	" priority INTEGER NOT NULL, task TEXT NOT NULL,"
	" created_us INTEGER NOT NULL, waits_us INTEGER, marked_us INTEGER,"
	" refused TEXT, claim INTEGER NOT NULL,"
	" PRIMARY KEY (schedule_id, fire_us)) STRICT",
	"CREATE INDEX flowrra_fires_waiting ON flowrra_fires (waits_us)"
	" WHERE waits_us IS NOT NULL",
	"CREATE INDEX flowrra_fires_marked ON flowrra_fires (marked_us)"
	" WHERE marked_us IS NOT NULL",
	"CREATE TABLE flowrra_skips ("
	" schedule_id TEXT NOT NULL, reason TEXT NOT NULL,"
	" n INTEGER NOT NULL, last_us INTEGER NOT NULL,"
	" PRIMARY KEY (schedule_id, reason)) STRICT, WITHOUT ROWID",
	"CREATE TABLE flowrra_schedulers ("
	" id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL,"
	" started_us INTEGER NOT NULL, seen_us INTEGER NOT NULL,"
	" lag_us INTEGER NOT NULL, max_lag_us INTEGER NOT NULL,"
	" fires INTEGER NOT NULL) STRICT",
	"CREATE TABLE flowrra_ports (port TEXT PRIMARY KEY) STRICT,"
	" WITHOUT ROWID",
    },
    /* 2: further settings of the tasks; -1: left to their module */
    {
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" retry_backoff_millionths INTEGER NOT NULL DEFAULT -1",
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" retry_delay_max_us INTEGER NOT NULL DEFAULT -1",
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" retry_jitter_millionths INTEGER NOT NULL DEFAULT -1",
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" timeout_us INTEGER NOT NULL DEFAULT -1",
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" expires_us INTEGER NOT NULL DEFAULT 0",
    },
    /* 3: rules that change; fires that were missed or skipped, one by one */
    {
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" rule_us INTEGER NOT NULL DEFAULT 0",
	"CREATE TABLE flowrra_skipped_fires ("
	" schedule_id TEXT NOT NULL, fire_us INTEGER NOT NULL,"
	" last_us INTEGER NOT NULL, n INTEGER NOT NULL,"
	" reason TEXT NOT NULL, noted_us INTEGER NOT NULL,"
	" PRIMARY KEY (schedule_id, fire_us)) STRICT, WITHOUT ROWID",
	"CREATE INDEX flowrra_skipped_fires_noted"
	" ON flowrra_skipped_fires (noted_us)",
    },
    /* 4: whose file a schedule is from */
    {
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" owner TEXT NOT NULL DEFAULT ''",
    },
    /* 5: what is wrong with a scheduler; fires up to which are forgotten */
    {
	"ALTER TABLE flowrra_schedulers ADD COLUMN"
	" clock_off_us INTEGER NOT NULL DEFAULT 0",
	"ALTER TABLE flowrra_schedulers ADD COLUMN"
	" state TEXT NOT NULL DEFAULT ''",
	"ALTER TABLE flowrra_schedulers ADD COLUMN"
	" lacks TEXT NOT NULL DEFAULT ''",
	"CREATE TABLE flowrra_pruned ("
	" id INTEGER PRIMARY KEY, fire_us INTEGER NOT NULL) STRICT",
	"INSERT INTO flowrra_pruned (id, fire_us) VALUES (1, 0)",
    },
    /* 6: the trace in which a schedule was made */
    {
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" traceparent TEXT NOT NULL DEFAULT ''",
    },
    /* 7: the group of its tasks */
    {
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" task_group TEXT NOT NULL DEFAULT ''",
    },
    /* 8: what a fire begins instead of a task. A scheduler of an earlier version
     * would make a task of it, also one that has been connected all the time:
     * it does not find the column that every fire needs, and fires nothing. */
    {
	"ALTER TABLE flowrra_schedules ADD COLUMN"
	" workflow TEXT NOT NULL DEFAULT ''",
	"ALTER TABLE flowrra_fires RENAME COLUMN task TO body",
    },
};

const struct dialect sql_sqlite = {
    .begin = "BEGIN IMMEDIATE",
    .queries =
	{
#include "schedules/common.def"
#include "schedules/upsert.def"
	    [Q_LIST] =
		SQL_SELECT " WHERE id > ? AND (? = '' OR task = ?)"
			   " AND (? < 0 OR enabled = ?) ORDER BY id LIMIT ?",
	    [Q_LIST_DUE] =
		SQL_SELECT " WHERE due_us >= ? AND (due_us > ? OR id > ?)"
			   " AND (? = '' OR task = ?) ORDER BY due_us, id"
			   " LIMIT ?",
	    [Q_LIST_IDLE] =
		SQL_SELECT " WHERE +due_us IS NULL AND id > ?"
			   " AND (? = '' OR task = ?)"
			   " AND (? < 0 OR enabled = ?) ORDER BY id LIMIT ?",
	    [Q_CLAIM_DUE] = SQL_SELECT " WHERE due_us <= ?"
				       " AND (tz = '' OR instr(',' || ? || ',',"
				       " ',' || tz || ',') = 0)"
				       " ORDER BY due_us LIMIT ?",
	    [Q_NEXT_DUE] = "SELECT due_us FROM flowrra_schedules"
			   " WHERE due_us IS NOT NULL"
			   " AND (tz = '' OR instr(',' || ? || ',',"
			   " ',' || tz || ',') = 0)"
			   " ORDER BY due_us LIMIT 1",
	    [Q_CLAIM_ALL] = SQL_SELECT " WHERE enabled = 1 AND fault = ''"
				       " AND id > ? ORDER BY id LIMIT ?",
	    [Q_LIST_LAST] = SQL_SELECT " WHERE due_us IS NOT NULL"
				       " ORDER BY due_us DESC LIMIT ?",
	    [Q_LIST_ASIDE] = SQL_SELECT " WHERE fault <> '' AND id > ?"
					" ORDER BY id LIMIT ?",
	    [Q_CLAIM_STALE] =
		SQL_SELECT " WHERE +due_us IS NOT NULL AND tz_data <> ''"
			   " AND tz_data <> ? AND id > ? ORDER BY id"
			   " LIMIT ?",
	    [Q_PRUNE] = "DELETE FROM flowrra_fires WHERE rowid IN"
			" (SELECT rowid FROM flowrra_fires"
			" WHERE marked_us < ? AND fire_us < ?"
			" ORDER BY marked_us LIMIT ?)",
	    [Q_COUNTS] =
		"SELECT count(*), ifnull(sum(enabled), 0),"
		" ifnull(sum(fault <> ''), 0), ifnull(sum(due_us <= ?), 0),"
		" ifnull(sum(runs), 0) FROM flowrra_schedules"
		" WHERE ? = '' OR id = ?",
	    [Q_UNSENT_COUNTS] =
		"SELECT count(*), ifnull(min(waits_us), 0) FROM flowrra_fires"
		" WHERE waits_us IS NOT NULL AND (? = '' OR schedule_id = ?)",
	    [Q_SKIPS] = "SELECT reason, sum(n), max(last_us) FROM flowrra_skips"
			" WHERE ? = '' OR schedule_id = ? GROUP BY reason",
	    [Q_HAS_VERSION] = "SELECT count(*) FROM sqlite_schema"
			      " WHERE name = 'flowrra_version'",
	    [Q_PYTHON] =
		"SELECT id, task_name, schedule_type, schedule, args, kwargs,"
		" enabled, next_run_at, created_at, description, max_retries,"
		" CAST(retry_delay AS TEXT), priority FROM scheduled_tasks"
		" ORDER BY id",
	    [Q_PORTS] = "SELECT port FROM flowrra_ports",
	    [Q_ADD_PORT] = "INSERT OR IGNORE INTO flowrra_ports (port)"
			   " VALUES (?)",
	    [Q_DROP_PORT] = "DELETE FROM flowrra_ports WHERE port = ?",
	},
    .make_version = "CREATE TABLE IF NOT EXISTS flowrra_version"
		    " (version INTEGER PRIMARY KEY) STRICT",
    .migrations = migrations,
    .n_migrations = N_OF(migrations),
};
