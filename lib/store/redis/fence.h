/* SPDX-License-Identifier: MIT */
/*
 * The Redis store: what ties a record to the claim that it follows from.
 *
 * A worker that takes over what another had in flight leaves a mark, beside the
 * epoch of that worker's queue, in the same step. A claim remembers the mark
 * that was there when it was last seen in flight; a record is stored only while
 * the mark is still the same. So a worker that was frozen, or cut off, stores
 * nothing about a task that is another's by now.
 */
#ifndef STORE_REDIS_FENCE_H
#define STORE_REDIS_FENCE_H

#include <stdbool.h>

#include "util/buf.h"

struct broker_claim;

/* The key of the mark, and the mark that the claim remembers, which is empty if
 * there was none. Both are the claim's. */
struct slice rclaim_mark_key(const struct broker_claim *claim);
struct slice rclaim_mark(const struct broker_claim *claim);

/*
 * Whether nobody can have the claim, or can before what is sent now has arrived
 * (REDIS_BRISK_MS, REDIS_STALE_MS): a heartbeat was confirmed so lately that no other worker
 * holds this one for dead, and no other process gets its ID.
 */
bool rclaim_is_sure(const struct broker_claim *claim);

#endif
