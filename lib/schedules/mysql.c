/* SPDX-License-Identifier: MIT */
/*
 * Schedules in MySQL and MariaDB: statements and their rows. The connection is
 * in mysql_conn.c.
 *
 * It cannot tell of a change: a counter is asked for, now and then.
 */
#include <mysql.h>
#include <stdlib.h>
#include <string.h>

#include "schedules/db.h"
#include "schedules/mysql_conn.h"
#include "util/err.h"

/* More than SQL_N_COLUMNS and the identity, and than any row has columns. */
#define VALUES_MAX 48
/* A change is noticed within a second; the question costs a read of one row,
 * which is in the server's memory. */
#define POLL_MS 1000

struct my {
	struct db db;
	struct my_conn conn;
	MYSQL_STMT *statements[N_QUERIES];
	int64_t revision; /* when it was asked for last */
};

static void
my_free(struct db *db)
{
	struct my *my = (struct my *)db;

	my_conn_done(&my->conn);
	free(my);
}

/* The name is made of a URL that was read to its end: `database` is the last
 * part to be set, and tells whether the URL or the memory was at fault. */
static struct db *
my_open(const char *url, struct err *err)
{
	struct my *my = calloc(1, sizeof(*my));

	if (my == NULL) {
		err_nomem(err);
		return NULL;
	}
	my->db.driver = &db_mysql;
	my->db.sql = &sql_mysql;
	if (my_url_parse(url, &my->conn.url, err) == 0)
		my->db.name = my_url_name(&my->conn.url);
	if (my->db.name == NULL) {
		if (my->conn.url.database != NULL)
			err_nomem(err);
		my_free(&my->db);
		return NULL;
	}
	return &my->db;
}

static int
my_connect(struct db *db, struct err *err)
{
	return my_conn_connect(&((struct my *)db)->conn, db, err);
}

/* Statements belong to the session: they are closed first, and prepared again
 * when they are next needed. */
static void
my_disconnect(struct db *db)
{
	struct my *my = (struct my *)db;
	size_t i;

	for (i = 0; i < N_QUERIES; i++) {
		if (my->statements[i] != NULL)
			mysql_stmt_close(my->statements[i]);
		my->statements[i] = NULL;
	}
	my_conn_close(&my->conn);
}

/* For what has no values: transactions, the session, the schema. */
static int
my_exec(struct db *db, const char *sql, const char *what, struct err *err)
{
	struct my *my = (struct my *)db;

	if (mysql_query(my->conn.mysql, sql) != 0)
		return my_conn_fail(db, mysql_errno(my->conn.mysql),
				    mysql_error(my->conn.mysql), what, err);
	return 0;
}

/* --- statements ---------------------------------------------------------- */

static int
fail(struct my *my, enum query query, struct err *err)
{
	MYSQL_STMT *stmt = my->statements[query];

	return my_conn_fail(&my->db, mysql_stmt_errno(stmt),
			    mysql_stmt_error(stmt), query_name(query), err);
}

/* Prepared when it is first needed: most programs use few of them. */
static int
prepare(struct my *my, enum query query, struct err *err)
{
	const char *sql = sql_mysql.queries[query];
	const my_bool yes = 1;
	MYSQL_STMT *stmt;

	if (my->statements[query] != NULL)
		return 0;
	if ((stmt = mysql_stmt_init(my->conn.mysql)) == NULL)
		return err_nomem(err);
	/* What the longest value of a column needs. */
	mysql_stmt_attr_set(stmt, STMT_ATTR_UPDATE_MAX_LENGTH, &yes);
	my->statements[query] = stmt;
	if (mysql_stmt_prepare(stmt, sql, strlen(sql)) == 0)
		return 0;
	fail(my, query, err);
	/* fail() may have dropped the connection, and the statements with
	 * it. */
	if (my->statements[query] != NULL)
		mysql_stmt_close(my->statements[query]);
	my->statements[query] = NULL;
	return -1;
}

/* Values are bound and not written into the text: none of them can change what
 * the statement does. */
static int
execute(struct my *my, enum query query, const struct db_value *values,
	size_t n, struct err *err)
{
	MYSQL_BIND binds[VALUES_MAX];
	MYSQL_STMT *stmt;
	size_t i;

	if (prepare(my, query, err) != 0)
		return -1;
	stmt = my->statements[query];
	memset(binds, 0, sizeof(binds));
	for (i = 0; i < n; i++) {
		/* The client library does not write to parameters. */
		if (values[i].type == DB_INT) {
			binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
			binds[i].buffer = (void *)(uintptr_t)&values[i].i;
		} else if (values[i].type == DB_TEXT) {
			binds[i].buffer_type = MYSQL_TYPE_STRING;
			binds[i].buffer = (void *)(uintptr_t)values[i].s.p;
			binds[i].buffer_length = values[i].s.len;
		} else {
			binds[i].buffer_type = MYSQL_TYPE_NULL;
		}
	}
	if ((n > 0 && mysql_stmt_bind_param(stmt, binds)) ||
	    mysql_stmt_execute(stmt) != 0)
		return fail(my, query, err);
	return 0;
}

/* count() and the like are decimals to MySQL unless they are cast; those would
 * come as texts. */
static bool
is_number(enum enum_field_types type)
{
	return type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_LONG ||
	       type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_TINY ||
	       type == MYSQL_TYPE_INT24;
}

/* One value of a row on its way. */
struct cell {
	int64_t number;
	unsigned long length;
	my_bool null;
	bool is_number;
};

