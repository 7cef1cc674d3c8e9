/* SPDX-License-Identifier: MIT */
/*
 * Schedules in SQLite, in the file of the embedded queues.
 *
 * A change wakes the ports of those who watch, before it is committed; they
 * take the writers' lock once, and so go on when the change is there to be
 * seen.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "loaded/sqlite3.h"
#include "schedules/db.h"
#include "schedules/sqlite_row.h"
#include "sqlite/checkpoint.h"
#include "sqlite/fault.h"
#include "sqlite/file.h"
#include "util/err.h"
#include "util/path.h"

/* An absolute path follows, so that a URL has three slashes: a relative one
 * would mean another file in each program's working directory. */
static const char SCHEME[] = "sqlite://";

struct lite {
	struct db db;
	char *path;
	struct tx
	    tx; /* the connection; its socket is the port of schedules_fd() */
	sqlite3_stmt *statements[N_QUERIES]; /* NULL until first used */
};

static void
lite_free(struct db *db)
{
	struct lite *l = (struct lite *)db;

	free(l->path);
	free(l);
}

/* find_driver() has looked at the scheme. No file is touched yet: a scheduler
 * may be started before the disk is mounted. */
static struct db *
lite_open(const char *url, struct err *err)
{
	bool standard = url == NULL || url[0] == '\0';
	struct lite *l;

	if (!standard &&
	    (url[strlen(SCHEME)] != '/' || url[strlen(SCHEME) + 1] == '\0')) {
		err_set(err, ERR_CONFIG,
			"[scheduler] database_url: the path of the file must "
			"be absolute, as in "
			"sqlite:///var/lib/flowrra/flowrra.db");
		return NULL;
	}
	if ((l = calloc(1, sizeof(*l))) == NULL) {
		err_nomem(err);
		return NULL;
	}
	l->db.driver = &db_sqlite;
	l->db.sql = &sql_sqlite;
	l->path = standard ? path_database(err) : strdup(url + strlen(SCHEME));
	if (l->path == NULL ||
	    (l->db.name = malloc(strlen(l->path) + sizeof(SCHEME))) == NULL) {
		if (l->path != NULL || !standard)
			err_nomem(err);
		lite_free(&l->db);
		return NULL;
	}
	stpcpy(stpcpy(l->db.name, SCHEME), l->path);
	l->tx.path = l->path;
	l->tx.name = l->db.name;
	l->tx.default_place = standard;
	l->tx.socket = (struct wake_socket)WAKE_SOCKET_INIT;
	return &l->db;
}

/* Opens the file, and makes it, with its folder, if it is not there and the
 * handle is not for reading only. */
static int
lite_connect(struct db *db, struct err *err)
{
	struct lite *l = (struct lite *)db;
	bool final;

	l->tx.timeout_ms = db_left_ms(db);
	if (file_open(&l->tx, !db->reads, &final, err) == 0)
		return 0;
	/* Wrong rights can be put right while we wait. */
	if (err != NULL && err->code == ERR_REFUSED)
		err->code = ERR_UNAVAILABLE;
	return -1;
}

/* The port is taken off the list while there is a connection. One that is
 * left behind is removed by the next change that cannot wake it. */
static void
lite_disconnect(struct db *db)
{
	struct lite *l = (struct lite *)db;
	struct db_value port[1] = {DB_S(l->tx.socket.name)};
	size_t i;

	/* Statements go before the connection: SQLite would keep a database
	 * open that still has some. */
	if (db->connected && l->tx.socket.fd >= 0)
		DB_RUN(db, Q_DROP_PORT, port, NULL, NULL, NULL);
	wake_socket_done(&l->tx.socket);
	l->tx.socket = (struct wake_socket)WAKE_SOCKET_INIT;
	for (i = 0; i < N_QUERIES; i++) {
		if (l->statements[i] != NULL)
			sqlite3_finalize(l->statements[i]);
		l->statements[i] = NULL;
	}
	if (l->tx.db != NULL)
		file_close(&l->tx);
}

