/* SPDX-License-Identifier: MIT */
/* What all drivers share: rows, deadlines, transactions. */
#include "schedules/db.h"

#include <stdlib.h>
#include <string.h>

#include "schedules/schema.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/sat.h"

/* What a message says was tried. */
const char *
query_name(enum query query)
{
	static const char *const names[] = {
#define X(name, parameters) [Q_##name] = "query " #name,
	    QUERIES(X)
#undef X
	};

	return names[query];
}

/* --- rows ---------------------------------------------------------------- */

/* Also right for rows that were never filled, and twice. */
void
db_rows_done(struct db_rows *rows)
{
	free(rows->values);
	buf_done(&rows->bytes);
	*rows = (struct db_rows)DB_ROWS_INIT;
}

const struct db_value *
db_value(const struct db_rows *rows, size_t row, size_t column)
{
	return &rows->values[row * rows->columns + column];
}

int64_t
db_int(const struct db_rows *rows, size_t row, size_t column)
{
	const struct db_value *v = db_value(rows, row, column);

	return v->type == DB_INT ? v->i : 0;
}

int64_t
db_us(const struct db_rows *rows, size_t row, size_t column)
{
	return sat_clamp(db_int(rows, row, column), 0, DB_US_MAX);
}

struct slice
db_text(const struct db_rows *rows, size_t row, size_t column)
{
	const struct db_value *v = db_value(rows, row, column);

	return v->type == DB_TEXT ? v->s : SLICE("");
}

/* While rows are added, `i` of a text is its place in `bytes`, which moves. */
void
db_rows_add(struct db_rows *rows, enum db_type type, int64_t i, struct slice s)
{
	struct db_value *grown;
	size_t cap;

	if (rows->n == rows->cap) {
		/* One row of schedules has some 40 values: a small answer fits
		 * at once. */
		cap = rows->cap == 0 ? 64 : rows->cap * 2;
		grown = reallocarray(rows->values, cap, sizeof(*grown));
		if (grown == NULL) {
			rows->bytes.failed = true;
			return;
		}
		rows->values = grown;
		rows->cap = cap;
	}
	if (type == DB_TEXT) {
		i = (int64_t)rows->bytes.len;
		buf_add(&rows->bytes, s.p, s.len);
		buf_addc(&rows->bytes, '\0');
	}
	rows->values[rows->n++] =
	    (struct db_value){.type = type, .i = i, .s.len = s.len};
}

/* `n` counts values until now, and rows from now on. */
int
db_rows_seal(struct db_rows *rows)
{
	size_t i;

	if (rows->bytes.failed)
		return -1;
	for (i = 0; i < rows->n; i++)
		if (rows->values[i].type == DB_TEXT)
			rows->values[i].s.p =
			    rows->bytes.data + rows->values[i].i;
	rows->n = rows->columns > 0 ? rows->n / rows->columns : 0;
	return 0;
}

/* --- connections --------------------------------------------------------- */

void
db_free(struct db *db)
{
	if (db == NULL)
		return;
	db_disconnect(db);
	free(db->name);
	db->driver->free(db);
}

int64_t
db_left_ms(const struct db *db)
{
	/* Never 0, which is "no limit" to some of those who are given it. */
	int64_t left = db->deadline_ms - clock_mono_ms();

	return left > 1 ? left : 1;
}

void
db_disconnect(struct db *db)
{
	db->driver->disconnect(db);
	db->connected = false;
	/* Those who watched must ask everything again: changes may be
	 * missed. */
	db->watching = false;
	db->in_transaction = false;
}

/* Each call begins here: its deadline is set, and a connection that broke in
 * the call before is made again. So a caller that tries again needs to know
 * nothing of connections. */
int
db_enter(struct db *db, struct err *err)
{
	db->deadline_ms = clock_mono_ms() + db->timeout_ms;
	if (!db->connected) {
		/* It may be another server now, or another database. */
		db->prepared = false;
		if (db->driver->connect(db, err) != 0)
			return -1;
		db->connected = true;
		db->connections++;
	}
	if (db->prepared)
		return 0;
	/* Once a connection: the schema does not change under a program that
	 * runs, except to a newer version, which keeps what older ones use, or
	 * takes from them what they must not use any more (version 8). */
	if (schema_update(db, db->sql, err) != 0) {
		db_disconnect(db);
		return -1;
	}
	db->prepared = true;
	return 0;
}

/* --- transactions -------------------------------------------------------- */

/* The flag says whether there is something to commit: a call that broke the
 * connection has ended the transaction, too. */
int
db_begin(struct db *db, struct err *err)
{
	if (db->driver->exec(db, db->begin, "cannot begin a transaction",
			     err) != 0)
		return -1;
	db->in_transaction = true;
	db->deadlock = false;
	return 0;
}

int
db_end(struct db *db, int result, struct err *err)
{
	bool open = db->in_transaction;

	db->in_transaction = false;
	if (result == 0 && open)
		result = db->driver->exec(db, "COMMIT", "committing", err);
	/* If the ROLLBACK fails as well, the connection is dropped, and the
	 * server rolls back by itself. So it is when the answer of a COMMIT was
	 * lost: nobody knows then whether it was carried out. */
	if (result != 0 && db->connected &&
	    db->driver->exec(db, "ROLLBACK", "rolling back", NULL) != 0)
		db_disconnect(db);
	return result;
}
