/* SPDX-License-Identifier: MIT */
/* UTF-8: what is well-formed, and what becomes of what is not. */
#ifndef UTIL_UTF8_H
#define UTIL_UTF8_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* The bytes of the character at `p`, of which at most `len` may be read; 0 if
 * none that is well-formed begins there. */
size_t utf8_length(const void *p, size_t len);

/* Whether the character at `p`, of which at most `len` may be read, turns round
 * what stands behind it, beyond its own text: U+202A to U+202E and U+2066 to
 * U+2069, of three bytes each. A line can look like another one by them. */
bool utf8_turns(const void *p, size_t len);

/* How many bytes of a text fit into `max`: all `len`, or fewer, cut between two
 * characters. */
size_t utf8_cut(const char *text, size_t len, size_t max);

/* Appends a text; each byte of it that does not belong to a character becomes
 * U+FFFD, and so does NUL, which few others can bear. */
void utf8_add(struct buf *out, const char *text, size_t len);

#endif
