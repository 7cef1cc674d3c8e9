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

/*
 * Whether the character at `p`, of which at most `len` (1 or more) may be read,
 * must not be shown as it is, since a line could look like another one by it, or
 * steer a terminal: controls (also U+0080 to U+009F), what has no width or sets a
 * direction, and a byte that is not UTF-8. *ret_len is its length.
 */
bool utf8_strange(const void *p, size_t len, size_t *ret_len);

/* Appends a text for people; each byte of what is strange as \xNN. */
void utf8_add_visible(struct buf *out, const char *text, size_t len);
/* Appends JSON for programs, and for terminals: the same value, in which what is
 * strange is written as \uNNNN; bytes that are not UTF-8 become U+FFFD. */
void utf8_add_json(struct buf *out, const char *json, size_t len);

/* How many bytes of a text fit into `max`: all `len`, or fewer, cut between two
 * characters. */
size_t utf8_cut(const char *text, size_t len, size_t max);

/* Appends a text; each byte of it that does not belong to a character becomes
 * U+FFFD, and so does NUL, which few others can bear. */
void utf8_add(struct buf *out, const char *text, size_t len);

#endif
