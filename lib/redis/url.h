/* SPDX-License-Identifier: MIT */
/*
 * Redis URLs:
 *
 *	redis://[user][:password@]host[:port][/db]
 *	rediss://…           the same over TLS
 *	unix:///path[?db=n]  or unix://[user][:password@]/path[?db=n]
 *	redis://h1[:port],h2[:port],…[/db]
 *	                     several, of which one is the master
 *	redis+sentinel://[user][:password@]h1[:port],h2[:port],…/NAME[/db]
 *	                     the hosts are Sentinels (port 26379), which know
 *	                     where the master NAME is
 *	rediss+sentinel://…  the same over TLS, to the Sentinels too
 *	redis+cluster://[user][:password@]h1[:port],h2[:port],…
 *	                     the hosts are nodes of a Redis Cluster, which know
 *	                     the others
 *	rediss+cluster://…   the same over TLS
 *
 * Parts may be percent-encoded (RFC 3986), and in a user or password the
 * characters :/?#[]@% and space must be; an IPv6 host stands in brackets. A
 * user needs a password (`user:@` for one that has none). A URL with nothing
 * in the place of user, host and port (redis:///0) means localhost. Query
 * parameters: db=N; for rediss also cafile=, certfile=, keyfile= (paths) and
 * servername= (the name to verify, instead of the host), or what redis-py calls
 * them: ssl_ca_certs=, ssl_certfile=, ssl_keyfile=, and its ssl_cert_reqs=
 * (none, optional, required) and ssl_check_hostname= (true, false). User and
 * password are the server's; Sentinels have their own, in sentinel_user= and
 * sentinel_password=.
 */
#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* What is verified of a server's certificate. */
enum redis_verify {
	REDIS_VERIFY_NAME,   /* who issued it, and the name in it */
	REDIS_VERIFY_ISSUER, /* not the name */
	REDIS_VERIFY_NOTHING /* anybody may be at the other end */
};

#define REDIS_PORT 6379		  /* IANA's, and everybody's */
#define REDIS_SENTINEL_PORT 26379 /* Redis' own, with its manual's */
#define REDIS_HOSTS_MAX 32	  /* more than that is a mistake */

struct redis_host {
	char *host;
	uint16_t port;
};

struct redis_url {
	bool tls;
	char *path; /* of a Unix socket; else NULL */
	char *host; /* the first one; NULL for a Unix socket */
	uint16_t port;
	struct redis_host *hosts; /* all of them; none: localhost */
	size_t n_hosts;
	char *master; /* the hosts are Sentinels of that one; or NULL */
	bool cluster; /* the hosts are nodes of a Redis Cluster */
	char *sentinel_user, *sentinel_password; /* or NULL */
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

/* Whether its server has to be looked for: several may be it. */
bool redis_url_is_group(const struct redis_url *url);
/* Whether the server is looked for in the same places in the same way. */
bool redis_url_same_group(const struct redis_url *a, const struct redis_url *b);

/* A name by RFC 952 and 1123, with '_', which container networks use; an address
 * of IPv4, too. */
bool redis_is_host_name(const char *s);
bool redis_is_ipv6(const char *s);

/* Whether it leads to another machine for certain: by a name, or an address,
 * that is not of this machine alone. */
bool redis_url_is_elsewhere(const char *text);

/* Whether it is of a Redis Cluster. */
bool redis_url_is_cluster(const char *text);

/* A name for logs and errors, with no user and no password:
 * "redis://host:6379/0". Free it; NULL when memory runs out. It is a URL. */
char *redis_url_name(const struct redis_url *url);

#endif
