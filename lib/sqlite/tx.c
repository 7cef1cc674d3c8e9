/* SPDX-License-Identifier: MIT */
/*
 * Statements, and what goes with a transaction: the only way of the jobs to the
 * database. Each statement is prepared at its first use and kept until the file
 * is closed, since to parse it costs more than to run it.
 */
#include "sqlite/tx.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "loaded/sqlite3.h"
#include "sqlite/fault.h"
#include "sqlite/file.h"
#include "sqlite/relay.h"
#include "util/err.h"

int
tx_fail(struct tx *tx, struct err *err, const char *what)
{
	return fault_set(err, tx->db, tx->name, what);
}

int64_t
tx_now(const struct tx *tx)
{
	return tx->now_ms;
}

/* --- statements -------------------------------------------------------- */

/* SQLITE_STATIC: slices stay where they are while the statement runs, so they
 * are not copied. An empty one is not NULL, which columns would refuse. */
static int
tx_bind_slice(sqlite3_stmt *stmt, int i, struct slice s, bool text)
{
	const char *p = s.p != NULL ? s.p : "";

	return text ? sqlite3_bind_text64(stmt, i, p, s.len, SQLITE_STATIC,
					  SQLITE_UTF8)
		    : sqlite3_bind_blob64(stmt, i, p, s.len, SQLITE_STATIC);
}

/* Binds the values by the statement's letters (description.h): a status. */
static int
tx_bind(sqlite3_stmt *stmt, const char *parameters, va_list values)
{
	int64_t number;
	int i, status = SQLITE_OK;

	for (i = 0; parameters[i] != '\0' && status == SQLITE_OK; i++) {
		switch (parameters[i]) {
		case 'i':
			number = va_arg(values, int64_t);
			status = sqlite3_bind_int64(stmt, i + 1, number);
			break;
		case 'o':
			number = va_arg(values, int64_t);
			status = number != 0
				     ? sqlite3_bind_int64(stmt, i + 1, number)
				     : sqlite3_bind_null(stmt, i + 1);
			break;
		default:
			status = tx_bind_slice(stmt, i + 1,
					       va_arg(values, struct slice),
					       parameters[i] == 't');
		}
	}
	return status;
}

/* The statement with its values bound, ready to be stepped; NULL with *err. */
static sqlite3_stmt *
tx_prepare(struct tx *tx, struct err *err, unsigned int which, va_list values)
{
	const struct statement *s = &tx->description->statements[which];
	sqlite3_stmt **stmt = &tx->statements[which];

	if (*stmt == NULL &&
	    sqlite3_prepare_v3(tx->db, s->sql, -1, SQLITE_PREPARE_PERSISTENT,
			       stmt, NULL) != SQLITE_OK) {
		tx_fail(tx, err, "cannot prepare a statement");
		return NULL;
	}
	if (tx_bind(*stmt, s->parameters, values) != SQLITE_OK) {
		tx_fail(tx, err, "cannot prepare a statement");
		return NULL;
	}
	return *stmt;
}

/* As tx_next(). A statement that has ended, or failed, is reset at once: one
 * that is not would hold its read lock, and keep the log from being moved. */
static int
tx_step(struct tx *tx, struct err *err, unsigned int which)
{
	sqlite3_stmt *stmt = tx->statements[which];
	int status = sqlite3_step(stmt);

	if (status == SQLITE_ROW)
		return 1;
	if (sqlite3_reset(stmt) == SQLITE_OK)
		return 0;
	return tx_fail(tx, err, "cannot use the database");
}

/* Rows that it shows are skipped: some statements are run for their effect. */
int
tx_run(struct tx *tx, struct err *err, unsigned int which, ...)
{
	sqlite3_stmt *stmt;
	va_list values;
	int more;

	va_start(values, which);
	stmt = tx_prepare(tx, err, which, values);
	va_end(values);
	if (stmt == NULL)
		return -1;
	while ((more = tx_step(tx, err, which)) == 1)
		;
	return more == 0 ? sqlite3_changes(tx->db) : -1;
}

int
tx_first(struct tx *tx, struct err *err, unsigned int which, ...)
{
	sqlite3_stmt *stmt;
	va_list values;

	va_start(values, which);
	stmt = tx_prepare(tx, err, which, values);
	va_end(values);
	return stmt != NULL ? tx_step(tx, err, which) : -1;
}

