/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what lost.c, which goes through the records, shares with
 * lost_ask.c, which has the server look for their tasks.
 */
#ifndef STORE_REDIS_LOST_H
#define STORE_REDIS_LOST_H

#include "store/redis/broker.h"

/* A record that is not final. */
struct rlost_case {
	char *queue;
	struct buf ended; /* the record that it ends with */
	size_t id_at;	  /* its id, in `ids` */
	char digest[LOST_DIGEST_SIZE];
	bool asked, settled; /* of the call under way; it is done with */
};

/* --- lost.c ---------------------------------------------------------------- */

/* The next step of the round; and its end, at once. */
void rlost_next(struct rbroker *b);
void rlost_end(struct rbroker *b);

/* --- lost_ask.c ------------------------------------------------------------ */

/* The next call is about the first case that is not settled, and those of the
 * same queue. Returns how many: 0 if all are. */
size_t rlost_choose(struct rlost *l);
/* Sends it, after which rlost_next() is called; -1: it could not be sent. */
int rlost_check(struct rbroker *b, size_t n);
/* Forgets what was told of the queue's lists. */
void rlost_drop_lists(struct rlost *l);

#endif
