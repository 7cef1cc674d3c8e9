/* SPDX-License-Identifier: MIT */
/*
 * Reading what a command prints (capture.h), also while it does: each record
 * once, in its order, across the files of an attempt.
 */
#ifndef CODEC_CAPTURE_READ_H
#define CODEC_CAPTURE_READ_H

#include <stdint.h>

#include "codec/capture.h"
#include "util/buf.h"

struct capture_reader;

struct capture_record {
	enum capture_stream stream; /* CAPTURE_STDOUT or CAPTURE_STDERR */
	int64_t wall_us;
	struct slice bytes;
	/* Bytes of output before these that are not kept (any more). */
	uint64_t left_out;
};

/* Nothing need be there yet. NULL when memory runs out. */
struct capture_reader *capture_reader_new(const char *directory, const char *id,
					  unsigned int attempt);
void capture_reader_free(struct capture_reader *r);
/* It tells how far it is by this descriptor (capture_follow_begin()). */
void capture_reader_follow(struct capture_reader *r, int fd);

/*
 * The next record: 1 and *ret, which is good until the next call; 0 if there is
 * none, or not yet; -1 with *err if a file cannot be read, or is damaged, after
 * which there are no more.
 */
int capture_next(struct capture_reader *r, struct capture_record *ret,
		 struct err *err);

/* The attempts of a task that have an output, in their order: a list of *ret_n that
 * the caller frees. NULL: none, or *err is set. */
unsigned int *capture_attempts(const char *directory, const char *id,
			       size_t *ret_n, struct err *err);

#endif