int
tx_any(struct tx *tx, struct err *err, unsigned int which, ...)
{
	sqlite3_stmt *stmt;
	va_list values;
	int more;

	va_start(values, which);
	stmt = tx_prepare(tx, err, which, values);
	va_end(values);
	if (stmt == NULL)
		return -1;
	if ((more = tx_step(tx, err, which)) == 1)
		tx_end(tx, which);
	return more;
}

int
tx_next(struct tx *tx, struct err *err, unsigned int which)
{
	return tx_step(tx, err, which);
}

void
tx_end(struct tx *tx, unsigned int which)
{
	sqlite3_reset(tx->statements[which]);
}

int64_t
tx_int(struct tx *tx, unsigned int which, int column)
{
	return sqlite3_column_int64(tx->statements[which], column);
}

struct slice
tx_bytes(struct tx *tx, unsigned int which, int column)
{
	sqlite3_stmt *stmt = tx->statements[which];
	const char *p = sqlite3_column_blob(stmt, column);

	/* In this order: SQLite's manual has the length asked for last, since
	 * the first call may convert the value. */
	return (struct slice){p, (size_t)sqlite3_column_bytes(stmt, column)};
}

/* --- wake-ups ---------------------------------------------------------- */

/* Each name once, however many rows of a batch concern it. The lists are short:
 * one name for each process that waits. */
void
tx_wake(struct tx *tx, struct slice name)
{
	void *grown;
	size_t i, cap;

	/* The database is not trusted to hold names only. */
	if (!wake_socket_is_name(name))
		return;
	for (i = 0; i < tx->n_wakes; i++)
		if (memcmp(tx->wakes[i], name.p, WAKE_SOCKET_NAME_LEN) == 0)
			return;
	if (tx->n_wakes == tx->cap_wakes) {
		cap = tx->cap_wakes ? 2 * tx->cap_wakes : 16;
		grown = reallocarray(tx->wakes, cap, sizeof(*tx->wakes));
		if (grown == NULL) {
			/* No memory: wake them now. They look in a transaction
			 * that writes, so they only wait longer for ours. */
			file_wake(tx);
			tx->n_wakes = 0;
			if (tx->cap_wakes == 0)
				return;
		} else {
			tx->wakes = grown;
			tx->cap_wakes = cap;
		}
	}
	memcpy(tx->wakes[tx->n_wakes], name.p, WAKE_SOCKET_NAME_LEN);
	tx->wakes[tx->n_wakes++][WAKE_SOCKET_NAME_LEN] = '\0';
}

int
tx_wake_all(struct tx *tx, struct err *err, unsigned int which, int more)
{
	for (; more == 1; more = tx_next(tx, err, which))
		tx_wake(tx, tx_bytes(tx, which, 0));
	return more;
}

bool
tx_reaches(struct tx *tx, struct slice name)
{
	char text[WAKE_SOCKET_NAME_LEN + 1];

	if (!wake_socket_is_name(name))
		return false;
	memcpy(text, name.p, WAKE_SOCKET_NAME_LEN);
	text[WAKE_SOCKET_NAME_LEN] = '\0';
	/* In doubt it is there: nobody is taken for dead by our trouble. */
	return tx_directory(tx, NULL) < 0 ||
	       wake_socket_wake(&tx->socket, text) == 0;
}

int
tx_directory(struct tx *tx, struct err *err)
{
	return wake_socket_open_dir(&tx->socket, tx->path, err) == 0
		   ? tx->socket.dir_fd
		   : -1;
}

struct relay *
tx_relay(struct tx *tx, struct err *err)
{
	const int dir_fd = tx_directory(tx, err);

	if (tx->relay != NULL && !relay_is_there(tx->relay, dir_fd)) {
		relay_close(tx->relay);
		tx->relay = NULL;
	}
	if (tx->relay == NULL && dir_fd >= 0)
		tx->relay = relay_open(dir_fd, err);
	return tx->relay;
}

/* Made on demand: a producer that never waits needs no socket. */
struct slice
tx_wake_socket(struct tx *tx, struct err *err)
{
	if (tx_directory(tx, err) < 0 ||
	    wake_socket_make(&tx->socket, err) != 0)
		return (struct slice){NULL, 0};
	return (struct slice){tx->socket.name, WAKE_SOCKET_NAME_LEN};
}

void
tx_sweep_sockets(struct tx *tx)
{
	if (tx_directory(tx, NULL) >= 0)
		wake_socket_sweep(&tx->socket);
}
