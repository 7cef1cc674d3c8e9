/* SPDX-License-Identifier: MIT */
/*
 * A connection to PostgreSQL on which nothing waits beyond the deadline of the
 * call, db->deadline_ms. For postgresql*.c, which include libpq-fe.h before.
 */
#ifndef SCHEDULES_POSTGRESQL_CONN_H
#define SCHEDULES_POSTGRESQL_CONN_H

struct db;
struct err;

struct pg_conn {
	char *url;  /* with its password */
	PGconn *pg; /* NULL: not connected */
	/* A pooler is in between: the next transaction may have another
	 * session, and whatever stays in this one, others meet. */
	bool pooled;
	char settings[400];
};

/* Reads the URL; *ret_name is what may be shown of it. */
int pg_conn_init(struct pg_conn *c, const char *url, char **ret_name,
		 struct err *err);
void pg_conn_done(struct pg_conn *c);
int pg_conn_connect(struct pg_conn *c, struct db *db, struct err *err);
void pg_conn_close(struct pg_conn *c);

/* Waits for the result of what was sent; PQclear() it. NULL with *err if it is
 * an error, or does not come in time: then the connection is dropped. */
PGresult *pg_conn_result(struct pg_conn *c, struct db *db, const char *what,
			 struct err *err);
/* In postgresql_fault.c. Sets *err from a result (NULL: from the connection); drops a connection that
 * cannot be used again. Returns -1. */
int pg_conn_fail(struct pg_conn *c, struct db *db, const PGresult *result,
		 const char *what, struct err *err);

#endif
