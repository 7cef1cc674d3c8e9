/* SPDX-License-Identifier: MIT */
/*
 * The environment of a command, kept apart from its task.
 *
 * Of a thousand commands from one terminal each has the same. So their keyword
 * arguments have the name of it, in BLOB_MEMBER, and the store keeps the text itself
 * once. The name is the SHA-256 of the text, which is a JSON object.
 */
#ifndef CODEC_BLOB_H
#define CODEC_BLOB_H

#include <stdbool.h>

#include "util/buf.h"

struct err;

#define BLOB_MEMBER "env_blob"
/* Hexadecimal digits, and a NUL. */
#define BLOB_NAME_SIZE 65

void blob_name(struct slice content, char name[BLOB_NAME_SIZE]);

/* Whether the task, whose bytes these are, has such a name: it is written to `name`.
 * Costs next to nothing with any other task. */
bool blob_find(struct slice task, char name[BLOB_NAME_SIZE]);

/*
 * Appends the task with the text in the place of its name. 0; or -1 with *err and
 * an unfinished `out`: the task has no name or is not JSON, or memory ran out.
 */
int blob_inline(struct slice task, struct slice content, struct buf *out,
		struct err *err);

#endif
