/* SPDX-License-Identifier: MIT */
/*
 * Private PostgreSQL and MariaDB servers for tests.
 *
 * Each has a directory and a Unix socket of its own, and dies with the process
 * that started it. Tests of one suite may share one, and make
 * databases of their own in it. All functions abort with a message when they
 * cannot do what they promise.
 */
#ifndef TESTS_SQL_SERVER_H
#define TESTS_SQL_SERVER_H

#include <stdbool.h>

enum sql_server_kind { SQL_SERVER_POSTGRESQL, SQL_SERVER_MARIADB };
struct sql_server;

/* Starts one and waits until it answers. */
struct sql_server *sql_server_start(enum sql_server_kind kind);
/* The same, but it also listens at a TCP port of 127.0.0.1, with TLS. */
struct sql_server *sql_server_start_tls(enum sql_server_kind kind);
/* Kills it and removes its directory. NULL is allowed. */
void sql_server_stop(struct sql_server *server);

/* Kills it (SIGKILL), and starts it again. Only for the process that started
 * it. */
void sql_server_kill(struct sql_server *server);
void sql_server_restart(struct sql_server *server);
/* Stops and continues all of its processes. */
void sql_server_pause(struct sql_server *server);
void sql_server_continue(struct sql_server *server);

/* Makes an empty database, and the URL that leads to it (free() it). Its user
 * may do all in it, but is not the server's administrator. */
char *sql_server_database(struct sql_server *server, const char *name);

/*
 * PostgreSQL only: starts a PgBouncer before it, unless there is one, and returns
 * the URL that leads to the database through it (free() it). It pools
 * transactions: two or three sessions serve all clients in turn. Through it
 * the database "statements" pools statements, which is of no use.
 */
char *sql_server_pool(struct sql_server *server, const char *database);

/* The URL that leads there with TLS: certificates are checked as `mode` says
 * (verify-full, …), by the authority server_certificates() calls `ca`; free()
 * it. */
char *sql_server_tls_url(const struct sql_server *server, const char *database,
			 const char *mode, const char *ca);

/*
 * Runs a statement as administrator in a database (NULL: in none). Returns the
 * text of all rows, values with '|' and rows with '\n' between (free() it).
 */
char *sql_server_ask(struct sql_server *server, const char *database,
		     const char *sql);
/* The same for statements without rows. */
void sql_server_run(struct sql_server *server, const char *database,
		    const char *sql);

#endif
