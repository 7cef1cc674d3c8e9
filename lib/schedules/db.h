/* SPDX-License-Identifier: MIT */
/*
 * A connection to an SQL database, as lib/schedules sees it: statements,
 * transactions, deadlines. The drivers (sqlite.c, postgresql.c, mysql.c) fill
 * in the operations; each has its own words for some statements (sql.h).
 *
 * A connection is made when it is needed. Where a call fails because of the
 * connection, the driver drops it.
 */
#ifndef SCHEDULES_DB_H
#define SCHEDULES_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schedules/sql.h"
#include "util/buf.h"
#include "util/log.h"

struct db;
struct err;

enum db_type { DB_NULL, DB_INT, DB_TEXT };

/* A parameter, or a value of a row. */
struct db_value {
	enum db_type type;
	int64_t i;
	struct slice s;
};

#define DB_I(number) ((struct db_value){.type = DB_INT, .i = (number)})
#define DB_S(string) ((struct db_value){.type = DB_TEXT, .s = slice_of(string)})
/* NULL for 0. */
#define DB_O(number)                                                           \
	((struct db_value){.type = (number) != 0 ? DB_INT : DB_NULL,           \
			   .i = (number)})

/* The rows that a statement returned; its own memory. */
struct db_rows {
	size_t n, columns;
	struct db_value *values; /* n * columns */
	struct buf bytes;
	size_t cap; /* of values */
};
#define DB_ROWS_INIT                                                           \
	{                                                                      \
		.n = 0                                                         \
	}
void db_rows_done(struct db_rows *rows);
const struct db_value *db_value(const struct db_rows *rows, size_t row,
				size_t column);
/* Where nothing is stored, or no number: 0, the empty slice. */
int64_t db_int(const struct db_rows *rows, size_t row, size_t column);
/* The same for a time or a span, in microseconds, to calculate with: what cannot be
 * one (negative, or beyond the year 9999) is the nearest that can. */
#define DB_US_MAX INT64_C(253402300799999999)
int64_t db_us(const struct db_rows *rows, size_t row, size_t column);
struct slice db_text(const struct db_rows *rows, size_t row, size_t column);
/* For drivers: appends a value; texts are copied. The row is complete with its
 * last column. db_rows_seal() follows the last one; -1: out of memory. */
void db_rows_add(struct db_rows *rows, enum db_type type, int64_t i,
		 struct slice s);
int db_rows_seal(struct db_rows *rows);

struct db_driver {
	/* Reads the URL; connects to nothing. */
	struct db *(*open)(const char *url, struct err *err);
	void (*free)(struct db *db);
	/* Within db->deadline_ms; does not look at the schema. */
	int (*connect)(struct db *db, struct err *err);
	void (*disconnect)(struct db *db);
	/* A statement without parameters and rows; `what` is for messages. */
	int (*exec)(struct db *db, const char *sql, const char *what,
		    struct err *err);
	/* A prepared statement. `rows` may be NULL. *changed (may be NULL): how
	 * many rows were. */
	int (*run)(struct db *db, enum query query,
		   const struct db_value *values, size_t n,
		   struct db_rows *rows, int64_t *changed, struct err *err);
	/* The same for `sets` sets of `n` values; *changed is the sum. */
	int (*run_many)(struct db *db, enum query query,
			const struct db_value *values, size_t n, size_t sets,
			int64_t *changed, struct err *err);
	/* In the transaction of a change: tells those who watch. */
	int (*notify)(struct db *db, struct err *err);
	/* Begins to watch, or goes on; *ret: something changed. */
	int (*changed)(struct db *db, bool *ret, struct err *err);
	int (*fd)(const struct db *db);
	int poll_ms; /* or -1 */
};

/* The last two are in shared objects of their own; see driver.c. */
extern const struct db_driver db_sqlite, db_postgresql, db_mysql;

/* The first member of every driver's own struct. */
struct db {
	const struct db_driver *driver;
	const struct dialect *sql;
	char *name;	   /* without secrets */
	const char *begin; /* a transaction that writes, on this connection */
	int poll_ms;	   /* as the driver's; a connection may set it */
	/* log_line() of the program: a driver has a log of its own, to which
	 * nobody has told the level. */
	void (*log)(enum log_level level, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
	int64_t timeout_ms;
	int64_t deadline_ms; /* of the call under way; monotonic */
	bool reads;	     /* makes no file; see schedules_options */
	bool connected;
	bool prepared; /* the schema was looked at */
	bool watching;
	bool in_transaction;
	/* The server has given up the transaction for another one's sake: the
	 * same again may be carried out. */
	bool deadlock;
	unsigned int connections; /* made until now */
};

struct db *db_open(const char *url, int64_t timeout_ms, struct err *err);
void db_free(struct db *db);
/* Milliseconds left, at least 1. */
int64_t db_left_ms(const struct db *db);

/*
 * Begins a call: sets its deadline, connects and sees to the schema where that
 * is to be done.
 */
int db_enter(struct db *db, struct err *err);
void db_disconnect(struct db *db);

/* A transaction; db_end() commits if `result` is 0, else rolls back, and
 * returns -1 unless it has committed. */
int db_begin(struct db *db, struct err *err);
int db_end(struct db *db, int result, struct err *err);

/* Counts the members of an array of values. */
#define DB_RUN(db, query, values, rows, changed, err)                          \
	(db)->driver->run((db), (query), (values),                             \
			  sizeof(values) / sizeof((values)[0]), (rows),        \
			  (changed), (err))

#endif
