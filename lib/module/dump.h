/* SPDX-License-Identifier: MIT */
/* How values are written as JSON. */
#ifndef MODULE_DUMP_H
#define MODULE_DUMP_H

#include <jansson.h>

/*
 * How deep arrays and objects may lie inside one another, in results, progress and
 * arguments: what the daemon and the clients take (core/task.h). A module can build
 * far deeper ones, but jansson writes, and frees, by calling itself for each level:
 * that would overflow the stack.
 */
#define DUMP_DEPTH_MAX 500

/* A value of others, before it is written: whether it is too deep, or has more than
 * `max` values in it. If it is fine, *ret_flags are dump_flags(). */
enum dump_fault { DUMP_FINE, DUMP_DEEP, DUMP_LARGE };
enum dump_fault dump_look(const json_t *value, size_t max, size_t *ret_flags);
/* json_decref() for one that may be too deep for it; slower. */
void dump_free(json_t *value);

/* jansson's flags for a value of any type: compact, and each number with as
 * many digits as it needs and no more. */
size_t dump_flags(const json_t *value);

#endif
