/* SPDX-License-Identifier: MIT */
/*
 * The schema of the database.
 *
 * A task's bytes are written once, into `tasks`, and never move; small rows of
 * `waiting`, `delayed` and `inflight` say where the task is, so that a claim of
 * hundreds touches few pages. A task's number is its queue's id and a serial:
 * unique for ever, and in the order of submission. `seq` orders the tasks of
 * one priority; a task keeps it while it is in flight, so that one that is put
 * back is where it was: first. It also keeps it in `set_aside`, where it waits
 * for a worker that has its name.
 *
 * `ids` says where the record of an ID is (record.h): above 0, `place` is the
 * number of a task, of whose bytes the record is made; else it is the number of a
 * row of `results`, with a minus. So a task is found by its ID, too, since a row
 * says which task it is of; and where a number waits is known, but for those that
 * `waiting_moved` lists, since they were delayed or have a priority.
 *
 * `size` is kept by who submits and claims, with much else in that row; the counts
 * of what happens less often are kept by triggers, so that none is forgotten.
 *
 * The numbers of `results` are of three kinds, 2^45 each: records that have not
 * ended, those of tasks that succeeded, and those of tasks that failed. The number
 * of a final record is its place among its kind: how many there have been, in
 * `totals`. So a list needs no index, and most of what expires needs none
 * (expire.c).
 *
 * A task that waits for the end of others is delayed until the end of time, and
 * `waits` has a row for each of those others; a trigger takes them away with its
 * place, however it leaves that (waits.c).
 *
 * Times are milliseconds since 1970, of the wall clock.
 */
#include "store/sqlite/schema.h"

#include <stddef.h>
#include <stdint.h>

#include "loaded/sqlite3.h"
#include "sqlite/fault.h"
#include "sqlite/identity.h"
#include "util/err.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
/* The low SCHEMA_SERIAL_BITS bits. */
#define SERIAL_MASK 1099511627775
_Static_assert(SERIAL_MASK == (INT64_C(1) << SCHEMA_SERIAL_BITS) - 1,
	       "a number is a queue and a serial");

/* queues.TABLE is how many rows of TABLE a queue has. */
#define COUNTED(table)                                                         \
	"CREATE TRIGGER " table "_added AFTER INSERT ON " table                \
	" BEGIN UPDATE queues SET " table " = " table " + 1"                   \
	" WHERE id = new.queue; END;"                                          \
	"CREATE TRIGGER " table "_dropped AFTER DELETE ON " table              \
	" BEGIN UPDATE queues SET " table " = " table " - 1"                   \
	" WHERE id = old.queue; END;"

/* Of a row of `dead`. */
#define DEAD_BYTES(row)                                                        \
	"(length(CAST(" row ".bytes AS BLOB)) + "                              \
	"length(CAST(" row ".info AS BLOB)))"

/* Milliseconds since 1970, as a trigger can know them. */
#define NOW_MS                                                                 \
	"CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER)"

