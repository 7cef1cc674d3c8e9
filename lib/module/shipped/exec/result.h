/* SPDX-License-Identifier: MIT */
/* What a command's standard output means. */
#ifndef EXEC_RESULT_H
#define EXEC_RESULT_H

#include <jansson.h>
#include <stdbool.h>

#include "util/buf.h"

/*
 * The value, if the output is one JSON value; null, if it is nothing; else the
 * text without its last line break, each byte that is not UTF-8 replaced. NULL
 * when memory runs out.
 */
json_t *result_of(struct slice output);

/* The text as above, cut so that as JSON it has `max` bytes at most; *ret_used is
 * how many bytes of the output it has. NULL when memory runs out. */
json_t *result_text(struct slice output, size_t max, size_t *ret_used);

/* Whether the output is one JSON value, or nothing. */
bool result_is_json(struct slice output);

/* Appends the value of result_of() as it was printed, without the blanks
 * between its parts; nothing if it has to be written again: it is text, or an
 * object in it has a member twice. */
void result_exact(struct slice output, struct buf *text);

#endif
