/* SPDX-License-Identifier: MIT */
/*
 * Cursors: where a list that is read in pages was left, as text, such as
 * "3:17". They come back from callers who may have them from anywhere, so what
 * is no cursor is refused.
 */
#ifndef SQLITE_CURSOR_H
#define SQLITE_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct err;

#define CURSOR_NUMBERS_MAX 2
#define CURSOR_SIZE (CURSOR_NUMBERS_MAX * 20)

/* The numbers are not negative. */
struct slice cursor_write(char text[CURSOR_SIZE], const int64_t *numbers,
			  size_t n);
/* Reads exactly `n` numbers; -1 with *err (ERR_DATA). */
int cursor_read(struct slice text, int64_t *numbers, size_t n, struct err *err);

#endif
