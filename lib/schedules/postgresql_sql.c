/* SPDX-License-Identifier: MIT */
/*
 * Statements and schema in PostgreSQL's words.
 *
 * Rows that change often leave dead ones behind, which the queries for what is
 * due would have to step over: so pages have room for updates, and the tables
 * are vacuumed early. Texts that are compared or sorted are so by their bytes.
 */
#include "schedules/sql.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define KEY "varchar(200) COLLATE \"C\" NOT NULL"
#define BUSY                                                                   \
	" WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,"       \
	" autovacuum_vacuum_cost_delay = 0)"

static migration migrations[] = {
    /* 1: schedules, the outbox, what did not run, schedulers */
    {
	"CREATE TABLE flowrra_schedules ("
	" id " KEY " PRIMARY KEY, identity " KEY " UNIQUE, task " KEY ","
	" type text NOT NULL, rule text NOT NULL, tz text NOT NULL,"
	" args text NOT NULL, kwargs text NOT NULL, queue text NOT NULL,"
	" description text NOT NULL, enabled integer NOT NULL,"
	" max_retries bigint NOT NULL, retry_delay_us bigint NOT NULL,"
	" priority integer NOT NULL, misfire text NOT NULL,"
	" max_catchup bigint NOT NULL, grace_us bigint NOT NULL,"
	" overlap text NOT NULL, jitter_us bigint NOT NULL,"
	" day_match text NOT NULL, start_us bigint NOT NULL,"
	" end_us bigint NOT NULL, max_runs bigint NOT NULL,"
	" created_us bigint NOT NULL, updated_us bigint NOT NULL,"
	" last_run_us bigint NOT NULL, next_run_us bigint NOT NULL,"
	" due_us bigint, runs bigint NOT NULL, tz_data text NOT NULL,"
	" fault text NOT NULL)" BUSY,
	"CREATE INDEX flowrra_schedules_due ON flowrra_schedules (due_us)"
	" WHERE due_us IS NOT NULL",
	"CREATE TABLE flowrra_fires ("
	" schedule_id " KEY ", fire_us bigint NOT NULL,"
	" task_id text NOT NULL, queue text NOT NULL,"
	" priority integer NOT NULL, task text NOT NULL,"
	" created_us bigint NOT NULL, waits_us bigint, marked_us bigint,"
	" refused text, claim bigint NOT NULL,"
	" PRIMARY KEY (schedule_id, fire_us))" BUSY,
	"CREATE INDEX flowrra_fires_waiting ON flowrra_fires (waits_us)"
	" WHERE waits_us IS NOT NULL",
	"CREATE INDEX flowrra_fires_marked ON flowrra_fires (marked_us)"
	" WHERE marked_us IS NOT NULL",
	"CREATE TABLE flowrra_skips ("
	" schedule_id " KEY ", reason " KEY ", n bigint NOT NULL,"
	" last_us bigint NOT NULL, PRIMARY KEY (schedule_id, reason))",
	"CREATE TABLE flowrra_schedulers ("
	" id " KEY " PRIMARY KEY, host text NOT NULL, pid bigint NOT NULL,"
	" started_us bigint NOT NULL, seen_us bigint NOT NULL,"
	" lag_us bigint NOT NULL, max_lag_us bigint NOT NULL,"
	" fires bigint NOT NULL)",
    },
    /* 2: further settings of the tasks; -1: left to their module */
    {
	"ALTER TABLE flowrra_schedules"
	" ADD COLUMN retry_backoff_millionths bigint NOT NULL DEFAULT -1,"
	" ADD COLUMN retry_delay_max_us bigint NOT NULL DEFAULT -1,"
	" ADD COLUMN retry_jitter_millionths bigint NOT NULL DEFAULT -1,"
	" ADD COLUMN timeout_us bigint NOT NULL DEFAULT -1,"
	" ADD COLUMN expires_us bigint NOT NULL DEFAULT 0",
    },
    /* 3: rules that change; fires that were missed or skipped, one by one */
    {
	"ALTER TABLE flowrra_schedules"
	" ADD COLUMN rule_us bigint NOT NULL DEFAULT 0",
	"CREATE TABLE flowrra_skipped_fires ("
	" schedule_id " KEY ", fire_us bigint NOT NULL,"
	" last_us bigint NOT NULL, n bigint NOT NULL, reason " KEY ","
	" noted_us bigint NOT NULL, PRIMARY KEY (schedule_id, fire_us))",
	"CREATE INDEX flowrra_skipped_fires_noted"
	" ON flowrra_skipped_fires (noted_us)",
    },
    /* 4: whose file a schedule is from */
    {
	"ALTER TABLE flowrra_schedules"
	" ADD COLUMN owner text NOT NULL DEFAULT ''",
    },
    /* 5: what is wrong with a scheduler; fires up to which are forgotten */
    {
	"ALTER TABLE flowrra_schedulers"
	" ADD COLUMN clock_off_us bigint NOT NULL DEFAULT 0,"
	" ADD COLUMN state text NOT NULL DEFAULT '',"
	" ADD COLUMN lacks text NOT NULL DEFAULT ''",
	"CREATE TABLE flowrra_pruned ("
	" id integer PRIMARY KEY, fire_us bigint NOT NULL)",
	"INSERT INTO flowrra_pruned (id, fire_us) VALUES (1, 0)",
    },
    /* 6: the trace in which a schedule was made */
    {
	"ALTER TABLE flowrra_schedules"
	" ADD COLUMN traceparent text NOT NULL DEFAULT ''",
    },
    /* 7: the group of its tasks */
    {
	"ALTER TABLE flowrra_schedules"
	" ADD COLUMN task_group text NOT NULL DEFAULT ''",
    },
    /* 8: what a fire begins instead of a task. A scheduler of an earlier version
     * would make a task of it, also one that has been connected all the time:
     * it does not find the column that every fire needs, and fires nothing. */
    {
	"ALTER TABLE flowrra_schedules"
	" ADD COLUMN workflow text NOT NULL DEFAULT ''",
	"ALTER TABLE flowrra_fires RENAME COLUMN task TO body",
    },
};

