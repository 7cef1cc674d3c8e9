/* SPDX-License-Identifier: MIT */
/* What lies in the broker, whichever it is; see scene_left() and so on. */
#ifndef TESTS_SOAK_STORE_H
#define TESTS_SOAK_STORE_H

struct scene;

/* The answer to a question about the embedded database: the first column of
 * the first row. `id` is the first parameter; NULL: there is none. */
long long store_number(struct scene *s, const char *sql, const char *id);

#endif
