/* SPDX-License-Identifier: MIT */
/*
 * Writes commands into an evbuffer, as RESP arrays of bulk strings:
 * "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" (the only form in which binary arguments are
 * safe).
 *
 * The size is computed first, so that the bytes are written once, into memory
 * that is already reserved.
 */
#include "redis/format.h"

#include <event2/buffer.h>
#include <string.h>

#include "redis/redis.h"
#include "util/buf.h"

/* Reserved at once, so that many small commands share a chunk. 16 KiB is the
 * size of a TLS record, and of a read on our side. */
#define CHUNK 16384

static size_t
digits(size_t n)
{
	size_t d = 1;

	while (n >= 10) {
		n /= 10;
		d++;
	}
	return d;
}

/* Writes "<c><n>\r\n" and returns its end. */
static char *
put_header(char *p, char c, size_t n)
{
	char *end;

	*p = c;
	p += digits(n);
	end = p + 1;
	do {
		*p-- = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	*end++ = '\r';
	*end++ = '\n';
	return end;
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

static size_t
header_size(size_t n)
{
	return digits(n) + 3;
}

int
redis_format(struct redis_out *out, const struct redis_args *parts,
	     size_t n_parts)
{
	struct evbuffer_iovec v;
	size_t argc = 0, size = 0, i, k;
	char *p;

	for (i = 0; i < n_parts; i++) {
		argc += parts[i].n;
		for (k = 0; k < parts[i].n; k++)
			size += header_size(parts[i].v[k].len) +
				parts[i].v[k].len + 2;
	}
	size += header_size(argc);

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
	out->room = v.iov_len - size;
	v.iov_len = size;
	return evbuffer_commit_space(out->buf, &v, 1);
}
