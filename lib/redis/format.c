/* SPDX-License-Identifier: MIT */
/*
 * Writes commands into an evbuffer, as RESP arrays of bulk strings:
 * "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" (the only form in which binary arguments are
 * safe).
 *
 * What it can take at most is computed first, so that the bytes are written once,
 * into memory that is already reserved.
 */
#include "redis/format.h"

#include <event2/buffer.h>
#include <string.h>

#include "redis/redis.h"
#include "util/buf.h"

/* Reserved at once, so that many small commands share a chunk. 16 KiB is the
 * size of a TLS record, and of a read on our side. */
#define CHUNK 16384

/* The digits of any size_t. */
#define DIGITS_MAX 20
/* A header is a letter, digits, and the end of the line. */
#define HEADER_MAX (1 + DIGITS_MAX + 2)

/* Writes the digits of n and returns their end. */
static char *
put_digits(char *p, size_t n)
{
	char digits[DIGITS_MAX], *first = digits + sizeof(digits);

	do {
		*--first = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	return mempcpy(p, first, (size_t)(digits + sizeof(digits) - first));
}

/* Writes "<c><n>\r\n" and returns its end. Most arguments are shorter than a
 * hundred bytes. */
static inline char *
put_header(char *p, char c, size_t n)
{
	*p++ = c;
	if (n < 10) {
		*p++ = (char)('0' + n);
	} else if (n < 100) {
		*p++ = (char)('0' + n / 10);
		*p++ = (char)('0' + n % 10);
	} else {
		p = put_digits(p, n);
	}
	*p++ = '\r';
	*p++ = '\n';
	return p;
}

static char *
put_arg(char *p, struct slice arg)
{
	p = put_header(p, '$', arg.len);
	if (arg.len != 0)
		p = mempcpy(p, arg.p, arg.len);
	*p++ = '\r';
	*p++ = '\n';
	return p;
}

int
redis_format(struct redis_out *out, const struct redis_args *parts,
	     size_t n_parts)
{
	struct evbuffer_iovec v;
	size_t argc = 0, size = HEADER_MAX, i, k;
	char *p;

	for (i = 0; i < n_parts; i++) {
		argc += parts[i].n;
		for (k = 0; k < parts[i].n; k++)
			size += HEADER_MAX + parts[i].v[k].len + 2;
	}

	/* The room that we remember is too large only if the buffer ran empty
	 * and freed its memory; asking for what we need is right even then. */
	if (evbuffer_reserve_space(
		out->buf,
		(ev_ssize_t)(size <= out->room || size > CHUNK ? size : CHUNK),
		&v, 1) != 1)
		return -1;
	p = put_header(v.iov_base, '*', argc);
	for (i = 0; i < n_parts; i++)
		for (k = 0; k < parts[i].n; k++)
			p = put_arg(p, parts[i].v[k]);
	size = (size_t)(p - (char *)v.iov_base);
	out->room = v.iov_len - size;
	v.iov_len = size;
	return evbuffer_commit_space(out->buf, &v, 1);
}
