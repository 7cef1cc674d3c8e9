/* SPDX-License-Identifier: MIT */
/* How values are written as JSON. */
#ifndef MODULE_DUMP_H
#define MODULE_DUMP_H

#include <jansson.h>

/* jansson's flags for a value of any type: compact, and each number with as
 * many digits as it needs and no more. */
size_t dump_flags(const json_t *value);

#endif
