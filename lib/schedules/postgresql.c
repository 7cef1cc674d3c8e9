/* SPDX-License-Identifier: MIT */
/*
 * Schedules in PostgreSQL: statements, arrays, notifications. The connection
 * and its deadlines are in postgresql_conn.c.
 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "schedules/db.h"
#include "schedules/postgresql_conn.h"
#include "util/clock.h"
#include "util/err.h"

/* A row and its identity, and what tells the row that an edit is of. */
#define PARAMETERS_MAX (SQL_N_COLUMNS + 4)
/* The types of numbers, of catalog/pg_type.dat; the client library has no
 * header with them. They never change: stored data of all versions relies on
 * them. */
#define INT8_OID 20
#define INT2_OID 21
#define INT4_OID 23

/* As with MySQL; see there. */
#define POOLED_POLL_MS 1000

struct pg {
	struct db db;
	struct pg_conn conn;
	bool prepared[2][N_QUERIES]; /* [1]: the one for many */
	int64_t changed_ms;	     /* with a pooler: the last change */
	bool warned;		     /* of it */
};

static void
pg_free(struct db *db)
{
	struct pg *pg = (struct pg *)db;

	pg_conn_done(&pg->conn);
	free(pg);
}

static struct db *
pg_open(const char *url, struct err *err)
{
	struct pg *pg = calloc(1, sizeof(*pg));

	if (pg == NULL) {
		err_nomem(err);
		return NULL;
	}
	pg->db.driver = &db_postgresql;
	pg->db.sql = &sql_postgresql;
	if (pg_conn_init(&pg->conn, url, &pg->db.name, err) != 0) {
		pg_free(&pg->db);
		return NULL;
	}
	return &pg->db;
}

/* Statements are prepared in a session, which is new. */
static int
pg_connect(struct db *db, struct err *err)
{
	struct pg *pg = (struct pg *)db;

	memset(pg->prepared, 0, sizeof(pg->prepared));
	if (pg_conn_connect(&pg->conn, db, err) != 0)
		return -1;
	db->poll_ms = pg->conn.pooled ? POOLED_POLL_MS : db_postgresql.poll_ms;
	return 0;
}

static void
pg_disconnect(struct db *db)
{
	pg_conn_close(&((struct pg *)db)->conn);
}

/* A transaction whose first statements failed would be the next one's. */
static void
leave_broken(struct pg *pg)
{
	if (pg->conn.pg != NULL && !pg->db.in_transaction &&
	    PQtransactionStatus(pg->conn.pg) != PQTRANS_IDLE)
		db_disconnect(&pg->db);
}

/* For what has no values. `sql` may hold several statements, as settings do. */
static int
pg_exec(struct db *db, const char *sql, const char *what, struct err *err)
{
	struct pg *pg = (struct pg *)db;
	PGresult *result;

	if (!PQsendQuery(pg->conn.pg, sql))
		return pg_conn_fail(&pg->conn, db, NULL, what, err);
	if ((result = pg_conn_result(&pg->conn, db, what, err)) == NULL) {
		leave_broken(pg);
		return -1;
	}
	PQclear(result);
	return 0;
}

/* --- statements ---------------------------------------------------------- */

/* A '?' becomes "$1", "$2", … No statement has a '?' that means anything else:
 * operators of JSON are not used, nor is there one in a literal. */
static void
number_parameters(const char *sql, struct buf *out)
{
	int n = 0;

	for (; *sql != '\0'; sql++)
		if (*sql == '?')
			buf_addf(out, "$%d", ++n);
		else
			buf_addc(out, *sql);
	buf_addc(out, '\0');
}

/* Prepared when it is first needed: most programs use few of them. */
static int
prepare(struct pg *pg, enum query query, const char *sql, bool many,
	const char *name, struct err *err)
{
	PGresult *result = NULL;

	if (pg->prepared[many][query])
		return 0;
	if (!PQsendPrepare(pg->conn.pg, name, sql, 0, NULL))
		pg_conn_fail(&pg->conn, &pg->db, NULL, query_name(query), err);
	else
		result =
		    pg_conn_result(&pg->conn, &pg->db, query_name(query), err);
	if (result == NULL)
		return -1;
	PQclear(result);
	pg->prepared[many][query] = true;
	return 0;
}

/* Through a pooler nothing is prepared: the session that has it would be
 * another client's next. A statement without a name goes with its values, and
 * leaves nothing. 0, or -1 with *err. */
