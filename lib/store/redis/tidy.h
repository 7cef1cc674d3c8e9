/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: housekeeping, queue by queue. See tidy.c; weigh.c is about dead
 * lists that have too many bytes, lost.h about records whose tasks are gone.
 */
#ifndef STORE_REDIS_TIDY_H
#define STORE_REDIS_TIDY_H

#include "store/redis/broker.h"

void rbroker_tidy_done(struct rbroker *b);
/* What stays of the dead list whose turn it is, by its bytes: 0 when the server
 * was asked, after which it is trimmed once more; or -1. */
int rbroker_weigh(struct rbroker *b);
/* Runs a script with keys of that queue, three at most; 0, or -1. */
int rbroker_tidy_eval(struct rbroker *b, enum rscript script,
		      const enum rqueue_key *which, size_t n,
		      struct redis_args args);
/* Has the server trim it; 0, or -1. */
int rbroker_trim(struct rbroker *b);
/* The round ends; and the next queue has its turn. */
void rbroker_tidy_end(struct rbroker *b);
void rbroker_tidy_rest(struct rbroker *b);
/* The end of its round, which goes on with it, and ends then. */
void rbroker_find_lost(struct rbroker *b);
void rbroker_lost_init(struct rbroker *b);
void rbroker_lost_done(struct rbroker *b);

#endif
