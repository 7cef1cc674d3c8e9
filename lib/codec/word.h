/* SPDX-License-Identifier: MIT */
/*
 * A word of a command line, or of its environment, as JSON: a string; or, since
 * it may be any bytes but NUL, {"base64": "…"} if it is not UTF-8.
 */
#ifndef CODEC_WORD_H
#define CODEC_WORD_H

#include <jansson.h>

#include "util/buf.h"

struct err;

/* Appends the JSON of a word; check out->failed. */
void word_write(struct slice word, struct buf *out);

/* Appends the bytes of a word, and no NUL. -1 with *err (ERR_DATA) if it is not
 * one: another type, bad base64, a NUL in it. */
int word_read(const json_t *json, struct buf *out, struct err *err);

#endif
