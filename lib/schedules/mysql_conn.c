/* SPDX-License-Identifier: MIT */
/* The connection to MySQL or MariaDB: opening it, and what its errors mean. */
#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

#include "schedules/db.h"
#include "schedules/mysql_conn.h"
#include "schedules/mysql_tls.h"
#include "util/err.h"

/* The first that has SKIP LOCKED. */
#define MARIADB_MIN 100600
#define MYSQL_MIN 80001

/* Errors that not all headers name, as the lists of both servers have them. */
#define ACCESS_DENIED_NO_PASSWORD 1698
#define READ_ONLY_MODE 1836
#define READ_ONLY_TRANSACTION 1792
#define MARIADB_TIMEOUT 1969
#define MYSQL_TIMEOUT 3024
#define SERVER_READ_ONLY_USER 1290

/* What an error means for a scheduler: ERR_UNAVAILABLE is waited out, and it
 * says so; the rest needs a person. A remedy is given where it is known.
 * Numbers that are not here are the server's own mistakes, or ours. */
static const struct {
	unsigned int number;
	enum err_code code;
	const char *remedy;
} faults[] = {
    {ER_ACCESS_DENIED_ERROR, ERR_REFUSED, " (see user and password)"},
    {ACCESS_DENIED_NO_PASSWORD, ERR_REFUSED, " (see user and password)"},
    {ER_HOST_NOT_PRIVILEGED, ERR_REFUSED, " (see the user's host)"},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, ERR_CONFIG, ""},
    {ER_DBACCESS_DENIED_ERROR, ERR_REFUSED, ""},
    {ER_TABLEACCESS_DENIED_ERROR, ERR_REFUSED, ""},
    {ER_BAD_DB_ERROR, ERR_CONFIG, " (create it)"},
    {ER_NO_SUCH_TABLE, ERR_CONFIG,
     " (tables were removed; restart to create them)"},
    {ER_BAD_NULL_ERROR, ERR_DATA, ""},
    {ER_DATA_TOO_LONG, ERR_DATA, ""},
    {ER_WARN_DATA_OUT_OF_RANGE, ERR_DATA, ""},
    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, ERR_DATA, ""},
    {ER_DUP_ENTRY, ERR_DATA, ""},
    {SERVER_READ_ONLY_USER, ERR_UNAVAILABLE,
     " (the server is read-only: a replica, or set so; make it writable)"},
    {READ_ONLY_MODE, ERR_UNAVAILABLE, " (make the server writable)"},
    {READ_ONLY_TRANSACTION, ERR_UNAVAILABLE, " (make the server writable)"},
    {ER_DISK_FULL, ERR_UNAVAILABLE, " (make room on the server's disk)"},
    {ER_RECORD_FILE_FULL, ERR_UNAVAILABLE, " (make room on the server)"},
    {ER_LOCK_WAIT_TIMEOUT, ERR_UNAVAILABLE, ""},
    {ER_LOCK_DEADLOCK, ERR_UNAVAILABLE, ""},
    {ER_CON_COUNT_ERROR, ERR_UNAVAILABLE, ""},
    {ER_SERVER_SHUTDOWN, ERR_UNAVAILABLE, ""},
    {ER_QUERY_INTERRUPTED, ERR_UNAVAILABLE, ""},
    {ER_CONNECTION_KILLED, ERR_UNAVAILABLE, ""},
    {MARIADB_TIMEOUT, ERR_UNAVAILABLE, ""},
    {MYSQL_TIMEOUT, ERR_UNAVAILABLE, ""},
};

/* The client's own errors leave the connection in an unknown state. */
static bool
breaks(unsigned int number)
{
	return (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR) ||
	       number == ER_SERVER_SHUTDOWN || number == ER_CONNECTION_KILLED;
}

/* Before the connection is dropped: `text` may lie in it. */
int
my_conn_fail(struct db *db, unsigned int number, const char *text,
	     const char *what, struct err *err)
{
	enum err_code code = breaks(number) ? ERR_UNAVAILABLE : ERR_INTERNAL;
	const char *remedy = "";
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (faults[i].number == number) {
			code = faults[i].code;
			remedy = faults[i].remedy;
		}
	err_set(err, code, "%s: %s: %s%s", db->name, what, text, remedy);
	db->deadlock = number == ER_LOCK_DEADLOCK;
	if (breaks(number))
		db_disconnect(db);
	return -1;
}

