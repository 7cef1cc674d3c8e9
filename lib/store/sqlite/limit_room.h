/* SPDX-License-Identifier: MIT */
/* The SQLite broker: the room that a scope of a limit has, in one transaction. */
#ifndef STORE_SQLITE_LIMIT_ROOM_H
#define STORE_SQLITE_LIMIT_ROOM_H

#include <stdint.h>

#include "util/buf.h"

struct err;
struct tx;

/* Where: errors go to `err`. */
struct sroom {
	struct tx *tx;
	struct err *err;
	int64_t queue;
};

/* How many of a scope may start now, INT64_MAX: any number; or -1. If the rate says
 * 0, *ret_until (µs since 1970) is when it does not; else that is 0. */
int64_t sroom_of(const struct sroom *s, struct slice scope, int64_t *ret_until);
/* So many of the scope start: 0 or -1. An empty scope is none. */
int sroom_spend(const struct sroom *s, struct slice scope, int64_t n);
/* It holds tasks, and has no turn before that; 0: it does not wait for its rate. */
int sroom_rest(const struct sroom *s, struct slice scope, int64_t until);

#endif
