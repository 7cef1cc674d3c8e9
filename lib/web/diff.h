/* SPDX-License-Identifier: MIT */
/* What has changed between two answers of a route, for the hub. All functions give
 * new values. */
#ifndef WEB_DIFF_H
#define WEB_DIFF_H

#include <jansson.h>

/* {"at", "changed": [rows], "removed": [keys]} of "items", whose rows have a name
 * in `key`; NULL: nothing has. What changes by itself, as an age, does not count. */
json_t *diff_rows(const json_t *before, const json_t *now, const char *key);
/* The whole answer, or NULL if it is the same but for its time. */
json_t *diff_whole(const json_t *before, json_t *now);
/* An answer with "snapshot" and "at". */
json_t *diff_snapshot(json_t *value);
/* The time as text. */
json_t *diff_now(void);

#endif