static int
send_texts(struct pg *pg, enum query query, bool many, const char *sql,
	   const char *const *texts, size_t n, struct err *err)
{
	/* A short name of two digits, of which QUERIES has room for a
	 * hundred. */
	const char name[16] = {many ? 'm' : 's', (char)('0' + query / 10),
			       (char)('0' + query % 10)};
	int sent;

	if (pg->conn.pooled) {
		sent = PQsendQueryParams(pg->conn.pg, sql, (int)n, NULL, texts,
					 NULL, NULL, 0);
	} else {
		if (prepare(pg, query, sql, many, name, err) != 0)
			return -1;
		sent = PQsendQueryPrepared(pg->conn.pg, name, (int)n, texts,
					   NULL, NULL, 0);
	}
	return sent ? 0
		    : pg_conn_fail(&pg->conn, &pg->db, NULL, query_name(query),
				   err);
}

/* `texts` are the parameters; NULL for NULL. */
static PGresult *
run_texts(struct pg *pg, enum query query, bool many, const char *const *texts,
	  size_t n, struct err *err)
{
	struct buf sql = BUF_INIT;
	int sent;

	/* What is prepared is not looked at. */
	if (!pg->prepared[many][query])
		number_parameters(many ? sql_postgresql.many[query]
				       : sql_postgresql.queries[query],
				  &sql);
	sent = sql.failed
		   ? err_nomem(err)
		   : send_texts(pg, query, many, sql.data, texts, n, err);
	buf_done(&sql);
	return sent == 0
		   ? pg_conn_result(&pg->conn, &pg->db, query_name(query), err)
		   : NULL;
}

/* Values come as text, which is the same for all versions of the server. */
static void
take_rows(const PGresult *result, struct db_rows *rows)
{
	int i, j, n = PQntuples(result), columns = PQnfields(result);
	struct slice text;
	Oid type;

	rows->columns = (size_t)columns;
	for (i = 0; i < n; i++)
		for (j = 0; j < columns; j++) {
			type = PQftype(result, j);
			text.p = PQgetvalue(result, i, j);
			text.len = (size_t)PQgetlength(result, i, j);
			if (PQgetisnull(result, i, j))
				db_rows_add(rows, DB_NULL, 0, SLICE(""));
			else if (type == INT8_OID || type == INT2_OID ||
				 type == INT4_OID)
				db_rows_add(rows, DB_INT,
					    strtoll(text.p, NULL, 10),
					    SLICE(""));
			else
				db_rows_add(rows, DB_TEXT, 0, text);
		}
}

/* Numbers go as text, too: the server converts them to what the column is. */
static int
pg_run(struct db *db, enum query query, const struct db_value *values, size_t n,
       struct db_rows *rows, int64_t *changed, struct err *err)
{
	struct pg *pg = (struct pg *)db;
	const char *texts[PARAMETERS_MAX];
	size_t i, at[PARAMETERS_MAX];
	struct buf text = BUF_INIT;
	PGresult *result = NULL;

