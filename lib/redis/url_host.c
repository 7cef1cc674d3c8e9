/* SPDX-License-Identifier: MIT */
/* The user, the password, and the hosts of a Redis URL. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "redis/url_parse.h"
#include "util/err.h"

bool
redis_is_host_name(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_";

	return s[0] != '\0' && s[strspn(s, allowed)] == '\0';
}

bool
redis_is_ipv6(const char *s)
{
	struct in6_addr addr;

	return inet_pton(AF_INET6, s, &addr) == 1;
}

/* A user without a password is an error, since AUTH needs one: it is more
 * likely a password whose ':' is missing. */
int
url_parse_userinfo(struct span s, struct redis_url *url, struct err *err)
{
	struct span password;

	if (!span_cut(&s, ':', &password))
		return url_bad(
		    err, "the user has no password; write user:password@, or "
			 "user:@ for an empty password");
	if (memchr(password.p, ':', (size_t)(password.end - password.p)))
		return url_bad(err, "write a ':' in a password as %3A");
	if (span_empty(s) && span_empty(password))
		return url_bad(err, "'@' without user and password");
	if (!span_empty(s) && url_decode(s, "user", &url->user, err) != 0)
		return -1;
	return url_decode(password, "password", &url->password, err);
}

/*
 * RFC 3986, 3.2.2: an IPv6 address stands in brackets, since it contains ':'.
 */
static int
parse_ipv6_host(struct span s, struct span *ret_port, struct redis_host *ret,
		struct err *err)
{
	struct span rest;

	s.p++;
	if (!span_cut(&s, ']', &rest))
		return url_bad(err, "the host has a '[' but lacks a ']'");
	if (!span_empty(rest) && *rest.p != ':')
		return url_bad(err,
			       "only a port may follow the ']' of the host");
	if (!span_empty(rest))
		*ret_port = (struct span){rest.p + 1, rest.end};
	if (url_decode(s, "host", &ret->host, err) != 0)
		return -1;
	if (!redis_is_ipv6(ret->host))
		return url_bad(err,
			       "the host in brackets is not an IPv6 address");
	return 0;
}

/* Only without user and port: else a variable for the host was empty, more
 * likely, and its tasks would be looked for on the wrong machine. */
static int
url_local_host(struct redis_url *url, struct err *err)
{
	url->port = REDIS_PORT;
	url->host = strdup("localhost");
	return url->host != NULL ? 0 : err_nomem(err);
}

static int
url_parse_host(struct span s, uint16_t default_port, struct redis_host *ret,
	       struct err *err)
{
	struct span port = {NULL, NULL};
	unsigned long n;

	if (!span_empty(s) && *s.p == '[') {
		if (parse_ipv6_host(s, &port, ret, err) != 0)
			return -1;
	} else {
		span_cut(&s, ':', &port);
		if (span_empty(s))
			return url_bad(err, "the host is missing (write "
					    "localhost for this machine)");
		if (url_decode(s, "host", &ret->host, err) != 0)
			return -1;
		if (!redis_is_host_name(ret->host))
			return url_bad(err,
				       "the host is not a name or an address "
				       "(write IPv6 in brackets)");
	}
	ret->port = default_port;
	if (port.p == NULL)
		return 0;
	if (url_parse_number(port, UINT16_MAX, &n) != 0 || n == 0)
		return url_bad(err,
			       "the port must be a number from 1 to 65535");
	ret->port = (uint16_t)n;
	return 0;
}

/* The first of them stands in `host`, too: it is where a URL with one leads. */
static int
url_add_host(struct redis_url *url, struct redis_host host, struct err *err)
{
	struct redis_host *more;

	if (host.host == NULL)
		return err_nomem(err);
	more = reallocarray(url->hosts, url->n_hosts + 1, sizeof(*more));
	if (more == NULL) {
		free(host.host);
		return err_nomem(err);
	}
	url->hosts = more;
	url->hosts[url->n_hosts++] = host;
	if (url->host != NULL)
		return 0;
	url->port = host.port;
	url->host = strdup(host.host);
	return url->host != NULL ? 0 : err_nomem(err);
}

int
url_parse_hosts(struct span s, struct redis_url *url, struct err *err)
{
	const uint16_t port =
	    url->master != NULL ? REDIS_SENTINEL_PORT : REDIS_PORT;
	struct redis_host host;
	struct span one;

	if (span_empty(s) && url->password == NULL && url->master == NULL &&
	    !url->cluster)
		return url_local_host(url, err);
	do {
		one = s;
		s = (struct span){NULL, NULL};
		span_cut(&one, ',', &s);
		host = (struct redis_host){.host = NULL};
		if (url_parse_host(one, port, &host, err) != 0) {
			free(host.host);
			return -1;
		}
		if (url_add_host(url, host, err) != 0)
			return -1;
		if (url->n_hosts > REDIS_HOSTS_MAX)
			return url_bad(err, "too many hosts");
	} while (s.p != NULL);
	return 0;
}
