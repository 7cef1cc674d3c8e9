/* SPDX-License-Identifier: MIT */
/* What the routes of the Python package's UI share. */
#ifndef WEB_SEED_H
#define WEB_SEED_H

#include <jansson.h>

/* Durations are seconds there, with a fraction. */
#define SEED_US_PER_S 1000000.0

/* A member that is a number, or `otherwise`, which is taken: a new value. */
json_t *seed_number(const json_t *entry, const char *name, json_t *otherwise);

#endif
