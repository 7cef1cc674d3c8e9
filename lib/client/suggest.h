/* SPDX-License-Identifier: MIT */
/* Close names, out of a list that is JSON. */
#ifndef CLIENT_SUGGEST_H
#define CLIENT_SUGGEST_H

#include <stddef.h>

#include "util/closest.h"

#define SUGGEST_MAX CLOSEST_TEXT_SIZE

/*
 * Writes the names of `names` (a JSON array of strings) that are closest to
 * `name` to `text`, as "resize", "resume" (at most five, the closest first),
 * and returns how many.
 */
size_t suggest(const char *name, const char *names, char text[SUGGEST_MAX]);
/* The same without `name` itself, if it is among them. */
size_t suggest_others(const char *name, const char *names,
		      char text[SUGGEST_MAX]);

#endif
