/* SPDX-License-Identifier: MIT */
/*
 * Reads URLs of MySQL. Any piece of a badly written one may be a piece of a
 * password, so no message quotes anything.
 */
#include "schedules/mysql_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

static int
bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CONFIG, "[scheduler] database_url: %s", what);
}

/* The value of a hexadecimal digit, or -1. Setting bit 5 makes a letter
 * small. */
static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A decoded copy of a part. `*ret` is replaced: the last one of two parameters
 * counts. A NUL could hide the rest of a text. */
static int
decode(const char *p, size_t len, char **ret, struct err *err)
{
	const char *end = p + len;
	char *out = malloc(len + 1), *o = out;

	if (out == NULL)
		return err_nomem(err);
	for (; p < end; p++)
		if (*p != '%') {
			*o++ = *p;
		} else if (end - p < 3 || hex(p[1]) < 0 || hex(p[2]) < 0 ||
			   (p[1] == '0' && p[2] == '0')) {
			free(out);
			return bad(err,
				   "write a '%' as %25; %00 is not allowed");
		} else {
			*o++ = (char)(hex(p[1]) * 16 + hex(p[2]));
			p += 2;
		}
	*o = '\0';
	free(*ret);
	*ret = out;
	return 0;
}

/* Split before they are decoded, so that a password may have a colon. */
static int
parse_user(const char *p, const char *end, struct my_url *url, struct err *err)
{
	const char *colon = memchr(p, ':', (size_t)(end - p));

	if (colon != NULL && decode(colon + 1, (size_t)(end - colon - 1),
				    &url->password, err) != 0)
		return -1;
	return decode(p, (size_t)((colon != NULL ? colon : end) - p),
		      &url->user, err);
}

/* [::1]:3306, host:3306, or nothing with a socket. */
static int
parse_host(const char *p, const char *end, struct my_url *url, struct err *err)
{
	const char *stop, *colon;
	char *rest;
	unsigned long port;

	if (*p == '[') {
		p++;
		stop = p + strcspn(p, "]/");
		if (*stop != ']')
			return bad(err, "the host has a '[' but lacks a ']'");
		colon = stop + 1 < end ? stop + 1 : NULL;
		if (colon != NULL && *colon != ':')
			return bad(err, "only a port may follow the ']'");
	} else {
		stop = p + strcspn(p, ":/");
		colon = stop < end ? stop : NULL;
	}
	if (colon != NULL) {
		port = strtoul(colon + 1, &rest, 10);
		if (rest != end || rest == colon + 1 || port < 1 ||
		    port > 65535)
			return bad(err, "the port must be a number from 1 to "
					"65535");
		url->port = (unsigned int)port;
	}
	return stop > p ? decode(p, (size_t)(stop - p), &url->host, err) : 0;
}

/* libpq's words, so that a URL means the same with both servers. "prefer" is
 * missing on purpose: it protects from nobody. */
static int
parse_tls(const char *mode, struct my_url *url, struct err *err)
{
	static const char *const modes[] = {
	    [MY_TLS_OFF] = "disable",
	    [MY_TLS_ON] = "require",
	    [MY_TLS_VERIFY_CA] = "verify-ca",
	    [MY_TLS_VERIFY_FULL] = "verify-full",
	};
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(mode, modes[i]) == 0) {
			url->tls = (enum my_tls)i;
			return 0;
		}
	return bad(
	    err, "sslmode must be disable, require, verify-ca or verify-full");
}

/* Unknown parameters are refused: a misspelt sslmode must not mean "no TLS". */
static int
parse_parameter(const char *p, size_t len, struct my_url *url, struct err *err)
{
	const struct {
		const char *name;
		char **value;
	} known[] = {
	    {"socket", &url->socket},
	    {"sslrootcert", &url->ca},
	    {"sslcert", &url->cert},
	    {"sslkey", &url->key},
	};
	const char *equals = memchr(p, '=', len);
	size_t i, name_len = equals != NULL ? (size_t)(equals - p) : len;
	char *mode = NULL;
	int result;

	if (equals == NULL)
		return bad(err, "a parameter lacks '='");
	len -= name_len + 1;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == name_len &&
		    memcmp(known[i].name, p, name_len) == 0)
			return decode(equals + 1, len, known[i].value, err);
	if (name_len != 7 || memcmp(p, "sslmode", 7) != 0)
		return bad(err, "unknown parameter; known: socket, sslmode, "
				"sslrootcert, sslcert, sslkey");
	if (decode(equals + 1, len, &mode, err) != 0)
		return -1;
	result = parse_tls(mode, url, err);
	free(mode);
	return result;
}

static int
parse_parameters(const char *p, struct my_url *url, struct err *err)
{
	size_t len;

	for (;;) {
		len = strcspn(p, "&");
		if (parse_parameter(p, len, url, err) != 0)
			return -1;
		if (p[len] == '\0')
			return 0;
		p += len + 1;
	}
}

/* find_driver() has seen the "://". The database is decoded last; my_open()
 * relies on that. */
int
my_url_parse(const char *text, struct my_url *url, struct err *err)
{
	const char *p = strstr(text, "://") + 3;
	const char *query = p + strcspn(p, "?");
	const char *slash = memchr(p, '/', (size_t)(query - p)), *at;

	if (slash == NULL || slash + 1 == query)
		return bad(err, "the database is missing; write "
				"mysql://user:password@host/database");
	/* The last one: a user of some hosts has an '@' in its name. */
	at = memrchr(p, '@', (size_t)(slash - p));
	if (at != NULL && parse_user(p, at, url, err) != 0)
		return -1;
	if (parse_host(at != NULL ? at + 1 : p, slash, url, err) != 0)
		return -1;
	/* Behind a careless password; it would be shown as the database. */
	if (memchr(slash + 1, '/', (size_t)(query - slash - 1)) != NULL ||
	    memchr(slash + 1, '@', (size_t)(query - slash - 1)) != NULL)
		return bad(err, "write a '/' in a password or a database as "
				"%2F, and an '@' as %40");
	if (*query == '?' && parse_parameters(query + 1, url, err) != 0)
		return -1;
	if (url->host == NULL && url->socket == NULL)
		return bad(err, "the host and the socket are missing");
	/* There would be nothing to verify against. */
	if (url->tls >= MY_TLS_VERIFY_CA && url->ca == NULL)
		return bad(err, "this sslmode needs sslrootcert, a file with "
				"trusted certificates");
	return decode(slash + 1, (size_t)(query - slash - 1), &url->database,
		      err);
}

void
my_url_done(struct my_url *url)
{
	/* So that it is in no core dump. */
	if (url->password != NULL)
		explicit_bzero(url->password, strlen(url->password));
	free(url->user);
	free(url->password);
	free(url->host);
	free(url->database);
	free(url->socket);
	free(url->ca);
	free(url->cert);
	free(url->key);
	*url = (struct my_url){.user = NULL};
}

/* For logs: neither user nor password. */
char *
my_url_name(const struct my_url *url)
{
	char *name;
	int n;

	if (url->socket != NULL)
		n = asprintf(&name, "mysql:///%s?socket=%s", url->database,
			     url->socket);
	else
		n = asprintf(&name, "mysql://%s:%u/%s", url->host,
			     url->port != 0 ? url->port : 3306, url->database);
	return n >= 0 ? name : NULL;
}