const struct dialect sql_postgresql = {
    .begin = "BEGIN",
    .queries =
	{
#include "schedules/common.def"
#include "schedules/upsert.def"
	    [Q_LIST] =
		SQL_SELECT " WHERE id > ? AND (?::text = '' OR task = ?)"
			   " AND (?::bigint < 0 OR enabled = ?) ORDER BY id"
			   " LIMIT ?",
	    [Q_LIST_DUE] =
		SQL_SELECT " WHERE due_us >= ? AND (due_us > ? OR id > ?)"
			   " AND (?::text = '' OR task = ?)"
			   " ORDER BY due_us, id LIMIT ?",
	    [Q_LIST_IDLE] =
		SQL_SELECT " WHERE due_us IS NULL AND id > ?"
			   " AND (?::text = '' OR task = ?)"
			   " AND (?::bigint < 0 OR enabled = ?) ORDER BY id"
			   " LIMIT ?",
	    [Q_CLAIM_DUE] =
		SQL_SELECT " WHERE due_us <= ?"
			   " AND tz <> ALL (string_to_array(?::text, ','))"
			   " ORDER BY due_us LIMIT ? FOR UPDATE SKIP LOCKED",
	    [Q_NEXT_DUE] = "SELECT due_us FROM flowrra_schedules"
			   " WHERE due_us IS NOT NULL"
			   " AND tz <> ALL (string_to_array(?::text, ','))"
			   " ORDER BY due_us LIMIT 1",
	    [Q_CLAIM_ALL] = SQL_SELECT " WHERE enabled = 1 AND fault = ''"
				       " AND id > ? ORDER BY id LIMIT ?"
				       " FOR UPDATE SKIP LOCKED",
	    [Q_LIST_LAST] = SQL_SELECT " WHERE due_us IS NOT NULL"
				       " ORDER BY due_us DESC LIMIT ?",
	    [Q_LIST_ASIDE] = SQL_SELECT " WHERE fault <> '' AND id > ?"
					" ORDER BY id LIMIT ?",
	    /* Not now(), which is when the transaction began. */
	    [Q_CLOCK] = "SELECT (extract(epoch FROM clock_timestamp())"
			" * 1000000)::bigint",
	    [Q_CLAIM_STALE] =
		SQL_SELECT " WHERE due_us IS NOT NULL AND tz_data <> ''"
			   " AND tz_data <> ? AND id > ? ORDER BY id"
			   " LIMIT ? FOR UPDATE SKIP LOCKED",
	    [Q_PRUNE] = "DELETE FROM flowrra_fires WHERE ctid = ANY (ARRAY"
			" (SELECT ctid FROM flowrra_fires WHERE marked_us < ?"
			" AND fire_us < ? ORDER BY marked_us LIMIT ? FOR "
			"UPDATE SKIP LOCKED))",
	    [Q_COUNTS] = "SELECT count(*), count(*) FILTER (WHERE enabled = 1),"
			 " count(*) FILTER (WHERE fault <> ''),"
			 " count(*) FILTER (WHERE due_us <= ?),"
			 " coalesce(sum(runs), 0)::bigint"
			 " FROM flowrra_schedules WHERE ?::text = '' OR id = ?",
	    [Q_UNSENT_COUNTS] = "SELECT count(*), coalesce(min(waits_us), 0)"
				" FROM flowrra_fires WHERE waits_us IS NOT NULL"
				" AND (?::text = '' OR schedule_id = ?)",
	    [Q_SKIPS] = "SELECT reason, sum(n)::bigint, max(last_us)"
			" FROM flowrra_skips WHERE ?::text = ''"
			" OR schedule_id = ? GROUP BY reason",
	    [Q_PYTHON] =
		"SELECT id, task_name, schedule_type, schedule, args::text,"
		" kwargs::text, enabled::integer, next_run_at::text,"
		" created_at::text, description, max_retries,"
		" retry_delay::text, priority FROM scheduled_tasks"
		" ORDER BY id",
	    [Q_NOTIFY] = "NOTIFY flowrra_schedules",
	    /* Ends with the transaction. The number means nothing; it must only
	     * be the same in all versions. */
	    [Q_LOCK_SCHEMA] = "SELECT pg_advisory_xact_lock("
			      "7311424861746725)",
	    [Q_HAS_VERSION] = "SELECT count(*) FROM pg_class"
			      " WHERE oid = to_regclass('flowrra_version')",
	},
    .many =
	{
	    [Q_SETTLE] =
		"UPDATE flowrra_schedules s SET next_run_us = v.next_run_us,"
		" due_us = v.due_us, last_run_us = v.last_run_us,"
		" runs = v.runs, tz_data = v.tz_data, fault = v.fault"
		" FROM unnest(?::bigint[], ?::bigint[], ?::bigint[],"
		" ?::bigint[], ?::text[], ?::text[], ?::text[])"
		" AS v (next_run_us, due_us, last_run_us, runs, tz_data,"
		" fault, id) WHERE s.id = v.id",
	    [Q_ADD_FIRE] =
		"INSERT INTO flowrra_fires (schedule_id, fire_us, task_id,"
		" queue, priority, body, created_us, waits_us, claim)"
		" SELECT * FROM unnest(?::text[], ?::bigint[], ?::text[],"
		" ?::text[], ?::integer[], ?::text[], ?::bigint[],"
		" ?::bigint[], ?::bigint[]) ON CONFLICT DO NOTHING",
	    [Q_ADD_SKIPPED] =
		("INSERT INTO flowrra_skipped_fires (schedule_id, fire_us,"
		 " last_us, n, reason, noted_us)"
		 " SELECT * FROM unnest(?::text[], ?::bigint[], ?::bigint[],"
		 " ?::bigint[], ?::text[], ?::bigint[]) ON CONFLICT DO "
		 "NOTHING"),
	    [Q_MARK] =
		"UPDATE flowrra_fires f SET waits_us = NULL, body = '',"
		" marked_us = v.marked_us, refused = v.refused"
		" FROM unnest(?::bigint[], ?::text[], ?::text[], ?::bigint[])"
		" AS v (marked_us, refused, schedule_id, fire_us)"
		" WHERE f.schedule_id = v.schedule_id"
		" AND f.fire_us = v.fire_us AND f.waits_us IS NOT NULL",
	},
    .make_version = "CREATE TABLE IF NOT EXISTS flowrra_version"
		    " (version integer PRIMARY KEY)",
    .migrations = migrations,
    .n_migrations = N_OF(migrations),
};
