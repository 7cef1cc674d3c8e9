/* SPDX-License-Identifier: MIT */
/*
 * URLs of MySQL and MariaDB:
 *
 *	mysql://[user[:password]@]host[:port]/database[?parameter=value&…]
 *
 * Parts may be percent-encoded; an IPv6 host stands in brackets. Parameters:
 * socket (a path; the host may be missing then), sslmode (disable, require,
 * verify-ca, verify-full), sslrootcert, sslcert, sslkey (paths).
 */
#ifndef SCHEDULES_MYSQL_URL_H
#define SCHEDULES_MYSQL_URL_H

struct err;

enum my_tls { MY_TLS_OFF, MY_TLS_ON, MY_TLS_VERIFY_CA, MY_TLS_VERIFY_FULL };

struct my_url {
	char *user, *password; /* or NULL */
	char *host;	       /* or NULL */
	unsigned int port;     /* 0: the usual */
	char *database;
	char *socket;	       /* or NULL */
	char *ca, *cert, *key; /* or NULL */
	enum my_tls tls;
};

/* Fills *ret, which is all 0 before; also on failure it wants my_url_done().
 * Errors are ERR_CONFIG and quote nothing of the URL. */
int my_url_parse(const char *text, struct my_url *ret, struct err *err);
void my_url_done(struct my_url *url);
/* For messages: no user, no password. NULL: out of memory. */
char *my_url_name(const struct my_url *url);

#endif