/* --- connecting ---------------------------------------------------------- */

/* The timeouts are whole seconds, and of each read or write, not of a call: the
 * client library knows no other. */
static void
set_options(struct my_conn *c, unsigned int timeout_s)
{
	const my_bool verify = c->url.tls == MY_TLS_VERIFY_FULL;
	const my_bool tls = c->url.tls != MY_TLS_OFF;

	mysql_options(c->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_s);
	mysql_options(c->mysql, MYSQL_OPT_READ_TIMEOUT, &timeout_s);
	mysql_options(c->mysql, MYSQL_OPT_WRITE_TIMEOUT, &timeout_s);
	/* utf8 has three bytes a character to MySQL. */
	mysql_options(c->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (!tls)
		return;
	mysql_ssl_set(c->mysql, c->url.key, c->url.cert, c->url.ca, NULL, NULL);
	mysql_options(c->mysql, MYSQL_OPT_SSL_ENFORCE, &tls);
	mysql_options(c->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	mysql_tls_begin(c->mysql);
}

/* Older ones would fail with a syntax error that says nothing to people. */
static int
check_server(struct my_conn *c, struct db *db, struct err *err)
{
	unsigned long version = mysql_get_server_version(c->mysql);
	const char *info = mysql_get_server_info(c->mysql);
	bool mariadb = strstr(info, "MariaDB") != NULL;

	if (version >= (mariadb ? MARIADB_MIN : MYSQL_MIN))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "%s: the server is %s; schedules need MariaDB 10.6 or "
		       "MySQL 8.0, for SKIP LOCKED",
		       db->name, info);
}

/* A session is not taken over as the server's configuration has it: with lax
 * modes MySQL stores a cut value and warns, which nobody would read. */
static int
set_session(struct db *db, unsigned int timeout_s, struct err *err)
{
	char sql[320];

	/* The rest of the modes would let bad values pass. */
	snprintf(sql, sizeof(sql),
		 "SET SESSION innodb_lock_wait_timeout = %u,"
		 " lock_wait_timeout = %u, autocommit = 1,"
		 " sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
		 timeout_s, timeout_s);
	if (db->driver->exec(db, sql, "connecting", err) != 0)
		return -1;
	/* The default, REPEATABLE READ, locks gaps between rows: two schedulers
	 * would hold each other up. */
	return db->driver->exec(db,
				"SET SESSION TRANSACTION ISOLATION LEVEL"
				" READ COMMITTED",
				"connecting", err);
}

/* The cipher is asked for although the greeting was looked at: that was not
 * done at a Unix socket, and depends on how the library waits. */
static int
check_tls(struct my_conn *c, struct db *db, struct err *err)
{
	if (c->url.tls == MY_TLS_OFF || mysql_get_ssl_cipher(c->mysql) != NULL)
		return 0;
	return mysql_tls_refuse(db->name, err);
}

static int
open_connection(struct my_conn *c, struct db *db, struct err *err)
{
	const struct my_url *url = &c->url;
	const bool open = mysql_real_connect(c->mysql, url->host, url->user,
					     url->password, url->database,
					     url->port, url->socket, 0) != NULL;

	if (mysql_tls_end())
		return mysql_tls_refuse(db->name, err);
	return open ? check_tls(c, db, err)
		    : my_conn_fail(db, mysql_errno(c->mysql),
				   mysql_error(c->mysql), "connecting", err);
}

int
my_conn_connect(struct my_conn *c, struct db *db, struct err *err)
{
	unsigned int timeout_s = (unsigned int)((db->timeout_ms + 999) / 1000);

	if ((c->mysql = mysql_init(NULL)) == NULL)
		return err_nomem(err);
	set_options(c, timeout_s);
	if (open_connection(c, db, err) == 0 && check_server(c, db, err) == 0 &&
	    set_session(db, timeout_s, err) == 0)
		return 0;
	my_conn_close(c);
	return -1;
}

void
my_conn_close(struct my_conn *c)
{
	if (c->mysql != NULL)
		mysql_close(c->mysql);
	c->mysql = NULL;
}

void
my_conn_done(struct my_conn *c)
{
	my_conn_close(c);
	my_url_done(&c->url);
}
