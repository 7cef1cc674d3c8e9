/* SPDX-License-Identifier: MIT */
/* Close names: what somebody may have meant who mistyped one. */
#ifndef CLIENT_SUGGEST_H
#define CLIENT_SUGGEST_H

#include <stddef.h>

#define SUGGEST_MAX 300

/*
 * Writes the names of `names` (a JSON array of strings) that are closest to
 * `name` to `text`, as "resize", "resume" (at most five, the closest first),
 * and returns how many.
 */
size_t suggest(const char *name, const char *names, char text[SUGGEST_MAX]);

/*
 * How many characters have to be inserted, deleted, replaced or swapped with
 * their neighbour to make one text of the other. Case counts for nothing.
 * Texts of more than 200 bytes are as far apart as can be.
 */
size_t suggest_distance(const char *a, const char *b);

#endif