/* The SQL keeps its own lines. */
/* clang-format off */
static const char *const migrations[] = {
    /* 1: queues, results, registry, workers, and who waits for what */
    "CREATE TABLE queues ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " size INTEGER NOT NULL DEFAULT 0," /* waiting and delayed */
    " next INTEGER NOT NULL DEFAULT 1);"
    "CREATE TABLE tasks ("
    " number INTEGER PRIMARY KEY,"
    " bytes BLOB NOT NULL);"
    "CREATE TABLE waiting ("
    " queue INTEGER NOT NULL, priority INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " number INTEGER NOT NULL, recovered INTEGER NOT NULL,"
    " PRIMARY KEY (queue, priority, seq)) WITHOUT ROWID;"
    "CREATE TABLE delayed ("
    " queue INTEGER NOT NULL, due INTEGER NOT NULL, number INTEGER NOT NULL,"
    " priority INTEGER NOT NULL,"
    " PRIMARY KEY (queue, due, number)) WITHOUT ROWID;"
    "CREATE TABLE inflight ("
    " worker INTEGER NOT NULL, number INTEGER NOT NULL,"
    " queue INTEGER NOT NULL, priority INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " PRIMARY KEY (worker, number)) WITHOUT ROWID;"
    "CREATE TABLE dead ("
    " number INTEGER PRIMARY KEY, queue INTEGER NOT NULL,"
    " died INTEGER NOT NULL, id TEXT NOT NULL,"
    " bytes BLOB NOT NULL, info TEXT NOT NULL);"
    "CREATE INDEX dead_died ON dead (queue, died);"
    "CREATE UNIQUE INDEX dead_id ON dead (queue, id) WHERE id <> '';"
    "CREATE TABLE uniques ("
    " queue INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,"
    " expires INTEGER NOT NULL, PRIMARY KEY (queue, key)) WITHOUT ROWID;"
    "CREATE INDEX uniques_expires ON uniques (expires);"
    "CREATE TABLE results ("
    " number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " record BLOB NOT NULL, final INTEGER NOT NULL, expires INTEGER);"
    "CREATE INDEX results_expires ON results (expires)"
    " WHERE expires IS NOT NULL;"
    "CREATE TABLE registry ("
    " name TEXT PRIMARY KEY, description TEXT NOT NULL) WITHOUT ROWID;"
    /* AUTOINCREMENT here and below: a number is never given twice, so what
     * still names a worker, an order or an event that is gone meets nobody. */
    "CREATE TABLE workers ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
    " description TEXT NOT NULL DEFAULT '', expires INTEGER NOT NULL DEFAULT 0,"
    " port TEXT NOT NULL);"
    "CREATE TABLE orders ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT NOT NULL,"
    " given INTEGER NOT NULL);"
    /* The workers that wait for a queue, and in `waiters` the processes that
     * wait for a result: `port` is the name of a wake socket. */
    "CREATE TABLE sleepers ("
    " queue INTEGER NOT NULL, port TEXT NOT NULL,"
    " PRIMARY KEY (queue, port)) WITHOUT ROWID;"
    "CREATE TABLE waiters ("
    " id TEXT NOT NULL, port TEXT NOT NULL,"
    " PRIMARY KEY (id, port)) WITHOUT ROWID;"
    "PRAGMA application_id = " TEXT(IDENTITY_APPLICATION),

    /* 2: delays that outlast a change of the clock; 4 takes them back */
    "ALTER TABLE delayed ADD COLUMN relative INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE clock ("
    " one INTEGER PRIMARY KEY, ahead INTEGER NOT NULL, boot TEXT NOT NULL);",

    /* 3: for the operator: what is found, counted and listed without reading
     * all of it; paused queues; events */
    "ALTER TABLE queues ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE queues ADD COLUMN delayed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE queues ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;"
    "UPDATE queues SET"
    " delayed = (SELECT count(*) FROM delayed WHERE queue = queues.id),"
    " dead = (SELECT count(*) FROM dead WHERE queue = queues.id);"
    COUNTED("delayed")
    COUNTED("dead")
    "CREATE INDEX delayed_number ON delayed (number);"
    "CREATE INDEX waiting_moved ON waiting (number)"
    " WHERE priority <> 0 OR seq <> (number & " TEXT(SERIAL_MASK) ");"
    "ALTER TABLE results ADD COLUMN task INTEGER;"
    "ALTER TABLE results ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE results ADD COLUMN ended INTEGER;"
    /* A record that is not JSON counts as a success: nothing is lost by it. */
    "UPDATE results SET failed = coalesce("
    " CASE WHEN json_valid(CAST(record AS TEXT))"
    " THEN json_extract(CAST(record AS TEXT), '$.status') = 'failed' END, 0)"
    " WHERE final;"
    /* When these ended is not known: they take the order they were made in. */
    "UPDATE results SET ended = place.n FROM (SELECT number,"
    " row_number() OVER (PARTITION BY failed ORDER BY number) AS n"
    " FROM results WHERE final) AS place WHERE results.number = place.number;"
    "CREATE INDEX results_ended ON results (failed, ended)"
    " WHERE ended IS NOT NULL;"
    "CREATE TABLE totals ("
    " succeeded INTEGER NOT NULL, failed INTEGER NOT NULL);"
    "INSERT INTO totals SELECT coalesce(sum(NOT failed), 0),"
    " coalesce(sum(failed), 0) FROM results WHERE final;"
    "CREATE TABLE listeners ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, port TEXT NOT NULL,"
    " seen INTEGER NOT NULL," /* the event that it read last */
    " asleep INTEGER NOT NULL);"
    "CREATE TABLE events ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, made INTEGER NOT NULL,"
    " total INTEGER NOT NULL," /* bytes of all events up to this one */
    " event BLOB NOT NULL)",

    /* 4: delayed tasks are due by the clock, whatever it is set to */
    "ALTER TABLE delayed DROP COLUMN relative;"
    "DROP TABLE clock",

    /* 5: what each worker can run in each of its queues (the empty name: that
     * it is there); tasks set aside for those who can; names that nobody had */
    "CREATE TABLE served ("
    " queue INTEGER NOT NULL, name TEXT NOT NULL, worker INTEGER NOT NULL,"
    " PRIMARY KEY (queue, name, worker)) WITHOUT ROWID;"
    "CREATE INDEX served_worker ON served (worker, queue);"
    "CREATE TABLE set_aside ("
    " queue INTEGER NOT NULL, name TEXT NOT NULL, priority INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, number INTEGER NOT NULL,"
    " PRIMARY KEY (queue, name, priority, seq)) WITHOUT ROWID;"
    "CREATE INDEX set_aside_order ON set_aside (queue, priority, seq);"
    "CREATE INDEX set_aside_number ON set_aside (number);"
    "CREATE TABLE unknown ("
    " queue INTEGER NOT NULL, name TEXT NOT NULL, met INTEGER NOT NULL,"
    " PRIMARY KEY (queue, name)) WITHOUT ROWID;"
    "ALTER TABLE queues ADD COLUMN set_aside INTEGER NOT NULL DEFAULT 0;"
    COUNTED("set_aside"),

    /* 6: which process has a worker's name */
    "ALTER TABLE workers ADD COLUMN token TEXT NOT NULL DEFAULT ''",

    /* 7: measures (store/measures.h): of minutes (step 60), hours (3600), and
     * all there was (step and begin 0), the times in seconds */
    "CREATE TABLE measures ("
    " step INTEGER NOT NULL, begin INTEGER NOT NULL, queue TEXT NOT NULL,"
    " task TEXT NOT NULL, what INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY (step, begin, queue, task, what)) WITHOUT ROWID",

    /* 8: events with whole records (1), or some brief ones (0), and which of
     * them a listener wants; since when a queue is not used (0: it is) */
    "ALTER TABLE queues ADD COLUMN idle INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE listeners ADD COLUMN whole INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE events ADD COLUMN whole INTEGER NOT NULL DEFAULT 1",

    /* 9: since when no worker has what is registered (0: one has). And
     * results.final may be 2: ended by housekeeping, since the task is lost; it
     * gives way to another record */
    "ALTER TABLE registry ADD COLUMN idle INTEGER NOT NULL DEFAULT 0",

    /* 10: a record is written once. All that are there have rows; those that
     * expire are marked as if they went by their own time, whenever they ended. The
     * places come in their order by the window; to sort the records themselves
     * would take as much memory as all of them. */
    "ALTER TABLE results RENAME TO results_9;"
    "CREATE TABLE ids ("
    " id TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE results ("
    " number INTEGER PRIMARY KEY, id TEXT NOT NULL, record BLOB NOT NULL,"
    " final INTEGER NOT NULL, expires INTEGER, early INTEGER, task INTEGER);"
    "INSERT INTO results (number, id, record, final, task)"
    " SELECT row_number() OVER (ORDER BY number), id, record, 0, task"
    " FROM results_9 WHERE NOT final;"
    "INSERT INTO results (number, id, record, final, expires, early, task)"
    " SELECT place.n + (1 << 45 << place.kind), old.id, old.record, old.final,"
    " old.expires, iif(old.expires IS NULL, NULL, 1), old.task"
    " FROM (SELECT number, failed <> 0 AS kind,"
    " row_number() OVER (PARTITION BY failed <> 0 ORDER BY ended, number) AS n"
    " FROM results_9 WHERE final) AS place"
    " CROSS JOIN results_9 AS old ON old.number = place.number;"
    "INSERT INTO ids SELECT id, -number FROM results ORDER BY id;"
    "DROP TABLE results_9;"
    "CREATE INDEX results_early ON results (expires) WHERE early = 1;"
    /* As latest and passed of struct stotals. */
    "ALTER TABLE totals ADD COLUMN latest_succeeded INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE totals ADD COLUMN latest_failed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE totals ADD COLUMN passed_succeeded INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE totals ADD COLUMN passed_failed INTEGER NOT NULL DEFAULT 0;"
    /* What was counted otherwise would be a number that is taken. */
    "UPDATE totals SET succeeded = max(succeeded, (SELECT count(*) FROM results"
    " WHERE number >> 45 = 1)), failed = max(failed, (SELECT count(*) FROM results"
    " WHERE number >> 45 = 2))",

    /* 11: how many bytes the dead tasks of a queue have, with their reasons */
    "ALTER TABLE queues ADD COLUMN dead_bytes INTEGER NOT NULL DEFAULT 0;"
    "UPDATE queues SET dead_bytes = coalesce((SELECT sum(" DEAD_BYTES("dead")
    ") FROM dead WHERE queue = queues.id), 0);"
    "CREATE TRIGGER dead_weighed AFTER INSERT ON dead"
    " BEGIN UPDATE queues SET dead_bytes = dead_bytes + " DEAD_BYTES("new")
    " WHERE id = new.queue; END;"
    "CREATE TRIGGER dead_lightened AFTER DELETE ON dead"
    " BEGIN UPDATE queues SET dead_bytes = dead_bytes - " DEAD_BYTES("old")
    " WHERE id = old.queue; END;"
    "CREATE TRIGGER dead_weighed_again AFTER UPDATE OF bytes, info ON dead"
    " BEGIN UPDATE queues SET dead_bytes = dead_bytes + " DEAD_BYTES("new")
    " - " DEAD_BYTES("old") " WHERE id = new.queue; END",

    /* 12: tasks that wait for others: `wants` is a broker_after_how, and `at` and
     * `delay` are what the task does then */
    "CREATE TABLE waits ("
    " after TEXT NOT NULL, number INTEGER NOT NULL, wants INTEGER NOT NULL,"
    " at INTEGER NOT NULL, delay INTEGER NOT NULL,"
    " PRIMARY KEY (after, number)) WITHOUT ROWID;"
    "CREATE INDEX waits_number ON waits (number);"
    "CREATE TRIGGER waits_leave AFTER DELETE ON delayed"
    " WHEN old.due = 253402300799999 BEGIN"
    " DELETE FROM waits WHERE number = old.number; END;"
    /* and what tasks share, which of them by its number */
    "CREATE TABLE blobs ("
    " number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " bytes BLOB NOT NULL);"
    "CREATE TABLE blob_uses ("
    " id TEXT PRIMARY KEY, blob INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX blob_uses_blob ON blob_uses (blob)",

    /* 13: an event's bytes are in the relay, from `at` on; `size` 0: some are
     * missing. Listeners are woken by each */
    "ALTER TABLE listeners DROP COLUMN asleep;"
    "DELETE FROM events;"
    "ALTER TABLE events DROP COLUMN event;"
    "ALTER TABLE events RENAME COLUMN total TO at;"
    "ALTER TABLE events ADD COLUMN size INTEGER NOT NULL DEFAULT 0",

    /* 14: limits (core/limit.h), by scope: "by" says where a task's group is.
     * What is in flight of a queue that has some also has its scopes; what they
     * hold is set aside, under "~" and the scope, which no name begins with.
     * `ready` has the scopes that may have room again, by turn */
    "CREATE TABLE limits ("
    " queue INTEGER NOT NULL, scope TEXT NOT NULL, rule TEXT NOT NULL,"
    " PRIMARY KEY (queue, scope)) WITHOUT ROWID;"
    "CREATE TABLE ready ("
    " queue INTEGER NOT NULL, scope TEXT NOT NULL, turn INTEGER NOT NULL,"
    " PRIMARY KEY (queue, scope)) WITHOUT ROWID;"
    "CREATE INDEX ready_turn ON ready (queue, turn, scope);"
    "ALTER TABLE queues ADD COLUMN limits INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE queues ADD COLUMN held INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE set_aside ADD COLUMN recovered INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE inflight ADD COLUMN task_scope TEXT;"
    "ALTER TABLE inflight ADD COLUMN group_scope TEXT;"
    "CREATE INDEX inflight_task ON inflight (queue, task_scope)"
    " WHERE task_scope IS NOT NULL;"
    "CREATE INDEX inflight_group ON inflight (queue, group_scope)"
    " WHERE group_scope IS NOT NULL;"
    "CREATE TRIGGER limits_added AFTER INSERT ON limits BEGIN"
    " UPDATE queues SET limits = limits + 1 WHERE id = new.queue; END;"
    "CREATE TRIGGER limits_dropped AFTER DELETE ON limits BEGIN"
    " UPDATE queues SET limits = limits - 1 WHERE id = old.queue; END;"
    "CREATE TRIGGER held_added AFTER INSERT ON set_aside"
    " WHEN new.name >= '~' BEGIN"
    " UPDATE queues SET held = held + 1 WHERE id = new.queue; END;"
    "CREATE TRIGGER held_dropped AFTER DELETE ON set_aside"
    " WHEN old.name >= '~' BEGIN"
    " UPDATE queues SET held = held - 1 WHERE id = old.queue; END",

    /* 15: rates of limits: `tat` is when the next task of a scope would be due if
     * they started evenly; `resting` has the scopes that hold tasks and wait for
     * that, until when. Both in µs since 1970 */
    "CREATE TABLE tats ("
    " queue INTEGER NOT NULL, scope TEXT NOT NULL, tat INTEGER NOT NULL,"
    " PRIMARY KEY (queue, scope)) WITHOUT ROWID;"
    "CREATE INDEX tats_tat ON tats (queue, tat);"
    "CREATE TABLE resting ("
    " queue INTEGER NOT NULL, scope TEXT NOT NULL, until INTEGER NOT NULL,"
    " PRIMARY KEY (queue, scope)) WITHOUT ROWID;"
    "CREATE INDEX resting_until ON resting (queue, until)",

    /* 16: since when a limit holds a task, in ms since 1970; 0: that is not known */
    "ALTER TABLE set_aside ADD COLUMN since INTEGER NOT NULL DEFAULT 0",

    /* 17: keys that last until their task starts, or ends (enum unique_until): a
     * task that goes takes its key with it, however it goes */
    "ALTER TABLE uniques ADD COLUMN task INTEGER;"
    "ALTER TABLE uniques ADD COLUMN until INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX uniques_task ON uniques (task) WHERE task IS NOT NULL;"
    "CREATE TRIGGER uniques_leave AFTER DELETE ON tasks BEGIN"
    " DELETE FROM uniques WHERE task = old.number; END",

    /* 18: workflows (flows.h), and their steps in the order in which they were
     * added; what waits for others may be one. The counts are of steps that are no
     * callbacks, by their state. `moved` is when something has happened last, `looked`
     * when somebody looked whether it hangs, and `gone` when all of it may be removed;
     * 0: never, or not known yet. `spares` has tasks of steps that are in no queue. */
    "CREATE TABLE flows ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " label TEXT NOT NULL, state INTEGER NOT NULL, cancels INTEGER NOT NULL,"
    " whole INTEGER NOT NULL, life INTEGER NOT NULL, made INTEGER NOT NULL,"
    " moved INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0,"
    " gone INTEGER NOT NULL DEFAULT 0, looked INTEGER NOT NULL DEFAULT 0,"
    " next INTEGER NOT NULL DEFAULT 1,"
    " waiting INTEGER NOT NULL DEFAULT 0, released INTEGER NOT NULL DEFAULT 0,"
    " succeeded INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,"
    " skipped INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX flows_open ON flows (number) WHERE state = 0;"
    "CREATE INDEX flows_looked ON flows (looked) WHERE ended = 0;"
    "CREATE INDEX flows_gone ON flows (gone) WHERE gone > 0;"
    "CREATE INDEX flows_cancelling ON flows (number) WHERE state = 2;"
    "CREATE TABLE steps ("
    " flow INTEGER NOT NULL, place INTEGER NOT NULL, id TEXT NOT NULL,"
    " role INTEGER NOT NULL, state INTEGER NOT NULL, after TEXT,"
    " PRIMARY KEY (flow, place)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX steps_id ON steps (id);"
    "CREATE INDEX steps_waiting ON steps (flow, place)"
    " WHERE state = 0 AND role = 0;"
    "CREATE INDEX steps_callbacks ON steps (flow, place) WHERE role > 0;"
    "CREATE TABLE spares ("
    " flow INTEGER NOT NULL, place INTEGER NOT NULL, queue TEXT NOT NULL,"
    " priority INTEGER NOT NULL, at INTEGER NOT NULL, delay INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, PRIMARY KEY (flow, place)) WITHOUT ROWID;"
    "CREATE TRIGGER steps_added AFTER INSERT ON steps BEGIN"
    " UPDATE flows SET next = new.place + 1, moved = " NOW_MS ","
    " waiting = waiting + (new.role = 0 AND new.state = 0),"
    " released = released + (new.role = 0 AND new.state = 1)"
    " WHERE number = new.flow; END;"
    "CREATE TRIGGER steps_moved AFTER UPDATE OF state ON steps"
    " WHEN new.role = 0 BEGIN UPDATE flows SET moved = " NOW_MS ","
    " waiting = waiting + (new.state = 0) - (old.state = 0),"
    " released = released + (new.state = 1) - (old.state = 1),"
    " succeeded = succeeded + (new.state = 2) - (old.state = 2),"
    " failed = failed + (new.state = 3) - (old.state = 3),"
    " skipped = skipped + (new.state = 4) - (old.state = 4)"
    " WHERE number = new.flow; END;"
    "ALTER TABLE waits ADD COLUMN flow INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE waits ADD COLUMN place INTEGER NOT NULL DEFAULT 0",

    /* 19: limits as workers declare them (admin_declare.c) */
    "CREATE TABLE declared ("
    " queue INTEGER NOT NULL, scope TEXT NOT NULL, rule TEXT NOT NULL,"
    " path TEXT NOT NULL, other TEXT NOT NULL,"
    " PRIMARY KEY (queue, scope)) WITHOUT ROWID",
};
/* clang-format on */
#define VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

