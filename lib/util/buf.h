/* SPDX-License-Identifier: MIT */
/*
 * A growable run of bytes, and slices: borrowed runs of bytes.
 *
 * Appending never fails half-way: when memory runs out the buffer is marked
 * `failed`, keeps what it had, and ignores what follows; check once, at the
 * end. `data` is NULL or ends in a NUL that `len` does not count.
 */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct slice {
	const char *p;
	size_t len;
};

/* A slice of a string literal, and of a C string. */
#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
struct slice slice_of(const char *s);
bool slice_eq(struct slice a, struct slice b);
/* The order of bytes, the shorter first: below 0, 0, or above it. */
int slice_cmp(struct slice a, struct slice b);

struct buf {
	char *data;
	size_t len;
	size_t cap;
	bool failed;
};

#define BUF_INIT                                                               \
	{                                                                      \
		.data = NULL                                                   \
	}

void buf_done(struct buf *b);
/* Empties the buffer and clears `failed`; keeps its memory. */
void buf_reset(struct buf *b);
/* Makes room for `more` bytes behind the content; returns 0 or -1. */
int buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *p, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Removes the first `len` bytes (all, if there are fewer). */
void buf_drain(struct buf *b, size_t len);
/* Gives the bytes away (free() them) and leaves the buffer empty. */
char *buf_take(struct buf *b);

#endif
