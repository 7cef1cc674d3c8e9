/* SPDX-License-Identifier: MIT */
/* Arguments of commands: numbers, and names of keys. */
#ifndef STORE_REDIS_ARG_H
#define STORE_REDIS_ARG_H

#include <stdint.h>

#include "util/buf.h"

/* INT64_MIN has 20 characters, and there is a NUL behind it. */
#define ARG_NUMBER_SIZE 21

/* A number; `text` holds it. */
struct slice arg_number(char text[ARG_NUMBER_SIZE], int64_t value);

/* Adds prefix and id, such as "flowrra:task:<id>", to `key`. The slice is good
 * until `key` changes, and empty if key->failed. */
struct slice arg_key(struct buf *key, const char *prefix, struct slice id);

/* What the name of a record's key begins with: the broker stores pending
 * records where the results look for them. */
extern const char ARG_RECORD[];

#endif