int
schema_version(void)
{
	return VERSION;
}

/* In a transaction. Returns 1 if there is something to do. */
static int
schema_check(sqlite3 *db, const char *name, int *ret_version, struct err *err)
{
	int version;

	if (identity_check(db, name, err) < 0)
		return -1;
	if (identity_number(db, "PRAGMA user_version", &version) != 0)
		return fault_set(err, db, name, "cannot read the schema");
	if (version > VERSION)
		return err_set(err, ERR_CONFIG,
			       "%s has schema version %d, but this program "
			       "supports version %d; upgrade the program",
			       name, version, VERSION);
	*ret_version = version;
	return version < VERSION;
}

static int
schema_migrate(sqlite3 *db, const char *name, int version, struct err *err)
{
	char pragma[64];

	for (; version < VERSION; version++)
		if (sqlite3_exec(db, migrations[version], NULL, NULL, NULL) !=
		    SQLITE_OK)
			return fault_set(err, db, name,
					 "cannot create the schema");
	sqlite3_snprintf(sizeof(pragma), pragma, "PRAGMA user_version = %d",
			 VERSION);
	if (sqlite3_exec(db, pragma, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		return fault_set(err, db, name, "cannot create the schema");
	return 0;
}

int
schema_prepare(sqlite3 *db, const char *name,
	       description_upgrade_fn *on_upgrade, void *arg, struct err *err)
{
	int version = 0, status;
	struct err upgrade = ERR_INIT;

	/* Most of the time all is there: that takes no lock to see. */
	if ((status = schema_check(db, name, &version, err)) <= 0)
		return status;
	if (version > 0) {
		err_set(&upgrade, ERR_UNAVAILABLE,
			"upgrading %s from schema version %d to %d; this can "
			"take minutes for a large file",
			name, version, VERSION);
		if (on_upgrade(&upgrade, arg) != 0) {
			if (err != NULL)
				*err = upgrade;
			return -1;
		}
	}
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) !=
	    SQLITE_OK) {
		fault_set(err, db, name, "cannot create the schema");
		/* Another process is at it. */
		if ((sqlite3_errcode(db) & 0xff) == SQLITE_BUSY && version > 0)
			*err = upgrade;
		return -1;
	}
	if ((status = schema_check(db, name, &version, err)) == 1)
		status = schema_migrate(db, name, version, err);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}