/* Without memory the rows know it, and db_rows_seal() says so. */
static void
add_row(const MYSQL_BIND *binds, const struct cell *cells, size_t n,
	struct db_rows *rows)
{
	struct slice text;
	size_t i;

	for (i = 0; i < n; i++) {
		text = (struct slice){binds[i].buffer, cells[i].length};
		if (cells[i].null)
			db_rows_add(rows, DB_NULL, 0, SLICE(""));
		else if (cells[i].is_number)
			db_rows_add(rows, DB_INT, cells[i].number, SLICE(""));
		else
			db_rows_add(rows, DB_TEXT, 0, text);
	}
}

/* Where the values of a row go; texts into one block, that *ret_block is. */
static int
bind_row(const MYSQL_RES *meta, MYSQL_BIND *binds, struct cell *cells, size_t n,
	 char **ret_block)
{
	MYSQL_FIELD *fields = mysql_fetch_fields((MYSQL_RES *)(uintptr_t)meta);
	size_t i, size = 1;
	char *block;

	for (i = 0; i < n; i++)
		size += fields[i].max_length + 1;
	if ((block = malloc(size)) == NULL)
		return -1;
	*ret_block = block;
	for (i = 0; i < n; i++) {
		cells[i].is_number = is_number(fields[i].type);
		binds[i].buffer_type = cells[i].is_number ? MYSQL_TYPE_LONGLONG
							  : MYSQL_TYPE_STRING;
		binds[i].buffer =
		    cells[i].is_number ? (void *)&cells[i].number : block;
		binds[i].buffer_length = fields[i].max_length + 1;
		binds[i].length = &cells[i].length;
		binds[i].is_null = &cells[i].null;
		block += fields[i].max_length + 1;
	}
	return 0;
}

/* All rows are fetched before any is read, so that the longest value of each
 * column is known and no value is cut. */
static int
take_rows(struct my *my, enum query query, struct db_rows *rows,
	  struct err *err)
{
	MYSQL_STMT *stmt = my->statements[query];
	MYSQL_BIND binds[VALUES_MAX];
	struct cell cells[VALUES_MAX];
	MYSQL_RES *meta = NULL;
	char *block = NULL;
	int status = 0, result = -1;

	memset(binds, 0, sizeof(binds));
	memset(cells, 0, sizeof(cells));
	if (mysql_stmt_store_result(stmt) != 0 ||
	    (meta = mysql_stmt_result_metadata(stmt)) == NULL) {
		fail(my, query, err);
		goto out;
	}
	rows->columns = mysql_num_fields(meta);
	if (bind_row(meta, binds, cells, rows->columns, &block) != 0) {
		err_nomem(err);
		goto out;
	}
	if (mysql_stmt_bind_result(stmt, binds) == 0)
		while ((status = mysql_stmt_fetch(stmt)) == 0)
			add_row(binds, cells, rows->columns, rows);
	if (status != MYSQL_NO_DATA)
		fail(my, query, err);
	else if ((result = db_rows_seal(rows)) != 0)
		err_nomem(err);
out:
	free(block);
	if (meta != NULL)
		mysql_free_result(meta);
	return result;
}

/* The statement is there no more if a failure has dropped the connection. */
static int
my_run(struct db *db, enum query query, const struct db_value *values, size_t n,
       struct db_rows *rows, int64_t *changed, struct err *err)
{
	struct my *my = (struct my *)db;
	int result = 0;

	if (execute(my, query, values, n, err) != 0)
		return -1;
	if (changed != NULL)
		*changed =
		    (int64_t)mysql_stmt_affected_rows(my->statements[query]);
	if (rows != NULL)
		result = take_rows(my, query, rows, err);
	if (my->statements[query] != NULL)
		mysql_stmt_free_result(my->statements[query]);
	return result;
}

/* One by one: a statement of many rows would have to be prepared for each
 * number of them. All are in one transaction. */
static int
my_run_many(struct db *db, enum query query, const struct db_value *values,
	    size_t n, size_t sets, int64_t *changed, struct err *err)
{
	int64_t one, sum = 0;
	size_t i;

	for (i = 0; i < sets; i++) {
		if (my_run(db, query, values + i * n, n, NULL, &one, err) != 0)
			return -1;
		sum += one;
	}
	if (changed != NULL)
		*changed = sum;
	return 0;
}

/* --- changes ------------------------------------------------------------- */

/* In the transaction of the change: the counter moves when the change can be
 * seen. Its row is the one thing that all changes of schedules lock; claims
 * leave it alone. */
static int
my_notify(struct db *db, struct err *err)
{
	return my_run(db, Q_NOTIFY, NULL, 0, NULL, NULL, err);
}

/* True on the first question after connecting: what was before is unknown. */
static int
my_changed(struct db *db, bool *ret, struct err *err)
{
	struct my *my = (struct my *)db;
	struct db_rows rows = DB_ROWS_INIT;
	int64_t revision;

	if (my_run(db, Q_REVISION, NULL, 0, &rows, NULL, err) != 0) {
		db_rows_done(&rows);
		return -1;
	}
	revision = rows.n > 0 ? db_int(&rows, 0, 0) : 0;
	*ret = !db->watching || revision != my->revision;
	my->revision = revision;
	db_rows_done(&rows);
	return 0;
}

static int
my_fd(const struct db *db)
{
	return -1;
}

const struct db_driver db_mysql = {
    .open = my_open,
    .free = my_free,
    .connect = my_connect,
    .disconnect = my_disconnect,
    .exec = my_exec,
    .run = my_run,
    .run_many = my_run_many,
    .notify = my_notify,
    .changed = my_changed,
    .fd = my_fd,
    .poll_ms = POLL_MS,
};
