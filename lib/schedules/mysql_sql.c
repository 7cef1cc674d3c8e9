/* SPDX-License-Identifier: MIT */
/*
 * Statements and schema in the words that MySQL 8 and MariaDB 10.6 share.
 *
 * To change the schema ends a transaction there, so every statement of a
 * migration can be run again: it may have been before a crash.
 */
#include "schedules/sql.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
/* Compared by bytes; none of them has a blank, or anything beyond ASCII, which
 * keeps a key of two of them below the 767 bytes of older row formats. */
#define KEY "varchar(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"
#define TEXT "varchar(2048) NOT NULL"
#define WORD "varchar(128) NOT NULL"
#define LONG "mediumtext NOT NULL"
#define TABLE " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

static migration migrations[] = {
    /* 1: schedules, the outbox, what did not run, schedulers, revision */
    {
	"CREATE TABLE IF NOT EXISTS flowrra_schedules ("
	" id " KEY ", identity " KEY ", task " KEY ", type " WORD ", rule " TEXT
	", tz " WORD ", args " LONG ", kwargs " LONG ", queue " WORD
	", description " TEXT ", enabled int NOT NULL,"
	" max_retries bigint NOT NULL, retry_delay_us bigint NOT NULL,"
	" priority int NOT NULL, misfire " WORD
	", max_catchup bigint NOT NULL, grace_us bigint NOT NULL, overlap " WORD
	", jitter_us bigint NOT NULL, day_match " WORD
	", start_us bigint NOT NULL, end_us bigint NOT NULL,"
	" max_runs bigint NOT NULL, created_us bigint NOT NULL,"
	" updated_us bigint NOT NULL, last_run_us bigint NOT NULL,"
	" next_run_us bigint NOT NULL, due_us bigint, runs bigint NOT NULL,"
	" tz_data " WORD ", fault " TEXT ","
	" PRIMARY KEY (id), UNIQUE KEY flowrra_schedules_identity (identity),"
	" KEY flowrra_schedules_due (due_us))" TABLE,
	"CREATE TABLE IF NOT EXISTS flowrra_fires ("
	" schedule_id " KEY ", fire_us bigint NOT NULL, task_id " KEY ","
	" queue " WORD ", priority int NOT NULL, task " LONG ","
	" created_us bigint NOT NULL, waits_us bigint, marked_us bigint,"
	" refused varchar(2048), claim bigint NOT NULL,"
	" PRIMARY KEY (schedule_id, fire_us),"
	" KEY flowrra_fires_waiting (waits_us),"
	" KEY flowrra_fires_marked (marked_us))" TABLE,
	"CREATE TABLE IF NOT EXISTS flowrra_skips ("
	" schedule_id " KEY ", reason " KEY ", n bigint NOT NULL,"
	" last_us bigint NOT NULL, PRIMARY KEY (schedule_id, reason))" TABLE,
	"CREATE TABLE IF NOT EXISTS flowrra_schedulers ("
	" id " KEY " PRIMARY KEY, host " TEXT ", pid bigint NOT NULL,"
	" started_us bigint NOT NULL, seen_us bigint NOT NULL,"
	" lag_us bigint NOT NULL, max_lag_us bigint NOT NULL,"
	" fires bigint NOT NULL)" TABLE,
	"CREATE TABLE IF NOT EXISTS flowrra_revision ("
	" id int PRIMARY KEY, revision bigint NOT NULL)" TABLE,
	"INSERT IGNORE INTO flowrra_revision (id, revision) VALUES (1, 0)",
    },
    /* 2: further settings of the tasks; -1: left to their module. One ALTER
     * TABLE is carried out whole or not at all, and MySQL has no IF NOT EXISTS
     * for columns: so it is left out if the last of them is there. */
    {
	"SET @flowrra_change = if((SELECT count(*)"
	" FROM information_schema.columns WHERE table_schema = database()"
	" AND table_name = 'flowrra_schedules'"
	" AND column_name = 'expires_us') = 0,"
	" 'ALTER TABLE flowrra_schedules"
	" ADD COLUMN retry_backoff_millionths bigint NOT NULL DEFAULT -1,"
	" ADD COLUMN retry_delay_max_us bigint NOT NULL DEFAULT -1,"
	" ADD COLUMN retry_jitter_millionths bigint NOT NULL DEFAULT -1,"
	" ADD COLUMN timeout_us bigint NOT NULL DEFAULT -1,"
	" ADD COLUMN expires_us bigint NOT NULL DEFAULT 0', 'DO 0')",
	"PREPARE flowrra_change FROM @flowrra_change",
	"EXECUTE flowrra_change",
	"DEALLOCATE PREPARE flowrra_change",
    },
    /* 3: rules that change; fires that were missed or skipped, one by one */
    {
	"SET @flowrra_change = if((SELECT count(*)"
	" FROM information_schema.columns WHERE table_schema = database()"
	" AND table_name = 'flowrra_schedules'"
	" AND column_name = 'rule_us') = 0,"
	" 'ALTER TABLE flowrra_schedules"
	" ADD COLUMN rule_us bigint NOT NULL DEFAULT 0', 'DO 0')",
	"PREPARE flowrra_change FROM @flowrra_change",
	"EXECUTE flowrra_change",
	"DEALLOCATE PREPARE flowrra_change",
	"CREATE TABLE IF NOT EXISTS flowrra_skipped_fires ("
	" schedule_id " KEY ", fire_us bigint NOT NULL,"
	" last_us bigint NOT NULL, n bigint NOT NULL, reason " KEY ","
	" noted_us bigint NOT NULL, PRIMARY KEY (schedule_id, fire_us),"
	" KEY flowrra_skipped_fires_noted (noted_us))" TABLE,
    },
    /* 4: whose file a schedule is from */
    {
	"SET @flowrra_change = if((SELECT count(*)"
	" FROM information_schema.columns WHERE table_schema = database()"
	" AND table_name = 'flowrra_schedules'"
	" AND column_name = 'owner') = 0,"
	" 'ALTER TABLE flowrra_schedules"
	" ADD COLUMN owner varchar(128) NOT NULL DEFAULT ''''',"
	" 'DO 0')",
	"PREPARE flowrra_change FROM @flowrra_change",
	"EXECUTE flowrra_change",
	"DEALLOCATE PREPARE flowrra_change",
    },
    /* 5: what is wrong with a scheduler; fires up to which are forgotten */
    {
	"SET @flowrra_change = if((SELECT count(*)"
	" FROM information_schema.columns WHERE table_schema = database()"
	" AND table_name = 'flowrra_schedulers'"
	" AND column_name = 'lacks') = 0,"
	" 'ALTER TABLE flowrra_schedulers"
	" ADD COLUMN clock_off_us bigint NOT NULL DEFAULT 0,"
	" ADD COLUMN state varchar(128) NOT NULL DEFAULT '''',"
	" ADD COLUMN lacks varchar(2048) NOT NULL DEFAULT ''''',"
	" 'DO 0')",
	"PREPARE flowrra_change FROM @flowrra_change",
	"EXECUTE flowrra_change",
	"DEALLOCATE PREPARE flowrra_change",
	"CREATE TABLE IF NOT EXISTS flowrra_pruned ("
	" id int PRIMARY KEY, fire_us bigint NOT NULL)" TABLE,
	"INSERT IGNORE INTO flowrra_pruned (id, fire_us) VALUES (1, 0)",
    },
    /* 6: the trace in which a schedule was made */
    {
	"SET @flowrra_change = if((SELECT count(*)"
	" FROM information_schema.columns WHERE table_schema = database()"
	" AND table_name = 'flowrra_schedules'"
	" AND column_name = 'traceparent') = 0,"
	" 'ALTER TABLE flowrra_schedules"
	" ADD COLUMN traceparent varchar(200) NOT NULL DEFAULT ''''',"
	" 'DO 0')",
	"PREPARE flowrra_change FROM @flowrra_change",
	"EXECUTE flowrra_change",
	"DEALLOCATE PREPARE flowrra_change",
    },
    /* 7: the group of its tasks */
    {
	"SET @flowrra_change = if((SELECT count(*)"
	" FROM information_schema.columns WHERE table_schema = database()"
	" AND table_name = 'flowrra_schedules'"
	" AND column_name = 'task_group') = 0,"
	" 'ALTER TABLE flowrra_schedules"
	" ADD COLUMN task_group varchar(200) NOT NULL DEFAULT ''''',"
	" 'DO 0')",
	"PREPARE flowrra_change FROM @flowrra_change",
	"EXECUTE flowrra_change",
	"DEALLOCATE PREPARE flowrra_change",
    },
    /* 8: what a fire begins instead of a task. A scheduler of an earlier version
     * would make a task of it, also one that has been connected all the time:
     * it does not find the column that every fire needs, and fires nothing. */
    {
	"SET @flowrra_change = if((SELECT count(*)"
	" FROM information_schema.columns WHERE table_schema = database()"
	" AND table_name = 'flowrra_schedules'"
	" AND column_name = 'workflow') = 0,"
	" 'ALTER TABLE flowrra_schedules"
	" ADD COLUMN workflow " LONG "', 'DO 0')",
	"PREPARE flowrra_change FROM @flowrra_change",
	"EXECUTE flowrra_change",
	"DEALLOCATE PREPARE flowrra_change",
	"SET @flowrra_change = if((SELECT count(*)"
	" FROM information_schema.columns WHERE table_schema = database()"
	" AND table_name = 'flowrra_fires' AND column_name = 'body') = 0,"
	" 'ALTER TABLE flowrra_fires CHANGE task body " LONG "', 'DO 0')",
	"PREPARE flowrra_change FROM @flowrra_change",
	"EXECUTE flowrra_change",
	"DEALLOCATE PREPARE flowrra_change",
    },
};

