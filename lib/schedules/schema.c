/* SPDX-License-Identifier: MIT */
/*
 * Brings the schema up to date. Programs of several versions may be started at
 * the same time on an empty or an old database: one of them migrates, the
 * others wait for its lock and then find nothing to do.
 */
#include "schedules/schema.h"

#include <string.h>

#include "schedules/db.h"
#include "util/err.h"

/* The one number of an answer; 0 if it is empty. */
static int
ask_schema(struct db *db, enum query query, int64_t *ret, struct err *err)
{
	struct db_rows rows = DB_ROWS_INIT;
	int result = db->driver->run(db, query, NULL, 0, &rows, NULL, err);

	if (result == 0)
		*ret = rows.n > 0 ? db_int(&rows, 0, 0) : 0;
	db_rows_done(&rows);
	return result;
}

/* 1: there is something to do. */
static int
check_schema_version(struct db *db, const struct dialect *sql,
		     int64_t *ret_version, struct err *err)
{
	int64_t there, version = 0;

	if (ask_schema(db, Q_HAS_VERSION, &there, err) != 0 ||
	    (there > 0 && ask_schema(db, Q_VERSION, &version, err) != 0))
		return -1;
	/* An older program would not fill the columns that newer ones rely
	 * on. */
	if (version > (int64_t)sql->n_migrations)
		return err_set(
		    err, ERR_CONFIG,
		    "%s: the schedules have schema version %lld, but this "
		    "program supports version %zu; upgrade the program",
		    db->name, (long long)version, sql->n_migrations);
	*ret_version = version;
	return version < (int64_t)sql->n_migrations;
}

/* Versions one after the other. In one transaction where the database has that
 * for tables; MySQL has not, and goes on behind the last version that it has
 * noted. */
static int
migrate_from(struct db *db, const struct dialect *sql, int64_t version,
	     struct err *err)
{
	const char *const *statement;
	struct db_value done[1];

	if (db->driver->exec(db, sql->make_version, "cannot create the schema",
			     err) != 0)
		return -1;
	for (; version < (int64_t)sql->n_migrations; version++) {
		for (statement = sql->migrations[version]; *statement != NULL;
		     statement++)
			if (db->driver->exec(db, *statement,
					     "cannot create the schema",
					     err) != 0)
				return -1;
		done[0] = DB_I(version + 1);
		if (DB_RUN(db, Q_SET_VERSION, done, NULL, NULL, err) != 0)
			return -1;
	}
	return 0;
}

/* With the lock: somebody else may have done it meanwhile. */
static int
update(struct db *db, const struct dialect *sql, struct err *err)
{
	int64_t version = 0, locked = 1;
	int result;

	if (sql->queries[Q_LOCK_SCHEMA] != NULL &&
	    ask_schema(db, Q_LOCK_SCHEMA, &locked, err) != 0)
		return -1;
	/* The lock of MySQL is a question with an answer. */
	if (sql->queries[Q_UNLOCK_SCHEMA] != NULL && locked != 1)
		return err_set(err, ERR_UNAVAILABLE,
			       "%s: another process is changing the schema",
			       db->name);
	if ((result = check_schema_version(db, sql, &version, err)) == 1)
		result = migrate_from(db, sql, version, err);
	if (sql->queries[Q_UNLOCK_SCHEMA] != NULL && db->connected)
		ask_schema(db, Q_UNLOCK_SCHEMA, &locked, NULL);
	return result;
}

/* The statement that notes a version has one parameter. */
static void
print_version(const struct dialect *sql, size_t version, FILE *out)
{
	const char *text = sql->queries[Q_SET_VERSION];
	const size_t before = strcspn(text, "?");

	fprintf(out, "%.*s%zu%s;\n", (int)before, text, version,
		text + before + 1);
}

/* A transaction where the database has that for tables; see update(). */
void
schema_print(const struct dialect *sql, FILE *out)
{
	const bool whole = sql->queries[Q_UNLOCK_SCHEMA] == NULL;
	const char *const *statement;
	size_t i;

	if (whole)
		fprintf(out, "%s;\n", sql->begin);
	fprintf(out, "%s;\n", sql->make_version);
	for (i = 0; i < sql->n_migrations; i++) {
		for (statement = sql->migrations[i]; *statement != NULL;
		     statement++)
			fprintf(out, "%s;\n", *statement);
		print_version(sql, i + 1, out);
	}
	if (whole)
		fprintf(out, "COMMIT;\n");
}

/* The usual case first, without a lock: nothing to do. SQLite locks with the
 * transaction itself, PostgreSQL until it ends, MySQL by a name. */
int
schema_update(struct db *db, const struct dialect *sql, struct err *err)
{
	int64_t version;
	int result = check_schema_version(db, sql, &version, err);

	if (result != 1)
		return result;
	if (db_begin(db, err) != 0)
		return -1;
	return db_end(db, update(db, sql, err), err);
}
