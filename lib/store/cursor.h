/* SPDX-License-Identifier: MIT */
/*
 * Cursors: where a list that is read in pages was left, as text, such as "17"
 * or "3:17:worker". They come back from callers who may have them from
 * anywhere, so each store checks what it reads, and refuses the rest.
 */
#ifndef STORE_CURSOR_H
#define STORE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct err;

/* Reads a number of min … max from the front of *s, and the colon behind it if
 * there is more. False if there is none; *s may have changed then. A colon at
 * the very end is left in *s. */
bool cursor_number(struct slice *s, int64_t min, int64_t max, int64_t *ret);
/* Sets *err (ERR_DATA); returns -1. */
int cursor_bad(struct err *err);

/*
 * A cursor that is `n` numbers and nothing else. What is written fits, whatever the
 * numbers are; what is read is not negative: only a damaged database has such
 * keys, and a list of it ends with an error rather than without its rest.
 */
#define CURSOR_NUMBERS_MAX 2
/* Of each a sign, 19 digits, and a colon or a NUL. */
#define CURSOR_SIZE (CURSOR_NUMBERS_MAX * 21)
struct slice cursor_write(char text[CURSOR_SIZE], const int64_t *numbers,
			  size_t n);
/* Reads such a one; -1 with *err (ERR_DATA). */
int cursor_read(struct slice text, int64_t *numbers, size_t n, struct err *err);

#endif
