/* SPDX-License-Identifier: MIT */
/* The worker of a damaged database. */
#ifndef TESTS_FUZZ_SQLITE_DAMAGE_WORKER_H
#define TESTS_FUZZ_SQLITE_DAMAGE_WORKER_H

#include "fuzz/redis_store/peer.h"

/* Works with the database for some milliseconds; `in` says how each task ends. */
void damaged_work(const char *url, struct peer_input *in);

#endif
