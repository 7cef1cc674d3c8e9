/* SPDX-License-Identifier: MIT */
/*
 * Redis URLs:
 *
 *	redis://[user][:password@]host[:port][/db]
 *	rediss://…           the same over TLS
 *	unix:///path[?db=n]  or unix://[user][:password@]/path[?db=n]
 *
 * Parts may be percent-encoded (RFC 3986), and in a user or password the
 * characters :/?#[]@% and space must be; an IPv6 host stands in brackets. A
 * user needs a password (`user:@` for one that has none). A URL with nothing
 * in the place of user, host and port (redis:///0) means localhost. Query
 * parameters: db=N; for rediss also cafile=, certfile=, keyfile= (paths) and
 * servername= (the name to verify, instead of the host), or what redis-py calls
 * them: ssl_ca_certs=, ssl_certfile=, ssl_keyfile=, and its ssl_cert_reqs=
 * (none, optional, required) and ssl_check_hostname= (true, false).
 */
#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

struct err;

/* What is verified of a server's certificate. */
enum redis_verify {
	REDIS_VERIFY_NAME,   /* who issued it, and the name in it */
	REDIS_VERIFY_ISSUER, /* not the name */
	REDIS_VERIFY_NOTHING /* anybody may be at the other end */
};

struct redis_url {
	bool tls;
	char *path; /* of a Unix socket; else NULL */
	char *host; /* NULL for a Unix socket */
	uint16_t port;
	unsigned int db;
	char *user;					/* or NULL */
	char *password;					/* or NULL */
	char *cafile, *certfile, *keyfile, *servername; /* or NULL */
	enum redis_verify verify;
};

/* Fills *ret, to be emptied by redis_url_done(). Errors are ERR_CONFIG, name
 * the part that is wrong, and never show the password. */
int redis_url_parse(const char *text, struct redis_url *ret, struct err *err);
void redis_url_done(struct redis_url *url);
/* 0, or -1 when memory runs out. */
int redis_url_copy(struct redis_url *ret, const struct redis_url *url);

/* Whether it leads to another machine for certain: by a name, or an address,
 * that is not of this machine alone. */
bool redis_url_is_elsewhere(const char *text);

/* A name for logs and errors, with no user and no password:
 * "redis://host:6379/0". Free it; NULL when memory runs out. */
char *redis_url_name(const struct redis_url *url);

#endif