	/* One block for all: places first, since it moves while it grows. */
	for (i = 0; i < n; i++) {
		at[i] = text.len;
		if (values[i].type == DB_INT)
			buf_addf(&text, "%lld", (long long)values[i].i);
		else if (values[i].type == DB_TEXT)
			buf_add(&text, values[i].s.p, values[i].s.len);
		buf_addc(&text, '\0');
	}
	for (i = 0; i < n && !text.failed; i++)
		texts[i] = values[i].type != DB_NULL ? text.data + at[i] : NULL;
	if (text.failed)
		err_nomem(err);
	else
		result = run_texts(pg, query, false, texts, n, err);
	buf_done(&text);
	if (result == NULL)
		return -1;
	if (rows != NULL)
		take_rows(result, rows);
	if (changed != NULL)
		*changed = strtoll(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	if (rows != NULL && db_rows_seal(rows) != 0)
		return err_nomem(err);
	return 0;
}

/* --- many at a time ------------------------------------------------------ */

/* As array_in() reads it: all in quotes, with a backslash before quotes and
 * backslashes. */
static void
add_quoted(struct buf *out, struct slice s)
{
	const char *end = s.p + s.len, *stop;

	buf_addc(out, '"');
	while (s.p < end) {
		for (stop = s.p; stop < end && *stop != '"' && *stop != '\\';)
			stop++;
		buf_add(out, s.p, (size_t)(stop - s.p));
		if (stop < end) {
			buf_addc(out, '\\');
			buf_addc(out, *stop++);
		}
		s.p = stop;
	}
	buf_addc(out, '"');
}

/* One column of all sets as the text of an array. */
static void
add_array(struct buf *out, const struct db_value *values, size_t n, size_t sets)
{
	size_t i;

	buf_addc(out, '{');
	for (i = 0; i < sets; i++, values += n) {
		if (i > 0)
			buf_addc(out, ',');
		if (values->type == DB_INT)
			buf_addf(out, "%lld", (long long)values->i);
		else if (values->type == DB_TEXT)
			add_quoted(out, values->s);
		else
			buf_adds(out, "NULL");
	}
	buf_adds(out, "}");
	buf_addc(out, '\0');
}

/* One array for each parameter, which unnest() makes rows of: one round trip,
 * and one statement for any number of sets. */
static int
pg_run_many(struct db *db, enum query query, const struct db_value *values,
	    size_t n, size_t sets, int64_t *changed, struct err *err)
{
	struct pg *pg = (struct pg *)db;
	const char *texts[PARAMETERS_MAX];
	size_t i, at[PARAMETERS_MAX];
	struct buf text = BUF_INIT;
	PGresult *result = NULL;

	for (i = 0; i < n; i++) {
		at[i] = text.len;
		add_array(&text, values + i, n, sets);
	}
	for (i = 0; i < n && !text.failed; i++)
		texts[i] = text.data + at[i];
	if (text.failed)
		err_nomem(err);
	else
		result = run_texts(pg, query, true, texts, n, err);
	buf_done(&text);
	if (result == NULL)
		return -1;
	if (changed != NULL)
		*changed = strtoll(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	return 0;
}

/* --- changes ------------------------------------------------------------- */

/* The server delivers it when the transaction commits, and not if that
 * fails. */
static int
pg_notify(struct db *db, struct err *err)
{
	return pg_exec(db, db->sql->queries[Q_NOTIFY], "telling of a change",
		       err);
}

/*
 * LISTEN belongs to a session, so through a pooler nothing is told. Instead it
 * all counts as changed once each POOLED_POLL_MS; those who wait ask then, a
 * little earlier or later. The question costs nothing; what is due next, which
 * is asked after it, costs one small query.
 */
static bool
changed_by_time(struct pg *pg)
{
	const int64_t now_ms = clock_mono_ms();

	if (pg->db.watching && now_ms - pg->changed_ms < POOLED_POLL_MS / 2)
		return false;
	pg->changed_ms = now_ms;
	if (!pg->warned)
		pg->db.log(LOG_LEVEL_notice,
			   "%s: a connection pooler is in between, and "
			   "does not tell of changes: they are looked for "
			   "every %d ms",
			   pg->db.name, POOLED_POLL_MS);
	pg->warned = true;
	return true;
}

/* LISTEN first, then everything is a change: what came before it was not told.
 * What was read with other answers is waiting in the client library. */
static int
pg_changed(struct db *db, bool *ret, struct err *err)
{
	struct pg *pg = (struct pg *)db;
	PGnotify *notify;

	if (pg->conn.pooled) {
		*ret = changed_by_time(pg);
		return 0;
	}
	*ret = !db->watching;
	if (!db->watching &&
	    pg_exec(db, "LISTEN flowrra_schedules", "listening", err) != 0)
		return -1;
	if (!PQconsumeInput(pg->conn.pg))
		return pg_conn_fail(&pg->conn, db, NULL, "listening", err);
	while ((notify = PQnotifies(pg->conn.pg)) != NULL) {
		*ret = true;
		PQfreemem(notify);
	}
	return 0;
}

static int
pg_fd(const struct db *db)
{
	const struct pg_conn *c = &((const struct pg *)db)->conn;

	return c->pooled ? -1 : PQsocket(c->pg);
}

const struct db_driver db_postgresql = {
    .open = pg_open,
    .free = pg_free,
    .connect = pg_connect,
    .disconnect = pg_disconnect,
    .exec = pg_exec,
    .run = pg_run,
    .run_many = pg_run_many,
    .notify = pg_notify,
    .changed = pg_changed,
    .fd = pg_fd,
    .poll_ms = -1,
};
