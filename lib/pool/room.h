/* SPDX-License-Identifier: MIT */
/* Room in executors; what the pool's user sees of it is in pool.h. */
#ifndef POOL_ROOM_H
#define POOL_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "pool/pool.h"

struct executor;

/* Whether one more asynchronous job may run in this executor, whatever its state. */
bool room_for_one(const struct executor *e, enum pool_kind kind);

/* A job of this executor has run for so long; below 0: not known. */
void room_learn(struct executor *e, int64_t ran_us);

#endif
