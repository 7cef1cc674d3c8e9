/* SPDX-License-Identifier: MIT */
/*
 * The frames of a spool: what can be read of a file, and what becomes of the rest.
 *
 * A frame is a head with a checksum, an ID and a record. What is damaged ends where
 * the next whole frame begins, so that it costs no record but those that it has
 * hit. It is put aside in a file of its own, beside the spool, for people.
 */
#ifndef DISPATCH_SPOOL_READ_H
#define DISPATCH_SPOOL_READ_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/buf.h"

struct err;

/* Whole or not at all: out->failed may be set, with nothing added. */
void spool_frame_add(struct buf *out, struct slice id, struct slice record);

/* False: it is not what it should be, and counts as damaged. */
typedef bool spool_record_fn(struct slice id, struct slice record, void *arg);

/* What a file was found to hold. */
struct spool_found {
	struct buf whole;   /* the frames that are good */
	struct buf damaged; /* all else, but for a frame at the end that is cut
			       short: who wrote it was killed before it counted */
	size_t pieces;	    /* of these */
	off_t end;	    /* where that last one begins, or would */
};
void spool_found_done(struct spool_found *found);

/* Calls on_record for each good frame of the file, of that name, and logs which
 * are not. 0, or -1 with *err: it cannot be read. spool_found_done() it in any
 * case. */
int spool_read(int fd, const char *path, spool_record_fn *on_record, void *arg,
	       struct spool_found *ret, struct err *err);

/* Adds what was damaged to the file beside `path` that is named so, on disk when
 * this returns, and logs that. 0 or -1 with *err. */
#define SPOOL_DAMAGED ".damaged"
int spool_put_aside(const char *path, const struct spool_found *found,
		    struct err *err);

/* Writes all of it at that place and flushes; 0, or -1 with errno. */
int spool_write(int fd, struct slice bytes, off_t at);

/* Not through a link: somebody else could have put it there. The descriptor, or
 * -1 with *err. */
int spool_open_fd(const char *path, int flags, struct err *err);

#endif