/* What is there stays as it is, and counts as not changed. INSERT IGNORE would
 * let bad values pass, too. */
#define KEEP(column) " ON DUPLICATE KEY UPDATE " column " = " column

/*
 * Where an index is forced, it decides what is locked: FOR UPDATE locks each
 * row that is looked at, and a scan would lock them all. count() and sum() are
 * cast, since they are decimals, which the driver takes for texts.
 */
const struct dialect sql_mysql = {
    .begin = "START TRANSACTION",
    .queries =
	{
#include "schedules/common.def"
	    [Q_CREATE] =
		"INSERT INTO flowrra_schedules (" SQL_COLUMNS
		", identity) VALUES (" SQL_COLUMN_MARKS ", ?)" KEEP("id"),
	    [Q_ADD_FIRE] =
		"INSERT INTO flowrra_fires (schedule_id, fire_us, task_id,"
		" queue, priority, body, created_us, waits_us, claim)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)" KEEP("fire_us"),
	    [Q_ADD_SKIPPED] =
		"INSERT INTO flowrra_skipped_fires (schedule_id, fire_us,"
		" last_us, n, reason, noted_us) VALUES (?, ?, ?, ?, ?, ?)" KEEP(
		    "fire_us"),
	    [Q_ADD_SKIP] =
		"INSERT INTO flowrra_skips (schedule_id, reason, n, last_us)"
		" VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE"
		" n = n + VALUES(n), last_us = VALUES(last_us)",
	    [Q_BEAT] =
		"INSERT INTO flowrra_schedulers (id, host, pid, started_us,"
		" seen_us, lag_us, max_lag_us, fires, clock_off_us, state,"
		" lacks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON DUPLICATE KEY UPDATE"
		" host = VALUES(host), pid = VALUES(pid),"
		" started_us = VALUES(started_us), seen_us = VALUES(seen_us),"
		" lag_us = VALUES(lag_us), max_lag_us = VALUES(max_lag_us),"
		" fires = VALUES(fires),"
		" clock_off_us = VALUES(clock_off_us),"
		" state = VALUES(state), lacks = VALUES(lacks)",
	    [Q_LIST] =
		SQL_SELECT " WHERE id > ? AND (? = '' OR task = ?)"
			   " AND (? < 0 OR enabled = ?) ORDER BY id LIMIT ?",
	    [Q_LIST_DUE] =
		SQL_SELECT " WHERE due_us >= ? AND (due_us > ? OR id > ?)"
			   " AND (? = '' OR task = ?) ORDER BY due_us, id"
			   " LIMIT ?",
	    [Q_LIST_IDLE] =
		SQL_SELECT " WHERE due_us IS NULL AND id > ?"
			   " AND (? = '' OR task = ?)"
			   " AND (? < 0 OR enabled = ?) ORDER BY id LIMIT ?",
	    [Q_CLAIM_DUE] =
		SQL_SELECT " FORCE INDEX (flowrra_schedules_due)"
			   " WHERE due_us <= ? AND find_in_set(tz, ?) = 0"
			   " ORDER BY due_us LIMIT ? FOR UPDATE SKIP LOCKED",
	    [Q_NEXT_DUE] = "SELECT due_us FROM flowrra_schedules"
			   " WHERE due_us IS NOT NULL"
			   " AND find_in_set(tz, ?) = 0"
			   " ORDER BY due_us LIMIT 1",
	    [Q_CLAIM_ALL] =
		SQL_SELECT " FORCE INDEX (PRIMARY)"
			   " WHERE enabled = 1 AND fault = '' AND id > ?"
			   " ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED",
	    [Q_LIST_LAST] = SQL_SELECT " WHERE due_us IS NOT NULL"
				       " ORDER BY due_us DESC LIMIT ?",
	    [Q_LIST_ASIDE] = SQL_SELECT " WHERE fault <> '' AND id > ?"
					" ORDER BY id LIMIT ?",
	    /* In UTC: an hour of local time comes twice a year. */
	    [Q_CLOCK] = "SELECT timestampdiff(MICROSECOND,"
			" '1970-01-01', utc_timestamp(6))",
	    [Q_CLAIM_STALE] =
		SQL_SELECT " FORCE INDEX (PRIMARY)"
			   " WHERE due_us IS NOT NULL AND tz_data <> ''"
			   " AND tz_data <> ? AND id > ? ORDER BY id"
			   " LIMIT ? FOR UPDATE SKIP LOCKED",
	    [Q_PRUNE] = "DELETE FROM flowrra_fires WHERE marked_us < ?"
			" AND fire_us < ? ORDER BY marked_us LIMIT ?",
	    [Q_COUNTS] =
		"SELECT count(*), CAST(ifnull(sum(enabled), 0) AS SIGNED),"
		" CAST(ifnull(sum(fault <> ''), 0) AS SIGNED),"
		" CAST(ifnull(sum(due_us <= ?), 0) AS SIGNED),"
		" CAST(ifnull(sum(runs), 0) AS SIGNED)"
		" FROM flowrra_schedules WHERE ? = '' OR id = ?",
	    [Q_UNSENT_COUNTS] =
		"SELECT count(*), ifnull(min(waits_us), 0) FROM flowrra_fires"
		" WHERE waits_us IS NOT NULL AND (? = '' OR schedule_id = ?)",
	    [Q_SKIPS] = "SELECT reason, CAST(sum(n) AS SIGNED), max(last_us)"
			" FROM flowrra_skips WHERE ? = '' OR schedule_id = ?"
			" GROUP BY reason",
	    [Q_PYTHON] = "SELECT id, task_name, schedule_type, schedule,"
			 " CAST(args AS CHAR), CAST(kwargs AS CHAR), enabled,"
			 " CAST(next_run_at AS CHAR), CAST(created_at AS CHAR),"
			 " description, max_retries, CAST(retry_delay AS CHAR),"
			 " priority FROM scheduled_tasks ORDER BY id",
	    [Q_NOTIFY] = "UPDATE flowrra_revision SET revision = revision + 1",
	    [Q_REVISION] = "SELECT revision FROM flowrra_revision",
	    [Q_HAS_VERSION] = "SELECT count(*) FROM information_schema.tables"
			      " WHERE table_schema = database()"
			      " AND table_name = 'flowrra_version'",
	    [Q_LOCK_SCHEMA] = "SELECT GET_LOCK(concat('flowrra.',"
			      " md5(database())), 4)",
	    [Q_UNLOCK_SCHEMA] = "SELECT RELEASE_LOCK(concat('flowrra.',"
				" md5(database())))",
	},
    .make_version = "CREATE TABLE IF NOT EXISTS flowrra_version"
		    " (version int PRIMARY KEY)" TABLE,
    .migrations = migrations,
    .n_migrations = N_OF(migrations),
};
