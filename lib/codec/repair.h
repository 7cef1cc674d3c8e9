/* SPDX-License-Identifier: MIT */
/*
 * What others have stored, made readable.
 *
 * Programs in other languages put values into tasks and records that a parser
 * in C refuses: numbers of twenty digits, NaN, half a surrogate pair. One of
 * them must not hide a task from those who look at it, nor spoil a list. For
 * showing only: what is stored, or run, is never made of this.
 */
#ifndef CODEC_REPAIR_H
#define CODEC_REPAIR_H

#include "util/buf.h"

/*
 * Appends a JSON text in which each number that is none, or out of range
 * (codec/value.h), and each other bare word is a string ("1e400", "NaN"); and
 * each character that a string cannot hold is U+FFFD, U+0000 among them. What is
 * right stays as it is. Brackets, colons and commas are not repaired: the result
 * may still not be JSON.
 */
void repair_json(struct slice text, struct buf *out);

#endif
