/* SPDX-License-Identifier: MIT */
/*
 * Reads Redis URLs, strictly: what is not understood is an error. The schemes
 * redis: and rediss: are those registered with IANA; unix:// is what other
 * clients use.
 *
 * Any piece of a badly written URL may be a piece of a password (one with an
 * unescaped '/', for example), so no message quotes its input.
 */
#include "redis/url.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "util/err.h"

#define DEFAULT_PORT 6379 /* IANA's, and everybody's */
/* What the kernel accepts (unix(7)), less the NUL. */
#define UNIX_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

enum scheme { SCHEME_REDIS, SCHEME_REDISS, SCHEME_UNIX, N_SCHEMES };

static const char *const schemes[N_SCHEMES] = {
    [SCHEME_REDIS] = "redis://",
    [SCHEME_REDISS] = "rediss://",
    [SCHEME_UNIX] = "unix://",
};

/* A piece of the text. */
struct span {
	const char *p;
	const char *end;
};

static bool
span_empty(struct span s)
{
	return s.p == s.end;
}

static int
url_bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CONFIG, "Redis URL: %s", what);
}

/*
 * Cuts `s` before the first `c`, if there is one; *ret_rest is what follows it.
 */
static bool
span_cut(struct span *s, char c, struct span *ret_rest)
{
	const char *at = memchr(s->p, c, (size_t)(s->end - s->p));

	if (at == NULL)
		return false;
	*ret_rest = (struct span){at + 1, s->end};
	s->end = at;
	return true;
}

/* -1 if `c` is not a hexadecimal digit. OR 0x20 makes letters lower case. */
static int
url_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Decodes percent-encoding (RFC 3986, 2.1); `what` names the part in messages.
 * A NUL is an error: the result is a C string, and what follows the NUL would
 * be ignored without notice.
 */
