/* SPDX-License-Identifier: MIT */
/*
 * JSON text becomes the tree that handlers get.
 *
 * jansson reads its text byte by byte, and copies each byte of a string twice.
 * This reads with the scanner, which passes over plain text eight bytes at a
 * time, and copies a string once, as it stands.
 */
#ifndef CODEC_TREE_H
#define CODEC_TREE_H

#include <jansson.h>

#include "util/buf.h"

struct err;

/* Arrays and objects inside one another; the scanner's own limit. */
#define TREE_DEPTH_MAX 2000

/*
 * Returns the tree of one JSON value of any type, to be released with
 * json_decref(). Of members with one name the last counts. NULL with *err when
 * the text is not JSON or too deep, or when a part of it has no place in the
 * tree: a string with U+0000, a whole number beyond 64 bits, another number
 * beyond double (ERR_DATA), or when memory runs out.
 */
json_t *tree_read(struct slice text, struct err *err);

#endif
