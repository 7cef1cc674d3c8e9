/* SPDX-License-Identifier: MIT */
/* One member of a JSON object is replaced, and nothing else is touched. */
#ifndef CODEC_RESTATE_H
#define CODEC_RESTATE_H

#include "util/buf.h"

struct err;

/*
 * Appends the object as it stands, but with this text as its member `name` (which
 * needs no escape): in the place of the first of that name, else at the end. Appends
 * nothing, and returns -1 with *err, if it is not an object.
 */
int restate_text(struct slice object, const char *name, struct slice text,
		 struct buf *out, struct err *err);

#endif
