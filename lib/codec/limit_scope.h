/* SPDX-License-Identifier: MIT */
/* What a task counts against (core/limit.h), by what it says. */
#ifndef CODEC_LIMIT_SCOPE_H
#define CODEC_LIMIT_SCOPE_H

#include "util/buf.h"

/*
 * Appends "t:NAME" to `task`, and "g:KEY" to `group` if it has one: its field, or
 * what is at the path `by` (empty: none). A group that is too long, or has control
 * characters, is named by its SHA-1. What is not a task has neither.
 */
void limit_scopes(struct slice bytes, struct slice by, struct buf *task,
		  struct buf *group);

#endif