static int
url_decode(struct span s, const char *what, char **ret, struct err *err)
{
	char *out = malloc((size_t)(s.end - s.p) + 1);
	size_t n = 0;
	int c;

	if (out == NULL) {
		err_nomem(err);
		return -1;
	}
	for (; s.p < s.end; s.p++) {
		c = (unsigned char)*s.p;
		if (c == '%') {
			if (s.end - s.p < 3 || url_hex(s.p[1]) < 0 ||
			    url_hex(s.p[2]) < 0)
				goto wrong;
			c = url_hex(s.p[1]) * 16 + url_hex(s.p[2]);
			s.p += 2;
		}
		if (c == '\0')
			goto wrong;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	*ret = out;
	return 0;

wrong:
	free(out);
	err_set(err, ERR_CONFIG,
		"Redis URL: the %s has a '%%' that is not followed by two "
		"hexadecimal digits, or stands for a NUL (write %%25 for a "
		"'%%')",
		what);
	return -1;
}

static int
parse_number(struct span s, unsigned long max, unsigned long *ret)
{
	unsigned long n = 0;

	if (span_empty(s))
		return -1;
	for (; s.p < s.end; s.p++) {
		if (*s.p < '0' || *s.p > '9')
			return -1;
		n = n * 10 + (unsigned long)(*s.p - '0');
		if (n > max)
			return -1;
	}
	*ret = n;
	return 0;
}

/* INT_MAX: SELECT takes an int. How many databases there are only the server
 * knows. */
static int
parse_db(struct span s, struct redis_url *url, struct err *err)
{
	unsigned long n;

	if (parse_number(s, INT_MAX, &n) != 0)
		return url_bad(err, "the database must be a number, 0 or more");
	url->db = (unsigned int)n;
	return 0;
}

/* The letters of RFC 952 and 1123, and '_', which container networks use. */
static bool
is_host_name(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_";

	return s[0] != '\0' && s[strspn(s, allowed)] == '\0';
}

static bool
is_ipv6(const char *s)
{
	struct in6_addr addr;

	return inet_pton(AF_INET6, s, &addr) == 1;
}

/* A user without a password is an error, since AUTH needs one: it is more
 * likely a password whose ':' is missing. */
static int
parse_userinfo(struct span s, struct redis_url *url, struct err *err)
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
parse_ipv6_host(struct span s, struct span *ret_port, struct redis_url *url,
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
	if (url_decode(s, "host", &url->host, err) != 0)
		return -1;
	if (!is_ipv6(url->host))
		return url_bad(err,
			       "the host in brackets is not an IPv6 address");
	return 0;
}

/* Only without user and port: else a variable for the host was empty, more
 * likely, and its tasks would be looked for on the wrong machine. */
static int
url_local_host(struct redis_url *url, struct err *err)
{
	url->port = DEFAULT_PORT;
	url->host = strdup("localhost");
	return url->host != NULL ? 0 : err_nomem(err);
}

static int
url_parse_host(struct span s, struct redis_url *url, struct err *err)
{
	struct span port = {NULL, NULL};
	unsigned long n;

	if (!span_empty(s) && *s.p == '[') {
		if (parse_ipv6_host(s, &port, url, err) != 0)
			return -1;
	} else {
		span_cut(&s, ':', &port);
		if (span_empty(s))
			return url_bad(err, "the host is missing (write "
					    "localhost for this machine)");
		if (url_decode(s, "host", &url->host, err) != 0)
			return -1;
		if (!is_host_name(url->host))
			return url_bad(err,
				       "the host is not a name or an address "
				       "(write IPv6 in brackets)");
	}
	url->port = DEFAULT_PORT;
	if (port.p == NULL)
		return 0;
	if (parse_number(port, UINT16_MAX, &n) != 0 || n == 0)
		return url_bad(err,
			       "the port must be a number from 1 to 65535");
	url->port = (uint16_t)n;
	return 0;
}

/* The parameters of the query that are strings, and their fields; the second
 * names are those of redis-py. */
static const struct parameter {
	const char *name;
	size_t offset;
} parameters[] = {
    {"cafile", offsetof(struct redis_url, cafile)},
    {"certfile", offsetof(struct redis_url, certfile)},
    {"keyfile", offsetof(struct redis_url, keyfile)},
    {"servername", offsetof(struct redis_url, servername)},
    {"ssl_ca_certs", offsetof(struct redis_url, cafile)},
    {"ssl_certfile", offsetof(struct redis_url, certfile)},
    {"ssl_keyfile", offsetof(struct redis_url, keyfile)},
};

/* redis-py's parameters about the server's certificate. "optional" is as good
 * as "required" for a client, whose server always has one. */
static const struct {
	const char *name;
	const char *word;
	enum redis_verify verify;
} verifications[] = {
    {"ssl_cert_reqs", "required", REDIS_VERIFY_NAME},
    {"ssl_cert_reqs", "optional", REDIS_VERIFY_NAME},
    {"ssl_cert_reqs", "none", REDIS_VERIFY_NOTHING},
    {"ssl_check_hostname", "true", REDIS_VERIFY_NAME},
    {"ssl_check_hostname", "yes", REDIS_VERIFY_NAME},
    {"ssl_check_hostname", "1", REDIS_VERIFY_NAME},
    {"ssl_check_hostname", "false", REDIS_VERIFY_ISSUER},
    {"ssl_check_hostname", "no", REDIS_VERIFY_ISSUER},
    {"ssl_check_hostname", "0", REDIS_VERIFY_ISSUER},
};
#define N_VERIFICATIONS (sizeof(verifications) / sizeof(verifications[0]))

static bool
span_is(struct span s, const char *word)
{
	size_t len = (size_t)(s.end - s.p);

	return strlen(word) == len && memcmp(s.p, word, len) == 0;
}

static bool
span_is_word(struct span s, const char *word)
{
	size_t len = (size_t)(s.end - s.p);

	return strlen(word) == len && strncasecmp(s.p, word, len) == 0;
}

/* 1: it was one of those, 0: it was not, -1 with *err. The weaker of two
 * counts, as in redis-py. */
static int
url_parse_verification(struct span key, struct span value,
		       struct redis_url *url, struct err *err)
{
	const char *known = NULL;
	size_t i;

	for (i = 0; i < N_VERIFICATIONS; i++) {
		if (!span_is(key, verifications[i].name))
			continue;
		known = verifications[i].name;
		if (!span_is_word(value, verifications[i].word))
			continue;
		if (verifications[i].verify > url->verify)
			url->verify = verifications[i].verify;
		break;
	}
	if (known == NULL)
		return 0;
	if (i < N_VERIFICATIONS && url->tls)
		return 1;
	return err_set(err, ERR_CONFIG,
		       !url->tls ? "Redis URL: %s= needs rediss://"
		       : strcmp(known, "ssl_cert_reqs") == 0
			   ? "Redis URL: %s= must be required, optional or none"
			   : "Redis URL: %s= must be true or false",
		       known);
}

static int
url_parse_parameter(struct span key, struct span value, struct redis_url *url,
		    struct err *err)
{
	int verification = url_parse_verification(key, value, url, err);
	const struct parameter *p;
	char **field;
	size_t i;

	if (verification != 0)
		return verification > 0 ? 0 : -1;
	for (i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		p = &parameters[i];
		if (!span_is(key, p->name))
			continue;
		field = (char **)((char *)url + p->offset);
		if (!url->tls)
			return err_set(err, ERR_CONFIG,
				       "Redis URL: %s= needs rediss://",
				       p->name);
		if (*field != NULL || span_empty(value))
			return err_set(err, ERR_CONFIG,
				       "Redis URL: %s= is empty or given twice",
				       p->name);
		return url_decode(value, p->name, field, err);
	}
	return url_bad(err,
		       "unknown parameter after the '?'; known: db, cafile, "
		       "certfile, keyfile, servername, ssl_ca_certs, "
		       "ssl_certfile, ssl_keyfile, ssl_cert_reqs, "
		       "ssl_check_hostname");
}

static int
parse_query(struct span s, bool db_known, struct redis_url *url,
	    struct err *err)
{
	struct span next = s, key, value;

	while (next.p != NULL) {
		key = next;
		next = (struct span){NULL, NULL};
		span_cut(&key, '&', &next);
		if (!span_cut(&key, '=', &value))
			return url_bad(err,
				       "a parameter after the '?' lacks '='");
		if (!span_is(key, "db")) {
			if (url_parse_parameter(key, value, url, err) != 0)
				return -1;
			continue;
		}
		if (db_known)
			return url_bad(err, "the database is given twice");
		db_known = true;
		if (parse_db(value, url, err) != 0)
			return -1;
	}
	return 0;
}

/* A Unix socket's path: *s begins with its '/'. */
static int
parse_path(struct span s, struct redis_url *url, struct err *err)
{
	const unsigned char *c;

	if (url_decode(s, "path", &url->path, err) != 0)
		return -1;
	if (strlen(url->path) > UNIX_PATH_MAX || strlen(url->path) < 2)
		return url_bad(err, "a socket's path has 2 to 107 bytes");
	for (c = (const unsigned char *)url->path; *c != '\0'; c++)
		if (*c < ' ' || *c == 0x7f)
			return url_bad(err, "the path has a control character");
	return 0;
}

/* [user][:password@]host[:port][/db], or [user:password@]/path */
static int
parse_hierarchy(struct span s, enum scheme scheme, bool *ret_db_known,
		struct redis_url *url, struct err *err)
{
	struct span authority = s, path = {s.end, s.end}, host;

	if (span_cut(&authority, '/', &path))
		path.p--; /* keeps the slash */
	host = authority;
	if (span_cut(&authority, '@', &host) &&
	    parse_userinfo(authority, url, err) != 0)
		return -1;
	/*
	 * A remaining '@' belongs to a password with an unescaped '/' or '@'.
	 * The host would then be a piece of the password, and appear in logs.
	 */
	if (memchr(host.p, '@', (size_t)(host.end - host.p)) ||
	    memchr(path.p, '@', (size_t)(path.end - path.p)))
		return url_bad(err,
			       "misplaced '@'; in a password, write '@' as "
			       "%40 and '/' as %2F");
	if (scheme == SCHEME_UNIX) {
		if (!span_empty(host) || span_empty(path))
			return url_bad(err, "a socket's path must be absolute: "
					    "unix:///path");
		return parse_path(path, url, err);
	}
	if (span_empty(host) && url->password == NULL) {
		if (url_local_host(url, err) != 0)
			return -1;
	} else if (url_parse_host(host, url, err) != 0) {
		return -1;
	}
	if (path.end - path.p <= 1)
		return 0;
	*ret_db_known = true;
	return parse_db((struct span){path.p + 1, path.end}, url, err);
}

static int
check_tls(const struct redis_url *url, struct err *err)
{
	if ((url->certfile == NULL) != (url->keyfile == NULL))
		return url_bad(
		    err,
		    "certfile= needs keyfile= and keyfile= needs certfile=");
	if (url->servername != NULL && !is_host_name(url->servername) &&
	    !is_ipv6(url->servername))
		return url_bad(err, "servername= is not a host name");
	return 0;
}

/* Everything behind the scheme. */
static int
parse_rest(struct span s, enum scheme scheme, struct redis_url *url,
	   struct err *err)
{
	struct span query = {NULL, NULL};
	bool db_known = false;
	const char *c;

	/* A column number can be shown: it reveals nothing of a password. */
	for (c = s.p; c < s.end; c++)
		if (*c <= ' ' || *c > '~' || *c == '#')
			return err_set(err, ERR_CONFIG,
				       "Redis URL: the character in column "
				       "%zu must be percent-encoded",
				       strlen(schemes[scheme]) +
					   (size_t)(c - s.p) + 1);
	span_cut(&s, '?', &query);
	url->tls = scheme == SCHEME_REDISS;
	if (parse_hierarchy(s, scheme, &db_known, url, err) != 0 ||
	    parse_query(query, db_known, url, err) != 0)
		return -1;
	return check_tls(url, err);
}

int
redis_url_parse(const char *text, struct redis_url *ret, struct err *err)
{
	struct redis_url url = {.tls = false};
	struct span s = {text, text + strlen(text)};
	enum scheme i;

	for (i = 0; i < N_SCHEMES; i++)
		if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
			break;
	if (i == N_SCHEMES)
		return url_bad(err, "it must begin with redis://, rediss:// or "
				    "unix://");
	s.p += strlen(schemes[i]);
	if (parse_rest(s, i, &url, err) != 0) {
		redis_url_done(&url);
		return -1;
	}
	*ret = url;
	return 0;
}
