/* SPDX-License-Identifier: MIT */
/*
 * The keeper: what tasks in modules print and log, in the files of codec/capture.h,
 * as the commands' output is kept by their executor.
 *
 * A thread writes, so that no disk makes the loop wait. While it is behind,
 * KEEP_BYTES wait for it; lines beyond are lost, and the log says so once. Good for
 * people who look what a task has done, not for accounts.
 *
 * All functions are for the loop's thread.
 */
#ifndef DISPATCH_KEEP_H
#define DISPATCH_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/capture.h"
#include "util/buf.h"

struct err;
struct keep;
struct keep_file;

#define KEEP_BYTES (4 << 20)

/* What all files together may be, and for how long they stay. */
struct keep_limits {
	uint64_t total;
	int64_t keep_s;
};

/* `directory` is copied. NULL with *err. */
struct keep *keep_new(const char *directory, const struct keep_limits *limits,
		      struct err *err);
/* Writes what waits, and ends the thread; no file may be open any more. */
void keep_free(struct keep *k);

/* The file of one attempt, about `max` bytes; NULL without memory. */
struct keep_file *keep_begin(struct keep *k, const char *id,
			     unsigned int attempt, uint64_t max);
/* A line, without its end; `file` may be NULL. */
void keep_line(struct keep *k, struct keep_file *file,
	       enum capture_stream stream, struct slice text);
/* It has ended; NULL is allowed. */
void keep_end(struct keep *k, struct keep_file *file);

#endif
