/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks that may be lost, as its own files see it.
 *
 *	lost.c		the steps of a round; pages of keys, and suspects
 *	lost_record.c	calls about one record each: is it final? end it
 *	lost_ask.c	has the server look for tasks, queue by queue
 *
 * Each call has keys of one queue, or of one record: in a Cluster they are on several
 * nodes.
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
	bool gone;	     /* its task is nowhere, and it is to end … */
	bool over;	     /* … as it has, and is to be listed */
};

static inline const char *
rlost_id(const struct rlost *l, const struct rlost_case *c)
{
	return l->ids.data + c->id_at;
}

/* --- lost.c ---------------------------------------------------------------- */

/* The next step of the round; and its end, at once. */
void rlost_next(struct rbroker *b);
void rlost_end(struct rbroker *b);

/* --- lost_record.c --------------------------------------------------------- */

/* Each sends some calls, after whose answers rlost_next() follows; -1: they could
 * not be sent. The first looks at the next records, which become cases; the second
 * ends those whose tasks are gone. */
int rlost_look(struct rbroker *b);
int rlost_end_records(struct rbroker *b);
/* Whether there are such. */
bool rlost_has_gone(const struct rlost *l);
void rlost_drop_cases(struct rlost *l);

/* --- lost_ask.c ------------------------------------------------------------ */

/* The next call is about the first case that is not settled, and those of the
 * same queue. Returns how many: 0 if all are. */
size_t rlost_choose(struct rlost *l);
/* Sends it, after which rlost_next() is called; -1: it could not be sent. */
int rlost_check(struct rbroker *b, size_t n);

#endif
