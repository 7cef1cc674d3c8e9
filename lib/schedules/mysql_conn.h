/* SPDX-License-Identifier: MIT */
/* A connection to MySQL or MariaDB. For mysql*.c, which include mysql.h before.
 */
#ifndef SCHEDULES_MYSQL_CONN_H
#define SCHEDULES_MYSQL_CONN_H

#include "schedules/mysql_url.h"

struct db;
struct err;

struct my_conn {
	struct my_url url;
	MYSQL *mysql; /* NULL: not connected */
};

/* Each answer, and each try to connect, has to come within the time that is
 * left of the call, in whole seconds. */
int my_conn_connect(struct my_conn *c, struct db *db, struct err *err);
void my_conn_close(struct my_conn *c);
void my_conn_done(struct my_conn *c);

/* Sets *err from an error; drops a connection that cannot be used again.
 * Returns -1. */
int my_conn_fail(struct db *db, unsigned int number, const char *text,
		 const char *what, struct err *err);

#endif
