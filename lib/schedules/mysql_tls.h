/* SPDX-License-Identifier: MIT */
/*
 * TLS that is demanded of a MySQL server: the client library asks for it, but
 * goes on without it if the server does not offer it. For mysql*.c, which
 * include mysql.h before.
 */
#ifndef SCHEDULES_MYSQL_TLS_H
#define SCHEDULES_MYSQL_TLS_H

#include <stdbool.h>

struct err;

/*
 * Between the two, a connection of this thread to a server that does not offer
 * TLS is broken before anything is sent. mysql_tls_end() tells whether that
 * happened.
 */
void mysql_tls_begin(MYSQL *mysql);
bool mysql_tls_end(void);

/* Refuses a connection without TLS: ERR_UNAVAILABLE with `name`, the server. */
int mysql_tls_refuse(const char *name, struct err *err);

#endif
