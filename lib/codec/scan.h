/* SPDX-License-Identifier: MIT */
/*
 * Reads the members of a JSON object (RFC 8259) without building anything.
 *
 * A worker looks at a dozen short members of each task and hands the rest on
 * as it came; building a tree of it and printing it again would cost more than
 * all the rest of its work. So this scanner checks the whole text (syntax,
 * UTF-8, depth) and gives the top-level members as slices. What it accepts,
 * jansson accepts, but for what is `inexact`; a test compares the two.
 */
#ifndef CODEC_SCAN_H
#define CODEC_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

struct err;

enum scan_type {
	SCAN_NULL,
	SCAN_FALSE,
	SCAN_TRUE,
	SCAN_NUMBER,
	SCAN_STRING,
	SCAN_ARRAY,
	SCAN_OBJECT
};

struct scan_value {
	enum scan_type type;
	/* As it stands in the text; a string without its quotes. */
	struct slice text;
	bool escaped; /* a string with a backslash in it */
	/* NULL, or the first part that not every program can take as it is;
	 * codec/value.h says what that means. */
	const char *inexact;
};

/* "an array", "null", … */
const char *scan_type_text(enum scan_type type);

/* Returns 0 to go on, or -1 with *err to stop. */
typedef int scan_member_fn(void *arg, const struct scan_value *key,
			   const struct scan_value *value, struct err *err);

/*
 * Checks that `text` is one JSON object, at most max_depth deep, and calls
 * on_member for each of its members in their order. Returns 0 or -1 with *err
 * (ERR_DATA; the message gives the byte offset, counted from 0). No max_depth
 * goes beyond 2000; jansson's own limit is 2048.
 */
int scan_object(struct slice text, unsigned int max_depth,
		scan_member_fn *on_member, void *arg, struct err *err);

/* The same for an array and its elements. */
typedef int scan_element_fn(void *arg, const struct scan_value *value,
			    struct err *err);
int scan_array(struct slice text, unsigned int max_depth,
	       scan_element_fn *on_element, void *arg, struct err *err);

/* Checks that `text` is one JSON value of any type. */
int scan_check(struct slice text, unsigned int max_depth,
	       struct scan_value *ret, struct err *err);

/* Appends the characters of a scanned string to `out`, unescaped (UTF-8);
 * never more bytes than string->text has. */
void scan_unescape(const struct scan_value *string, struct buf *out);

/* Numbers: -1 with *err when it is not a whole number of int64_t (one with a
 * fraction or an exponent never is), or not a finite double. */
int scan_int64(const struct scan_value *number, int64_t *ret, struct err *err);
int scan_double(const struct scan_value *number, double *ret, struct err *err);

/* Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8
 * become U+FFFD. */
void scan_quote(struct buf *out, struct slice text);

#endif