/* Values that do not fit are the caller's; the rest is of the file. */
static int
lite_fail(struct lite *l, const char *what, struct err *err)
{
	int status = sqlite3_errcode(l->tx.db) & 0xff;

	if (status == SQLITE_CONSTRAINT || status == SQLITE_MISMATCH ||
	    status == SQLITE_TOOBIG)
		return err_set(err, ERR_DATA, "%s: %s: %s", l->db.name, what,
			       sqlite3_errmsg(l->tx.db));
	return fault_set(err, l->tx.db, l->db.name, what);
}

/* Outside a transaction, no lock is held, and the log is written back now and then,
 * since the file has no server that would do it. */
static void
lite_relax(struct lite *l, bool tidy)
{
	if (!sqlite3_get_autocommit(l->tx.db))
		return;
	file_release(&l->tx);
	if (tidy)
		checkpoint_if_long(&l->tx, false);
}

static int
lite_exec(struct db *db, const char *sql, const char *what, struct err *err)
{
	struct lite *l = (struct lite *)db;
	int status = -1;

	l->tx.timeout_ms = db_left_ms(db);
	file_hold(&l->tx);
	if (sqlite3_exec(l->tx.db, sql, NULL, NULL, NULL) != SQLITE_OK)
		lite_fail(l, what, err);
	else
		status = 0;
	lite_relax(l, status == 0);
	return status;
}

/* --- statements ---------------------------------------------------------- */

/* SQLITE_STATIC: the values outlive the statement's run. */
static void
lite_bind(sqlite3_stmt *stmt, const struct db_value *values, size_t n)
{
	int i;

	for (i = 0; i < (int)n; i++)
		if (values[i].type == DB_INT)
			sqlite3_bind_int64(stmt, i + 1, values[i].i);
		else if (values[i].type == DB_TEXT)
			sqlite3_bind_text(stmt, i + 1, values[i].s.p,
					  (int)values[i].s.len, SQLITE_STATIC);
		else
			sqlite3_bind_null(stmt, i + 1);
}

/* The text first, then its length: sqlite3_column_bytes() before the conversion
 * could be that of another encoding. */
void
sqlite_take_row(sqlite3_stmt *stmt, struct db_rows *rows)
{
	int i, n = sqlite3_column_count(stmt);
	struct slice text;

	rows->columns = (size_t)n;
	for (i = 0; i < n; i++) {
		switch (sqlite3_column_type(stmt, i)) {
		case SQLITE_INTEGER:
			db_rows_add(rows, DB_INT, sqlite3_column_int64(stmt, i),
				    SLICE(""));
			break;
		case SQLITE_NULL:
			db_rows_add(rows, DB_NULL, 0, SLICE(""));
			break;
		default:
			text.p = (const char *)sqlite3_column_text(stmt, i);
			text.len = (size_t)sqlite3_column_bytes(stmt, i);
			db_rows_add(rows, DB_TEXT, 0, text);
		}
	}
}

/* Runs to the end even without `rows`: a statement that was left in the middle
 * would hold its lock. It is reset whatever comes, for the same reason, but
 * only after the message was taken, which a reset may change. */
static int
lite_run(struct db *db, enum query query, const struct db_value *values,
	 size_t n, struct db_rows *rows, int64_t *changed, struct err *err)
{
	struct lite *l = (struct lite *)db;
	const char *sql = db->sql->queries[query];
	sqlite3_stmt **stmt = &l->statements[query];
	int status;

	l->tx.timeout_ms = db_left_ms(db);
	if (*stmt == NULL &&
	    sqlite3_prepare_v3(l->tx.db, sql, -1, SQLITE_PREPARE_PERSISTENT,
			       stmt, NULL) != SQLITE_OK)
		return lite_fail(l, query_name(query), err);
	lite_bind(*stmt, values, n);
	file_hold(&l->tx);
	while ((status = sqlite3_step(*stmt)) == SQLITE_ROW)
		if (rows != NULL)
			sqlite_take_row(*stmt, rows);
	if (changed != NULL)
		*changed = sqlite3_changes(l->tx.db);
	if (status != SQLITE_DONE) {
		lite_fail(l, query_name(query), err);
		sqlite3_reset(*stmt);
		lite_relax(l, false);
		return -1;
	}
	sqlite3_reset(*stmt);
	lite_relax(l, true);
	if (rows != NULL && db_rows_seal(rows) != 0)
		return err_nomem(err);
	return 0;
}

