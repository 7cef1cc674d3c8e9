/* SPDX-License-Identifier: MIT */
/* How people write limits: rates, and where the group of a task stands. What they
 * mean is in core/limit.h. */
#ifndef UTIL_LIMIT_WORDS_H
#define UTIL_LIMIT_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

#define LIMIT_RATE_MAX 1000000
#define LIMIT_PERIOD_MAX_MS (INT64_C(31) * 24 * 3600 * 1000)
/* Bytes of a path. */
#define LIMIT_PATH_MAX 200

/* Reads "100/1m"; false: it is not so written. The numbers may be out of range. */
bool limit_words_rate(const char *text, int64_t *ret_n, int64_t *ret_period_ms);
/* Whether it is kwargs.NAME or args.NUMBER, with further steps. */
bool limit_words_path(struct slice path);
/* Whether it is UTF-8 without control characters. */
bool limit_words_text(struct slice text);

#endif
