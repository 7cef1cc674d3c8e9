/* SPDX-License-Identifier: MIT */
/* Sources of what a task has printed, for the route in logs.c. */
#ifndef WEB_LOGS_H
#define WEB_LOGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

struct conf;
struct err;

/* Appends {"at", "attempt", "stream", "text"}; 0 is not known, null. Bytes that are not
 * UTF-8, and NULs, become U+FFFD. */
void logs_add_line(json_t *lines, int64_t at_us, json_int_t attempt,
		   const char *stream, struct slice text);

/*
 * From the files that the workers of this machine keep ([exec] output_max, [worker]
 * keep_output), if they have any of this task: {"lines", "next", "source": "files"}.
 * `after` is the cursor of the answer before, or empty; `ended`: the task goes on no
 * more, so that a last line without its end is told. Some 256 KiB at most: an
 * answer without lines is the end, so far. NULL without an error: there is nothing;
 * or with *err.
 */
json_t *logs_of_files(const struct conf *conf, const char *id,
		      const char *after, bool ended, struct err *err);
/* What its cursors begin with. */
#define LOGS_OF_FILES "f:"

#endif
