/* SPDX-License-Identifier: MIT */
/*
 * Commands on the wire: "*<n>\r\n" and n times "$<length>\r\n<bytes>\r\n".
 *
 * They are written straight into the evbuffer: hiredis' own formatter makes a
 * string that has to be copied, and takes several times as long.
 */
#ifndef REDIS_FORMAT_H
#define REDIS_FORMAT_H

#include <stddef.h>

struct evbuffer;
struct redis_args;

/* An evbuffer to which nobody else adds. */
struct redis_out {
	struct evbuffer *buf;
	size_t room; /* known to be free at its end */
};

/* Adds a command, which is `n_parts` runs of arguments in a row; 0, or -1 when
 * memory runs out (nothing was added). */
int redis_format(struct redis_out *out, const struct redis_args *parts,
		 size_t n_parts);

#endif
