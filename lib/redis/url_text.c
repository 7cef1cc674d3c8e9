/* SPDX-License-Identifier: MIT */
/* Pieces of a Redis URL's text: cut, decoded, and read as numbers. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "redis/url_parse.h"
#include "util/err.h"

bool
span_empty(struct span s)
{
	return s.p == s.end;
}

int
url_bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CONFIG, "Redis URL: %s", what);
}

bool
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

int
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

int
url_parse_number(struct span s, unsigned long max, unsigned long *ret)
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
int
url_parse_db(struct span s, struct redis_url *url, struct err *err)
{
	unsigned long n;

	if (url_parse_number(s, INT_MAX, &n) != 0)
		return url_bad(err, "the database must be a number, 0 or more");
	url->db = (unsigned int)n;
	return 0;
}