/* One by one: a round trip costs nothing here. */
static int
lite_run_many(struct db *db, enum query query, const struct db_value *values,
	      size_t n, size_t sets, int64_t *changed, struct err *err)
{
	int64_t one, sum = 0;
	size_t i;

	for (i = 0; i < sets; i++) {
		if (lite_run(db, query, values + i * n, n, NULL, &one, err) !=
		    0)
			return -1;
		sum += one;
	}
	if (changed != NULL)
		*changed = sum;
	return 0;
}

/* --- changes ------------------------------------------------------------- */

/* Inside the transaction of the change; see above. A port that nobody has open
 * any more is removed, and so is text that is not the name of a port: it would
 * be a path of somebody else's choice. */
static int
lite_notify(struct db *db, struct err *err)
{
	struct lite *l = (struct lite *)db;
	struct db_rows rows = DB_ROWS_INIT;
	struct db_value port[1];
	int result;
	size_t i;

	result = lite_run(db, Q_PORTS, NULL, 0, &rows, NULL, err);
	if (result == 0 && rows.n > 0)
		result = wake_socket_open_dir(&l->tx.socket, l->path, err);
	for (i = 0; i < rows.n && result == 0; i++) {
		port[0] = *db_value(&rows, i, 0);
		if (port[0].type != DB_TEXT ||
		    !wake_socket_is_name(port[0].s) ||
		    wake_socket_wake(&l->tx.socket, port[0].s.p) != 0)
			result = DB_RUN(db, Q_DROP_PORT, port, NULL, NULL, err);
	}
	db_rows_done(&rows);
	return result;
}

/* First the port, then its row: a port that is listed can be woken. */
static int
watch(struct lite *l, struct err *err)
{
	struct db_value port[1];

	if (wake_socket_open_dir(&l->tx.socket, l->path, err) != 0 ||
	    wake_socket_make(&l->tx.socket, err) != 0)
		return -1;
	port[0] = DB_S(l->tx.socket.name);
	return DB_RUN(&l->db, Q_ADD_PORT, port, NULL, NULL, err);
}

/* Asks without waiting. */
static bool
readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* The first question has made the port: what changed before is unknown, so that
 * it counts as a change. */
static int
lite_changed(struct db *db, bool *ret, struct err *err)
{
	struct lite *l = (struct lite *)db;

	*ret = !db->watching;
	if (!db->watching && watch(l, err) != 0)
		return -1;
	if (!readable(l->tx.socket.fd))
		return 0;
	wake_socket_drain(&l->tx.socket);
	*ret = true;
	/* The process that woke us still holds the lock, until all can be
	 * seen. */
	if (lite_exec(db, "BEGIN IMMEDIATE", "waiting for a change", err) != 0)
		return -1;
	return lite_exec(db, "COMMIT", "waiting for a change", err);
}

static int
lite_fd(const struct db *db)
{
	return ((const struct lite *)db)->tx.socket.fd;
}

const struct db_driver db_sqlite = {
    .open = lite_open,
    .free = lite_free,
    .connect = lite_connect,
    .disconnect = lite_disconnect,
    .exec = lite_exec,
    .run = lite_run,
    .run_many = lite_run_many,
    .notify = lite_notify,
    .changed = lite_changed,
    .fd = lite_fd,
    .poll_ms = -1,
};
