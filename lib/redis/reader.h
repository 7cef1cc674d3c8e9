/* SPDX-License-Identifier: MIT */
/*
 * Replies, made of the bytes that come in.
 *
 * hiredis' parser does the reading; the replies are ours, so that one costs no
 * malloc() per value and takes memory only as its bytes arrive, whatever
 * sizes the peer announces.
 */
#ifndef REDIS_READER_H
#define REDIS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/redis.h"

struct redis_reader;

struct redis_reply {
	enum redis_reply_type type;
	bool final; /* an error that another try would only meet again */
	size_t len; /* bytes of a string or error, or members of an array */
	union {
		int64_t integer;
		const char *bytes; /* with a NUL behind it */
		struct redis_reply *members;
	};
};

/* Before the first reader is made. 0, or -1 with *err (ERR_CONFIG). */
int redis_reader_load(struct err *err);
/* Refuses replies of more than `max_reply` bytes on the wire. NULL when memory
 * runs out. */
struct redis_reader *redis_reader_new(size_t max_reply);
void redis_reader_free(struct redis_reader *reader);

/* Takes in bytes; 0 or -1 with *err. */
int redis_reader_feed(struct redis_reader *reader, const void *p, size_t len,
		      struct err *err);

/*
 * Fetches the next whole reply, which is good until the next call: 1; 0 if
 * there is none yet; -1 with *err if the bytes are not a reply, or too many.
 * After an error the reader is of no more use.
 */
int redis_reader_next(struct redis_reader *reader,
		      const struct redis_reply **ret, struct err *err);

#endif
