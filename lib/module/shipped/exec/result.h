/* SPDX-License-Identifier: MIT */
/* What a command's standard output means. */
#ifndef EXEC_RESULT_H
#define EXEC_RESULT_H

#include <jansson.h>

#include "util/buf.h"

/* The value, if the output is one JSON value; null, if it is nothing; else NULL. */
json_t *result_json(struct slice output);

/* The output as text, without its last line break, each byte that is not UTF-8
 * replaced; cut so that as JSON it has `max` bytes at most: *ret_used is how many
 * bytes of the output it has. NULL when memory runs out. */
json_t *result_text(struct slice output, size_t max, size_t *ret_used);

/* Appends the value of result_json() as it was printed, without the blanks
 * between its parts; nothing if it has to be written again: an object in it has a
 * member twice. */
void result_exact(struct slice output, struct buf *text);

#endif
